"""Commands as whole processes, beside a bare import of numpy and h5py (`python -m benchmarks.processes`)."""

import os
import shutil
import statistics
import sys
import tempfile
import time
from importlib.metadata import version

from benchmarks.timing import print_conditions
from nasbench.console import print_table

RUNS = 21


def run(argv, home):
    """Seconds and peak resident MiB of a process, by the system's own account."""
    environment = os.environ | {"XDG_CACHE_HOME": home}  # where the store is by default, on Linux
    environment.pop("NASBENCH_HOME", None)
    null = os.open(os.devnull, os.O_WRONLY)
    start = time.perf_counter()
    child = os.posix_spawn(argv[0], argv, environment, file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)])
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    os.close(null)
    if status:
        raise SystemExit(f"{argv} ended with status {status}")
    return seconds, usage.ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20)


def main():
    bare = "import numpy, h5py"
    commands = {
        bare: ["-c", bare],
        "nasbench query 6111": ["-m", "nasbench", "query", "6111"],
        "blackbox.re --evals 1000": ["-m", "blackbox.re", "--evals", "1000"],
        "blackbox.re --trials 500": ["-m", "blackbox.re", "--trials", "500"],
        "first use: builds the store": ["-m", "nasbench", "query", "6111"],
    }
    with tempfile.TemporaryDirectory() as folder:
        home, new = f"{folder}/home", f"{folder}/new"
        measured = {name: [] for name in commands}
        for round_ in range(RUNS + 1):
            for name, argv in commands.items():
                first = name.startswith("first")
                if first:
                    shutil.rmtree(new, ignore_errors=True)
                result = run([sys.executable, *argv], new if first else home)
                if round_:  # the first round warms up
                    measured[name].append(result)
    print_conditions(RUNS, numpy=version("numpy"), h5py=version("h5py"))
    rows = []
    for name, results in measured.items():
        seconds, memory = zip(*results, strict=True)
        ratios = [s / base for s, (base, _) in zip(seconds, measured[bare], strict=True)]
        times = (round(1e3 * value) for value in (statistics.median(seconds), min(seconds), max(seconds)))
        rows.append([name, *times, round(statistics.median(ratios), 2), round(max(memory))])
    print_table(["", "median [ms]", "least", "most", "x bare import", "peak [MiB]"], rows)


if __name__ == "__main__":
    main()
