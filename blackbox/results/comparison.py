"""The results of a comparison: for each algorithm, for each pair, for all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from blackbox.errors import ConfigError
from blackbox.results import statistics
from blackbox.results.anytime import Axis, Trajectories
from blackbox.results.base import INLINE, OMITTED, OPTIONAL, Result
from blackbox.results.regret import Feasible, Optimum, Spread, feasible_cells, final_values, find_optimum
from blackbox.results.text import limits_text, parse_signals, subject
from blackbox.search.scores import FAILED
from blackbox.table.objective import TableObjective
from blackbox.table.settings import RunConfig, TableConfig
from nasbench.arrays import Scores
from nasbench.benchmark import Benchmark
from nasbench.runs.text import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Interval = list[float | None] | None  # a bound is None if it is not known

_SHARED = (*(f.name for f in fields(TableConfig) if f.name != "seed"), "evals", "jobs", "budget")
THRESHOLDS = (1.0, 0.5, 0.1)  # regrets in percentage points; the time to reach them is reported


@dataclass(frozen=True)
class Entry:
    """An algorithm in a comparison, and its trials."""

    #: Label in the comparison.
    label: str
    #: Name of the algorithm in reports.
    algorithm: str
    #: Settings of the algorithm.
    settings: dict[str, Any]
    #: Random seed.
    seed: int
    #: The unit of its trials; numbers of jobs cannot be compared with numbers of evaluations.
    counts: Literal["evaluations", "jobs"]
    #: Trajectories of its trials.
    trials: Trajectories
    #: Folder of its run; None if it is not saved.
    folder: str | None = None

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes along which its trials can be compared; a table may have no times."""
        evaluations = (Axis.EVALUATIONS,) if self.counts == "evaluations" else ()
        return (*evaluations, Axis.SECONDS) if self.trials.seconds.any() else evaluations


@dataclass(frozen=True)
class RegretSpread(Result):
    """The final regret over trials, with intervals of mean and median if there are several trials."""

    #: Mean, standard deviation and median.
    spread: Spread = field(metadata=INLINE)
    #: Confidence interval of the mean.
    mean_interval: Interval
    #: Confidence interval of the median.
    median_interval: Interval


@dataclass(frozen=True)
class AtOptimum(Result):
    """The trials that ended at the optimum."""

    #: Number of these trials.
    trials: int
    #: Their share of all trials, in [0, 1].
    share: float
    #: Confidence interval of the share.
    interval: Interval


@dataclass(frozen=True)
class Way(Result):
    """The evaluations or time that trials needed to reach a regret."""

    #: Median over trials; None if it is beyond the end of the trials.
    median: float | None
    #: Confidence interval of the median.
    interval: Interval
    #: Share of the trials that reached it, in [0, 1].
    share: float


@dataclass(frozen=True)
class Reached(Result):
    """The evaluations and the simulated time that trials needed to reach a regret."""

    #: The regret, in percentage points.
    regret: float
    #: In evaluations; None if the trials cannot be compared along this axis.
    evaluations: Way | None
    #: In simulated seconds; None if the trials cannot be compared along this axis.
    seconds: Way | None

    def along(self, axis: Axis) -> Way | None:
        """Return the field of an axis."""
        return self.evaluations if axis == Axis.EVALUATIONS else self.seconds


@dataclass(frozen=True)
class AlgorithmResult(Result):
    """The results of the trials of one algorithm."""

    #: Label in the comparison.
    label: str
    #: Name of the algorithm in reports.
    algorithm: str
    #: Settings of the algorithm.
    settings: dict[str, Any]
    #: Random seed.
    seed: int
    #: Folder of its run; None if it is not saved.
    folder: str | None
    #: Number of evaluations, mean over trials; None for jobs.
    evaluations: float | None
    #: Number of jobs, mean over trials; None for evaluations.
    jobs: float | None
    #: Simulated time, mean over trials; None if the table has no times.
    simulated_seconds: float | None
    #: Number of trials without an incumbent.
    trials_without_evaluation: int
    #: Final regret.
    regret: RegretSpread
    #: Trials that ended at the optimum.
    at_optimum: AtOptimum
    #: The way to each of `THRESHOLDS`; None if the metric is not in percent.
    reached: list[Reached] | None
    #: Accuracies of the final incumbents as reported in papers, by metric.
    report: dict[str, Spread]


@dataclass(frozen=True)
class AdjustedPair(Result):
    """A pair with a p-value that is adjusted for all pairs by Holm's method."""

    #: The pair.
    pair: statistics.Pair = field(metadata=INLINE)
    #: Adjusted p-value.
    p_holm: float

    def turned(self) -> Self:
        """Return the comparison of the second algorithm with the first."""
        return type(self)(self.pair.turned(), self.p_holm)


