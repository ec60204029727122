import errno
import os
import shutil
import subprocess
import sys
from io import FileIO
from pathlib import Path

import numpy as np
import pytest

from nasbench.errors import FolderRemovedError, RunFolderError
from nasbench.runs.log import AppendLog, Columns, decode_numbers, encode_numbers, read_log

HEADER = b"step,score\n"
EPOCHS = Columns({"epoch": int, "loss": float, "arch": str, "seconds": float})


@pytest.fixture
def path(tmp_path):
    """The log of a run with two rows."""
    path = tmp_path / "log.csv"
    with AppendLog.create(path, HEADER) as log:
        log.append(b"1,0.5\n2,0.25\n")
    return path


def resume(path):
    return AppendLog.resume(path, HEADER)


def run(code):
    """What another process prints; it has `path`, HEADER and AppendLog."""
    code = f"from nasbench.runs.log import AppendLog\nHEADER = {HEADER!r}\n{code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode in (0, -9), done.stderr
    return done.stdout


def test_rows_follow_each_other(path):
    assert path.read_bytes() == HEADER + b"1,0.5\n2,0.25\n"
    with resume(path) as log:
        assert log.offset == path.stat().st_size
        log.append(b"3,0.125\n")
        assert log.read() == HEADER + b"1,0.5\n2,0.25\n3,0.125\n"
    assert path.read_bytes().endswith(b"2,0.25\n3,0.125\n")


@pytest.mark.parametrize("cut", range(1, 7))
def test_a_row_that_a_kill_cut_short_is_overwritten(path, cut):
    os.truncate(path, path.stat().st_size - cut)
    with resume(path) as log:
        assert log.read() == HEADER + b"1,0.5\n"
        log.append(b"2,0.75\n")
    assert path.read_bytes() == HEADER + b"1,0.5\n2,0.75\n"


def test_a_kill_while_rows_are_written_leaves_whole_rows_before_them(path):
    code = f"""
import os, pathlib, signal
log = AppendLog.resume(pathlib.Path({str(path)!r}), HEADER)
os.write(log._file.fileno(), b"3,0.1")  # at the end, as far as the system took it
os.kill(os.getpid(), signal.SIGKILL)
"""
    run(code)
    assert path.read_bytes().endswith(b"3,0.1")
    with resume(path) as log:
        log.append(b"3,0.125\n")
    assert path.read_bytes() == HEADER + b"1,0.5\n2,0.25\n3,0.125\n"


def test_only_one_process_may_write(path):
    code = f"""
import pathlib
try:
    AppendLog.resume(pathlib.Path({str(path)!r}), HEADER)
except OSError as error:
    print(error)
"""
    with resume(path):
        assert run(code) == f"another process is writing to {path.parent}\n"
        with pytest.raises(RunFolderError, match="another process is writing to"):
            AppendLog.create_or_resume(path, HEADER)
    assert run(code) == ""


def test_a_log_that_does_not_exist_or_that_does(tmp_path, path):
    for missing in (tmp_path / "none.csv", tmp_path / "none" / "log.csv", path / "log.csv"):
        with pytest.raises(RunFolderError, match=f"is not the folder of a run: it has no {missing.name}"):
            resume(missing)
    with pytest.raises(FileExistsError):
        AppendLog.create(path, HEADER)


def test_a_log_is_kept_up_to_an_offset(path):
    with resume(path) as log:
        end = log.offset
        log.append(b"3,1\n")
        log.truncate(end, rows=2)
        assert log.offset == path.stat().st_size == end
        log.truncate(None, rows=0)
        assert path.read_bytes() == HEADER
        log.truncate(0)
        assert path.read_bytes() == b""


@pytest.mark.parametrize(("offset", "rows"), [(10_000, 2), (14, 1), (5, 0), (17, 2), (10_000, None)])
def test_a_log_that_is_not_as_it_is_remembered_is_an_error(path, offset, rows):
    before = path.read_bytes()
    with resume(path) as log, pytest.raises(RunFolderError, match=r"log.csv is damaged: expected"):
        log.truncate(offset, rows)
    assert path.read_bytes() == before


