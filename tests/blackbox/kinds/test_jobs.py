import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from blackbox import cli
from blackbox.algorithms import algorithm
from blackbox.errors import ConfigError
from blackbox.kinds.base import Experiment
from blackbox.kinds.jobs import JOBS
from blackbox.kinds.simulation import JobLog
from blackbox.search.jobs import JobHistory
from blackbox.table.settings import SimulationConfig
from blackbox.table.simulator import simulate
from nasbench import NB201
from tests import stores
from tests.blackbox.terminal import shown_on_terminal

ALGORITHMS = ("sh", "hyperband", "asha", "bohb")


@pytest.fixture
def run(capsys):
    """Runs a search's command in this process: (exit code, stdout, stderr)."""

    def run(name, *argv):
        try:
            code = cli.main(algorithm(name), [str(arg) for arg in argv])
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture(scope="module")
def table(curves):
    return NB201(curves)


def files(path):
    """What a finished run leaves that does not depend on when it was run."""
    return {name: (path / name).read_bytes() for name in ("log.csv", "summary.json")}


def test_the_report_of_one_trial(run, curves):
    code, out, err = run("sh", "--store", curves, "--budget", "5h", "--workers", 4)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "successive halving on cifar10 val_accuracy [%], 200 epochs, mean over seeds"
    assert lines[1].endswith(" jobs on 4 workers; seed 0")
    for line in (
        "best cell       |",
        "signal          val_accuracy ",
        "found           by job ",
        "after    5.0 hours",
    ):
        assert line in out
    assert "up to 200 epochs" in out
    assert "Recorded for this cell (mean over seeds)" in out
    assert out.endswith("not saved; use --out FOLDER to save settings, log and summary\n")


