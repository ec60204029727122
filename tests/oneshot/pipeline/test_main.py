import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from nasbench.runs.log import read_log
from oneshot.errors import ConfigError
from oneshot.pipeline.__main__ import main
from oneshot.pipeline.plan import PIPELINE_LOG, Pipeline
from oneshot.pipeline.settings import SHORT_OPTIONS, PipelineEnvironment, PipelineSettings
from tests import stores
from tests.running import runner

TINY = ("--space", "nb201", "--searches", "2", "--smoke")
JOBS = ["search-0", "search-1", "short-0", "short-1", "final"]


@pytest.fixture
def run(capfd, home):
    return runner(main, capfd)


@pytest.fixture(scope="module")
def whole(home, tmp_path_factory):
    """A pipeline that nothing disturbed, through the shell."""
    path = tmp_path_factory.mktemp("pipeline") / "run"
    command = [sys.executable, "-m", "oneshot.pipeline", *TINY, "--devices", "cpu", "--out", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    (path.parent / "out").write_text(done.stdout)
    (path.parent / "err").write_text(done.stderr)
    return path


def findings(path):
    """What a pipeline found, without what depends on where and when."""
    summary = json.loads((path / "summary.json").read_text())
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in read_log(path, PIPELINE_LOG)]
    return summary, rows


@pytest.mark.slow
def test_the_best_by_its_short_training_is_trained_on_all_images(whole):
    summary, rows = findings(whole)
    assert [row["job"] for row in rows] == JOBS
    short = [found["short_accuracy"] for found in summary["searches"]]
    best = summary["best"]
    assert short[best] == max(short)
    assert [found["seed"] for found in summary["searches"]] == [0, 1]
    searched = [json.loads((whole / f"search-{k}" / "summary.json").read_text()) for k in (0, 1)]
    trained = [json.loads((whole / name / "summary.json").read_text()) for name in JOBS[2:]]
    for search, training, found, row in zip(searched, trained, summary["searches"], rows, strict=False):
        assert search["architecture"] == found["architecture"]
        assert training["architecture"]["text"] == found["architecture"]["text"] == row["architecture"]
        assert training["settings"]["split"] == "half"
        assert training["result"]["top1"] == found["short_accuracy"]
        assert search["settings"]["seed"] == found["seed"]
    final = trained[-1]
    assert summary["final"] == final
    assert final["settings"]["split"] == "full"
    assert final["architecture"]["text"] == searched[best]["architecture"]["text"]
    assert rows[-1]["accuracy"] == final["result"]["top1"]


def test_the_report(whole):
    out, err = (whole.parent.joinpath(name).read_text() for name in ("out", "err"))
    summary, _ = findings(whole)
    assert out.startswith("nb201 searched by darts on digits: 2 seeds from 0 on; ")
    assert f"search-{summary['best']} *" in out
    assert f"{summary['final']['result']['top1']:.2f} % of 355 test images classified correctly" in out
    assert out.endswith(f"saved in {whole}\n")
    said = [line for line in err.splitlines() if not line.startswith(("warning:", "note:"))]
    assert said == ["search: 2 jobs on cpu", "short: 2 jobs on cpu", "final: 1 job on cpu"]


