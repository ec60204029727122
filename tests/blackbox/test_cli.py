import errno
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from argparse import ArgumentTypeError

import numpy as np
import pytest

from blackbox import cli
from blackbox.errors import ConfigError
from blackbox.kinds.evaluations import EVALUATIONS
from blackbox.re import RegularizedEvolution
from blackbox.results import plots as plot
from blackbox.rs import RandomSearch
from blackbox.search.loop import run as run_search
from blackbox.search.space import NB201_SPACE, SSS_SPACE
from blackbox.table.settings import RunConfig, parse_seconds
from nasbench.benchmark import open_benchmark
from nasbench.errors import InvalidArgumentError
from nasbench.home import default_path
from nasbench.metrics import METRICS
from nasbench.runs.folder import RunFolder
from nasbench.spaces import SIZE
from tests import stores
from tests.blackbox.terminal import shown_on_terminal

ALGORITHMS = {"re": RegularizedEvolution, "rs": RandomSearch}


@pytest.fixture
def run(capsys):
    """Runs a search's command in this process: (exit code, stdout, stderr)."""

    def run(algorithm, *argv):
        try:
            code = cli.main(ALGORITHMS[algorithm], [str(arg) for arg in argv])
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


def files(path):
    """What a finished run leaves that does not depend on when it was run."""
    return {name: (path / name).read_bytes() for name in ("log.csv", "summary.json")}


def seconds_of(bench):
    """What an evaluation of each cell on CIFAR-10 takes: training, and one pass over validation."""
    return bench.by_code("cifar10", "train_time") + bench.by_code("cifar10", "val_time")


def test_the_report_of_one_trial(run, bench):
    code, out, err = run("re", "--evals", 1000)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "regularized evolution on cifar10 val_accuracy [%], 200 epochs, mean over seeds"
    assert lines[1] == "1,000 evaluations; seed 0"
    assert lines[3].split() == ["best", "cell", str(bench.best("cifar10", "val_accuracy").cell)]
    assert "91.6067 %, rank 1, regret 0.0000" in out
    assert "val_accuracy [%]             91.60667        72.74667        45.55556" in out
    assert "test_accuracy [%]            94.37333           73.22        46.71111" in out
    assert "33 hardware metrics not shown; use --all to show them" in out
    assert "after     10 evaluations" in out
    assert "after  1,000 evaluations  0.0000" in out
    assert "\x1b" not in out


def test_the_report_of_many_trials(run):
    code, out, _ = run("rs", "--trials", 20, "--dataset", "cifar100", "--noise", "seed", "--seed", 4)
    assert code == 0
    assert "random search on cifar100 val_accuracy [%], 200 epochs, one recorded seed per evaluation" in out
    assert "1,000 evaluations, in each of 20 trials; seed 4" in out
    assert "of 20 trials" in out
    report, regret = out.split("Final incumbents, trained for 200 epochs, ")[1].split("Regret of")
    assert report.startswith("mean and standard deviation over 20 trials\nval_accuracy [%]   ")
    assert "\ntest_accuracy [%]  " in report
    assert (report.count(" ± "), regret.count(" ± ")) == (2, 3)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_summary_agrees_with_the_search_and_the_table(run, bench, algorithm):
    code, out, _ = run(algorithm, "--evals", 250, "--trials", 6, "--seed", 2, "--json")
    summary = json.loads(out)
    column = bench.by_code("cifar10", "val_accuracy")
    history = run_search(ALGORITHMS[algorithm](NB201_SPACE, trials=6, seed=2), column.take, 250)
    best, seconds = summary["best"], seconds_of(bench)
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
    search = RegularizedEvolution(NB201_SPACE, trials=8)
    column, seconds = bench.by_code("cifar10", "val_accuracy"), seconds_of(bench)
    spent = seconds[run_search(search, column.take, 200).codes].cumsum(axis=1)
    counts = (spent <= 100_000).sum(axis=1)
    assert summary["evaluations"] == {"least": counts.min(), "most": counts.max()}
    last = summary["regret"][-1]
    assert last["evaluations"] == counts.max()
    assert last["trials_that_came_so_far"] == (counts == counts.max()).sum() < 8
    assert (
        f"(reached by {last['trials_that_came_so_far']} trial"
        in run("re", "--budget", "100000s", "--trials", 8)[1]
    )
    both = json.loads(run("re", "--budget", "100000s", "--evals", 20, "--json")[1])
    assert both["evaluations"] == {"least": 20, "most": 20}


