"""Comparisons on a Dask scheduler: the same results, whatever happens to its workers."""

import json
import logging
import os
import pickle
import signal
import subprocess
import sys
import time

import distributed
import pytest

from blackbox.compare.pool import Origin, Worker, carry_out, carry_out_task
from blackbox.compare.spec import Spec
from blackbox.compare.study import Part, Study
from blackbox.errors import ConfigError
from blackbox.table.settings import RunConfig
from blackbox.workers import cluster as clusters
from blackbox.workers.cluster import local
from nasbench.runs.record import versions
from tests.blackbox.compare.tasks import Alone
from tests.blackbox.compare.test_main import files

ODD = "tests.blackbox.compare.searches:Odd"
SLOW = ["rs", f"{ODD}:wait=0.01", "--trials", 2, "--evals", 150]


@pytest.fixture(scope="module")
def scheduler(home):
    """The client of a scheduler with two workers."""
    with local(2) as client:
        yield client


@pytest.fixture
def on_it(compare, scheduler):
    """Runs the command on the scheduler: (exit code, stdout, stderr)."""
    return lambda *argv: compare(*argv, "--workers", 2, "--scheduler", scheduler.scheduler.address)


@pytest.fixture(scope="module")
def undisturbed(home, tmp_path_factory):
    path = tmp_path_factory.mktemp("undisturbed") / "out"
    process = start(*SLOW, "--workers", 2, "--out", path)
    assert process.communicate()[1] == ""
    return path


def start(*argv):
    command = [sys.executable, "-m", "blackbox.compare", *map(str, argv)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def start_slow(scheduler, path):
    """Begin the slow comparison on a scheduler, and wait until its searches are on their way."""
    process = start(*SLOW, "--scheduler", scheduler.scheduler.address, "--out", path)
    until(lambda: any(log.stat().st_size > 1000 for log in path.glob(".parts/tests*/*/log.csv")), process)
    return process


def until(condition, process):
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


def test_results_are_those_of_local_processes(on_it, compare, plain, tmp_path, monkeypatch):
    argv = ["re:population=10", "rs", "--trials", 20, "--budget", "90000s", "--noise", "seed"]
    monkeypatch.chdir(tmp_path)
    code, out, err = on_it(*argv, "--out", "a")  # a path that workers elsewhere would not find
    assert (code, "saved in a\n" in out) == (0, True), err
    assert compare(*argv, "--out", "b")[1].replace("saved in b\n", "saved in a\n") == out
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert on_it(*argv)[1].startswith(out[: out.index("saved in")].rsplit("\n", 2)[0])


def test_simulations_are_those_of_local_processes(on_it, compare, curves, plain, tmp_path):
    argv = ["asha", "rs", "--trials", 4, "--budget", "8000s", "--store", curves]
    assert on_it(*argv, "--out", tmp_path / "a")[0] == 0
    assert compare(*argv, "--out", tmp_path / "b")[0] == 0
    assert files(tmp_path / "a") == files(tmp_path / "b")


@pytest.mark.slow
def test_a_worker_is_killed_on_the_way(scheduler, undisturbed, tmp_path):
    process = start_slow(scheduler, tmp_path / "out")
    busy = next(address for address, keys in scheduler.processing().items() if keys)
    os.kill(scheduler.run(os.getpid, workers=[busy])[busy], signal.SIGKILL)
    errors = process.communicate(timeout=60)[1]
    assert (process.returncode, errors) == (0, "")
    assert files(tmp_path / "out") == files(undisturbed)


@pytest.mark.slow
def test_a_worker_is_closed_on_the_way(scheduler, undisturbed, tmp_path):
    process = start_slow(scheduler, tmp_path / "out")
    busy = next(address for address, keys in scheduler.processing().items() if keys)
    scheduler.retire_workers([busy], close_workers=True)
    errors = process.communicate(timeout=60)[1]
    assert (process.returncode, errors) == (0, "")
    assert files(tmp_path / "out") == files(undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_it_goes_on_to_the_same_end(scheduler, undisturbed, tmp_path, number):
    path = tmp_path / "out"
    process = start_slow(scheduler, path)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    if number == signal.SIGINT:
        assert (process.returncode, out) == (130, "")
        assert err == f"interrupted; continue with: python -m blackbox.compare --resume {path}\n"
    process = start("--resume", path, "--scheduler", scheduler.scheduler.address)
    errors = process.communicate(timeout=60)[1]
    assert (process.returncode, errors) == (0, "")
    assert files(path) == files(undisturbed)


def test_errors_of_tasks_are_those_of_local_processes(on_it, scheduler, tmp_path, plain):
    argv = ["rs", "--evals", 5, "--trials", 2, "--out", tmp_path / "out"]
    assert on_it(*argv)[0] == 0
    (tmp_path / "out" / "rs" / "summary.json").unlink()
    log = tmp_path / "out" / "rs" / "log.csv"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:3]))  # a step
    code, out, err = on_it(*argv)
    assert (code, out) == (2, "")
    assert err.endswith("rs is not a run of this comparison, or is not complete; move it to another folder\n")
    with pytest.raises(ArithmeticError, match="intended failure"):
        carry_out(study_of(f"{ODD}:fail=3"), 2, scheduler.scheduler.address)


