"""The entry of a cell as text for people."""

from collections.abc import Collection, Mapping

from nasbench.metrics import METRICS
from nasbench.runs.command import print_table

_WIDTH = 14  # of a data set's column


def print_entry(entry: Mapping[str, Mapping[str, float]], *, all: bool = False, how: str = "--all") -> None:
    """Print an entry of `Benchmark.entry`: a row per metric and a column per data set.

    `all`: print hardware metrics too; else their number, and `how` they are shown.
    """
    recorded = [name for name in METRICS if any(name in values for values in entry.values())]
    hidden = [name for name in recorded if METRICS[name].hardware and not all]
    rows = [
        (f"{name} [{METRICS[name].unit}]", *(_shown(values.get(name)) for values in entry.values()))
        for name in recorded
        if name not in hidden
    ]
    if recorded:
        print("\nRecorded for this cell (mean over seeds)")
    if rows:
        print_table(("", *(name.rjust(_WIDTH) for name in entry)), rows)
    print_hidden(hidden, how)


def print_hidden(names: Collection[str], how: str = "--all") -> None:
    """Print how many hardware metrics a table leaves out, if any, and `how` they are shown."""
    if names:
        print(f"{len(names)} hardware metric{'s' if len(names) > 1 else ''} not shown; {how} shows them")


def _shown(value: float | None) -> str:
    return ("-" if value is None else f"{value:.7g}").rjust(_WIDTH)
