import contextlib
import io
import json
import os
import signal
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from nasbench import NB201
from nasbench.cell import CELLS, OPERATIONS, Cell
from nasbench.runs.folder import read_record
from nasbench.runs.log import read_log
from oneshot.errors import ConfigError, DivergedError, RunFolderError
from oneshot.methods.published import PUBLISHED_METHODS
from oneshot.methods.recipes import recipe_table
from oneshot.methods.registry import METHODS, get_method
from oneshot.score import __main__ as score
from oneshot.search import Environment, SearchSettings, pictures, reopen, resume, search
from oneshot.search import __main__ as command
from oneshot.search import settings as told
from oneshot.search.record import SEARCH, SEARCH_LOG
from oneshot.search.report import collapse_warning, format_result
from oneshot.search.scorer import Scorer
from oneshot.search.session import SearchSession
from oneshot.search.task import SearchJob
from oneshot.spaces.genotype import Genotype, Hierarchy
from oneshot.spaces.published import DARTS_V2
from oneshot.spaces.registry import get_space
from oneshot.training import session as training
from oneshot.training.checkpoints import read_checkpoint
from oneshot.training.distributed import ProcessGroup
from oneshot.training.images import SearchImages, augments
from tests import stores
from tests.oneshot.methods.every import EVERY_METHOD
from tests.oneshot.training.contract import TrainingContract, after, same, stop_runs
from tests.oneshot.training.contract import assert_same_end as assert_same
from tests.running import runner

TINY = {"channels": 2, "seed": 3}
CPU = Environment(device="cpu")
SIZES = ("--channels", "2", "--seed", "3", "--batch", "240")  # 3 steps an epoch, and an image is left over
FLAGS = (*SIZES, "--device", "cpu")

FEW = {
    "rsws": {"paths": 8, "batches": 2, "finalists": 2},
    **dict.fromkeys(("spos", "fairnas"), {"population": 4, "generations": 2, "parents": 2, "batches": 1}),
}
PATHS = tuple(FEW)  # methods that select a path at the end
TAUS = {"gdas": [10.0, 0.1], "snas": [1.0, 0.515]}


def config_of(method, **options):
    kind = get_method(method).config_class
    return kind(**{"epochs": 3, "batch": 240} | FEW.get(method, {}) | options)


@pytest.fixture
def run(capsys):
    return runner(command.main, capsys)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of an undisturbed run of the command, by FLAGS, of 3 epochs, with its pictures."""
    path = tmp_path_factory.mktemp("runs") / "whole"
    assert command.main([*FLAGS, "--epochs", "3", "--out", str(path)]) == 0
    return path


assert_same_end = partial(assert_same, log_format=SEARCH_LOG, equal_nan=True)


@pytest.fixture
def no_pictures(monkeypatch):
    """Leaves pictures out, which take longer than the searches here."""
    monkeypatch.setattr(pictures, "draw_all", lambda *args: {})


# What a search gives


def test_the_default_search_learns(run):
    """All is the command's default but the number of epochs."""
    code, out, err = run("--epochs", 4, "--device", "cpu", "--json")
    summary = json.loads(out)
    assert code == 0
    assert (summary["settings"]["dataset"], summary["settings"]["channels"]) == ("digits", 8)
    assert summary["supernet"]["mixed"]["accuracy"] > 85


def test_the_report_and_the_folder(whole, bench, capsys):
    summary = json.loads((whole / "summary.json").read_text())
    cell = Cell.from_index(summary["benchmark"]["index"])
    assert summary["complete"] is True
    assert (summary["epochs"], summary["steps"]) == (3, 9)
    assert summary["benchmark"]["arch"] == str(cell)
    assert summary["benchmark"]["benchmark_val_accuracy"] == bench.query(cell, "cifar10", "val_accuracy")
    assert summary["benchmark"]["rank"] == bench.rank(cell, "cifar10", "val_accuracy")
    assert summary["benchmark"]["regret"] == bench.regret(cell, "cifar10", "val_accuracy")
    assert summary["benchmark"]["entry"] == bench.entry(cell)
    assert summary["benchmark"]["optimum"]["index"] == 6111
    rows = read_log(whole, SEARCH_LOG)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[-1]["arch"] == str(cell)
    for row in rows:
        assert row["regret"] == bench.regret(row["index"], "cifar10", "val_accuracy")
        assert row["tau"] is None
        assert row["benchmark_test_accuracy"] == bench.query(row["index"], "cifar10", "test_accuracy")
        assert 0 < row["train_accuracy"] < 100
        assert row["images_per_second"] > 0
    assert rows[0]["learning_rate"] == 0.025
    assert rows[0]["train_loss"] > rows[-1]["train_loss"]
    config = read_record(whole, SEARCH)
    assert config["search"] == summary["settings"]
    assert config["config"] == summary["config"]
    assert config["places"] == {"device": "cpu", "folder": None, "store": None}
    assert (config["data"]["classes"], config["data"]["train_images"]) == (10, 721)
    assert config["table"]["checksum"] == bench.store.attributes["checksum"]
    assert set(config["versions"]) == {"nas-toolkit", "torch", "numpy", "python"}
    assert {path.name for path in whole.iterdir()} == {
        *("config.json", "log.csv", "checkpoint.pt", "summary.json", "alphas.npz"),
        *("alphas.png", "anytime.png", "cell.png"),
    }
    with np.load(whole / "alphas.npz") as found:
        assert found["alphas"].shape == (4, 6, 5)
        assert found["operations"].tolist() == [list(OPERATIONS)] * 6
        best = [OPERATIONS[k] for k in found["alphas"][-1].argmax(axis=1)]
    assert tuple(best) == cell.ops
    assert command.main(["--resume", str(whole)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "DARTS on digits, nb201 with 2 channels and 1 cell per stage\n3 epochs, 9 steps, 721 "
    )
    assert f"cell            {cell}\n" in out
    assert f"regret {summary['benchmark']['regret']:.4f}\n" in out


def test_without_out_nothing_is_saved_and_the_report_says_so(run, tmp_path, monkeypatch, whole):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*FLAGS, "--epochs", 3)
    assert (code, list(tmp_path.iterdir())) == (0, [])
    assert out.endswith(
        "\nnot saved; use --out FOLDER to save settings, log, checkpoint, summary and pictures\n"
    )
    code, out, _ = run("--resume", whole)
    assert (code, out.splitlines()[-1]) == (0, f"saved in {whole}, with alphas.png, anytime.png, cell.png")
    code, out, _ = run("--resume", whole, "--json")
    assert json.loads(out) == json.loads((whole / "summary.json").read_text())


