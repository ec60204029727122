"""The metrics of a page, against the table."""

import base64
import zlib

import numpy as np
import pytest

from nasbench import NB201, SSS
from nasbench.errors import ConfigError, NotRecordedError, UnknownDatasetError, UnknownMetricError
from nasbench.explore.columns import FORMULA, select
from tests import stores


def read(packed):
    """The values of a packed column, one by one as `numbers.js` reads them."""
    data = zlib.decompress(base64.b64decode(packed["steps"]))
    cells = len(data) // 3
    steps = np.array([data[n] + 256 * data[cells + n] + 65_536 * data[2 * cells + n] for n in range(cells)])
    values = (packed["low"] + steps) / 10.0 ** packed["decimals"]
    return np.where(steps == 2**24 - 1, np.nan, values)


@pytest.fixture(scope="module")
def every(bench):
    return select(bench)


def test_a_page_of_the_default_table_has_all_of_it(bench, every):
    assert every.left == []
    recorded = {(each.dataset, each.protocol, each.metric) for each in bench.recorded()}
    assert {(column.dataset, column.protocol, column.metric) for column in every.shown} == recorded
    assert len(every.shown) == len(recorded) > 90


def test_the_values_are_those_of_the_table(bench, every):
    for column in every.shown:
        exact = bench.by_code(column.dataset, column.metric, protocol=column.protocol)
        values = read(column.packed)
        step = 10.0 ** -column.packed["decimals"]
        np.testing.assert_array_equal(np.isnan(values), np.isnan(exact))
        np.testing.assert_allclose(values, exact, rtol=0, atol=0.51 * step)
        assert step < 2e-6 * np.ptp(exact[~np.isnan(exact)])


def test_what_the_numbers_are(every):
    by_name = {(column.dataset, column.label): column for column in every.shown}
    accuracy = by_name["cifar10", "val_accuracy"]
    assert accuracy.origin == "mean over the cell's recorded seeds (777, 888, 999)"
    assert (accuracy.protocol, accuracy.unit, accuracy.higher) == (200, "%", True)
    assert "25,000 images of 'x-valid'" in accuracy.meaning
    assert by_name["cifar10", "val_accuracy@12"].origin == "mean over seeds, as published"
    assert by_name["cifar100", "val_accuracy@12"].origin == "seed 111"
    latency = by_name["cifar10", "pixel3_latency"]
    assert (latency.origin, latency.protocol) == ("metric of the network, without training", None)
    assert latency.hardware


def test_a_page_begins_with_a_cost_and_an_accuracy(every, bench, released):
    assert [column.label for column in every.start()] == ["latency", "val_accuracy"]
    two = select(bench, "cifar100", ["train_time@12", "valtest_accuracy"])
    assert [column.label for column in two.start()] == ["train_time@12", "valtest_accuracy"]
    costs = select(NB201(released), names=["raspi4_latency", "params", "flops"])
    assert costs.accuracies == []
    assert [column.label for column in costs.start()] == ["params", "flops"]


def test_what_is_selected(bench, released):
    some = select(bench, "cifar100", ["val_accuracy@200", "val_accuracy@12", "params"])
    assert [column.label for column in some.shown] == ["val_accuracy", "params", "val_accuracy@12"]
    assert {column.dataset for column in some.shown} == {"cifar100"}
    assert len(select(bench, names=["val_accuracy"]).shown) == 3
    with pytest.raises(
        NotRecordedError, match=r"has no edgetpu_latency for cifar100; `info` lists its metrics"
    ):
        select(NB201(released), "cifar100", ["edgetpu_latency", "params"])
    with pytest.raises(NotRecordedError, match="has no val_accuracy@50; "):
        select(bench, names=["val_accuracy@50"])
    with pytest.raises(UnknownMetricError, match="unknown metric 'accuracy'"):
        select(bench, names=["accuracy"])
    with pytest.raises(UnknownDatasetError, match="unknown dataset 'mnist'"):
        select(bench, "mnist")


def test_one_metric_is_too_few(bench):
    with pytest.raises(
        ConfigError, match="at least two metrics, got only cifar10 params for cifar10 from .*nb201"
    ):
        select(bench, "cifar10", ["params"])


def test_what_there_is_no_room_for(bench, every):
    columns = select(bench, room=300_000)
    assert 2 < len(columns.shown) < len(every.shown)
    assert len(columns.shown) + len(columns.left) == len(every.shown)
    assert sum(len(column.packed["steps"]) for column in columns.shown) <= 300_000
    assert "cifar10 val_accuracy@12" in columns.left  # the longest protocol comes first
    assert {column.protocol for column in columns.shown} == {200, None}


def test_missing_cells_and_costs_by_formula(bench, tmp_path):
    few = select(NB201(stores.from_csv(tmp_path / "few.h5", ["cifar10:200:val_accuracy"], count=100)))
    assert [column.label for column in few.shown] == ["val_accuracy", "params", "flops"]
    assert np.isnan(read(few.shown[0].packed)).sum() == bench.space.cells - 100
    for column in few.shown[1:]:
        assert column.origin == FORMULA
        np.testing.assert_allclose(
            read(column.packed), bench.by_code("cifar10", column.metric), rtol=0, atol=6e-5
        )


def test_a_metric_without_any_value_is_left_out(tmp_path):
    arrays = stores.arrays_as_released()
    arrays["cifar10/raspi4_latency"][:] = np.nan
    columns = select(NB201(stores.write(tmp_path / "empty.h5", arrays)), "cifar10")
    assert "raspi4_latency" not in {column.label for column in columns.shown}


def test_the_size_space(sizes):
    columns = select(SSS(sizes), "cifar10")
    assert [column.label for column in columns.start()] == ["latency", "val_accuracy"]
    assert {column.protocol for column in columns.shown} == {None, 1, 12, 90}