@dataclass(frozen=True)
class PairResult(Result):
    """The test results of a pair of algorithms."""

    #: Label of the first algorithm.
    first: str
    #: Label of the second algorithm.
    second: str
    #: Test results.
    tested: AdjustedPair = field(metadata=INLINE)


@dataclass(frozen=True)
class Friedman(Result):
    """The result of a Friedman test of whether any algorithm differs from any other."""

    #: Chi-squared statistic.
    statistic: float
    #: p-value.
    p: float


@dataclass(frozen=True)
class Ranks(Result):
    """Average ranks over trials, and groups of algorithms that do not differ significantly."""

    #: Average rank by label; 1 is best.
    average: dict[str, float]
    #: Friedman test; None for two algorithms.
    friedman: Friedman | None
    #: Confidence level of the critical difference.
    confidence: float
    #: Critical difference of average ranks (Nemenyi's test).
    critical_difference: float
    #: Groups of labels that do not differ significantly, the best first.
    alike: list[list[str]]


@dataclass(frozen=True)
class ComparisonResult(Result):
    """The result of a comparison."""

    #: Settings common to all algorithms, except that seeds can differ.
    settings: RunConfig
    #: Results of each algorithm.
    algorithms: list[AlgorithmResult]
    #: Feasible cells; None without limits.
    feasible: Feasible | None = field(metadata=OPTIONAL)
    #: The best feasible cell.
    optimum: Optimum
    #: Test results of each pair; None for one trial or one algorithm.
    pairs: list[PairResult] | None
    #: Average ranks; None for one trial or one algorithm.
    ranks: Ranks | None
    #: The trials, for plots.
    entries: Sequence[Entry] = field(repr=False, metadata=OMITTED)
    #: The metric of each code as a score, (N,); higher is better.
    targets: Scores = field(repr=False, compare=False, metadata=OMITTED)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Plot the mean regret of each algorithm with its confidence band on logarithmic axes.

        The x axis is evaluations or, with a budget, simulated hours.

        Parameters
        ----------
        ax
            Axes to draw on; None for the axes of a new figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes, with a line per algorithm.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        """
        from blackbox.results.plots import draw_comparison
        from nasbench.axes import given_or_new

        settings, axes = self.settings, given_or_new(ax)
        target, signal = parse_signals(settings)
        title = f"{settings.dataset} {settings.metric}" + ("" if signal == target else f", signal {signal}")
        limits = (settings.evals, settings.budget)
        draw_comparison(axes, self.entries, self.targets, title, target.unit, *limits)
        return axes

    def _repr_html_(self) -> str:
        from nasbench.display import block, note, paragraphs, table

        settings, ranks = self.settings, self.ranks
        each = f"{limits_text(settings)} in each of {counted(settings.trials, 'trial')}"
        interval = f"{100 * statistics.LEVEL:g} % of mean"
        header = ["algorithm", "mean", "std", interval, "median", "at the optimum [%]"]
        rows = [
            [
                row.label,
                *(
                    "-" if value is None else value
                    for value in (row.regret.spread.mean, row.regret.spread.std)
                ),
                between(row.regret.mean_interval),
                "-" if row.regret.spread.middle is None else row.regret.spread.middle,
                100 * row.at_optimum.share,
            ]
            for row in self.algorithms
        ]
        if ranks is not None:
            header.append("average rank")
            rows = [[*row, ranks.average[label]] for row, label in zip(rows, ranks.average, strict=True)]
        caption = f"Regret of the incumbents at the end [{parse_signals(settings)[0].unit}] (lower is better)"
        return block(
            paragraphs(f"{counted(len(rows), 'algorithm')}{subject(settings)}\n{each}"),
            table(header, rows, caption),
            note("" if ranks is None else f"critical difference of ranks {ranks.critical_difference:.3f}"),
            note(self.optimum.text()),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the findings of comparison.json."""
        settings = {name: value for name, value in self.settings.to_json().items() if name != "seed"}
        return super().to_json() | {"settings": settings}


def compare(
    entries: Sequence[Entry], objective: TableObjective, bench: Benchmark, settings: RunConfig
) -> ComparisonResult:
    """Compare entries with the same trials; `settings` are common to all of them."""
    targets = objective.targets
    ends = np.array([entry.trials.final_regrets(targets) for entry in entries])  # (A, T)
    for entry in entries:
        if not entry.trials.evaluations.any():
            raise ConfigError(
                f"--budget {settings.budget:g}s is too short for the first evaluation of any trial of"
                f" {entry.label}; try a larger --budget"
            )
    ends_or_worst = worst_for_none(ends, targets)
    several = len(entries) > 1 and ends.shape[1] > 1
    return ComparisonResult(
        settings,
        [_algorithm(*each, objective, bench, settings) for each in zip(entries, ends, strict=True)],
        feasible_cells(objective, int(np.isnan(ends).sum())),
        find_optimum(bench, objective),
        _pairs(entries, ends_or_worst) if several else None,
        _ranks(entries, ends_or_worst) if several else None,
        entries,
        objective.targets,
    )


