"""Successive halving (`python -m blackbox.sh`): Jamieson & Talwalkar 2016, arXiv:1502.07943."""

import sys
from abc import abstractmethod
from dataclasses import dataclass

from blackbox.search.base import FAILED
from blackbox.search.fidelity import MultiFidelitySearch, RungsConfig
from nasbench.runs.settings import option, whole


class Bracket:
    """Successive halving of a number of cells: at each rung, the best 1 / eta go on to the next.

    `draw()`: the code of a new cell, or None when there are none left; `rungs`: epochs, ascending. A cell
    that failed counts as the worst and is not promoted, and where fewer are left than a rung is for, all are;
    of equal scores, the cell drawn first is.
    """

    def __init__(self, cells, rungs, eta, draw):
        self._cells = cells  # of the rung, had none failed
        self._left = cells  # of the rung, that are to be handed out
        self._rungs = rungs
        self._eta = eta
        self._draw = draw
        self._rung = 0
        self._order = {}  # of the codes, by when they were drawn
        self._waiting = []  # the codes of a later rung, the best last
        self._out = 0
        self._results = []  # of the rung: (-score, order, code)
        self.is_over = False

    def next(self):
        """What to train, (code, epochs, epochs done); None while the rung's last cells are being trained."""
        if not self._left:
            return None
        if self._rung:
            code, done = self._waiting.pop(), self._rungs[self._rung - 1]
        else:
            code, done = self._draw(), 0
            if code is None:
                self._left = 0
                self._end_of_rung()
                return self.next()
            self._order[code] = len(self._order)
        self._left -= 1
        self._out += 1
        return code, self._rungs[self._rung], done

    def tell(self, code, score):
        self._out -= 1
        self._results.append((-score, self._order[code], code))
        self._end_of_rung()

    def _end_of_rung(self):
        if self._left or self._out:
            return
        if not self._rung:
            self._cells = len(self._results)  # that were drawn
        self._cells //= self._eta
        best = [code for loss, _, code in sorted(self._results)[: self._cells] if loss != -FAILED]
        self._results = []
        self._rung += 1
        if best and self._rung < len(self._rungs):
            self._waiting = best[::-1]
            self._left = len(best)
        else:
            self.is_over = True


class BracketSearch(MultiFidelitySearch):
    """Brackets of successive halving, one after the other. A subclass says in `_bracket` what they are.

    A worker that finds nothing to do in the brackets that have begun begins the next one, as in section 4.2
    of Falkner et al. 2018, arXiv:1807.01774; with one worker, a bracket ends before the next one begins.
    """

    def __init__(self, space, fidelities, config=None, trial=0, seed=0):
        super().__init__(space, fidelities, config, trial, seed)
        self._brackets = {}  # those that have begun and are not over, by number, in order
        self._begun = 0

    @abstractmethod
    def _bracket(self, number):
        """The Bracket of that number, from 0."""

    def _next(self):
        for number, bracket in self._brackets.items():
            asked = bracket.next()
            if asked is not None:
                return *asked, number
        number = self._begun
        bracket = self._bracket(number)
        asked = bracket.next()
        if asked is None:  # there are no new cells
            return None
        self._brackets[number] = bracket
        self._begun += 1
        return *asked, number

    def _told(self, job, score):
        bracket = self._brackets[job.bracket]
        bracket.tell(job.code, score)
        if bracket.is_over:
            del self._brackets[job.bracket]


@dataclass(frozen=True)
class HalvingConfig(RungsConfig):
    """eta as in Hyperband (Li et al. 2018, arXiv:1603.06560, which suggests 3 or 4)."""

    cells: int | None = option(
        None, "cells of a bracket (default: as many as leave one at the last rung)", type=int
    )

    def __post_init__(self):
        super().__post_init__()
        if self.cells is not None:
            whole("cells", self.cells, self.eta)


class SuccessiveHalving(BracketSearch):
    """Successive halving: many cells for a few epochs, the best of them for more, again and again.

    >>> from blackbox.search.space import NB201
    >>> search = SuccessiveHalving(NB201, 9)
    >>> epochs = []
    >>> for _ in range(13):
    ...     job = search.ask()
    ...     search.tell(job, score=job.code)
    ...     epochs.append(job.epochs)
    >>> epochs
    [1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 9]

    Rung k has floor(cells / eta^k) cells, and costs about the same as any other: the inner loop of Hyperband
    (Li et al. 2018, algorithm 1). Jamieson & Talwalkar have eta = 2, and give every rung an equal part of a
    total budget until one cell is left. With fewer `cells` than the default, a bracket ends below the last
    rung. When it has ended, the next one begins, with new cells.
    """

    name = "successive halving"
    config_class = HalvingConfig

    def _bracket(self, number):
        eta = self.config.eta
        cells = self.config.cells or eta ** (len(self.rungs) - 1)
        return Bracket(cells, self.rungs, eta, self.draw)


if __name__ == "__main__":
    from blackbox.cli import main

    sys.exit(main(SuccessiveHalving))
