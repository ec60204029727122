"""Local search with restarts (`python -m blackbox.ls`): White et al. 2020, arXiv:2005.02960."""

import sys
from dataclasses import dataclass

import numpy as np

from blackbox.errors import ConfigError
from blackbox.search.base import FAILED, Outstanding, Search
from nasbench.runs.settings import option


@dataclass(frozen=True)
class LocalSearchConfig:
    """White et al. 2020, arXiv:2005.02960: algorithm 1, or its variant that goes up at once."""

    first: bool = option(
        False, "move as soon as a neighbour is better, not only after all of them were evaluated"
    )

    def __post_init__(self):
        if not isinstance(self.first, bool):
            raise ConfigError(f"first is true or false, got {self.first!r}")


class LocalSearch(Search):
    """Local search: all neighbours of a cell are evaluated, in a random order; the best one is next.

    >>> from blackbox.search import run
    >>> from blackbox.search.space import NB201
    >>> history = run(LocalSearch(NB201, trials=2), lambda codes: -abs(codes - 9000), evals=200)
    >>> history.codes.shape
    (2, 200)

    A cell that was evaluated before costs nothing: its score is known. Where no neighbour is better, the
    paper's algorithm ends; here it begins anew from a random cell that was not evaluated yet, for as long as
    there are evaluations left, and so it does where it comes upon a cell that it went on from before. Once
    the whole space was evaluated, it begins anew from any cell. Workers for which no neighbour is left, until
    the others are done, evaluate random cells.
    """

    name = "local search"
    config_class = LocalSearchConfig

    def __init__(self, space, config=None, trials=1, seed=0, history=None):
        super().__init__(space, config, trials, seed, history)
        count = len(self.trials)
        self._starts = self.draws(0, lambda rng, steps: rng.integers(space.size, size=steps))
        self._places = self.draws(1, lambda rng, steps: rng.random(steps))
        self._rows = np.arange(count)
        self._pools = self._rows * space.edits  # where each trial's pool begins
        self._seen = 0  # steps of the history that the state below follows from
        self._when = np.zeros(count * space.size, dtype=np.int32)  # each cell's last step, from 1; 0: none
        self._climbed = np.zeros(count * space.size, dtype=bool)  # cells that were the centre
        self._centre_score = np.empty(count)
        self._best = np.zeros(count, dtype=np.intp)  # of the centre's neighbours that were evaluated
        self._best_score = np.empty(count)
        self._pool = np.empty(count * space.edits, dtype=np.intp)  # its neighbours to evaluate, (T, edits)
        self._left = np.empty(count, dtype=np.intp)  # how many they are
        self._outstanding = Outstanding(self.history)
        self._begin(self._rows, 0)

    def ask(self, pending=0):
        return self._outstanding.answer(pending, self._next)

    def _next(self, step, out):
        self._look_at_history()
        if not out:
            return self._pool.take(self._drawn(step))
        return np.array([self._next_beside(row, step, [codes[row] for codes in out]) for row in self._rows])

    def _next_beside(self, row, step, out):
        """The next cell of one trial while others are out: one of the pool, else a random one."""
        begin = self._pools[row]
        free = np.setdiff1d(self._pool[begin : begin + self._left[row]], out)
        if free.size:
            return free[int(self._places.at(step)[row] * free.size)]
        start = self._starts.at(step)[row]
        known = start in out or self._when[self._cells(row, start)]
        return self._another(row, step, out) if known else start

    def _drawn(self, step):
        """The place of each trial's next cell in the pools."""
        return self._pools + (self._places.at(step) * self._left).astype(np.intp)

    def _look_at_history(self):
        """Bring the state up to date with the steps that were told since."""
        while self._seen < len(self.history):
            codes, scores = self.history.last(len(self.history) - self._seen)
            self._take(codes[0], scores[0])

    def _take(self, codes, scores):
        places = self._drawn(self._seen)
        asked = self._pool.take(places) == codes
        self._seen += 1
        self._when[self._cells(self._rows, codes)] = self._seen
        last = self._pools + self._left - 1
        if not asked.all():  # several workers, or a history of another origin
            asked = self._find(codes, places, last)
            scores = np.where(asked, scores, FAILED)
        better = scores > self._best_score
        np.copyto(self._best, codes, where=better)
        np.copyto(self._best_score, scores, where=better)
        self._pool[places] = self._pool.take(last)
        self._left -= asked
        rows = np.flatnonzero(self._is_over(slice(None)))
        while rows.size:
            up = self._best_score.take(rows) > self._centre_score.take(rows)
            up &= ~self._climbed.take(self._cells(rows, self._best.take(rows)))
            if not up.all():
                self._begin(rows[~up], self._seen)
                rows = rows[up]
            self._move(rows)
            rows = rows[self._is_over(rows)]

    def _cells(self, rows, codes):
        """The place of cells of trials in the arrays that have one for each."""
        return rows * self.space.size + codes

    def _find(self, codes, places, last):
        """Whether codes are in the pools, after setting `places` to where; to `last` for one that is not."""
        pools = self._pool.reshape(-1, self.space.edits)
        found = (pools == codes[:, None]) & (np.arange(self.space.edits) < self._left[:, None])
        asked = found.any(axis=1)
        places[:] = np.where(asked, self._pools + found.argmax(axis=1), last)
        return asked

    def _is_over(self, rows):
        """Whether trials have seen enough of their centre's neighbours."""
        over = self._left[rows] == 0
        if self.config.first:
            over |= self._best_score[rows] > self._centre_score[rows]
        return over

    def _move(self, rows):
        """Make the best neighbour the centre; its neighbours that were not evaluated are the pool."""
        edits, space = self.space.edits, self.space
        self._centre_score[rows] = self._best_score.take(rows)
        self._climbed[self._cells(rows, self._best.take(rows))] = True
        near = space.neighbours.take(self._best.take(rows), axis=0)  # (rows, edits)
        when = self._when.take(self._cells(rows[:, None], near)).astype(np.intp)
        new = when == 0
        left = np.count_nonzero(new, axis=1)
        self._left[rows] = left
        # A code beyond the space for what was evaluated: sorting brings the others to the front.
        self._pool.reshape(-1, edits)[rows] = np.sort(np.where(new, near, space.size), axis=1)
        _, scores = self.history.last(len(self.history))
        known = scores.take((when - 1) * len(self._rows) + rows[:, None], mode="clip")
        known[new] = FAILED
        best = known.argmax(axis=1) + np.arange(len(rows)) * edits
        self._best[rows] = near.take(best)
        self._best_score[rows] = known.take(best)

    def _begin(self, rows, step):
        """Make a new random cell the only one in the pool, to be evaluated at a step."""
        starts = self._starts.at(step).take(rows)
        for n in np.flatnonzero(self._when.take(self._cells(rows, starts))):
            starts[n] = self._another(rows[n], step)
        self._centre_score[rows] = self._best_score[rows] = FAILED
        self._pool[rows * self.space.edits] = starts
        self._left[rows] = 1

    def _another(self, row, step, out=()):
        """A random cell in place of a trial's start at a step: neither evaluated nor out, if there is one."""
        new = self._when.reshape(-1, self.space.size)[row] == 0
        new[list(out)] = False
        new = np.flatnonzero(new)
        # The draw of a place is free: it is of no pool, or of one with one cell.
        return new[int(self._places.at(step)[row] * new.size)] if new.size else self._starts.at(step)[row]


if __name__ == "__main__":
    from blackbox.cli import main

    sys.exit(main(LocalSearch))
