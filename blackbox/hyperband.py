"""Hyperband (`python -m blackbox.hyperband`): Li et al. 2018, arXiv:1603.06560."""

import sys

from blackbox.sh import Bracket, BracketSearch


def bracket(number, rungs, eta):
    """Cells and rungs of the bracket of that number in a run of Hyperband: (n, epochs), in their order.

    >>> [bracket(number, (1, 3, 9, 27, 81), eta=3)[0] for number in range(5)]
    [81, 34, 15, 8, 5]

    The first one, s = s_max, starts the most cells at the lowest rung, the last one, s = 0, trains a few for
    the whole time; then they begin anew. n = ceil((s_max + 1) / (s + 1) * eta^s), as algorithm 1 has it.
    """
    skipped = number % len(rungs)
    rungs_left = len(rungs) - skipped  # s + 1
    cells = -(-len(rungs) * eta ** (rungs_left - 1) // rungs_left)
    return cells, rungs[skipped:]


class Hyperband(BracketSearch):
    """Hyperband: brackets of successive halving from many cells for few epochs to few cells for many.

    >>> from blackbox.search.space import NB201
    >>> search = Hyperband(NB201, 9)
    >>> epochs = []
    >>> for _ in range(22):
    ...     job = search.ask()
    ...     search.tell(job, score=job.code)
    ...     epochs.append(job.epochs)
    >>> [epochs[:13], epochs[13:19], epochs[19:]]
    [[1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 9], [3, 3, 3, 3, 3, 9], [9, 9, 9]]

    Which of them is best depends on how well the scores after few epochs rank the cells, which is not known.
    The paper suggests 3 or 4 as eta.
    """

    name = "Hyperband"

    def _bracket(self, number):
        cells, rungs = bracket(number, self.rungs, self.config.eta)
        return Bracket(cells, rungs, self.config.eta, self.draw)


if __name__ == "__main__":
    from blackbox.cli import main

    sys.exit(main(Hyperband))
