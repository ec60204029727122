"""Searches with two objectives on a table; their trials find Pareto fronts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from blackbox.errors import ConfigError
from blackbox.kinds.lockstep import LockstepKind, LockstepResult, count_extent, counted_in
from blackbox.kinds.logs import evaluations_header
from blackbox.results.base import INLINE, Result
from blackbox.results.fronts import (
    cells_met,
    find_worst,
    front_masks,
    shares,
    true_front,
    true_volume,
    volumes,
)
from blackbox.results.regret import Spread, feasible_cells, load_entry
from blackbox.results.text import Rows, entry_lines, evaluations_text, over_text, reached_text, with_unit
from blackbox.rs import RandomSearch
from blackbox.search.shown import checkpoints
from blackbox.table.objective import PairObjective
from blackbox.table.settings import PairConfig, RunConfig
from blackbox.table.signal import Signal
from nasbench.runs.folder import RunKind
from nasbench.runs.text import counted, format_rows, format_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

    from blackbox.kinds.base import Experiment, Trials
    from blackbox.search.history import History
    from blackbox.search.space import CategoricalSpace
    from nasbench.arrays import Codes, Mask, Scores
    from nasbench.benchmark import Benchmark

    PairExperiment = Experiment[PairConfig, PairObjective]

_SHOWN = 20  # cells of a front in a notebook


@dataclass(frozen=True)
class TrueFront(Result):
    """The Pareto front of the table."""

    #: Number of cells.
    cells: int
    #: Official indices of the cells.
    indices: list[int]
    #: Hypervolume, in the product of the metrics' units.
    hypervolume: float


@dataclass(frozen=True)
class VolumeRow(Result):
    """The hypervolume of the trials' fronts after a number of evaluations."""

    #: Number of evaluations per trial.
    evaluations: int
    #: Number of trials with at least this number of evaluations.
    trials_that_came_so_far: int
    #: Hypervolume over trials.
    volume: Spread = field(metadata=INLINE)
    #: Share of the true front's hypervolume over trials, in [0, 1].
    share: Spread


@dataclass(frozen=True)
class FoundFronts(Result):
    """The quality of the fronts of trials."""

    #: Hypervolume after some numbers of evaluations.
    hypervolume: list[VolumeRow]
    #: Number of cells on the true front that are also on a trial's front.
    of_the_true_front: Spread


@dataclass(frozen=True)
class FrontCell(Result):
    """A cell on the front of a trial."""

    #: Architecture string.
    arch: str
    #: Official index.
    index: int
    #: Number of the evaluation that first evaluated it, from 1.
    evaluation: int
    #: Scores that the search has seen; higher is better.
    scores: list[float]
    #: Values by metric, means over seeds.
    values: dict[str, float] = field(metadata=INLINE)
    #: All values, from `Benchmark.entry`.
    entry: dict[str, dict[str, float]]
    #: Whether it is on the true front.
    on_true_front: bool


@dataclass(frozen=True)
class Front(Result):
    """The front with the largest hypervolume of all trials."""

    #: Number of the trial.
    trial: int
    #: Hypervolume.
    hypervolume: float
    #: Cells, sorted by the first metric, best first; empty if no feasible cell was evaluated.
    cells: list[FrontCell]


