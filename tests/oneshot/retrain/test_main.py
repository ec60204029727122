import io
import json
import os
import shutil
import signal
from functools import partial

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from nasbench.runs.folder import read_record
from nasbench.runs.log import read_log
from oneshot.errors import DivergedError, RunFolderError
from oneshot.methods.darts import DARTSConfig
from oneshot.retrain import __main__ as command
from oneshot.retrain import pictures
from oneshot.retrain.session import RetrainSession, resume, retrain
from oneshot.retrain.settings import RetrainSettings
from oneshot.retrain.task import RetrainJob, RetrainTask
from oneshot.retrain.weights import RETRAINING, RETRAINING_LOG
from oneshot.search import SearchSettings, search
from oneshot.training.checkpoints import read_checkpoint
from oneshot.training.environment import Environment
from tests.oneshot.training.contract import TrainingContract, after, assert_same_end, same, stop_runs
from tests.running import runner

CPU = Environment(device="cpu")
TINY = {"channels": 2, "seed": 3, "batch": 500, "epochs": 3}  # 3 steps an epoch in the space of DARTS
SIZES = ("--channels", "2", "--seed", "3", "--batch", "500", "--epochs", "3")
FLAGS = ("DARTS_V2", *SIZES, "--device", "cpu", "--ema", "0.5")


@pytest.fixture
def run(capsys):
    return runner(command.main, capsys)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of an undisturbed run of the command, by FLAGS, with its picture."""
    path = tmp_path_factory.mktemp("runs") / "whole"
    assert command.main([*FLAGS, "--out", str(path)]) == 0
    return path


@pytest.fixture
def no_pictures(monkeypatch):
    monkeypatch.setattr(pictures, "draw_all", lambda *args: {pictures.CURVES: Figure()})


# What a retraining gives


@pytest.mark.parametrize("space", ["nb201", pytest.param("darts", marks=pytest.mark.slow)])
def test_the_default_retraining_learns(run, space):
    """All is the command's default but the number of epochs."""
    code, out, err = run(
        {"nb201": "6111", "darts": "DARTS_V2"}[space], "--epochs", 5, "--device", "cpu", "--json"
    )
    summary = json.loads(out)
    assert (code, summary["settings"]["space"], summary["settings"]["dataset"]) == (0, space, "digits")
    assert summary["result"]["top1"] > 80
    assert ("note: an auxiliary classifier needs images of 32x32, got 8x8" in err) == (space == "darts")


@pytest.mark.slow
def test_a_trial_of_the_whole_way(run, tmp_path):
    code, out, err = run(
        *("LIU2018", "--smoke", "--dataset", "cifar10", "--device", "cpu", "--ema", 0.9),
        *("--out", tmp_path / "a", "--json"),
    )
    summary = json.loads(out)
    assert (code, summary["complete"], summary["epochs"]) == (0, True, 2)
    assert err == "note: --smoke overrides --dataset\n"
    assert (summary["settings"]["dataset"], summary["settings"]["ema"]) == ("digits", 0.9)


def test_the_report_and_the_folder(whole, run, no_pictures):
    summary = json.loads((whole / "summary.json").read_text())
    rows = read_log(whole, RETRAINING_LOG)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert (summary["complete"], summary["epochs"], summary["steps"]) == (True, 3, 9)
    assert summary["images"] == {"train": 1442, "test": 355, "classes": 10}
    assert summary["result"] == {
        "loss": rows[-1]["test_loss"],
        "top1": rows[-1]["top1"],
        "top5": rows[-1]["top5"],
    }
    assert summary["ema"] == {"top1": rows[-1]["ema_top1"], "top5": rows[-1]["ema_top5"]}
    assert summary["best"]["top1"] == max(row["top1"] for row in rows)
    assert (summary["cost"]["params"], summary["benchmark"]) == (1118, None)
    assert rows[0]["train_loss"] > rows[-1]["train_loss"]
    config = read_record(whole, RETRAINING)
    assert (config["stage"], config["settings"]) == ("retraining", summary["settings"])
    assert config["architecture"] == summary["architecture"]
    assert config["places"] == {"device": "cpu", "folder": None, "store": None}
    assert config["processes"] == 1
    assert set(config["versions"]) == {"nas-toolkit", "torch", "numpy", "python"}
    assert {path.name for path in whole.iterdir()} == {
        *("config.json", "log.csv", "checkpoint.pt", "summary.json", "best.pt", "last.pt", "curves.png")
    }
    code, out, _ = run("--resume", whole)
    assert (code, out.splitlines()[-1]) == (0, f"saved in {whole}, with curves.png")
    assert out.startswith("an architecture of darts on digits: 2 channels and 3 cells\n3 epochs, 9 steps, ")
    code, out, _ = run("--resume", whole, "--json")
    assert json.loads(out) == summary


