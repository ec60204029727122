"""What is done at a worker: an objective is imported, called, and what it gave is looked at."""

import importlib
import sys
import time
import traceback
from contextlib import redirect_stdout
from typing import NamedTuple

from blackbox.errors import ConfigError, ObjectiveError
from blackbox.search.scores import FAILED


class Outcome(NamedTuple):
    """What came of an evaluation."""

    score: float  # higher is better; -inf: it failed, or the objective says so
    seconds: float  # that it took
    worker: str  # its name
    error: str | None = None  # why it failed, a line
    traceback: str = ""


def load(name):
    """The function of a name module:function; ConfigError where there is none.

    >>> load("operator:neg")(3)
    -3
    """
    module, wanted = parts(name)
    try:
        found = vars(importlib.import_module(module)).get(wanted)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the objective {name} cannot be imported: {error}; workers look where this command is run,"
            " and on PYTHONPATH"
        ) from None
    except Exception as error:
        raise ConfigError(
            f"the objective {name} cannot be imported: {type(error).__name__}: {error}"
        ) from None
    if found is None:
        raise ConfigError(f"the objective {name} is not there: {module} has no {wanted}")
    if not callable(found):
        raise ConfigError(f"the objective {name} cannot be called: it is {found!r}")
    return found


def parts(name):
    """The module and the function of an objective's name; ConfigError unless it has both."""
    module, _, wanted = name.partition(":") if isinstance(name, str) else ("", "", "")
    if not (module and wanted):
        raise ConfigError(f"an objective is named module:function, got {name!r}")
    return module, wanted


def evaluate(name, worker, *arguments):
    """The Outcome of calling the objective of that name, which may raise or give what it likes.

    What it prints goes to stderr: stdout is the command's.
    """
    begin = time.perf_counter()
    error, trace, score = None, "", FAILED
    try:
        function = load(name)
        with redirect_stdout(sys.stderr):
            given = function(*arguments)
        score = checked(given)
    except (Exception, SystemExit) as raised:
        error = f"{type(raised).__name__}: {raised}".strip().splitlines()[0]
        trace = traceback.format_exc()
    return Outcome(score, time.perf_counter() - begin, worker, error, trace)


def checked(score):
    """What an objective gave, a float; ObjectiveError unless it is a number, or -inf."""
    if score is None or isinstance(score, (str, bytes)):
        raise ObjectiveError(f"an objective gives a number, got {score!r}")
    try:
        number = float(score)
    except (TypeError, ValueError):
        raise ObjectiveError(f"an objective gives a number, got {score!r}") from None
    if number != number or number == -FAILED:
        raise ObjectiveError(f"an objective gives a number, or -inf for a failure, got {number}")
    return number
