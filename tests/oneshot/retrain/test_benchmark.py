from functools import partial

import pytest

from nasbench import CELLS, NB201
from nasbench.errors import NotRecordedError
from oneshot.errors import ConfigError, RunFolderError
from oneshot.retrain import task
from oneshot.retrain.benchmark import find_entry, lacking, open_table
from oneshot.retrain.session import RetrainSession, resume, retrain
from oneshot.retrain.settings import RetrainSettings
from oneshot.spaces.architectures import Architecture
from oneshot.training.environment import Environment
from tests import stores

CELL = Architecture.parse("6111")


def complete(**settings):
    return RetrainSettings(**settings).completed("nb201", (32, 32))[0]


def test_a_half_of_the_training_images_is_compared_with_the_validation_accuracy(bench):
    made = complete(dataset="cifar10")
    table = open_table(made)
    entry = find_entry(table, CELL, made)
    seeds = bench.seeds(6111, "cifar10")
    values = [bench.query(6111, "cifar10", "val_accuracy", seed=seed) for seed in seeds]
    assert entry == (
        *("cifar10", "val_accuracy", 200, bench.query(6111, "cifar10", "val_accuracy")),
        *(min(values), max(values), len(seeds), []),
    )


def test_what_is_trained_otherwise_is_named():
    made = complete(dataset="cifar10", epochs=3, channels=4, weight_decay=0.0, ema=0.9, seed=5)
    assert find_entry(open_table(made), CELL, made).differs == ["epochs", "weight_decay", "channels"]


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
    made = complete(dataset=dataset, split=split)
    entry = find_entry(open_table(made, path), CELL, made)
    if entry is None:  # this table has it not
        table = NB201(path)
        with pytest.raises(NotRecordedError):
            table.query(6111, dataset, metric)
    else:
        assert (entry.metric, entry.mean) == (metric, NB201(path).query(6111, dataset, metric))


def test_a_protocol_that_is_not_recorded_has_no_entry(runs_alone):
    made = complete(dataset="cifar10", protocol=12)
    assert find_entry(runs_alone, CELL, made) is None
    entry = find_entry(open_table(made), CELL, made)  # the default table has it, as a mean
    assert (entry.mean, entry.seeds) == (84.3840000012207, None)


def test_nothing_has_the_like_of_other_data_or_spaces():
    assert open_table(complete()) is None
    settings, _ = RetrainSettings(dataset="cifar10").completed("darts", (32, 32))
    assert open_table(settings) is None


def test_a_mean_without_seeds(tmp_path):
    path = stores.from_csv(tmp_path / "a.h5", ["cifar10:200:test_accuracy"])
    made = complete(dataset="cifar10", split="full")
    table = open_table(made, path)
    mean = table.query(6111, "cifar10", "test_accuracy")
    entry = find_entry(table, CELL, made)
    assert (entry.mean, entry.least, entry.greatest, entry.seeds) == (mean, mean, mean, None)
    assert lacking(table, CELL, made) is None


@pytest.mark.parametrize(
    ("columns", "count"),
    [
        (["cifar10:params"], CELLS),
        (["cifar10:12:val_accuracy"], CELLS),
        (["cifar10:200:val_accuracy"], 3),
        (["cifar100:200:val_accuracy"], CELLS),
    ],
)
def test_a_table_that_lacks_what_is_compared(tmp_path, columns, count):
    path = stores.from_csv(tmp_path / "a.h5", columns, count)
    made = complete(dataset="cifar10")
    table = open_table(made, path)
    assert find_entry(table, CELL, made) is None
    said = "has no val_accuracy of this cell on cifar10 after 200 epochs, so the report has no comparison"
    assert lacking(table, CELL, made) == f"{path} {said}"


def test_a_table_of_another_space_is_refused_before_images_are_read(tmp_path):
    path = stores.from_csv(tmp_path / "a.h5", ["cifar10:90:val_accuracy"], 32, space="sss")
    settings = RetrainSettings(dataset="cifar10")
    environment = Environment(folder=str(tmp_path), store=str(path))
    with pytest.raises(ConfigError, match="--store must be a table of NAS-Bench-201"):
        retrain("6111", settings, environment=environment)


@pytest.fixture
def images(monkeypatch):
    """Has the digits stand in for CIFAR-10, which cannot be had without a download."""
    images = task.RetrainImages
    monkeypatch.setattr(task, "RetrainImages", lambda dataset, *args: images("digits", *args))
    monkeypatch.setattr(task.pictures, "draw_all", lambda *args: {})


def test_a_run_whose_table_has_moved_goes_on_with_any_table(tmp_path, images):
    lacks, has = (
        stores.from_csv(tmp_path / f"{metric}.h5", [f"cifar10:200:{metric}"])
        for metric in ("test_accuracy", "val_accuracy")
    )
    settings = RetrainSettings(dataset="cifar10", channels=1, cells=1, epochs=1, batch=500)
    path = tmp_path / "run"
    environment = Environment(device="cpu", store=str(lacks))
    result = retrain("6111", settings, path, environment=environment)
    assert (result.complete, result.to_json()["benchmark"]) == (True, None)
    with RetrainSession.resume(partial(task.RetrainJob.resume, environment={}), path) as again:
        job = again.job
        assert job.notes == (lacking(job.table, job.architecture, job.settings),)
    lacks.unlink()
    with pytest.raises(RunFolderError, match=f"cannot open the table of {path}: no store"):
        resume(path)
    benchmark = resume(path, store=has).to_json()["benchmark"]
    assert benchmark["mean"] == NB201(has).query(6111, "cifar10", "val_accuracy")
