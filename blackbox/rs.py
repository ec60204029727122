"""Random search: every evaluation a cell drawn uniformly, with replacement (`python -m blackbox.rs`)."""

import sys

from blackbox.search.base import Search


class RandomSearch(Search):
    """Random search.

    >>> from blackbox.search import run
    >>> from blackbox.search.space import NB201
    >>> history = run(RandomSearch(NB201, trials=2), lambda codes: -abs(codes - 9000), evals=100)
    >>> history.codes.shape
    (2, 100)
    """

    name = "random search"

    def __init__(self, space, config=None, trials=1, seed=0, history=None):
        super().__init__(space, config, trials, seed, history)
        self._cells = self.draws(0, lambda rng, steps: rng.integers(space.size, size=steps))

    def ask(self, pending=0):
        return self._cells.at(len(self.history) + pending)


if __name__ == "__main__":
    from blackbox.cli import main

    sys.exit(main(RandomSearch))
