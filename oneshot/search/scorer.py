"""Scores of the cells that a search finds, by the table of NAS-Bench-201."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasbench.coded import AnyCell
from nasbench.errors import NotRecordedError
from nasbench.runs.record import identity
from oneshot.search.table import open_nb201

METRIC, TEST_METRIC = "val_accuracy", "test_accuracy"
# Data sets of the scores; the first is also used for searches on other data sets.
_BENCHMARKS = ("cifar10", "cifar100", "imagenet16-120")


@dataclass(frozen=True)
class Optimum:
    """The best cell of the table."""

    #: arch string
    arch: str
    #: official index
    index: int
    #: validation accuracy in percent
    value: float


@dataclass(frozen=True)
class Scores:
    """All scores of a cell in the table; None for a value that is not recorded."""

    #: data set in the table
    dataset: str
    #: metric of rank, regret and optimum
    metric: str
    #: arch string
    arch: str
    #: official index
    index: int
    #: validation accuracy in percent
    benchmark_val_accuracy: float | None
    #: test accuracy in percent
    benchmark_test_accuracy: float | None
    #: rank among all cells by validation accuracy; 1 is the best
    rank: int | None
    #: difference to the best validation accuracy of any cell, percentage points
    regret: float | None
    #: rank among all cells by test accuracy
    test_rank: int | None
    #: best cell by validation accuracy
    optimum: Optimum | None
    #: values of `Benchmark.entry`, by data set and metric
    entry: Mapping[str, Mapping[str, float]]


class Scorer:
    """A table that scores cells.

    >>> Scorer("digits").row(6111)["rank"]
    1

    Parameters
    ----------
    dataset
        Data set of the search.
    store
        Path of the table; None for the default one.
    run
        Folder of the run that is scored again, for the errors of `open_nb201`.
    """

    def __init__(self, dataset: str, store: str | None = None, run: str | Path | None = None) -> None:
        self.bench = open_nb201(store, run)
        self.dataset = dataset if dataset in _BENCHMARKS else _BENCHMARKS[0]
        self.optimum: Optimum | None = None
        with suppress(NotRecordedError):
            best = self.bench.best(self.dataset, METRIC)
            self.optimum = Optimum(str(best.cell), best.index, best.value)

    @property
    def table(self) -> dict[str, str]:
        """Record that identifies the table."""
        return identity(self.bench)

    def row(self, cell: AnyCell) -> dict[str, Any]:  # values of a Row
        """Return a cell's columns of the log; None for values that the table does not record."""
        return {
            "arch": str(self.bench.cell(cell)),
            "index": self.bench.index(cell),
            "benchmark_val_accuracy": self._recorded(self.bench.query, cell, METRIC),
            "benchmark_test_accuracy": self._recorded(self.bench.query, cell, TEST_METRIC),
            "rank": self._recorded(self.bench.rank, cell, METRIC),
            "regret": self._recorded(self.bench.regret, cell, METRIC),
        }

    def scores(self, cell: AnyCell) -> Scores:
        """Return all scores of a cell."""
        return Scores(
            dataset=self.dataset,
            metric=METRIC,
            **self.row(cell),
            test_rank=self._recorded(self.bench.rank, cell, TEST_METRIC),
            optimum=self.optimum,
            entry=self.bench.entry(cell),
        )

    def _recorded(self, ask: Callable[..., Any], cell: AnyCell, metric: str) -> Any:  # an int or a float
        """Return the result of a method of the table for a cell; None if it is not recorded."""
        with suppress(NotRecordedError):
            return ask(cell, self.dataset, metric)
        return None


def unscored(architecture: object) -> dict[str, Any]:  # values of a Row
    """Return the columns of the log for an architecture that no benchmark has."""
    return dict.fromkeys(("index", "benchmark_val_accuracy", "benchmark_test_accuracy", "rank", "regret")) | {
        "arch": str(architecture)
    }
