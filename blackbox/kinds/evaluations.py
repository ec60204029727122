"""Searches with one objective on a table; their trials evaluate cells in lockstep."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from blackbox.kinds.lockstep import LockstepKind, LockstepResult, count_extent, counted_in
from blackbox.kinds.logs import evaluations_header
from blackbox.results.base import INLINE, OPTIONAL
from blackbox.results.regret import (
    Best,
    BestCell,
    Incumbents,
    Row,
    Spread,
    best_cell,
    feasible_cells,
    regrets,
)
from blackbox.results.text import Rows, evaluations_text, over_text, parse_signals, reached_text
from blackbox.search.shown import checkpoints
from blackbox.table.objective import TableObjective
from blackbox.table.settings import RunConfig
from nasbench.runs.folder import RunKind
from nasbench.runs.text import counted, duration, format_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

    from blackbox.kinds.base import Experiment, Trials
    from blackbox.search.history import History
    from nasbench.benchmark import Benchmark

    RunExperiment = Experiment[RunConfig, TableObjective]


@dataclass(frozen=True)
class BestEvaluation(Best):
    """The evaluation with the best score, and its cell."""

    #: Number of the trial.
    trial: int
    #: Number of the evaluation in the trial, from 1.
    evaluation: int
    #: Simulated time at which it ended; None if the table has no times.
    simulated_seconds: float | None
    #: Score that the search has seen; higher is better.
    score: float
    #: The cell.
    cell: BestCell = field(metadata=INLINE)


@dataclass(frozen=True)
class RegretRow(Row):
    """The regret of the incumbents after a number of evaluations."""

    #: Number of evaluations per trial.
    evaluations: int
    #: Number of trials with at least this number of evaluations.
    trials_that_came_so_far: int
    #: Number of trials with an incumbent; None if all cells are feasible, because then every trial has one.
    trials_with_incumbent: int | None = field(metadata=OPTIONAL)
    #: Regret over these trials.
    regret: Spread = field(metadata=INLINE)

    @property
    def point(self) -> str:
        return counted(self.evaluations, "evaluation")

    def text(self, trials: int) -> str:
        """Return the row as text; `trials` is the number of trials."""
        having, short = self.trials_with_incumbent, reached_text(self.trials_that_came_so_far, trials)
        if having is not None and having != trials:
            short += f"   ({counted(having, 'trial')} had one)" if having else "   (no feasible cell yet)"
        return f"after {evaluations_text(self.evaluations)}  {self.regret.text()}{short}"


@dataclass(frozen=True)
class EvaluationResult(LockstepResult[RunConfig]):
    """The result of a search with one objective."""

    #: Incumbents of the trials.
    incumbents: Incumbents[BestEvaluation, RegretRow] = field(metadata=INLINE)

    def text(self, *, all: bool = False) -> str:
        """Return the result as text; with `all`, including the hardware metrics of the best cell."""
        settings, trials = self.settings, self.settings.trials
        searched = trials - self.trials_without_evaluation
        over = over_text(trials, searched - (self.feasible.trials_without if self.feasible else 0))
        lines = [self.head, format_rows(self.summary())]
        return "\n".join([*lines, *self.incumbents.lines(settings, over, all=all)])

    @property
    def head(self) -> str:
        return self.heading(self.evaluations.text("evaluation"))

    @property
    def best_entry(self) -> tuple[str, dict[str, dict[str, float]]] | None:
        return self.incumbents.best_entry

    def tables(self) -> list[str]:
        return [self.incumbents.table(self.settings)]

    def summary(self) -> Rows:
        settings, best, trials = self.settings, self.incumbents.best, self.settings.trials
        rows = self.incumbents.best_rows(settings)
        if best is not None:
            target, signal = parse_signals(settings)
            if signal != target:
                score = best.score if signal.higher_is_better else -best.score
                rows.append(("signal", f"{signal} {score:.4f} {signal.unit}, as seen by the search"))
            place = f"at evaluation {best.evaluation:,}" + ("" if trials == 1 else f" of trial {best.trial}")
            if best.simulated_seconds is not None:
                place += f", after {duration(best.simulated_seconds)} of simulated training"
            rows.append(("found", place))
        return rows + self.rows + self.incumbents.optimum_rows(settings)


class EvaluationKind(LockstepKind[RunConfig, TableObjective, EvaluationResult]):
    """Searches with one objective."""

    name = "evaluations"
    settings_class = RunConfig
    folders = RunKind(evaluations_header(1))
    picture = "regret against evaluations"

    def problem(self, settings: RunConfig, bench: Benchmark, trials: Trials = None) -> TableObjective:
        return settings.objective(bench, trials)

    def result(self, experiment: RunExperiment, history: History, complete: bool) -> EvaluationResult:
        objective, bench, budget = experiment.problem, experiment.bench, experiment.settings.budget
        counted = counted_in(history, budget)
        after, trials = checkpoints(int(counted.max())), np.flatnonzero(counted)[:, None]
        steps = history.incumbent_steps(budget)[trials, np.array(after) - 1]
        incumbents = history.codes[trials, steps]  # (T, checkpoints)
        regret = regrets(incumbents, objective)
        known = ~np.isnan(regret)
        ends = incumbents[known[:, -1], -1]
        rows = [
            RegretRow(
                n,
                int((counted >= n).sum()),
                int(having.sum()) if objective.where else None,
                Spread.over(values[having]),
            )
            for n, having, values in zip(after, known.T, regret.T, strict=True)
        ]
        best = _best(experiment, history) if len(ends) else None
        return EvaluationResult(
            *experiment.introduction(complete),
            *count_extent(history, objective, counted),
            feasible_cells(objective, len(trials) - len(ends)),
            Incumbents.build(best, ends, bench, objective, rows),
        )

    def figure(self, experiment: RunExperiment, result: EvaluationResult, history: History) -> Figure | None:
        from blackbox.results import plots  # imported here because few runs are plotted

        if result.incumbents.best is None:
            return None
        objective, budget = experiment.problem, result.settings.budget
        regret = regrets(history.incumbents(budget), objective)[:, : history.counted(budget).max()]
        title = f"{result.algorithm} on {objective.dataset} {objective.metric}{plots.signal_line(objective)}"
        return plots.regret_figure(regret, title, objective.target.unit, budget)

    def compared(self, name: str, common: RunConfig, own: Mapping[str, Any]) -> RunConfig:
        return RunConfig(**asdict(common))


def _best(experiment: RunExperiment, history: History) -> BestEvaluation:
    """Return the best evaluation of all trials."""
    objective = experiment.problem
    trial, step = history.best(experiment.settings.budget)
    seconds = float(history.costs[trial].cumsum()[step]) if objective.has_cost else None
    cell = best_cell(history.codes[trial, step], experiment.bench, objective)
    return BestEvaluation(trial, step + 1, seconds, float(history.scores[trial, step]), cell)


EVALUATIONS = EvaluationKind()
