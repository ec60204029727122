"""Asynchronous successive halving (`python -m blackbox.asha`): Li et al. 2020, arXiv:1810.05934."""

import sys
from bisect import insort
from heapq import heappop, heappush

from blackbox.search.base import FAILED
from blackbox.search.fidelity import MultiFidelitySearch


class _Rung:
    """What was told of the cells of a rung."""

    def __init__(self):
        self._ranked = []  # (-score, arrival), the best first
        self._promotable = []  # a heap of (-score, arrival, code): neither promoted nor failed

    def add(self, code, score):
        entry = -score, len(self._ranked)
        insort(self._ranked, entry)
        if score != FAILED:
            heappush(self._promotable, (*entry, code))

    def promote(self, eta):
        """The code of the best cell that was not promoted, if it is among the best 1 / eta; else None."""
        best = len(self._ranked) // eta
        if best and self._promotable and self._promotable[0][:2] <= self._ranked[best - 1]:
            return heappop(self._promotable)[2]
        return None


class ASHA(MultiFidelitySearch):
    """ASHA: a worker that is free promotes a cell where one is among the best 1 / eta of its rung so far.

    >>> from blackbox.search.space import NB201
    >>> search = ASHA(NB201, 9)
    >>> epochs = []
    >>> for _ in range(13):
    ...     job = search.ask()
    ...     search.tell(job, score=job.code)
    ...     epochs.append(job.epochs)
    >>> epochs[:4], sorted(epochs)
    ([1, 1, 1, 3], [1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 9])

    Higher rungs are looked at first; where nothing can be promoted, a new cell joins the lowest. So no worker
    ever waits (algorithm 2; eta is that of its figure 1, the experiments take 4). A cell that failed counts
    in its rung, but is not promoted; of equal scores, the one told first is.
    """

    name = "asynchronous successive halving"

    def __init__(self, space, fidelities, config=None, trial=0, seed=0):
        super().__init__(space, fidelities, config, trial, seed)
        self._results = {epochs: _Rung() for epochs in self.rungs}
        # (cells of this rung, go on to this many epochs, having been trained for), from the top
        self._promotions = [
            (self._results[low], high, low) for low, high in zip(self.rungs, self.rungs[1:], strict=False)
        ][::-1]

    def _next(self):
        for rung, epochs, done in self._promotions:
            code = rung.promote(self.config.eta)
            if code is not None:
                return code, epochs, done, 0
        code = self.draw()
        return None if code is None else (code, self.rungs[0], 0, 0)

    def _told(self, job, score):
        self._results[job.epochs].add(job.code, score)


if __name__ == "__main__":
    from blackbox.cli import main

    sys.exit(main(ASHA))
