"""Evaluations by Dask's own workers."""

import importlib
import logging
import os
import signal
import subprocess
import sys
import time

import distributed
import pytest

from blackbox.errors import ConfigError, MissingDependencyError, WorkersError
from blackbox.search.scores import FAILED
from blackbox.workers import cluster as clusters
from blackbox.workers.cluster import DaskPool, count_tasks, local, remote
from blackbox.workers.evaluation import check_objective, evaluation_pool

MODULE = """
import os
import threading
import time
import numpy

def length(cell):
    return len(cell)

def where(cell):
    return os.getpid()

def threads(cell):
    return int(os.environ["OMP_NUM_THREADS"])

def child(cell):
    import multiprocessing
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(0,))
    process.start()
    process.join()
    return process.exitcode

def sleep(seconds):
    time.sleep(float(seconds))
    return os.getpid()

def sleep_or_hold(seconds):
    if seconds == "for ever":
        sum(range(10**12))  # no other thread of its process runs meanwhile
    return sleep(seconds)

def slow_once(path):
    if not os.path.exists(path):
        open(path, "w").write(str(os.getpid()))
        time.sleep(60)
    return 1.0

def dies(cell):
    os._exit(1)

def fails(cell):
    raise ValueError("no")

def fails_as_a_task(task):
    raise ValueError("no")
"""


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """The client of two workers of this machine, which have the module `at_workers`."""
    folder = tmp_path_factory.mktemp("workers")
    (folder / "at_workers.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        with local(2) as client:
            yield client


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def outcomes(pool, count, wait=60):
    found = dict(pool.next(wait) for _ in range(count))
    assert len(found) == count
    assert pool.next(0.01) is None
    return found


def test_outcomes_come_under_their_numbers(workers):
    pool = evaluation_pool(workers, "at_workers:length")
    pool.check(60, check_objective, "at_workers:length")
    assert pool.size() == 2
    for number in range(6):
        pool.submit(number, "x" * number)
    found = outcomes(pool, 6)
    assert {number: outcome.score for number, outcome in found.items()} == {n: n for n in range(6)}
    assert {outcome.worker for outcome in found.values()} <= {"0", "1"}
    assert evaluation_pool(workers, "at_workers:length", most=1).size() == 1


def test_two_evaluations_are_at_two_workers_of_one_thread(workers):
    pool = evaluation_pool(workers, "at_workers:sleep")
    for number in range(2):
        pool.submit(number, "0.3")
    pids = {outcome.score for outcome in outcomes(pool, 2).values()}
    assert len(pids) == 2
    assert os.getpid() not in pids
    pool = evaluation_pool(workers, "at_workers:threads")
    pool.submit(0, "")
    assert pool.next(60)[1].score == int(os.environ.get("OMP_NUM_THREADS", "1"))


def test_workers_leave_no_trace_in_the_environment(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = dict(os.environ)
    with local(1) as client:
        assert client.run(os.getenv, "OMP_NUM_THREADS") == dict.fromkeys(client.nthreads(), "1")
    assert dict(os.environ) == before


def test_an_objective_may_start_processes(workers):
    pool = evaluation_pool(workers, "at_workers:child")
    pool.submit(0, "")
    assert pool.next(60)[1][:1] == (0.0,)


def test_what_an_objective_raises_is_an_outcome(workers):
    pool = evaluation_pool(workers, "at_workers:fails")
    pool.submit(0, "")
    _, outcome = pool.next(60)
    assert (outcome.score, outcome.error) == (FAILED, "ValueError: no")
    assert "in fails" in outcome.traceback


def test_a_task_that_has_failed_is_not_waited_for(workers):
    pool = DaskPool(workers, importlib.import_module("at_workers").fails_as_a_task)
    for number in range(2):
        pool.submit(number)
    with pytest.raises(ValueError, match="no"):
        pool.next(60)
    until(lambda: not any(workers.run(count_tasks, "task-").values()))
    tasks = workers.run(lambda dask_worker: len(dask_worker.state.tasks))
    assert sum(tasks.values()) >= 1  # the one that was not asked for stays, with its error


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ("nomodule:f", "cannot be imported: No module named 'nomodule'"),
        ("at_workers:notthere", "at_workers has no notthere"),
        ("at_workers:MODULE", "at_workers has no MODULE"),
    ],
)
def test_a_worker_says_what_is_no_objective(workers, objective, message):
    with pytest.raises(ConfigError, match=message):
        evaluation_pool(workers, objective).check(60, check_objective, objective)


def test_an_evaluation_whose_worker_is_killed_is_made_again(workers, tmp_path):
    pool = evaluation_pool(workers, "at_workers:slow_once")
    path = tmp_path / "pid"
    pool.submit(0, str(path))
    until(lambda: path.exists() and path.read_text())
    os.kill(int(path.read_text()), signal.SIGKILL)
    assert pool.next(60)[1][::3] == (1.0, None)
    until(lambda: pool.size() == 2)  # the one that was lost is started anew


