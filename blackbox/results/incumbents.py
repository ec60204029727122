"""What searches with one objective report of their incumbents, whatever they count."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from blackbox.results.base import Result
from blackbox.results.text import (
    Rows,
    best_rows,
    entry_lines,
    final_text,
    optimum_text,
    signals_of,
)

if TYPE_CHECKING:
    from blackbox.results.regret import BestCell, Optimum, Spread
    from blackbox.table.settings import TableConfig


class Best(Result):
    """The best evaluation or job, and its cell."""

    cell: BestCell


class Row(Result, ABC):
    """The regret of the incumbents at a point of a search."""

    @abstractmethod
    def text(self, trials: int) -> str:
        """Return the row as text; `trials`: how many there are."""


B = TypeVar("B", bound=Best)
W = TypeVar("W", bound=Row)


@dataclass(frozen=True)
class Incumbents(Result, Generic[B, W]):
    """What trials found, the best first."""

    #: None if no feasible cell was evaluated.
    best: B | None
    optimum: Optimum
    trials_at_optimum: int
    #: What papers report of the incumbents at the end, by metric.
    report: dict[str, Spread]
    regret: list[W]

    def best_rows(self, settings: TableConfig) -> Rows:
        """Return the first rows of a text, on the best cell."""
        return best_rows(None if self.best is None else self.best.cell, settings)

    def optimum_rows(self, settings: TableConfig) -> Rows:
        """Return the last rows of a text, on the trials that ended at the optimum."""
        if settings.trials == 1:
            return []
        return [("at the optimum", f"{self.trials_at_optimum:,} of {settings.trials:,} trials")]

    def lines(self, settings: TableConfig, over: str, *, all: bool) -> list[str]:
        """Return the end of a text; `over`: over which trials, `all`: as for `SearchResult.text`."""
        return [
            *([] if self.best is None else entry_lines(self.best.cell.entry, all=all)),
            *final_text(self.report, settings, over),
            f"\nRegret of the incumbent [{signals_of(settings)[0].unit}]{over}",
            *(row.text(settings.trials) for row in self.regret),
            optimum_text(self.optimum),
        ]
