"""The entry of a cell as text for people."""

from nasbench.console import print_table
from nasbench.metrics import METRICS
from nasbench.spaces import TOPOLOGY, Space

_WIDTH = 14  # of a data set's column
_NO_HARDWARE = ("latency", "params", "flops")  # metrics of the network that every table may have


def is_hardware(metric: str) -> bool:
    """Return whether a metric is a measurement of a certain device."""
    return METRICS[metric].of_the_network and metric not in _NO_HARDWARE


def print_entry(
    entry: dict[str, dict[str, float]], index: int, space: Space = TOPOLOGY, *, all: bool = False
) -> None:
    """Print an entry of `Benchmark.entry`: a row per metric and a column per data set.

    `index`: official index of the cell; `all`: print hardware metrics too, instead of the command that does.
    """
    recorded = [name for name in METRICS if any(name in values for values in entry.values())]
    shown = [name for name in recorded if all or not is_hardware(name)]
    if recorded:
        print("\nRecorded for this cell (mean over seeds)")
    if shown:
        rows = [
            (f"{name} [{METRICS[name].unit}]", *(_shown(values.get(name)) for values in entry.values()))
            for name in shown
        ]
        print_table(("", *(name.rjust(_WIDTH) for name in entry)), rows)
    if shown != recorded:
        where = "" if space is TOPOLOGY else f" --space {space.flag}"
        print(f"hardware metrics: python -m nasbench query {index}{where} --all")


def _shown(value: float | None) -> str:
    return ("-" if value is None else f"{value:.7g}").rjust(_WIDTH)
