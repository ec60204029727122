"""A table's file, CSV or Parquet, as columns of values as they come."""

import csv
import hashlib
import importlib.util
import io
from collections import Counter
from itertools import islice

from nasbench.errors import MissingDependencyError, SourceError, said, shown
from nasbench.files import reading
from nasbench.spaces import SPACES

_LARGEST = 128 << 20  # bytes
_MOST_ROWS = max(space.cells for space in SPACES.values())
_MARKS = ",;\t"  # between values
_MOST = 20  # columns, in a line about them


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
    if len(rows) > _MOST_ROWS:
        raise SourceError(f"{path} has more than {_MOST_ROWS:,} rows; a table has one for each cell")
    return dict(zip(header, zip(*rows, strict=True), strict=True)), hashlib.sha256(data).hexdigest()


def _csv(data, path):
    """The header and the rows of a CSV file; not by pandas, which fills up a row that is too short."""
    try:
        text = data.decode("utf-8-sig")
        mark = max(_MARKS, key=text.split("\n", 1)[0].count)
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True, skipinitialspace=True)
        header, *rows = list(islice((row for row in lines if row), _MOST_ROWS + 2)) or [[]]
    except (csv.Error, UnicodeDecodeError) as error:
        raise SourceError(f"{path} is truncated, damaged or no CSV in UTF-8 ({said(error)})") from None
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise SourceError(f"{path}, row {number} has {len(row)} values; there are {len(header)} columns")
    return [name.strip() for name in header], rows


def _parquet(data, path):
    if importlib.util.find_spec("pyarrow") is None:
        raise MissingDependencyError(f"{path} is a Parquet file, which needs pyarrow: pip install pyarrow")
    import pandas

    try:
        from pyarrow.parquet import ParquetFile

        count = ParquetFile(io.BytesIO(data)).metadata.num_rows
        if count > _MOST_ROWS:  # known before memory is taken for them
            raise SourceError(f"{path} has {count:,} rows; a table has one for each cell")
        frame = pandas.read_parquet(io.BytesIO(data), engine="pyarrow")
        named = [name for name in frame.index.names if name is not None]
        frame = frame.reset_index(level=named) if named else frame
        values = frame.astype(object).where(frame.notna(), None).to_numpy()
    except SourceError:
        raise
    except Exception as error:  # a damaged file can raise nearly anything
        raise SourceError(f"{path} is truncated or damaged ({said(error)})") from None
    return [str(name) for name in frame.columns], values.tolist()


def listed(columns):
    """The names of columns, for a message."""
    names = [shown(column) for column in columns]
    return ", ".join(names[:_MOST]) + (", ..." if len(names) > _MOST else "")
