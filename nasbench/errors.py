"""Every error of this package, each also the builtin that a caller would expect; how they quote files."""

import reprlib


class NASBenchError(Exception):
    """The base of all errors of `nasbench`."""


class InvalidCellError(NASBenchError, ValueError):
    """What was given names no cell of the space."""


class InvalidArgumentError(NASBenchError, ValueError):
    """A number outside its range."""


class ConfigError(InvalidArgumentError):
    """An option outside its range, or one that contradicts another or the run that is resumed."""


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


class RunFolderError(NASBenchError, OSError):
    """The folder of a run that cannot be created, read, trusted or resumed."""


class FolderRemovedError(RunFolderError):
    """The folder of a run that was removed or replaced during the run."""


class MissingDependencyError(NASBenchError, ImportError):
    """A package that this step needs is not installed."""


_LONGEST_SHOWN = 100  # characters
_LONGEST_SAID = 300

_short = reprlib.Repr()
_short.maxlevel = 3
_short.maxstring = _LONGEST_SHOWN


def shown(value: object) -> str:
    """Return the repr of a value from a user or a file for a message: one line of at most 100 characters."""
    value = value[:_LONGEST_SHOWN] if isinstance(value, (bytes, bytearray)) else value
    try:
        text = _short.repr(value)
    except ValueError:  # an integer of more than 4,300 digits
        text = "a value that is too long to show"
    return _cut(printable(text), _LONGEST_SHOWN)


def said(error: object) -> str:
    """Return what an error, or a text, of a file says: one line of at most 300 characters."""
    text = f"it has no {error}" if isinstance(error, KeyError) else str(error)
    return _cut(printable(" ".join(text.split())), _LONGEST_SAID)


def printable(text: str) -> str:
    """Return a text with its control characters escaped, so that it is one line and no terminal obeys it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\t" else repr(c)[1:-1] for c in text)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 3] + "..."
