"""A cell with its entry in a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nasbench.coded import CodedCell
from nasbench.text import format_entry

_HOW = "show(cell, all=True)"


@dataclass(frozen=True)
class CellEntry:
    """A cell and all values that a table has for it; notebooks show it as a picture and a table.

    >>> from nasbench import NB201
    >>> shown = NB201().show(6111)
    >>> shown.cell.index, shown.entry["cifar10"]["params"]
    (6111, 1.073466)
    """

    #: cell
    cell: CodedCell
    #: values by data set and metric, as `Benchmark.entry` returns them
    entry: Mapping[str, Mapping[str, float]]
    #: whether hardware metrics are shown
    all: bool = False

    def __str__(self) -> str:
        text = format_entry(self.entry, all=self.all, how=_HOW)
        return "\n\n".join(filter(None, [f"{self.cell}\nindex {self.cell.index}", text]))

    def _repr_html_(self) -> str:
        from nasbench.display import block, entry_table, note

        values = entry_table(self.entry, all=self.all, how=_HOW)
        return block(
            self.cell.picture(), note(str(self.cell)), values or note("Nothing is recorded for this cell")
        )
