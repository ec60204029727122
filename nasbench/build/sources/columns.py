"""Reading of CSV and Parquet files into columns of unconverted values."""

import csv
import gzip
import hashlib
import importlib.util
import io
import lzma
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple

from nasbench.build.sources.source import reading
from nasbench.errors import MissingDependencyError, SourceError, one_line, shown
from nasbench.runs.text import counted
from nasbench.spaces import SPACES

_LARGEST = 128 << 20  # maximum bytes, packed or unpacked
_MOST_ROWS = max(space.cells for space in SPACES.values())
_MARKS = ",;\t"  # separators of values
_MOST = 20  # columns listed in a message
_HEAD = 1 << 16  # bytes that must contain the header
_PARQUET, _GZIP, _XZ = b"PAR1", b"\x1f\x8b", b"\xfd7zXZ\0"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_COMMENT = re.compile(r"\s*#(?![,;\t])")  # a header can start with a column named #


class Columns(NamedTuple):
    """The columns of a table file."""

    #: unconverted values by name of the column
    values: dict[str, tuple[object, ...]]
    #: places of the rows in errors: `line 2` of a CSV file, `row 1` of a Parquet file
    places: list[str]
    #: sha256 of the file
    sha256: str


def read_columns(path: Path) -> Columns:
    """Read a CSV or Parquet file, plain or compressed with gzip or xz.

    Raise SourceError if it is truncated, damaged, too large for a table, or has no rows.
    """
    with reading(path), open(path, "rb") as file:
        size = path.stat().st_size
        if size > _LARGEST:
            raise SourceError(f"{path} has {size:,} bytes; a table can have at most {_LARGEST:,}")
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        data = _unpacked(file, _LARGEST + 1, path)
        if len(data) > _LARGEST:
            raise SourceError(f"{path} unpacks to more than {_LARGEST:,} bytes, the maximum for a table")
        header, rows, places = (_parquet if data.startswith(_PARQUET) else _csv)(data, path)
    twice = [name for name, times in Counter(header).items() if name and times > 1]
    if twice:
        raise SourceError(f"{path} has several columns with the same name: {listed(twice)}")
    if not rows:
        raise SourceError(f"{path} has no rows")
    if len(rows) > _MOST_ROWS:
        raise SourceError(f"{path} has more than {_MOST_ROWS:,} rows; a table has one row per cell")
    return Columns(dict(zip(header, zip(*rows, strict=True), strict=True)), places, sha256)


def is_table(path: Path) -> bool:
    """Return whether a file, once unpacked, starts like a Parquet file or like text with a CSV header."""
    with reading(path), open(path, "rb") as file:
        head = _unpacked(file, _HEAD, path)
    if head.startswith(_PARQUET):
        return True
    if (
        not head.startswith(_UTF16) and b"\0" in head[:2]
    ):  # UTF-16 without byte order mark, which is an error when it is read
        head = head.replace(b"\0", b"")
    text = head.decode("utf-16" if head.startswith(_UTF16) else "utf-8-sig", "replace")
    comments, lines = _header_first(text)
    header = next(lines, "")
    return "\0" not in header and (bool(comments and not header) or any(mark in header for mark in _MARKS))


def _unpacked(file: BinaryIO, most: int, path: Path) -> bytes:
    """Return up to `most` bytes of a file, unpacked if it is a gzip or xz file."""
    file.seek(0)
    head = file.read(len(_XZ))
    file.seek(0)
    try:
        if head.startswith(_GZIP):
            return gzip.GzipFile(fileobj=file).read(most)
        return (lzma.LZMAFile(file) if head == _XZ else file).read(most)
    except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        raise SourceError(f"{path} is truncated or damaged ({one_line(error)})") from None


def _header_first(text: str) -> tuple[int, Iterator[str]]:
    """Return the number of comments and empty lines before a CSV header, and the lines starting with it."""
    lines = io.StringIO(text, newline="")
    before = 0
    for line in lines:
        if line.strip() and not _COMMENT.match(line):
            return before, chain([line], lines)
        before += 1
    return before, lines


def _csv(data: bytes, path: Path) -> tuple[list[str], list[list[object]], list[str]]:
    """Return header, rows and places of rows; pandas is not used, because it pads short rows."""
    encoding = "utf-16" if data.startswith(_UTF16) else "utf-8-sig"
    try:
        before, lines = _header_first(data.decode(encoding))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].decode(encoding).count("\n") + 1
        raise _not_text(path, f"line {line} is not: {error.reason}") from None
    first = next(lines, "")
    if "\0" in first:
        raise _not_text(path, "its header contains null bytes")
    mark = max(_MARKS, key=first.count)
    reader = csv.reader(chain([first], lines), delimiter=mark, strict=True, skipinitialspace=True)
    rows: list[list[str]] = []
    places, line = [], before + 1
    try:
        for row in reader:
            if row:
                rows.append(row)
                places.append(f"line {line}")
            if len(rows) > _MOST_ROWS + 1:
                break
            line = before + reader.line_num + 1
    except csv.Error as error:
        raise SourceError(f"{path} is truncated, damaged or not CSV, at line {line} ({error})") from None
    header, *values = rows or [[]]
    places = places[1:]
    for row, place in zip(values, places, strict=True):
        if len(row) != len(header):
            raise SourceError(
                f"{path}, {place} has {counted(len(row), 'value')} for {counted(len(header), 'column')}"
            )
    return [name.strip() for name in header], [list(row) for row in values], places


def _not_text(path: Path, reason: str) -> SourceError:
    return SourceError(
        f"{path} must be Parquet, or text in UTF-8, or in UTF-16 with a byte order mark; {reason}"
    )


def _parquet(data: bytes, path: Path) -> tuple[list[str], list[list[object]], list[str]]:
    """Return header, rows and places of rows."""
    if importlib.util.find_spec("pyarrow") is None:
        raise MissingDependencyError(f"{path} is a Parquet file, which needs pyarrow: pip install pyarrow")
    import pandas

    try:
        from pyarrow.parquet import ParquetFile

        count = ParquetFile(io.BytesIO(data)).metadata.num_rows
        if count > _MOST_ROWS:  # checked before memory is allocated
            raise SourceError(f"{path} has {count:,} rows; a table has one row per cell")
        frame = pandas.read_parquet(io.BytesIO(data), engine="pyarrow")
        named = [name for name in frame.index.names if name is not None]
        frame = frame.reset_index(level=named) if named else frame
        values = frame.astype(object).where(frame.notna(), None).to_numpy()
    except SourceError:
        raise
    except Exception as error:  # damaged files can raise almost any exception
        raise SourceError(f"{path} is truncated or damaged ({one_line(error)})") from None
    places = [f"row {row}" for row in range(1, len(values) + 1)]
    return [str(name) for name in frame.columns], values.tolist(), places


def listed(columns: Iterable[object]) -> str:
    """Return the names of columns as text for a message."""
    names = [shown(column) for column in columns]
    return ", ".join(names[:_MOST]) + (", ..." if len(names) > _MOST else "")


def shorten(items: Sequence[str], most: int = 4) -> str:
    """Return the first items as a list, and the number of further items."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more
