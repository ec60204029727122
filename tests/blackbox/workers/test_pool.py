"""The pool of this machine's processes, and how long pools wait for workers."""

import os
import signal
import time

import pytest

from blackbox.errors import WorkersError
from blackbox.workers.pool import Patience, ProcessPool


def process(task, share):
    task.report(share)
    return os.environ["OMP_NUM_THREADS"], task.worker


def fail(task, text):
    raise ArithmeticError(text)


def end(task):
    os.kill(os.getpid(), signal.SIGKILL)


def until_stopped(task, path):
    path.touch()
    while not task.stopped:
        time.sleep(0.01)
    path.unlink()


def test_results_come_under_their_numbers_from_processes_of_one_thread(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with ProcessPool(process, 5, tasks=2) as pool:
        assert pool.size() == 2  # no more than there are tasks
        for number in range(2):
            pool.submit(number, (1 + number) / 2)
        results = dict(pool.next(60) for _ in range(2))
        assert pool.next(0.01) is None
        assert [pool.share(number) for number in range(2)] == [0.5, 1.0]
    assert "OMP_NUM_THREADS" not in os.environ
    assert sorted(results) == [0, 1]
    for threads, worker in results.values():
        assert threads == "1"
        assert worker.startswith("SpawnProcess")


def test_an_error_of_a_task_is_raised():
    with ProcessPool(fail, 1, tasks=1) as pool:
        pool.submit(0, "no")
        with pytest.raises(ArithmeticError, match="no"):
            pool.next(60)


def test_a_process_that_ends_before_its_time_is_an_error():
    with ProcessPool(end, 1, tasks=2) as pool:
        pool.submit(0)
        with pytest.raises(WorkersError, match="a process died"):
            pool.next(60)
        with pytest.raises(WorkersError, match="a process died"):
            pool.submit(1)


def test_tasks_have_ended_once_the_pool_is_stopped(tmp_path):
    path = tmp_path / "runs"
    with ProcessPool(until_stopped, 1, tasks=1) as pool:
        pool.submit(0, path)
        while not path.exists():
            assert pool.next(0.01) is None
    assert not path.exists()


def test_patience_ends_and_says_once_that_there_are_no_workers(capsys):
    patience = Patience(0.2)
    for _ in range(2):
        patience.check(False)
    assert capsys.readouterr().err == "note: waiting for workers, because there are none\n"
    patience.check(True)
    patience.check(False)
    assert capsys.readouterr().err == "note: waiting for workers, because there are none\n"
    time.sleep(0.3)
    with pytest.raises(WorkersError, match="no worker for 0.2 s"):
        patience.check(False)