def test_what_the_supernet_is_worth_is_measured_on_all_validation_images(whole):
    summary = json.loads((whole / "summary.json").read_text())
    run = reopen(whole)
    batches = list(run.val_loader())
    assert (run.train_count, run.val_count, run.complete) == (721, 721, True)
    assert sum(len(labels) for _, labels in batches) == 720  # a last batch of one is left out
    assert str(run.architecture) == summary["benchmark"]["arch"]
    assert run.settings == SearchSettings(**TINY)
    assert run.scorer.row(run.architecture)["rank"] == summary["benchmark"]["rank"]
    mixed = run.optimizer.evaluate(run.val_loader())
    assert mixed._asdict() == summary["supernet"]["mixed"]
    with torch.no_grad():
        right = sum(
            int((run.optimizer.graph.interpret(images).argmax(1) == labels).sum())
            for images, labels in batches
        )
        assert mixed.accuracy == pytest.approx(100 * right / 720)
        with get_space("nb201").fixed_path(run.optimizer.graph, run.architecture):
            right = sum(
                int((run.optimizer.graph(images).argmax(1) == labels).sum()) for images, labels in batches
            )
    assert summary["supernet"]["path"]["accuracy"] == pytest.approx(100 * right / 720)
    assert len(list(run.val_loader(100))) == 8


@pytest.mark.parametrize("method", EVERY_METHOD)
def test_what_the_log_has_of_a_method(method):
    config = config_of(method, epochs=2)
    result = search(SearchSettings(method=method, **TINY), config, environment=CPU)
    assert result.complete
    assert [row["epoch"] for row in result.log] == [1, 2]
    taus = [row["tau"] for row in result.log]
    assert taus == (pytest.approx(TAUS[method]) if method in TAUS else [None, None])
    seen = [row["val_loss"] is not None for row in result.log]
    assert seen == [method not in (*PATHS, "snas")] * 2  # these train on training images alone
    assert (result.to_json()["supernet"]["mixed"] is None) == (
        method in (*PATHS, "gdas", "reinmax")
    )  # of which each pass is another path
    assert result.to_json()["supernet"]["path"]["accuracy"] > 0
    if method not in PATHS:
        assert result.log[-1]["arch"] == str(result.architecture)


def test_a_step_sees_a_batch_of_each_half_and_an_epoch_the_whole_half(monkeypatch):
    seen = []
    kind = get_method("darts")
    step = kind.step
    monkeypatch.setattr(kind, "step", lambda self, a, b: seen.append((a, b)) or step(self, a, b))
    search(SearchSettings(**TINY), config_of("darts", epochs=1), environment=CPU)
    feed = SearchImages("digits", CPU, seed=3)
    train, val = feed.halves(240, "cpu")
    assert len(seen) == 3  # 721 images: the last one would be alone
    for got, expected in zip(seen, zip(train.epoch(0), val.epoch(0), strict=True), strict=True):
        assert same([list(half) for half in got], [list(half) for half in expected])
    assert not set(feed.train_images.indices) & set(feed.held_out_images.indices)


def test_a_step_never_sees_a_short_validation_batch(monkeypatch):
    seen = []
    kind = get_method("darts")
    step = kind.step
    monkeypatch.setattr(kind, "step", lambda self, a, b: seen.append((a, b)) or step(self, a, b))
    result = search(SearchSettings(**TINY), config_of("darts", batch=300, epochs=3), environment=CPU)
    assert [len(labels) for (_, labels), _ in seen] == [300, 300, 121] * 3
    assert [len(labels) for _, (_, labels) in seen] == [300] * 9
    feed = SearchImages("digits", CPU, seed=3)
    val = feed.halves(300, "cpu")[1]
    expected = [batch for epoch in range(5) for batch in val.epoch(epoch)][:9]  # two in each pass
    assert same([list(val) for _, val in seen], [list(batch) for batch in expected])
    assert sum(len(labels) for _, labels in feed.evaluation(300, "cpu")) == 721
    assert result.to_json()["steps"] == 9


def test_a_search_without_short_validation_batches_stops_and_goes_on_to_the_same_end(no_pictures, tmp_path):
    settings, config = SearchSettings(**TINY), config_of("darts", batch=300)
    for steps, name in ((None, "whole"), (4, "part")):
        search(settings, config, tmp_path / name, environment=CPU, stop=steps and after(steps))
    assert resume(tmp_path / "part").complete
    assert_same_end(tmp_path / "part", tmp_path / "whole")


def test_the_random_numbers_of_the_process_stay_as_they_were_and_do_not_matter():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = search(SearchSettings(**TINY), config_of("darts", epochs=1), environment=CPU)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    second = search(SearchSettings(**TINY), config_of("darts", epochs=1), environment=CPU)
    other = search(SearchSettings(channels=2, seed=4), config_of("darts", epochs=1), environment=CPU)
    assert first.to_json() == second.to_json()
    assert same(first.optimizer.state_dict(), second.optimizer.state_dict())
    assert not same(first.optimizer.state_dict()["alphas"], other.optimizer.state_dict()["alphas"])


def test_bfloat16(run):
    code, out, _ = run(*FLAGS, "--epochs", 1, "--amp", "--json")
    assert (code, json.loads(out)["settings"]["amp"]) == (0, True)


