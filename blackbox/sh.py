"""Successive halving (`python -m blackbox.sh`): Jamieson & Talwalkar 2016, arXiv:1502.07943."""

import sys
from dataclasses import dataclass

from blackbox.search.brackets import Bracket, BracketSearch
from blackbox.search.fidelity import RungsConfig
from nasbench.runs.checks import whole
from nasbench.runs.settings import option


@dataclass(frozen=True)
class HalvingConfig(RungsConfig):
    """Settings of successive halving; eta is as in Hyperband (Li et al. 2018, arXiv:1603.06560: 3 or 4)."""

    #: Number of cells of a bracket; None for the number that leaves one cell on the last rung.
    cells: int | None = option(
        None, "number of cells of a bracket (default: the number that leaves one on the last rung)", type=int
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cells is not None:
            whole("cells", self.cells, self.eta)


class SuccessiveHalving(BracketSearch[HalvingConfig]):
    """Successive halving: trains many cells for a few epochs, the best of them for more, and so on.

    >>> from blackbox import NB201_SPACE
    >>> search = SuccessiveHalving(NB201_SPACE, 9)
    >>> epochs = []
    >>> for _ in range(13):
    ...     job = search.ask()
    ...     search.tell(job, score=job.code)
    ...     epochs.append(job.epochs)
    >>> epochs
    [1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 9]

    Rung k has floor(cells / eta^k) cells, so all rungs cost about the same, as in the inner loop of
    Hyperband. Jamieson & Talwalkar use eta = 2 and split a total budget evenly between the rungs until one
    cell is left. With fewer `cells` than the default, a bracket ends below the last rung. After a bracket,
    the next one starts with new cells.

    Parameters
    ----------
    space, fidelities, config, trial, seed
        As for `blackbox.search.fidelity.MultiFidelitySearch`; `config` is a `HalvingConfig`.

    References
    ----------
    Jamieson & Talwalkar 2016, arXiv:1502.07943. Li et al. 2018, arXiv:1603.06560, algorithm 1 (Hyperband).
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
