"""Logs of runs: append-only files, and the formats of their rows."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import numpy as np

from nasbench.errors import FolderRemovedError, RunFolderError, one_line
from nasbench.runs.files import leads_to, open_locked, write_all
from nasbench.runs.text import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rows = TypeVar("Rows")
Row = dict[str, Any]  # one value per column, of the column's type or None


class LogFormat(Protocol[Rows]):
    """Format of the rows of a log."""

    @property
    def header(self) -> bytes:
        """First line of the log."""

    def encode(self, rows: Rows) -> bytes:
        """Return the rows as lines."""

    def decode(self, data: bytes, path: Path) -> Rows:
        """Return the rows in a log's bytes without an incomplete last line; errors name `path`."""


class AppendLog(AbstractContextManager["AppendLog"]):
    r"""An append-only log, locked against other processes; close it, or use it in a `with`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with AppendLog.create(Path(folder, "log.csv"), b"step,score\n") as log:
    ...         log.append(b"1,0.5\n")
    ...         log.read()
    b'step,score\n1,0.5\n'

    Parameters
    ----------
    path
        Path of the file.
    file
        The open and locked file.
    header
        First line of the log.
    noun
        Name of the run's kind in messages.
    sync
        Whether `append` flushes rows to the disk, so that they survive a crash of the machine, not only of
        the process.

    Attributes
    ----------
    offset
        End of the complete lines in bytes, where the next rows are written; an incomplete line of a killed
        process is overwritten.
    """

    def __init__(self, path: Path, file: FileIO, header: bytes, *, noun: str, sync: bool) -> None:
        self.path = path
        self._file = file
        self._header = header
        self._noun = noun
        self._sync = sync
        self.offset = 0
        self.read()

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, which unlocks it."""
        self._file.close()

    @classmethod
    def create(cls, path: Path, header: bytes, *, noun: str = "run", sync: bool = False) -> Self:
        """Create a log; raise OSError if it exists or cannot be written."""
        file = open_locked(path, "x+b")
        try:
            write_all(file, header)
            return cls(path, file, header, noun=noun, sync=sync)
        except BaseException:
            file.close()
            raise

    @classmethod
    def resume(cls, path: Path, header: bytes, *, noun: str = "run", sync: bool = False) -> Self:
        """Open an earlier log; raise RunFolderError if it is missing, or cannot be read or written."""
        folder = path.parent
        with described(folder, noun, f"cannot resume {folder}", path.name):
            return cls(path, open_locked(path, "r+b"), header, noun=noun, sync=sync)

    @classmethod
    def create_or_resume(
        cls,
        path: Path,
        header: bytes,
        *,
        noun: str = "run",
        sync: bool = False,
        root: Path | None = None,
        failure: str | None = None,
    ) -> Self:
        """Create a log, or open an earlier one, whose header may be incomplete after a kill.

        Parameters
        ----------
        path, header, noun, sync
            As for `AppendLog`.
        root
            Existing folder above the log; missing folders below it are created.
        failure
            Start of the error message; by default, that the log's folder cannot be written.
        """
        with described(path.parent, noun, failure or f"cannot write to the folder {path.parent}"):
            if root is not None:
                _make_folders(root, path.parent)
            log = cls(path, open_locked(path, "a+b"), header, noun=noun, sync=sync)
        if log.offset < len(header):
            log.truncate(0)
            log.append(header)
        return log

    def read(self) -> bytes:
        """Return the complete lines of the log, after which new rows are appended."""
        try:
            self._file.seek(0)
            data = self._file.read()
        except OSError as error:
            raise RunFolderError(f"cannot read {self.path}: {error.strerror}") from None
        data = data[: data.rfind(b"\n") + 1]
        self.offset = len(data)
        return data

    def append(self, data: bytes) -> None:
        """Append complete lines."""
        self.check_in_place()
        try:
            self._file.truncate(self.offset)  # remove a part that an interrupt or an error may have left
            self._file.seek(self.offset)
            write_all(self._file, data)
            if self._sync:
                os.fsync(self._file.fileno())
        except OSError as error:
            raise RunFolderError(f"cannot write {self.path}: {error.strerror}") from None
        self.offset += len(data)

    def truncate(self, offset: int | None, rows: int | None = None) -> None:
        """Remove everything after `offset` bytes; None to remove all rows.

        Raise RunFolderError if `offset` is not the end of a complete line, or of `rows` rows if given.
        """
        offset = len(self._header) if offset is None else offset
        kept = self.read()[:offset]
        whole = len(kept) == offset and kept[-1:] in (b"", b"\n") and kept.startswith(self._header[:offset])
        if not whole or rows not in (None, kept.count(b"\n") - 1):
            expected = "" if rows is None else f"{counted(rows, 'row')} in "
            raise RunFolderError(f"{self.path} is damaged: expected {expected}{counted(offset, 'byte')}")
        try:
            self._file.truncate(offset)
        except OSError as error:
            raise RunFolderError(f"cannot resume {self.path}: {error.strerror}") from None
        self.offset = offset

    def keep(self, rows: int) -> None:
        """Remove everything after the first `rows` rows."""
        self.truncate(sum(map(len, self.read().splitlines(keepends=True)[: rows + 1])))

    def check_in_place(self) -> None:
        """Raise FolderRemovedError if the log was removed, because new rows would be lost."""
        if not leads_to(self.path, self._file):
            folder, name = self.path.parent, self.path.name
            place = folder if name.startswith(".") else f"{folder} or its {name}"  # a lock is not a log
            raise FolderRemovedError(f"{place} was removed or replaced during the {self._noun}")


@contextmanager
def described(folder: Path, noun: str, failure: str, needed: str | None = None) -> Iterator[None]:
    """Raise errors of the system as RunFolderError; a run folder must have the file `needed`."""
    try:
        yield
    except RunFolderError:
        raise
    except BlockingIOError:
        raise RunFolderError(f"another process is writing to {folder}") from None
    except OSError as error:
        if needed is not None and isinstance(error, (FileNotFoundError, NotADirectoryError)):
            raise RunFolderError(f"{folder} is not the folder of a {noun}: it has no {needed}") from None
        raise RunFolderError(f"{failure}: {error.strerror}") from None


def _make_folders(root: Path, folder: Path) -> None:
    for name in folder.relative_to(root).parts:
        root /= name
        root.mkdir(exist_ok=True)


# Formats


class Columns:
    r"""Format with one row per event, whose columns hold text, numbers or nothing.

    >>> epochs = Columns({"epoch": int, "loss": float, "arch": str})
    >>> epochs.encode([{"epoch": 1, "loss": None, "arch": "a,b"}])
    b'1,,"a,b"\n'
    >>> epochs.decode(b'epoch,loss,arch\n1,,"a,b"\n2,0.', Path("log.csv"))
    [{'epoch': 1, 'loss': None, 'arch': 'a,b'}]

    Parameters
    ----------
    types
        Function per column, in order, that parses its text. Values in the first and the last column cannot
        be empty, so that incomplete lines are detected.
    """

    def __init__(self, types: Mapping[str, Callable[[str], object]]) -> None:
        self.types = types

    @property
    def header(self) -> bytes:
        """First line of the log."""
        return (",".join(self.types) + "\n").encode()

    def encode(self, rows: Sequence[Row]) -> bytes:
        """Return the rows as lines."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([row[name] for name in self.types] for row in rows)
        return text.getvalue().encode()

    def decode(self, data: bytes, path: Path) -> list[Row]:
        """Return the rows in a log's bytes without an incomplete last line; errors name `path`."""
        try:
            lines = csv.reader(io.StringIO(data[: data.rfind(b"\n") + 1].decode(), newline=""))
            if next(lines, None) != list(self.types):
                raise ValueError(first_line_text(self.header))
            return [self._row(line) for line in lines]
        except (ValueError, csv.Error) as error:
            raise RunFolderError(f"{path} is damaged: {one_line(error)}") from None

    def _row(self, line: Sequence[str]) -> Row:
        row = {
            name: kind(text) if text else None
            for (name, kind), text in zip(self.types.items(), line, strict=True)
        }
        first, *_, last = self.types
        if row[first] is None or row[last] is None:
            raise ValueError(f"a row has no {first} or no {last}")
        return row


def first_line_text(header: bytes) -> str:
    """Return the message about a log with another header."""
    return f"its first line must be {header.decode().strip()}"


def encode_numbers(template: str, columns: Sequence[NDArray[Any]]) -> bytes:
    r"""Return one line per element of arrays of equal length, each from a template such as `"%d,%r\n"`.

    >>> encode_numbers("%d,%r\n", [np.array([1, 2]), np.array([0.5, 1 / 3])])
    b'1,0.5\n2,0.3333333333333333\n'
    """
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return "".join([template % row for row in rows]).encode()


def decode_numbers(lines: bytes) -> NDArray[np.float64]:
    """Return the numbers in lines of a log, shape (lines, columns); raise ValueError if there are none."""
    if not lines.strip():
        raise ValueError("its rows are empty")
    return np.loadtxt(io.BytesIO(lines), delimiter=",", comments=None, ndmin=2)


def read_log(path: str | Path, rows: LogFormat[Rows], name: str = "log.csv", noun: str = "run") -> Rows:
    """Return the rows so far in the log of a run folder; the log is not locked."""
    path = Path(path)
    with described(path, noun, f"cannot read {path / name}", name):
        data = (path / name).read_bytes()
    return rows.decode(data, path / name)
