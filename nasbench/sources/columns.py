"""A table's file, CSV or Parquet, as columns of values as they come."""

import csv
import hashlib
import importlib.util
import io
from collections import Counter

from nasbench.errors import MissingDependencyError, SourceError
from nasbench.files import reading

_LARGEST = 512 << 20  # bytes
_MOST = 20  # columns, in a line about them
_LONGEST = 300  # characters of another error that are passed on


def read_columns(path):
    """The columns of a file, {name: values as they come}, and its sha256."""
    with reading(path):
        size = path.stat().st_size
        if size > _LARGEST:
            raise SourceError(f"{path} has {size:,} bytes; a table can have {_LARGEST:,}")
        data = path.read_bytes()
    header, rows = _parquet(data, path) if data.startswith(b"PAR1") else _csv(data, path)
    twice = [name for name, times in Counter(header).items() if name and times > 1]
    if twice:
        raise SourceError(f"{path} has several columns of one name: {listed(twice)}")
    if not rows:
        raise SourceError(f"{path} has no rows")
    return dict(zip(header, zip(*rows, strict=True), strict=True)), hashlib.sha256(data).hexdigest()


def _csv(data, path):
    """The header and the rows of a CSV file; not by pandas, which fills up a row that is too short."""
    try:
        lines = io.StringIO(data.decode("utf-8-sig"), newline="")
        header, *rows = [row for row in csv.reader(lines, strict=True, skipinitialspace=True) if row] or [[]]
    except (csv.Error, UnicodeDecodeError) as error:
        raise SourceError(f"{path} is truncated, damaged or no CSV in UTF-8 ({error})") from None
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise SourceError(f"{path}, row {number} has {len(row)} values; there are {len(header)} columns")
    return [name.strip() for name in header], rows


def _parquet(data, path):
    if importlib.util.find_spec("pyarrow") is None:
        raise MissingDependencyError(f"{path} is a Parquet file, which needs pyarrow: pip install pyarrow")
    import pandas

    try:
        frame = pandas.read_parquet(io.BytesIO(data), engine="pyarrow")
        named = [name for name in frame.index.names if name is not None]
        frame = frame.reset_index(level=named) if named else frame
        values = frame.astype(object).where(frame.notna(), None).to_numpy()
    except Exception as error:  # a damaged file can raise nearly anything
        raise SourceError(f"{path} is truncated or damaged ({said(error)})") from None
    return [str(name) for name in frame.columns], values.tolist()


def listed(columns):
    names = [repr(column) for column in columns]
    return ", ".join(names[:_MOST]) + (", ..." if len(names) > _MOST else "")


def said(error):
    return " ".join(str(error).split())[:_LONGEST]