def test_the_report_of_many_trials(run, curves, tmp_path):
    options = ("--store", curves, "--budget", "4000s", "--trials", 5, "--noise", "seed", "--seed", 3)
    code, out, _ = run("asha", *options, "--plot", tmp_path / "a.png")
    assert code == 0
    assert (
        "asynchronous successive halving on cifar10 val_accuracy [%], 200 epochs, one recorded seed per cell"
        in out
    )
    assert "jobs on 1 worker, in each of 5 trials; seed 3" in out
    assert "Jobs of each rung, mean over trials" in out
    assert "Final incumbents, trained for 200 epochs, mean and standard deviation over 5 trials" in out
    assert out.count(" ± ") == 5
    assert out.endswith(f"plot in {tmp_path / 'a.png'}\n")
    assert (tmp_path / "a.png").stat().st_size > 5000
    assert run("asha", "--store", curves, "--jobs", 1, "--plot", tmp_path / "a.png")[0] == 0


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_summary_agrees_with_the_search_and_the_table(run, table, name):
    options = ("--store", table.store.path, "--jobs", 150, "--trials", 4, "--workers", 3, "--seed", 1)
    summary = json.loads(run(name, *options, "--json")[1])
    settings = SimulationConfig(jobs=150, trials=4, workers=3, seed=1)
    history = simulate(algorithm(name), None, settings, table)
    column = table.by_code("cifar10", "val_accuracy")
    assert summary["algorithm"] == algorithm(name).name
    assert summary["complete"] is True
    assert summary["jobs"] == {"least": 150, "most": 150}
    for row in summary["rungs"]:
        assert row["jobs"] == (history.epochs == row["epochs"]).sum() / 4
    top = history.rows[history.epochs == history.epochs.max()]
    best = top[top["score"].argmax()]
    found = summary["best"]
    assert (found["trial"], found["job"], found["score"]) == (best["trial"], best["job"], best["score"])
    assert (found["epochs"], found["simulated_seconds"]) == (best["epochs"], best["end"])
    cell = table.space.cell(int(best["code"]))
    assert (found["arch"], found["index"]) == (str(cell), cell.index)
    assert found["value"] == column[best["code"]]
    assert found["regret"] == pytest.approx(column.max() - column[best["code"]])
    ends = [history.trial_jobs(trial)["end"].max() for trial in range(4)]
    assert summary["simulated_seconds"]["mean"] == pytest.approx(np.mean(ends))
    busy = [(rows["end"] - rows["start"]).sum() for rows in map(history.trial_jobs, range(4))]
    assert summary["workers_busy"] == pytest.approx(np.mean(np.array(busy) / ends) / 3)
    last = np.array([history.anytime(trial)[2][-1] for trial in range(4)])
    assert summary["regret"][-1]["mean"] == pytest.approx((column.max() - column[last]).mean())
    assert summary["regret"][-1]["simulated_seconds"] == max(ends)
    assert summary["report"]["val_accuracy"]["mean"] == pytest.approx(column[last].mean())


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_folder_of_a_run(run, table, tmp_path, name):
    path = tmp_path / "a"
    options = ("--store", table.store.path, "--budget", "3000s", "--workers", 2, "--trials", 2, "--eta", 4)
    code, out, _ = run(name, *options, "--out", path)
    assert (code, out.endswith(f"saved in {path}\n")) == (0, True)
    config = json.loads((path / "config.json").read_text())
    assert config["algorithm"] == algorithm(name).name
    assert config["search"]["eta"] == 4
    assert config["run"]["signal"] == "val_accuracy@200"
    assert config["table"]["checksum"] == table.store.attributes["checksum"]
    settings = SimulationConfig(**config["run"])
    class_ = algorithm(name)
    expected = simulate(class_, class_.config_class(**config["search"]), settings, table)
    log = JobLog(table.space, range(2)).decode((path / "log.csv").read_bytes(), "log")
    np.testing.assert_array_equal(log.rows, expected.rows)
    assert json.loads((path / "summary.json").read_text()) == json.loads(run(name, *options, "--json")[1])


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("limit", [("--budget", "1000s", "3000s"), ("--jobs", 70, 200)])
def test_a_run_that_goes_on_ends_as_one_that_never_stopped(run, curves, tmp_path, name, limit):
    flag, less, more = limit
    options = ("--store", curves, "--trials", 3, "--noise", "seed", "--seed", 6, "--workers", 3)
    run(name, *options, flag, more, "--out", tmp_path / "whole")
    run(name, *options, flag, less, "--out", tmp_path / "part")
    shorter = (tmp_path / "part" / "log.csv").read_bytes()
    for cut in (len(shorter), len(shorter) // 2, len(shorter) // 2 + 7, 60):
        (tmp_path / "part" / "log.csv").write_bytes(shorter[:cut])
        assert run(name, "--resume", tmp_path / "part")[0] == 0
        assert (tmp_path / "part" / "log.csv").read_bytes() == shorter
    code, out, err = run(name, "--resume", tmp_path / "part", flag, more, *options)
    assert (code, err) == (0, "")
    assert files(tmp_path / "part") == files(tmp_path / "whole")
    assert run(name, "--resume", tmp_path / "part")[:2] == (0, out)
    assert files(tmp_path / "part") == files(tmp_path / "whole")


STOPPED = """
import os, signal, sys
from functools import partial
from blackbox import asha, cli
from nasbench.runs import log

where, number, name, *argv = sys.argv[1:]
write, told = log.write_all, asha.ASHA.observe

def stop():
    os.kill(os.getpid(), getattr(signal, name))

def tell(self, job, score):
    if where == "tell" and (self.trial, job.number) == (1, int(number)):
        stop()
    return told(self, job, score)

def half(file, data):
    if where == "write" and file.tell() > int(number):
        write(file, data[: len(data) // 2])
        stop()
        data = data[len(data) // 2 :]
    write(file, data)

asha.ASHA.observe, log.write_all, cli.Progress = tell, half, partial(cli.Progress, interval=0.0)
sys.exit(cli.main(asha.ASHA, argv))
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL"])
@pytest.mark.parametrize(("where", "number"), [("tell", 0), ("tell", 60), ("write", 50), ("write", 4000)])
def test_a_run_that_is_stopped_anywhere_goes_on_to_the_same_end(run, curves, tmp_path, where, number, name):
    """In the search, and half-way through a write to the log."""
    options = ("--store", str(curves), "--jobs", "80", "--trials", "3", "--workers", "4")
    run("asha", *options, "--out", tmp_path / "whole")
    path = tmp_path / "stopped"
    command = [sys.executable, "-c", STOPPED, where, str(number), name]
    result = subprocess.run([*command, *options, "--out", str(path)], capture_output=True, text=True)
    if name == "SIGKILL":
        assert result.returncode == -signal.SIGKILL
        assert not (path / "summary.json").exists()
    else:
        assert result.returncode == 130
        assert result.stderr.startswith("interrupted after ")
        assert result.stderr.endswith(f" jobs; continue with: python -m blackbox.asha --resume {path}\n")
        assert json.loads((path / "summary.json").read_text())["complete"] is False
    kept = (path / "log.csv").read_bytes()
    if (where, name) == ("tell", "SIGINT"):  # before the search comes as far as it was, nothing is lost
        again = [*command[:3], "tell", "0", "SIGINT", "--resume", str(path), "--jobs", "90"]
        assert subprocess.run(again, capture_output=True).returncode == 130
        assert set((path / "log.csv").read_bytes().splitlines()) >= set(kept.splitlines())
    code, _, err = run("asha", "--resume", path)
    assert (code, err) == (0, "")
    if (where, name) != ("tell", "SIGINT"):
        assert files(path) == files(tmp_path / "whole")
    assert (path / "log.csv").read_bytes() != kept


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ("--signal", "val_loss"),
            "no curves; try --store FILE with a store that python -m nasbench build",
        ),
        (("--fidelities", "50,200"), "recorded: 12, 200 for cifar10 val_accuracy@200; got 50"),
        (
            ("--fidelities", "12,x"),
            "argument --fidelities: fidelities must be numbers of epochs, such as 12,200",
        ),
        (
            ("--fidelities", "200", "--budget", "100s"),
            "is too short for any job; the cheapest one needs --budget 544s",
        ),
        (("--jobs", 0), "jobs must be an integer >= 1, got 0"),
        (("--workers", 0), "workers must be an integer in [1, 100,000], got 0"),
        (("--eta", 1), "eta must be an integer >= 2, got 1"),
        (("--plot", "x.xyz"), "the name must end in .png, .svg, .pdf"),
        (("--dataset", "mnist"), "unknown dataset 'mnist'"),
        (("--resume", "/nowhere"), "/nowhere is not the folder of a run"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(run, argv, message):
    code, out, err = run("asha", *argv)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_a_fidelity_that_the_store_lacks_is_an_error_before_there_is_a_folder(run, curves, tmp_path):
    code, _, err = run("asha", "--store", curves, "--fidelities", "7,201", "--out", tmp_path / "a")
    assert (code, "1 to 200 for cifar10 val_accuracy@200; got 201" in err) == (2, True)
    assert not (tmp_path / "a").exists()


def test_a_budget_that_ends_before_the_first_job_is_an_error(run, curves):
    code, _, err = run("asha", "--store", curves, "--budget", "12s", "--seed", 1)
    assert (code, "--budget 12s is too short for the first job of any trial; try" in err) == (2, True)
    raised = err.split("try --budget ")[1].strip()
    assert run("asha", "--store", curves, "--budget", raised, "--seed", 1)[0] == 0


def test_a_search_whose_jobs_all_failed_has_no_findings(table):
    search = algorithm("asha")
    experiment = Experiment(JOBS, search, search.config_class(), SimulationConfig().on(table), table)
    failed = JobHistory([0], [(0, 0, 5, 2, -np.inf, 0.0, 1.0, 0)])
    with pytest.raises(ConfigError, match="there is no incumbent, because all jobs of all trials failed"):
        JOBS.result(experiment, failed, complete=True)


def test_one_rung_is_random_search_on_the_default_store(run):
    code, out, _ = run("asha", "--fidelities", "200", "--workers", 8, "--budget", "1d")
    assert (code, "jobs on 8 workers" in out, "workers busy" in out) == (0, True, True)


@pytest.mark.parametrize("name", ["sh", "hyperband", "asha", "bohb"])
def test_the_protocols_of_the_default_store_are_fidelities(run, name):
    code, out, _ = run(name, "--jobs", 60, "--workers", 4)
    assert code == 0
    assert [line.split()[2] for line in out.splitlines() if line.startswith("up to")] == ["12", "200"]


def test_protocols_as_fidelities(run, topology):
    out = run("hyperband", "--store", topology, "--dataset", "cifar100", "--jobs", 100)[1]
    assert "up to  12 epochs" in out
    assert "up to 200 epochs" in out
    code, out, _ = run("sh", "--store", topology, "--signal", "val_loss", "--jobs", 100)
    assert (code, "; signal val_loss@200, mean over seeds" in out) == (0, True)
    assert "signal          val_loss 0." in out  # a loss, not the negative of one


def test_errors_about_a_run_to_go_on_with(run, curves, tmp_path):
    path = tmp_path / "a"
    assert run("asha", "--store", curves, "--jobs", 40, "--trials", 2, "--out", path)[0] == 0
    before = files(path)
    for argv, message in [
        (
            ("--jobs", 10),
            "--jobs 10 differs from the run's --jobs 40; on resume you can only increase --jobs and --budget",
        ),
        (("--workers", 2), "--workers 2 differs from the run's --workers 1"),
        (
            ("--fidelities", "1,200"),
            "--fidelities 1,200 differs from the run, which was started without --fidelities",
        ),
        (("--min-epochs", 4), "--min-epochs 4 differs from the run's --min-epochs 1"),
        (("--from-scratch",), "--from-scratch differs from the run's --no-from-scratch"),
    ]:
        code, _, err = run("asha", "--resume", path, *argv)
        assert (code, err.count("\n")) == (2, 1)
        assert message in err
    assert "is a run of asynchronous successive halving, not of BOHB" in run("bohb", "--resume", path)[2]
    assert files(path) == before
    log, config = before["log.csv"].decode(), (path / "config.json").read_text()
    score = log.splitlines()[3].split(",")[4]
    for damaged, settings in (
        (log.replace(score, "99.5"), config),
        (log, config.replace('"seed": 0', '"seed": 1')),
        (log, config.replace('"jobs": 40', '"jobs": 30')),
        (log.replace("worker", "who"), config),
        (log, config.replace('"workers": 1', '"workers": "x"')),
        (log, config.replace('"fidelities": null', '"fidelities": 5')),
    ):
        (path / "log.csv").write_text(damaged)
        (path / "config.json").write_text(settings)
        code, _, err = run("asha", "--resume", path)
        assert (code, err.count("\n"), "damaged" in err) == (2, 1, True)
        assert (path / "log.csv").read_text() == damaged
        assert (path / "config.json").read_text() == settings
    (path / "log.csv").write_text(log)
    (path / "config.json").write_text(config)
    assert run("asha", "--resume", path)[0] == 0
    assert files(path) == before


def test_rungs_that_are_given_are_kept(run, curves, tmp_path):
    path = tmp_path / "a"
    run("sh", "--store", curves, "--jobs", 40, "--fidelities", "5,50", "--from-scratch", "--out", path)
    assert json.loads((path / "config.json").read_text())["run"]["fidelities"] == [5, 50]
    before = files(path)
    assert run("sh", "--resume", path, "--fidelities", "5,50", "--from-scratch")[0] == 0
    assert files(path) == before


def test_a_progress_bar_on_a_terminal(curves):
    code = """
import sys
from functools import partial
from blackbox import asha, cli
cli.Progress = partial(cli.Progress, interval=0.0)
sys.exit(cli.main(asha.ASHA))
"""
    program = [sys.executable, "-c", code, "--store", str(curves), "--jobs", "60", "--trials", "2"]
    shown = shown_on_terminal(program)
    assert b"asynchronous successive halving: 100%" in shown


def test_a_store_without_validation_times(run, table, tmp_path):
    arrays = {name: table.store[name] for name in table.store.names if "val_time" not in name}
    path = stores.write(tmp_path / "a.h5", arrays)
    history = simulate(algorithm("asha"), None, SimulationConfig(jobs=30), NB201(path))
    first = history.rows[0]
    assert first["end"] == table.query(table.space.cell(int(first["code"])), "cifar10", "train_time", epoch=1)
