"""Every error of this package, each also the builtin that a caller would expect; how they quote files."""

_LONGEST_SAID = 300  # characters


class DataError(Exception):
    """The base of all errors of `data`."""


class InvalidArgumentError(DataError, ValueError):
    """A value outside its range, or arrays that do not belong together."""


class UnknownDataSetError(DataError, LookupError):
    """No data set of that name."""


class MissingFileError(DataError, FileNotFoundError):
    """A file or folder of a data set that is not where it is looked for."""


class UnreadableFileError(DataError, OSError):
    """A file that is there but that the system does not let be read, or a folder be written to."""


class DamagedFileError(DataError, ValueError):
    """A file that does not hold what its format, or its published digest, says."""


class UnsafePickleError(DamagedFileError):
    """A pickle that asks for a global; loading it could run code."""


class DownloadError(DataError, OSError):
    """A data set that cannot be downloaded."""


class MissingDependencyError(DataError, ImportError):
    """A package that this step needs is not installed."""


class DeviceError(DataError, RuntimeError):
    """A device that this machine does not have."""


def said(text: object) -> str:
    """Return a text of a file, or what an error says of it: one line of at most 300 printable characters.

    The twin of the function in `nasbench.errors`, which this package does not import.
    """
    text = " ".join(str(text).split())
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)[:_LONGEST_SAID]