def test_a_log_with_another_header_cannot_be_cut(path):
    with AppendLog.resume(path, b"a,b\n") as log, pytest.raises(RunFolderError, match="17 bytes"):
        log.truncate(17)


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_a_log_keeps_its_first_rows(path, rows):
    with resume(path) as log:
        log.keep(rows)
    assert path.read_bytes().count(b"\n") == rows + 1


def test_a_log_below_a_folder_is_created_there_and_resumed(tmp_path):
    path = tmp_path / "all" / ".parts" / "re" / "log.csv"
    with pytest.raises(RunFolderError, match="cannot write to the folder .*: No such file or directory"):
        AppendLog.create_or_resume(path, HEADER, root=tmp_path / "all")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "all").mkdir()
    for text in (HEADER, HEADER[:4], b""):  # new, and with a header that a kill cut short
        with AppendLog.create_or_resume(path, HEADER, root=tmp_path / "all") as log:
            assert log.read() == HEADER
        path.write_bytes(text)
    with AppendLog.create_or_resume(path, HEADER, root=tmp_path / "all") as log:
        log.append(b"1,1\n")
    with AppendLog.create_or_resume(path, HEADER, root=tmp_path / "all") as log:
        assert log.read() == HEADER + b"1,1\n"


def replace(path):
    path.unlink()
    path.write_bytes(HEADER)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: shutil.rmtree(path.parent), replace])
def test_a_log_that_is_removed_is_an_error_before_rows_are_lost(tmp_path, damage):
    (tmp_path / "run").mkdir()
    path = tmp_path / "run" / "log.csv"
    with AppendLog.create(path, HEADER, noun="search") as log:
        damage(path)
        with pytest.raises(
            FolderRemovedError, match="run or its log.csv was removed or replaced during the search"
        ):
            log.append(b"1,0\n")
    assert not path.exists() or path.read_bytes() == HEADER


def test_a_log_that_cannot_grow_is_an_error_and_can_be_resumed(path):
    code = f"""
import pathlib, resource
log = AppendLog.resume(pathlib.Path({str(path)!r}), HEADER)
resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))
try:
    log.append(b"3,0.123456789\\n" * 5)
except OSError as error:
    print(error)
"""
    assert run(code) == f"cannot write {path}: File too large\n"
    with resume(path) as log:
        assert log.read() == HEADER + b"1,0.5\n2,0.25\n" + b"3,0.123456789\n"


class Broken(FileIO):
    """A file on a disk that breaks: at the calls named in `broken`."""

    broken = ()

    def _call(self, name, *arguments):
        if name in self.broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return getattr(super(), name)(*arguments)

    def read(self, *arguments):
        return self._call("read", *arguments)

    def truncate(self, *arguments):
        return self._call("truncate", *arguments)


def test_errors_of_the_disk_are_one_line(path, monkeypatch):
    with Broken(path, "r+b") as file:
        log = AppendLog(path, file, HEADER, noun="run", sync=True)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", lambda _: file._call(file.broken[0]))
            file.broken = ("fsync",)
            with pytest.raises(RunFolderError, match=r"cannot write .*log.csv: Input/output error"):
                log.append(b"3,1\n")
        file.broken = ("truncate",)
        with pytest.raises(RunFolderError, match=r"cannot resume .*log.csv: Input/output error"):
            log.truncate(None)
        file.broken = ("read",)
        with pytest.raises(RunFolderError, match=r"cannot read .*log.csv: Input/output error"):
            log.read()