@pytest.mark.slow
def test_a_task_that_always_loses_its_worker_is_an_error(on_it, tmp_path, plain):
    flag = tmp_path / "flag"
    flag.touch()
    argv = [f"{ODD}:fail=5,flag={flag}", "--trials", 1, "--evals", 10, "--out", tmp_path / "out"]
    code, out, err = on_it(*argv)
    assert (code, out) == (2, "")
    assert err.endswith(
        "error: a task lost its worker each time, because it ran out of memory or was killed;"
        " run the same command again to continue\n"
    )
    flag.unlink()
    assert on_it(*argv)[0] == 0


def test_a_scheduler_that_is_not_there_is_one_line(compare, tmp_path, monkeypatch):
    monkeypatch.setattr(clusters, "_CONNECTING", 0.3)
    (tmp_path / "no.json").write_text("[]")
    prog = "python -m blackbox.compare: error: "
    for place, message in (
        ("tcp://127.0.0.1:9", "no scheduler answers at tcp://127.0.0.1:9: "),
        ("host", "scheduler must be an address like tcp://host:8786 or a file, got 'host'\n"),
        (tmp_path / "no.json", f"{tmp_path}/no.json is not the file of a Dask scheduler: "),
    ):
        code, out, err = compare("rs", "--scheduler", place)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith(prog + message)


def test_without_dask_the_error_says_what_to_install(compare, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, _, err = compare("rs", "--scheduler", "tcp://127.0.0.1:9")
    assert code == 2
    assert err == (
        "python -m blackbox.compare: error: evaluation on workers needs distributed:"
        " pip install distributed, or 'nas-toolkit[workers]'\n"
    )


def test_a_scheduler_without_workers_is_waited_for(tmp_path):
    with distributed.LocalCluster(
        n_workers=0, processes=False, dashboard_address=None, protocol="tcp", silence_logs=logging.CRITICAL
    ) as cluster:
        file = tmp_path / "scheduler.json"
        file.write_text(json.dumps({"address": cluster.scheduler_address}))
        process = start("rs", "--trials", 1, "--evals", 5, "--scheduler", file)
        assert process.stderr.readline() == "note: waiting for workers, because there are none\n"
        cluster.scale(1)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "not saved; use --out FOLDER to save all trials" in out


# What a worker must have


def study_of(text, folder=None):
    settings = RunConfig(trials=2, evals=5, space="tss", signal="val_accuracy@200")
    return Study((Spec.parse(text),), settings, None, folder, "now")


def test_a_worker_must_have_the_versions_the_table_and_the_folder(bench, tmp_path):
    checksum = bench.store.attributes["checksum"]
    worker = Worker(study_of("rs", tmp_path))
    worker.check(Origin(versions(), checksum))
    with pytest.raises(
        ConfigError, match=r"a worker has numpy .*, but this command has 1\.0; install the same"
    ):
        worker.check(Origin(versions() | {"numpy": "1.0"}, checksum))
    with pytest.raises(
        ConfigError, match="a worker has a different table in .*; copy the command's table there"
    ):
        worker.check(Origin(versions(), "another"))
    with pytest.raises(ConfigError, match="nowhere; --out must be a folder that all workers share"):
        Worker(study_of("rs", tmp_path / "nowhere")).check(Origin(versions(), checksum))


@pytest.mark.slow
def test_an_algorithm_that_a_worker_cannot_import_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "my_search.py").write_text(
        "from tests.blackbox.compare.searches import *\nclass Own(OddConfig): pass\n"
    )
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        import my_search

        spec = Spec("my_search:Odd", my_search.Own())
    study = pickle.dumps(Study((spec,), RunConfig(trials=2, evals=5, space="tss"), None, None, "now"))
    monkeypatch.delitem(sys.modules, "my_search")
    with pytest.raises(ConfigError, match="a worker cannot import an algorithm: No module named 'my_search'"):
        carry_out_task(study, None, Alone(), Part(0, 0, 1))