def test_without_out_nothing_is_saved_and_the_report_says_so(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = run("6111", *SIZES, "--device", "cpu")
    assert (code, list(tmp_path.iterdir())) == (0, [])
    assert out.endswith("\nnot saved; use --out FOLDER to save settings, log, weights, summary and picture\n")


def test_what_a_search_found_is_retrained(run, tmp_path):
    config = DARTSConfig(epochs=1, batch=240)
    found = search(SearchSettings(channels=2), config, tmp_path / "a", environment=CPU).architecture
    code, out, _ = run(tmp_path / "a", *SIZES, "--device", "cpu", "--json")
    assert (code, json.loads(out)["architecture"]) == (0, {"space": "nb201", "text": str(found)})
    code, _, err = run(tmp_path / "a", "--space", "darts")
    assert (code, "the space nb201, not darts" in err) == (2, True)


def test_the_random_numbers_of_the_process_stay_as_they_were_and_do_not_matter():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = retrain("DARTS_V2", RetrainSettings(**TINY), environment=CPU)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    second = retrain("DARTS_V2", RetrainSettings(**TINY), environment=CPU)
    assert first.to_json() == second.to_json()
    assert same(first.network.state_dict(), second.network.state_dict())
    assert not first.network.training


@pytest.mark.slow
def test_torch_compile(run):
    """Drop path changes with each epoch, but what is compiled for it is compiled once."""
    from torch._dynamo.utils import counters

    flags = ("DARTS_V2", *SIZES, "--cells", 3, "--epochs", 4, "--batch", 721, "--device", "cpu", "--json")
    counters.clear()
    code, out, _ = run(*flags, "--compile")
    assert counters["stats"]["unique_graphs"] == 3  # training without and with it, and evaluation
    summary, plain = json.loads(out), json.loads(run(*flags)[1])
    assert (code, summary["settings"]["compile"]) == (0, True)
    assert summary["result"]["top1"] == pytest.approx(plain["result"]["top1"], abs=15)


def test_the_network_is_exported(run, tmp_path):
    code, _, err = run("6111", *SIZES, "--device", "cpu", "--export", tmp_path / "a.pt2")
    assert (code, (tmp_path / "a.pt2").exists()) == (0, True)
    assert err.startswith(f"exported to {tmp_path / 'a.pt2'}; the maximum error of a logit is ")
    code, _, err = run("6111", *SIZES, "--export", tmp_path / "a.txt")
    assert (code, err.count("\n")) == (2, 1)


# Stopped, and gone on with


@pytest.mark.parametrize(("architecture", "split"), [("DARTS_V2", "full"), ("6111", "half")])
def test_a_retraining_that_goes_on_ends_where_one_that_never_stopped_ends(
    tmp_path, no_pictures, architecture, split
):
    """Stopped before the first step, within an epoch, at its end, and one step before the end of all."""
    settings = RetrainSettings(**TINY | {"batch": 250 if split == "half" else 500}, split=split, ema=0.9)
    undisturbed = retrain(architecture, settings, tmp_path / "whole", environment=CPU)
    path = tmp_path / "part"
    stopped = retrain(architecture, settings, path, environment=CPU, stop=after(0))
    assert (stopped.complete, stopped.log, stopped.to_json()["steps"]) == (False, [], 0)
    assert stopped.to_json()["result"] is None
    for epochs, steps in ((0, 1), (0, 2), (1, 0), (2, 2)):
        begin, end = stopped.to_json()["steps"], 3 * epochs + steps
        stopped = resume(path, stop=after(end - begin))
        assert (stopped.complete, stopped.to_json()["steps"]) == (False, end)
        assert len(stopped.log) == epochs
        assert not (path / "last.pt").exists()
    result = resume(path)
    assert result.to_json() == undisturbed.to_json()
    assert_same_end(path, tmp_path / "whole", RETRAINING_LOG)


LOADING = """
from oneshot.retrain import Environment, RetrainSettings, task
from oneshot.training.distributed import ProcessGroup
# What that loads, all have; threads of its own each process starts later.
task.RetrainJob.create("DARTS_V2", RetrainSettings(), Environment(), ProcessGroup())
"""
KILLS = ("step:1", "step:5", "between:1", "between:2", "log:4", "checkpoint:4", "best:1", "last:9", "end:0")
CASES = [f"{case}:SIGKILL" for case in KILLS]
CASES += [f"{case}:SIGINT" for case in ("step:5", "step:6", "checkpoint:4", "end:0")]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A folder with runs that a signal stopped, and the exit code of each."""
    base = tmp_path_factory.mktemp("stopped")
    stepping = "oneshot.retrain.task:RetrainTask"
    return base, stop_runs(LOADING, "oneshot.retrain", stepping, base, FLAGS, CASES)


class TestRetraining(TrainingContract):
    prog = "python -m oneshot.retrain"
    kind, log_format = RETRAINING, RETRAINING_LOG
    flags, first_file, error_lines = FLAGS, "best.pt", 2  # the other is a note
    quick = ("6111", *SIZES, "--device", "cpu")
    diverging = ("6111", *SIZES, "--learning-rate", "1e30", "--device", "cpu")
    shown = ("nb201: 100%",)
    shown_runs = [quick]
    refused = [
        (
            ("--epochs", 5),
            "--epochs 5 differs from the run's --epochs 3; on resume you can only change --device,"
            " --folder, --download and --store",
        ),
        (("--seed", 0), "--seed 0 differs from the run's --seed 3"),
        (("--dataset", "cifar10"), "--dataset cifar10 differs from the run's --dataset digits"),
        (("--split", "half"), "--split half differs from the run's --split full"),
        (("--ema", "0.9"), "--ema 0.9 differs from the run's --ema 0.5"),
        (("--amp",), "--amp differs from the run's --no-amp"),
        (("DARTS_V1",), "the architecture differs from the run's, Genotype("),
        (("--space", "nb201"), "--space nb201 differs from the run's --space darts"),
    ]
    accepted = ("DARTS_V2", "--epochs", 3, "--seed", 3, "--space", "darts")

    @pytest.mark.slow
    @pytest.mark.parametrize("case", CASES)
    def test_a_process_that_is_stopped_anywhere_goes_on_to_the_same_end(
        self, run, stopped, whole, no_pictures, case
    ):
        self.check_a_process_that_is_stopped_anywhere(run, stopped, whole, case)


def test_two_interrupts_end_at_once(run, monkeypatch, tmp_path):
    step = RetrainTask.step

    def interrupted(self, *data):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, *data)

    monkeypatch.setattr(RetrainTask, "step", interrupted)
    code, out, err = run(*FLAGS, "--out", tmp_path / "a")
    assert (code, out) == (130, "")
    assert err.endswith(f"interrupted; continue with: python -m oneshot.retrain --resume {tmp_path / 'a'}\n")
    code, _, err = run(*FLAGS)
    assert (code, err.splitlines()[-1]) == (130, "interrupted; not saved")


def tree(path, classes, train=12, size=8):
    """A tree of images of so many classes."""
    rng = np.random.default_rng(0)
    for part, count in (("train", train), ("test", 2)):
        for name in classes:
            (path / part / name).mkdir(parents=True, exist_ok=True)
            for n in range(count):
                pixels = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(path / part / name / f"{n}.png")
    return f"folder:{path}"


def test_a_tree_of_images_and_other_classes_in_it(run, no_pictures, tmp_path):
    data = tree(tmp_path / "images", "abc")
    flags = ("6111", "--channels", 2, "--cells", 1, "--epochs", 2, "--batch", 6, "--device", "cpu")
    path = tmp_path / "run"
    code, out, err = run(*flags, "--dataset", data, "--split", "full", "--out", path)
    assert (code, err, "top 5" in out) == (0, "", False)
    assert run("--resume", path, "--dataset", data)[0] == 0
    tree(tmp_path / "images", "abcd")
    code, _, err = run("--resume", path)
    assert (code, f"differs from the data of {path}: classes 4, not 3" in err) == (2, True)
    code, _, err = run(*flags, "--dataset", tree(tmp_path / "other", "ab", size=6))
    assert (code, "their sides must be multiples of 4" in err, "has 6x6" in err) == (2, True, True)
    code, _, err = run(*flags[:-4], "--batch", 7, "--dataset", tree(tmp_path / "few", "ab", train=3))
    assert (code, "batch must be <= 3, the number of training images of folder:" in err) == (2, True)
    code, _, err = run(*flags, "--dataset", tree(tmp_path / "one", "ab", train=1), "--split", "half")
    assert (code, "training needs at least 2 images, got 1" in err) == (2, True)


@pytest.fixture
def copy(whole, tmp_path):
    """A copy of the undisturbed run, to be damaged."""
    shutil.copytree(whole, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_damaged_run_is_an_error(run, no_pictures, copy):
    def error():
        code, out, err = run("--resume", copy)
        assert (code, out, err.count("\n")) == (2, "", 1)
        return err

    config, checkpoint, log = (copy / name for name in ("config.json", "checkpoint.pt", "log.csv"))
    good = {path: path.read_bytes() for path in (config, checkpoint, log)}
    other = "config.json is damaged, of another version or not of a retraining"
    for text, said in (("{}", other), ("[]", "config.json is damaged"), ("x", "config.json is damaged")):
        config.write_text(text)
        assert said in error()
    record = json.loads(good[config])
    for part, value, said in [
        ("settings", {"seed": -1}, other),
        ("settings", {"x": 1}, other),
        ("settings", record["settings"] | {"epochs": None}, "epochs not given"),
        ("places", None, other),
        ("data", 5, "data is 5"),
        ("processes", "2", "processes is '2'"),
        (
            "architecture",
            {"space": "darts", "text": "x"},
            "config.json is damaged, or of another version: no",
        ),
        ("stage", "search", "copy is the folder of a search, not of a retraining"),
    ]:
        config.write_text(json.dumps(record | {part: value}))
        assert said in error()
    config.write_bytes(good[config])
    checkpoint.write_bytes(good[checkpoint][:-100])
    assert "checkpoint.pt is damaged" in error()
    checkpoint.unlink()
    assert "has no checkpoint.pt, though its log has 3 epochs" in error()
    for change in (
        lambda s: s.pop("log"),
        lambda s: s.update(training=[]),
        lambda s: s["training"].update(epoch=4),
        lambda s: s["training"].update(epoch=1, batch=7),
        lambda s: s["training"].update(best=3),
        lambda s: s["training"].update(average=None),
        lambda s: s["training"]["weights"].popitem(),
        lambda s: s["training"]["optimizer"]["param_groups"].pop(),
        lambda s: s["training"]["rng"].update(cpu=torch.zeros(3, dtype=torch.uint8)),
    ):
        changed = torch.load(io.BytesIO(good[checkpoint]), weights_only=True)
        change(changed)
        torch.save(changed, checkpoint)
        assert "checkpoint.pt is of another run or version" in error()
    checkpoint.write_bytes(good[checkpoint])
    log.write_bytes(good[log][:-40])
    assert "log.csv is damaged" in error()
    log.write_bytes(good[log])
    assert run("--resume", copy)[0] == 0


# What goes wrong


def test_a_training_that_diverges_keeps_the_last_good_checkpoint(no_pictures, tmp_path):
    path = tmp_path / "a"
    job = partial(RetrainJob.create, "6111", RetrainSettings(**TINY, split="full"), CPU)
    with RetrainSession.begin(job, path) as session:
        session.train(stop=after(3))
        assert read_checkpoint(path)["training"]["epoch"] == 1
        before = (path / "checkpoint.pt").read_bytes()
        with torch.no_grad():
            next(session.task.network.parameters()).fill_(float("nan"))
        with pytest.raises(
            DivergedError,
            match=r"became NaN or infinite at epoch 2, by step \d of 3; the last good checkpoint is"
            r" .*a/checkpoint.pt \(epoch 1\); try a lower --learning-rate",
        ):
            session.train()
        assert (path / "checkpoint.pt").read_bytes() == before
    assert len(read_log(path, RETRAINING_LOG)) == 1
    assert resume(path).complete


@pytest.mark.parametrize(
    ("fits", "said"),
    [
        (70, "not enough memory (on cpu, for a batch of 500; --batch 62 fits)"),
        (1, "not enough memory (on cpu, not even for 2 images; try a smaller --channels, or --amp)"),
    ],
)
def test_memory_that_is_not_there(run, monkeypatch, fits, said):
    gradients = RetrainTask.gradients

    def full(self, images, *others):
        if len(images) > fits:
            raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate")
        return gradients(self, images, *others)

    monkeypatch.setattr(RetrainTask, "gradients", full)
    code, _, err = run("6111", *SIZES, "--device", "cpu")
    assert (code, err.count("\n")) == (2, 1)
    assert said in err


def test_an_error_of_another_kind_passes(monkeypatch):
    def broken(self, *data):
        raise KeyError("a mistake")

    monkeypatch.setattr(RetrainTask, "gradients", broken)
    with pytest.raises(KeyError, match="a mistake"):
        retrain("6111", RetrainSettings(**TINY), environment=CPU)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "an architecture or --resume FOLDER is required"),
        (("magic",), "'magic' is not an architecture"),
        (("6111", "--space", "darts"), "the architecture belongs to the space nb201, not darts"),
        (("6111", "--dataset", "mnist"), "a data set must be cifar10, cifar100"),
        (("6111", "--dataset", "cifar10", "--folder", "/nowhere"), "/nowhere/cifar-10-batches-py"),
        (("6111", "--device", "tpu"), "device must be cpu, cuda or cuda:N, got 'tpu'"),
        (("6111", "--epochs", 0), "epochs must be an integer >= 1, got 0"),
        (("6111", "--batch", 722), "batch must be <= 721, the number of training images of digits, got 722"),
        (("DARTS_V2", "--protocol", 12), "protocol cannot be set, because darts has none; got 12"),
        (("DARTS_V2", "--auxiliary-weight", 0.4), "needs images of 32x32, got 8x8"),
        (("DARTS_V2", "--cells", 2), "cells must be an integer in [3, 1,000], got 2"),
        (("6111", "--out", "/dev/null/a"), "cannot create the folder /dev/null/a: Not a directory"),
        (("6111", "--out", "/"), "/ exists; --out must name a new folder"),
        (("--resume", "/nowhere"), "/nowhere is not the folder of a run: it has no log.csv"),
        (("6111", "--out", "a", "--resume", "b"), "not allowed with argument"),
        (("6111", "--tensorboard"), "--tensorboard writes to the run folder, so it needs --out"),
        (("6111", "--export", "x.txt"), "x.txt"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(run, argv, message):
    code, out, err = run(*argv)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_a_network_that_cannot_be_leaves_no_folder(run, tmp_path):
    code, _, _ = run("DARTS_V2", "--cells", 2, "--out", tmp_path / "a")
    assert (code, (tmp_path / "a").exists()) == (2, False)


def test_what_may_not_be_written_is_an_error(unprivileged):
    def check(home):
        home.chmod(0o500)
        with pytest.raises(RunFolderError, match="cannot create the folder .*: Permission denied"):
            retrain("6111", RetrainSettings(**TINY), home / "a", environment=CPU)

    unprivileged(check)


def test_a_run_of_several_processes_that_depends_on_them(run, copy):
    record = json.loads((copy / "config.json").read_text())
    record["settings"]["local_bn"], record["processes"] = True, 2
    (copy / "config.json").write_text(json.dumps(record))
    code, _, err = run("--resume", copy)
    assert (
        code,
        "started with --local-bn by 2 processes, so it must be resumed by as many; got 1" in err,
    ) == (2, True)