def test_trials_that_end_no_evaluation_within_the_budget_are_counted(run, bench):
    summary = json.loads(run("re", "--budget", "1500s", "--trials", 50, "--json")[1])
    search = RegularizedEvolution(NB201_SPACE, trials=50)
    first = seconds_of(bench)[search.ask()]
    without = int((first > 1500).sum())
    assert 0 < without == summary["trials_without_evaluation"] < 50
    assert summary["evaluations"]["least"] == 0
    scores = bench.by_code("cifar10", "val_accuracy")
    regret = (scores.max() - scores[search.ask()])[first <= 1500]
    assert summary["regret"][0]["mean"] >= 0
    if summary["evaluations"]["most"] == 1:
        assert summary["regret"][0]["mean"] == pytest.approx(regret.mean())
    out = run("re", "--budget", "1500s", "--trials", 50)[1]
    assert f"{without} trials, because of the budget" in out
    assert f"over {50 - without} trials" in out
    code, _, err = run("re", "--budget", "600s")
    assert (code, "too short for the first evaluation of any trial; try --budget 1675s" in err) == (2, True)


def test_no_row_is_for_evaluations_that_no_trial_finished_in_its_budget(run, bench):
    """The log goes one step beyond the budget; here that step would be the tenth or the eleventh."""
    search = RegularizedEvolution(NB201_SPACE)
    column, seconds = bench.by_code("cifar10", "val_accuracy"), seconds_of(bench)
    spent = seconds[run_search(search, column.take, 12).codes[0]].cumsum()
    for finished in (9, 10, 11):
        budget = repr(float(spent[finished - 1]))
        summary = json.loads(run("re", "--budget", budget, "--json")[1])
        assert summary["evaluations"]["most"] == finished
        assert [row["evaluations"] for row in summary["regret"]] == sorted({min(10, finished), finished})


def test_lower_is_better_where_it_is(run, bench):
    summary = json.loads(run("re", "--metric", "latency", "--json")[1])
    assert summary["best"]["value"] == bench.best("cifar10", "latency").value
    assert summary["best"]["score"] == -summary["best"]["value"]


def test_another_store(run, tmp_path):
    (tmp_path / "own.h5").write_bytes(default_path().read_bytes())
    out = run("rs", "--evals", 50, "--store", tmp_path / "own.h5", "--out", tmp_path / "run", "--json")[1]
    assert json.loads(out) == json.loads(run("rs", "--evals", 50, "--json")[1])
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["table"]["store"] == str(tmp_path / "own.h5")
    assert run("rs", "--resume", tmp_path / "run")[0] == 0
    (tmp_path / "own.h5").rename(tmp_path / "moved.h5")
    code, _, err = run("rs", "--resume", tmp_path / "run")
    assert (code, f"cannot open the table of {tmp_path / 'run'}: no store at" in err) == (2, True)
    for _ in range(2):  # the second time it is known
        assert run("rs", "--resume", tmp_path / "run", "--store", tmp_path / "moved.h5")[0] == 0
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


