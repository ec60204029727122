"""A table of one's own: a CSV or Parquet file with a row a cell, and columns that are named or mapped."""

import math
import re
import reprlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nasbench.errors import NASBenchError, SourceError
from nasbench.metrics import DATASETS, UNKNOWN_SEED, Metric, dataset_of, exists, metric_of
from nasbench.sources.columns import listed, read_columns, said
from nasbench.sources.source import Table
from nasbench.spaces import SIZE, SPACES, TOPOLOGY, space_of

NAMES = ("arch", "index", "code")  # of a cell: its string, its official index, its code
_FORMS = (
    "a metric is dataset:protocol:metric, of one seed dataset:protocol:metric:seed, and if it belongs to the"
    f" network dataset:metric; {', '.join(NAMES)} name the cell"
)
# Of a column that needs no map; what looks like one is held to its data set and metric too.
_OWN_NAME = re.compile(rf"(?:{'|'.join(map(re.escape, DATASETS))})[:/]|[\w.-]+:\d+:\w+")


class _Target(NamedTuple):
    """What a column of values is."""

    dataset: str
    protocol: int | None  # epochs; None for what belongs to the network
    metric: Metric
    seed: int | None  # None where none is given

    @property
    def array(self):
        """Its name in the store."""
        if self.protocol is None:
            return f"{self.dataset}/{self.metric.name}"
        return f"{self.dataset}/{self.protocol}/final/{self.metric.name}"

    @property
    def seed_in_store(self):
        return UNKNOWN_SEED if self.seed is None else self.seed


