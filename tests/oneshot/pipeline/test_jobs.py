import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from oneshot.errors import FolderRemovedError, JobError
from oneshot.pipeline import jobs
from oneshot.pipeline.jobs import Job

WORKER = """
import argparse, signal, sys, time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("name")
parser.add_argument("--device")
parser.add_argument("--seconds", type=float, default=0)
parser.add_argument("--code", type=int, default=0)
args = parser.parse_args()
stopped = []
signal.signal(signal.SIGINT, lambda *_: stopped.append(1))
begin = time.time()
Path(args.name + ".started").write_text(args.device)
while time.time() < begin + args.seconds and not stopped:
    time.sleep(0.02)
Path(args.name).write_text(f"{args.device} {begin} {time.time()} {len(stopped)}")
print("result of", args.name)
print("said by", args.name, file=sys.stderr)
sys.exit(130 if stopped else args.code)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "worker.py").write_text(WORKER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def job(name, *arguments):
    return Job(name, "worker", (name, *map(str, arguments)), Path("output", f"{name}.json"))


def read(folder, name):
    device, *numbers = (folder / name).read_text().split()
    return device, *map(float, numbers)


def test_on_one_device_jobs_come_one_after_the_other(folder, capfd):
    done = []
    assert jobs.run_jobs([job("a", "--seconds", 0.3), job("b"), job("c")], ["cpu"], done=done.append)
    assert [each.name for each in done] == ["a", "b", "c"]
    a, b, c = (read(folder, name) for name in "abc")
    assert a[2] <= b[1]
    assert b[2] <= c[1]
    assert (folder / "output" / "a.json").read_text() == "result of a\n"
    assert capfd.readouterr().err.splitlines() == ["said by a", "said by b", "said by c"]


def test_on_several_devices_they_are_side_by_side(folder, capfd):
    many = [job(name, "--seconds", 1.5) for name in "ab"] + [job("c")]
    assert jobs.run_jobs(many, ["cuda:0", "cuda:1"])
    a, b, c = (read(folder, name) for name in "abc")
    assert {a[0], b[0]} == {"cuda:0", "cuda:1"}
    assert max(a[1], b[1]) < min(a[2], b[2])
    assert c[1] >= min(a[2], b[2])
    assert (folder / "output" / "b.json.err").read_text() == "said by b\n"
    assert capfd.readouterr().err == ""


def test_a_job_that_fails_ends_all_and_is_named(folder):
    with pytest.raises(JobError, match="^b failed with exit code 3; see above$"):
        jobs.run_jobs([job("a"), job("b", "--code", 3), job("c")], ["cpu"])
    assert not (folder / "c").exists()
    with pytest.raises(JobError, match="^e failed with exit code 4: said by e$"):
        jobs.run_jobs([job("d", "--seconds", 60), job("e", "--seconds", 0.5, "--code", 4)], ["cpu", "cpu"])
    assert read(folder, "d")[3] == 1  # it was interrupted, and saved what it had


def test_a_stop_interrupts_each_job_once_and_waits_for_it(folder):
    def stop():
        return (folder / "a.started").exists() and (folder / "b.started").exists()

    begun = time.monotonic()
    many = [job(name, "--seconds", 60) for name in "abc"]
    assert jobs.run_jobs(many, ["cpu", "cpu"], stop) is False
    assert time.monotonic() - begun < 30
    assert read(folder, "a")[3] == read(folder, "b")[3] == 1
    assert not (folder / "c").exists()


def test_a_job_that_is_killed_is_said_to_be(folder):
    (folder / "worker.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(JobError, match="^a was killed by signal 9; see above$"):
        jobs.run_jobs([job("a")], ["cpu"])


def test_output_that_cannot_be_written(folder):
    (folder / "output").write_text("a file")
    with pytest.raises(JobError, match="^cannot write output/a.json: "):
        jobs.run_jobs([job("a")], ["cpu"])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells processes of their parent's end")
def test_jobs_die_with_the_process_that_runs_them(folder):
    code = (
        "from pathlib import Path; from oneshot.pipeline import jobs;"
        "jobs.run_jobs([jobs.Job('a', 'worker', ('a', '--seconds', '60'), Path('output/a.json'))], ['cpu'])"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    )
    while not (folder / "a.started").exists():
        time.sleep(0.02)
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    assert children
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{child}/cmdline") and _alive(child) for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not (folder / "a").exists()


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_jobs_whose_folder_was_removed_save_nothing(folder):
    def stop():
        if (folder / "a.started").exists():
            raise FolderRemovedError("it was removed")
        return False

    begin = time.time()
    with pytest.raises(FolderRemovedError, match="it was removed"):
        jobs.run_jobs([job("a", "--seconds", 60)], ["cpu"], stop)
    assert time.time() < begin + 30
    assert not (folder / "a").exists()


def test_a_log_creates_no_folder_above_its_own(folder):
    with pytest.raises(JobError, match="cannot write gone/output/a.json: No such file or directory"):
        jobs.run_jobs([Job("a", "worker", ("a",), Path("gone", "output", "a.json"))], ["cpu"])
    assert not (folder / "gone").exists()
