"""Metrics that are known before any training: the baseline of all predictors."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from blackbox.predictors.base import Prediction, Predictor
from nasbench.arrays import CodesLike
from nasbench.benchmark import Benchmark
from nasbench.errors import NotRecordedError


class ZeroCost(Predictor):
    """A column of the table, such as `params` or `flops`: the larger the network, the better.

    >>> from nasbench import NB201, Cell
    >>> cells = [Cell.from_index(1462).code, Cell.from_index(1835).code]
    >>> mean, std = ZeroCost(NB201(), "cifar10", "params").fit([], []).predict(cells)
    >>> mean.tolist(), std.tolist()
    ([1.531546, 0.073306], [0.0, 0.0])

    It learns nothing.

    Parameters
    ----------
    benchmark, dataset, metric
        The column, as for ``Benchmark.by_code``.

    Raises
    ------
    NotRecordedError
        If the column is not complete.
    """

    def __init__(self, benchmark: Benchmark, dataset: str, metric: str) -> None:
        self._column = np.asarray(benchmark.by_code(dataset, metric))
        unknown = np.count_nonzero(np.isnan(self._column))
        if unknown:
            raise NotRecordedError(f"this store has no {dataset} {metric} for {unknown:,} cells")

    def fit(self, codes: CodesLike, scores: ArrayLike) -> Self:
        return self

    def predict(self, codes: CodesLike) -> Prediction:
        return self._column[np.asarray(codes)], np.zeros(len(codes))