class UserTable(Table):
    """A row a cell, a column that names it (`arch`, `index` or `code`), and a column a metric.

    Metrics are called `cifar10:200:val_accuracy`, of one seed `cifar10:200:val_accuracy:777`, and if they
    belong to the network `cifar10:params`; `cifar10/val_accuracy` is of the space's longest protocol. `maps`
    says what columns of other names are: "acc=cifar10:200:val_accuracy", "id=index". Where a map names the
    cell, columns called `arch`, `index` or `code` do not. All other columns are left out.

    Without a seed the values are those of seed -1: a mean, or a run whose seed is not known; a metric has one
    such column, or columns of seeds. An empty value or NaN is not recorded. Units are those of
    `nasbench.metrics`; rows count from 1, without the header.

    `space`: a flag; None for the space of the arch strings, or without these the topology space.
    """

    kind = "table"

    def __init__(self, path, maps=(), space=None):
        path = Path(path)
        columns, digest = read_columns(path)
        naming, metrics = _roles(columns, maps, path)
        space = _space_of(columns, naming) if space is None else space_of(space)
        targets = {column: _target(text, space, _where(path, column)) for column, text in metrics.items()}
        seeds = _seeds(targets, path)
        codes = _codes(columns, naming, space, path)
        arrays = {}
        for column, target in targets.items():
            values = _values(columns[column], target.metric, _where(path, column))
            if target.protocol is None:
                array = arrays[target.array] = np.full(space.cells, np.nan)
                array[codes] = values
            else:
                of_group = seeds[target.dataset, target.protocol]
                array = arrays.setdefault(target.array, np.full((space.cells, len(of_group)), np.nan))
                array[codes, of_group.index(target.seed_in_store)] = values
        provenance = {
            "source": "table",
            "source_version": path.name,
            "source_sha256": digest,
            "licence": "that of its author",
            "citation": "that of its author",
        }
        super().__init__(path, space, arrays, seeds, provenance)
        self._maps = list(maps)
        self.checks.append(f"{len(codes):,} cells, each once, by the columns {listed(naming)}")
        self.checks.append("no value that is infinite, negative, or an accuracy above 100 %")
        longest = [
            column for column, text in metrics.items() if _of_the_longest(text) and targets[column].protocol
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
        left_out = [column for column in columns if column not in naming and column not in targets]
        if left_out:
            self.notes.append(f"columns that were left out: {listed(left_out)}")

    def identity(self):
        return super().identity() | {"maps": self._maps}


# From columns to what they are


def _roles(columns, maps, path):
    """The columns that name the cell, {column: one of NAMES}, and those of metrics, {column: text}."""
    mapped = {}
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


def _space_of(columns, naming):
    archs = [str(columns[column][0]) for column, name in naming.items() if name == "arch"]
    return SIZE if any(":" in arch for arch in archs) else TOPOLOGY


def _target(text, space, where):
    parts = text.replace("/", ":").split(":")
    if not 2 <= len(parts) <= 4:
        raise SourceError(f"{where}: {text!r} says of no metric what it is: {_FORMS}")
    try:
        dataset, metric = dataset_of(parts[0]).name, metric_of(parts[min(2, len(parts) - 1)])
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
    if _of_the_longest(text):
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


def _of_the_longest(text):
    """Whether it has the form `cifar10/val_accuracy`, as the columns of `NB201.frame` do."""
    return text.count("/") == 1 and ":" not in text


def _seeds(targets, path):
    """The seeds of each (data set, protocol), once no column is the same as another or may be its mean."""
    columns, seeds = {}, {}
    for column, target in targets.items():
        other = columns.setdefault((target.array, target.seed), column)
        if other != column:
            raise SourceError(f"{path}: the columns {other!r} and {column!r} are the same metric and seed")
        if target.protocol is not None:
            seeds.setdefault((target.dataset, target.protocol), set()).add(target.seed_in_store)
    for (array, seed), column in columns.items():
        if seed is not None and (array, None) in columns:
            raise SourceError(
                f"{path}: column {columns[array, None]!r} has no seed, so it may be a mean of others, such as"
                f" {column!r}; it needs a seed, or should be left out"
            )
    return {group: tuple(sorted(of_group)) for group, of_group in seeds.items()}


# From values to numbers


def _codes(columns, naming, space, path):
    """The code of each row's cell, once all columns agree and no cell is there twice."""
    found = [
        [
            _code(value, name, space, f"{_where(path, column)}, row {row}")
            for row, value in enumerate(columns[column], 1)
        ]
        for column, name in naming.items()
    ]
    rows = {}
    for row, (code, *others) in enumerate(zip(*found, strict=True), 1):
        if set(others) - {code}:
            alone = "=".join(next(iter(naming.items())))
            raise SourceError(
                f"{path}, row {row}: the columns {listed(naming)} name different cells;"
                f" with --map {alone} one of them is taken alone"
            )
        if rows.setdefault(code, row) != row:
            raise SourceError(
                f"{path}, row {row}: cell {space.cell(code)} is there twice, first in row {rows[code]}"
            )
    return list(rows)


def _code(value, name, space, where):
    if name == "arch":
        try:
            return space.code_of("" if value is None else str(value).strip())
        except NASBenchError as error:
            raise SourceError(f"{where}: {said(error)}") from None
    number = _number(value)
    if number is None or not number.is_integer() or not 0 <= number < space.cells:
        raise SourceError(
            f"{where}: {name} is a whole number in [0, {space.cells - 1}], got {reprlib.repr(value)}"
        )
    return int(number) if name == "code" else int(space.official_order()[int(number)])


def _values(column, metric, where):
    """The values of a column, float64 (rows,)."""
    high, limits = np.finfo(np.float64).max, "of at least 0, and finite"
    if metric.kind == "accuracy":
        high, limits = 100.0, "in [0, 100], in percent"
    values = [_number(value) for value in column]
    for row, number in enumerate(values, 1):
        if number is None or not (0 <= number <= high or math.isnan(number)):
            raise SourceError(
                f"{where}, row {row}: {metric.name} should be a number {limits}, or empty;"
                f" got {reprlib.repr(column[row - 1])}"
            )
    known = [number for number in values if not math.isnan(number)]
    if metric.kind == "accuracy" and known and 0 < max(known) <= 1:
        raise SourceError(
            f"{where}: {metric.name} is in percent; these look like fractions, as none is above 1,"
            f" such as {known[0]}"
        )
    return np.array(values)


def _number(value):
    """A float; NaN for what is empty, None for what is no number."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return math.nan
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        return None
    try:
        return float(value)
    except (ValueError, TypeError, OverflowError):
        return None


def _where(path, column):
    return f"{path}, column {column!r}"
