"""Text of a cell's entry in a table."""

from collections.abc import Collection, Mapping

from nasbench.metrics import METRICS
from nasbench.runs.text import counted, format_table

_WIDTH = 14  # of a column


def format_entry(entry: Mapping[str, Mapping[str, float]], *, all: bool = False, how: str = "--all") -> str:
    """Return an entry of `Benchmark.entry` with one row per metric and one column per data set.

    Without `all`, hardware metrics are only counted; `how` is the option that shows them. The text of an
    empty entry is empty.
    """
    entries, hidden = entry_rows(entry, all=all)
    rows = [(label, *map(_value_text, values)) for label, values in entries]
    table = format_table(("", *(name.rjust(_WIDTH) for name in entry)), rows) if rows else ""
    title = "Recorded for this cell (mean over seeds)" if rows or hidden else ""
    return "\n".join(filter(None, (title, table, format_hidden(hidden, how))))


def entry_rows(
    entry: Mapping[str, Mapping[str, float]], *, all: bool = False
) -> tuple[list[tuple[str, list[float | None]]], list[str]]:
    """Return the metrics of an entry and the names of the hardware metrics that are left out unless `all`.

    Each metric has its name with its unit, and its value on each data set.
    """
    recorded = [name for name in METRICS if any(name in values for values in entry.values())]
    hidden = [name for name in recorded if METRICS[name].hardware and not all]
    rows = [
        (f"{name} [{METRICS[name].unit}]", [values.get(name) for values in entry.values()])
        for name in recorded
        if name not in hidden
    ]
    return rows, hidden


def format_hidden(names: Collection[str], how: str = "--all") -> str:
    """Return the number of hidden hardware metrics and the option `how` that shows them; empty if none."""
    if not names:
        return ""
    return f"{counted(len(names), 'hardware metric')} not shown; use {how} to show them"


def _value_text(value: float | None) -> str:
    return ("-" if value is None else f"{value:.7g}").rjust(_WIDTH)
