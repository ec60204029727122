"""Brackets of successive halving: many cells for few epochs, the best of them for more, again and again."""

from abc import abstractmethod
from collections.abc import Callable

from blackbox.search.fidelity import Job, MultiFidelitySearch, R
from blackbox.search.scores import FAILED


class Bracket:
    """Successive halving of a number of cells: at each rung, the best 1 / eta are promoted to the next.

    `draw()` returns the code of a new cell, or None if there is none left; `rungs`: epochs, ascending. A cell
    that failed counts as the worst and is not promoted; if fewer than a rung's number are left, all of them
    are promoted. Of equal scores, the cell drawn first is promoted.
    """

    def __init__(self, cells: int, rungs: tuple[int, ...], eta: int, draw: Callable[[], int | None]) -> None:
        self._cells = cells  # of the rung, had none failed
        self._left = cells  # of the rung, still to be handed out
        self._rungs = rungs
        self._eta = eta
        self._draw = draw
        self._rung = 0
        self._order: dict[int, int] = {}  # of the codes, by when they were drawn
        self._waiting: list[int] = []  # the codes of a later rung, the best last
        self._running = 0
        self._results: list[tuple[float, int, int]] = []  # of the rung: (-score, order, code)
        self.is_over = False

    def next(self) -> tuple[int, int, int] | None:
        """Return what to train, (code, epochs, epochs done); None while the rung's last cells train."""
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
        """Take the score of a cell."""
        self._running -= 1
        self._results.append((-score, self._order[code], code))
        if not (self._left or self._running):
            self._end_rung()

    def _end_rung(self) -> None:
        """Begin the next rung with the best cells of this one, all of which are done."""
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


class BracketSearch(MultiFidelitySearch[R]):
    """Brackets of successive halving, one after the other; a subclass implements `new_bracket`.

    A worker that finds nothing to do in the brackets that have begun begins the next one, as in section 4.2
    of Falkner et al. 2018, arXiv:1807.01774; with one worker, a bracket ends before the next one begins.
    """

    def setup(self) -> None:
        self._brackets: dict[int, Bracket] = {}  # begun and not over, by number, in order
        self._begun = 0

    @abstractmethod
    def new_bracket(self, number: int) -> Bracket:
        """Return the bracket of that number, from 0."""

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
    """Return the cells and rungs of the bracket of that number in Hyperband, (n, epochs).

    >>> [hyperband_bracket(number, (1, 3, 9, 27, 81), eta=3)[0] for number in range(5)]
    [81, 34, 15, 8, 5]

    The first one, s = s_max, starts the most cells at the lowest rung; the last one, s = 0, trains a few for
    the whole time; then they start over. n = ceil((s_max + 1) / (s + 1) * eta^s), as in algorithm 1 of Li et
    al. 2018, arXiv:1603.06560.
    """
    skipped = number % len(rungs)
    rungs_left = len(rungs) - skipped  # s + 1
    cells = -(-len(rungs) * eta ** (rungs_left - 1) // rungs_left)
    return cells, rungs[skipped:]
