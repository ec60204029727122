"""The evaluations of T trials in lockstep, as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from blackbox.errors import ConfigError
from blackbox.search.scores import FAILED
from nasbench.arrays import Codes, Scalar, Scores, Seconds
from nasbench.runs.checks import whole
from nasbench.runs.text import counted, duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FIRST_EVALUATIONS = 1 << 20  # initial capacity, in evaluations of all trials together


class History:
    """The evaluations of T trials: codes, scores (higher is better) and costs (seconds), arrays (T, n).

    With M > 1 objectives, scores have shape (T, n, M) and there is no incumbent.

    >>> history = History(trials=1)
    >>> for code, score in [(7, 0.5), (3, 0.9), (5, 0.1)]:
    ...     history.append([code], [score])
    >>> history.incumbents().tolist(), history.best()
    ([[7, 3, 3]], (0, 1))

    Parameters
    ----------
    trials
        Number of trials T.
    objectives
        Number of scores per evaluation M.
    """

    def __init__(self, trials: int, objectives: int = 1) -> None:
        self.trials = whole("trials", trials, 1)
        self.objectives = whole("objectives", objectives, 1)
        self._length = 0
        self._best: tuple[int, Codes, Scores] | None = None  # steps, codes and scores of incumbents
        shape: tuple[int, ...] = (min(1024, max(1, _FIRST_EVALUATIONS // trials)), trials)
        self._codes: Codes = np.empty(shape, dtype=np.intp)
        self._scores: Scores = np.empty(shape if objectives == 1 else (*shape, objectives))
        self._costs: Seconds = np.empty(shape)

    def __len__(self) -> int:
        """Return the number of evaluations of each trial."""
        return self._length

    @property
    def codes(self) -> Codes:
        """The evaluated codes, shape (T, n), read-only."""
        return _read_only(self._codes[: self._length].T)

    @property
    def scores(self) -> Scores:
        """The scores, shape (T, n) or (T, n, M), read-only; higher is better."""
        return _read_only(self._scores[: self._length].swapaxes(0, 1))

    @property
    def costs(self) -> Seconds:
        """The durations of the evaluations in seconds, shape (T, n), read-only."""
        return _read_only(self._costs[: self._length].T)

    def last(self, n: int) -> tuple[Codes, Scores]:
        """Return the codes and scores of the last steps, oldest first.

        Parameters
        ----------
        n
            Number of steps.

        Returns
        -------
        tuple[Codes, Scores]
            Codes of shape ``(n, T)`` and scores of shape ``(n, T)`` or ``(n, T, M)``. They are views; do not
            write to them.
        """
        steps = slice(self._length - n, self._length)
        return self._codes[steps], self._scores[steps]

    def append(self, codes: ArrayLike, scores: ArrayLike, costs: ArrayLike = 0.0) -> None:
        """Add one evaluation per trial; a call that is interrupted adds nothing.

        Parameters
        ----------
        codes
            Integers, shape ``(T,)``.
        scores
            Shape ``(T,)`` or ``(T, M)``.
        costs
            Seconds, shape ``(T,)``.
        """
        row = self._length
        if row == len(self._codes):
            self._codes, self._scores = _doubled(self._codes), _doubled(self._scores)
            self._costs = _doubled(self._costs)
        self._codes[row] = codes
        self._scores[row] = scores
        self._costs[row] = costs
        self._length = row + 1

    def extend(self, codes: Codes, scores: Scores, costs: Seconds) -> None:
        """Add n evaluations per trial.

        Parameters
        ----------
        codes
            Integers, shape ``(T, n)``.
        scores
            Shape ``(T, n)`` or ``(T, n, M)``.
        costs
            Seconds, shape ``(T, n)``.
        """
        for row in zip(codes.T, scores.swapaxes(0, 1), costs.T, strict=True):
            self.append(*row)

    def spent(self) -> Seconds:
        """Return the seconds that each trial has spent.

        Returns
        -------
        Seconds
            Shape ``(T,)``; costs are summed in the order of evaluations.
        """
        return np.asarray(self.costs.cumsum(axis=1)[:, -1] if self._length else np.zeros(self.trials))

    def incumbent(self) -> Codes:
        """Return the code with the best score of each trial so far.

        A call only reads the evaluations that were added since the previous call.

        Returns
        -------
        Codes
            Shape ``(T,)``; ties go to the earliest evaluation.

        Raises
        ------
        ConfigError
            If there are no evaluations, or several objectives.
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
        """Return how many evaluations of each trial ended within a budget.

        Parameters
        ----------
        budget
            Seconds per trial; None for no limit.

        Returns
        -------
        Codes
            Integers, shape ``(T,)``.
        """
        if budget is None:
            return np.full(self.trials, self._length)
        return np.asarray((self.costs.cumsum(axis=1) <= budget).sum(axis=1))

    def incumbent_steps(self, budget: float | None = None) -> Codes:
        """Return the step of the best score so far, after each step.

        Parameters
        ----------
        budget
            Seconds per trial, after which a trial's incumbent no longer changes; None for no limit.

        Returns
        -------
        Codes
            Integers, shape ``(T, n)``; ties go to the earliest step, and -1 marks a trial whose first
            evaluation exceeds the budget.

        Raises
        ------
        ConfigError
            If there are several objectives.
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
        """Return the code with the best score so far, after each step.

        Parameters
        ----------
        budget
            Seconds per trial, after which a trial's incumbent no longer changes; None for no limit.

        Returns
        -------
        Codes
            Shape ``(T, n)``; -1 marks a trial without an evaluation within the budget.

        Raises
        ------
        ConfigError
            If there are several objectives.
        """
        steps = self.incumbent_steps(budget)
        codes = np.take_along_axis(self.codes, np.maximum(steps, 0), axis=1)
        return np.where(steps < 0, -1, codes)

    def best(self, budget: float | None = None) -> tuple[int, int]:
        """Return the row of the trial and the step with the best score of all trials.

        Parameters
        ----------
        budget
            Seconds per trial; later evaluations do not count. None for no limit.

        Returns
        -------
        tuple[int, int]
            Row and step; ties go to the earliest step, then to the first trial.

        Raises
        ------
        ConfigError
            If no trial has an evaluation within the budget, or if there are several objectives.
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

    def plot(self, ax: Axes | None = None) -> Axes:
        """Plot the score of the incumbents over evaluations; with two objectives, plot all scores.

        Parameters
        ----------
        ax
            Axes to draw on; None for the axes of a new figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes, with the median over trials and percentiles; with two objectives, with a point per
            evaluation.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        ConfigError
            If there are no evaluations, or more than two objectives.
        """
        from blackbox.search.shown import HIGHER, plot_scores
        from nasbench.axes import given_or_new

        if not self._length or self.objectives > 2:
            raise ConfigError(
                f"a plot needs evaluations with one or two objectives, got"
                f" {counted(self._length, 'evaluation')} with {self.objectives}"
            )
        axes = given_or_new(ax)
        if self.objectives == 1:
            best = np.maximum.accumulate(self.scores, axis=1)
            best[best == FAILED] = np.nan
            return plot_scores(axes, np.arange(1, self._length + 1), best, "evaluations")
        first, second = self.scores.reshape(-1, 2).T
        axes.scatter(second, first, s=4, linewidth=0, alpha=0.5, rasterized=True)
        axes.set(xlabel=f"second score {HIGHER}", ylabel=f"first score {HIGHER}")
        axes.grid(alpha=0.3, linewidth=0.5)
        return axes

    def _repr_html_(self) -> str:
        from blackbox.search.shown import checkpoints
        from nasbench.display import block, labelled, paragraphs, table

        each = f"{counted(self.trials, 'trial')} of {counted(self._length, 'evaluation')}"
        if not self._length:
            return block(paragraphs(f"{type(self).__name__}: {each}"))
        scores = self.scores.reshape(self.trials, self._length, self.objectives)
        rows: list[tuple[str, object]] = []
        if self.objectives == 1:
            trial, step = self.best()
            where = f"code {self.codes[trial, step]}, evaluation {step + 1:,} of trial {trial} (from 0)"
            rows.append(("best score", f"{scores[trial, step, 0]:.7g}: {where}"))
        if failed := int((scores == FAILED).any(axis=-1).sum()):
            rows.append(("failed", counted(failed, "evaluation")))
        if self.costs.any():
            rows.append(("cost", f"{duration(float(self.spent().mean()))} per trial"))
        after = checkpoints(self._length)
        best = np.maximum.accumulate(scores, axis=1)[:, np.array(after) - 1]  # (T, checkpoints, M)
        spread = np.stack([best.min(axis=0), np.median(best, axis=0), best.max(axis=0)], axis=-1)
        course = [
            (n, *([] if self.objectives == 1 else [k]), *values)
            for n, objectives in zip(after, spread.tolist(), strict=True)
            for k, values in enumerate(objectives, start=1)
        ]
        number = [] if self.objectives == 1 else ["objective"]
        header = ("evaluations", *number, "lowest", "median", "highest")
        caption = "Best score so far over the trials (higher is better)"
        return block(
            paragraphs(f"{type(self).__name__}: {each}"), labelled(rows), table(header, course, caption)
        )

    def _check_one_objective(self) -> None:
        if self.objectives != 1:
            raise ConfigError(f"a search with {self.objectives} objectives has a Pareto front, no incumbent")


def _doubled(array: NDArray[Scalar]) -> NDArray[Scalar]:
    """Return an array with room for twice as many rows."""
    return np.concatenate([array, np.empty_like(array)])


def _read_only(view: NDArray[Scalar]) -> NDArray[Scalar]:
    view.flags.writeable = False
    return view
