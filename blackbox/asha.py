"""Asynchronous successive halving (`python -m blackbox.asha`): Li et al. 2020, arXiv:1810.05934."""

import sys
from bisect import insort
from heapq import heappop, heappush
from itertools import pairwise

from blackbox.search.fidelity import Job, MultiFidelitySearch, RungsConfig
from blackbox.search.scores import FAILED


class _Rung:
    """The scores of the cells of a rung."""

    def __init__(self) -> None:
        self._ranked: list[tuple[float, int]] = []  # (-score, arrival), the best first
        # heap of (-score, arrival, code) of cells that neither failed nor were promoted
        self._promotable: list[tuple[float, int, int]] = []

    def add(self, code: int, score: float) -> None:
        entry = -score, len(self._ranked)
        insort(self._ranked, entry)
        if score != FAILED:
            heappush(self._promotable, (*entry, code))

    def promote(self, eta: int) -> int | None:
        """Return the best cell not promoted yet if it is among the best 1 / eta of the rung, else None."""
        best = len(self._ranked) // eta
        if best and self._promotable and self._promotable[0][:2] <= self._ranked[best - 1]:
            return heappop(self._promotable)[2]
        return None


class ASHA(MultiFidelitySearch[RungsConfig]):
    """ASHA: a free worker promotes a cell that is among the best 1 / eta of its rung so far.

    >>> from blackbox import NB201_SPACE
    >>> search = ASHA(NB201_SPACE, 9)
    >>> epochs = []
    >>> for _ in range(13):
    ...     job = search.ask()
    ...     search.tell(job, score=job.code)
    ...     epochs.append(job.epochs)
    >>> epochs[:4], sorted(epochs)
    ([1, 1, 1, 3], [1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 9])

    Higher rungs are checked first. If no cell can be promoted, a new one is added to the lowest rung, so no
    worker ever waits. A cell that failed counts in its rung but is never promoted; ties go to the
    earlier score. The default eta is from figure 1 of the paper; its experiments use 4.

    Parameters
    ----------
    space, fidelities, config, trial, seed
        As for `blackbox.search.fidelity.MultiFidelitySearch`; `config` is a `RungsConfig`.

    References
    ----------
    Li et al. 2020, arXiv:1810.05934, algorithm 2.
    """

    name = "asynchronous successive halving"

    def setup(self) -> None:
        self._results = {epochs: _Rung() for epochs in self.rungs}
        # (rung, epochs to promote its cells to, epochs that they were trained for), highest rung first
        self._promotions = [(self._results[low], high, low) for low, high in pairwise(self.rungs)][::-1]

    def next_job(self, number: int) -> Job | None:
        for rung, epochs, done in self._promotions:
            code = rung.promote(self.config.eta)
            if code is not None:
                return Job(number, code, epochs, done, 0)
        code = self.draw()
        return None if code is None else Job(number, code, self.rungs[0], 0, 0)

    def observe(self, job: Job, score: float) -> None:
        self._results[job.epochs].add(job.code, score)


if __name__ == "__main__":
    from blackbox.cli import main

    sys.exit(main(ASHA))
