"""Selection, description and packing of a page's metrics, within its size limit."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nasbench.answers import Recorded, list_seeds
from nasbench.arrays import Values
from nasbench.benchmark import Benchmark
from nasbench.constraints import split_metric
from nasbench.errors import ConfigError, NotRecordedError
from nasbench.metrics import DATASETS, METRICS, UNKNOWN_SEED, describe_metric, get_dataset, get_metric
from nasbench.pages.pack import deflated
from nasbench.spaces import TOPOLOGY

ROOM = 5_800_000  # bytes of all packed columns, so that a page stays below 6 MB
FORMULA = "computed from the network; not in the store"
_BY_FORMULA = ("params", "flops")
_COSTS = ("latency", *_BY_FORMULA, "train_time")


@dataclass(frozen=True)
class Column:
    """A metric of every cell with its description."""

    #: name of the data set
    dataset: str
    #: name of the metric
    metric: str
    #: epochs of the training run; None for a metric of the network
    protocol: int | None
    #: METRIC or METRIC@EPOCHS
    label: str
    #: unit of the values
    unit: str
    #: whether higher values are better
    higher: bool
    #: whether the metric belongs to a hardware device
    hardware: bool
    #: description of the metric
    meaning: str
    #: origin of a value, such as the seeds of a mean
    origin: str
    #: paper that defines the metric
    source: str
    #: values ordered by code, packed by `nasbench.pages.pack.deflated`
    packed: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values, with the items of `packed` at the same level."""
        fields = asdict(self)
        packed: dict[str, Any] = fields.pop("packed")
        return fields | packed


@dataclass(frozen=True)
class Columns:
    """The metrics of a page."""

    #: metrics on the page
    shown: list[Column]
    #: names of the metrics that do not fit
    left: list[str]

    @property
    def accuracies(self) -> list[Column]:
        """Shown metrics that are accuracies."""
        return [column for column in self.shown if METRICS[column.metric].kind == "accuracy"]

    def start(self) -> tuple[Column, Column]:
        """Return the initial metrics of the horizontal and vertical axis: a cost and an accuracy, if any."""
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
        Table.
    dataset
        Name of a data set; by default all data sets.
    names
        METRIC or METRIC@EPOCHS; by default all recorded metrics and, in the topology space, computed
        parameters and multiply-adds. Metrics of the longest protocol and of the network come first.
    room
        Maximum size of all packed columns, in bytes.

    Returns
    -------
    Columns
        The metrics that fit, and the names of the others.

    Raises
    ------
    ConfigError
        If there are fewer than two metrics.
    NotRecordedError
        If a given metric is not in the table for any data set.
    UnknownDatasetError, UnknownMetricError
        If a name is unknown.
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
    """Return the metric and the protocol of METRIC or METRIC@EPOCHS."""
    metric, epochs = split_metric(name)
    return metric, None if METRICS[metric].of_the_network else epochs or longest


def _recorded(bench: Benchmark) -> Iterator[tuple[Recorded, str]]:
    """Yield each recorded or, in the topology space, computed metric with the origin of its values."""
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
    """Return the origin of the values of a metric with these seeds."""
    if seeds is None:
        return "metric of the network, without training"
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
        describe_metric(recorded.dataset, metric),
        how,
        metric.source,
        deflated(values),
    )
