"""The data of a page, read by its scripts: comparisons of runs and values of the table."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blackbox.results.base import INLINE, OPTIONAL, Result
from blackbox.results.comparison import AdjustedPair, Way
from blackbox.results.regret import Spread

Columns = dict[str, NDArray[np.float64]]  # values of each code, (N,), by metric
Packed = dict[str, Any]  # from `nasbench.pages.pack.decimals`
Curve = dict[str, list[float]]  # values by the name of the line


@dataclass(frozen=True)
class Series(Result):
    """Runs with the same label, which have the same colour in all comparisons."""

    #: Label.
    label: str
    #: Colour, such as `#1f77b4`.
    colour: str


@dataclass(frozen=True)
class IncumbentSummary(Result):
    """The row of a run in the final table, about the final incumbents of its trials."""

    #: Number of trials.
    trials: int
    #: Number of evaluations or jobs, mean over trials.
    evaluations: float
    #: Simulated time, mean over trials; None if the table has no times.
    seconds: float | None
    #: Final regret; None if no trial has an incumbent.
    regret: Spread | None
    #: Share of the trials that ended at the optimum, in [0, 1].
    optimum: float
    #: Reported values of the incumbents, by metric.
    values: dict[str, Spread]
    #: The way to each threshold, by axis.
    reached: dict[str, list[Way]]


@dataclass(frozen=True)
class FrontSummary(Result):
    """The row of a run with two objectives in the table of fronts."""

    #: The second metric.
    against: str
    #: Number of trials.
    trials: int
    #: Number of evaluations, mean over trials.
    evaluations: float
    #: Hypervolume in percent of the true front's.
    worth: Spread
    #: Number of cells on a trial's front.
    cells: Spread
    #: Number of cells on the true front.
    true: int
    #: Number of these that are on a trial's front.
    met: Spread


@dataclass(frozen=True)
class Final(Result):
    """The final regrets of the trials with an incumbent."""

    #: Regret of each trial.
    regret: list[float]
    #: Quartiles by name.
    quartiles: dict[str, float] = field(metadata=INLINE)


@dataclass(frozen=True)
class TypicalTrial(Result):
    """The trial with the final result closest to the median."""

    #: Number of the trial.
    number: int
    #: Evaluated codes, packed.
    codes: str


@dataclass(frozen=True)
class ShownRun(Result):
    """A run on the page."""

    #: Index of its series.
    series: int
    #: Settings as texts by name.
    settings: dict[str, str]
    #: Regret of the incumbents by axis; None if the trials cannot be compared along it.
    curves: dict[str, Curve | None]
    #: Codes of the final cells of the trials.
    found: list[int]
    #: Final regrets; None without an incumbent or with two objectives.
    final: Final | None
    #: Codes on the typical trial's front, by the second metric; None with one objective.
    fronts: dict[str, list[int]] | None = field(metadata=OPTIONAL)
    #: Row of the final table or of the table of fronts.
    summary: IncumbentSummary | FrontSummary
    #: Number of evaluations of each cell, packed.
    visits: str
    #: The typical trial.
    trial: TypicalTrial
    #: Code of the typical trial's final incumbent; None if there is none.
    end: int | None


@dataclass(frozen=True)
class ShownPair(Result):
    """The test results of two runs; the first is the better one if they differ."""

    #: Indices of the two runs.
    runs: list[int]
    #: Test results.
    tested: AdjustedPair = field(metadata=INLINE)


@dataclass(frozen=True)
class Pairs(Result):
    """The pairs of comparable runs."""

    #: Test results of each pair.
    tested: list[ShownPair]
    #: Whether all these runs have the same seed.
    same_seed: bool
    #: Indices of runs without a pair: they are not complete, have one trial, have no incumbent, are limited
    #: by jobs, or no other run has the same trials, limits, signal and noise.
    left: list[int]


@dataclass(frozen=True)
class CellFacts(Result):
    """The values of a cell."""

    #: Official index.
    index: int
    #: Rank among the feasible cells, from 1.
    rank: int
    #: Pairs of a metric and its value as text.
    values: list[tuple[str, str]]


@dataclass(frozen=True)
class Best(Result):
    """The best feasible cell."""

    #: Code.
    code: int
    #: Official index.
    index: int
    #: Value of the metric, mean over seeds.
    value: float


@dataclass(frozen=True)
class Comparison(Result):
    """Runs on one table, data set and metric."""

    #: Name of the comparison.
    name: str
    #: Flag of the search space.
    space: str
    #: Name of the data set.
    dataset: str
    #: Name of the metric.
    metric: str
    #: Unit of the metric.
    unit: str
    #: Whether higher values are better.
    higher: bool
    #: Facts to list, pairs of a name and a text.
    facts: list[tuple[str, str]]
    #: Whether there are limits on cells.
    restricted: bool
    #: The best feasible cell.
    optimum: Best
    #: Axis along which all runs can be compared.
    axis: str
    #: Regrets in percentage points; the time to reach them is shown.
    thresholds: list[float]
    #: The runs.
    runs: list[ShownRun]
    #: The pairs of comparable runs.
    pairs: Pairs
    #: Final cells of the trials, by code.
    cells: dict[int, CellFacts]
    #: Official index of each code, packed.
    index: str
    #: Values of the table by metric, with their unit.
    columns: dict[str, Packed]
    #: Metrics that accuracy is plotted against.
    costs: list[str]
    #: Codes of the table's fronts, by these metrics.
    fronts: dict[str, list[int]]


@dataclass(frozen=True)
class PageData(Result):
    """The data of a page."""

    #: Labels of runs with their colours.
    series: list[Series]
    #: Comparisons, one per table, data set and metric.
    comparisons: list[Comparison]
