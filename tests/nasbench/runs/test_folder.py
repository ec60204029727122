import json
import os
import shutil
import subprocess
import sys

import pytest

from nasbench.errors import FolderRemovedError, RunFolderError
from nasbench.runs.folder import RunFolder, RunKind, check_new, read_record, read_summary

HEADER = b"step,score\n"
PLAIN = RunKind(HEADER)
SEARCH = RunKind(HEADER, stage="search", sync=True)
COMPARISON = RunKind(noun="comparison", config="comparison.json", log=".lock")


@pytest.fixture
def path(tmp_path):
    """The folder of a search with one row in its log."""
    with RunFolder.create(tmp_path / "runs" / "a", SEARCH, {"seed": 3}) as folder:
        folder.log.append(b"1,0.5\n")
    return tmp_path / "runs" / "a"


def test_what_is_written_is_read(path):
    with RunFolder.resume(path, SEARCH) as folder:
        assert folder.record == {"stage": "search", "seed": 3}
        assert folder.log.read() == HEADER + b"1,0.5\n"
        folder.write_summary({"complete": True, "é": None})
        folder.write_bytes("weights.pt", b"\0\1")
        folder.write_record(folder.record | {"seed": 4})
        assert folder.record["seed"] == 4
        assert folder.read_json("summary.json") == {"complete": True, "é": None}
        assert folder.read_json("other.json") is None
    assert read_record(path, SEARCH) == {"stage": "search", "seed": 4}
    assert read_summary(path) == {"complete": True, "é": None}
    assert (path / "config.json").read_text() == '{\n  "stage": "search",\n  "seed": 4\n}\n'
    assert sorted(os.listdir(path)) == ["config.json", "log.csv", "summary.json", "weights.pt"]


def test_a_kind_without_a_stage_records_none(tmp_path):
    RunFolder.create(tmp_path / "a", PLAIN, {"seed": 3}).close()
    assert json.loads((tmp_path / "a" / "config.json").read_text()) == {"seed": 3}
    assert read_record(tmp_path / "a", PLAIN) == {"seed": 3}


def test_a_folder_of_another_kind_is_an_error_and_stays_free(path):
    other = RunKind(HEADER, stage="retraining")
    for _ in range(2):  # not locked by the first attempt
        with pytest.raises(RunFolderError, match="is the folder of a search, not of a retraining"):
            RunFolder.resume(path, other)
    assert read_record(path, PLAIN)["stage"] == "search"


def test_a_folder_that_exists_is_not_touched(path, tmp_path):
    for attempt in (lambda: RunFolder.create(path, SEARCH, {}), lambda: check_new(path, SEARCH)):
        with pytest.raises(
            RunFolderError, match="a exists; --out must name a new folder; --resume continues it"
        ):
            attempt()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for other in (tmp_path, tmp_path / "link"):
        for attempt in (lambda: RunFolder.create(other, SEARCH, {}), lambda: check_new(other, SEARCH)):  # noqa: B023
            with pytest.raises(RunFolderError, match="exists; .*; it is not the folder of a run"):
                attempt()
    check_new(tmp_path / "new", SEARCH)
    assert (path / "log.csv").read_bytes() == HEADER + b"1,0.5\n"


def test_folders_that_cannot_be_created_or_written(tmp_path, unprivileged):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot create the folder .*: Not a directory"):
        RunFolder.create(tmp_path / "file" / "a", PLAIN, {})
    with pytest.raises(RunFolderError, match="cannot create the folder .*: No such file or directory"):
        RunFolder.create(tmp_path / "none" / "a", PLAIN, {}, parents=False)

    def check(home):
        with RunFolder.create(home / "a", PLAIN, {}) as run:
            (home / "a").chmod(0o500)
            with pytest.raises(RunFolderError, match=r"cannot write .*summary.json: Permission denied"):
                run.write_summary({})
            (home / "a" / "config.json").chmod(0)
            with pytest.raises(RunFolderError, match=r"cannot read .*config.json: Permission denied"):
                read_record(home / "a", PLAIN)
        home.chmod(0o500)
        with pytest.raises(RunFolderError, match="cannot create the folder .*: Permission denied"):
            RunFolder.create(home / "b", PLAIN, {})
        with pytest.raises(RunFolderError, match="cannot write to the folder .*: Permission denied"):
            RunFolder.create_or_resume(home / "b", COMPARISON, {})

    unprivileged(check)


@pytest.mark.parametrize(("record", "error"), [({"x": {1}}, TypeError), ({"x": "y" * 5000}, RunFolderError)])
def test_a_new_folder_that_cannot_be_filled_is_removed(tmp_path, record, error):
    code = f"""
import resource
from nasbench.errors import RunFolderError
from nasbench.runs.folder import RunFolder, RunKind
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    RunFolder.create({str(tmp_path / "a")!r}, RunKind(b"a\\n"), {record!r})
except {error.__name__} as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip(), done.stderr
    assert os.listdir(tmp_path) == []


def test_a_kill_while_a_file_is_replaced_leaves_the_old_one(path):
    with RunFolder.resume(path, SEARCH) as folder:
        folder.write_summary({"complete": False})
    code = f"""
