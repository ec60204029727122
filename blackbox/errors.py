"""Every error of this package: one base, and each is also the builtin that a caller would expect."""

from nasbench.errors import ConfigError as ConfigError
from nasbench.errors import MissingDependencyError as MissingDependencyError
from nasbench.errors import RunFolderError as RunFolderError


class BlackboxError(Exception):
    """The base of all errors of `blackbox`."""


class UnknownAlgorithmError(BlackboxError, LookupError):
    """The name of an algorithm that does not exist."""


class UnknownValueError(BlackboxError, LookupError):
    """A variable, or a value of one, that a space does not have."""


class ObjectiveError(BlackboxError, ValueError):
    """An objective that answered with something other than one number for each trial."""


class WorkersError(BlackboxError, ConnectionError):
    """Workers, or the scheduler that knows them, that cannot be reached."""


class PredictorError(BlackboxError, ValueError):
    """Evaluations that a predictor cannot learn from, or a question before it has."""