def test_a_log_that_cannot_be_read_is_an_error(path, unprivileged):
    def check(home):
        (home / "log.csv").write_bytes(HEADER)
        (home / "log.csv").chmod(0o200)
        with pytest.raises(RunFolderError, match="cannot resume .*: Permission denied"):
            resume(home / "log.csv")
        with pytest.raises(RunFolderError, match=r"cannot read .*log.csv: Permission denied"):
            read_log(home, EPOCHS)
        home.chmod(0o500)
        with pytest.raises(RunFolderError, match="cannot write to the folder .*: Permission denied"):
            AppendLog.create_or_resume(home / "other.csv", HEADER)

    unprivileged(check)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EIO])
def test_a_file_system_without_locks_is_used_without(tmp_path, monkeypatch, number):
    import fcntl

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with AppendLog.create(tmp_path / "log.csv", HEADER) as log:
        log.append(b"1,1\n")
    with resume(tmp_path / "log.csv") as log:
        assert log.read() == HEADER + b"1,1\n"


# Formats

ROWS = [
    {"epoch": 1, "loss": 1 / 3, "arch": "Genotype(a=[('x', 0)], b=1)", "seconds": 0.1},
    {"epoch": 2, "loss": None, "arch": None, "seconds": 1e-300},
]


def test_rows_of_columns_come_back(tmp_path):
    (tmp_path / "log.csv").write_bytes(EPOCHS.header + EPOCHS.encode(ROWS) + b"3,0.1")
    assert read_log(tmp_path, EPOCHS) == ROWS
    assert (tmp_path / "log.csv").read_text().splitlines() == [
        "epoch,loss,arch,seconds",
        "1,0.3333333333333333,\"Genotype(a=[('x', 0)], b=1)\",0.1",
        "2,,,1e-300",
        "3,0.1",
    ]


def test_text_of_several_lines_comes_back():
    errors = Columns({"number": int, "traceback": str})
    rows = [{"number": 0, "traceback": 'File "a.py"\n  x = 1, 2\n'}, {"number": 1, "traceback": "short"}]
    assert errors.decode(errors.header + errors.encode(rows), Path("failures.csv")) == rows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "its first line must be epoch,loss,arch,seconds"),
        ("a,b\n", "its first line must be epoch,loss,arch,seconds"),
        ("epoch,loss,arch,seconds", "its first line must be epoch,loss,arch,seconds"),
        ("epoch,loss,arch,seconds\n1,2\n", "zip"),
        ("epoch,loss,arch,seconds\nx,1,a,1\n", "invalid literal for int"),
        ("epoch,loss,arch,seconds\n1,1,a,\n", "a row has no epoch or no seconds"),
        ("epoch,loss,arch,seconds\n,1,a,1\n", "a row has no epoch or no seconds"),
        ("epoch,loss,arch,seconds\n1,1,\xff,1\n", "codec can't decode"),
        ("epoch,loss,arch,seconds\n1,1," + "a" * 200_000 + ",1\n", "field larger than field limit"),
    ],
)
def test_a_damaged_log_is_an_error(tmp_path, text, message):
    (tmp_path / "log.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(RunFolderError, match=f"log.csv is damaged: .*{message}"):
        read_log(tmp_path, EPOCHS)


def test_a_folder_without_a_log_is_no_run(tmp_path):
    with pytest.raises(RunFolderError, match="none is not the folder of a search: it has no log.csv"):
        read_log(tmp_path / "none", EPOCHS, noun="search")


def test_whole_arrays_are_written_and_come_back_to_the_last_digit():
    rng = np.random.default_rng(0)
    number, score = np.arange(1, 1001), rng.random(1000) / 3
    score[0] = -np.inf
    data = encode_numbers("%d,%r\n", [number, score])
    assert data.splitlines()[0] == b"1,-inf"
    np.testing.assert_array_equal(decode_numbers(data), np.stack([number, score], axis=1))


@pytest.mark.parametrize("lines", [b"", b"\n \n", b"1,x\n", b"1,2\n1\n", b"\xff\n"])
def test_lines_that_are_not_numbers_are_an_error(lines):
    with pytest.raises(ValueError, match="empty|convert|columns|codec|decode"):
        decode_numbers(lines)
