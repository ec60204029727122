"""Time alternatives side by side: in turn, several runs each, with median and spread."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from nasbench.runs.text import format_table


def in_turn(
    tasks: Mapping[str, Callable[[], object]], runs: int, warm_ups: int = 1
) -> dict[str, list[float]]:
    """Return the seconds of each run of tasks: A B C A B C ..., after `warm_ups` uncounted runs each."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for run in range(warm_ups + runs):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            if run >= warm_ups:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def print_conditions(runs: int, **versions: str) -> None:
    """Print the machine and the versions that the numbers are for."""
    versions = {"Python": platform.python_version()} | versions
    text = ", ".join(f"{name} {version}" for name, version in versions.items())
    print(f"{platform.machine()}, {os.cpu_count()} cores; {text}; {runs} runs in turn\n")


def print_times(
    seconds: Mapping[str, Sequence[float]],
    unit: Literal["ms", "us"],
    per: int = 1,
    against: str | None = None,
) -> None:
    """Print a table of median, minimum and maximum.

    `per` is the number of operations per run; `against` is the row to compare with.
    """
    scale = {"ms": 1e3, "us": 1e6}[unit] / per
    rows: list[list[object]] = []
    for name, runs in seconds.items():
        scaled = [run * scale for run in runs]
        row: list[object] = [name, *map(_rounded, (statistics.median(scaled), min(scaled), max(scaled)))]
        if against is not None:
            ratios = [run / base for run, base in zip(runs, seconds[against], strict=True)]
            row.append(_rounded(statistics.median(ratios)))
        rows.append(row)
    header = ["", f"median [{unit}]", "min", "max"] + ([f"x {against}"] if against else [])
    print(format_table(header, rows))
    print()


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