def test_one_that_is_done_is_reported_again(run, whole, tmp_path):
    copy = shutil.copytree(whole, tmp_path / "copy")
    code, out, err = run("--resume", copy, "--devices", "cpu", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == findings(whole)[0]
    assert findings(copy) == findings(whole)
    with pytest.raises(AssertionError):  # no search was run again
        assert (copy / "search-0" / "log.csv").stat().st_mtime > time.time()


@pytest.mark.slow
def test_what_is_missing_is_done_again_alike(run, whole, tmp_path):
    copy = shutil.copytree(whole, tmp_path / "copy")
    shutil.rmtree(copy / "short-1")
    (copy / "summary.json").unlink()
    for name in ("search-0", "search-1", "short-0", "final"):  # their paths were those of the other folder
        assert (copy / name / "summary.json").exists()
    code, _, err = run("--resume", copy, "--devices", "cpu", *TINY)
    assert code == 0
    assert "short: 1 job on cpu" in err
    assert findings(copy) == findings(whole)


@pytest.mark.slow
def test_a_table_that_lacks_accuracies_and_has_moved(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store, path = stores.from_csv(tmp_path / "a.h5", ["cifar10:params"]), tmp_path / "run"
    one = ("--space", "nb201", "--searches", 1, "--smoke")
    code, out, _ = run(*one, "--devices", "cpu", "--store", "a.h5", "--out", path, "--json")
    assert code == 0
    (found,) = json.loads(out)["searches"]
    assert found["benchmark"]["benchmark_val_accuracy"] is None
    config = json.loads((path / "search-0" / "config.json").read_text())
    assert config["places"]["store"] == str(store)
    (path / "search-0" / "summary.json").unlink()
    moved = store.rename(tmp_path / "b.h5")
    code, _, err = run("--resume", path, "--devices", "cpu")
    assert code == 2
    assert f"cannot open the table of {path}/search-0: no store at {store}" in err
    code, again, _ = run("--resume", path, "--devices", "cpu", "--store", moved, "--json")
    assert (code, json.loads(again)) == (0, json.loads(out))


@pytest.mark.slow
def test_one_that_is_stopped_twice_goes_on_to_the_same_end(run, whole, tmp_path):
    path = tmp_path / "run"

    def stopped(number, log, *words):
        """The process of a command that a signal ends once a job has a log, and its stderr."""
        command = [sys.executable, "-m", "oneshot.pipeline", "--devices", "cpu", *words, str(path)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        while not (path / log).exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        return process, process.communicate()[1]

    process, _ = stopped(signal.SIGKILL, "search-1/log.csv", *TINY, "--out")
    assert process.returncode == -signal.SIGKILL
    time.sleep(1)  # for a search that dies with it
    process, err = stopped(signal.SIGINT, "short-0/log.csv", "--resume")
    assert process.returncode == 130
    assert err.splitlines()[-1] == f"interrupted; continue with: python -m oneshot.pipeline --resume {path}"
    assert "Traceback" not in err
    code, _, err = run("--resume", path, "--devices", "cpu")
    assert code == 0
    assert findings(path) == findings(whole)


def test_bad_input_is_one_line(run, whole, tmp_path):
    out = tmp_path / "out"

    def error(*arguments):
        code, said, err = run(*arguments)
        assert (code, said, err.count("\n")) == (2, "", 1)
        return err

    assert "one of the arguments --out --resume is required" in error()
    assert "argument --space: invalid choice: 'mars'" in error("--space", "mars", "--out", out)
    assert "unknown method 'magic'" in error("--method", "magic", "--out", out)
    assert "searches must be an integer in [1, 1,000], got 0" in error("--searches", 0, "--out", out)
    assert "--seed cannot be in search-options" in error("--search-options=--seed 3", "--out", out)
    assert "--out=x cannot be in final-options" in error("--final-options=--out=x", "--out", out)
    assert "short-options cannot be parsed: No closing quotation" in error("--short-options='", "--out", out)
    assert "device must be cpu, cuda or cuda:N, got 'tpu'" in error("--devices", "tpu", "--out", out)
    size = stores.from_csv(tmp_path / "size.h5", ["cifar10:90:val_accuracy"], 32, space="sss")
    space = ("--space", "nb201", "--out", out)
    assert "--store must be a table of NAS-Bench-201" in error(*space, "--store", size)
    assert "no store at /nowhere.h5" in error(*space, "--store", "/nowhere.h5")
    assert f"{whole} exists; --out must name a new folder; --resume continues it" in error("--out", whole)
    assert not out.exists()
    assert "is the folder of a search, not of a pipeline" in error("--resume", whole / "search-0")
    assert "is not the folder of a run" in error("--resume", tmp_path)
    told = "--searches 3 differs from the run's --searches 2; on resume you can only change --devices,"
    told += " --folder, --download and --store"
    assert told in error("--resume", whole, "--searches", 3)
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("log.csv", "config.json"):
        shutil.copy(whole / name, copy)
    settings = json.loads((whole / "config.json").read_text())["pipeline"]
    of_no_store = {"pipeline": settings, "store": 5}
    for value in ({}, {"pipeline": 5}, {"pipeline": {"space": "nb201"}}, of_no_store):
        (copy / "config.json").write_text(json.dumps({"stage": "pipeline"} | value))
        assert "is damaged, of another version or not of a pipeline" in error("--resume", copy)


def test_a_job_that_fails_says_how_to_go_on(run, tmp_path):
    out = tmp_path / "out"
    code, _, err = run(*TINY, "--search-options=--learning-rate -1", "--devices", "cpu", "--out", out)
    assert code == 2
    *_, cause, end = err.splitlines()
    assert "learning_rate must be > 0, got -1" in cause
    assert end == (
        f"python -m oneshot.pipeline: error: search-0 failed with exit code 2; see above; continue with:"
        f" python -m oneshot.pipeline --resume {out}"
    )


def test_the_short_training_is_smaller_where_the_images_are_not():
    for space, text in SHORT_OPTIONS.items():
        assert PipelineSettings(space=space, dataset="cifar10").short_options == text
        assert PipelineSettings(space=space).short_options == ""
    assert PipelineSettings(dataset="cifar10", smoke=True).short_options == ""
    settings = PipelineSettings(dataset="cifar10", short_options="--epochs 5")
    environment = PipelineEnvironment(folder="images", download=True, store="/a.h5")
    job = Pipeline("x", settings, environment).shorts()[3]
    words = "x/search-3 --split half --seed 0 --dataset cifar10 --epochs 5 --out x/short-3"
    words += " --folder images --download --store /a.h5 --json"
    assert job.command == ("python", "-m", "oneshot.retrain", *words.split())
    with pytest.raises(ConfigError, match="unknown space 'mars'"):
        PipelineSettings(space="mars")


def test_one_whose_folder_is_removed_ends_with_an_error_and_creates_nothing(tmp_path):
    path = tmp_path / "run"
    command = [sys.executable, "-m", "oneshot.pipeline", *TINY, "--devices", "cpu", "--out", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (path / "output" / "search-0.json").exists():
        assert process.poll() is None
        time.sleep(0.02)
    shutil.rmtree(path)  # while the first search starts, which is to create its folder
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (2, "")
    assert err.splitlines()[-1].endswith(
        f"error: {path} or its log.csv was removed or replaced during the run"
    )
    assert "Traceback" not in err
    assert not path.exists()
