from typing import get_args

import pytest

from nasbench.errors import UnknownDatasetError, UnknownMetricError
from nasbench.metrics import (
    DATASETS,
    METRICS,
    SPLITS,
    DatasetName,
    MetricName,
    describe_metric,
    exists,
    get_dataset,
    get_metric,
)


def test_cifar10_validation_and_test_are_two_training_runs():
    assert SPLITS["cifar10", "val"].trial == "cifar10-valid"
    assert SPLITS["cifar10", "val"].evaluation_set == "x-valid"
    assert SPLITS["cifar10", "test"].trial == "cifar10"
    assert (SPLITS["cifar10", "val"].trained_on, SPLITS["cifar10", "test"].trained_on) == (25_000, 50_000)


@pytest.mark.parametrize(("dataset", "images"), [("cifar100", 5_000), ("imagenet16-120", 3_000)])
def test_the_others_halve_the_official_test_set(dataset, images):
    val, test, union = (SPLITS[dataset, split] for split in ("val", "test", "valtest"))
    assert (val.evaluation_set, test.evaluation_set, union.evaluation_set) == (
        "x-valid",
        "x-test",
        "ori-test",
    )
    assert val.evaluated_on == test.evaluated_on == images == union.evaluated_on // 2


def test_every_metric_has_a_meaning_wherever_it_exists():
    for dataset in DATASETS:
        for metric in METRICS.values():
            if exists(dataset, metric):
                assert f"[{metric.unit}]" in describe_metric(dataset, metric)
    assert not exists("cifar10", METRICS["valtest_accuracy"])


def test_unknown_names_are_errors_that_name_the_known_ones():
    assert get_dataset("cifar10") is DATASETS["cifar10"]
    assert get_metric("flops") is METRICS["flops"]
    with pytest.raises(
        UnknownDatasetError, match="'mnist'; the datasets are cifar10, cifar100, imagenet16-120"
    ):
        get_dataset("mnist")
    with pytest.raises(UnknownDatasetError, match=r"use dataset 'cifar10'"):
        get_dataset("cifar10-valid")
    with pytest.raises(UnknownMetricError, match="'accuracy'; try val_accuracy or test_accuracy"):
        get_metric("accuracy")
    for name in ("pixel_latency", "pixel3_latncy"):
        with pytest.raises(UnknownMetricError, match=f"unknown metric {name!r}; try pixel3_latency"):
            get_metric(name)
    with pytest.raises(UnknownDatasetError, match="'cifar1000'; try cifar100 or cifar10"):
        get_dataset("cifar1000")
    with pytest.raises(UnknownMetricError, match=r"'xyz'; the metrics are [\w, ]*$"):
        get_metric("xyz")
    with pytest.raises(UnknownMetricError, match="unknown metric \\[\\]"):
        get_metric([])


def test_the_names_for_type_checkers_are_those_of_the_tables():
    assert get_args(DatasetName) == tuple(DATASETS)
    assert get_args(MetricName) == tuple(METRICS)
