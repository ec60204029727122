"""Random search: every evaluation a cell drawn uniformly, with replacement (`python -m blackbox.rs`)."""

import sys
from dataclasses import dataclass

from blackbox.search import Search


@dataclass(frozen=True)
class RandomSearchConfig:
    """Random search has nothing to set."""


class RandomSearch(Search):
    """Random search.

    >>> from blackbox.search import run
    >>> from blackbox.space import NB201
    >>> history = run(RandomSearch(NB201, trials=2), lambda codes: -abs(codes - 9000), evals=100)
    >>> history.codes.shape
    (2, 100)
    """

    name = "random search"

    def __init__(self, space, config=None, trials=1, seed=0, history=None):
        super().__init__(space, trials, seed, history)
        self.config = config or RandomSearchConfig()
        self._cells = self.draws(0, lambda rng, steps: rng.integers(space.size, size=steps))

    def ask(self):
        return self._cells.at(len(self.history))


if __name__ == "__main__":
    from blackbox.cli import main

    sys.exit(main(RandomSearch, RandomSearchConfig))
