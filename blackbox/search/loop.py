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

MOST_SECONDS = 9.2e9  # 290 years, the longest that a thread can wait


class Objective(Protocol):
    """What a search maximizes; any function from codes to scores is one."""

    def __call__(self, codes: Codes, /) -> ArrayLike:
        """Return the scores of codes (T,), one per trial, higher is better.

        An array (T,), or (T, objectives) if the search has several; -inf for an evaluation that failed.
        """


class FailureCallback(Protocol):
    """A function that is told of evaluations that failed."""

    def __call__(self, trial: int, code: int, error: Exception, /) -> object:
        """Take the number of the trial, the code, and why it could not be scored."""


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
        Function from codes ``(T,)`` to scores ``(T,)``, higher is better; with several objectives, scores
        are ``(T, objectives)``.
    evals
        Evaluations per trial.
    cost
        Function from codes ``(T,)`` to the seconds ``(T,)`` that their evaluations take.
    budget
        Seconds that each trial may spend; it needs a `cost`.
    after_step
        Called after each step; if it returns something true, the run ends.
    on_failure
        Called with the trial, the code and the error if an evaluation raises, or gives NaN or inf (then the
        error is an ObjectiveError). The evaluation gets the score -inf and the run continues. If several
        trials are evaluated at once and the objective raises, each is evaluated again by itself. By default,
        a failed evaluation ends the run with its error; the history keeps the earlier ones.

    Returns
    -------
    History
        All evaluations: ``search.history``.

    Raises
    ------
    ConfigError
        If neither `evals` nor `budget` is given, if one is outside its range, or if `cost` is missing.
    ObjectiveError
        If the objective returns anything but one number below inf per trial and objective.
    """
    if evals is None and budget is None:
        raise ConfigError("a search ends by evals, by budget or by both; got neither")
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
            scores = objective(codes.copy())  # a copy, which the objective may change
        else:
            scores = _scores_or_failures(search, objective, codes, on_failure)
        search.tell(codes, scores, costs)
        if budget is not None:
            spent = spent + costs
            if np.isnan(spent).any():
                raise ObjectiveError(f"the cost gave NaN for one of the codes {codes.tolist()}")
        if after_step is not None and after_step():
            break
    return history


def _scores_or_failures(
    search: Search[Any], objective: Objective, codes: Codes, on_failure: FailureCallback
) -> Scores:
    """Return the scores of codes, -inf where the objective raises or gives NaN or inf."""
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
            nan = ObjectiveError(f"the objective gave {invalid_score_name(scores[row])}")
            on_failure(search.trials[row], int(codes[row]), nan)
        scores[invalid] = FAILED
    return scores


def check_seconds(name: str, value: object) -> None:
    """Raise ConfigError unless a value is a positive number of seconds, at most `MOST_SECONDS`."""
    seconds = finite(value)
    if seconds is None or seconds <= 0:
        raise ConfigError(f"{name} is a positive number of seconds, got {shown(value)}")
    if seconds > MOST_SECONDS:
        raise ConfigError(f"{name} must be at most {MOST_SECONDS:,.0f} seconds, got {shown(value)}")


def is_finished(history: History, evals: int | None, budget: float | None) -> bool:
    """Return whether a history has reached the limits of `run`."""
    return (evals is not None and len(history) >= evals) or (
        budget is not None and bool((history.spent() > budget).all())
    )
