"""The metrics of a page: selected, described, packed, and within its size."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nasbench.answers import Recorded, list_seeds
from nasbench.arrays import Values
from nasbench.benchmark import Benchmark
from nasbench.constraints import split_metric
from nasbench.errors import ConfigError, NotRecordedError
from nasbench.metrics import DATASETS, METRICS, UNKNOWN_SEED, get_dataset, get_metric, meaning_of
from nasbench.pages.pack import deflated
from nasbench.spaces import TOPOLOGY

ROOM = 5_800_000  # bytes of all packed columns: a page stays below 6 MB
FORMULA = "by the formula of the network; not in the store"
_BY_FORMULA = ("params", "flops")
_COSTS = ("latency", *_BY_FORMULA, "train_time")


@dataclass(frozen=True)
class Column:
    """A metric of every cell, and what its numbers are."""

    dataset: str
    metric: str
    #: epochs of the training run; None for a metric of the network
    protocol: int | None
    #: METRIC or METRIC@EPOCHS
    label: str
    unit: str
    higher: bool
    hardware: bool
    meaning: str
    #: how a value comes about, such as the seeds that it is the mean of
    origin: str
    source: str
    #: by code, as `nasbench.pages.pack.deflated` packs them
    packed: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values; those of `packed` among them."""
        fields = asdict(self)
        packed: dict[str, Any] = fields.pop("packed")
        return fields | packed


@dataclass(frozen=True)
class Columns:
    """The metrics that a page has."""

    shown: list[Column]
    #: names of those that it has no room for
    left: list[str]

    @property
    def accuracies(self) -> list[Column]:
        """The accuracies among them."""
        return [column for column in self.shown if METRICS[column.metric].kind == "accuracy"]

    def start(self) -> tuple[Column, Column]:
        """Return the metrics that the page begins with, across and up: a cost and an accuracy, if any."""
        up = min(self.accuracies or self.shown[1:], key=lambda column: column.metric != "val_accuracy")
        others = sorted(
            (column for column in self.shown if column is not up),
            key=lambda column: (
                column.dataset != up.dataset,
                _COSTS.index(column.metric) if column.metric in _COSTS else len(_COSTS),
            ),
        )
        return others[0], up


def select(
    bench: Benchmark, dataset: str | None = None, names: Sequence[str] = (), room: int = ROOM
) -> Columns:
    """Return the metrics of a table that fit in a page.

    Parameters
    ----------
    bench
        The table.
    dataset
        Name of a data set; by default all.
    names
        METRIC or METRIC@EPOCHS; by default all that are recorded, and in the topology space parameters and
        multiply-adds by formula. Those of the longest protocol and of the network come first.
    room
        Bytes that all packed columns may have.

    Raises
    ------
    ConfigError
        If there are fewer than two metrics.
    NotRecordedError
        If one that is named is not in the table on any data set; also errors of unknown names.
    """
    if dataset is not None:
        get_dataset(dataset)
    longest = bench.space.full_protocol
    asked = {_key(name, longest): name for name in names}
    shown: list[Column] = []
    left: list[str] = []
    missing = dict(asked)
    for recorded, how in sorted(_recorded(bench), key=lambda pair: pair[0].protocol not in (None, longest)):
        key = recorded.metric, recorded.protocol
        if dataset not in (None, recorded.dataset) or (asked and key not in asked):
            continue
        values = _values(bench, recorded, how)
        if np.isnan(values).all():
            continue
        missing.pop(key, None)
        column = _column(recorded, values, how, longest)
        size = len(column.packed["steps"])
        if size > room:
            left.append(f"{recorded.dataset} {column.label}")
        else:
            room -= size
            shown.append(column)
    where = f" for {dataset}" if dataset else ""
    if missing:
        raise NotRecordedError(
            f"{bench.store.path} has no {', '.join(missing.values())}{where}; `info` lists its metrics"
        )
    if len(shown) < 2:
        only = f"only {shown[0].dataset} {shown[0].label}" if shown else "none"
        raise ConfigError(f"a page needs at least two metrics, got {only}{where} from {bench.store.path}")
    shown.sort(key=lambda column: list(DATASETS).index(column.dataset))
    return Columns(shown, left)


def _key(name: str, longest: int) -> tuple[str, int | None]:
    """Return metric and protocol of METRIC or METRIC@EPOCHS."""
    metric, epochs = split_metric(name)
    return metric, None if METRICS[metric].of_the_network else epochs or longest


def _recorded(bench: Benchmark) -> Iterator[tuple[Recorded, str]]:
    """Yield what a table has, and in the topology space what follows from a cell, with how it comes about."""
    recorded = bench.recorded()
    for each in recorded:
        yield each, _averaged(each.seeds)
    if bench.space is TOPOLOGY:
        known = {(each.dataset, each.metric) for each in recorded}
        for dataset in dict.fromkeys(each.dataset for each in recorded):
            for metric in _BY_FORMULA:
                if (dataset, metric) not in known:
                    yield Recorded(dataset, None, metric, None, None), FORMULA


def _averaged(seeds: Sequence[int] | None) -> str:
    """Return what the values of a metric with these seeds are."""
    if seeds is None:
        return "of the network itself, without training"
    if list(seeds) == [UNKNOWN_SEED]:
        return "mean over seeds, as published"
    return (
        f"seed {seeds[0]}"
        if len(seeds) == 1
        else f"mean over the cell's recorded seeds ({list_seeds(seeds)})"
    )


def _values(bench: Benchmark, recorded: Recorded, how: str) -> Values:
    if how != FORMULA:
        return bench.by_code(recorded.dataset, recorded.metric, protocol=recorded.protocol)
    from nasbench.build.sources.formulas import formulas  # imported here because few tables need it

    return formulas()[recorded.dataset, recorded.metric]


def _column(recorded: Recorded, values: Values, how: str, longest: int) -> Column:
    metric = get_metric(recorded.metric)
    shorter = recorded.protocol not in (None, longest)
    return Column(
        recorded.dataset,
        metric.name,
        recorded.protocol,
        f"{metric.name}@{recorded.protocol}" if shorter else metric.name,
        metric.unit,
        metric.higher_is_better,
        metric.hardware,
        meaning_of(recorded.dataset, metric),
        how,
        metric.source,
        deflated(values),
    )
