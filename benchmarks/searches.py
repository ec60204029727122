"""The loops of searches, compared with a plain Python loop (`python -m benchmarks.searches`)."""

import random
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.timing import in_turn, print_conditions, print_times
from blackbox.ls import LocalSearch
from blackbox.re import RegularizedEvolution
from blackbox.reinforce import REINFORCE
from blackbox.rs import RandomSearch
from blackbox.search.base import Search
from blackbox.search.loop import run
from blackbox.search.space import NB201_SPACE
from blackbox.table.objective import TableObjective
from nasbench import NB201

RUNS = 7
EVALS = 1000
TRIALS = 500


def plain_evolution(values: Sequence[float], seed: int) -> float:
    """Return the best score of regularized evolution written with a deque; population 100, sample 10."""
    rng = random.Random(seed)
    population: deque[tuple[float, int]] = deque()
    best = 0.0
    for _ in range(EVALS):
        if len(population) < 100:
            code = rng.randrange(NB201_SPACE.size)
        else:
            _, parent = max(population[rng.randrange(100)] for _ in range(10))
            weight = 5 ** rng.randrange(6)
            code = parent + ((parent // weight + rng.randrange(1, 5)) % 5 - parent // weight % 5) * weight
            population.popleft()
        score = values[code]
        population.append((score, code))
        best = max(best, score)
    return best


def main() -> None:
    table = TableObjective(NB201(), "cifar10", "val_accuracy")
    values = table.scores.tolist()

    def search(algorithm: type[Search[Any]], trials: int) -> object:  # with its own settings
        return run(algorithm(NB201_SPACE, trials=trials), table, EVALS, cost=table.cost)

    print_conditions(RUNS, numpy=np.__version__)
    for trials in (1, TRIALS):
        print(f"{EVALS:,} evaluations, trials: {trials}")
        tasks = {
            "blackbox.re": lambda n=trials: search(RegularizedEvolution, n),
            "blackbox.rs": lambda n=trials: search(RandomSearch, n),
            "blackbox.ls": lambda n=trials: search(LocalSearch, n),
            "blackbox.reinforce": lambda n=trials: search(REINFORCE, n),
            "plain loop": lambda n=trials: [plain_evolution(values, seed) for seed in range(n)],
        }
        print_times(in_turn(tasks, RUNS), "ms", against="plain loop")


if __name__ == "__main__":
    main()
