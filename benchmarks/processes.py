"""Commands as separate processes, compared with a bare import (`python -m benchmarks.processes`)."""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from benchmarks.timing import print_conditions
from nasbench import CELLS
from nasbench.runs.text import format_table

RUNS = 21
CURVES = 1000


def run(argv: Sequence[str], home: str) -> tuple[float, float]:
    """Return the seconds and the peak resident MiB of a process, as the system reports them."""
    environment = os.environ | {"XDG_CACHE_HOME": home}  # where the store is by default, on Linux
    environment.pop("NASBENCH_HOME", None)
    null = os.open(os.devnull, os.O_WRONLY)
    start = time.perf_counter()
    child = os.posix_spawn(argv[0], list(argv), environment, file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)])
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    os.close(null)
    if status:
        raise SystemExit(f"{argv} ended with status {status}")
    return seconds, usage.ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20)


def compare(commands: Mapping[str, Sequence[str]], homes: Mapping[str, str]) -> None:
    """Run commands in turn, {name: arguments of Python}, and compare them with the first.

    `homes`: {name: folder of its store}, emptied before each run if the name begins with "first".
    """
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for round_ in range(RUNS + 1):
        for name, argv in commands.items():
            home = homes[name]
            if name.startswith("first"):
                shutil.rmtree(home, ignore_errors=True)
            result = run([sys.executable, *argv], home)
            if round_:  # the first round warms up
                measured[name].append(result)
    base = measured[next(iter(commands))]
    rows: list[list[object]] = []
    for name, results in measured.items():
        seconds, memory = zip(*results, strict=True)
        ratios = [s / bare for s, (bare, _) in zip(seconds, base, strict=True)]
        times = (round(1e3 * value) for value in (statistics.median(seconds), min(seconds), max(seconds)))
        rows.append([name, *times, round(statistics.median(ratios), 2), round(max(memory))])
    print(format_table(["", "median [ms]", "min", "max", "x bare import", "peak [MiB]"], rows))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.processes", description=__doc__)
    parser.add_argument("--store", help="store with curves to query instead of the default one")
    parser.add_argument("--oneshot", action="store_true", help="only measure the import of oneshot")
    args = parser.parse_args()
    store, oneshot = args.store, args.oneshot
    bare = {"import numpy, h5py": ["-c", "import numpy, h5py"]}
    print_conditions(RUNS, numpy=version("numpy"), h5py=version("h5py"))
    if oneshot:
        commands = {
            "import torch": ["-c", "import torch"],
            "import oneshot.search": ["-c", "import oneshot.search"],
        }
        with tempfile.TemporaryDirectory() as folder:
            compare(commands, dict.fromkeys(commands, folder))
        return
    with tempfile.TemporaryDirectory() as folder:
        if store is not None:
            opened = f"from nasbench import NB201; bench = NB201({store!r})\n"
            one = "bench.query(6111, 'cifar10', 'test_accuracy')"
            curves = (
                "import random; pick = random.Random(0).randrange\n"
                f"for _ in range({CURVES}): bench.curve(pick({CELLS}), 'cifar10', 'val_accuracy')"
            )
            commands = bare | {
                "open, one query": ["-c", opened + one],
                "nasbench query 6111": ["-m", "nasbench", "query", "6111", "--store", store],
                f"open, {CURVES:,} random curves": ["-c", opened + curves],
            }
            compare(commands, dict.fromkeys(commands, folder))
            return
        commands = bare | {
            "nasbench query 6111": ["-m", "nasbench", "query", "6111"],
            "blackbox.re --evals 1000": ["-m", "blackbox.re", "--evals", "1000"],
            "blackbox.re --trials 500": ["-m", "blackbox.re", "--trials", "500"],
            "first use: builds the store": ["-m", "nasbench", "query", "6111"],
        }
        homes = {name: f"{folder}/{'new' if name.startswith('first') else 'home'}" for name in commands}
        compare(commands, homes)


if __name__ == "__main__":
    main()
