"""Every error of this package: one base, and each is also the builtin that a caller would expect."""


class NASBenchError(Exception):
    """The base of all errors of `nasbench`."""


class InvalidCellError(NASBenchError, ValueError):
    """What was given names no cell of the space."""


class InvalidArgumentError(NASBenchError, ValueError):
    """A number outside its range."""


class UnknownDatasetError(NASBenchError, LookupError):
    """No data set of that name."""


class UnknownMetricError(NASBenchError, LookupError):
    """No metric of that name."""


class NotRecordedError(NASBenchError, LookupError):
    """A known quantity that this store, or this cell in it, has no value for."""


class StoreError(NASBenchError, OSError):
    """A store file that cannot be read, written or trusted."""


class SourceError(NASBenchError, ValueError):
    """A published file that does not hold what its format says."""


class UnsafePickleError(SourceError):
    """A pickle that asks for a global; loading it could run code."""


class MissingDependencyError(NASBenchError, ImportError):
    """A package that this step needs is not installed."""