@dataclass(frozen=True)
class FrontResult(LockstepResult[PairConfig]):
    """The result of a search with two objectives, and of random search with as many evaluations."""

    #: Reference point of the hypervolume: the worst value of the feasible cells by metric.
    reference: dict[str, float]
    #: Pareto front of the table.
    true_front: TrueFront
    #: Fronts of the search.
    found: FoundFronts
    #: Fronts of random search with seed 0, which sees the means over seeds.
    random_search: FoundFronts
    #: Front with the largest hypervolume.
    front: Front

    def text(self, *, all: bool = False) -> str:
        """Return the result as text; with `all`, including the hardware metrics of the front's best cell."""
        settings, cells = self.settings, self.front.cells
        lines = [self.head, format_rows(self.summary())]
        if not cells:
            return "\n".join([*lines, "\nFront: none, because no feasible cell was evaluated"])
        title, header, rows = self._front_table()
        lines += [f"\n{title}", format_table(header, rows)]
        lines.append(f"\nCell on this front with the best {settings.metric}: index {cells[0].index}")
        return "\n".join([*lines, *entry_lines(cells[0].entry, all=all), *self._volume_lines()])

    @property
    def head(self) -> str:
        return self.heading(self.evaluations.text("evaluation"), others=[self.settings.against])

    @property
    def best_entry(self) -> tuple[str, dict[str, dict[str, float]]] | None:
        return (self.front.cells[0].arch, self.front.cells[0].entry) if self.front.cells else None

    def tables(self) -> list[str]:
        from nasbench.display import note, table

        title, header, rows = self._front_table()
        further = f"{len(rows) - _SHOWN:,} more in front.cells" if len(rows) > _SHOWN else ""
        return [table(header, rows[:_SHOWN], title), note(further)]

    def summary(self) -> Rows:
        ours, random = (each.of_the_true_front.mean_text(".4g") for each in (self.found, self.random_search))
        reference = ", ".join(
            f"{name} {value:.7g} {Signal.parse(name).unit}" for name, value in self.reference.items()
        )
        cells = "the table" if self.feasible is None else "the feasible cells"
        each = "" if self.settings.trials == 1 else " per trial"
        volume = f"hypervolume {self.true_front.hypervolume:.7g}"
        return [
            ("true front", f"{counted(self.true_front.cells, 'cell')}, {volume}"),
            ("reference", f"{reference}: the worst of {cells} in each"),
            ("found on it", f"{ours} {'cell' if ours == '1' else 'cells'}{each} (random search: {random})"),
            *self.rows,
        ]

    def _front_table(self) -> tuple[str, tuple[str, ...], list[tuple[object, ...]]]:
        """Return the title, the header and the rows of the cells of the front."""
        metrics, front = (self.settings.metric, self.settings.against), self.front
        which = f" of trial {front.trial}, the one with the largest hypervolume"
        which = "" if self.settings.trials == 1 else which
        header = ("", *map(with_unit, metrics), "index", "evaluation", "cell")
        rows: list[tuple[object, ...]] = [
            ("*" * cell.on_true_front, *cell.values.values(), cell.index, cell.evaluation, cell.arch)
            for cell in front.cells
        ]
        cells = counted(len(rows), "cell")
        return f"Front{which}: {cells} (*: on the true front)", header, rows

    def _volume_lines(self) -> list[str]:
        """Return the lines of the text about the hypervolumes."""
        trials = self.settings.trials
        over = over_text(trials, trials - self.trials_without_evaluation)
        lines = [f"\nHypervolume, percent of the true front's{over}"]
        for row, random in zip(self.found.hypervolume, self.random_search.hypervolume, strict=True):
            short = reached_text(row.trials_that_came_so_far, trials)
            ours, theirs = (each.share.with_std(".3f", 100) for each in (row, random))
            shares = f"{ours}   random search {theirs}"
            lines.append(f"after {evaluations_text(row.evaluations)}  {shares}{short}")
        return lines


