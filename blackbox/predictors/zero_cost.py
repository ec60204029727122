"""What is known of a cell before any training: the baseline of all predictors."""

import numpy as np

from blackbox.predictors.base import Predictor
from nasbench.errors import NotRecordedError


class ZeroCost(Predictor):
    """A column of the table, such as `params` or `flops`: the larger the network, the better.

    >>> from nasbench import NB201, Cell
    >>> cells = [Cell.from_index(1462).code, Cell.from_index(1835).code]
    >>> mean, std = ZeroCost(NB201(), "cifar10", "params").fit([], []).predict(cells)
    >>> mean.tolist(), std.tolist()
    ([1.531546, 0.073306], [0.0, 0.0])

    It learns nothing. NotRecordedError where the table has not all of the column.
    """

    def __init__(self, benchmark, dataset, metric):
        self._column = np.asarray(benchmark.by_code(dataset, metric))
        unknown = np.count_nonzero(np.isnan(self._column))
        if unknown:
            raise NotRecordedError(f"this store has no {dataset} {metric} for {unknown:,} cells")

    def fit(self, codes, scores):
        return self

    def predict(self, codes):
        return self._column[codes], np.zeros(len(codes))
