"""Random search (`python -m blackbox.rs`): Bergstra & Bengio 2012."""

import sys

from blackbox.search.base import NoSettings, Search
from nasbench.arrays import Codes


class RandomSearch(Search[NoSettings]):
    """Random search: evaluates cells sampled uniformly, with replacement.

    >>> from blackbox import NB201_SPACE, run
    >>> search = RandomSearch(NB201_SPACE, trials=2)
    >>> history = run(search, lambda codes: -abs(codes - 9000), evals=100)
    >>> history.codes.shape
    (2, 100)

    Parameters
    ----------
    space, config, trials, seed, history, first
        As for `blackbox.search.Search`.

    References
    ----------
    Bergstra & Bengio 2012, Random search for hyper-parameter optimization, JMLR 13.
    """

    name = "random search"

    def setup(self) -> None:
        self._cells = self.draws(0, lambda rng, steps: rng.integers(self.space.size, size=steps))

    def ask(self, pending: int = 0) -> Codes:
        return self._cells.at(len(self.history) + pending)


if __name__ == "__main__":
    from blackbox.cli import main

    sys.exit(main(RandomSearch))
