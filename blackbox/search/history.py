"""What was asked and told: evaluations of T trials in lockstep, as arrays."""

import numpy as np

from blackbox.errors import ConfigError
from nasbench.runs.settings import whole

_FIRST_EVALUATIONS = 1 << 20  # of all trials together, for which there is room at first


class History:
    """Codes, scores (higher is better) and costs (seconds) of T trials, each a read-only array (T, n).

    With several objectives M, scores are (T, n, M), and there is no incumbent.

    >>> history = History(trials=1)
    >>> for code, score in [(7, 0.5), (3, 0.9), (5, 0.1)]:
    ...     history.append([code], [score])
    >>> history.incumbents().tolist(), history.best()
    ([[7, 3, 3]], (0, 1))
    """

    def __init__(self, trials, objectives=1):
        self.trials = whole("trials", trials, 1)
        self.objectives = whole("objectives", objectives, 1)
        self._length = 0
        self._best = None  # (steps seen, code, score) of the best so far; brought up to date when asked for
        shape = (min(1024, max(1, _FIRST_EVALUATIONS // trials)), trials)
        self._codes = np.empty(shape, dtype=np.intp)
        self._scores = np.empty(shape if objectives == 1 else (*shape, objectives))
        self._costs = np.empty(shape)

    def __len__(self):
        """Evaluations of each trial."""
        return self._length

    @property
    def codes(self):
        return _read_only(self._codes[: self._length].T)

    @property
    def scores(self):
        return _read_only(self._scores[: self._length].swapaxes(0, 1))

    @property
    def costs(self):
        return _read_only(self._costs[: self._length].T)

    def last(self, n):
        """The codes and the scores of the last n steps, (n, T), oldest first; not to be written to."""
        steps = slice(self._length - n, self._length)
        return self._codes[steps], self._scores[steps]

    def append(self, codes, scores, costs=0.0):
        """Add one evaluation to each trial. An interrupt on the way leaves it out altogether."""
        row = self._length
        if row == len(self._codes):
            self._codes, self._scores, self._costs = (
                np.concatenate([array, np.empty_like(array)])
                for array in (self._codes, self._scores, self._costs)
            )
        self._codes[row] = codes
        self._scores[row] = scores
        self._costs[row] = costs
        self._length = row + 1

    def extend(self, codes, scores, costs):
        """Add n evaluations to each trial; arrays (T, n), with several objectives scores (T, n, M)."""
        for row in zip(codes.T, scores.swapaxes(0, 1), costs.T, strict=True):
            self.append(*row)

    def spent(self):
        """The seconds that each trial has spent, float64 (T,), added up in the order of evaluations."""
        return self.costs.cumsum(axis=1)[:, -1] if self._length else np.zeros(self.trials)

    def incumbent(self):
        """The code with the best score so far, (T,); the earliest of equals. Looks at what is new only."""
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

    def counted(self, budget=None):
        """How many evaluations of each trial ended within a budget of seconds, int64 (T,); None: all."""
        if budget is None:
            return np.full(self.trials, self._length)
        return (self.costs.cumsum(axis=1) <= budget).sum(axis=1)

    def incumbent_steps(self, budget=None):
        """The step of the best score so far, int64 (T, n); the earliest of equals.

        With a budget, a trial's incumbent stays what it was when the budget ran out; -1 where not even the
        first evaluation ended within it.
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

    def incumbents(self, budget=None):
        """The code with the best score so far, (T, n); -1 where a trial has none within the budget."""
        steps = self.incumbent_steps(budget)
        codes = np.take_along_axis(self.codes, np.maximum(steps, 0), axis=1)
        return np.where(steps < 0, -1, codes)

    def best(self, budget=None):
        """The trial and the step of the best score of all; the earliest of equals, then the lowest trial."""
        trials = np.flatnonzero(self.counted(budget))
        if not trials.size:
            raise ConfigError("no trial has an evaluation, or none within the budget")
        steps = self.incumbent_steps(budget)[trials, -1]
        first = np.lexsort((trials, steps, -self.scores[trials, steps]))[0]
        return int(trials[first]), int(steps[first])

    def _check_one_objective(self):
        if self.objectives != 1:
            raise ConfigError(f"with {self.objectives} objectives there is no incumbent, but a Pareto front")


def _read_only(view):
    view.flags.writeable = False
    return view
