"""Published tables that answer: query, columns, curves, ranks, and the simulated clock."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nasbench.answers import Answers, Question
from nasbench.errors import InvalidArgumentError, NotRecordedError, StoreError
from nasbench.home import default_path, open_default
from nasbench.metrics import metric_of
from nasbench.runs.checks import integer
from nasbench.spaces import SIZE, TOPOLOGY, space_named, space_of
from nasbench.store import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nasbench.constraints import Where


class Ranked(NamedTuple):
    """A cell and its place among all cells."""

    rank: int  # one more than the number of cells that are strictly better
    cell: object
    index: int
    value: float


class Simulated(NamedTuple):
    """What evaluating a cell gives and costs, by the published tables."""

    accuracy: float  # percent
    latency: float  # seconds for a batch of 256 images
    cost: float  # seconds: training up to the epoch, and one pass over the validation images
    metric: str  # which accuracy it is: valtest_accuracy where validation is not recorded at the epoch


class Benchmark(ABC):
    """The table of a store. A cell is named by official index, string, operations or widths, or object.

    Values are means over the recorded seeds, after the last epoch of the longest protocol, as papers print
    them, unless `protocol` (its number of epochs), `epoch` or `seed` say otherwise. Epochs count from 0, as
    in the published files. What is not recorded is a NotRecordedError that says what is, never another
    number. Meanings, units and sources of the metrics: `nasbench.metrics`.
    """

    space = None  # a nasbench.spaces.Space

    def __init__(self, path=None):
        """`path`: of a store, or an open Store; None: the default one."""
        space = self.space
        if path is None:
            path = self._default()
        self.store = path if isinstance(path, Store) else Store(path)
        if self.store.attributes["space"] != space.name:
            other = space_named(self.store.attributes["space"])
            with_ = f"; open it with nasbench.{_CLASSES[other.flag].__name__}" if other else ""
            with_ += f", or --space {other.flag}" if other else ""
            raise StoreError(
                f"{self.store.path} holds the {self.store.attributes['space']}, not {space.name}{with_}"
            )
        self._cells = space.cells
        self._cell_type = space.cell
        self._answers = Answers(self.store, space)
        index = self.store.take("index", [np.uint16], space.cells)
        if (np.bincount(index, minlength=space.cells) != 1).any():
            raise StoreError(f"{self.store.path} is damaged: its index does not name every cell once")
        self._official_index = index
        self._order = np.empty(space.cells, dtype=np.intp)  # official index -> code
        self._order[index] = np.arange(space.cells)
        self._code_of_index = self._order.tolist()
        self._code_of_string = {}  # of the strings met so far
        self._readers = {}  # question -> what gives a float for a code
        self._curves = {}  # question -> what gives a curve for a code

    @abstractmethod
    def _default(self) -> Store:
        """Open the store that is used if none is named."""

    def __repr__(self):
        return f"{type(self).__name__}({str(self.store.path)!r})"

    def __reduce__(self):
        return type(self), (str(self.store.path),)

    # One cell

    def query(self, cell, dataset, metric, *, protocol=None, epoch=None, seed=None):
        """The value of a metric, a float in the metric's unit."""
        try:
            reader = self._readers[dataset, metric, protocol, epoch, seed]
        except (KeyError, TypeError):
            question = self._question(dataset, metric, protocol, epoch, seed)
            reader = self._readers[question] = self._answers.reader(question)
            if protocol is None:
                self._readers[question._replace(protocol=None)] = reader
        code = self._code(cell)
        value = reader[code]
        if value != value:
            question = self._question(dataset, metric, protocol, epoch, seed)
            raise NotRecordedError(self._answers.why_not(question, code))
        return value

    def curve(self, cell, dataset, metric, *, protocol=None, seed=None):
        """The values at all epochs, float64 (epochs,); NaN at an epoch that was not recorded."""
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

    def seeds(self, cell, dataset, metric="val_accuracy", *, protocol=None):
        """The seeds that the metric is recorded with, a tuple; they differ from cell to cell."""
        return self._answers.seeds(self._question(dataset, metric, protocol, None, None), self._code(cell))

    def simulate(self, cell, dataset, protocol=None, epoch=None, *, seed=None):
        """What evaluating the cell gives and costs: (accuracy, latency, cost, metric), a `Simulated`.

        The cost is that of training from the start to the epoch and of one pass over the validation images,
        in seconds. `protocol` is by default the 12-epoch one, which the searches of the NATS-Bench paper
        evaluate with; `epoch` is its last. Where validation is not recorded at the epoch, the accuracy is
        that on validation and test images together, as the official API has it; `metric` says so.

        Values are means over seeds where `seed` names none. Source: Dong et al. 2021, NATS-Bench,
        arXiv:2009.00437, section 4.
        """
        protocol = self.space.signal_protocol if protocol is None else protocol
        options = {"protocol": protocol, "epoch": epoch, "seed": seed}
        metric = "val_accuracy"
        try:
            accuracy = self.query(cell, dataset, metric, **options)
        except NotRecordedError as error:
            metric = "valtest_accuracy"
            try:
                accuracy = self.query(cell, dataset, metric, **options)
            except NotRecordedError:
                raise error from None
        cost = self.query(cell, dataset, "train_time", **options)
        cost += self.query(cell, dataset, "val_time", **options)
        return Simulated(accuracy, self.query(cell, dataset, "latency"), cost, metric)

    def cell(self, cell):
        """The cell of any name for it, a Cell or a SizeCell."""
        return self._cell_type(self._code(cell))

    def index(self, cell):
        """The official index of a cell."""
        return int(self._official_index[self._code(cell)])

    def latency(self, cell, dataset):
        """Seconds for a forward pass of 256 images."""
        return self.query(cell, dataset, "latency")

    def params(self, cell, dataset):
        """Trainable parameters of the data set's network, in millions."""
        return self.query(cell, dataset, "params")

    def flops(self, cell, dataset):
        """Multiply-adds for one image, in millions."""
        return self.query(cell, dataset, "flops")

    def entry(self, cell, *, protocol=None):
        """Return all that is recorded after the last epoch: {data set: {metric: mean over seeds}}.

        In a store without the longest protocol, this is what belongs to the network, unless `protocol` names
        another one; NotRecordedError if the store lacks that.
        """
        code = self._code(cell)
        found = {}
        for dataset, metric in self._answers.recorded_in(protocol):
            value = self._answers.value(self._question(dataset, metric, protocol, None, None), code)
            if value == value:
                found.setdefault(dataset, {})[metric] = value
        return found

    def rank(self, cell, dataset, metric, *, protocol=None, epoch=None, seed=None, where=None):
        """One more than the number of cells, of the feasible ones if there are limits, that are better."""
        value = self.query(cell, dataset, metric, protocol=protocol, epoch=epoch, seed=seed)
        column = self._feasible_column(dataset, metric, protocol, epoch, seed, where)
        better = column > value if metric_of(metric).higher_is_better else column < value
        return int(np.count_nonzero(better)) + 1

    def regret(self, cell, dataset, metric, *, protocol=None, epoch=None, seed=None, where=None):
        """How far the cell is from the best one, or the best feasible one, in the metric's unit."""
        value = self.query(cell, dataset, metric, protocol=protocol, epoch=epoch, seed=seed)
        column = self._feasible_column(dataset, metric, protocol, epoch, seed, where)
        if metric_of(metric).higher_is_better:
            return float(np.nanmax(column)) - value
        return value - float(np.nanmin(column))

    # The whole space

    def columns(self, dataset, metrics, *, protocol=None, epoch=None, seed=None):
        """All N cells in the order of official indices; NaN where a cell has no value.

        Float64 (N,) for the name of one metric, (M, N) for a list of M.
        """
        options = {"protocol": protocol, "epoch": epoch, "seed": seed}
        if isinstance(metrics, str):
            return self.by_code(dataset, metrics, **options).take(self._order)
        if not len(metrics):
            raise InvalidArgumentError("columns are of one metric or more, got none")
        return np.stack([self.columns(dataset, metric, **options) for metric in metrics])

    def by_code(self, dataset, metric, *, protocol=None, epoch=None, seed=None):
        """All cells in the order of codes: read-only float64 (N,), for searches, which know codes."""
        return self._answers.column(self._question(dataset, metric, protocol, epoch, seed))

    def feasible(self, dataset: str, where: Where) -> NDArray[np.bool_]:
        """Return which cells satisfy limits on metrics of a data set, bool (N,) in the order of codes.

        `where`: {METRIC or METRIC@EPOCHS: (lowest, highest)}, both inclusive, None for no limit. A cell whose
        value is not recorded is not feasible. InvalidArgumentError if no cell is, or limits are malformed.

        >>> bench = NB201()
        >>> int(bench.feasible("cifar10", {"params": (None, 0.5), "flops": (20, 50)}).sum())
        4042
        """
        from nasbench.constraints import check_any, checked, column_of, satisfied  # most lookups need none

        where = checked(where, self.space.full_protocol)
        feasible = np.ones(self._cells, dtype=bool)
        for name, limits in where.items():
            feasible &= satisfied(column_of(self, dataset, name), limits)
        check_any(self, dataset, where, feasible)
        return feasible

    def top(self, n, dataset, metric, *, protocol=None, epoch=None, seed=None, where=None):
        """The n best cells, a list of (rank, cell, index, value); equal values in the order of indices.

        `where`: limits as for `feasible`; ranks are then among the feasible cells.
        """
        count = integer(n)
        if count is None or count < 1:
            raise InvalidArgumentError(f"n is a whole number of at least 1, got {n!r}")
        values = self._feasible_column(dataset, metric, protocol, epoch, seed, where).take(self._order)
        losses = -values if metric_of(metric).higher_is_better else values
        known = np.count_nonzero(~np.isnan(losses))
        if not known:
            which = "feasible cell" if where else "cell"
            raise NotRecordedError(f"no {which} has a value of {dataset} {metric} in this store")
        best = np.argsort(losses, kind="stable")[: min(count, known)]
        ranks = np.searchsorted(losses[best], losses[best]) + 1
        return [
            Ranked(int(rank), self._cell_type(self._code_of_index[index]), int(index), float(values[index]))
            for rank, index in zip(ranks, best, strict=True)
        ]

    def best(self, dataset, metric, *, protocol=None, epoch=None, seed=None, where=None):
        """The best cell, or the best feasible one, (rank, cell, index, value); arguments as for `top`."""
        return self.top(1, dataset, metric, protocol=protocol, epoch=epoch, seed=seed, where=where)[0]

    def frame(self, *, protocol=None):
        """Return the whole table as a pandas DataFrame, with a row for each cell by official index.

        Columns: arch, code, isomorphism_class (in the topology space), then `<data set>/<metric>` for all
        that the protocol has; `<data set>/<protocol>/<metric>` if it is not the longest protocol. In a store
        without the longest protocol, these are the metrics of the network, unless `protocol` names another
        one; NotRecordedError if the store lacks that.
        """
        import pandas

        table = {"arch": [str(self._cell_type(code)) for code in self._code_of_index], "code": self._order}
        if "isomorphism_class" in self.store:
            table["isomorphism_class"] = self.store["isomorphism_class"].take(self._order)
        epochs = self._protocol(protocol)
        for dataset, metric in self._answers.recorded_in(protocol):
            of_longest = epochs == self.space.full_protocol or metric_of(metric).of_the_network
            name = f"{dataset}/{metric}" if of_longest else f"{dataset}/{epochs}/{metric}"
            table[name] = self.columns(dataset, metric, protocol=protocol)
        return pandas.DataFrame(table, index=pandas.RangeIndex(self._cells, name="index"))

    def verify(self):
        """Compare the store with its checksum, and its index with the official one; else StoreError."""
        self.store.verify()
        if (self._official_index != self.space.official_index()).any():
            raise StoreError(f"{self.store.path}: its index is not the official one")

    def protocols(self, dataset: str | None = None) -> list[int]:
        """Return the protocols that the store has for a data set, or for any, in epochs, ascending."""
        return self._answers.protocols(dataset)

    def recorded(self):
        """What the store holds, a list of (dataset, protocol, metric, seeds, epochs)."""
        return self._answers.recorded()

    def _feasible_column(
        self,
        dataset: str,
        metric: str,
        protocol: int | None,
        epoch: int | None,
        seed: int | None,
        where: Where | None,
    ) -> NDArray[np.float64]:
        """Return `by_code` with NaN for the cells that are not feasible."""
        column = self.by_code(dataset, metric, protocol=protocol, epoch=epoch, seed=seed)
        return np.where(self.feasible(dataset, where), column, np.nan) if where else column

    def _protocol(self, protocol):
        return self.space.full_protocol if protocol is None else protocol

    def _question(self, dataset, metric, protocol, epoch, seed):
        return Question.of(dataset, metric, self._protocol(protocol), epoch, seed)

    def _code(self, cell):
        kind = type(cell)
        if kind is int and 0 <= cell < self._cells:
            return self._code_of_index[cell]
        if kind is str:
            code = self._code_of_string.get(cell)
            if code is None:
                code = self._code_of_string[cell] = self.space.code_of(cell)
            return code
        if kind is self._cell_type:
            return cell.code
        number = integer(cell)
        if number is not None and 0 <= number < self._cells:
            return self._code_of_index[number]
        return self.space.code_of(cell)


