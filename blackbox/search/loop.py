"""The loop that drives a search: ask, evaluate, tell."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from blackbox.errors import ConfigError, ObjectiveError
from blackbox.search.base import Search
from blackbox.search.history import History
from blackbox.search.scores import FAILED, invalid_score_name, invalid_scores
from nasbench.arrays import Codes, Scores, Seconds
from nasbench.errors import shown
from nasbench.runs.checks import finite, whole

MOST_SECONDS = 9.2e9  # 290 years, the longest time a thread can wait


class Objective(Protocol):
    """The function that a search maximizes, from codes to scores."""

    def __call__(self, codes: Codes, /) -> ArrayLike:
        """Return the scores of codes (T,), one per trial; higher is better.

        The result has shape (T,), or (T, M) with M objectives; -inf marks a failed evaluation.
        """


class FailureCallback(Protocol):
    """A function that is called for failed evaluations."""

    def __call__(self, trial: int, code: int, error: Exception, /) -> object:
        """Handle a failure, given the number of the trial, the code and the error."""


def run(
    search: Search[Any],
    objective: Objective,
    evals: int | None = None,
    *,
    cost: Callable[[Codes], Seconds] | None = None,
    budget: float | None = None,
    after_step: Callable[[], object] | None = None,
    on_failure: FailureCallback | None = None,
) -> History:
    """Ask, evaluate and tell until each trial has `evals` evaluations or has spent `budget` seconds.

    Parameters
    ----------
    search
        The search. If it has a history, the run continues from it.
    objective
        Function from codes, shape ``(T,)``, to scores, shape ``(T,)``, or ``(T, M)`` with M objectives;
        higher is better.
    evals
        Number of evaluations per trial.
    cost
        Function from codes, shape ``(T,)``, to the durations of their evaluations in seconds, shape ``(T,)``.
    budget
        Seconds that each trial may spend; requires `cost`.
    after_step
        Function called after each step; the run ends if it returns a true value.
    on_failure
        Function called with the trial, the code and the error if an evaluation raises or returns NaN or inf
        (then the error is an ObjectiveError). The evaluation gets the score -inf and the run continues. If
        several trials are evaluated at once and the objective raises, each of them is evaluated again on its
        own. By default, a failed evaluation ends the run with its error; the history keeps the earlier
        evaluations.

    Returns
    -------
    History
        All evaluations: ``search.history``.

    Raises
    ------
    ConfigError
        If neither `evals` nor `budget` is given, or if `budget` is out of range or lacks a `cost`.
    InvalidArgumentError
        If `evals` is out of range.
    ObjectiveError
        If the objective does not return one number below inf per trial and objective.
    """
    if evals is None and budget is None:
        raise ConfigError("evals, budget or both must be given, got neither")
    if evals is not None:
        whole("evals", evals, 1)
    if budget is not None:
        check_seconds("budget", budget)
        if cost is None:
            raise ConfigError("a budget in seconds needs a cost")
    history = search.history
    spent = history.spent()
    while (evals is None or len(history) < evals) and (budget is None or (spent <= budget).any()):
        codes = np.asarray(search.ask())
        costs = 0.0 if cost is None else cost(codes)
        if on_failure is None:
            scores = objective(codes.copy())  # a copy, because the objective may change it
        else:
            scores = _scores_or_failures(search, objective, codes, on_failure)
        search.tell(codes, scores, costs)
        if budget is not None:
            spent = spent + costs
            if np.isnan(spent).any():
                raise ObjectiveError(f"the cost is NaN for one of the codes {codes.tolist()}")
        if after_step is not None and after_step():
            break
    return history


def _scores_or_failures(
    search: Search[Any], objective: Objective, codes: Codes, on_failure: FailureCallback
) -> Scores:
    """Return the scores of codes, -inf if the objective raises or returns NaN or inf."""
    try:
        scores = np.array(objective(codes.copy()), dtype=np.float64)
    except Exception as error:
        if len(codes) == 1:
            on_failure(search.trials[0], int(codes[0]), error)
            return np.full(search.score_shape, FAILED)
        parts = []
        for row, trial in enumerate(search.trials):
            try:
                parts.append(np.array(objective(codes[row : row + 1].copy()), dtype=np.float64)[0])
            except Exception as alone:
                on_failure(trial, int(codes[row]), alone)
                parts.append(np.full(search.score_shape[1:], FAILED))
        scores = np.stack(parts)
    if scores.shape == search.score_shape:  # else `tell` raises
        invalid = invalid_scores(scores)
        for row in np.flatnonzero(invalid).tolist():
            nan = ObjectiveError(f"the objective returned {invalid_score_name(scores[row])}")
            on_failure(search.trials[row], int(codes[row]), nan)
        scores[invalid] = FAILED
    return scores


def check_seconds(name: str, value: object) -> None:
    """Raise ConfigError unless a value is a positive number of seconds, at most `MOST_SECONDS`."""
    seconds = finite(value)
    if seconds is None or seconds <= 0:
        raise ConfigError(f"{name} must be a positive number of seconds, got {shown(value)}")
    if seconds > MOST_SECONDS:
        raise ConfigError(f"{name} must be at most {MOST_SECONDS:,.0f} seconds, got {shown(value)}")


def is_finished(history: History, evals: int | None, budget: float | None) -> bool:
    """Return whether a history has reached the limits of `run`."""
    return (evals is not None and len(history) >= evals) or (
        budget is not None and bool((history.spent() > budget).all())
    )