def shared_settings(settings: TableConfig) -> dict[str, Any]:
    """Return the settings that comparable runs have in common; None for those that a kind does not have."""
    return {name: vars(settings).get(name) for name in _SHARED}


def worst_for_none(regret: Scores, targets: Scores) -> Scores:
    """Return regrets for tests and ranks: NaN is replaced by the worst regret of a feasible cell."""
    return np.where(np.isnan(regret), targets.max() - targets[targets > FAILED].min(), regret)


def _algorithm(
    entry: Entry, ends: Scores, objective: TableObjective, bench: Benchmark, settings: RunConfig
) -> AlgorithmResult:
    """Return the results of an algorithm; `ends` (T,) is the final regret of each trial."""
    trials, jobs = entry.trials, entry.counts == "jobs"
    regrets = ends[~np.isnan(ends)]
    at_optimum, done = int((regrets == 0).sum()), float(trials.evaluations.mean())
    return AlgorithmResult(
        entry.label,
        entry.algorithm,
        entry.settings,
        entry.seed,
        entry.folder,
        evaluations=None if jobs else done,
        jobs=done if jobs else None,
        simulated_seconds=float(trials.seconds.mean()) if jobs or objective.has_cost else None,
        trials_without_evaluation=len(ends) - len(regrets),
        regret=RegretSpread(
            Spread.over(regrets),
            _bounds(statistics.mean_interval(regrets)) if len(regrets) > 1 else None,
            _bounds(statistics.median_interval(regrets)) if len(regrets) > 1 else None,
        ),
        at_optimum=AtOptimum(
            at_optimum,
            at_optimum / len(ends),
            None if len(ends) == 1 else _bounds(statistics.share_interval(at_optimum, len(ends))),
        ),
        reached=_reached(entry, objective.targets, settings) if objective.target.unit == "%" else None,
        report=final_values(trials.last_codes, bench, objective),
    )


def _reached(entry: Entry, targets: Scores, settings: RunConfig) -> list[Reached]:
    """Return the way to each threshold, in evaluations and, with a budget, in simulated time."""
    known = {Axis.EVALUATIONS: entry.counts == "evaluations", Axis.SECONDS: settings.budget is not None}
    return [
        Reached(each, *(way_to(entry.trials, targets, each, axis) if known[axis] else None for axis in Axis))
        for each in THRESHOLDS
    ]


def way_to(trials: Trajectories, targets: Scores, regret: float, axis: Axis) -> Way:
    """Return the evaluations or time that trials needed to reach a regret."""
    times, ends = trials.times_to(regret, targets, axis), trials.ends(axis)
    median = statistics.median_time(times, ends)
    return Way(
        None if np.isinf(median) else median,
        _bounds(statistics.time_interval(times, ends)) if len(times) > 1 else None,
        float(np.isfinite(times).mean()),
    )


def between(interval: Interval) -> str:
    """Return an interval as text."""
    if interval is None:
        return "-"
    return " to ".join("?" if bound is None else f"{bound:.4f}" for bound in interval)


def _bounds(interval: tuple[Any, Any] | None) -> Interval:
    """Return an interval as a list, with None for an infinite bound."""
    if interval is None:
        return None
    return [float(bound) if np.isfinite(bound) else None for bound in interval]


def tested(ends: Mapping[int, Scores] | Scores, pairs: Sequence[tuple[int, int]]) -> list[AdjustedPair]:
    """Return the test results of pairs (first, second), which are indices into `ends`.

    `ends` has the final regrets (T,) of each algorithm's trials.
    """
    results = [statistics.compare_pair(ends[first], ends[second]) for first, second in pairs]
    adjusted = statistics.holm([pair.p for pair in results]).tolist()
    return [AdjustedPair(pair, p) for pair, p in zip(results, adjusted, strict=True)]


def _pairs(entries: Sequence[Entry], ends: Scores) -> list[PairResult]:
    pairs = list(combinations(range(len(entries)), 2))
    labels = ((entries[first].label, entries[second].label) for first, second in pairs)
    return [PairResult(*both, found) for both, found in zip(labels, tested(ends, pairs), strict=True)]


def _ranks(entries: Sequence[Entry], ends: Scores) -> Ranks:
    ranks, difference = statistics.average_ranks(ends), statistics.critical_difference(*ends.shape)
    return Ranks(
        {entry.label: float(rank) for entry, rank in zip(entries, ranks, strict=True)},
        Friedman(*statistics.friedman(ends)) if len(ends) > 2 else None,
        statistics.LEVEL,
        difference,
        [[entries[n].label for n in group] for group in statistics.alike(ranks, difference)],
    )
