"""The results of incumbents: regret, the final cells, and their spread over trials."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from blackbox.results.base import Result
from blackbox.results.text import Rows, entry_lines, final_epochs, parse_signals, with_unit
from blackbox.table.objective import PairObjective, TableObjective
from blackbox.table.settings import TableConfig
from blackbox.table.signal import Signal
from nasbench.arrays import Codes, Scores
from nasbench.benchmark import Benchmark
from nasbench.coded import CodedCell
from nasbench.constraints import described
from nasbench.errors import NotRecordedError
from nasbench.runs.text import counted

if TYPE_CHECKING:
    from blackbox.table.curves import Curves  # loaded by few searches only

    Objective = TableObjective | Curves

_REPORTED = ("val_accuracy", "test_accuracy")  # metrics of final cells that papers report


@dataclass(frozen=True)
class Spread(Result):
    """Mean, standard deviation and median over trials; only the mean for one trial, all None for none."""

    #: Mean.
    mean: float | None
    #: Standard deviation (n - 1).
    std: float | None
    #: Median.
    median: float | None

    @classmethod
    def over(cls, values: NDArray[Any]) -> Spread:  # any dtype
        """Return the spread of values (T,)."""
        if len(values) < 2:
            return cls(float(values[0]) if len(values) else None, None, None)
        ordered, middle = np.sort(values), len(values) // 2  # np.median would load masked arrays
        median = (ordered[-middle - 1] + ordered[middle]) / 2
        return cls(float(values.mean()), float(values.std(ddof=1)), float(median))

    @property
    def middle(self) -> float | None:
        """The median; the value itself for one trial."""
        return self.mean if self.median is None else self.median

    def mean_text(self, form: str = ".4f", scale: float = 1) -> str:
        """Return the mean times a scale as text; `-` if there is none."""
        return "-" if self.mean is None else f"{scale * self.mean:{form}}"

    def with_std(self, form: str, scale: float = 1) -> str:
        """Return mean ± standard deviation times a scale as text; the mean alone for one trial."""
        return self.mean_text(form, scale) + ("" if self.std is None else f" ± {scale * self.std:{form}}")

    def text(self) -> str:
        """Return mean, standard deviation and median as text."""
        return self.with_std(".4f") + ("" if self.median is None else f"   median {self.median:.4f}")


@dataclass(frozen=True)
class Counts(Result):
    """The minimum and maximum number of evaluations or jobs per trial."""

    #: Minimum over trials.
    least: int
    #: Maximum over trials.
    most: int

    def text(self, noun: str) -> str:
        """Return the minimum and maximum as text: `1 job`, or `5 to 1,000 jobs`."""
        least = f"{self.least:,} to " if self.least < self.most else ""
        return least + counted(self.most, noun)


@dataclass(frozen=True)
class Feasible(Result):
    """The cells that satisfy the limits of a search."""

    #: Number of feasible cells.
    cells: int
    #: Number of all cells.
    of: int
    #: Limits as text, such as `params <= 0.5 M`.
    limits: list[str]
    #: Number of trials that evaluated cells, but no feasible one.
    trials_without: int

    def text(self) -> str:
        """Return the number of cells and the limits in one line."""
        return f"{self.cells:,} of {self.of:,} cells: {', '.join(self.limits)}"


@dataclass(frozen=True)
class Optimum(Result):
    """The best feasible cell by the metric."""

    #: Architecture string.
    arch: str
    #: Official index.
    index: int
    #: Value of the metric, mean over seeds.
    value: float

    def text(self) -> str:
        """Return the value and the index in one line."""
        return f"optimum: {self.value:.4f}, index {self.index}"


@dataclass(frozen=True)
class BestCell(Result):
    """The best cell that a search found, with its values in the table."""

    #: Architecture string.
    arch: str
    #: Official index.
    index: int
    #: Value of the metric, mean over seeds.
    value: float
    #: Rank among the feasible cells, from 1.
    rank: int
    #: Regret, in the metric's unit.
    regret: float
    #: All values, from `Benchmark.entry`.
    entry: dict[str, dict[str, float]]


class Best(Result):
    """The best evaluation or job, and its cell."""

    #: The cell.
    cell: BestCell


class Row(Result, ABC):
    """The regret of the incumbents at a point of a search."""

    regret: Spread

    @property
    @abstractmethod
    def point(self) -> str:
        """The point, such as `5 evaluations`."""

    @abstractmethod
    def text(self, trials: int) -> str:
        """Return the row as text; `trials` is the number of trials."""


B = TypeVar("B", bound=Best)
W = TypeVar("W", bound=Row)


@dataclass(frozen=True)
class Incumbents(Result, Generic[B, W]):
    """The incumbents of a search with one objective, counted in evaluations or jobs."""

    #: The best of all trials; None if no feasible cell was evaluated.
    best: B | None
    #: The best feasible cell of the table.
    optimum: Optimum
    #: Number of trials that ended at the optimum.
    trials_at_optimum: int
    #: Accuracies of the final incumbents as reported in papers, by metric.
    report: dict[str, Spread]
    #: Regret at some points of the search.
    regret: list[W]

    @classmethod
    def build(
        cls, best: B | None, codes: Codes, bench: Benchmark, objective: Objective, regret: list[W]
    ) -> Self:
        """Return the incumbents, given the codes of the final ones of the trials that have one."""
        targets = objective.targets
        return cls(
            best,
            find_optimum(bench, objective),
            int((targets[codes] == targets.max()).sum()),
            final_values(codes, bench, objective),
            regret,
        )

    def best_rows(self, settings: TableConfig) -> Rows:
        """Return the first rows of a text, about the best cell."""
        if self.best is None:
            return [("best cell", "none: no feasible cell was evaluated")]
        cell, unit = self.best.cell, parse_signals(settings)[0].unit
        value = f"{cell.value:.4f} {unit}, rank {cell.rank:,}, regret {cell.regret:.4f}"
        return [("best cell", cell.arch), ("index", cell.index), (settings.metric, value)]

    def optimum_rows(self, settings: TableConfig) -> Rows:
        """Return the last rows of a text, about the trials that ended at the optimum."""
        if settings.trials == 1:
            return []
        return [("at the optimum", f"{self.trials_at_optimum:,} of {settings.trials:,} trials")]

    @property
    def best_entry(self) -> tuple[str, dict[str, dict[str, float]]] | None:
        """The best cell and its entry; None if no feasible cell was evaluated."""
        return None if self.best is None else (self.best.cell.arch, self.best.cell.entry)

    def table(self, settings: TableConfig) -> str:
        """Return the regret of the incumbents as HTML."""
        from nasbench.display import note, table

        names = ("mean", "std", "median")
        rows = [(row.point, *(_or_dash(vars(row.regret)[name]) for name in names)) for row in self.regret]
        caption = f"Regret of the incumbent [{parse_signals(settings)[0].unit}] (lower is better)"
        return table(("after", *names), rows, caption) + note(self.optimum.text())

    def lines(self, settings: TableConfig, over: str, *, all: bool) -> list[str]:
        """Return the last lines of a text.

        `over` says which trials values are averaged over; `all` is as for `SearchResult.text`.
        """
        lines = [] if self.best is None else entry_lines(self.best.cell.entry, all=all)
        if settings.trials > 1 and self.report:
            lines.append(f"\nFinal incumbents, trained for {counted(final_epochs(settings), 'epoch')}{over}")
        for name, spread in self.report.items() if settings.trials > 1 else ():
            lines.append(f"{with_unit(name):<18} {spread.text()}")
        return [
            *lines,
            f"\nRegret of the incumbent [{parse_signals(settings)[0].unit}]{over}",
            *(row.text(settings.trials) for row in self.regret),
            self.optimum.text(),
        ]


def _or_dash(value: float | None) -> float | str:
    return "-" if value is None else value


def regrets(incumbents: Codes, objective: Objective) -> Scores:
    """Return the regret of incumbents (T, n) in the metric's unit, float64 (T, n); NaN for none (-1).

    The incumbent is the cell with the best score that the search has seen; its regret is computed from the
    metric, the mean over seeds. An infeasible cell is never an incumbent.
    """
    targets = objective.targets
    none = (incumbents < 0) | ~objective.feasible[incumbents]
    return np.where(none, np.nan, targets.max() - targets[incumbents])


def feasible_cells(objective: Objective | PairObjective, without: int) -> Feasible | None:
    """Return which cells are feasible; None if the search has no limits.

    `without` is the number of trials that evaluated cells, but no feasible one.
    """
    if not objective.where:
        return None
    limits = [described(name, limits) for name, limits in objective.where.items()]
    return Feasible(int(objective.feasible.sum()), len(objective.feasible), limits, without)


def feasible_rows(feasible: Feasible | None) -> Rows:
    """Return the rows about feasible cells; none without limits."""
    if feasible is None:
        return []
    rows: Rows = [("feasible", feasible.text())]
    if feasible.trials_without:
        rows.append(("none feasible", f"{counted(feasible.trials_without, 'trial')}: no feasible cell seen"))
    return rows


def find_optimum(bench: Benchmark, objective: Objective) -> Optimum:
    """Return the best feasible cell by the metric."""
    target = objective.target
    best = bench.best(objective.dataset, target.metric, protocol=target.protocol, where=objective.where)
    return Optimum(str(best.cell), best.index, best.value)


def best_cell(code: int, bench: Benchmark, objective: Objective) -> BestCell:
    """Return a cell, given its code, with its values in the table."""
    cell, target, where = bench.space.cell(code), objective.target, objective.where
    asked, protocol = (cell, objective.dataset, target.metric), target.protocol
    return BestCell(
        str(cell),
        bench.index(cell),
        bench.query(*asked, protocol=protocol),
        bench.rank(*asked, protocol=protocol, where=where),
        bench.regret(*asked, protocol=protocol, where=where),
        load_entry(cell, bench, target),
    )


def load_entry(cell: CodedCell, bench: Benchmark, target: Signal) -> dict[str, dict[str, float]]:
    """Return all values of a cell in the table, after the metric's or the longest recorded protocol."""
    protocol = target.protocol or max(bench.protocols(), default=None)
    return bench.entry(cell, protocol=protocol)


def final_values(codes: Codes, bench: Benchmark, objective: Objective) -> dict[str, Spread]:
    """Return the accuracies of final cells (T,) as reported in papers, by metric.

    The values are means over seeds after the metric's protocol. A metric that the store lacks for any of the
    cells is left out.
    """
    spreads = {}
    for metric in _REPORTED if len(codes) else ():
        with suppress(NotRecordedError):
            values = bench.by_code(objective.dataset, metric, protocol=objective.target.protocol)[codes]
            if not np.isnan(values).any():
                spreads[metric] = Spread.over(values)
    return spreads
