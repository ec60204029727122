import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from blackbox.errors import RunFolderError
from blackbox.folder import RunFolder
from blackbox.kinds.logs import EvaluationLog
from nasbench.spaces import TOPOLOGY
from tests.blackbox.kinds.test_logs import extended, history_of

LOG = EvaluationLog(TOPOLOGY, range(2))
HEADER = LOG.header.decode()


@pytest.fixture
def run(tmp_path):
    """A folder with three steps of two trials in its log, and their history."""
    folder = RunFolder.create(tmp_path / "runs" / "a", {"seed": 3}, LOG.header)
    history = history_of(3)
    folder.append_rows(LOG.encode(history))
    folder.close()
    return tmp_path / "runs" / "a", history


def reopened(path):
    with RunFolder.reopen(path) as folder:
        return LOG.decode(folder.read_log(), path)


def read_config(path):
    with RunFolder.reopen(path) as folder:
        return folder.read_config()


def test_what_was_written_comes_back_to_the_last_digit(run):
    path, history = run
    again = reopened(path)
    np.testing.assert_array_equal(again.codes, history.codes)
    np.testing.assert_array_equal(again.scores, history.scores)
    np.testing.assert_array_equal(again.costs, history.costs)
    assert read_config(path) == {"seed": 3}


@pytest.mark.parametrize("cut", range(1, 130, 7))
def test_a_log_cut_short_goes_on_from_its_last_whole_step(tmp_path, cut):
    part, whole = extended(3, 8)
    folder = RunFolder.create(tmp_path / "a", {}, LOG.header)
    folder.append_rows(LOG.encode(part))
    folder.close()
    log = tmp_path / "a" / "log.csv"
    size = log.stat().st_size
    os.truncate(log, max(len(HEADER), size - cut))
    folder = RunFolder.reopen(tmp_path / "a")
    data = folder.read_log()
    history = LOG.decode(data, log)
    assert len(history) < 3
    folder.append_rows(LOG.encode(whole, len(history)), after=LOG.whole(data))
    folder.close()
    undisturbed = RunFolder.create(tmp_path / "b", {}, LOG.header)
    undisturbed.append_rows(LOG.encode(whole))
    undisturbed.close()
    assert log.read_bytes() == (tmp_path / "b" / "log.csv").read_bytes()


def test_an_empty_log_is_a_run_that_has_not_begun(tmp_path):
    RunFolder.create(tmp_path / "a", {}, LOG.header).close()
    assert len(reopened(tmp_path / "a")) == 0


def test_summary_and_settings_are_json(run):
    path, _ = run
    folder = RunFolder.reopen(path)
    folder.write_summary({"best": "é"})
    folder.write_config({"seed": 4})
    folder.close()
    assert json.loads((path / "summary.json").read_text()) == {"best": "é"}
    assert read_config(path) == {"seed": 4}
    assert sorted(os.listdir(path)) == ["config.json", "log.csv", "summary.json"]


def test_a_folder_that_exists_is_not_touched(run):
    path, _ = run
    before = (path / "log.csv").read_bytes()
    with pytest.raises(RunFolderError, match=r"a exists; .*; --resume goes on with it"):
        RunFolder.create(path, {}, LOG.header)
    assert (path / "log.csv").read_bytes() == before


def test_folders_that_cannot_be_made_or_written(tmp_path, unprivileged):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot make the folder .*: Not a directory"):
        RunFolder.create(tmp_path / "file" / "a", {}, LOG.header)

    def check(home):
        run = RunFolder.create(home / "a", {}, LOG.header)
        (home / "a").chmod(0o500)
        with pytest.raises(RunFolderError, match="cannot write .*summary.json: Permission denied"):
            run.write_summary({})
        (home / "a" / "config.json").chmod(0)
        with pytest.raises(RunFolderError, match="cannot read .*config.json: Permission denied"):
            run.read_config()
        run.close()
        (home / "a" / "log.csv").chmod(0o400)
        with pytest.raises(RunFolderError, match="cannot go on with .*: Permission denied"):
            RunFolder.reopen(home / "a")
        home.chmod(0o500)
        with pytest.raises(RunFolderError, match="cannot make the folder .*: Permission denied"):
            RunFolder.create(home / "b", {}, LOG.header)

    unprivileged(check)


