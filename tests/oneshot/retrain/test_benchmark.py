import pytest

from nasbench import CELLS, NB201
from nasbench.errors import NotRecordedError
from oneshot.errors import ConfigError, RunFolderError
from oneshot.retrain import assemble, session
from oneshot.retrain.assemble import Job
from oneshot.retrain.benchmark import entry_of, lacking, open_table
from oneshot.retrain.session import Session, resume, retrain
from oneshot.retrain.settings import RetrainSettings
from oneshot.search.settings import Places
from oneshot.spaces.architectures import Architecture
from tests import stores

CELL = Architecture.parse("6111")


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


def test_a_protocol_that_is_not_recorded_has_no_entry(runs_alone):
    made = job(dataset="cifar10", protocol=12)
    assert entry_of(runs_alone, made) is None
    entry = entry_of(open_table(made.settings), made)  # the default table has it, as a mean
    assert (entry.mean, entry.seeds) == (84.3840000012207, None)


def test_nothing_has_the_like_of_other_data_or_spaces():
    assert open_table(job().settings) is None
    settings, _ = RetrainSettings(dataset="cifar10").completed("darts", (32, 32))
    assert open_table(settings) is None


def test_a_mean_without_seeds(tmp_path):
    path = stores.from_csv(tmp_path / "a.h5", ["cifar10:200:test_accuracy"])
    made = job(dataset="cifar10", split="full")
    table = open_table(made.settings, path)
    mean = table.query(6111, "cifar10", "test_accuracy")
    entry = entry_of(table, made)
    assert (entry.mean, entry.least, entry.greatest, entry.seeds) == (mean, mean, mean, None)
    assert lacking(table, made) is None


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
    made = job(dataset="cifar10")
    table = open_table(made.settings, path)
    assert entry_of(table, made) is None
    said = "has no val_accuracy of this cell on cifar10 after 200 epochs, so the report compares with nothing"
    assert lacking(table, made) == f"{path} {said}"


def test_a_table_of_another_space_is_refused_before_images_are_read(tmp_path):
    path = stores.from_csv(tmp_path / "a.h5", ["cifar10:90:val_accuracy"], 32, space="sss")
    settings, places = RetrainSettings(dataset="cifar10"), Places(folder=str(tmp_path), store=str(path))
    with pytest.raises(ConfigError, match="--store must be a table of NAS-Bench-201"):
        Session.begin("6111", settings, places=places)


@pytest.fixture
def images(monkeypatch):
    """Has the digits stand in for CIFAR-10, which cannot be had without a download."""
    feed = assemble.Feed
    monkeypatch.setattr(assemble, "Feed", lambda dataset, *args: feed("digits", *args))
    monkeypatch.setattr(session.pictures, "draw_into", lambda *args: "curves.png")


def test_a_run_whose_table_has_moved_goes_on_with_any_table(tmp_path, images):
    lacks, has = (
        stores.from_csv(tmp_path / f"{metric}.h5", [f"cifar10:200:{metric}"])
        for metric in ("test_accuracy", "val_accuracy")
    )
    settings = RetrainSettings(dataset="cifar10", channels=1, cells=1, epochs=1, batch=500)
    path = tmp_path / "run"
    places = Places(device="cpu", store=str(lacks))
    result = retrain("6111", settings, path, places=places)
    assert (result.complete, result.summary["benchmark"]) == (True, None)
    with Session.resume(path) as again:
        assert again.job.notes == (lacking(again.job.table, again.job),)
    lacks.unlink()
    with pytest.raises(
        RunFolderError, match=f"the table of {path} cannot be opened; --store names it: no store"
    ):
        resume(path)
    benchmark = resume(path, store=has).summary["benchmark"]
    assert benchmark["mean"] == NB201(has).query(6111, "cifar10", "val_accuracy")
