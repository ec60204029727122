"""The data of a page: comparisons of runs and the table around them, as the page's scripts read them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blackbox.results.base import INLINE, OPTIONAL, Result
from blackbox.results.comparison import AdjustedPair, Way
from blackbox.results.regret import Spread

Columns = dict[str, NDArray[np.float64]]  # values of each code, (N,), by metric
Packed = dict[str, Any]  # of `blackbox.report.pack.decimals`
Curve = dict[str, list[float]]  # by the name of its line


@dataclass(frozen=True)
class Series(Result):
    """Runs of one label, in one colour in all comparisons."""

    label: str
    colour: str


@dataclass(frozen=True)
class IncumbentSummary(Result):
    """The row of a run in the final table: the incumbents at the end of its trials."""

    trials: int
    #: Evaluations or jobs, mean over trials.
    evaluations: float
    #: Simulated, mean over trials; None if the table has no times.
    seconds: float | None
    #: None if no trial has an incumbent.
    regret: Spread | None
    #: Share of the trials that ended at it.
    optimum: float
    #: What is reported of the incumbents, by metric.
    values: dict[str, Spread]
    #: The way to each threshold, by axis.
    reached: dict[str, list[Way]]


@dataclass(frozen=True)
class FrontSummary(Result):
    """The row of a run with two objectives in the table of fronts: the fronts of its trials."""

    #: The second metric.
    against: str
    trials: int
    #: Mean over trials.
    evaluations: float
    #: Hypervolume in percent of the true front's.
    worth: Spread
    cells: Spread
    #: Cells on the true front.
    true: int
    #: How many of these are on a trial's front.
    met: Spread


@dataclass(frozen=True)
class Final(Result):
    """How the trials with an incumbent ended."""

    regret: list[float]
    quartiles: dict[str, float] = field(metadata=INLINE)


@dataclass(frozen=True)
class TypicalTrial(Result):
    """The trial that ended next to the median."""

    number: int
    #: The codes that it evaluated, packed.
    codes: str


@dataclass(frozen=True)
class ShownRun(Result):
    """A run on the page."""

    #: The place of its label.
    series: int
    #: What its folder says of it, by name.
    settings: dict[str, str]
    #: The regret of its incumbents by axis; None if they cannot be compared along it.
    curves: dict[str, Curve | None]
    #: The codes that its trials found.
    found: list[int]
    final: Final | None
    #: The codes on a typical trial's front by the second metric; None with one objective.
    fronts: dict[str, list[int]] | None = field(metadata=OPTIONAL)
    summary: IncumbentSummary | FrontSummary
    #: How often each cell was evaluated, packed.
    visits: str
    trial: TypicalTrial
    #: The code of the typical trial's incumbent.
    end: int | None


@dataclass(frozen=True)
class ShownPair(Result):
    """What the tests say of two runs, by their places; the first is the better one, if any is."""

    runs: list[int]
    tested: AdjustedPair = field(metadata=INLINE)


@dataclass(frozen=True)
class Pairs(Result):
    """The pairs of runs that a comparison would take."""

    tested: list[ShownPair]
    #: Whether all these runs have one seed.
    same_seed: bool
    #: Runs in no pair: not complete, of one trial, without an incumbent, that end by jobs, or with no other
    #: run of the same trials, limits, signal and noise.
    left: list[int]


@dataclass(frozen=True)
class CellFacts(Result):
    """What the page says of a cell."""

    index: int
    rank: int
    #: Pairs of a metric and its value as text.
    values: list[tuple[str, str]]


@dataclass(frozen=True)
class Best(Result):
    """The best feasible cell."""

    code: int
    index: int
    value: float


@dataclass(frozen=True)
class Comparison(Result):
    """Runs on one table, data set and metric."""

    name: str
    #: The flag of the search space.
    space: str
    dataset: str
    metric: str
    unit: str
    #: Whether a higher value is better.
    higher: bool
    #: Pairs of a name and a text.
    facts: list[tuple[str, str]]
    #: Whether some cells are not feasible.
    restricted: bool
    optimum: Best
    #: What all runs can be compared along.
    axis: str
    #: Regrets in percentage points, the way to which is shown.
    thresholds: list[float]
    runs: list[ShownRun]
    pairs: Pairs
    #: The cells that were found by their code.
    cells: dict[int, CellFacts]
    #: The official index of each code, packed.
    index: str
    #: The table's values by metric, with their unit.
    columns: dict[str, Packed]
    #: The metrics that accuracy is drawn against.
    costs: list[str]
    #: The codes of the table's fronts by these metrics.
    fronts: dict[str, list[int]]


@dataclass(frozen=True)
class PageData(Result):
    """All that a page shows."""

    series: list[Series]
    comparisons: list[Comparison]
