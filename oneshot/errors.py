"""Errors of this package; each also derives from the matching builtin exception."""

from nasbench.errors import ConfigError as ConfigError
from nasbench.errors import FolderRemovedError as FolderRemovedError
from nasbench.errors import MissingDependencyError as MissingDependencyError
from nasbench.errors import RunFolderError as RunFolderError


class OneShotError(Exception):
    """Base class of all errors of `oneshot`."""


class GraphError(OneShotError, ValueError):
    """An invalid graph, or an operation that is not possible in its state."""


class GenotypeError(OneShotError, ValueError):
    """An architecture that is not written correctly or belongs to another space."""


class DivergedError(OneShotError, ArithmeticError):
    """A loss or weight that became NaN or infinite."""


class ProxyError(OneShotError, ValueError):
    """A zero-cost proxy that is unknown or cannot score a network."""


class DeviceError(OneShotError, RuntimeError):
    """A device that does not exist on this machine."""


class ExportError(OneShotError, RuntimeError):
    """A network that cannot be exported, or an exported file that computes different outputs."""


class JobError(OneShotError, RuntimeError):
    """A command, started by another one, that failed."""


class GroupError(OneShotError, ConnectionError):
    """A failed or lost process of a group that works together."""
