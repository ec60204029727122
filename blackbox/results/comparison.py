"""What a comparison found: of each algorithm, of each pair, of all."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import combinations
from typing import Any, Literal, Self

import numpy as np

from blackbox.errors import ConfigError
from blackbox.results import statistics
from blackbox.results.anytime import Axis, Trajectories
from blackbox.results.base import INLINE, OPTIONAL, Result
from blackbox.results.regret import Feasible, Optimum, Spread, feasible_cells, final_values, optimum_of
from blackbox.search.scores import FAILED
from blackbox.table.objective import TableObjective
from blackbox.table.settings import RunConfig, TableConfig
from nasbench.arrays import Scores
from nasbench.benchmark import Benchmark

Interval = list[float | None] | None  # None for a bound that is not known

_SHARED = (*(f.name for f in fields(TableConfig) if f.name != "seed"), "evals", "jobs", "budget")
THRESHOLDS = (1.0, 0.5, 0.1)  # regrets in percentage points, the way to which is reported


@dataclass(frozen=True)
class Entry:
    """One of the algorithms that are compared, and its trials."""

    label: str
    #: Its name in reports.
    algorithm: str
    #: Its own settings.
    settings: dict[str, Any]
    seed: int
    #: What its trials do; jobs cannot be compared with evaluations by their number.
    counts: Literal["evaluations", "jobs"]
    trials: Trajectories
    #: The folder of its run.
    folder: str | None = None

    @property
    def axes(self) -> tuple[Axis, ...]:
        """What its trials can be compared along; a table may have no times."""
        evaluations = (Axis.EVALUATIONS,) if self.counts == "evaluations" else ()
        return (*evaluations, Axis.SECONDS) if self.trials.seconds.any() else evaluations


@dataclass(frozen=True)
class RegretSpread(Result):
    """The regret at the end over trials, with intervals of mean and median if there are several trials."""

    spread: Spread = field(metadata=INLINE)
    mean_interval: Interval
    median_interval: Interval


@dataclass(frozen=True)
class AtOptimum(Result):
    """The trials that ended at the optimum."""

    trials: int
    share: float
    interval: Interval


@dataclass(frozen=True)
class Way(Result):
    """When trials had at most some regret; None for a time beyond the end of trials."""

    median: float | None
    interval: Interval
    #: Of the trials that came there.
    share: float


@dataclass(frozen=True)
class Reached(Result):
    """The way to a regret, by evaluations and by simulated seconds if the trials have these in common."""

    regret: float
    evaluations: Way | None
    seconds: Way | None

    def along(self, axis: Axis) -> Way | None:
        """Return the way along an axis."""
        return self.evaluations if axis == Axis.EVALUATIONS else self.seconds


@dataclass(frozen=True)
class AlgorithmResult(Result):
    """What the trials of an algorithm found."""

    label: str
    algorithm: str
    settings: dict[str, Any]
    seed: int
    folder: str | None
    #: Mean over trials; None for jobs.
    evaluations: float | None
    jobs: float | None
    #: Mean over trials; None if the table has no times.
    simulated_seconds: float | None
    trials_without_evaluation: int
    regret: RegretSpread
    at_optimum: AtOptimum
    #: The way to each of `THRESHOLDS`; None if the metric is not in percent.
    reached: list[Reached] | None
    #: What papers report of the incumbents at the end, by metric.
    report: dict[str, Spread]


@dataclass(frozen=True)
class AdjustedPair(Result):
    """A pair with its p after Holm's correction for all pairs."""

    pair: statistics.Pair = field(metadata=INLINE)
    p_holm: float

    def turned(self) -> Self:
        """Return what the tests say of the second and the first."""
        return type(self)(self.pair.turned(), self.p_holm)


@dataclass(frozen=True)
class PairResult(Result):
    """What the tests say of a pair of algorithms."""

    first: str
    second: str
    tested: AdjustedPair = field(metadata=INLINE)


@dataclass(frozen=True)
class Friedman(Result):
    """The test whether any algorithm differs from any other."""

    statistic: float
    p: float


@dataclass(frozen=True)
class Ranks(Result):
    """Average ranks over the trials by label, 1 is best, and which of them do not differ."""

    average: dict[str, float]
    #: None for two algorithms.
    friedman: Friedman | None
    confidence: float
    critical_difference: float
    #: Groups of labels, the best first.
    alike: list[list[str]]


