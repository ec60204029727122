"""Hyperband (`python -m blackbox.hyperband`): Li et al. 2018, arXiv:1603.06560."""

import sys

from blackbox.search.brackets import Bracket, BracketSearch, hyperband_bracket
from blackbox.search.fidelity import RungsConfig


class Hyperband(BracketSearch[RungsConfig]):
    """Hyperband: brackets of successive halving, from many cells for few epochs to few cells for many.

    >>> from blackbox import NB201_SPACE
    >>> search = Hyperband(NB201_SPACE, 9)
    >>> epochs = []
    >>> for _ in range(22):
    ...     job = search.ask()
    ...     search.tell(job, score=job.code)
    ...     epochs.append(job.epochs)
    >>> [epochs[:13], epochs[13:19], epochs[19:]]
    [[1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 9], [3, 3, 3, 3, 3, 9], [9, 9, 9]]

    The best bracket depends on how well scores after few epochs rank the cells, and this is unknown. The
    paper suggests an eta of 3 or 4.

    Parameters
    ----------
    space, fidelities, config, trial, seed
        As for `blackbox.search.fidelity.MultiFidelitySearch`; `config` is a `RungsConfig`.

    References
    ----------
    Li et al. 2018, arXiv:1603.06560, algorithm 1.
    """

    name = "Hyperband"

    def new_bracket(self, number: int) -> Bracket:
        cells, rungs = hyperband_bracket(number, self.rungs, self.config.eta)
        return Bracket(cells, rungs, self.config.eta, self.draw)


if __name__ == "__main__":
    from blackbox.cli import main

    sys.exit(main(Hyperband))
