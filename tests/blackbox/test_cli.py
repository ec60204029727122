import json
import os
import signal
import subprocess
import sys
import termios
import time

import numpy as np
import pytest

from blackbox import cli, plot
from blackbox.cli import RunConfig, seconds
from blackbox.errors import ConfigError
from blackbox.re import EvolutionConfig, RegularizedEvolution
from blackbox.rs import RandomSearch, RandomSearchConfig
from blackbox.search import run as run_search
from blackbox.space import NB201
from nasbench import build
from tests import stores

ALGORITHMS = {"re": (RegularizedEvolution, EvolutionConfig), "rs": (RandomSearch, RandomSearchConfig)}


@pytest.fixture
def run(capsys):
    """Runs a search's command in this process: (exit code, stdout, stderr)."""

    def run(algorithm, *argv):
        try:
            code = cli.main(*ALGORITHMS[algorithm], [str(arg) for arg in argv])
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


def files(path):
    """What a finished run leaves that does not depend on when it was run."""
    return {name: (path / name).read_bytes() for name in ("log.csv", "summary.json")}


def test_the_report_of_one_trial(run, bench):
    code, out, err = run("re", "--evals", 1000)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "regularized evolution on cifar10 val_accuracy [%], 200 epochs, mean over seeds"
    assert lines[1] == "1,000 evaluations; seed 0"
    assert lines[3].split() == ["best", "cell", str(bench.best("cifar10", "val_accuracy").cell)]
    assert "91.6067 %, rank 1, regret 0.0000" in out
    assert "imagenet16-120          45.55556" in out
    assert "after     10 evaluations" in out
    assert "after  1,000 evaluations  0.0000" in out
    assert "\x1b" not in out


def test_the_report_of_many_trials(run):
    code, out, _ = run("rs", "--trials", 20, "--dataset", "cifar100", "--noise", "seed", "--seed", 4)
    assert code == 0
    assert "random search on cifar100 val_accuracy [%], 200 epochs, one recorded seed an evaluation" in out
    assert "1,000 evaluations, in each of 20 trials; seed 4" in out
    assert "of 20 trials" in out
    assert out.count(" ± ") == 3


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_summary_agrees_with_the_search_and_the_table(run, bench, algorithm):
    code, out, _ = run(algorithm, "--evals", 250, "--trials", 6, "--seed", 2, "--json")
    summary = json.loads(out)
    column = bench.by_code("cifar10", "val_accuracy")
    history = run_search(ALGORITHMS[algorithm][0](NB201, trials=6, seed=2), column.take, 250)
    best, seconds = summary["best"], bench.by_code("cifar10", "train_time")
    assert code == 0
    assert summary["complete"] is True
    trial, step = best["trial"], best["evaluation"] - 1
    assert column[history.codes].max() == best["value"] == best["score"] == history.scores[trial, step]
    assert history.scores[trial, :step].max() < best["value"]
    cell = bench.cell(int(best["index"]))
    assert history.codes[trial, step] == cell.code
    assert best["arch"] == str(cell)
    assert best["rank"] == bench.rank(cell, "cifar10", "val_accuracy")
    assert best["regret"] == bench.regret(cell, "cifar10", "val_accuracy")
    assert best["entry"] == bench.entry(cell)
    assert best["simulated_seconds"] == pytest.approx(seconds[history.codes[trial, : step + 1]].sum())
    assert summary["simulated_seconds"]["total"] == pytest.approx(seconds[history.codes].sum())
    assert summary["optimum"]["index"] == 6111
    for row in summary["regret"]:
        regret = column.max() - column[history.codes[:, : row["evaluations"]]].max(axis=1)
        assert row["mean"] == pytest.approx(regret.mean())
        assert row["std"] == pytest.approx(regret.std(ddof=1))
        assert row["median"] == pytest.approx(np.median(regret))
    assert [row["evaluations"] for row in summary["regret"]] == [10, 100, 250]
    assert summary["trials_at_optimum"] == (column[history.codes].max(axis=1) == column.max()).sum()


def test_with_noise_the_incumbent_is_what_the_search_saw_and_regret_what_is_true(run, bench):
    summary = json.loads(run("rs", "--evals", 500, "--noise", "seed", "--json")[1])
    best = summary["best"]
    assert best["value"] == bench.query(best["index"], "cifar10", "val_accuracy")
    assert best["score"] != best["value"]
    runs = [
        bench.query(best["index"], "cifar10", "val_accuracy", seed=s)
        for s in bench.seeds(best["index"], "cifar10")
    ]
    assert best["score"] in runs
    assert summary["regret"][-1]["mean"] == summary["optimum"]["value"] - best["value"]


