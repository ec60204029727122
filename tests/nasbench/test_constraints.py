import math

import numpy as np
import pytest

from nasbench import NB201
from nasbench.constraints import (
    AT_LEAST,
    AT_MOST,
    as_texts,
    described,
    joined,
    named,
    read_limits,
    satisfied,
    split_metric,
)
from nasbench.errors import InvalidArgumentError, NotRecordedError, UnknownMetricError
from tests import stores


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return NB201(stores.write(tmp_path_factory.mktemp("table") / "a.h5", stores.arrays_as_released()))


def test_a_metric_is_named_with_or_without_epochs():
    assert split_metric("val_loss@012") == ("val_loss", 12)
    assert split_metric("params") == ("params", None)
    assert named("val_loss@200", longest=200) == named("val_loss") == "val_loss"
    assert named("val_loss@012", longest=200) == "val_loss@12"
    for text in ("", "@12", "val_loss@", "val_loss@x", None, 5):
        with pytest.raises(InvalidArgumentError, match="a metric must be METRIC or METRIC@EPOCHS, got"):
            split_metric(text)
    with pytest.raises(InvalidArgumentError, match="params belongs to the network: it has no epochs"):
        split_metric("params@12")


def test_limits_are_read_and_written():
    texts = ["raspi4_latency=10.0", "params = 5e-1", "val_accuracy@200=90"]
    limits = read_limits(AT_MOST, texts, longest=200)
    assert limits == {"raspi4_latency": 10.0, "params": 0.5, "val_accuracy": 90.0}
    assert as_texts(limits) == ("params=0.5", "raspi4_latency=10", "val_accuracy=90")
    assert read_limits(AT_MOST, as_texts(limits)) == limits
    assert as_texts({"params": 0.1 + 0.2}) == ("params=0.30000000000000004",)
    assert read_limits(AT_LEAST, "params=1") == {"params": 1.0}
    assert read_limits(AT_LEAST, ()) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "raspi4_latency<10",
            "must be METRIC=VALUE, got 'raspi4_latency<10'; try --at-most raspi4_latency=10",
        ),
        ("raspi4_latency<=10", "must be METRIC=VALUE, got .*; try --at-most raspi4_latency=10"),
        ("raspi4_latency", "must be METRIC=VALUE, got .*; try --at-most raspi4_latency=1"),
        ("raspi4_latency=", "must be METRIC=VALUE, got"),
        ("=10", "must be METRIC=VALUE, got .*; try --at-most params=10"),
        ("", "must be METRIC=VALUE, got ''; try --at-most params=1"),
        (5, "must be METRIC=VALUE, got 5"),
        ("raspi4_latency=fast", r"--at-most raspi4_latency must be a finite number \[ms\], got 'fast'"),
        ("params=10M", r"--at-most params must be a finite number \[M\], got '10M'"),
        ("params=nan", "must be a finite number"),
        ("params=-inf", "must be a finite number"),
        ("params@12=1", "params belongs to the network: it has no epochs"),
    ],
)
def test_texts_that_are_no_limits(text, message):
    with pytest.raises(InvalidArgumentError, match=message):
        read_limits(AT_MOST, [text])


def test_a_limit_on_an_unknown_metric_suggests_known_ones():
    with pytest.raises(UnknownMetricError, match="unknown metric 'raspi_latency'; try raspi4_latency or"):
        read_limits(AT_MOST, ["raspi_latency=10"])


def test_limits_that_contradict_each_other():
    with pytest.raises(InvalidArgumentError, match="--at-most limits params twice; give it once"):
        read_limits(AT_MOST, ["params=1", "params=2"])
    with pytest.raises(InvalidArgumentError, match="--at-least limits val_loss twice"):
        read_limits(AT_LEAST, ["val_loss=1", "val_loss@90=1"], longest=90)
    with pytest.raises(
        InvalidArgumentError, match="--at-least params=2 cannot be above --at-most params=1.5"
    ):
        joined({"params": 1.5}, {"params": 2.0})
    assert joined({"params": 2.0, "flops": 5.0}, {"params": 2.0}) == {
        "flops": (None, 5.0),
        "params": (2.0, 2.0),
    }


def test_limits_as_text():
    assert described("raspi4_latency", (None, 10.0)) == "raspi4_latency <= 10 ms"
    assert described("val_accuracy@12", (90, None)) == "val_accuracy@12 >= 90 %"
    assert described("params", (0.5, 1)) == "0.5 <= params <= 1 M"
    assert described("params", (None, None)) == "params is recorded"


