"""The command, as a person runs it: with kills, interrupts and mistakes."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from blackbox.algorithms import algorithm
from blackbox.errors import ConfigError
from blackbox.kinds.reader import read_run
from blackbox.workers import cluster as clusters
from blackbox.workers.__main__ import main
from blackbox.workers.settings import PoolConfig, WorkersConfig
from nasbench import Cell, SizeCell
from nasbench.errors import InvalidArgumentError

MODULE = """
import os
import time

def convolutions(cell):
    time.sleep(0.15)
    with open("calls.txt", "a") as file:
        file.write(f"{os.getpid()} {cell}\\n")
    return cell.count("conv")

def widths(cell, epochs=0):
    return sum(map(int, cell.split(":"))) + epochs

def fragile(cell):
    if "none" in cell and not os.path.exists("mended"):
        raise ZeroDivisionError("none")
    return float("nan") if cell.count("avg") > 2 else cell.count("conv")

def half_an_hour(cell):
    open("begun", "a").close()
    time.sleep(1800)
"""
COMMAND = [sys.executable, "-m", "blackbox.workers"]


@pytest.fixture
def folder(tmp_path):
    """Where a module with objectives is, and the command runs."""
    (tmp_path / "mine.py").write_text(MODULE)
    return tmp_path


def run(folder, arguments):
    return subprocess.run(
        [*COMMAND, *arguments.split()], cwd=folder, capture_output=True, text=True, timeout=60
    )


def start(folder, arguments):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*COMMAND, *arguments.split()], cwd=folder, start_new_session=True, **pipes)


def until(condition, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def rows(folder, name="log.csv"):
    try:
        return [line.split(",") for line in (folder / "run" / name).read_text().splitlines()[1:]]
    except FileNotFoundError:
        return []


def calls(folder):
    return [line.split(" ", 1) for line in (folder / "calls.txt").read_text().splitlines()]


def check_nothing_lost_or_doubled(folder, evals):
    told = [row[2] for row in rows(folder)]
    assert len(told) == evals
    assert sorted(told) == sorted(row[1] for row in rows(folder, "asked.csv"))
    for number, row in enumerate(rows(folder), 1):
        assert int(row[0]) == number
        assert float(row[3]) == str(Cell.from_index(int(row[2]))).count("conv")


@pytest.mark.slow
def test_a_worker_is_killed_on_the_way(folder):
    process = start(folder, "re --objective mine:convolutions --workers 2 --evals 24 --out run")
    until(lambda: len(rows(folder)) >= 4)
    os.kill(int(calls(folder)[0][0]), signal.SIGKILL)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert "saved in run" in output
    check_nothing_lost_or_doubled(folder, 24)
    assert len(calls(folder)) in (24, 25)  # 25: it was killed after the call, before the answer
    assert len({pid for pid, _ in calls(folder)}) == 3


def test_the_driver_is_killed_and_goes_on(folder):
    arguments = "re --population 5 --sample 2 --objective mine:convolutions --workers 2 --evals 40 --out run"
    process = start(folder, arguments)
    until(lambda: len(rows(folder)) >= 5)
    second = run(folder, "re --resume run")
    assert (second.returncode, second.stderr) == (
        2,
        "python -m blackbox.workers: error: another process is writing to run\n",
    )
    process.kill()
    process.communicate()
    before = (folder / "run" / "log.csv").read_text()
    assert 5 <= len(rows(folder)) < 40
    result = run(folder, "re --resume run --workers 2 --evals 42 --json")
    assert (result.returncode, result.stderr) == (0, "")
    assert (folder / "run" / "log.csv").read_text().startswith(before[: before.rfind("\n") + 1])
    check_nothing_lost_or_doubled(folder, 42)
    summary = json.loads(result.stdout)
    assert summary == json.loads((folder / "run" / "summary.json").read_text())
    assert (summary["complete"], summary["evaluations"], summary["settings"]["evals"]) == (True, 42, 42)
    best = max(rows(folder), key=lambda row: float(row[3]))
    cell = Cell.from_index(int(best[2]))
    assert summary["best"] == {
        "arch": str(cell),
        "index": cell.index,
        "score": float(best[3]),
        "evaluation": int(best[0]),
        "epochs": None,
    }
    with pytest.raises(OSError, match="run must be a run on a table, but its objective is mine:convolutions"):
        read_run(folder / "run")


def test_ctrl_c_saves_and_says_how_to_go_on(folder):
    arguments = "rs --objective mine:convolutions --workers 2 --evals 400 --out run"
    process = start(folder, arguments)
    until(lambda: len(rows(folder)) >= 3)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    done = len(rows(folder))
    assert process.returncode == 130
    assert errors == (
        f"interrupted after {done} of 400 evaluations;"
        " continue with: python -m blackbox.workers rs --resume run\n"
    )
    assert f"{done} evaluations" in output
    assert not json.loads((folder / "run" / "summary.json").read_text())["complete"]


@pytest.mark.slow
def test_failures_stop_a_run_or_count_as_the_worst(folder):
    result = run(folder, "re --objective mine:fragile --workers 1 --evals 12 --out run")
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("python -m blackbox.workers: error: the evaluation of |")
    assert line.endswith(
        "failed: ZeroDivisionError: none; its traceback is in run/failures.csv; use --keep-going to"
        " continue despite failures; continue with: python -m blackbox.workers re --resume run"
    )
    before = len(rows(folder))
    result = run(folder, "re --resume run --workers 2 --keep-going")
    assert (result.returncode, result.stderr) == (0, "")
    assert len(rows(folder)) == 12
    failed = [row for row in rows(folder) if row[3] == "-inf"]
    assert f"12 evaluations, {len(failed)} failed" in result.stdout
    for row in rows(folder)[before:]:
        cell = str(Cell.from_index(int(row[2])))
        assert (row in failed) == ("none" in cell or cell.count("avg") > 2)
    failures = (folder / "run" / "failures.csv").read_text()
    assert "ZeroDivisionError: none" in failures
    assert ("got nan" in failures) == any("none" not in str(Cell.from_index(int(row[2]))) for row in failed)


@pytest.mark.slow
def test_a_multi_fidelity_search_of_sizes(folder):
    arguments = "asha --objective mine:widths --space sss --fidelities 9 --workers 2 --evals 30 --out run"
    result = run(folder, arguments)
    assert (result.returncode, result.stderr) == (0, "")
    assert (
        (folder / "run" / "log.csv").read_text().startswith("job,trial,index,epoch,score,start,end,worker\n")
    )
    assert len(rows(folder)) == 30
    for row in rows(folder):
        assert float(row[4]) == sum(SizeCell(int(row[2])).widths) + int(row[3])
    assert "epochs" in result.stdout
    result = run(folder, "asha --resume run --evals 40 --workers 1")
    assert (result.returncode, result.stderr) == (0, "")
    assert len(rows(folder)) == 40


@pytest.mark.slow
def test_workers_that_go_before_their_timeout(folder):
    arguments = "rs --objective mine:half_an_hour --workers 2 --evals 2 --timeout 0.5s --keep-going"
    result = run(folder, arguments)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("random search on mine:half_an_hour: 2 evaluations, 2 failed\n")
    assert result.stdout.endswith("not saved; use --out FOLDER to save it\n")


def one_line(capsys, *arguments):
    """The code, and the one line on stderr, of a command in this process."""
    try:
        code = main(list(arguments))
    except SystemExit as exit_:
        code = exit_.code
    output, errors = capsys.readouterr()
    assert (code, output) == (2, "")
    (line,) = errors.splitlines()
    return line.split("error: ")[1]


OBJECTIVE = ("--objective", "mine:convolutions")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "the following arguments are required: ALGORITHM"),
        ((*OBJECTIVE, "re"), "the first argument must be an algorithm, followed by its settings"),
        (("xyz", *OBJECTIVE), "unknown algorithm 'xyz'; choose from"),
        (("re",), "an objective is required; give --objective MODULE:FUNCTION"),
        (("re", "--objective", "mine"), "objective must be MODULE:FUNCTION, got 'mine'"),
        (("re", *OBJECTIVE, "--evals", "0"), "evals must be an integer >= 1, got 0"),
        (("re", *OBJECTIVE, "--workers", "0"), "workers must be an integer in [1, 1,000], got 0"),
        (("re", *OBJECTIVE, "--timeout", "0s"), "timeout must be a positive number of seconds, got 0.0"),
        (
            ("re", *OBJECTIVE, "--scheduler", "host"),
            "scheduler must be an address like tcp://host:8786 or a file, got 'host'",
        ),
        (("re", *OBJECTIVE, "--upload", "mine.py"), "--upload needs --scheduler"),
        (
            ("re", *OBJECTIVE, "--fidelities", "9"),
            "--fidelities cannot be used with regularized evolution",
        ),
        (("asha", *OBJECTIVE), "asynchronous successive halving needs --fidelities, such as 9 or 1,3,9"),
        (("asha", *OBJECTIVE, "--fidelities", "0"), "a fidelity must be an integer >= 1, got 0"),
        (("nsga2", *OBJECTIVE), "a search with workers must have one objective,"),
        (("re", "--resume", "nowhere"), "nowhere is not the folder of a run"),
        (("re", *OBJECTIVE, "--scheduler", "tcp://127.0.0.1:9"), "no scheduler answers at tcp://127.0.0.1:9"),
    ],
)
def test_mistakes_are_one_line(capsys, monkeypatch, arguments, message):
    monkeypatch.setattr(clusters, "_CONNECTING", 0.3)
    assert one_line(capsys, *arguments).startswith(message)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nomodule:f", "the objective nomodule:f cannot be imported: No module named 'nomodule'"),
        ("mine:notthere", "the objective mine:notthere does not exist: mine has no notthere"),
    ],
)
def test_an_objective_that_is_not_there_leaves_no_folder(capsys, monkeypatch, folder, name, message):
    monkeypatch.syspath_prepend(str(folder))
    arguments = "re", "--objective", name, "--workers", "1", "--out", str(folder / "run")
    assert one_line(capsys, *arguments).startswith(message)
    assert not (folder / "run").exists()


def test_a_run_goes_on_as_what_it_is(capsys, tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    (path / "log.csv").write_text("evaluation,trial,index,score,cost\n")
    record = {"algorithm": "random search", "search": {}, "table": None, "run": vars(WorkersConfig("mine:f"))}

    def resumed(changes, *arguments):
        (path / "config.json").write_text(json.dumps(record | changes))
        return one_line(capsys, *arguments, "--resume", str(path))

    assert resumed({}, "re").endswith("is a run of random search, not of regularized evolution")
    assert resumed({"table": {}}, "rs").endswith("resume it with the algorithm's own command")
    message = "--objective mine:g differs from the run's --objective mine:f"
    message += "; on resume you can only increase --evals"
    assert resumed({}, "rs", "--objective", "mine:g") == message
    assert "--evals 50 differs from the run's --evals 100" in resumed({}, "rs", "--evals", "50")
    for damage in ({"run": {}}, {"run": {"objective": 3}}, {"search": {"x": 1}}, {"run": None}):
        assert "config.json is damaged or of another version" in resumed(damage, "rs")
    assert "asked.csv is damaged" in resumed({}, "rs")
    del record["search"]
    assert resumed({}, "rs").endswith("is damaged or of another version: it has no 'search'")


def test_help_is_of_the_algorithm(capsys):
    for arguments, texts in (
        (["--help"], ["ALGORITHM", "bohb"]),
        (["re", "--help"], ["--population", "--objective", "tcp://host:8786"]),
    ):
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        assert exit_.value.code == 0
        output = capsys.readouterr().out
        assert all(text in output for text in texts)


def test_settings_outside_their_range_are_errors():
    with pytest.raises(ConfigError, match="patience must be a positive number of seconds, got nan"):
        PoolConfig(patience=float("nan"))
    with pytest.raises(InvalidArgumentError, match="unknown space"):
        WorkersConfig("a:b", space="darts")
    assert PoolConfig().workers >= 1
    assert PoolConfig(scheduler="tls://[::1]:8786").workers is None
    with pytest.raises(ConfigError, match=r"fidelities must be numbers of epochs, got \(\)"):
        WorkersConfig("a:b", fidelities=())
    assert WorkersConfig("a:b", fidelities=[1, 3]) == WorkersConfig("a:b", fidelities=(1, 3))
    assert algorithm("re").objectives == 1