def test_a_budget_counts_simulated_seconds(run, bench):
    summary = json.loads(run("re", "--budget", "100000s", "--trials", 8, "--json")[1])
    assert summary["settings"]["evals"] is None
    assert summary["simulated_seconds"]["mean"] <= 100_000
    search = RegularizedEvolution(NB201, trials=8)
    column, seconds = bench.by_code("cifar10", "val_accuracy"), bench.by_code("cifar10", "train_time")
    spent = seconds[run_search(search, column.take, 200).codes].cumsum(axis=1)
    counts = (spent <= 100_000).sum(axis=1)
    assert summary["evaluations"] == {"least": counts.min(), "most": counts.max()}
    both = json.loads(run("re", "--budget", "100000s", "--evals", 20, "--json")[1])
    assert both["evaluations"] == {"least": 20, "most": 20}


def test_trials_that_end_no_evaluation_within_the_budget_are_counted(run, bench):
    summary = json.loads(run("re", "--budget", "1500s", "--trials", 50, "--json")[1])
    search = RegularizedEvolution(NB201, trials=50)
    first = bench.by_code("cifar10", "train_time")[search.ask()]
    without = int((first > 1500).sum())
    assert 0 < without == summary["trials_without_evaluation"] < 50
    assert summary["evaluations"]["least"] == 0
    scores = bench.by_code("cifar10", "val_accuracy")
    regret = (scores.max() - scores[search.ask()])[first <= 1500]
    assert summary["regret"][0]["mean"] >= 0
    if summary["evaluations"]["most"] == 1:
        assert summary["regret"][0]["mean"] == pytest.approx(regret.mean())
    out = run("re", "--budget", "1500s", "--trials", 50)[1]
    assert f"{without} trials: not even one evaluation" in out
    assert f"over {50 - without} trials" in out
    code, _, err = run("re", "--budget", "600s")
    assert (code, "before the first evaluation of any trial; raise --budget to 1,672 s" in err) == (2, True)


def test_lower_is_better_where_it_is(run, bench):
    summary = json.loads(run("re", "--metric", "latency", "--json")[1])
    assert summary["best"]["value"] == bench.best("cifar10", "latency").value
    assert summary["best"]["score"] == -summary["best"]["value"]


def test_another_store(run, tmp_path):
    build.build(None, tmp_path / "own.h5")
    out = run("rs", "--evals", 50, "--store", tmp_path / "own.h5", "--out", tmp_path / "run", "--json")[1]
    assert json.loads(out) == json.loads(run("rs", "--evals", 50, "--json")[1])
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["table"]["store"] == str(tmp_path / "own.h5")
    assert run("rs", "--resume", tmp_path / "run")[0] == 0


def test_a_table_without_times(run, tmp_path, bench):
    arrays = {name: bench.store[name] for name in bench.store.names if not name.endswith("train_time")}
    path = stores.write(tmp_path / "untimed.h5", arrays)
    code, out, _ = run("re", "--evals", 200, "--store", path)
    assert (code, "simulated" in out, "found           at evaluation" in out) == (0, False, True)
    summary = json.loads(run("re", "--evals", 200, "--store", path, "--json")[1])
    assert summary["simulated_seconds"] is None
    assert summary["best"]["simulated_seconds"] is None
    code, _, err = run("re", "--budget", "1d", "--store", path)
    assert (code, "cifar10 has no train_time after 200 epochs" in err) == (2, True)


def test_the_folder_of_a_run(run, tmp_path, bench):
    path = tmp_path / "runs" / "a"
    code, out, _ = run("re", "--evals", 120, "--trials", 2, "--out", path, "--population", 20, "--sample", 5)
    assert code == 0
    assert out.endswith(f"saved in {path}\n")
    config = json.loads((path / "config.json").read_text())
    assert config["algorithm"] == "regularized evolution"
    assert config["search"] == {"population": 20, "sample": 5}
    assert config["run"]["trials"] == 2
    assert config["table"]["checksum"] == bench.store.attributes["checksum"]
    assert set(config["versions"]) == {"nas-toolkit", "numpy", "python"}
    assert len((path / "log.csv").read_text().splitlines()) == 1 + 240
    summary = json.loads((path / "summary.json").read_text())
    again = run("re", "--evals", 120, "--trials", 2, "--population", 20, "--sample", 5, "--json")[1]
    assert summary == json.loads(again)


