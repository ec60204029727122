import pytest

from nasbench import NB201
from nasbench.errors import NotRecordedError
from oneshot.retrain.architecture import Architecture
from oneshot.retrain.assemble import Job
from oneshot.retrain.benchmark import entry_of, open_table
from oneshot.retrain.settings import RetrainSettings
from tests import stores

CELL = Architecture.of("6111")


def job(table=None, **settings):
    complete, _ = RetrainSettings(**settings).completed("nb201", (32, 32))
    return Job(CELL, complete, None, None, table)


def test_a_half_of_the_training_images_is_compared_with_the_validation_accuracy(bench):
    made = job(dataset="cifar10")
    table = open_table(made.settings)
    entry = entry_of(table, made)
    seeds = bench.seeds(6111, "cifar10")
    values = [bench.query(6111, "cifar10", "val_accuracy", seed=seed) for seed in seeds]
    assert entry == (
        *("cifar10", "val_accuracy", 200, bench.query(6111, "cifar10", "val_accuracy")),
        *(min(values), max(values), len(seeds), []),
    )


def test_what_is_trained_otherwise_is_named():
    made = job(dataset="cifar10", epochs=3, channels=4, weight_decay=0.0, ema=0.9, seed=5)
    assert entry_of(open_table(made.settings), made).differs == ["epochs", "weight_decay", "channels"]


@pytest.mark.parametrize(
    ("dataset", "split", "metric"),
    [
        ("cifar10", "full", "test_accuracy"),
        ("cifar10", "half", "val_accuracy"),
        ("cifar100", "full", "valtest_accuracy"),
        ("imagenet16-120", "half", "val_accuracy"),
    ],
)
def test_what_each_split_is_compared_with(tmp_path, dataset, split, metric):
    path = stores.write(tmp_path / "a.h5", stores.arrays_with_curves())
    made = job(dataset=dataset, split=split)
    entry = entry_of(open_table(made.settings, path), made)
    if entry is None:  # this table has it not
        table = NB201(path)
        with pytest.raises(NotRecordedError):
            table.query(6111, dataset, metric)
    else:
        assert (entry.metric, entry.mean) == (metric, NB201(path).query(6111, dataset, metric))


def test_a_protocol_that_is_not_recorded_has_no_entry():
    made = job(dataset="cifar10", protocol=12)
    assert entry_of(open_table(made.settings), made) is None


def test_nothing_has_the_like_of_other_data_or_spaces():
    assert open_table(job().settings) is None
    settings, _ = RetrainSettings(dataset="cifar10").completed("darts", (32, 32))
    assert open_table(settings) is None