def test_the_defaults_of_data_sets():
    assert (SearchSettings().channels, SearchSettings().cells) == (8, 1)
    for name in ("cifar10", "cifar100", "imagenet16-120", "fashion-mnist", "folder:/x"):
        settings = SearchSettings(dataset=name)
        assert (settings.channels, settings.cells, augments(name)) == (16, 5, True)
    assert SearchSettings(dataset="cifar10", channels=4).channels == 4
    train, _ = SearchImages("digits", CPU).halves(721, "cpu")
    first, second = (next(train.epoch(n))[0].sum(dim=(1, 2, 3)).sort().values for n in (0, 1))
    torch.testing.assert_close(first, second)  # the same images, not augmented


def test_cells_are_scored_on_the_data_set_that_was_searched():
    assert [Scorer(name).dataset for name in ("cifar10", "cifar100", "imagenet16-120", "digits", "x")] == [
        *("cifar10", "cifar100", "imagenet16-120", "cifar10", "cifar10")
    ]
    assert Scorer("cifar100").row(9930)["rank"] == 1


def test_a_store_with_test_accuracies_and_one_without_validation(tmp_path):
    arrays = stores.arrays_with_curves()
    scorer = Scorer("digits", stores.write(tmp_path / "a.h5", arrays))
    assert scorer.row(0)["benchmark_test_accuracy"] == scorer.bench.query(0, "cifar10", "test_accuracy")
    arrays = {name: array for name, array in arrays.items() if "val_accuracy" not in name}
    scorer = Scorer("digits", stores.write(tmp_path / "b.h5", arrays))
    row = scorer.row(0)
    assert (row["benchmark_val_accuracy"], row["rank"], row["regret"], scorer.optimum) == (None,) * 4
    path = tmp_path / "run"
    result = search(
        SearchSettings(**TINY),
        config_of("darts", epochs=1),
        path,
        environment=replace(CPU, store=scorer.bench.store.path),
    )
    assert result.pictures == ("alphas.png", "cell.png")
    assert "optimum " not in format_result(result)
    (tmp_path / "b.h5").rename(tmp_path / "c.h5")
    with pytest.raises(RunFolderError, match="cannot open the table of"):
        resume(path)
    assert resume(path, store=tmp_path / "c.h5").to_json() == result.to_json()
    assert reopen(path, store=tmp_path / "c.h5").architecture == result.architecture


LACKING = {  # the columns of tables without a score of the cell found
    "params": ("cifar10:params",),
    "short": ("cifar10:12:val_accuracy",),
    "few": ("cifar10:200:val_accuracy",),
    "other": ("cifar100:200:val_accuracy",),
}


@pytest.fixture(scope="module")
def lacking(tmp_path_factory):
    """Tables that lack something, {name: path}; `few` has three cells."""
    folder = tmp_path_factory.mktemp("tables")
    return {
        name: stores.from_csv(folder / f"{name}.h5", columns, 3 if name == "few" else CELLS)
        for name, columns in LACKING.items()
    }


@pytest.mark.parametrize(
    "name", [name if name == "few" else pytest.param(name, marks=pytest.mark.slow) for name in LACKING]
)
def test_a_search_ends_well_whatever_its_table_lacks(run, lacking, tmp_path, name):
    path = tmp_path / "run"
    code, out, _ = run(*FLAGS, "--epochs", 2, "--store", lacking[name], "--out", path)
    assert code == 0
    said = "the table has no cifar10 val_accuracy or test_accuracy for this cell after 200 epochs"
    assert out.count(said) == out.count("the table has no") == 1
    assert ("optimum " in out) == (name == "few")
    summary = json.loads((path / "summary.json").read_text())["benchmark"]
    for column in ("benchmark_val_accuracy", "benchmark_test_accuracy", "rank", "test_rank", "regret"):
        assert summary[column] is None
        assert all(row.get(column) is None for row in read_log(path, SEARCH_LOG))
    assert Cell.from_index(summary["index"]) == Cell.parse(summary["arch"])
    assert not (path / "anytime.png").exists()
    code, again, _ = run("--resume", path)
    assert (code, said in again) == (0, True)
    code, out, _ = run("--resume", path, "--json", "--store", lacking["params"])  # any table will do
    assert (code, json.loads(out)["benchmark"]["index"]) == (0, summary["index"])


def test_a_table_of_another_space_is_refused_before_the_search(run, tmp_path):
    store = stores.from_csv(tmp_path / "size.h5", ["cifar10:90:val_accuracy"], 32, space="sss")
    code, out, err = run(*FLAGS, "--store", store, "--out", tmp_path / "run")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--store must be a table of NAS-Bench-201" in err
    assert not (tmp_path / "run").exists()


def test_the_report_has_test_accuracies_if_the_table_has_them(run, tmp_path):
    columns = ["cifar10:200:val_accuracy", "cifar10:200:test_accuracy", "cifar10:raspi4_latency"]
    table = NB201(stores.from_csv(tmp_path / "a.h5", columns))
    code, out, _ = run(*FLAGS, "--epochs", 1, "--store", table.store.path, "--out", tmp_path / "run")
    assert code == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())["benchmark"]
    cell = summary["index"]
    (row,) = read_log(tmp_path / "run", SEARCH_LOG)
    value, test = (table.query(cell, "cifar10", metric) for metric in ("val_accuracy", "test_accuracy"))
    assert summary["benchmark_test_accuracy"] == row["benchmark_test_accuracy"] == test
    assert summary["test_rank"] == table.rank(cell, "cifar10", "test_accuracy")
    assert (
        f"benchmark       cifar10 val_accuracy {value:.4f} %, rank {summary['rank']:,}, regret"
        f" {summary['regret']:.4f}\n"
        f"                cifar10 test_accuracy {test:.4f} %, rank {summary['test_rank']:,}\n"
        "                (accuracy of networks trained on cifar10, not on this data set)\n"
    ) in out
    assert "the table has no" not in out
    assert summary["entry"]["cifar10"]["raspi4_latency"] == table.query(cell, "cifar10", "raspi4_latency")
    assert "raspi4_latency" not in out
    assert f" not shown; use python -m nasbench query {cell} --all to show them\n" in out