@pytest.fixture(scope="module")
def tables(topology, sizes):
    """The tables with all protocols, by the flag of their space."""
    return {"tss": open_benchmark(topology), "sss": open_benchmark(sizes)}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_search_in_the_size_space(run, tables, tmp_path, algorithm):
    table = tables["sss"]
    options = ("--evals", 150, "--trials", 3, "--store", table.store.path)
    code, out, err = run(algorithm, *options, "--space", "sss", "--out", tmp_path / "a")
    assert (code, err) == (0, "")
    name = ALGORITHMS[algorithm].name
    assert out.startswith(
        f"{name} in the NATS-Bench size space on cifar10 val_accuracy [%], 90 epochs, mean over seeds\n"
    )
    text = run(algorithm, *options, "--json")[1]  # without --space: that of the store
    summary = json.loads(text)
    assert json.loads((tmp_path / "a" / "summary.json").read_text()) == summary
    assert json.loads((tmp_path / "a" / "config.json").read_text())["run"]["space"] == "sss"
    column = table.by_code("cifar10", "val_accuracy")
    history = run_search(ALGORITHMS[algorithm](SSS_SPACE, trials=3), column.take, 150)
    best, seconds = summary["best"], table.by_code("cifar10", "train_time", protocol=90)
    seconds = seconds + table.by_code("cifar10", "val_time", protocol=90)
    trial, step = best["trial"], best["evaluation"] - 1
    cell = table.cell(best["index"])
    assert (best["arch"], cell.code) == (str(cell), history.codes[trial, step])
    assert best["value"] == best["score"] == column[history.codes].max()
    assert best["rank"] == table.rank(cell, "cifar10", "val_accuracy")
    assert best["entry"] == table.entry(cell)
    assert best["simulated_seconds"] == pytest.approx(seconds[history.codes[trial, : step + 1]].sum())
    assert summary["optimum"]["index"] == table.best("cifar10", "val_accuracy").index
    index = np.loadtxt(tmp_path / "a" / "log.csv", delimiter=",", skiprows=1)[:, 2].reshape(150, 3)
    np.testing.assert_array_equal(index.T, table.space.official_index()[history.codes])


def test_the_default_store_of_the_size_space(run, sizes, tmp_path, monkeypatch):
    monkeypatch.setenv("NASBENCH_HOME", str(tmp_path))
    default_path(SIZE).write_bytes(sizes.read_bytes())
    path = tmp_path / "a"
    assert run("rs", "--space", "sss", "--evals", 20, "--out", path)[0] == 0
    assert json.loads((path / "config.json").read_text())["table"]["store"] is None
    code, out, err = run("rs", "--resume", path, "--evals", 30)
    assert (code, err, "in the NATS-Bench size space" in out) == (0, "", True)
    assert run("rs", "--resume", path, "--space", "sss")[0] == 0
    code, _, err = run("rs", "--resume", path, "--space", "tss")
    assert (
        code,
        "--space tss differs from the run's --space sss; on resume you can only increase --evals and --budget"
        in err,
    ) == (2, True)


def test_a_store_of_another_space_is_an_error(run, topology, sizes, tmp_path):
    for space, store in (("tss", sizes), ("sss", topology)):
        code, out, err = run("rs", "--space", space, "--store", store)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert f"{store} is a store of the space " in err
    run("rs", "--evals", 5, "--store", sizes, "--out", tmp_path / "a")
    code, _, err = run("rs", "--resume", tmp_path / "a", "--store", topology)
    assert (code, f"cannot open the table of {tmp_path / 'a'}: " in err) == (2, True)