import os, signal
from nasbench.runs.folder import RunFolder, RunKind
folder = RunFolder.resume({str(path)!r}, RunKind({HEADER!r}, stage="search"))
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # between the write and the rename
folder.write_summary({{"complete": True}})
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert read_summary(path) == {"complete": False}
    with RunFolder.resume(path, SEARCH) as folder:  # and the lock went with the process
        folder.write_summary({"complete": True})
    assert read_summary(path) == {"complete": True}


def test_only_one_process_may_write(path):
    code = f"""
from nasbench.runs.folder import RunFolder, RunKind
try:
    RunFolder.resume({str(path)!r}, RunKind({HEADER!r}))
except OSError as error:
    print(error)
"""
    with RunFolder.resume(path, SEARCH):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.stdout == f"another process is writing to {path}\n", done.stderr
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_what_is_no_run(tmp_path):
    for path in (tmp_path, tmp_path / "none", tmp_path / "log.csv" / "below"):
        with pytest.raises(RunFolderError, match=r"not the folder of a run: it has no log.csv"):
            RunFolder.resume(path, PLAIN)
    assert not (tmp_path / "log.csv").exists()
    (tmp_path / "log.csv").write_bytes(HEADER)
    with pytest.raises(RunFolderError, match=r"not the folder of a run: it has no config.json"):
        RunFolder.resume(tmp_path, PLAIN)
    for text in ("{", "[" * 100_000, "\xff"):
        (tmp_path / "config.json").write_text(text, encoding="latin-1")
        with pytest.raises(RunFolderError, match=r"config.json is damaged"):
            RunFolder.resume(tmp_path, PLAIN)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(RunFolderError, match=r"config.json is damaged: it must hold a JSON object"):
        read_record(tmp_path, PLAIN)


def test_text_of_a_record_is_short_and_printable_in_messages(path):
    (path / "config.json").write_text(json.dumps({"stage": "\x1b[31m\n" * 1000}))
    with pytest.raises(RunFolderError, match="is the folder of a") as caught:
        read_record(path, SEARCH)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


def test_a_folder_has_further_logs(path):
    with RunFolder.resume(path, SEARCH) as folder:
        asked = folder.open_log("asked.csv", b"number\n")
        asked.append(b"1\n")
        folder.log.append(b"2,1\n")
    with RunFolder.resume(path, SEARCH) as folder:
        assert folder.open_log("asked.csv", b"number\n").read() == b"number\n1\n"
        shutil.rmtree(path)
        with pytest.raises(FolderRemovedError):
            folder.open_log("failures.csv", b"")
    assert not path.exists()


# Removed during the run


def replace(path):
    shutil.rmtree(path)
    RunFolder.create(path, SEARCH, {"of": "another run"}).close()


def remove_log(path):
    (path / "log.csv").unlink()


@pytest.mark.parametrize("damage", [shutil.rmtree, replace, remove_log])
@pytest.mark.parametrize(
    "write",
    [
        lambda folder: folder.log.append(b"2,0.5\n"),
        lambda folder: folder.write_record({}),
        lambda folder: folder.write_summary({}),
        lambda folder: folder.write_bytes("a.png", b""),
    ],
    ids=["log", "record", "summary", "bytes"],
)
def test_a_folder_that_is_removed_during_the_run_is_an_error(path, damage, write):
    with RunFolder.resume(path, SEARCH) as folder:
        damage(path)
        before = {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()}
        with pytest.raises(
            FolderRemovedError, match=r"or its log.csv was removed or replaced during the run"
        ):
            write(folder)
    assert path.exists() == (damage is not shutil.rmtree)
    assert {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()} == before


# New or resumed


def test_a_folder_is_created_or_else_resumed(tmp_path):
    path = tmp_path / "all"
    for _ in range(2):
        with RunFolder.create_or_resume(path, COMPARISON, {"algorithms": ["re"]}) as folder:
            assert folder.record == {"algorithms": ["re"]}
            folder.write_json("re.json", {})
    with RunFolder.create_or_resume(path, COMPARISON, {"algorithms": ["rs"]}) as folder:
        assert folder.record == {"algorithms": ["re"]}
        with pytest.raises(RunFolderError, match="another process is writing to"):
            RunFolder.create_or_resume(path, COMPARISON, {})
    assert sorted(os.listdir(path)) == [".lock", "comparison.json", "re.json"]


def test_an_empty_folder_is_new_and_another_one_is_not_touched(tmp_path):
    (tmp_path / "empty").mkdir()
    RunFolder.create_or_resume(tmp_path / "empty", COMPARISON, {}).close()
    with pytest.raises(RunFolderError, match="exists and is not the folder of a comparison; --out must name"):
        RunFolder.create_or_resume(tmp_path, COMPARISON, {})
    assert os.listdir(tmp_path) == ["empty"]
    (tmp_path / "empty" / "comparison.json").write_text("{")
    for _ in range(2):  # not locked by the first attempt
        with pytest.raises(RunFolderError, match=r"comparison.json is damaged"):
            RunFolder.create_or_resume(tmp_path / "empty", COMPARISON, {})


def test_a_lock_that_is_removed_is_an_error(tmp_path):
    with RunFolder.create_or_resume(tmp_path / "a", COMPARISON, {}) as folder:
        shutil.rmtree(tmp_path / "a")
        with pytest.raises(FolderRemovedError, match="a was removed or replaced during the comparison"):
            folder.write_record({})