def begun(path, store):
    """A search that stopped within its second epoch, so that its log has a row."""
    config = config_of("darts", epochs=2)
    places = replace(CPU, store=store)
    assert not search(SearchSettings(**TINY), config, path, environment=places, stop=after(4)).complete
    return path


def test_a_run_goes_on_with_any_table_that_has_the_scores_of_its_log(runs_alone, tmp_path, no_pictures):
    bench = runs_alone
    path = begun(tmp_path / "run", bench.store.path)
    (first,) = read_log(path, SEARCH_LOG)
    arrays = {"index": bench.store["index"], "isomorphism_class": bench.store["isomorphism_class"]}
    for name in ("seeds", "final/val_accuracy"):
        arrays[f"cifar10/200/{name}"] = bench.store[f"cifar10/200/{name}"]
    arrays["cifar10/200/final/test_accuracy"] = arrays["cifar10/200/final/val_accuracy"] + 1
    other = stores.write(tmp_path / "other.h5", arrays)  # the same but for its checksum and what is new in it
    result = resume(path, store=other)
    assert result.complete
    one, two = read_log(path, SEARCH_LOG)
    assert one == first
    assert two["benchmark_test_accuracy"] == NB201(other).query(two["index"], "cifar10", "test_accuracy")
    assert reopen(path, store=other).scorer.bench.store.path == other


def test_a_run_does_not_go_on_with_other_scores_than_its_log_has(run, bench, lacking, tmp_path, no_pictures):
    path = begun(tmp_path / "run", bench.store.path)
    log = (path / "log.csv").read_bytes()
    (row,) = read_log(path, SEARCH_LOG)
    store = stores.from_csv(tmp_path / "a.h5", ["cifar10:200:val_accuracy"])
    value = NB201(store).query(row["index"], "cifar10", "val_accuracy")
    for other, found in ((store, value), (lacking["params"], "missing")):
        code, out, err = run("--resume", path, "--store", other)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert (
            f"{path} was scored by {bench.store.path} (checksum {bench.store.attributes['checksum'][:8]})"
            in err
        )
        assert f"but {other} (checksum " in err
        then = row["benchmark_val_accuracy"]
        assert f"benchmark_val_accuracy of cell {row['index']} is {found}, not {then}" in err
    assert (path / "log.csv").read_bytes() == log
    config = json.loads((path / "config.json").read_text())
    config["places"]["store"] = None
    (path / "config.json").write_text(json.dumps(config))
    assert "was scored by the default table (" in run("--resume", path, "--store", store)[2]
    config["table"]["checksum"] = "0" * 64  # of an earlier release
    (path / "config.json").write_text(json.dumps(config))
    assert run("--resume", path)[0] == 0


def test_a_cell_that_mostly_passes_on_or_drops_is_warned_of(run, monkeypatch):
    convolutions = ("nor_conv_3x3",) * 3
    assert collapse_warning((*convolutions, "avg_pool_3x3", "none", "skip_connect")) is None
    assert "3 of the 6 edges found are skip_connect or none (at least half)" in collapse_warning(
        (*convolutions, "none", "none", "skip_connect")
    )
    without = ("avg_pool_3x3",) * 4 + ("skip_connect",) * 2
    assert (
        collapse_warning(without) == "none of the edges found is a convolution: the search may have collapsed"
    )
    kind = get_method("darts")
    monkeypatch.setattr(kind, "scores", lambda self, edge: torch.eye(5)[1])
    code, out, err = run(*FLAGS, "--epochs", 1, "--json")
    summary = json.loads(out)
    assert summary["benchmark"]["index"] == 1835
    assert err == f"warning: {summary['warning']}\n"
    assert "6 of the 6 edges found" in err


def test_a_tree_of_images(run, no_pictures, tmp_path):
    rng = np.random.default_rng(0)
    for part, count in (("train", 12), ("test", 1)):
        for name in ("a", "b", "c"):
            (tmp_path / part / name).mkdir(parents=True)
            for n in range(count):
                pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / part / name / f"{n}.png")
    flags = ("--channels", 2, "--cells", 1, "--epochs", 2, "--batch", 6, "--device", "cpu")
    data = ("--dataset", f"folder:{tmp_path}")
    path = tmp_path / "run"
    code, out, err = run(*flags, *data, "--out", path)
    assert (code, read_record(path, SEARCH)["data"]["classes"]) == (0, 3)
    assert run("--resume", path, *data)[0] == 0
    (tmp_path / "train" / "a" / "0.png").write_bytes((tmp_path / "train" / "a" / "1.png").read_bytes())
    code, _, err = run("--resume", path)
    assert (code, f"differs from the data of {path}: other images or labels" in err) == (2, True)
    for part in ("train", "test"):
        (tmp_path / part / "d").mkdir()
        for n in range(4):
            Image.fromarray(pixels).save(tmp_path / part / "d" / f"{n}.png")
    code, _, err = run("--resume", path)
    assert (code, f"differs from the data of {path}: classes 4, not 3" in err) == (2, True)
    with pytest.raises(ConfigError, match="classes 4, not 3"):
        reopen(path)
    for file in tmp_path.rglob("*.png"):
        Image.fromarray(pixels[:6, :6]).save(file)
    code, _, err = run(*flags, *data)
    assert (code, "their sides must be multiples of 4;" in err, "has 6x6" in err) == (2, True, True)
    (tmp_path / "train" / "a" / "0.png").write_text("no image")
    code, _, err = run(*flags, *data)
    assert (code, err.count("\n"), "a/0.png cannot be read as an image" in err) == (2, 1, True)


# Stopped, and gone on with


