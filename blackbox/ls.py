"""Local search with restarts (`python -m blackbox.ls`): White et al. 2020, arXiv:2005.02960."""

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blackbox.search.base import Search
from blackbox.search.pending import PendingEvaluations
from blackbox.search.scores import FAILED
from nasbench.arrays import Codes, Mask, Scores
from nasbench.runs.settings import Settings, option


@dataclass(frozen=True)
class LocalSearchConfig(Settings):
    """Settings of local search: algorithm 1 of White et al. 2020, arXiv:2005.02960, or its eager variant."""

    #: Whether to move as soon as a neighbour is better, instead of after all neighbours were evaluated.
    first: bool = option(
        False, "move as soon as a neighbour is better, instead of after all neighbours were evaluated"
    )


class LocalSearch(Search[LocalSearchConfig]):
    """Local search: evaluates all neighbours of a cell in a random order, then moves to the best one.

    >>> from blackbox import NB201_SPACE, run
    >>> search = LocalSearch(NB201_SPACE, trials=2)
    >>> history = run(search, lambda codes: -abs(codes - 9000), evals=200)
    >>> history.codes.shape
    (2, 200)

    A cell that was evaluated before is not evaluated again. If no neighbour is better, the paper's algorithm
    ends; this one restarts from a random cell that was not evaluated yet, as long as there are evaluations
    left. It also restarts if it returns to a cell that it has left before. Once the whole space has been
    evaluated, it restarts from any cell. If several workers evaluate one trial, those without a neighbour
    left to evaluate get random cells. A warm start gives the first cells to start from, best first.

    Parameters
    ----------
    space, config, trials, seed, history, first
        As for `blackbox.search.Search`; `config` is a `LocalSearchConfig`.

    References
    ----------
    White et al. 2020, arXiv:2005.02960, algorithm 1.
    """

    name = "local search"
    config_class = LocalSearchConfig
    warm_starts = True

    def setup(self) -> None:
        count, space = len(self.trials), self.space
        self._starts = self.draws(0, lambda rng, steps: rng.integers(space.size, size=steps))
        self._places = self.draws(1, lambda rng, steps: rng.random(steps))
        self._rows = np.arange(count)
        self._pools = self._rows * space.edits  # start of each trial's pool
        self._seen = 0  # steps of the history that are in the state below
        self._when = np.zeros(count * space.size, dtype=np.int32)  # last step of each cell, from 1; 0 if none
        self._climbed = np.zeros(count * space.size, dtype=bool)  # cells that were a centre
        self._centre_score = np.empty(count)
        self._best = np.zeros(count, dtype=np.intp)  # evaluated neighbour of the centre
        self._best_score = np.empty(count)
        self._pool = np.empty(count * space.edits, dtype=np.intp)  # neighbours to evaluate, (T, edits)
        self._left = np.empty(count, dtype=np.intp)  # number of these
        self._pending = PendingEvaluations(self.history)
        self._begun = np.zeros(count, dtype=np.intp)  # number of starts of each trial so far
        self._begin(self._rows, 0)

    def ask(self, pending: int = 0) -> Codes:
        return self._pending.answer(pending, self._next)

    def expect(self, codes: Codes) -> None:
        self._pending.expect(codes)

    def _next(self, step: int, pending: Sequence[Codes]) -> Codes:
        self._read_history()
        if not pending:
            return self._pool.take(self._next_places(step))
        return np.array(
            [
                self._next_code(row, step, [int(codes[row]) for codes in pending])
                for row in self._rows.tolist()
            ]
        )

    def _next_code(self, row: int, step: int, pending: Collection[int]) -> int:
        """Return a trial's next cell while others are pending: one from its pool, else a random one."""
        begin = self._pools[row]
        free = np.setdiff1d(self._pool[begin : begin + self._left[row]], list(pending))
        if free.size:
            return int(free[int(self._places.at(step)[row] * free.size)])
        start = int(self._starts.at(step)[row])
        known = start in pending or self._when[row * self.space.size + start]
        return self._another(row, step, pending) if known else start

    def _next_places(self, step: int) -> NDArray[np.intp]:
        """Return the index of each trial's next cell in the pools, (T,)."""
        return self._pools + (self._places.at(step) * self._left).astype(np.intp)

    def _read_history(self) -> None:
        """Update the state with the steps that were told since the last call."""
        while self._seen < len(self.history):
            codes, scores = self.history.last(len(self.history) - self._seen)
            self._take(codes[0], scores[0])

    def _take(self, codes: Codes, scores: Scores) -> None:
        """Update the state with the scores (T,) of codes (T,)."""
        places = self._next_places(self._seen)
        asked = self._pool.take(places) == codes
        self._seen += 1
        self._when[self._cells(self._rows, codes)] = self._seen
        last = self._pools + self._left - 1
        if not asked.all():  # several workers, or a history from elsewhere
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

    def _cells(self, rows: NDArray[np.intp], codes: Codes) -> NDArray[np.intp]:
        """Return the indices of cells in the arrays with one item per trial and cell."""
        return rows * self.space.size + codes

    def _find(self, codes: Codes, places: NDArray[np.intp], last: NDArray[np.intp]) -> Mask:
        """Return whether codes are in the pools; set `places` to their indices, or to `last` if not."""
        pools = self._pool.reshape(-1, self.space.edits)
        same = (pools == codes[:, None]) & (np.arange(self.space.edits) < self._left[:, None])
        asked: Mask = same.any(axis=1)
        places[:] = np.where(asked, self._pools + same.argmax(axis=1), last)
        return asked

    def _is_over(self, rows: slice | NDArray[np.intp]) -> Mask:
        """Return whether trials have evaluated enough neighbours of their centre."""
        over: Mask = self._left[rows] == 0
        if self.config.first:
            over |= self._best_score[rows] > self._centre_score[rows]
        return over

    def _move(self, rows: NDArray[np.intp]) -> None:
        """Move the centre to the best neighbour and fill the pool with its new neighbours."""
        edits, space = self.space.edits, self.space
        self._centre_score[rows] = self._best_score.take(rows)
        self._climbed[self._cells(rows, self._best.take(rows))] = True
        near = space.neighbours.take(self._best.take(rows), axis=0)  # (rows, edits)
        when = self._when.take(self._cells(rows[:, None], near)).astype(np.intp)
        new = when == 0
        left = np.count_nonzero(new, axis=1)
        self._left[rows] = left
        # Evaluated cells get a code beyond the space, so sorting moves the new ones to the front.
        self._pool.reshape(-1, edits)[rows] = np.sort(np.where(new, near, space.size), axis=1)
        _, scores = self.history.last(len(self.history))
        known = scores.take((when - 1) * len(self._rows) + rows[:, None], mode="clip")
        known[new] = FAILED
        best = known.argmax(axis=1) + np.arange(len(rows)) * edits
        self._best[rows] = near.take(best)
        self._best_score[rows] = known.take(best)

    def _begin(self, rows: NDArray[np.intp], step: int) -> None:
        """Restart at `step`: put a random cell, or the next warm-start cell, alone into the pool."""
        starts = self._starts.at(step).take(rows)
        if len(self.first):
            warm = self._begun[rows] < len(self.first)
            starts[warm] = self.first[self._begun[rows[warm]]]
            self._begun[rows] += 1
        for n in np.flatnonzero(self._when.take(self._cells(rows, starts))):
            starts[n] = self._another(int(rows[n]), step)
        self._centre_score[rows] = self._best_score[rows] = FAILED
        self._pool[rows * self.space.edits] = starts
        self._left[rows] = 1

    def _another(self, row: int, step: int, pending: Collection[int] = ()) -> int:
        """Return a random cell in place of a trial's start at a step, a new one if possible."""
        is_new = self._when.reshape(-1, self.space.size)[row] == 0
        is_new[list(pending)] = False
        new = np.flatnonzero(is_new)
        # The random number of the pool is free: no pool uses it, or only one with a single cell.
        if new.size:
            return int(new[int(self._places.at(step)[row] * new.size)])
        return int(self._starts.at(step)[row])


if __name__ == "__main__":
    from blackbox.cli import main

    sys.exit(main(LocalSearch))