class FrontKind(LockstepKind[PairConfig, PairObjective, FrontResult]):
    """Searches with two objectives."""

    name = "fronts"
    settings_class = PairConfig
    folders = RunKind(evaluations_header(2))
    picture = "the front of the search among all cells"
    objectives = 2

    def problem(self, settings: PairConfig, bench: Benchmark, trials: Trials = None) -> PairObjective:
        return settings.objective(bench, trials)

    def result(self, experiment: PairExperiment, history: History, complete: bool) -> FrontResult:
        objective, bench = experiment.problem, experiment.bench
        counted, true = counted_in(history, experiment.settings.budget), true_front(objective)
        random = _random_codes(experiment.space, *history.codes.shape)
        masks = front_masks(history.scores, counted)
        indices = bench.space.official_index()[true].tolist()
        return FrontResult(
            *experiment.introduction(complete),
            *count_extent(history, objective, counted),
            feasible_cells(objective, int(((counted > 0) & ~masks.any(axis=1)).sum())),
            reference=_values(objective, find_worst(objective)),
            true_front=TrueFront(len(true), indices, true_volume(objective)),
            found=_found_fronts(history.codes, history.scores, counted, objective),
            random_search=_found_fronts(random, objective.scores[random], counted, objective),
            front=_best_front(history, masks, counted, objective, bench),
        )

    def figure(self, experiment: PairExperiment, result: FrontResult, history: History) -> Figure:
        from blackbox.results import plots  # imported here because few runs are plotted

        objective, front, trials = experiment.problem, result.front, result.settings.trials
        metrics, signs = objective.metrics, _signs(objective)
        cells = objective.targets[objective.feasible] * signs
        true = objective.targets[true_front(objective)] * signs
        points = np.array([[cell.values[name] for name in metrics] for cell in front.cells]).reshape(-1, 2)
        one = "" if trials == 1 else f", trial {front.trial} of {trials:,}"
        title = f"{result.algorithm} on {objective.dataset}{one}{plots.signal_line(objective)}"
        return plots.fronts_figure(cells, true, points, title, list(map(with_unit, metrics)))

    def compared(self, name: str, common: RunConfig, own: Mapping[str, Any]) -> PairConfig:
        raise ConfigError(f"{name} has {self.objectives} objectives, so it has no incumbent to compare")


def _random_codes(space: CategoricalSpace, trials: int, evals: int) -> Codes:
    """Return the codes that random search evaluates, (T, n)."""
    search = RandomSearch(space, trials=trials)
    return np.stack([search.ask(step) for step in range(evals)], axis=1)


def _found_fronts(codes: Codes, scores: Scores, counted: Codes, objective: PairObjective) -> FoundFronts:
    """Return the hypervolumes of the trials' fronts, and their cells on the true front."""
    rows = []
    for n in checkpoints(int(counted.max())):
        masks = front_masks(scores[:, :n], counted)
        volume = volumes(codes[:, :n], masks, objective)[counted > 0]
        share = shares(codes[:, :n], masks, objective)[counted > 0]
        rows.append(VolumeRow(n, int((counted >= n).sum()), Spread.over(volume), Spread.over(share)))
    return FoundFronts(rows, Spread.over(cells_met(codes[:, :n], masks, objective)[counted > 0]))


def _best_front(
    history: History, masks: Mask, counted: Codes, objective: PairObjective, bench: Benchmark
) -> Front:
    """Return the front with the largest hypervolume; `masks` (T, n) select the trials' fronts."""
    final = np.where(counted > 0, volumes(history.codes, masks, objective), -1)
    trial = int(final.argmax())
    steps = np.flatnonzero(masks[trial])
    codes, firsts = np.unique(history.codes[trial, steps], return_index=True)
    worth = objective.targets[codes]
    steps = steps[firsts][np.lexsort((worth[:, 1], worth[:, 0]))[::-1]]
    true, cells = true_front(objective), []
    for step in steps.tolist():  # the evaluations in which the cells appear first
        code, scores = history.codes[trial, step], history.scores[trial, step].tolist()
        cell, values = bench.space.cell(code), _values(objective, objective.targets[code])
        index, entry = bench.index(cell), load_entry(cell, bench, objective.target)
        cells.append(FrontCell(str(cell), index, step + 1, scores, values, entry, bool(code in true)))
    return Front(trial, float(final[trial]), cells)


def _values(objective: PairObjective, scores: Scores) -> dict[str, float]:
    """Return the values of the metrics, {metric: value}, from their scores (2,)."""
    return dict(zip(objective.metrics, (scores * _signs(objective)).tolist(), strict=True))


def _signs(objective: PairObjective) -> Codes:
    """Return the sign that converts values of each metric to scores, 1 or -1, (2,)."""
    return np.array([1 if Signal.parse(metric).higher_is_better else -1 for metric in objective.metrics])


FRONTS = FrontKind()
