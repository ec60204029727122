"""The errors of this package: one base class, and each error also inherits the builtin you would expect."""

from nasbench.errors import ConfigError as ConfigError
from nasbench.errors import MissingDependencyError as MissingDependencyError
from nasbench.errors import RunFolderError as RunFolderError


class BlackboxError(Exception):
    """The base class of all errors of `blackbox`."""


class UnknownAlgorithmError(BlackboxError, LookupError):
    """An algorithm that does not exist or cannot be imported."""


class UnknownValueError(BlackboxError, LookupError):
    """A variable, value or code that a space does not have."""


class ObjectiveError(BlackboxError, ValueError):
    """An evaluation that failed, or an objective that did not return one valid score per trial."""


class WorkersError(BlackboxError, ConnectionError):
    """Workers, or their scheduler, that cannot be reached."""


class PredictorError(BlackboxError, ValueError):
    """Evaluations that a predictor cannot be fitted to, or a prediction before it is fitted."""
