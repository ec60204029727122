"""Successive halving (`python -m blackbox.sh`): Jamieson & Talwalkar 2016, arXiv:1502.07943."""

import sys
from dataclasses import dataclass

from blackbox.search.brackets import Bracket, BracketSearch
from blackbox.search.fidelity import RungsConfig
from nasbench.runs.checks import whole
from nasbench.runs.settings import option


@dataclass(frozen=True)
class HalvingConfig(RungsConfig):
    """eta as in Hyperband (Li et al. 2018, arXiv:1603.06560, which suggests 3 or 4)."""

    cells: int | None = option(
        None, "cells of a bracket (default: as many as leave one at the last rung)", type=int
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cells is not None:
            whole("cells", self.cells, self.eta)


class SuccessiveHalving(BracketSearch[HalvingConfig]):
    """Successive halving: train many cells for a few epochs, the best of them for more, and so on.

    >>> from blackbox import NB201_SPACE
    >>> search = SuccessiveHalving(NB201_SPACE, 9)
    >>> epochs = []
    >>> for _ in range(13):
    ...     job = search.ask()
    ...     search.tell(job, score=job.code)
    ...     epochs.append(job.epochs)
    >>> epochs
    [1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 9]

    Rung k has floor(cells / eta^k) cells and costs about as much as any other: the inner loop of Hyperband
    (Li et al. 2018, algorithm 1). Jamieson & Talwalkar use eta = 2 and give every rung an equal part of a
    total budget until one cell is left. With fewer `cells` than the default, a bracket ends below the last
    rung. The next bracket then begins, with new cells.
    """

    name = "successive halving"
    config_class = HalvingConfig

    def new_bracket(self, number: int) -> Bracket:
        eta = self.config.eta
        cells = self.config.cells or eta ** (len(self.rungs) - 1)
        return Bracket(cells, self.rungs, eta, self.draw)


if __name__ == "__main__":
    from blackbox.cli import main

    sys.exit(main(SuccessiveHalving))
