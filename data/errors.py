"""Errors of this package, each of which also inherits a builtin; text of files in messages."""

_LONGEST_SAID = 300  # characters


class DataError(Exception):
    """Base class of all errors of `data`."""


class InvalidArgumentError(DataError, ValueError):
    """An argument that is out of range, or arrays that do not match."""


class UnknownDataSetError(DataError, LookupError):
    """A data set that does not exist."""


class MissingFileError(DataError, FileNotFoundError):
    """A missing file or folder of a data set."""


class UnreadableFileError(DataError, OSError):
    """A file that cannot be read, or a folder that cannot be written to."""


class DamagedFileError(DataError, ValueError):
    """A file that does not match its format or its published digest."""


class UnsafePickleError(DamagedFileError):
    """A pickle that needs a global that is not allowed, because loading it could run code."""


class DownloadError(DataError, OSError):
    """A data set that cannot be downloaded."""


class MissingDependencyError(DataError, ImportError):
    """A required package that is not installed."""


class DeviceError(DataError, RuntimeError):
    """A device that does not exist on this machine."""


def one_line(text: object) -> str:
    """Return the text of an error, or a text from a file, as one line of at most 300 printable characters.

    The counterpart of the function in `nasbench.errors`, which this package does not import.
    """
    text = " ".join(str(text).split())
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)[:_LONGEST_SAID]