@dataclass(frozen=True)
class ComparisonResult(Result):
    """What a comparison found; what makes no sense for one trial or one algorithm is None."""

    #: What is common to all algorithms; their seeds may differ.
    settings: RunConfig
    algorithms: list[AlgorithmResult]
    feasible: Feasible | None = field(metadata=OPTIONAL)
    optimum: Optimum
    pairs: list[PairResult] | None
    ranks: Ranks | None

    def to_json(self) -> dict[str, Any]:
        """Return the findings in comparison.json."""
        settings = {name: value for name, value in asdict(self.settings).items() if name != "seed"}
        return super().to_json() | {"settings": settings}


def compare(
    entries: Sequence[Entry], objective: TableObjective, bench: Benchmark, settings: RunConfig
) -> ComparisonResult:
    """Return the findings on entries of the same trials; `settings`: what is common to them."""
    targets = objective.targets
    ends = np.array([entry.trials.final_regrets(targets) for entry in entries])  # (A, T)
    for entry in entries:
        if not entry.trials.evaluations.any():
            raise ConfigError(
                f"a budget of {settings.budget:g} s ends before the first evaluation of any trial of"
                f" {entry.label}; raise it with --budget"
            )
    ends_or_worst = worst_for_none(ends, targets)
    several = len(entries) > 1 and ends.shape[1] > 1
    return ComparisonResult(
        settings,
        [_algorithm(*each, objective, bench, settings) for each in zip(entries, ends, strict=True)],
        feasible_cells(objective, int(np.isnan(ends).sum())),
        optimum_of(bench, objective),
        _pairs(entries, ends_or_worst) if several else None,
        _ranks(entries, ends_or_worst) if several else None,
    )


def shared_settings(settings: TableConfig) -> dict[str, Any]:
    """Return the settings that runs must have in common to be compared; None for those that a kind lacks."""
    return {name: vars(settings).get(name) for name in _SHARED}


def worst_for_none(regret: Scores, targets: Scores) -> Scores:
    """Return regrets for tests and ranks: the worst of a feasible cell for a trial without one (NaN)."""
    return np.where(np.isnan(regret), targets.max() - targets[targets > FAILED].min(), regret)


def _algorithm(
    entry: Entry, ends: Scores, objective: TableObjective, bench: Benchmark, settings: RunConfig
) -> AlgorithmResult:
    """Return what an algorithm found; `ends`: the regret at the end of each trial, (T,)."""
    trials, jobs = entry.trials, entry.counts == "jobs"
    found = ends[~np.isnan(ends)]
    at_optimum, done = int((found == 0).sum()), float(trials.evaluations.mean())
    return AlgorithmResult(
        entry.label,
        entry.algorithm,
        entry.settings,
        entry.seed,
        entry.folder,
        evaluations=None if jobs else done,
        jobs=done if jobs else None,
        simulated_seconds=float(trials.seconds.mean()) if jobs or objective.has_cost else None,
        trials_without_evaluation=len(ends) - len(found),
        regret=RegretSpread(
            Spread.over(found),
            _bounds(statistics.mean_interval(found)) if len(found) > 1 else None,
            _bounds(statistics.median_interval(found)) if len(found) > 1 else None,
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
    """Return the way to each threshold, by evaluations and, with a budget, by simulated time."""
    known = {Axis.EVALUATIONS: entry.counts == "evaluations", Axis.SECONDS: settings.budget is not None}
    return [
        Reached(each, *(way_to(entry.trials, targets, each, axis) if known[axis] else None for axis in Axis))
        for each in THRESHOLDS
    ]


def way_to(trials: Trajectories, targets: Scores, regret: float, axis: Axis) -> Way:
    """Return when trials had at most this regret along an axis."""
    times, ends = trials.times_to(regret, targets, axis), trials.ends(axis)
    median = statistics.median_time(times, ends)
    return Way(
        None if np.isinf(median) else median,
        _bounds(statistics.time_interval(times, ends)) if len(times) > 1 else None,
        float(np.isfinite(times).mean()),
    )


def _bounds(interval: tuple[Any, Any] | None) -> Interval:
    """Return an interval as a list; None for a bound that is not known."""
    if interval is None:
        return None
    return [float(bound) if np.isfinite(bound) else None for bound in interval]


def tested(ends: Mapping[int, Scores] | Scores, pairs: Sequence[tuple[int, int]]) -> list[AdjustedPair]:
    """Return what the tests say of pairs (first, second).

    `ends`: the regrets (T,) at the end of each algorithm's trials, by its place in the pairs.
    """
    found = [statistics.compare_pair(ends[first], ends[second]) for first, second in pairs]
    adjusted = statistics.holm([pair.p for pair in found]).tolist()
    return [AdjustedPair(pair, p) for pair, p in zip(found, adjusted, strict=True)]


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