def test_a_log_that_cannot_grow_is_an_error(tmp_path):
    code = f"""
import resource
from blackbox.errors import RunFolderError
from blackbox.folder import RunFolder
from tests.blackbox.test_folder import LOG, history_of
folder = RunFolder.create({str(tmp_path / "a")!r}, {{}}, LOG.header)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    folder.append_rows(LOG.encode(history_of(1000)))
except RunFolderError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == f"cannot write {tmp_path / 'a' / 'log.csv'}: File too large\n", result.stderr
    assert 5 < len(reopened(tmp_path / "a")) < 20


@pytest.mark.parametrize(("config", "error"), [({"x": {1}}, TypeError), ({"x": "y" * 5000}, RunFolderError)])
def test_a_new_folder_that_cannot_be_filled_is_removed(tmp_path, config, error):
    code = f"""
import resource
from blackbox.errors import RunFolderError
from blackbox.folder import RunFolder
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    RunFolder.create({str(tmp_path / "a")!r}, {config!r}, b'header')
except {error.__name__} as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip(), result.stderr
    assert os.listdir(tmp_path) == []


def test_only_one_process_may_write(run):
    path, _ = run
    folder = RunFolder.reopen(path)
    code = f"""
from blackbox.errors import RunFolderError
from blackbox.folder import RunFolder
try:
    RunFolder.reopen({str(path)!r})
except RunFolderError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == f"another process is writing to {path}\n", result.stderr
    folder.close()
    assert len(reopened(path)) == 3


def test_what_is_no_run(tmp_path):
    for path in (tmp_path, tmp_path / "none", tmp_path / "log.csv" / "below"):
        with pytest.raises(RunFolderError, match="not the folder of a run: it has no log.csv"):
            RunFolder.reopen(path)
    assert not (tmp_path / "log.csv").exists()
    (tmp_path / "log.csv").write_text(HEADER)
    with pytest.raises(RunFolderError, match="not the folder of a run: it has no config.json"):
        read_config(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(RunFolderError, match="config.json is damaged"):
        read_config(tmp_path)
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(RunFolderError, match="config.json is damaged"):
        read_config(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(RunFolderError, match="it should hold an object"):
        read_config(tmp_path)


def test_a_folder_that_is_no_run_is_not_called_one(tmp_path):
    with pytest.raises(
        RunFolderError, match="exists; --out names a new folder; it is not the folder of a run"
    ):
        RunFolder.create(tmp_path, {}, LOG.header)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EIO])
def test_a_file_system_without_locks_is_used_without(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    RunFolder.create(tmp_path / "a", {}, LOG.header).close()
    assert len(reopened(tmp_path / "a")) == 0


def remove(path):
    shutil.rmtree(path)


def replace(path):
    shutil.rmtree(path)
    RunFolder.create(path, {"of": "another run"}, LOG.header).close()


def remove_log(path):
    (path / "log.csv").unlink()


@pytest.mark.parametrize("damage", [remove, replace, remove_log])
@pytest.mark.parametrize(
    "write",
    [
        lambda folder: folder.append_rows(b"1,0,5,0.5,1\n"),
        lambda folder: folder.write_config({}),
        lambda folder: folder.write_summary({}),
    ],
    ids=["rows", "config", "summary"],
)
def test_a_folder_that_is_removed_during_the_run_is_an_error(run, damage, write):
    path, _ = run
    with RunFolder.reopen(path) as folder:
        folder.read_log()
        damage(path)
        before = {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()}
        with pytest.raises(RunFolderError, match="or its log.csv was removed or replaced during the run"):
            write(folder)
    assert path.exists() == (damage is not remove)
    assert {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()} == before


def test_a_log_of_some_trials_creates_no_folder_above_its_own(tmp_path):
    path = tmp_path / "all" / ".parts" / "re" / "0"
    with pytest.raises(RunFolderError, match="cannot write to the folder .*: No such file or directory"):
        RunFolder.log_alone(path, LOG.header, tmp_path / "all")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "all").mkdir()
    RunFolder.log_alone(path, LOG.header, tmp_path / "all").close()
    assert (path / "log.csv").read_text() == HEADER
