"""Every error of this package: one base, and each is also the builtin that a caller would expect."""


class OneShotError(Exception):
    """The base of all errors of `oneshot`."""


class GraphError(OneShotError, ValueError):
    """A graph that means nothing, or that is asked for what its state does not allow."""


class ConfigError(OneShotError, ValueError):
    """A setting outside its range, or one that contradicts another."""


class RunFolderError(OneShotError, OSError):
    """A run's folder that cannot be made, read or trusted."""


class DivergedError(OneShotError, ArithmeticError):
    """A loss that is no number any more."""


class DeviceError(OneShotError, RuntimeError):
    """A device that is not there."""


class MissingDependencyError(OneShotError, ImportError):
    """A package that this step needs is not installed."""
