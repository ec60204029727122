"""Every error of this package: one base, and each is also the builtin that a caller would expect."""


class OneShotError(Exception):
    """The base of all errors of `oneshot`."""


class GraphError(OneShotError, ValueError):
    """A graph that means nothing, or that is asked for what its state does not allow."""


class ConfigError(OneShotError, ValueError):
    """A setting outside its range, or one that contradicts another."""


class GenotypeError(OneShotError, ValueError):
    """An architecture that is written wrongly, or that is of another space."""


class RunFolderError(OneShotError, OSError):
    """A run's folder that cannot be made, read or trusted."""


class FolderRemovedError(RunFolderError):
    """A run's folder that was removed, or put in another's place, during the run."""


class DivergedError(OneShotError, ArithmeticError):
    """A loss that is no number any more."""


class DeviceError(OneShotError, RuntimeError):
    """A device that is not there."""


class ExportError(OneShotError, RuntimeError):
    """A network that cannot be exported, or whose file computes something else."""


class JobError(OneShotError, RuntimeError):
    """A command that was run as a part of another, and failed."""


class MissingDependencyError(OneShotError, ImportError):
    """A package that this step needs is not installed."""


class GroupError(OneShotError, ConnectionError):
    """One of several processes that train together has failed, or is lost."""
