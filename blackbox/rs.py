"""Random search: cells drawn uniformly, with replacement (`python -m blackbox.rs`)."""

import sys

from blackbox.search.base import NoSettings, Search
from nasbench.arrays import Codes


class RandomSearch(Search[NoSettings]):
    """Random search: each evaluation is of a cell drawn uniformly, with replacement.

    >>> from blackbox import NB201_SPACE, run
    >>> search = RandomSearch(NB201_SPACE, trials=2)
    >>> history = run(search, lambda codes: -abs(codes - 9000), evals=100)
    >>> history.codes.shape
    (2, 100)
    """

    name = "random search"

    def setup(self) -> None:
        self._cells = self.draws(0, lambda rng, steps: rng.integers(self.space.size, size=steps))

    def ask(self, pending: int = 0) -> Codes:
        return self._cells.at(len(self.history) + pending)


if __name__ == "__main__":
    from blackbox.cli import main

    sys.exit(main(RandomSearch))
