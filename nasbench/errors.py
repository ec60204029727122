"""Errors of this package, each of which also inherits a builtin; text of values in messages."""

import reprlib


class NASBenchError(Exception):
    """Base class of all errors of `nasbench`."""


class InvalidCellError(NASBenchError, ValueError):
    """An argument that is not a cell of the space."""


class InvalidArgumentError(NASBenchError, ValueError):
    """An argument that is out of range or malformed."""


class ConfigError(InvalidArgumentError):
    """An option that is out of range, or that contradicts another option or the resumed run."""


class UnknownDatasetError(NASBenchError, LookupError):
    """A data set that does not exist."""


class UnknownMetricError(NASBenchError, LookupError):
    """A metric that does not exist."""


class NotRecordedError(NASBenchError, LookupError):
    """A value that is not recorded in the store for this cell."""


class StoreError(NASBenchError, OSError):
    """A store that is missing or damaged, or cannot be read or written."""


class SourceError(NASBenchError, ValueError):
    """A published file that does not match its format."""


class UnsafePickleError(SourceError):
    """A pickle that needs a global that is not allowed, because loading it could run code."""


class RunFolderError(NASBenchError, OSError):
    """A run folder that is damaged, or cannot be created, read or resumed."""


class FolderRemovedError(RunFolderError):
    """A run folder that was removed or replaced during the run."""


class MissingDependencyError(NASBenchError, ImportError):
    """A required package that is not installed."""


_LONGEST_SHOWN = 100  # characters
_LONGEST_LINE = 300

_short = reprlib.Repr()
_short.maxlevel = 3
_short.maxstring = _LONGEST_SHOWN


def shown(value: object) -> str:
    """Return the repr of a value for a message: one line of at most 100 characters."""
    value = value[:_LONGEST_SHOWN] if isinstance(value, (bytes, bytearray)) else value
    try:
        text = _short.repr(value)
    except ValueError:  # an integer of more than 4,300 digits
        text = "a value that is too long to show"
    return _cut(printable(text), _LONGEST_SHOWN)


def one_line(error: object) -> str:
    """Return the text of an error, or a text from a file, as one line of at most 300 characters."""
    text = f"it has no {error}" if isinstance(error, KeyError) else str(error)
    return _cut(printable(" ".join(text.split())), _LONGEST_LINE)


def printable(text: str) -> str:
    """Return a text with control characters escaped, so that it is one line and safe for terminals."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\t" else repr(c)[1:-1] for c in text)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 3] + "..."
