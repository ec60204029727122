"""Times alternatives side by side: in turn, several runs each, with median and spread."""

import os
import platform
import statistics
import time

from nasbench.runs.command import print_table


def in_turn(tasks, runs):
    """{name: [seconds of each run]} for {name: function}: A B C A B C ..., after one run each, uncounted."""
    seconds = {name: [] for name in tasks}
    for run in range(runs + 1):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            if run:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def print_conditions(runs, **versions):
    """The machine and the versions that figures hold for."""
    versions = {"Python": platform.python_version()} | versions
    versions = ", ".join(f"{name} {version}" for name, version in versions.items())
    print(f"{platform.machine()}, {os.cpu_count()} cores; {versions}; {runs} runs in turn\n")


def print_times(seconds, unit, per=1, against=None):
    """A table of median, least and most; `per`: operations a run; `against`: the row to give ratios to."""
    scale = {"ms": 1e3, "us": 1e6}[unit] / per
    rows = []
    for name, runs in seconds.items():
        scaled = [run * scale for run in runs]
        row = [name, *map(_rounded, (statistics.median(scaled), min(scaled), max(scaled)))]
        if against is not None:
            ratios = [run / base for run, base in zip(runs, seconds[against], strict=True)]
            row.append(_rounded(statistics.median(ratios)))
        rows.append(row)
    header = ["", f"median [{unit}]", "least", "most"] + ([f"x {against}"] if against else [])
    print_table(header, rows)
    print()


def _rounded(value):
    return float(f"{value:.3g}")