def test_both_limits_are_inclusive_and_what_is_not_recorded_satisfies_none():
    values = np.array([1.0, 2.0, 3.0, math.nan])
    assert satisfied(values, (1, 2)).tolist() == [True, True, False, False]
    assert satisfied(values, (None, None)).tolist() == [True, True, True, False]


# On a table


def test_feasible_cells_are_those_of_a_plain_loop(table):
    where = {"edgetpu_latency": (None, 50), "val_accuracy@12": (45, 55), "params": (10, None)}
    found = table.feasible("cifar10", where)
    latency, accuracy = (
        table.by_code("cifar10", "edgetpu_latency"),
        table.by_code("cifar10", "val_accuracy", protocol=12),
    )
    params = table.by_code("cifar10", "params")
    expected = [
        latency[code] <= 50 and 45 <= accuracy[code] <= 55 and params[code] >= 10 for code in range(15625)
    ]
    assert found.dtype == bool
    assert found.tolist() == expected
    assert table.feasible("cifar10", {}).all()
    assert table.feasible("cifar10", {"edgetpu_latency": (None, None)}).sum() == 15625 - 4699
    assert table.feasible("cifar10", {"params": (None, math.inf)}).all()


def test_top_best_rank_and_regret_are_among_feasible_cells(table):
    where = {"pixel3_latency": (None, 10)}
    feasible = table.feasible("cifar10", where)
    column = np.where(feasible, table.by_code("cifar10", "val_accuracy"), -np.inf)
    top = table.top(10, "cifar10", "val_accuracy", where=where)
    assert [entry.value for entry in top] == np.sort(column)[::-1][:10].tolist()
    assert [entry.rank for entry in top] == list(range(1, 11))
    assert all(feasible[entry.cell.code] for entry in top)
    assert table.best("cifar10", "val_accuracy", where=where) == top[0]
    assert len(table.top(15625, "cifar10", "val_accuracy", where=where)) == feasible.sum()
    for entry in top:
        asked = entry.cell, "cifar10", "val_accuracy"
        assert table.rank(*asked, where=where) == entry.rank < table.rank(*asked)
        assert table.regret(*asked, where=where) == column.max() - entry.value < table.regret(*asked)
    low = table.best("cifar10", "train_time", where=where)
    assert low.value == table.by_code("cifar10", "train_time")[feasible].min()


def test_no_feasible_cell_is_an_error_that_says_how_far_each_limit_can_be_met(table):
    with pytest.raises(
        InvalidArgumentError,
        match=r"no cell satisfies params <= 1.2 M \(\d+ cells; recorded 1.0\d+ to 99.\d+\) and"
        r" flops >= 99.9 M \(\d+ cells; recorded .*\) on cifar10; try wider limits",
    ):
        table.feasible("cifar10", {"params": (None, 1.2), "flops": (99.9, None)})
    with pytest.raises(InvalidArgumentError, match=r"no cell satisfies params <= 0.5 M \(0 cells; recorded"):
        table.best("cifar10", "val_accuracy", where={"params": (None, 0.5)})
    unknown = table.by_code("cifar10", "params")[np.isnan(table.by_code("cifar10", "edgetpu_latency"))][0]
    with pytest.raises(NotRecordedError, match="no feasible cell has a value for cifar10 edgetpu_latency"):
        table.top(1, "cifar10", "edgetpu_latency", where={"params": (unknown, unknown)})


@pytest.mark.parametrize(
    ("where", "error", "message"),
    [
        ({"parms": (None, 1)}, UnknownMetricError, "try params"),
        ({"params@12": (None, 1)}, InvalidArgumentError, "it has no epochs"),
        ({"params": 1}, InvalidArgumentError, r"limits of params must be \(lowest, highest\), got 1"),
        ({"params": (1, 2, 3)}, InvalidArgumentError, r"must be \(lowest, highest\)"),
        ({"params": ("x", 1)}, InvalidArgumentError, r"must be \(lowest, highest\)"),
        ({"params": (2, 1)}, InvalidArgumentError, "limits of params must be in ascending order"),
        ({"params": (None, math.nan)}, InvalidArgumentError, "must be numbers or None"),
        ({"val_loss": (1, 2), "val_loss@200": (1, 2)}, InvalidArgumentError, "val_loss is limited twice"),
        ({"val_loss@13": (1, 2)}, NotRecordedError, "no protocol of 13 epochs"),
    ],
)
def test_malformed_limits(table, where, error, message):
    with pytest.raises(error, match=message):
        table.feasible("cifar10", where)
