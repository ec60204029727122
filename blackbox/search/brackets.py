"""Brackets of successive halving: many cells for a few epochs, the best of them for more, and so on."""

from abc import abstractmethod
from collections.abc import Callable

from blackbox.search.fidelity import Job, MultiFidelitySearch, R
from blackbox.search.scores import FAILED


class Bracket:
    """Successive halving of a number of cells: at each rung, the best 1 / eta are promoted to the next.

    `draw()` returns the code of a new cell, or None if there is none left; `rungs` are epochs, ascending. A
    cell that failed counts as the worst and is never promoted; if fewer cells are left than would be
    promoted, all of them are. Ties go to the cell sampled first.
    """

    def __init__(self, cells: int, rungs: tuple[int, ...], eta: int, draw: Callable[[], int | None]) -> None:
        self._cells = cells  # of the rung, if none had failed
        self._left = cells  # of the rung, not handed out yet
        self._rungs = rungs
        self._eta = eta
        self._draw = draw
        self._rung = 0
        self._order: dict[int, int] = {}  # the order in which codes were sampled
        self._waiting: list[int] = []  # codes of a later rung, the best last
        self._running = 0
        self._results: list[tuple[float, int, int]] = []  # (-score, order, code) on the rung
        self.is_over = False

    def next(self) -> tuple[int, int, int] | None:
        """Return the next training, (code, epochs, epochs done); None while the rung's last cells train."""
        if not self._left:
            return None
        if self._rung:
            code, done = self._waiting.pop(), self._rungs[self._rung - 1]
        else:
            new, done = self._draw(), 0
            if new is None:
                self._left = 0
                if not self._running:
                    self._end_rung()
                return self.next()
            code = new
            self._order[code] = len(self._order)
        self._left -= 1
        self._running += 1
        return code, self._rungs[self._rung], done

    def tell(self, code: int, score: float) -> None:
        """Add the score of a cell."""
        self._running -= 1
        self._results.append((-score, self._order[code], code))
        if not (self._left or self._running):
            self._end_rung()

    def _end_rung(self) -> None:
        """Start the next rung with the best cells of this one, all of which are done."""
        if not self._rung:
            self._cells = len(self._results)  # the number that could be sampled
        self._cells //= self._eta
        best = [code for loss, _, code in sorted(self._results)[: self._cells] if loss != -FAILED]
        self._results = []
        self._rung += 1
        if best and self._rung < len(self._rungs):
            self._waiting = best[::-1]
            self._left = len(best)
        else:
            self.is_over = True


class BracketSearch(MultiFidelitySearch[R]):
    """Brackets of successive halving, one after the other; a subclass implements `new_bracket`.

    A worker that has nothing to do in the running brackets starts the next one, as in section 4.2 of Falkner
    et al. 2018, arXiv:1807.01774; with one worker, a bracket ends before the next one starts.
    """

    def setup(self) -> None:
        self._brackets: dict[int, Bracket] = {}  # running ones by number, in order
        self._begun = 0

    @abstractmethod
    def new_bracket(self, number: int) -> Bracket:
        """Return a new bracket.

        Parameters
        ----------
        number
            Number of the bracket, from 0.

        Returns
        -------
        Bracket
            The bracket, before its first job.
        """

    def next_job(self, number: int) -> Job | None:
        for place, bracket in self._brackets.items():
            training = bracket.next()
            if training is not None:
                return Job(number, *training, place)
        place = self._begun
        bracket = self.new_bracket(place)
        training = bracket.next()
        if training is None:  # there are no new cells
            return None
        self._brackets[place] = bracket
        self._begun += 1
        return Job(number, *training, place)

    def observe(self, job: Job, score: float) -> None:
        bracket = self._brackets[job.bracket]
        bracket.tell(job.code, score)
        if bracket.is_over:
            del self._brackets[job.bracket]


def hyperband_bracket(number: int, rungs: tuple[int, ...], eta: int) -> tuple[int, tuple[int, ...]]:
    """Return the number of cells and the rungs of a bracket of Hyperband, numbered from 0.

    >>> [hyperband_bracket(number, (1, 3, 9, 27, 81), eta=3)[0] for number in range(5)]
    [81, 34, 15, 8, 5]

    The first bracket, s = s_max, starts the most cells at the lowest rung; the last one, s = 0, trains a few
    cells for all epochs; then the brackets repeat. The number of cells is
    n = ceil((s_max + 1) / (s + 1) * eta^s), as in algorithm 1 of Li et al. 2018, arXiv:1603.06560.
    """
    skipped = number % len(rungs)
    rungs_left = len(rungs) - skipped  # s + 1
    cells = -(-len(rungs) * eta ** (rungs_left - 1) // rungs_left)
    return cells, rungs[skipped:]