class NB201(Benchmark):
    """The NAS-Bench-201 table, topology space of NATS-Bench: the default store, or the one at `path`.

    A cell is named by its official index (any integer type), arch string, sequence of six operations or Cell.
    Protocols are of 12 and 200 epochs. All else: `Benchmark`.

    >>> bench = NB201()
    >>> bench.query(6111, "cifar10", "val_accuracy")
    91.60666665039064
    >>> bench.query(6111, "cifar10", "val_accuracy", seed=888)
    91.71999999023437
    >>> bench.best("cifar10", "val_accuracy").index, bench.rank(9930, "cifar10", "val_accuracy")
    (6111, 2)

    Benchmark: Dong & Yang 2020, arXiv:2001.00326.
    """

    space = TOPOLOGY

    def _default(self) -> Store:
        return open_default()

    def isomorphism_classes(self):
        """The isomorphism class of each cell in the order of codes, uint16 (15625,)."""
        return self.store.take("isomorphism_class", [np.uint16], self._cells)


class SSS(Benchmark):
    """The size space of NATS-Bench: the store that was built in its default place, or the one at `path`.

    A cell is named by its official index (any integer type), a string such as `8:8:8:16:32`, a sequence of
    five widths or a SizeCell. Protocols are of 1, 12 and 90 epochs. All else: `Benchmark`. No package carries
    this table: `python -m nasbench build` makes the store from the published files.

    Benchmark: Dong et al. 2021, NATS-Bench, arXiv:2009.00437.
    """

    space = SIZE

    def _default(self):
        path = default_path(SIZE)
        if not path.exists():
            raise StoreError(
                f"no store of the {SIZE.name} at {path}; it is made from the published files:"
                " python -m nasbench build NATS-sss-v1_0-50262-simple"
            )
        return path


_CLASSES = {benchmark.space.flag: benchmark for benchmark in (NB201, SSS)}


def open_benchmark(path=None, space=None):
    """The table of the store at `path`, of whichever space it is; None: the default store of `space`.

    `space`: a flag, tss or sss; None: that of the store, or tss. StoreError where the store is of another.
    """
    if space is not None:
        return _CLASSES[space_of(space).flag](path)
    if path is None:
        return NB201()
    store = Store(path)
    found = space_named(store.attributes["space"])
    return (NB201 if found is None else _CLASSES[found.flag])(store)
