"""A predictor that uses a metric of the untrained network, the baseline for all predictors."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from blackbox.predictors.base import Prediction, Predictor
from nasbench.arrays import CodesLike
from nasbench.benchmark import Benchmark
from nasbench.errors import NotRecordedError
from nasbench.runs.text import counted


class ZeroCost(Predictor):
    """A metric of the network as a predictor, such as `params` or `flops`: the larger, the better.

    >>> from nasbench import NB201, Cell
    >>> cells = [Cell.from_index(1462).code, Cell.from_index(1835).code]
    >>> mean, std = ZeroCost(NB201(), "cifar10", "params").fit([], []).predict(cells)
    >>> mean.tolist(), std.tolist()
    ([1.531546, 0.073306], [0.0, 0.0])

    It needs no fit.

    Parameters
    ----------
    benchmark, dataset, metric
        As for ``Benchmark.by_code``.

    Raises
    ------
    NotRecordedError
        If the table lacks the metric for any cell.
    """

    def __init__(self, benchmark: Benchmark, dataset: str, metric: str) -> None:
        self._column = np.asarray(benchmark.by_code(dataset, metric))
        unknown = int(np.count_nonzero(np.isnan(self._column)))
        if unknown:
            raise NotRecordedError(f"this store has no {dataset} {metric} for {counted(unknown, 'cell')}")

    def fit(self, codes: CodesLike, scores: ArrayLike) -> Self:
        return self

    def predict(self, codes: CodesLike) -> Prediction:
        return self._column[np.asarray(codes)], np.zeros(len(codes))
