"""NAS-Bench-201 as a table that answers: query, columns, curves, ranks."""

from typing import NamedTuple

import numpy as np

from nasbench.answers import Answers, Question
from nasbench.build import default_store
from nasbench.cell import CELLS, Cell, code_of, integer, official_index
from nasbench.errors import InvalidArgumentError, NotRecordedError, StoreError
from nasbench.metrics import metric_of
from nasbench.store import Store


class Ranked(NamedTuple):
    """A cell and its place among all cells."""

    rank: int  # one more than the number of cells that are strictly better
    cell: Cell
    index: int
    value: float


class NB201:
    """The NAS-Bench-201 table of a store: the default one, or the one at `path`.

    A cell is named by its official index (any integer type), arch string, sequence of six operations or Cell.
    Values are means over the recorded seeds, after the last epoch of the 200-epoch protocol, as papers print
    them, unless `protocol`, `epoch` or `seed` say otherwise. Epochs count from 0, as in the published files.

    >>> bench = NB201()
    >>> bench.query(6111, "cifar10", "val_accuracy")
    91.60666665039064
    >>> bench.query(6111, "cifar10", "val_accuracy", seed=888)
    91.71999999023437
    >>> bench.best("cifar10", "val_accuracy").index, bench.rank(9930, "cifar10", "val_accuracy")
    (6111, 2)

    What is not recorded is a NotRecordedError that says what is, never another number. Meanings, units and
    sources of the metrics: `nasbench.metrics`. Benchmark: Dong & Yang 2020, arXiv:2001.00326.
    """

    def __init__(self, path=None):
        self.store = Store(default_store() if path is None else path)
        self._answers = Answers(self.store)
        index = self.store.take("index", [np.uint16], CELLS)
        if (np.bincount(index, minlength=CELLS) != 1).any():
            raise StoreError(f"{self.store.path} is damaged: its index does not name every cell once")
        self._official_index = index
        self._order = np.empty(CELLS, dtype=np.intp)  # official index -> code
        self._order[index] = np.arange(CELLS)
        self._code_of_index = self._order.tolist()
        self._code_of_string = {}  # of the arch strings met so far
        self._readers = {}  # question -> what gives a float for a code

    def __repr__(self):
        return f"NB201({str(self.store.path)!r})"

    def __reduce__(self):
        return NB201, (str(self.store.path),)

    # One cell

    def query(self, cell, dataset, metric, *, protocol=200, epoch=None, seed=None):
        """The value of a metric, a float in the metric's unit."""
        try:
            reader = self._readers[dataset, metric, protocol, epoch, seed]
        except (KeyError, TypeError):
            question = Question.of(dataset, metric, protocol, epoch, seed)
            reader = self._readers[question] = self._answers.reader(question)
        code = self._code(cell)
        value = reader[code]
        if value != value:
            question = Question.of(dataset, metric, protocol, epoch, seed)
            raise NotRecordedError(self._answers.why_not(question, code))
        return value

    def curve(self, cell, dataset, metric, *, protocol=200, seed=None):
        """The values at all epochs, float64 (epochs,); NaN at an epoch that was not recorded."""
        question = Question.of(dataset, metric, protocol, None, seed)
        code = self._code(cell)
        values = self._answers.curve(question, code)
        if np.isnan(values).all():
            raise NotRecordedError(self._answers.why_not(question, code))
        return values

    def seeds(self, cell, dataset, metric="val_accuracy", *, protocol=200):
        """The seeds that the metric is recorded with, a tuple; nearly half of the cells lack the third."""
        return self._answers.seeds(Question.of(dataset, metric, protocol, None, None), self._code(cell))

    def cell(self, cell):
        """The Cell of any name for it."""
        return Cell(self._code(cell))

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

    def entry(self, cell, *, protocol=200):
        """All that is recorded after the last epoch: {data set: {metric: mean over seeds}}."""
        code = self._code(cell)
        found = {}
        for dataset, metric in self._answers.recorded_in(protocol):
            value = self._answers.value(Question.of(dataset, metric, protocol, None, None), code)
            if value == value:
                found.setdefault(dataset, {})[metric] = value
        return found

    def rank(self, cell, dataset, metric, *, protocol=200, epoch=None, seed=None):
        """One more than the number of cells that are strictly better."""
        value = self.query(cell, dataset, metric, protocol=protocol, epoch=epoch, seed=seed)
        column = self.by_code(dataset, metric, protocol=protocol, epoch=epoch, seed=seed)
        better = column > value if metric_of(metric).higher_is_better else column < value
        return int(np.count_nonzero(better)) + 1

    def regret(self, cell, dataset, metric, *, protocol=200, epoch=None, seed=None):
        """How far the cell is from the best one, in the metric's unit; 0 for the best."""
        value = self.query(cell, dataset, metric, protocol=protocol, epoch=epoch, seed=seed)
        column = self.by_code(dataset, metric, protocol=protocol, epoch=epoch, seed=seed)
        if metric_of(metric).higher_is_better:
            return float(np.nanmax(column)) - value
        return value - float(np.nanmin(column))

    # The whole space

    def columns(self, dataset, metrics, *, protocol=200, epoch=None, seed=None):
        """All cells in the order of official indices; NaN where a cell has no value.

        Float64 (15625,) for the name of one metric, (M, 15625) for a list of M.
        """
        options = {"protocol": protocol, "epoch": epoch, "seed": seed}
        if isinstance(metrics, str):
            return self.by_code(dataset, metrics, **options).take(self._order)
        if not len(metrics):
            raise InvalidArgumentError("columns are of one metric or more, got none")
        return np.stack([self.columns(dataset, metric, **options) for metric in metrics])

    def by_code(self, dataset, metric, *, protocol=200, epoch=None, seed=None):
        """All cells in the order of codes: read-only float64 (15625,), for searches, which know codes."""
        return self._answers.column(Question.of(dataset, metric, protocol, epoch, seed))

    def top(self, n, dataset, metric, *, protocol=200, epoch=None, seed=None):
        """The n best cells, a list of (rank, cell, index, value); equal values in the order of indices."""
        count = integer(n)
        if count is None or count < 1:
            raise InvalidArgumentError(f"n is a whole number of at least 1, got {n!r}")
        values = self.columns(dataset, metric, protocol=protocol, epoch=epoch, seed=seed)
        losses = -values if metric_of(metric).higher_is_better else values
        known = np.count_nonzero(~np.isnan(losses))
        if not known:
            raise NotRecordedError(f"no cell has a value of {dataset} {metric} in this store")
        best = np.argsort(losses, kind="stable")[: min(count, known)]
        ranks = np.searchsorted(losses[best], losses[best]) + 1
        return [
            Ranked(int(rank), Cell(self._code_of_index[index]), int(index), float(values[index]))
            for rank, index in zip(ranks, best, strict=True)
        ]

    def best(self, dataset, metric, *, protocol=200, epoch=None, seed=None):
        """The best cell, (rank, cell, index, value)."""
        return self.top(1, dataset, metric, protocol=protocol, epoch=epoch, seed=seed)[0]

    def frame(self, *, protocol=200):
        """A pandas DataFrame of the whole table, a row a cell by official index.

        Columns: arch, code, isomorphism_class, then `<data set>/<metric>` for all that the protocol has.
        """
        import pandas

        table = {
            "arch": [str(Cell(code)) for code in self._code_of_index],
            "code": self._order,
            "isomorphism_class": self.isomorphism_classes().take(self._order),
        }
        for dataset, metric in self._answers.recorded_in(protocol):
            table[f"{dataset}/{metric}"] = self.columns(dataset, metric, protocol=protocol)
        return pandas.DataFrame(table, index=pandas.RangeIndex(CELLS, name="index"))

    def isomorphism_classes(self):
        """The isomorphism class of each cell in the order of codes, uint16 (15625,)."""
        return self.store.take("isomorphism_class", [np.uint16], CELLS)

    def verify(self):
        """Compare the store with its checksum, and its index with the official one; else StoreError."""
        self.store.verify()
        if (self._official_index != official_index()).any():
            raise StoreError(f"{self.store.path}: its index is not the official one")

    def recorded(self):
        """What the store holds, a list of (dataset, protocol, metric, seeds, epochs)."""
        return self._answers.recorded()

    def _code(self, cell):
        kind = type(cell)
        if kind is int and 0 <= cell < CELLS:
            return self._code_of_index[cell]
        if kind is str:
            code = self._code_of_string.get(cell)
            if code is None:
                code = self._code_of_string[cell] = code_of(cell)
            return code
        if kind is Cell:
            return cell.code
        number = integer(cell)
        if number is not None and 0 <= number < CELLS:
            return self._code_of_index[number]
        return code_of(cell)