def test_an_evaluation_that_takes_too_long_fails_and_frees_its_worker(workers):
    objective = "at_workers:sleep_or_hold"
    workers.run(check_objective, objective)  # an import would let other threads run
    pool = evaluation_pool(workers, objective, timeout=0.5)
    pool.submit(0, "for ever")
    pool.submit(1, "0")
    assert pool.next(60)[0] == 1
    _, outcome = pool.next(60)
    assert outcome[:2] == (FAILED, 0.5)
    assert outcome[2] in ("0", "1")
    assert outcome.error == "TimeoutError: it took longer than 0.5 s"
    until(lambda: pool.size() == 2)
    for number in (2, 3):
        pool.submit(number, "0.2")
    assert len({outcome.score for outcome in outcomes(pool, 2).values()}) == 2


@pytest.mark.slow
def test_an_evaluation_that_always_loses_its_worker_fails(workers):
    pool = evaluation_pool(workers, "at_workers:dies")
    pool.submit(0, "")
    _, outcome = pool.next(60)
    assert (outcome.score, outcome.error) == (FAILED, "KilledWorker: each of its workers was lost")
    pool = evaluation_pool(workers, "at_workers:length")
    pool.submit(0, "abc")
    assert pool.next(60)[1].score == 3


@pytest.fixture
def cluster():
    """A scheduler without workers."""
    with distributed.LocalCluster(
        n_workers=0,
        threads_per_worker=1,
        processes=False,
        dashboard_address=None,
        protocol="tcp",
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield cluster


def test_workers_of_a_scheduler_come_and_go(cluster, tmp_path):
    (tmp_path / "uploaded_objective.py").write_text("def length(cell):\n    return len(cell)\n")
    (tmp_path / "broken_objective.py").write_text("1 / 0\n")
    levels = logging.getLogger("distributed.client").level
    with remote(cluster.scheduler_address) as client:
        pool = evaluation_pool(client, "uploaded_objective:length")
        assert pool.size() == 0
        with pytest.raises(WorkersError, match="no worker connected within 0.2 s"):
            pool.check(0.2, check_objective, "uploaded_objective:length")
        pool.check(60, check_objective, "uploaded_objective:length", stop=lambda: True)
        cluster.scale(1)
        client.wait_for_workers(1)
        with pytest.raises(ConfigError, match="No module named 'uploaded_objective'"):
            evaluation_pool(client, "uploaded_objective:length").check(
                60, check_objective, "uploaded_objective:length"
            )
    with remote(cluster.scheduler_address, [tmp_path / "uploaded_objective.py"]) as client:
        pool = evaluation_pool(client, "uploaded_objective:length")
        pool.check(60, check_objective, "uploaded_objective:length")
        assert pool.size() == 1
        pool.submit(0, "abcd")
        assert pool.next(60)[1].score == 4
    for name, said in (("nofile.py", "FileNotFoundError"), ("broken_objective.py", "ZeroDivisionError")):
        with (
            pytest.raises(ConfigError, match=f"cannot copy .*{name} to the workers: {said}"),
            remote(cluster.scheduler_address, [tmp_path / name]),
        ):
            pass
    assert logging.getLogger("distributed.client").level == levels


@pytest.mark.slow
def test_a_worker_without_a_nanny_cannot_be_stopped(cluster):
    cluster.scale(1)
    with remote(cluster.scheduler_address) as client:
        client.wait_for_workers(1)
        pool = evaluation_pool(client, "time:sleep", timeout=0.2)
        place = pool._run, 0, "direct", True
        pool._client.submit(clusters.at_worker, pool._function, place, 1.0, key="direct")
        pool.submit(1, 1.0)
        with pytest.raises(WorkersError, match="must have a nanny that can restart it after a timeout"):
            pool.next(60)


def test_a_scheduler_that_is_lost_is_an_error(cluster, monkeypatch):
    monkeypatch.setattr(clusters, "_CONNECTING", 1.0)
    cluster.scale(1)
    with remote(cluster.scheduler_address) as client:
        client.wait_for_workers(1)
        pool = evaluation_pool(client, "time:sleep")
        pool.submit(0, 2.0)
        cluster.close()
        with pytest.raises(WorkersError, match="the scheduler (is lost|does not answer)"):
            pool.next(60)
        pool._size = 0, float("-inf")
        with pytest.raises(WorkersError, match="the scheduler does not answer"):
            pool.size()


def test_a_scheduler_without_the_package_is_an_error(tmp_path):
    (tmp_path / "blackbox.py").touch()  # hides the package
    file = tmp_path / "scheduler.json"
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", *options],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        stderr=subprocess.DEVNULL,
    )
    try:
        until(file.exists)
        with remote(str(file)) as client:
            pool = evaluation_pool(client, "operator:neg")
            message = "the scheduler or a worker cannot import nas-toolkit; install it there"
            with pytest.raises(WorkersError, match=message):
                pool.check(60, check_objective, "operator:neg")
            pool.submit(0, 1)
            assert pool.next(60)[1].error == f"WorkersError: {message}"
    finally:
        scheduler.kill()
        scheduler.wait()


def test_a_scheduler_that_does_not_answer_is_an_error(monkeypatch):
    monkeypatch.setattr(clusters, "_CONNECTING", 0.3)
    with (
        pytest.raises(WorkersError, match="no scheduler answers at tcp://127.0.0.1:9: Timed out"),
        remote("tcp://127.0.0.1:9"),
    ):
        pass


def test_without_dask_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    for client in (lambda: local(1), lambda: remote("tcp://127.0.0.1:9")):
        with pytest.raises(MissingDependencyError, match=r"'nas-toolkit\[workers\]'"), client():
            pass
