"""Every error of this package: one base, and each is also the builtin that a caller would expect."""


class BlackboxError(Exception):
    """The base of all errors of `blackbox`."""


class ConfigError(BlackboxError, ValueError):
    """A setting outside its range, or settings that contradict each other."""


class UnknownAlgorithmError(BlackboxError, LookupError):
    """The name of an algorithm that does not exist."""


class UnknownValueError(BlackboxError, LookupError):
    """A variable, or a value of one, that a space does not have."""


class ObjectiveError(BlackboxError, ValueError):
    """An objective that answered with something other than one number for each trial."""


class WorkersError(BlackboxError, ConnectionError):
    """Workers, or the scheduler that knows them, that cannot be reached."""


class RunFolderError(BlackboxError, OSError):
    """A run's folder that cannot be made, read, or gone on with."""


class MissingDependencyError(BlackboxError, ImportError):
    """A package that this step needs is not installed."""


class PredictorError(BlackboxError, ValueError):
    """Evaluations that a predictor cannot learn from, or a question before it has."""