@pytest.mark.parametrize("noise", ["mean", "seed"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_run_that_goes_on_ends_as_one_that_never_stopped(run, tmp_path, algorithm, noise):
    options = ("--trials", 3, "--noise", noise, "--seed", 6)
    run(algorithm, "--evals", 400, *options, "--out", tmp_path / "whole")
    run(algorithm, "--evals", 150, *options, "--out", tmp_path / "part")
    code, out, _ = run(algorithm, "--resume", tmp_path / "part", "--evals", 400)
    assert code == 0
    assert files(tmp_path / "part") == files(tmp_path / "whole")
    assert json.loads((tmp_path / "part" / "config.json").read_text())["run"]["evals"] == 400
    assert run(algorithm, "--resume", tmp_path / "part")[:2] == (0, out)
    assert files(tmp_path / "part") == files(tmp_path / "whole")


def test_a_budget_may_be_raised(run, tmp_path):
    run("re", "--budget", "3d", "--out", tmp_path / "whole")
    run("re", "--budget", "1d", "--out", tmp_path / "part")
    assert run("re", "--resume", tmp_path / "part", "--budget", "3d")[0] == 0
    assert files(tmp_path / "part") == files(tmp_path / "whole")


def start(algorithm, *argv):
    command = [sys.executable, "-m", f"blackbox.{algorithm}", *map(str, argv)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_rows(path):
    """Wait until the run has saved some evaluations."""
    deadline = time.monotonic() + 60
    while not (path / "log.csv").exists() or (path / "log.csv").stat().st_size < 100:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def long_run(home, tmp_path_factory):
    """A run that takes seconds, undisturbed."""
    path = tmp_path_factory.mktemp("long") / "whole"
    process = start("rs", "--evals", 1_000_000, "--out", path)
    _, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    return path


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_run_that_was_stopped_goes_on_to_the_same_end(long_run, tmp_path, stop, code):
    path = tmp_path / "stopped"
    process = start("rs", "--evals", 1_000_000, "--out", path)
    wait_for_rows(path)
    process.send_signal(stop)
    out, err = process.communicate()
    assert process.returncode == code
    if stop == signal.SIGINT:
        assert err.startswith("interrupted after ")
        assert err.endswith(f"; go on with: python -m blackbox.rs --resume {path}\n")
        assert "best cell" in out
        assert json.loads((path / "summary.json").read_text())["complete"] is False
    else:
        assert not (path / "summary.json").exists()
    process = start("rs", "--resume", path)
    _, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert files(path) == files(long_run)


def test_two_processes_do_not_share_a_folder(tmp_path):
    first = start("rs", "--evals", 1_000_000, "--out", tmp_path / "a")
    wait_for_rows(tmp_path / "a")
    second = start("rs", "--resume", tmp_path / "a")
    _, err = second.communicate()
    assert (second.returncode, err) == (
        2,
        f"python -m blackbox.rs: error: another process is writing to {tmp_path / 'a'}\n",
    )
    first.kill()
    first.communicate()


@pytest.mark.parametrize("delay", [0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6])
def test_an_interrupt_at_any_moment_leaves_a_run_that_goes_on(many_trials, tmp_path, delay):
    """Also while the log is written: half of the time of this run."""
    path = tmp_path / "stopped"
    process = start("rs", "--trials", 200, "--out", path)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode in (0, 130, -signal.SIGINT)  # the last: before the interpreter was up
    if not (path / "log.csv").exists():
        return
    if (path / "log.csv").stat().st_size > 100:
        assert "best cell" in out
        assert (path / "summary.json").exists()
    process = start("rs", "--resume", path)
    _, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert files(path) == files(many_trials)


@pytest.fixture(scope="module")
def many_trials(home, tmp_path_factory):
    path = tmp_path_factory.mktemp("many") / "whole"
    process = start("rs", "--trials", 200, "--out", path)
    _, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    return path


def test_interrupt_before_anything_was_found(run, monkeypatch):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(RandomSearch, "ask", interrupted)
    code, out, err = run("rs")
    assert (code, out) == (130, "")
    assert "interrupted" in err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--evals", 0), "evals is a whole number of at least 1, got 0"),
        (("--evals", "x"), "invalid int value: 'x'"),
        (("--trials", 10**12), "trials is a whole number in [1, 1,000,000], got 1000000000000"),
        (("--trials", 0), "trials is a whole number in [1, 1,000,000], got 0"),
        (("--seed", -1), "seed is a whole number of at least 0, got -1"),
        (("--budget", "0"), "budget is a positive number of seconds, got 0.0"),
        (("--budget", "inf"), "budget is a positive number"),
        (("--budget", "soon"), "invalid seconds value: 'soon'"),
        (
            ("--budget", "10s"),
            "ends before any evaluation can; raise --budget to 542 s, the cheapest cell",
        ),
        (("--population", 5), "sample, drawn from the population, is a whole number in [1, 5], got 10"),
        (("--sample", 101), "is a whole number in [1, 100], got 101"),
        (("--dataset", "mnist"), "unknown dataset 'mnist'"),
        (("--metric", "acc"), "unknown metric 'acc'"),
        (("--metric", "test_accuracy"), "no test_accuracy after 200 epochs"),
        (("--metric", "flops", "--noise", "seed"), "flops has no runs with seeds"),
        (("--noise", "loud"), "invalid choice: 'loud'"),
        (("--store", "/nowhere.h5"), "no store at /nowhere.h5"),
        (("--plot", "x.xyz"), "a picture ends in .png, .svg, .pdf"),
        (("--plot", "/nowhere/x.png"), "there is no folder /nowhere"),
        (("--out", "/dev/null/a"), "cannot make the folder /dev/null/a: Not a directory"),
        (("--resume", "/nowhere"), "/nowhere is not the folder of a run"),
        (("--out", "a", "--resume", "b"), "not allowed with argument --out"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(run, argv, message):
    code, out, err = run("re", *argv)
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert message in err


def test_errors_about_a_run_to_go_on_with(run, tmp_path):
    path = tmp_path / "a"
    assert run("re", "--evals", 20, "--out", path)[0] == 0
    before = files(path)
    code, _, err = run("re", "--evals", 30, "--out", path)
    assert (code, "exists; --out names a new folder, --resume goes on with an old one" in err) == (2, True)
    for argv, message in [
        (("--evals", 10), "--evals 10 is not the run's, 20; only --evals and --budget may be raised"),
        (("--seed", 1), "--seed 1 is not the run's, 0"),
        (("--population", 50), "--population 50 is not the run's, 100"),
        (("--budget", "5d"), "--budget 432000.0 is not the run's, None"),
    ]:
        code, _, err = run("re", "--resume", path, *argv)
        assert (code, err.count("\n")) == (2, 1)
        assert message in err
    assert "is a run of regularized evolution, not of random search" in run("rs", "--resume", path)[2]
    assert files(path) == before
    assert run("re", "--resume", path, "--seed", 0)[0] == 0
    assert files(path) == before


def test_a_run_is_not_continued_on_another_table(run, tmp_path, bench):
    path = tmp_path / "a"
    run("re", "--evals", 20, "--out", path)
    config = json.loads((path / "config.json").read_text())
    config["table"]["checksum"] = "0" * 64
    (path / "config.json").write_text(json.dumps(config))
    code, _, err = run("re", "--resume", path)
    assert (code, "was made on another table than" in err) == (2, True)


def test_a_run_with_damaged_files_is_an_error(run, tmp_path):
    path = tmp_path / "a"
    run("re", "--evals", 20, "--out", path)
    log = (path / "log.csv").read_text()
    row = log.splitlines()[3].split(",")
    (path / "log.csv").write_text(log.replace(row[3], "99.5"))
    code, _, err = run("re", "--resume", path)
    assert (code, "its scores or costs are not those of the table" in err) == (2, True)
    (path / "config.json").write_text('{"algorithm": "regularized evolution"}')
    code, _, err = run("re", "--resume", path)
    assert (code, "config.json is damaged or of another version: 'table'" in err) == (2, True)
    (path / "config.json").write_text(
        '{"algorithm": "regularized evolution", "table": {}, "search": {}, "run": {"x": 1}}'
    )
    code, _, err = run("re", "--resume", path)
    assert (code, "config.json is damaged or of another version" in err) == (2, True)


def test_a_noisy_log_is_held_against_the_table(run, tmp_path):
    path = tmp_path / "a"
    run("rs", "--evals", 20, "--noise", "seed", "--out", path)
    log, config = (path / "log.csv").read_text(), (path / "config.json").read_text()
    _, _, _, score, cost = log.splitlines()[3].split(",")
    for old, new in ((score, "99.5"), (cost, "1.0"), (cost, "-1"), (cost, "inf"), (score, score + "#")):
        (path / "log.csv").write_text(log.replace(old, new))
        code, _, err = run("rs", "--resume", path)
        assert (code, "log.csv is damaged" in err or "are not those of the table" in err) == (2, True)
    (path / "log.csv").write_text(log)
    (path / "config.json").write_text(config.replace('"seed": 0', '"seed": 1'))
    code, _, err = run("rs", "--resume", path)
    assert (code, "its settings do not lead to the first cells in its log" in err) == (2, True)
    (path / "config.json").write_text(config)
    assert run("rs", "--resume", path)[0] == 0


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        ("run", "trials", 2.0),
        ("run", "trials", True),
        ("run", "seed", 1.5),
        ("run", "evals", 20.5),
        ("run", "dataset", []),
        ("run", "metric", 5),
        ("run", "noise", "loud"),
        ("run", "budget", "long"),
        ("search", "population", 12.5),
        ("table", "store", 5),
    ],
)
def test_settings_of_another_type_are_errors(run, tmp_path, group, name, value):
    path = tmp_path / "a"
    run("re", "--evals", 5, "--out", path)
    config = json.loads((path / "config.json").read_text())
    config[group][name] = value
    (path / "config.json").write_text(json.dumps(config))
    code, out, err = run("re", "--resume", path)
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_names_that_are_no_text_are_kept(run, tmp_path, bench):
    store = tmp_path / os.fsdecode(b"\xff.h5")
    store.write_bytes(bench.store.path.read_bytes())
    assert run("re", "--evals", 5, "--store", store, "--out", tmp_path / "a")[0] == 0
    assert run("re", "--resume", tmp_path / "a")[0] == 0


def test_the_report_on_what_belongs_to_the_network(run):
    assert run("re", "--metric", "params", "--evals", 20)[1].startswith(
        "regularized evolution on cifar10 params [M]\n"
    )


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_picture(run, tmp_path, ending):
    path = tmp_path / f"regret.{ending}"
    code, out, _ = run("re", "--evals", 150, "--trials", 5, "--plot", path)
    assert code == 0
    assert out.endswith(f"\npicture in {path}\n")
    assert path.stat().st_size > 5000
    assert run("re", "--evals", 1, "--plot", path)[0] == 0


def test_a_picture_that_cannot_be_written_is_an_error_before_the_search(
    run, tmp_path, unprivileged, monkeypatch
):
    (tmp_path / "regret.png").mkdir()
    code, out, err = run("re", "--evals", 5, "--plot", tmp_path / "regret.png")
    assert (code, out, "it is a folder, or may not be written" in err) == (2, "", True)
    assert "there is no folder" in run("re", "--plot", "/" + "x" * 300 + "/a.png")[2]

    def check(folder):
        folder.chmod(0o500)
        with pytest.raises(ConfigError, match="may not be written"):
            plot.check(str(folder / "a.png"))

    unprivileged(check)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "pip install matplotlib" in run("re", "--plot", tmp_path / "a.png")[2]


def test_a_picture_that_fails_costs_nothing_but_the_picture(run, tmp_path, monkeypatch):
    monkeypatch.setattr(plot, "check", lambda path: None)
    code, out, err = run("re", "--evals", 5, "--plot", "/nowhere/a.png", "--out", tmp_path / "a")
    assert (code, "best cell" in out) == (2, True)
    assert "--plot cannot write '/nowhere/a.png': No such file or directory" in err
    assert (tmp_path / "a" / "summary.json").exists()


def test_durations():
    assert [seconds(text) for text in ("20000", "20000s", "1.5m", "2h", "1d", "1e3s")] == [
        20000,
        20000,
        90,
        7200,
        86400,
        1000,
    ]
    for text in ("", "s", "1w"):
        with pytest.raises(ValueError, match="could not convert"):
            seconds(text)


def test_settings():
    assert RunConfig().evals == 1000
    assert RunConfig(budget=5.0).evals is None
    with pytest.raises(ConfigError, match="evals is a whole number"):
        RunConfig(evals=0)
    with pytest.raises(ConfigError, match="noise is mean or seed, got 'loud'"):
        RunConfig(noise="loud")


def test_a_progress_bar_after_a_second_on_a_terminal():
    main, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    process = subprocess.Popen(
        [sys.executable, "-m", "blackbox.rs", "--evals", "700000"], stdout=subprocess.DEVNULL, stderr=terminal
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            block = os.read(main, 4096)
        except OSError:  # the terminal's other end is closed
            break
        if not block:
            break
        shown += block
    os.close(main)
    assert process.wait() == 0
    assert b"random search: 100%" in shown
    assert b"700000/700000" in shown
