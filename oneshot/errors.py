"""Every error of this package: one base, and each is also the builtin that a caller would expect."""

from nasbench.errors import ConfigError as ConfigError
from nasbench.errors import FolderRemovedError as FolderRemovedError
from nasbench.errors import MissingDependencyError as MissingDependencyError
from nasbench.errors import RunFolderError as RunFolderError


class OneShotError(Exception):
    """The base of all errors of `oneshot`."""


class GraphError(OneShotError, ValueError):
    """A graph that means nothing, or that is asked for what its state does not allow."""


class GenotypeError(OneShotError, ValueError):
    """An architecture that is written wrongly, or that is of another space."""


class DivergedError(OneShotError, ArithmeticError):
    """A loss that is no number any more."""


class ProxyError(OneShotError, ValueError):
    """A zero-cost proxy that is not known, or that cannot score what it is given."""


class DeviceError(OneShotError, RuntimeError):
    """A device that is not there."""


class ExportError(OneShotError, RuntimeError):
    """A network that cannot be exported, or whose file computes something else."""


class JobError(OneShotError, RuntimeError):
    """A command that was run as a part of another, and failed."""


class GroupError(OneShotError, ConnectionError):
    """One of several processes that train together has failed, or is lost."""
