"""Multi-fidelity searches on a simulated clock, and a plain simulation (`python -m benchmarks.simulator`).

`--syne-tune PYTHON` adds the simulator of Syne Tune, with its own ASHA on a table of the same size; PYTHON is
the interpreter of an environment that has it: pip install syne-tune huggingface_hub fastparquet
"""

import argparse
import random
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import in_turn, print_conditions, print_times
from blackbox.asha import ASHA
from blackbox.bohb import BOHB
from blackbox.hyperband import Hyperband
from blackbox.search.fidelity import MultiFidelitySearch
from blackbox.search.space import NB201_SPACE
from blackbox.sh import SuccessiveHalving
from blackbox.table.settings import SimulationConfig
from blackbox.table.simulator import simulate_trial
from nasbench import NB201
from tests import stores

RUNS = 5
JOBS = 1000
WORKERS = 4
RUNGS = (2, 7, 22, 67, 200)
ETA = 3
SYNE_TUNE_CELLS = 655  # gives about as many rung results as there are jobs
SYNE_TUNE = Path(__file__).parent / "plain" / "syne_tune_asha.py"


class PlainHalving:
    """Successive halving in its simplest form: a list of results, sorted at the end of each rung."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.begin()

    def begin(self) -> None:
        """Start a bracket."""
        self.rung = 0
        self.todo = [self.random.randrange(NB201_SPACE.size) for _ in range(ETA ** (len(RUNGS) - 1))]
        self.cells = len(self.todo)
        self.results: list[tuple[float, int]] = []

    def suggest(self) -> tuple[int, int] | None:
        """Return the next job, (cell, rung); None while results are missing."""
        return (self.todo.pop(0), self.rung) if self.todo else None

    def report(self, cell: int, score: float) -> None:
        """Add a result; after the last one of a rung, promote the best cells."""
        self.results.append((score, cell))
        if len(self.results) == self.cells:
            self.results.sort(reverse=True)
            self.todo = [cell for _, cell in self.results[: self.cells // ETA]]
            self.cells, self.results = len(self.todo), []
            self.rung += 1
            if self.rung == len(RUNGS):
                self.begin()


def plain_simulation(bench: NB201, seed: int) -> float:
    """Simulate workers in the simplest way: a list of busy workers, and a lookup for each value."""

    def seconds(cell: int, rung: int) -> float:
        def at(metric: str, rung: int) -> float:
            return bench.query(cell, "cifar10", metric, epoch=RUNGS[rung] - 1)

        before = at("train_time", rung - 1) if rung else 0.0
        return at("train_time", rung) - before + at("val_time", rung)

    search, now, done = PlainHalving(seed), 0.0, 0
    busy: list[tuple[float, int, int]] = []
    while done < JOBS:
        while len(busy) < WORKERS and (job := search.suggest()) is not None:
            cell, rung = job
            busy.append((now + seconds(cell, rung), cell, rung))
        busy.sort(reverse=True)
        now, cell, rung = busy.pop()
        search.report(cell, bench.query(cell, "cifar10", "val_accuracy", epoch=RUNGS[rung] - 1))
        done += 1
    return now


def with_syne_tune(python: str) -> tuple[float, int, str]:
    """Return the seconds of Syne Tune, its number of rung results, and its version."""
    command = [python, str(SYNE_TUNE), str(WORKERS), str(SYNE_TUNE_CELLS)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, results, version = result.stdout.split()[-3:]
    return float(seconds), int(results), version


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulator")
    parser.add_argument(
        "--syne-tune", metavar="PYTHON", help="Python interpreter of an environment with Syne Tune"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = stores.write(Path(folder) / "curves.h5", stores.arrays_with_rising_curves(NB201()))
        bench = NB201(path)
        curves = SimulationConfig().curves(bench)

        def simulated(search_class: type[MultiFidelitySearch[Any]]) -> object:
            return simulate_trial(search_class(NB201_SPACE, 200), curves, WORKERS, JOBS)

        tasks: dict[str, Callable[[], object]] = {
            "blackbox.sh": lambda: simulated(SuccessiveHalving),
            "blackbox.hyperband": lambda: simulated(Hyperband),
            "blackbox.asha": lambda: simulated(ASHA),
            "blackbox.bohb": lambda: simulated(BOHB),
            "plain loop": lambda: plain_simulation(bench, 0),
        }
        print_conditions(RUNS, numpy=np.__version__)
        print(f"{JOBS:,} jobs on {WORKERS} simulated workers; the columns of the table are loaded")
        seconds = in_turn(tasks, RUNS)
        if args.syne_tune is not None:
            runs = [with_syne_tune(args.syne_tune) for _ in range(RUNS)]
            _, results, version = runs[0]
            seconds[f"Syne Tune {version}, ASHA, {results:,} rung results"] = [run[0] for run in runs]
        print_times(seconds, "ms", against="plain loop")


if __name__ == "__main__":
    main()