@pytest.mark.parametrize(("space", "signal"), [("tss", "val_accuracy@12"), ("sss", "val_loss@1")])
def test_the_search_of_the_nats_bench_paper(run, tables, space, signal):
    """Random search by its definition, one cell after the other, beside the command's report."""
    table, budget = tables[space], 5000
    options = ("--store", table.store.path, "--signal", signal, "--budget", f"{budget}s", "--seed", 3)
    summary = json.loads(run("rs", *options, "--trials", 20, "--json")[1])
    metric, protocol = signal.split("@")
    sign = 1 if METRICS[metric].higher_is_better else -1
    space = NB201_SPACE if space == "tss" else SSS_SPACE
    codes = run_search(RandomSearch(space, trials=20, seed=3), lambda codes: codes, 1000).codes
    found, counts, totals = [], [], []
    for trial in range(20):
        spent, best, incumbent = 0.0, -np.inf, None
        for step, code in enumerate(codes[trial].tolist()):
            cell = table.space.cell(code)
            cost = table.simulate(cell, "cifar10", int(protocol)).cost
            if spent + cost > budget:
                break
            spent += cost
            score = sign * table.query(cell, "cifar10", metric, protocol=int(protocol))
            if score > best:
                best, incumbent, at = score, cell, step + 1
        found.append((best, -at, -trial, incumbent))
        counts.append(step)
        totals.append(spent)
    assert summary["evaluations"] == {"least": min(counts), "most": max(counts)}
    assert summary["simulated_seconds"]["mean"] == pytest.approx(np.mean(totals))
    for reported in ("val_accuracy", "test_accuracy"):
        values = np.array([table.query(cell, "cifar10", reported) for *_, cell in found])
        report = summary["report"][reported]
        assert report["mean"] == pytest.approx(values.mean())
        assert report["std"] == pytest.approx(values.std(ddof=1))
        assert report["median"] == pytest.approx(np.median(values))
    regret = [table.regret(cell, "cifar10", "val_accuracy") for *_, cell in found]
    assert summary["optimum"]["value"] - np.mean(regret) == pytest.approx(
        summary["report"]["val_accuracy"]["mean"]
    )
    best, at, trial, cell = max(found, key=lambda row: row[:3])
    assert summary["best"]["score"] == best
    assert (summary["best"]["trial"], summary["best"]["evaluation"]) == (-trial, -at)
    assert summary["best"]["arch"] == str(cell)
    assert summary["best"]["value"] == table.query(cell, "cifar10", "val_accuracy")
    assert summary["best"]["regret"] == table.regret(cell, "cifar10", "val_accuracy")


def test_the_report_of_a_search_with_a_signal(run, topology, tmp_path):
    options = ("--store", topology, "--signal", "val_accuracy@12", "--budget", "2000s")
    picture = tmp_path / "regret.png"
    out = run("re", *options, "--noise", "seed", "--trials", 4, "--plot", picture)[1]
    assert out.startswith(
        "regularized evolution on cifar10 val_accuracy [%], 200 epochs; signal val_accuracy@12, one recorded"
        " seed per evaluation\n"
    )
    assert picture.exists()
    summary = json.loads(run("re", *options, "--noise", "seed", "--trials", 4, "--json")[1])
    assert f"signal          val_accuracy@12 {summary['best']['score']:.4f} %, as seen by the search\n" in out
    title = "Final incumbents, trained for 200 epochs, mean and standard deviation over 4 trials"
    report = out.split(f"\n{title}\n")[1].split("\n\n")[0]
    assert report.splitlines() == [
        f"{name:<18} {row['mean']:.4f} ± {row['std']:.4f}   median {row['median']:.4f}"
        for name, row in (
            ("val_accuracy [%]", summary["report"]["val_accuracy"]),
            ("test_accuracy [%]", summary["report"]["test_accuracy"]),
        )
    ]
    out = run("re", *options)[1]
    assert "200 epochs; signal val_accuracy@12, mean over seeds\n" in out
    assert "Final incumbents" not in out  # of one trial: the best cell, whose values stand above
    out = run("re", "--store", topology, "--evals", 20, "--signal", "latency")[1]
    assert "200 epochs; signal latency\n" in out
    out = run("re", "--store", topology, "--evals", 20, "--metric", "latency", "--signal", "val_loss@12")[1]
    assert "on cifar10 latency [s]; signal val_loss@12, mean over seeds\n" in out
    assert "signal          val_loss@12 0." in out  # a loss, not the negative of one