@pytest.mark.parametrize("method", EVERY_METHOD)
def test_a_search_that_goes_on_ends_where_one_that_never_stopped_ends(tmp_path, no_pictures, method):
    """Stopped before the first step, within an epoch, at its end, and one step before the end of all."""
    settings, config = SearchSettings(method=method, **TINY), config_of(method)
    undisturbed = search(settings, config, tmp_path / "whole", environment=CPU)
    path = tmp_path / "part"
    stopped = search(settings, config, path, environment=CPU, stop=after(0))
    assert (stopped.complete, stopped.log, stopped.to_json()["steps"]) == (False, [], 0)
    for epochs, steps in ((0, 1), (0, 2), (1, 0), (2, 2)):
        begin, end = stopped.to_json()["steps"], 3 * epochs + steps
        seen = []

        def stop(left=end - begin, seen=seen):
            seen.append(1)
            return len(seen) > left  # it is asked before the first step too

        stopped = resume(path, stop=stop)
        assert (stopped.complete, stopped.to_json()["steps"]) == (False, end)
        assert len(stopped.log) == epochs
    result = resume(path)
    assert result.to_json() == undisturbed.to_json()
    assert_same_end(path, tmp_path / "whole")


LOADING = """
from functools import partial
from oneshot.search import session, task
with session.SearchSession.begin(partial(task.SearchJob.create, None, None, None)):  # as all will need it
    pass
"""
KILLS = ("step:1", "step:5", "between:1", "between:2", "log:4", "checkpoint:4", "end:0")
CASES = [f"{case}:SIGKILL" for case in KILLS]
CASES += [f"{case}:SIGINT" for case in ("step:5", "step:6", "checkpoint:4", "end:0")]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A folder with runs that a signal stopped, and the exit code of each."""
    base = tmp_path_factory.mktemp("stopped")
    return base, stop(base, (*FLAGS, "--epochs", "3"), CASES)


def stop(base, flags, cases):
    return stop_runs(LOADING, "oneshot.search", "oneshot.methods.darts:DARTS", base, flags, cases)


class TestSearch(TrainingContract):
    prog = "python -m oneshot.search"
    kind, log_format, equal_nan = SEARCH, SEARCH_LOG, True
    flags = quick = (*FLAGS, "--epochs", 1)
    first_file = "checkpoint.pt"
    diverging = (*FLAGS, "--epochs", 2, "--learning-rate", "1e30")
    shown = ("DARTS: 100%", "3/3", "val loss")
    shown_runs = [(*FLAGS, "--epochs", 1), (*FLAGS, "--method", "rsws", "--epochs", 1, "--paths", 2)]
    interrupted_report = "cell            |"
    refused = [
        (
            ("--epochs", 5),
            "--epochs 5 differs from the run's --epochs 3; on resume you can only change --device,"
            " --folder, --download and --store",
        ),
        (("--seed", 0), "--seed 0 differs from the run's --seed 3"),
        (("--channels", 8), "--channels 8 differs from the run's --channels 2"),
        (("--dataset", "cifar10"), "--dataset cifar10 differs from the run's --dataset digits"),
        (("--method", "gdas"), "--method gdas differs from the run's --method darts"),
        (("--amp",), "--amp differs from the run's --no-amp"),
        (("--learning-rate", "0.1"), "--learning-rate 0.1 differs from the run's --learning-rate 0.025"),
        (("--tau-max", "1"), "unrecognized arguments: --tau-max 1"),
    ]
    accepted = ("--epochs", 3, "--seed", 3, "--method", "darts", "--device", "cpu")

    def look(self, whole):
        assert reopen(whole).complete  # to look is allowed

    @pytest.mark.slow
    @pytest.mark.parametrize("case", CASES)
    def test_a_process_that_is_stopped_anywhere_goes_on_to_the_same_end(
        self, run, stopped, whole, no_pictures, case
    ):
        self.check_a_process_that_is_stopped_anywhere(run, stopped, whole, case)


def test_an_interrupt_without_a_folder(run, monkeypatch):
    kind = get_method("darts")
    step = kind.step

    def interrupted(self, *data):
        os.kill(os.getpid(), signal.SIGINT)
        return step(self, *data)

    monkeypatch.setattr(kind, "step", interrupted)
    code, out, err = run(*FLAGS, "--epochs", 2, "--json")
    assert (code, json.loads(out)["complete"]) == (130, False)
    assert err.endswith("interrupted after 0 of 2 epochs and 1 step; not saved\n")


def test_the_options_of_a_run_to_go_on_with_are_its_methods(run, no_pictures, tmp_path):
    search(
        SearchSettings(method="gdas", **TINY), config_of("gdas", epochs=1), tmp_path / "a", environment=CPU
    )
    assert run("--resume", tmp_path / "a", "--tau-max", 10)[0] == 0
    for argv, message in [
        (("--tau-max", 9), "--tau-max 9.0 differs from the run's --tau-max 10.0"),
        (("--estimator", "sampled"), "--estimator sampled differs from the run's --estimator authors"),
        (("--recipe", "nas-bench-201"), "--recipe nas-bench-201 differs from the run's --recipe naslib"),
        (("--no-clip-alphas",), "--no-clip-alphas differs from the run's --clip-alphas"),
        (("--nesterov",), "--nesterov differs from the run's --no-nesterov"),
    ]:
        code, _, err = run("--resume", tmp_path / "a", *argv)
        assert (code, message in err) == (2, True)
    assert run("--resume", tmp_path / "a", "--estimator", "authors", "--recipe", "naslib")[0] == 0


def test_a_recipe_and_an_option_that_contradicts_it(run, tmp_path, no_pictures):
    argv = ("--method", "gdas", "--smoke", "--recipe", "nas-bench-201")
    code, _, err = run(*argv, "--no-nesterov", "--out", tmp_path / "a")
    assert code == 0
    assert "note: nesterov is False as given; the recipe nas-bench-201 has True" in err
    config = json.loads((tmp_path / "a" / "config.json").read_text())
    assert config["search"]["recipe"] == "nas-bench-201"
    assert (config["config"]["nesterov"], config["config"]["first"]) == (False, "weights")
    assert "note: " not in run(*argv)[2]


def test_the_help_has_the_recipes_and_their_sources(run):
    code, out, _ = run("--method", "gdas", "--help")
    assert code == 0
    assert recipe_table() in out
    assert "--clip-alphas, --no-clip-alphas" in out


@pytest.fixture
def copy(whole, tmp_path):
    """A copy of the undisturbed run, to be damaged."""
    for path in whole.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_a_damaged_run_is_an_error(run, no_pictures, copy):
    def error():
        code, out, err = run("--resume", copy)
        assert (code, out, err.count("\n")) == (2, "", 1)
        return err

    config, checkpoint, log = (copy / name for name in ("config.json", "checkpoint.pt", "log.csv"))
    good = {path: path.read_bytes() for path in (config, checkpoint, log)}
    other = "config.json is damaged, of another version or not of a one-shot search"
    damaged = "config.json is damaged"
    for text, said in (("{}", other), ("[]", damaged), ("nonsense", damaged)):
        config.write_text(text)
        assert said in error()
    record = json.loads(good[config])
    for part, value in [
        ("search", {"method": "magic"}),
        ("search", {"seed": -1}),
        ("config", {"order": 7}),
        ("config", {"x": 1}),
        ("search", {key: value for key, value in record["search"].items() if key != "recipe"}),
        ("config", {key: value for key, value in record["config"].items() if key != "first"}),
        ("places", None),
        ("data", 5),
        ("table", None),
    ]:
        config.write_text(json.dumps(record | {part: value}))
        assert other in error()
    config.write_bytes(good[config])
    checkpoint.write_bytes(good[checkpoint][:-100])
    assert "checkpoint.pt is damaged" in error()
    checkpoint.unlink()
    assert "has no checkpoint.pt, though its log has 3 epochs" in error()
    with pytest.raises(RunFolderError, match=r"has no checkpoint.pt; a search saves one after each epoch"):
        reopen(copy)
    state = read_checkpoint_bytes(good[checkpoint])
    for change in (
        lambda s: s.pop("architecture"),
        lambda s: s.update(architecture="|x|"),
        lambda s: s.update(architecture=str(DARTS_V2)),
        lambda s: s.update(architecture=5),
        lambda s: s.update(training=[]),
        lambda s: s["training"].update(epoch=4),
        lambda s: s["training"].update(epoch=1),
        lambda s: s["training"].update(batch=7),
        lambda s: s["training"]["optimizer"]["weights"].popitem(),
        lambda s: s["training"]["optimizer"]["alphas"].pop(),
        lambda s: s["training"]["rng"].update(cpu=torch.zeros(3, dtype=torch.uint8)),
    ):
        changed = read_checkpoint_bytes(good[checkpoint])
        change(changed)
        torch.save(changed, checkpoint)
        assert "checkpoint.pt is of another run or version" in error()
    torch.save(state, checkpoint)
    log.write_bytes(good[log][:-40])
    assert "log.csv is damaged" in error()
    log.write_bytes(good[log])
    assert run("--resume", copy)[0] == 0


def read_checkpoint_bytes(data):
    return torch.load(io.BytesIO(data), weights_only=True)


# What goes wrong


@pytest.mark.parametrize("where", ["loss", "weights"])
def test_a_search_that_diverges_keeps_the_last_good_checkpoint(no_pictures, tmp_path, where):
    path = tmp_path / "a"
    job = partial(SearchJob.create, SearchSettings(**TINY), config_of("darts"), CPU)
    with SearchSession.begin(job, path) as session:
        session.train(stop=after(3))
        assert read_checkpoint(path)["training"]["epoch"] == 1
        before = (path / "checkpoint.pt").read_bytes()
        if where == "loss":
            session.task.optimizer.op_optimizer.param_groups[0]["lr"] = 1e30
            message = r"the loss became NaN or infinite at epoch 2, step \d of 3; "
        else:  # after the last loss of the epoch
            step = session.task.optimizer.step

            def poisoned(*data):
                result = step(*data)
                if session.trainer.batch == 2:
                    with torch.no_grad():
                        session.task.optimizer.weights[0].fill_(float("nan"))
                return result

            session.task.optimizer.step = poisoned
            message = "weights became NaN or infinite at epoch 2, its step 3; "
        message += r"the last good checkpoint is .*a/checkpoint.pt \(epoch 1\); try a lower --learning-rate"
        with pytest.raises(DivergedError, match=message):
            session.train()
        assert (path / "checkpoint.pt").read_bytes() == before
    assert len(read_log(path, SEARCH_LOG)) == 1
    assert resume(path).complete


def test_a_loss_that_is_no_number_is_seen_within_an_epoch(monkeypatch):
    monkeypatch.setattr(training, "_INTERVAL", 0.0)
    job = partial(SearchJob.create, SearchSettings(**TINY), config_of("darts", batch=60), CPU)
    with SearchSession.begin(job) as session:
        session.task.optimizer.op_optimizer.param_groups[0]["lr"] = 1e30
        with pytest.raises(DivergedError, match="epoch 1, step . of 12; nothing was saved"):
            session.train()
        assert session.trainer.batch < 6


def test_memory_that_is_not_there_is_one_line(run, monkeypatch):
    def full(self, *data):
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate")

    monkeypatch.setattr(get_method("darts"), "step", full)
    code, _, err = run(*FLAGS)
    assert (code, err.count("\n")) == (2, 1)
    assert "not enough memory (on cpu; try a smaller --batch or --channels, or --amp)" in err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ("--method", "magic"),
            f"unknown method 'magic'; the methods are {', '.join([*METHODS, *PUBLISHED_METHODS])}, and M",
        ),
        (("--space", "x"), "invalid choice: 'x' (choose from"),
        (("--recipe", "x"), "invalid choice: 'x' (choose from"),
        (("--method", "gdas", "--estimator", "author"), "invalid choice: 'author' (choose from"),
        (("--nesterov", "--momentum", 0), "nesterov needs a momentum > 0, got 0"),
        (
            ("--dataset", "mnist"),
            "a data set must be cifar10, cifar100, imagenet16-120, fashion-mnist, digits",
        ),
        (("--dataset", "folder:/nowhere"), "/nowhere has no folder 'train'"),
        (("--dataset", "cifar10", "--folder", "/nowhere"), "/nowhere/cifar-10-batches-py/data_batch_1"),
        (("--device", "tpu"), "device must be cpu, cuda or cuda:N, got 'tpu'"),
        (("--device", "cuda:x"), "device must be cpu, cuda or cuda:N, got 'cuda:x'"),
        (("--epochs", 0), "epochs must be an integer >= 1, got 0"),
        (("--seed", -1), "seed must be an integer in [0, 9,223,372,036,854,775,807], got -1"),
        (("--channels", 0), "channels must be an integer in [1, 65,536], got 0"),
        (("--batch", 722), "batch must be <= 721, the number of images in a half of digits, got 722"),
        (("--tau-max", 5), "unrecognized arguments: --tau-max 5"),
        (("--method", "gdas", "--tau-min", 0), "tau_min must be > 0"),
        (("--store", "/nowhere.h5"), "no store at /nowhere.h5"),
        (("--out", "/dev/null/a"), "cannot create the folder /dev/null/a: Not a directory"),
        (("--out", "/"), "/ exists; --out must name a new folder; it is not the folder of a run"),
        (("--resume", "/nowhere"), "/nowhere is not the folder of a run: it has no log.csv"),
        (("--out", "a", "--resume", "b"), "not allowed with argument"),
        (("--tensorboard",), "--tensorboard writes to the run folder, so it needs --out"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(run, argv, message):
    code, out, err = run(*argv)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_settings_outside_their_range_are_errors(tmp_path):
    for settings, message in [
        ({"method": "magic"}, "unknown method 'magic'; the methods are darts, gdas, drnas, rsws"),
        ({"space": "x"}, "unknown space 'x'; the spaces are nb201"),
        ({"recipe": "x"}, "unknown recipe 'x'; the recipes are naslib, nas-bench-201"),
        ({"amp": 1}, "amp must be true or false, got 1"),
        ({"dataset": 3}, "dataset must be a string, got 3"),
    ]:
        with pytest.raises(ConfigError, match=message):
            SearchSettings(**settings)
    with pytest.raises(ConfigError, match="the config of gdas must be a GDASConfig, got DARTSConfig"):
        search(SearchSettings(method="gdas"), config_of("darts"))


def test_tensorboard_is_asked_for_before_the_search(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    code, out, err = run(*FLAGS, "--tensorboard", "--out", tmp_path / "a")
    assert (code, err.count("\n"), (tmp_path / "a").exists()) == (2, 1, False)
    assert "--tensorboard needs tensorboard: pip install tensorboard" in err


def test_the_columns_of_the_log_are_those_of_a_row(whole):
    header = (whole / "log.csv").read_text().splitlines()[0]
    assert header == ",".join(SEARCH_LOG.types)
    assert header.endswith(",regret,images_per_second,seconds")  # those that depend on the machine come last


def test_a_list_of_halves_is_of_the_data_sets_that_have_them():
    with pytest.raises(
        ConfigError, match="split_list needs the test images of cifar100 or .*, got dataset digits"
    ):
        SearchSettings(split_list="list.txt")


def test_a_half_of_one_image_is_too_small(run, tmp_path):
    for part in ("train", "test"):
        for name in ("a", "b"):
            (tmp_path / part / name).mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(tmp_path / part / name / "0.png")
    code, out, err = run("--dataset", f"folder:{tmp_path}", "--batch", "2", "--device", "cpu")
    assert (code, out) == (2, "")
    assert "must have at least 2 images, got 1" in err


# Other spaces

METHOD_IN = {"darts": "darts", "hierarchical": "gdas"}  # what is quick there
TWO_STEPS = ("--channels", "2", "--seed", "3", "--batch", "360", "--epochs", "2", "--device", "cpu")


def flags_in(space):
    """Of a search of two steps an epoch."""
    return ("--space", space, "--method", METHOD_IN[space], *TWO_STEPS)


def settings_in(space, method=None):
    return SearchSettings(space=space, method=method or METHOD_IN[space], **TINY)


@pytest.fixture(scope="module", params=["darts", pytest.param("hierarchical", marks=pytest.mark.slow)])
def elsewhere(request, tmp_path_factory):
    """(a space, the folder of an undisturbed run of the command there, what it printed)."""
    path = tmp_path_factory.mktemp("elsewhere") / request.param
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert command.main([*flags_in(request.param), "--out", str(path)]) == 0
    return request.param, path, printed.getvalue()


@pytest.mark.slow
def test_the_report_and_the_folder_of_another_space(elsewhere):
    name, path, printed = elsewhere
    space = get_space(name)
    summary = json.loads((path / "summary.json").read_text())
    found = summary["architecture"]
    architecture = space.read(found["text"])
    assert found["space"] == name
    assert isinstance(architecture, {"darts": Genotype, "hierarchical": Hierarchy}[name])
    assert found == {
        "space": name,
        "text": str(architecture),
        **json.loads(json.dumps(space.json(architecture))),
    }
    assert (summary["complete"], summary["benchmark"], summary["steps"]) == (True, None, 4)
    assert summary["settings"]["cells"] == space.smaller.cells
    assert summary["supernet"]["path"]["accuracy"] > 0
    assert (summary["supernet"]["mixed"] is None) == (name == "hierarchical")  # GDAS draws
    rows = read_log(path, SEARCH_LOG)
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows[-1]["arch"] == str(architecture)
    for row in rows:
        space.read(row["arch"])
        for column in ("index", "benchmark_val_accuracy", "benchmark_test_accuracy", "rank", "regret"):
            assert row[column] is None
    config = read_record(path, SEARCH)
    assert config["table"] is None
    assert (config["config"]["epochs"], config["config"]["batch"]) == (2, 360)  # given ones win
    assert {file.name for file in path.iterdir()} == {
        *("config.json", "log.csv", "checkpoint.pt", "summary.json"),
        *("alphas.npz", "alphas.png", "cell.png"),
    }
    edges = {"darts": 28, "hierarchical": 46}[name]
    with np.load(path / "alphas.npz") as arrays:
        alphas, operations, names = arrays["alphas"], arrays["operations"], arrays["edges"]
    assert alphas.shape == (3, *operations.shape)
    assert operations.shape == (edges, {"darts": 8, "hierarchical": 7}[name])
    for edge, row, values in zip(names.tolist(), operations.tolist(), alphas[-1], strict=True):
        candidates = space.candidates(edge)
        assert row == [*candidates, *[""] * (operations.shape[1] - len(candidates))]
        assert np.isnan(values).tolist() == [not operation for operation in row]
    cells = {"darts": "3 cells", "hierarchical": "1 cell per stage"}[name]
    method = {"darts": "DARTS", "hierarchical": "GDAS"}[name]
    assert printed.startswith(
        f"{method} on digits, {name} with 2 channels and {cells}\n2 epochs, 4 steps, 721 "
    )
    assert f"\narchitecture    {architecture}\n" in printed
    assert "index" not in printed
    assert "benchmark" not in printed
    assert printed.endswith(f"\nsaved in {path}, with alphas.png, cell.png\n")


@pytest.mark.slow
def test_a_run_of_another_space_is_reopened(elsewhere):
    name, path, _ = elsewhere
    summary = json.loads((path / "summary.json").read_text())
    run = reopen(path)
    assert (run.complete, run.scorer, str(run.architecture)) == (True, None, summary["architecture"]["text"])
    with get_space(name).fixed_path(run.optimizer.graph, run.architecture):
        assert run.optimizer.evaluate(run.val_loader())._asdict() == summary["supernet"]["path"]


@pytest.mark.slow
@pytest.mark.parametrize("elsewhere", ["darts"], indirect=True)
def test_a_run_of_another_space_cannot_be_scored(elsewhere, capsys):
    name, path, _ = elsewhere
    code = score.main([str(path), "--cells", "10"])
    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"no benchmark has the architectures of {name}; to train" in err
    assert not (path / "score.json").exists()


@pytest.mark.slow
def test_a_search_of_another_space_goes_on_to_the_same_end(elsewhere, no_pictures, tmp_path):
    name, whole, _ = elsewhere
    path = tmp_path / "part"
    config = config_of(METHOD_IN[name], epochs=2, batch=360)
    stopped = search(settings_in(name), config, path, environment=CPU, stop=after(3))
    assert (stopped.complete, stopped.to_json()["steps"], len(stopped.log)) == (False, 3, 1)
    assert stopped.to_json()["architecture"]["space"] == name
    assert resume(path).complete
    assert_same_end(path, whole)


@pytest.mark.slow
@pytest.mark.parametrize("elsewhere", ["darts"], indirect=True)
def test_a_search_of_darts_that_is_stopped_goes_on_to_the_same_end(elsewhere, run, no_pictures, tmp_path):
    name, whole, _ = elsewhere
    cases = ("between:1:SIGKILL", "step:3:SIGINT")
    assert stop(tmp_path, flags_in(name), cases) == dict(zip(cases, (-9, 130), strict=True))
    for case in cases:
        path = tmp_path / case.replace(":", "-")
        assert run("--resume", path)[0] == 0
        assert_same_end(path, whole)


@pytest.mark.slow
@pytest.mark.parametrize("elsewhere", ["darts"], indirect=True)
def test_a_run_of_another_space_goes_on_in_it_alone(elsewhere, run, tmp_path):
    name, path, _ = elsewhere
    code, out, err = run("--resume", path, "--space", "nb201")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert (
        f"--space nb201 differs from the run's --space {name}; on resume you can only change --device" in err
    )
    for file in ("config.json", "log.csv"):
        (tmp_path / file).write_bytes((path / file).read_bytes())
    state = read_checkpoint(path)
    for found in ("|x|", str(Cell.from_index(0)), "Genotype()", 5):
        torch.save(state | {"architecture": found}, tmp_path / "checkpoint.pt")
        with pytest.raises(RunFolderError, match="checkpoint.pt is of another run or version"):
            reopen(tmp_path)
    torch.save(state | {"architecture": None}, tmp_path / "checkpoint.pt")
    found = reopen(tmp_path)
    assert not found.complete
    assert str(found.architecture) == state["architecture"]  # what it would choose now


def test_random_paths_of_another_space():
    config = config_of("rsws", epochs=1, batch=360)
    result = search(settings_in("darts", "rsws"), config, environment=CPU)
    assert result.complete
    assert isinstance(result.architecture, Genotype)
    assert "none" not in result.architecture.operations
    assert result.log[0]["val_loss"] is None


def test_the_defaults_of_spaces():
    sizes = {
        space: [(found.channels, found.cells) for found in (SearchSettings(space=space), big)]
        for space in ("nb201", "darts", "hierarchical")
        for big in [SearchSettings(space=space, dataset="cifar10")]
    }
    assert sizes == {
        "nb201": [(8, 1), (16, 5)],
        "darts": [(4, 3), (16, 8)],
        "hierarchical": [(2, 1), (16, 1)],
    }
    assert SearchSettings(space="darts", cells=5).cells == 5
    assert SearchSettings(space="darts", channels=3).channels == 3


@pytest.mark.parametrize("method", METHODS)
def test_the_hierarchical_space_is_searched_for_ten_epochs_of_ten_images(method):
    kind = get_method(method).config_class
    settings = SearchSettings(space="hierarchical", method=method)
    assert told.build_config(settings) == kind(epochs=10, batch=10)
    assert told.build_config(settings, epochs=3) == kind(epochs=3, batch=10)
    assert told.build_config(settings, batch=64, epochs=kind().epochs) == kind(batch=64)
    for space in ("nb201", "darts"):
        assert told.build_config(SearchSettings(space=space, method=method)) == kind()
    job = SearchJob.create(settings, None, CPU, ProcessGroup())
    assert job.config == kind(epochs=10, batch=10)


@pytest.mark.parametrize(("space", "least"), [("nb201", 1), ("darts", 3), ("hierarchical", 1)])
def test_too_few_cells_are_an_error_before_there_is_a_folder(run, tmp_path, space, least):
    code, out, err = run("--space", space, "--cells", least - 1, "--out", tmp_path / "a")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"cells must be an integer in [{least}, 1,000], got {least - 1}" in err
    assert not (tmp_path / "a").exists()
