"""The evaluation on a worker: import the objective, call it, check the score."""

from __future__ import annotations

import importlib
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from blackbox.errors import ConfigError, ObjectiveError
from blackbox.search.scores import FAILED
from blackbox.workers.cluster import DaskPool

if TYPE_CHECKING:
    from blackbox.workers.cluster import Client, Failure
    from blackbox.workers.pool import TaskContext

Objective = Callable[..., Any]  # custom code; its result is checked


class Outcome(NamedTuple):
    """The result of an evaluation."""

    score: float  #: higher is better; -inf if the evaluation failed
    seconds: float  #: duration of the evaluation
    worker: str  #: name of the worker
    error: str | None = None  #: reason of the failure in one line; None if it did not fail
    traceback: str = ""  #: traceback of the failure


def evaluation_pool(
    client: Client, objective: str, most: int | None = None, timeout: float | None = None
) -> DaskPool[Outcome]:
    """Return a pool that calls an objective `module:function` with the arguments of its tasks.

    >>> from blackbox.workers.cluster import local
    >>> with local(1) as client:
    ...     pool = evaluation_pool(client, "operator:neg")
    ...     pool.submit(0, 5)
    ...     number, outcome = pool.next(60)
    >>> number, outcome.score, outcome.error
    (0, -5.0, None)

    Failed evaluations are also returned as results.
    """
    function = partial(_evaluate, objective)
    return DaskPool(client, function, most=most, timeout=timeout, on_failure=_failed)


def _evaluate(objective: str, task: TaskContext, *arguments: object) -> Outcome:
    return evaluate(objective, task.worker, *arguments)


def _failed(failure: Failure) -> Outcome:
    text = f"{type(failure.error).__name__}: {failure.reason}".splitlines()[0]
    return Outcome(FAILED, failure.seconds, failure.worker, text, str(failure.error))


def load(name: str) -> Objective:
    """Import the function with a name `module:function`; raise ConfigError if there is none.

    >>> load("operator:neg")(3)
    -3
    """
    module, attribute = split_name(name)
    try:
        function: Objective | None = vars(importlib.import_module(module)).get(attribute)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the objective {name} cannot be imported: {error}; it must be in the folder where this command"
            " runs, or on PYTHONPATH"
        ) from None
    except Exception as error:
        raise ConfigError(
            f"the objective {name} cannot be imported: {type(error).__name__}: {error}"
        ) from None
    if function is None:
        raise ConfigError(f"the objective {name} does not exist: {module} has no {attribute}")
    if not callable(function):
        raise ConfigError(f"the objective {name} must be callable, got {function!r}")
    return function


def check_objective(name: str) -> None:
    """Raise ConfigError if an objective cannot be imported; workers cannot return every function."""
    load(name)


def split_name(name: object) -> tuple[str, str]:
    """Return the module and the function in the name of an objective; ConfigError unless it has both."""
    module, _, function = name.partition(":") if isinstance(name, str) else ("", "", "")
    if not (module and function):
        raise ConfigError(f"objective must be MODULE:FUNCTION, got {name!r}")
    return module, function


def evaluate(name: str, worker: str, *arguments: object) -> Outcome:
    """Call an objective; an error or an invalid score is also returned as an Outcome.

    The output of the objective goes to stderr, because stdout is for the command.
    """
    begin = time.perf_counter()
    error, trace, score = None, "", FAILED
    try:
        function = load(name)
        with redirect_stdout(sys.stderr):
            result = function(*arguments)
        score = checked(result)
    except (Exception, SystemExit) as raised:
        error = f"{type(raised).__name__}: {raised}".strip().splitlines()[0]
        trace = traceback.format_exc()
    return Outcome(score, time.perf_counter() - begin, worker, error, trace)


def checked(score: Any) -> float:  # any result of an objective
    """Return the score of an objective as a float; raise ObjectiveError unless it is a number or -inf."""
    if score is None or isinstance(score, (str, bytes)):
        raise ObjectiveError(f"the objective must return a number, got {score!r}")
    try:
        number = float(score)
    except (TypeError, ValueError):
        raise ObjectiveError(f"the objective must return a number, got {score!r}") from None
    if number != number or number == -FAILED:
        raise ObjectiveError(f"the objective must return a number, or -inf for a failure, got {number}")
    return number
