import os
import signal
import subprocess
import sys

import pytest

from nasbench.runs.processes import blocked_interrupts, cores, environment

READ = [sys.executable, "-c", "import os; print(os.environ.get('ONE'), os.environ.get('TWO'))"]


def seen():
    return subprocess.run(READ, capture_output=True, text=True, check=True).stdout.split()


def test_processes_inherit_the_environment_until_its_end(monkeypatch):
    monkeypatch.setenv("ONE", "old")
    monkeypatch.delenv("TWO", raising=False)
    before = dict(os.environ)
    with environment(ONE="new", TWO="2"):
        assert seen() == ["new", "2"]
    assert seen() == ["old", "None"]
    assert dict(os.environ) == before


def test_what_others_set_in_it_is_undone_too_whatever_is_raised(monkeypatch):
    monkeypatch.setenv("ONE", "old")
    monkeypatch.setenv("TWO", "old")
    before = dict(os.environ)

    def change():
        os.environ["ONE"] = "changed"
        os.environ["THREE"] = "3"
        del os.environ["TWO"]
        raise KeyError

    with pytest.raises(KeyError), environment():
        change()
    assert dict(os.environ) == before


def test_only_the_processors_that_this_process_may_use_count(monkeypatch):
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    code += "; from nasbench.runs.processes import cores; print(cores())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "1\n"
    monkeypatch.delattr(os, "sched_getaffinity")
    assert cores() == os.cpu_count()


def test_an_interrupt_waits_for_the_end_of_the_block():
    passed = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def work():
        with blocked_interrupts():
            signal.raise_signal(signal.SIGINT)
            passed.append(True)

    try:
        with pytest.raises(KeyboardInterrupt):
            work()
    finally:
        signal.signal(signal.SIGINT, before)
    assert passed == [True]


def test_a_process_ends_with_its_parent():
    code = """
import multiprocessing, os, signal, sys, time
from nasbench.runs.processes import end_with_parent

def work():
    end_with_parent()
    print("started", flush=True)
    time.sleep(600)

process = multiprocessing.get_context("fork").Process(target=work)
process.start()
sys.stdin.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "started\n"
        parent.stdin.write("\n")
        parent.stdin.flush()
        assert parent.stdout.read() == ""  # its end comes once the child has closed it, too
        assert parent.wait() == -signal.SIGKILL
