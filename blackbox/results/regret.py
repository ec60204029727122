"""What searches report of their incumbents: regret, the cells at the end, and their spread over trials."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from blackbox.results.base import Result
from nasbench.constraints import described
from nasbench.errors import NotRecordedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blackbox.table.curves import Curves
    from blackbox.table.objective import PairObjective, TableObjective
    from blackbox.table.signal import Signal
    from nasbench.arrays import Codes, Scores
    from nasbench.benchmark import Benchmark
    from nasbench.coded import CodedCell

    Objective = TableObjective | Curves

_REPORTED = ("val_accuracy", "test_accuracy")  # what papers report of the cells that searches end with


@dataclass(frozen=True)
class Spread(Result):
    """Mean, standard deviation (n - 1) and median over trials; of one trial the mean alone."""

    mean: float | None
    std: float | None
    median: float | None

    @classmethod
    def over(cls, values: NDArray[Any]) -> Spread:  # of any numbers
        """Return the spread of values (T,); all None if there are none."""
        if len(values) < 2:
            return cls(float(values[0]) if len(values) else None, None, None)
        ordered, middle = np.sort(values), len(values) // 2  # np.median would load masked arrays
        median = (ordered[-middle - 1] + ordered[middle]) / 2
        return cls(float(values.mean()), float(values.std(ddof=1)), float(median))


@dataclass(frozen=True)
class Counts(Result):
    """The least and the most evaluations or jobs of a trial."""

    least: int
    most: int


@dataclass(frozen=True)
class Feasible(Result):
    """Which cells satisfy the limits of a search."""

    cells: int
    of: int
    #: Such as `params <= 0.5 M`.
    limits: list[str]
    #: Trials that evaluated cells, but none of the feasible ones.
    trials_without: int

    def text(self) -> str:
        """Return the cells and the limits in one line."""
        return f"{self.cells:,} of {self.of:,} cells: {', '.join(self.limits)}"


@dataclass(frozen=True)
class Optimum(Result):
    """The best feasible cell by the metric."""

    arch: str
    index: int
    value: float


@dataclass(frozen=True)
class BestCell(Result):
    """What the table says of the best cell that was found."""

    arch: str
    index: int
    value: float
    rank: int
    regret: float
    #: As `Benchmark.entry` gives it.
    entry: dict[str, dict[str, float]]


def regrets(incumbents: Codes, objective: Objective) -> Scores:
    """Return the regret of incumbents (T, n), float64 (T, n), in the metric's unit; NaN for none (-1).

    An incumbent has the best score that the search saw; its regret is by the metric, the mean over seeds. A
    cell that is not feasible is no incumbent.
    """
    targets = objective.targets
    none = (incumbents < 0) | ~objective.feasible[incumbents]
    return np.where(none, np.nan, targets.max() - targets[incumbents])


def feasible_cells(objective: Objective | PairObjective, without: int) -> Feasible | None:
    """Return which cells are feasible; None if the search has no limits.

    `without`: how many trials evaluated cells, but none of the feasible ones.
    """
    if not objective.where:
        return None
    limits = [described(name, limits) for name, limits in objective.where.items()]
    return Feasible(int(objective.feasible.sum()), len(objective.feasible), limits, without)


def optimum_of(bench: Benchmark, objective: Objective) -> Optimum:
    """Return the best feasible cell by the metric."""
    target = objective.target
    best = bench.best(objective.dataset, target.metric, protocol=target.protocol, where=objective.where)
    return Optimum(str(best.cell), best.index, best.value)


def best_cell(code: int, bench: Benchmark, objective: Objective) -> BestCell:
    """Return what the table says of a cell by its code."""
    cell, target, where = bench.space.cell(code), objective.target, objective.where
    asked, protocol = (cell, objective.dataset, target.metric), target.protocol
    return BestCell(
        str(cell),
        bench.index(cell),
        bench.query(*asked, protocol=protocol),
        bench.rank(*asked, protocol=protocol, where=where),
        bench.regret(*asked, protocol=protocol, where=where),
        entry_of(cell, bench, target),
    )


def entry_of(cell: CodedCell, bench: Benchmark, target: Signal) -> dict[str, dict[str, float]]:
    """Return all that the table has for a cell: after the metric's protocol, or the longest recorded one."""
    protocol = target.protocol or max(bench.protocols(), default=None)
    return bench.entry(cell, protocol=protocol)


def final_values(codes: Codes, bench: Benchmark, objective: Objective) -> dict[str, Spread]:
    """Return what papers report of the cells (T,) that trials ended with, by metric.

    The values are means over seeds after the metric's protocol. A metric that the store lacks for any of the
    cells is left out.
    """
    found = {}
    for metric in _REPORTED if len(codes) else ():
        with suppress(NotRecordedError):
            values = bench.by_code(objective.dataset, metric, protocol=objective.target.protocol)[codes]
            if not np.isnan(values).any():
                found[metric] = Spread.over(values)
    return found
