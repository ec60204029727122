"""The evaluations of T trials in lockstep, as arrays."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from blackbox.errors import ConfigError
from nasbench.arrays import Codes, Scalar, Scores, Seconds
from nasbench.runs.checks import whole

_FIRST_EVALUATIONS = 1 << 20  # of all trials together, for which there is room at first


class History:
    """Codes, scores (higher is better) and costs (seconds) of T trials, each a read-only array (T, n).

    With several objectives M, scores are (T, n, M), and there is no incumbent.

    >>> history = History(trials=1)
    >>> for code, score in [(7, 0.5), (3, 0.9), (5, 0.1)]:
    ...     history.append([code], [score])
    >>> history.incumbents().tolist(), history.best()
    ([[7, 3, 3]], (0, 1))

    Parameters
    ----------
    trials
        How many trials.
    objectives
        Scores per evaluation.
    """

    def __init__(self, trials: int, objectives: int = 1) -> None:
        self.trials = whole("trials", trials, 1)
        self.objectives = whole("objectives", objectives, 1)
        self._length = 0
        self._best: tuple[int, Codes, Scores] | None = None  # incumbents after so many steps
        shape: tuple[int, ...] = (min(1024, max(1, _FIRST_EVALUATIONS // trials)), trials)
        self._codes: Codes = np.empty(shape, dtype=np.intp)
        self._scores: Scores = np.empty(shape if objectives == 1 else (*shape, objectives))
        self._costs: Seconds = np.empty(shape)

    def __len__(self) -> int:
        """Return the number of evaluations of each trial."""
        return self._length

    @property
    def codes(self) -> Codes:
        """Codes, (T, n)."""
        return _read_only(self._codes[: self._length].T)

    @property
    def scores(self) -> Scores:
        """Scores, (T, n) or (T, n, M)."""
        return _read_only(self._scores[: self._length].swapaxes(0, 1))

    @property
    def costs(self) -> Seconds:
        """Seconds, (T, n)."""
        return _read_only(self._costs[: self._length].T)

    def last(self, n: int) -> tuple[Codes, Scores]:
        """Return the codes and the scores of the last n steps, (n, T), oldest first; not to be written to."""
        steps = slice(self._length - n, self._length)
        return self._codes[steps], self._scores[steps]

    def append(self, codes: ArrayLike, scores: ArrayLike, costs: ArrayLike = 0.0) -> None:
        """Add one evaluation to each trial. An interrupt during the call leaves it out altogether."""
        row = self._length
        if row == len(self._codes):
            self._codes, self._scores = _doubled(self._codes), _doubled(self._scores)
            self._costs = _doubled(self._costs)
        self._codes[row] = codes
        self._scores[row] = scores
        self._costs[row] = costs
        self._length = row + 1

    def extend(self, codes: Codes, scores: Scores, costs: Seconds) -> None:
        """Add n evaluations to each trial; arrays (T, n), with several objectives scores (T, n, M)."""
        for row in zip(codes.T, scores.swapaxes(0, 1), costs.T, strict=True):
            self.append(*row)

    def spent(self) -> Seconds:
        """Return the seconds that each trial has spent, (T,), added up in the order of evaluations."""
        return np.asarray(self.costs.cumsum(axis=1)[:, -1] if self._length else np.zeros(self.trials))

    def incumbent(self) -> Codes:
        """Return the code with the best score so far, (T,); the earliest of equals.

        A call looks only at the evaluations since the last one.
        """
        self._check_one_objective()
        if not self._length:
            raise ConfigError("there is no evaluation yet")
        seen, codes, scores = self._best or (1, self._codes[0].copy(), self._scores[0].copy())
        if seen < self._length:
            rows, trials = seen + self._scores[seen : self._length].argmax(axis=0), np.arange(self.trials)
            better = self._scores[rows, trials] > scores
            codes = np.where(better, self._codes[rows, trials], codes)
            scores = np.where(better, self._scores[rows, trials], scores)
        self._best = (self._length, codes, scores)
        return codes.copy()

    def counted(self, budget: float | None = None) -> Codes:
        """Return how many evaluations of each trial ended within a budget of seconds, integers (T,).

        None: all of them.
        """
        if budget is None:
            return np.full(self.trials, self._length)
        return np.asarray((self.costs.cumsum(axis=1) <= budget).sum(axis=1))

    def incumbent_steps(self, budget: float | None = None) -> Codes:
        """Return the step of the best score so far, integers (T, n); the earliest of equals.

        With a budget, a trial's incumbent stays the same after the budget ran out; -1 if not even the first
        evaluation ended within it.
        """
        self._check_one_objective()
        scores = self.scores
        best = np.maximum.accumulate(scores, axis=1)
        improved = np.ones(scores.shape, dtype=bool)
        improved[:, 1:] = best[:, 1:] > best[:, :-1]
        steps = np.maximum.accumulate(np.where(improved, np.arange(self._length), 0), axis=1)
        if budget is None:
            return steps
        counted = self.counted(budget)[:, None]
        last = np.minimum(np.arange(self._length), np.maximum(counted - 1, 0))
        return np.where(counted, np.take_along_axis(steps, last, axis=1), -1)

    def incumbents(self, budget: float | None = None) -> Codes:
        """Return the code with the best score so far, (T, n); -1 if a trial has none within the budget."""
        steps = self.incumbent_steps(budget)
        codes = np.take_along_axis(self.codes, np.maximum(steps, 0), axis=1)
        return np.where(steps < 0, -1, codes)

    def best(self, budget: float | None = None) -> tuple[int, int]:
        """Return the trial (its row) and the step of the best score of all.

        Of equal scores, the earliest is returned, then that of the first trial.
        """
        self._check_one_objective()
        counted = self.counted(budget)
        trials = np.flatnonzero(counted)
        if not trials.size:
            raise ConfigError("no trial has an evaluation, or none within the budget")
        scores = self._scores[: counted.max(), trials]
        scores[np.arange(len(scores))[:, None] >= counted[trials]] = -np.inf  # a copy
        step, row = divmod(int(scores.argmax()), len(trials))
        return int(trials[row]), step

    def _check_one_objective(self) -> None:
        if self.objectives != 1:
            raise ConfigError(f"with {self.objectives} objectives there is no incumbent, but a Pareto front")


def _doubled(array: NDArray[Scalar]) -> NDArray[Scalar]:
    """Return an array with room for twice as many rows."""
    return np.concatenate([array, np.empty_like(array)])


def _read_only(view: NDArray[Scalar]) -> NDArray[Scalar]:
    view.flags.writeable = False
    return view
