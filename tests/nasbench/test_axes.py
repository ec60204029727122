"""The plot of a table, and what all plots share."""

import sys

import numpy as np
import pytest

from nasbench import SSS
from nasbench.axes import given_or_new, metric_label
from nasbench.errors import MissingDependencyError, NotRecordedError, UnknownMetricError

pyplot = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def test_all_cells_are_drawn_with_units_and_directions(bench):
    axes = bench.plot("params", "val_accuracy")
    (points,) = axes.collections
    expected = [bench.by_code("cifar10", metric) for metric in ("params", "val_accuracy")]
    assert np.array_equal(points.get_offsets().T, expected)
    assert axes.get_xlabel() == "params [M] (lower is better)"
    assert axes.get_ylabel() == "val_accuracy [%] (higher is better)"
    assert axes.get_title() == "NAS-Bench-201 on cifar10: 15,625 cells"
    assert axes.figure.number in pyplot.get_fignums()


def test_axes_data_set_and_run_can_be_given(bench):
    _, given = pyplot.subplots()
    axes = bench.plot("flops", "val_accuracy", "cifar100", protocol=12, ax=given)
    assert axes is given
    expected = bench.by_code("cifar100", "val_accuracy", protocol=12)
    assert np.array_equal(axes.collections[0].get_offsets()[:, 1], expected)
    assert len(pyplot.get_fignums()) == 1


def test_a_seed_is_of_the_metrics_that_have_one(bench):
    axes = bench.plot("params", "val_accuracy", seed=777)
    across, upwards = axes.collections[0].get_offsets().T
    assert np.array_equal(across, bench.by_code("cifar10", "params"))
    expected = bench.by_code("cifar10", "val_accuracy", seed=777)
    assert np.array_equal(np.ma.filled(upwards, np.nan), expected, equal_nan=True)


def test_a_size_space_is_drawn(sizes):
    assert SSS(sizes).plot("latency", "val_accuracy").get_title().endswith("32,768 cells")


def test_what_is_not_recorded_leaves_no_figure(bench):
    with pytest.raises(NotRecordedError):
        bench.plot("params", "val_accuracy", protocol=90)
    with pytest.raises(UnknownMetricError):
        bench.plot("parms", "val_accuracy")
    assert pyplot.get_fignums() == []


def test_labels():
    assert metric_label("val_loss") == "val_loss [nats] (lower is better)"


def test_matplotlib_is_missing(monkeypatch, bench):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    line = r"a plot needs matplotlib: pip install matplotlib, or 'nas-toolkit\[plot\]'"
    with pytest.raises(MissingDependencyError, match=line):
        bench.plot("params", "val_accuracy")
    with pytest.raises(MissingDependencyError, match=line):
        given_or_new(None)
