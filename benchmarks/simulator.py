"""Multi-fidelity searches on a simulated clock, beside a plain simulation (`python -m benchmarks.simulator`).

`--syne-tune PYTHON` adds the simulator of Syne Tune, with its own ASHA on a table of the same size; PYTHON is
the interpreter of an environment that has it: pip install syne-tune huggingface_hub fastparquet
"""

import argparse
import random
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.timing import in_turn, print_conditions, print_times
from blackbox.algorithms import algorithm
from blackbox.search.space import NB201_SPACE
from blackbox.table.settings import SimulationConfig
from blackbox.table.simulator import simulate_trial
from nasbench import NB201
from tests import stores

RUNS = 5
JOBS = 1000
WORKERS = 4
RUNGS = (2, 7, 22, 67, 200)
ETA = 3
SYNE_TUNE_CELLS = 655  # of these come about as many results of rungs as there are jobs
SYNE_TUNE = Path(__file__).parent / "plain" / "syne_tune_asha.py"


class PlainHalving:
    """Successive halving as one writes it first: a list of what was told, sorted at the end of each rung."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.begin()

    def begin(self):
        self.rung = 0
        self.todo = [self.random.randrange(NB201_SPACE.size) for _ in range(ETA ** (len(RUNGS) - 1))]
        self.cells = len(self.todo)
        self.results = []

    def suggest(self):
        return (self.todo.pop(0), self.rung) if self.todo else None

    def report(self, cell, score):
        self.results.append((score, cell))
        if len(self.results) == self.cells:
            self.results.sort(reverse=True)
            self.todo = [cell for _, cell in self.results[: self.cells // ETA]]
            self.cells, self.results = len(self.todo), []
            self.rung += 1
            if self.rung == len(RUNGS):
                self.begin()


def plain_simulation(bench, seed):
    """Workers on a clock as one writes them first: a list of who is busy, a look into the table a value."""

    def seconds(cell, rung):
        def at(metric, rung):
            return bench.query(cell, "cifar10", metric, epoch=RUNGS[rung] - 1)

        before = at("train_time", rung - 1) if rung else 0.0
        return at("train_time", rung) - before + at("val_time", rung)

    search, now, done, busy = PlainHalving(seed), 0.0, 0, []
    while done < JOBS:
        while len(busy) < WORKERS and (job := search.suggest()) is not None:
            cell, rung = job
            busy.append((now + seconds(cell, rung), cell, rung))
        busy.sort(reverse=True)
        now, cell, rung = busy.pop()
        search.report(cell, bench.query(cell, "cifar10", "val_accuracy", epoch=RUNGS[rung] - 1))
        done += 1
    return now


def with_syne_tune(python):
    """Seconds of Syne Tune for about as many results of rungs, and how many, from another interpreter."""
    command = [python, str(SYNE_TUNE), str(WORKERS), str(SYNE_TUNE_CELLS)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, results, version = result.stdout.split()[-3:]
    return float(seconds), int(results), version


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulator")
    parser.add_argument("--syne-tune", metavar="PYTHON", help="an interpreter that has Syne Tune")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = stores.write(Path(folder) / "curves.h5", stores.arrays_with_rising_curves(NB201()))
        bench = NB201(path)
        curves = SimulationConfig().curves(bench)

        def simulated(search_class):
            return simulate_trial(search_class(NB201_SPACE, 200), curves, WORKERS, JOBS)

        names = ("sh", "hyperband", "asha", "bohb")
        tasks = {f"blackbox.{name}": partial(simulated, algorithm(name)) for name in names}
        tasks["plain loop"] = lambda: plain_simulation(bench, 0)
        print_conditions(RUNS, numpy=np.__version__)
        print(f"{JOBS:,} jobs on {WORKERS} simulated workers; the columns of the table are loaded")
        seconds = in_turn(tasks, RUNS)
        if args.syne_tune is not None:
            runs = [with_syne_tune(args.syne_tune) for _ in range(RUNS)]
            _, results, version = runs[0]
            seconds[f"Syne Tune {version}, ASHA, {results:,} results of rungs"] = [run[0] for run in runs]
        print_times(seconds, "ms", against="plain loop")


if __name__ == "__main__":
    main()
