import numpy as np
import pytest

from blackbox.predictors.zero_cost import ZeroCost
from nasbench import Cell
from nasbench.errors import NotRecordedError


def test_zero_cost_is_the_column_of_the_table(bench):
    codes = np.array([5, 9, 15000])
    mean, std = ZeroCost(bench, "cifar10", "flops").fit([], []).predict(codes)
    assert mean.tolist() == [bench.flops(Cell(int(code)), "cifar10") for code in codes]
    assert not std.any()
    with pytest.raises(NotRecordedError, match="test_loss"):
        ZeroCost(bench, "cifar10", "test_loss")
    with pytest.raises(NotRecordedError, match="no cifar10 edgetpu_latency for 4,699 cells"):
        ZeroCost(bench, "cifar10", "edgetpu_latency")