@pytest.mark.parametrize("space", ["tss", "sss"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_run_with_signal_and_budget_goes_on_to_the_same_end(run, tables, tmp_path, algorithm, space):
    options = ("--store", tables[space].store.path, "--signal", "val_accuracy@12", "--noise", "seed")
    options += ("--trials", 3, "--seed", 2)
    run(algorithm, *options, "--budget", "30000s", "--out", tmp_path / "whole")
    run(algorithm, *options, "--budget", "9000s", "--out", tmp_path / "part")
    log = tmp_path / "part" / "log.csv"
    os.truncate(log, log.stat().st_size * 2 // 3)  # as a kill leaves it
    code, out, err = run(algorithm, "--resume", tmp_path / "part", "--budget", "30000s", *options)
    assert (code, err) == (0, "")
    assert files(tmp_path / "part") == files(tmp_path / "whole")
    assert run(algorithm, "--resume", tmp_path / "part")[:2] == (0, out)
    settings = json.loads((tmp_path / "part" / "config.json").read_text())["run"]
    assert (settings["space"], settings["signal"]) == (space, "val_accuracy@12")
    code, _, err = run(algorithm, "--resume", tmp_path / "part", "--signal", "val_accuracy")
    longest = tables[space].space.full_protocol
    assert f"--signal val_accuracy@{longest} differs from the run's --signal val_accuracy@12" in err


def test_a_log_is_held_against_its_signal(run, topology, tmp_path):
    path = tmp_path / "a"
    run("rs", "--store", topology, "--evals", 20, "--signal", "val_accuracy@12", "--out", path)
    config = (path / "config.json").read_text()
    for other in ("val_accuracy@200", "test_accuracy@12"):
        (path / "config.json").write_text(config.replace('"val_accuracy@12"', f'"{other}"'))
        code, _, err = run("rs", "--resume", path)
        assert (code, "its scores or costs differ from the table" in err) == (2, True)
    (path / "config.json").write_text(config)
    for same in ("val_accuracy@12", "val_accuracy@012"):
        assert run("rs", "--resume", path, "--signal", same)[0] == 0


def test_the_metric_is_the_signal_where_none_is_given(run, topology):
    options = ("--store", topology, "--evals", 50, "--trials", 2, "--json")
    plain = json.loads(run("re", *options)[1])
    assert plain["settings"]["signal"] == "val_accuracy@200"
    for same in ("val_accuracy", "val_accuracy@200"):
        assert json.loads(run("re", *options, "--signal", same)[1]) == plain


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


STOPPED = """
import os, signal, sys
from functools import partial
from blackbox import cli
from blackbox.rs import RandomSearch
from nasbench.runs import log

where, number, name, *argv = sys.argv[1:]
write, asked = log.write_all, RandomSearch.ask

def stop():
    os.kill(os.getpid(), getattr(signal, name))

def ask(self):
    if where == "ask" and len(self.history) == int(number):
        stop()
    return asked(self)

def half(file, data):
    if where == "write" and file.tell() > int(number):
        write(file, data[: len(data) // 2])
        stop()
        data = data[len(data) // 2 :]
    write(file, data)

RandomSearch.ask, log.write_all, cli.Progress = ask, half, partial(cli.Progress, interval=0.0)
sys.exit(cli.main(RandomSearch, argv))
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL"])
@pytest.mark.parametrize(
    ("where", "number"), [("ask", 0), ("ask", 1), ("ask", 60), ("ask", 99), ("write", 40), ("write", 5000)]
)
def test_a_run_that_is_stopped_anywhere_goes_on_to_the_same_end(run, tmp_path, where, number, name):
    """In the search, and half-way through a write to the log."""
    options = ("--evals", "100", "--trials", "3", "--noise", "seed")
    run("rs", *options, "--out", tmp_path / "whole")
    path = tmp_path / "stopped"
    command = [sys.executable, "-c", STOPPED, where, str(number), name, *options, "--out", str(path)]
    result = subprocess.run(command, capture_output=True, text=True)
    if name == "SIGKILL":
        assert result.returncode == -signal.SIGKILL
        assert not (path / "summary.json").exists()
    elif (where, number) == ("ask", 99):  # the last step: nothing is left to do
        assert (result.returncode, result.stderr) == (0, "")
    else:
        assert result.returncode == 130
        assert result.stderr.startswith("interrupted after ")
        assert result.stderr.endswith(f"; continue with: python -m blackbox.rs --resume {path}\n")
        assert "best cell" in result.stdout
        assert json.loads((path / "summary.json").read_text())["complete"] is False
    code, _, err = run("rs", "--resume", path)
    assert (code, err) == (0, "")
    assert files(path) == files(tmp_path / "whole")


def test_two_processes_do_not_share_a_folder(run, tmp_path):
    run("rs", "--evals", 10, "--out", tmp_path / "a")
    with RunFolder.resume(tmp_path / "a", EVALUATIONS.folders):
        code, out, err = run("rs", "--resume", tmp_path / "a")
    assert (code, out) == (2, "")
    assert err.endswith(f"error: another process is writing to {tmp_path / 'a'}\n")
    assert run("rs", "--resume", tmp_path / "a")[0] == 0


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
        (("--evals", 0), "evals must be an integer >= 1, got 0"),
        (("--evals", "x"), "invalid int value: 'x'"),
        (("--trials", 10**12), "trials must be an integer in [1, 100,000], got 1000000000000"),
        (("--trials", 0), "trials must be an integer in [1, 100,000], got 0"),
        (("--seed", -1), "seed must be an integer in [0, 9,223,372,036,854,775,807], got -1"),
        (("--evals", 10**400), "evals must be an integer in [1, 10,000,000], got 1000"),
        (("--budget", "1e308"), "budget must be at most 9,200,000,000 seconds, got 1e+308"),
        (("--budget", "1e999"), "budget must be a positive number of seconds, got inf"),
        (("--budget", "0"), "budget must be a positive number of seconds, got 0.0"),
        (("--budget", "inf"), "budget must be a positive number"),
        (("--budget", "soon"), "a duration must be like 20000s, 90m, 12h or 2d, got 'soon'"),
        (
            ("--budget", "10s"),
            "--budget 10s is too short for any evaluation; the cheapest cell needs --budget 544s",
        ),
        (("--population", 5), "sample, drawn from the population, must be an integer in [1, 5], got 10"),
        (("--sample", 101), "must be an integer in [1, 100], got 101"),
        (("--dataset", "mnist"), "unknown dataset 'mnist'"),
        (("--metric", "acc"), "unknown metric 'acc'"),
        (("--metric", "test_loss"), "no test_loss after 200 epochs"),
        (("--metric", "flops", "--noise", "seed"), "but flops has none; try --noise mean"),
        (("--signal", "@12"), "a metric must be METRIC or METRIC@EPOCHS, got '@12'"),
        (("--signal", "val_accuracy@x"), "try val_accuracy@12"),
        (("--signal", "acc@12"), "unknown metric 'acc'; the metrics are train_accuracy, val_accuracy"),
        (("--signal", "flops@12"), "flops belongs to the network: it has no epochs"),
        (
            ("--signal", "val_accuracy@90"),
            "no protocol of 90 epochs in this store; recorded: after 12 epochs val_accuracy, test_accuracy",
        ),
        (("--signal", "flops", "--noise", "seed"), "but flops has none; try --noise mean"),
        (("--space", "nb201"), "invalid choice: 'nb201' (choose from"),
        (("--space", "sss"), "no store of the NATS-Bench size space at "),
        (("--space", "sss", "--store", "/nowhere.h5"), "no store at /nowhere.h5"),
        (("--noise", "loud"), "invalid choice: 'loud'"),
        (("--store", "/nowhere.h5"), "no store at /nowhere.h5"),
        (("--plot", "x.xyz"), "the name must end in .png, .svg, .pdf"),
        (("--plot", "/nowhere/x.png"), "the folder /nowhere does not exist"),
        (("--out", "/dev/null/a"), "cannot create the folder /dev/null/a: Not a directory"),
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
    assert (code, "exists; --out must name a new folder; --resume continues it" in err) == (2, True)
    for argv, message in [
        (
            ("--evals", 10),
            "--evals 10 differs from the run's --evals 20; on resume you can only increase"
            " --evals and --budget",
        ),
        (("--seed", 1), "--seed 1 differs from the run's --seed 0"),
        (("--population", 50), "--population 50 differs from the run's --population 100"),
        (("--budget", "5d"), "--budget 432000.0 differs from the run, which was started without --budget"),
        (("--space", "sss"), "--space sss differs from the run's --space tss"),
        (
            ("--signal", "train_time"),
            "--signal train_time@200 differs from the run's --signal val_accuracy@200",
        ),
        (("--signal", "acc"), "unknown metric 'acc'"),
    ]:
        code, _, err = run("re", "--resume", path, *argv)
        assert (code, err.count("\n")) == (2, 1)
        assert message in err
    assert "is a run of regularized evolution, not of random search" in run("rs", "--resume", path)[2]
    assert files(path) == before
    assert run("re", "--resume", path, "--seed", 0)[0] == 0
    assert files(path) == before


def test_a_run_is_not_continued_on_another_table(run, tmp_path, topology):
    path = tmp_path / "a"
    run("re", "--evals", 20, "--out", path)
    before = (path / "config.json").read_text()
    code, _, err = run("re", "--resume", path, "--store", topology)
    assert (code, "is a run on a different table than" in err) == (2, True)
    assert (path / "config.json").read_text() == before


def test_a_run_with_damaged_files_is_an_error(run, tmp_path):
    path = tmp_path / "a"
    run("re", "--evals", 20, "--out", path)
    log = (path / "log.csv").read_text()
    row = log.splitlines()[3].split(",")
    (path / "log.csv").write_text(log.replace(row[3], "99.5"))
    code, _, err = run("re", "--resume", path)
    assert (code, "its scores or costs differ from the table" in err) == (2, True)
    (path / "log.csv").write_text(log)
    config = (path / "config.json").read_text()
    (path / "config.json").write_text(config.replace('"evals": 20', '"evals": 5'))
    assert "its log has more evaluations than its settings allow" in run("re", "--resume", path)[2]
    (path / "config.json").write_text('{"algorithm": "regularized evolution"}')
    code, _, err = run("re", "--resume", path)
    assert (code, "config.json is damaged or of another version: it has no 'table'" in err) == (2, True)
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
        assert (code, "log.csv is damaged" in err or "differ from the table" in err) == (2, True)
    (path / "log.csv").write_text(log)
    (path / "config.json").write_text(config.replace('"seed": 0', '"seed": 1'))
    code, _, err = run("rs", "--resume", path)
    assert (code, "the first cells in its log do not match its settings" in err) == (2, True)
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
        ("run", "space", "nb201"),
        ("run", "space", None),
        ("run", "space", []),
        ("run", "signal", 5),
        ("run", "signal", "val_accuracy@"),
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
    assert out.endswith(f"\nplot in {path}\n")
    assert path.stat().st_size > 5000
    assert run("re", "--evals", 1, "--plot", path)[0] == 0


def test_a_picture_that_cannot_be_written_is_an_error_before_the_search(
    run, tmp_path, unprivileged, monkeypatch
):
    (tmp_path / "regret.png").mkdir()
    code, out, err = run("re", "--evals", 5, "--plot", tmp_path / "regret.png")
    assert (code, out, "it is a folder or not writable" in err) == (2, "", True)
    assert "does not exist" in run("re", "--plot", "/" + "x" * 300 + "/a.png")[2]

    def check(folder):
        folder.chmod(0o500)
        with pytest.raises(ConfigError, match="not writable"):
            plot.check(str(folder / "a.png"))

    unprivileged(check)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "pip install matplotlib" in run("re", "--plot", tmp_path / "a.png")[2]


def test_a_picture_that_fails_costs_nothing_but_the_picture(tmp_path):
    (tmp_path / "good.png").write_bytes(b"an earlier picture")
    code = """
import resource, sys
from blackbox import cli, rs
resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
sys.exit(cli.main(rs.RandomSearch, sys.argv[1:]))
"""
    argv = ["--evals", "50", "--plot", str(tmp_path / "good.png"), "--out", str(tmp_path / "a")]
    result = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True)
    assert result.returncode == 2
    assert "best cell" in result.stdout
    assert "plot in" not in result.stdout
    assert "good.png': File too large" in result.stderr
    assert (tmp_path / "good.png").read_bytes() == b"an earlier picture"
    assert sorted(os.listdir(tmp_path)) == ["a", "good.png"]
    assert (tmp_path / "a" / "summary.json").exists()


def test_durations():
    assert [parse_seconds(text) for text in ("20000", "20000s", "1.5m", "2h", "1d", "1e3s")] == [
        20000,
        20000,
        90,
        7200,
        86400,
        1000,
    ]
    for text in ("", "s", "1w"):
        with pytest.raises(ArgumentTypeError, match="must be like 20000s, 90m, 12h or 2d, got"):
            parse_seconds(text)


def test_settings():
    assert RunConfig().evals == 1000
    assert RunConfig(budget=5.0).evals is None
    with pytest.raises(ConfigError, match="a metric must be METRIC or METRIC@EPOCHS, got '@12'"):
        RunConfig(signal="@12")
    with pytest.raises(InvalidArgumentError, match="unknown space 'nb201'; the spaces are tss, sss"):
        RunConfig(space="nb201")
    with pytest.raises(InvalidArgumentError, match="evals must be an integer"):
        RunConfig(evals=0)
    with pytest.raises(ConfigError, match="noise must be mean or seed, got 'loud'"):
        RunConfig(noise="loud")


def test_a_progress_bar_on_a_terminal(tmp_path):
    program = [sys.executable, "-c", STOPPED, "never", "0", "SIGINT", "--evals", "50"]
    shown = shown_on_terminal(program)
    assert b"random search: 100%" in shown
    assert b"50/50" in shown
    piped = subprocess.run(program, capture_output=True, text=True)
    assert (piped.returncode, piped.stderr) == (0, "")
    closed = subprocess.run(f"{shlex.join(program)} 2>&-", shell=True, stdout=subprocess.PIPE, text=True)
    assert (closed.returncode, closed.stdout) == (0, piped.stdout)


@pytest.mark.parametrize("command", ["re", "nsga2", "asha --fidelities 200"])
def test_a_run_whose_folder_is_removed_ends_with_an_error(tmp_path, command):
    out = tmp_path / "runs" / "a"
    arguments = [*f"blackbox.{command} --trials 5000 --budget 100000000s --out".split(), str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not (out / "config.json").exists():
        assert process.poll() is None
        time.sleep(0.02)
    shutil.rmtree(out.parent)
    said, err = process.communicate(timeout=60)
    assert (process.returncode, said) == (2, "")
    assert err.endswith(f"error: {out} or its log.csv was removed or replaced during the run\n")
    assert err.count("\n") == 1
    assert not out.parent.exists()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EIO])
def test_a_run_goes_on_where_files_cannot_be_locked(tmp_path, bench, without_locks, number):
    for where in (("--out", "--evals", "20"), ("--resume", "--evals", "30")):
        done = without_locks(number, "blackbox.re", *where[1:], where[0], tmp_path / "a")
        assert done.returncode == 0, done.stderr
        reason = f"{tmp_path}/a/log.csv cannot be locked ({os.strerror(number)})"
        assert done.stderr == f"warning: {reason}; make sure that no other process writes to the same place\n"
    assert len((tmp_path / "a" / "log.csv").read_text().splitlines()) == 31
