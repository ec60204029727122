import errno
import fcntl
import os
import shutil
import subprocess
import sys

import pytest

from nasbench.runs import files
from nasbench.runs.files import (
    NO_LOCKS,
    leads_to,
    make_parent,
    open_locked,
    read_json,
    replacing,
    write_all,
    write_json,
)


def test_the_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "file"
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
        assert temporary.parent == path.parent
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "file"
    path.write_text("old")

    def fail():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_block_that_wrote_nothing_is_an_error(tmp_path):
    def nothing():
        with replacing(tmp_path / "file"):
            pass

    with pytest.raises(FileNotFoundError):
        nothing()
    assert os.listdir(tmp_path) == []


def test_a_file_is_open_to_one_at_a_time(tmp_path):
    path = tmp_path / "log"
    with open_locked(path, "x+b") as file:
        write_all(file, b"first")
        with pytest.raises(BlockingIOError):
            open_locked(path, "r+b")
    with open_locked(path, "r+b") as file:
        assert file.read() == b"first"


@pytest.mark.parametrize("number", sorted(NO_LOCKS))
def test_a_missing_lock_is_reported_once(tmp_path, monkeypatch, capsys, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(files, "_warned", False)
    for name in "ab":
        open_locked(tmp_path / name, "x+b").close()
    reason = f"{tmp_path}/a cannot be locked ({os.strerror(number)})"
    assert (
        capsys.readouterr().err
        == f"warning: {reason}; make sure that no other process writes to the same place\n"
    )


def test_a_lock_that_fails_otherwise_is_an_error(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match="Bad file descriptor"):
        open_locked(tmp_path / "a", "x+b")


def test_a_process_of_a_pool_leaves_the_warning_to_its_command(tmp_path):
    program = f"""
import errno, fcntl, multiprocessing
from nasbench.runs.files import open_locked

def refuse(*_):
    raise OSError(errno.ENOLCK, "no locks")

def work(_):
    fcntl.flock = refuse
    open_locked("{tmp_path}/log", "ab").close()

if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(work, range(4))
    work(0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("warning: ")) == (0, 1), done.stderr


def test_a_path_leads_to_its_file_until_that_is_removed_or_replaced(tmp_path):
    path = tmp_path / "a" / "log"
    make_parent(path)
    with open(path, "wb") as file:
        assert leads_to(path, file)
        path.unlink()
        assert not leads_to(path, file)
        path.write_text("another")
        assert not leads_to(path, file)
        shutil.rmtree(tmp_path / "a")
        assert not leads_to(path, file)
        (tmp_path / "a").write_text("no folder")
        assert not leads_to(path, file)


def test_a_folder_that_is_gone_is_not_created_again(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_json(tmp_path / "gone" / "value.json", {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", sorted(NO_LOCKS))
def test_a_store_is_built_and_read_on_a_file_system_without_locks(tmp_path, without_locks, number):
    out = tmp_path / "stores" / "a.h5"
    done = without_locks(number, "nasbench", "build", "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("warning: ") == 1
    assert f"a.h5.part.journal cannot be locked ({os.strerror(number)})" in done.stderr
    done = without_locks(number, "nasbench", "query", "6111", "--store", out)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    done = without_locks(number, "nasbench", "info", "--verify", "--store", out)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    twice = f"from nasbench import NB201; first = NB201({str(out)!r}); second = NB201({str(out)!r})"
    done = without_locks(number, "timeit", "-n1", "-r1", twice)  # in one process, both open
    assert done.returncode == 0, done.stderr


def test_json_is_written_whole(tmp_path):
    write_json(tmp_path / "value.json", {"a": [1, None]})
    assert (tmp_path / "value.json").read_text() == '{\n  "a": [\n    1,\n    null\n  ]\n}\n'
    with pytest.raises(TypeError):
        write_json(tmp_path / "value.json", object())
    assert [path.name for path in tmp_path.iterdir()] == ["value.json"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting value"),
        ('{"a": 1' + "0" * 400 + "}", "an integer of more than 63 bits"),
        ('{"a": 1' + "0" * 5000 + "}", "4300"),
        ("[" * 100_000 + "]" * 100_000, "it is nested too deeply"),
        ("[" * 30 + "]" * 30, "it is nested too deeply"),
        ("\xff", "codec can't decode"),
    ],
)
def test_json_that_no_run_writes_is_damaged(tmp_path, text, message):
    (tmp_path / "a.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=message):
        read_json(tmp_path / "a.json")


def test_json_is_read(tmp_path):
    value = {"a": [1, -(2**63) + 1, 1e308, None, True, {"b": "c"}]}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "b.json")
