"""The cells that a search finds, scored by the table of NAS-Bench-201."""

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
# the data sets that cells are scored on; others: the first
_BENCHMARKS = ("cifar10", "cifar100", "imagenet16-120")


@dataclass(frozen=True)
class Optimum:
    """The best cell of the table."""

    arch: str
    index: int
    value: float  # of the metric


@dataclass(frozen=True)
class Scores:
    """Everything that the table records for a cell; None for what it does not record."""

    dataset: str
    metric: str
    arch: str
    index: int
    benchmark_val_accuracy: float | None
    benchmark_test_accuracy: float | None
    rank: int | None
    regret: float | None
    test_rank: int | None
    optimum: Optimum | None
    entry: Mapping[str, Mapping[str, float]]  # of `Benchmark.entry`


class Scorer:
    """Scores cells by a table; `store`: its path, or None for the default one.

    >>> Scorer("digits").row(6111)["rank"]
    1
    """

    def __init__(self, dataset: str, store: str | None = None, run: str | Path | None = None) -> None:
        """`run`: the folder of the run that is scored again, for the errors of `open_nb201`."""
        self.bench = open_nb201(store, run)
        self.dataset = dataset if dataset in _BENCHMARKS else _BENCHMARKS[0]
        self.optimum: Optimum | None = None
        with suppress(NotRecordedError):
            best = self.bench.best(self.dataset, METRIC)
            self.optimum = Optimum(str(best.cell), best.index, best.value)

    @property
    def table(self) -> dict[str, str]:
        """The record of the table, which tells it from others."""
        return identity(self.bench)

    def row(self, cell: AnyCell) -> dict[str, Any]:  # as a Row
        """Return a cell's columns of a log; None for those that the table does not record."""
        return {
            "arch": str(self.bench.cell(cell)),
            "index": self.bench.index(cell),
            "benchmark_val_accuracy": self._recorded(self.bench.query, cell, METRIC),
            "benchmark_test_accuracy": self._recorded(self.bench.query, cell, TEST_METRIC),
            "rank": self._recorded(self.bench.rank, cell, METRIC),
            "regret": self._recorded(self.bench.regret, cell, METRIC),
        }

    def scores(self, cell: AnyCell) -> Scores:
        """Return everything that the table records for a cell."""
        return Scores(
            dataset=self.dataset,
            metric=METRIC,
            **self.row(cell),
            test_rank=self._recorded(self.bench.rank, cell, TEST_METRIC),
            optimum=self.optimum,
            entry=self.bench.entry(cell),
        )

    def _recorded(self, ask: Callable[..., Any], cell: AnyCell, metric: str) -> Any:  # an int or a float
        """Return what a method of the table answers for a cell, None if the table does not record it."""
        with suppress(NotRecordedError):
            return ask(cell, self.dataset, metric)
        return None


def unscored(architecture: object) -> dict[str, Any]:  # as a Row
    """Return the columns of a log of an architecture that no benchmark has."""
    return dict.fromkeys(("index", "benchmark_val_accuracy", "benchmark_test_accuracy", "rank", "regret")) | {
        "arch": str(architecture)
    }
