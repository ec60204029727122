"""Errors of this package; each also derives from the matching builtin exception."""

from nasbench.errors import ConfigError as ConfigError
from nasbench.errors import FolderRemovedError as FolderRemovedError
from nasbench.errors import MissingDependencyError as MissingDependencyError
from nasbench.errors import RunFolderError as RunFolderError


class OneShotError(Exception):
    """Base class of all errors of `oneshot`."""


class GraphError(OneShotError, ValueError):
    """A graph is invalid, or an operation is not possible in its state."""


class GenotypeError(OneShotError, ValueError):
    """An architecture is not written correctly or belongs to another space."""


class DivergedError(OneShotError, ArithmeticError):
    """A loss became NaN or infinite."""


class ProxyError(OneShotError, ValueError):
    """A zero-cost proxy is unknown or cannot score a network."""


class DeviceError(OneShotError, RuntimeError):
    """A device does not exist on this machine."""


class ExportError(OneShotError, RuntimeError):
    """A network cannot be exported, or the exported file computes different outputs."""


class JobError(OneShotError, RuntimeError):
    """A command that another command started failed."""


class GroupError(OneShotError, ConnectionError):
    """A process of a group that trains together failed or was lost."""
