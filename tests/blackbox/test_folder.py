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
from blackbox.search.history import History
from nasbench.cell import official_index, official_order

HEADER = "evaluation,trial,index,score,cost\n"


def history_of(steps, trials=2):
    rng = np.random.default_rng(0)
    history = History(trials)
    shape = (trials, steps)
    history.extend(rng.integers(15625, size=shape), rng.random(shape) / 3, rng.random(shape) * 1e4)
    return history


def extended(history, steps):
    """A history of which `history` is the beginning."""
    whole = history_of(steps)
    part = History(whole.trials)
    part.extend(whole.codes[:, :history], whole.scores[:, :history], whole.costs[:, :history])
    return part, whole


@pytest.fixture
def run(tmp_path):
    """A folder with three steps of two trials in its log, and their history."""
    folder = RunFolder.create(tmp_path / "runs" / "a", {"seed": 3})
    history = history_of(3)
    folder.append(history, official_index())
    folder.close()
    return tmp_path / "runs" / "a", history


def reopened(path, trials=2):
    with RunFolder.reopen(path) as folder:
        return folder.read_history(range(trials), official_order())


def read_config(path):
    with RunFolder.reopen(path) as folder:
        return folder.read_config()


def test_the_log_has_a_row_an_evaluation(run):
    path, history = run
    lines = (path / "log.csv").read_text().splitlines(keepends=True)
    assert lines[0] == HEADER
    assert [line.split(",")[:2] for line in lines[1:]] == [
        [str(n), str(t)] for n in (1, 2, 3) for t in (0, 1)
    ]
    _, _, index, score, cost = lines[4].split(",")  # step 2, trial 1
    assert int(index) == official_index()[history.codes[1, 1]]
    assert (float(score), float(cost)) == (history.scores[1, 1], history.costs[1, 1])


def test_what_was_written_comes_back_to_the_last_digit(run):
    path, history = run
    again = reopened(path)
    np.testing.assert_array_equal(again.codes, history.codes)
    np.testing.assert_array_equal(again.scores, history.scores)
    np.testing.assert_array_equal(again.costs, history.costs)
    assert read_config(path) == {"seed": 3}


def test_infinite_scores_come_back(tmp_path):
    folder = RunFolder.create(tmp_path / "a", {})
    history = History(1)
    history.append([5], [-np.inf], 0.0)
    folder.append(history, official_index())
    folder.close()
    assert reopened(tmp_path / "a", 1).scores.tolist() == [[-np.inf]]


@pytest.mark.parametrize("cut", range(1, 130, 7))
def test_a_log_cut_short_goes_on_from_its_last_whole_step(tmp_path, cut):
    part, whole = extended(3, 8)
    folder = RunFolder.create(tmp_path / "a", {})
    folder.append(part, official_index())
    folder.close()
    log = tmp_path / "a" / "log.csv"
    size = log.stat().st_size
    os.truncate(log, max(len(HEADER), size - cut))
    folder = RunFolder.reopen(tmp_path / "a")
    history = folder.read_history(range(2), official_order())
    assert len(history) < 3
    steps = len(history)
    history.extend(whole.codes[:, steps:], whole.scores[:, steps:], whole.costs[:, steps:])
    folder.append(history, official_index())
    folder.close()
    undisturbed = RunFolder.create(tmp_path / "b", {})
    undisturbed.append(whole, official_index())
    undisturbed.close()
    assert log.read_bytes() == (tmp_path / "b" / "log.csv").read_bytes()


def test_an_empty_log_is_a_run_that_has_not_begun(tmp_path):
    RunFolder.create(tmp_path / "a", {}).close()
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
        RunFolder.create(path, {})
    assert (path / "log.csv").read_bytes() == before


def test_folders_that_cannot_be_made_or_written(tmp_path, unprivileged):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot make the folder .*: Not a directory"):
        RunFolder.create(tmp_path / "file" / "a", {})

    def check(home):
        run = RunFolder.create(home / "a", {})
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
            RunFolder.create(home / "b", {})

    unprivileged(check)


def test_a_log_that_cannot_grow_is_an_error(tmp_path):
    code = f"""
import resource
from blackbox.errors import RunFolderError
from blackbox.folder import RunFolder
from nasbench.cell import official_index
from tests.blackbox.test_folder import history_of
folder = RunFolder.create({str(tmp_path / "a")!r}, {{}})
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    folder.append(history_of(1000), official_index())
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
    RunFolder.create({str(tmp_path / "a")!r}, {config!r})
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
        RunFolder.create(tmp_path, {})


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EIO])
def test_a_file_system_without_locks_is_used_without(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    RunFolder.create(tmp_path / "a", {}).close()
    assert len(reopened(tmp_path / "a")) == 0


def remove(path):
    shutil.rmtree(path)


def replace(path):
    shutil.rmtree(path)
    RunFolder.create(path, {"of": "another run"}).close()


def remove_log(path):
    (path / "log.csv").unlink()


@pytest.mark.parametrize("damage", [remove, replace, remove_log])
@pytest.mark.parametrize(
    "write",
    [
        lambda folder: folder.append(history_of(4), official_index()),
        lambda folder: folder.append_rows(b"1,0,5,0.5,1\n"),
        lambda folder: folder.write_config({}),
        lambda folder: folder.write_summary({}),
    ],
    ids=["append", "rows", "config", "summary"],
)
def test_a_folder_that_is_removed_during_the_run_is_an_error(run, damage, write):
    path, _ = run
    with RunFolder.reopen(path) as folder:
        folder.read_history(range(2), official_order())
        damage(path)
        before = {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()}
        with pytest.raises(RunFolderError, match="or its log.csv was removed or replaced during the run"):
            write(folder)
    assert path.exists() == (damage is not remove)
    assert {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()} == before


def test_a_log_of_some_trials_creates_no_folder_above_its_own(tmp_path):
    path = tmp_path / "all" / ".parts" / "re" / "0"
    with pytest.raises(RunFolderError, match="cannot write to the folder .*: No such file or directory"):
        RunFolder.log_alone(path, HEADER, tmp_path / "all")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "all").mkdir()
    RunFolder.log_alone(path, HEADER, tmp_path / "all").close()
    assert (path / "log.csv").read_text() == HEADER


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "its first line should be"),
        ("a,b\n", "its first line should be"),
        (HEADER + "\n\n", "its rows are empty"),
        (HEADER + "1,0,5,0.5\n", "cannot reshape array"),
        (HEADER + "1,0,5,x,1\n", "is damaged: could not convert"),
        (HEADER + "2,0,5,0.5,1\n", "its rows are not"),
        (HEADER + "1,1,5,0.5,1\n", "its rows are not"),
        (HEADER + "1,0,15625,0.5,1\n", "its rows are not"),
        (HEADER + "1,0,-1,0.5,1\n", "its rows are not"),
        (HEADER + "1,0,1.5,0.5,1\n", "its rows are not"),
        (HEADER + "1,0,5,nan,1\n", "its rows are not"),
        (HEADER + "1,0,5,0.5,nan\n", "its rows are not"),
        (HEADER + "1,0,5,0.5,inf\n", "its rows are not"),
        (HEADER + "1,0,5,inf,1\n", "its rows are not"),
        (HEADER + "1,0,5,0.5,1\n1,0,5,0.5,1\n", "its rows are not 2 evaluations"),
        (HEADER + "1,0,5,0.5,1\n\n", "is damaged"),
    ],
)
def test_a_damaged_log_is_an_error(tmp_path, text, message):
    (tmp_path / "log.csv").write_text(text)
    with pytest.raises(RunFolderError, match=message):
        reopened(tmp_path, 1)


def test_a_log_that_is_not_text_is_an_error(tmp_path):
    (tmp_path / "log.csv").write_bytes(HEADER.encode() + b"\xff\xfe\x00,,,,\n")
    with pytest.raises(RunFolderError, match="log.csv is damaged"):
        reopened(tmp_path, 1)


# Several objectives, and some trials of a run


def history_of_pairs(steps):
    rng = np.random.default_rng(0)
    history = History(2, objectives=2)
    shape = (2, steps)
    history.extend(rng.integers(15625, size=shape), rng.random((*shape, 2)) / 3, rng.random(shape) * 1e4)
    return history


def test_a_log_of_two_objectives_has_a_column_for_each(tmp_path):
    history = history_of_pairs(4)
    with RunFolder.create(tmp_path / "a", {}, objectives=2) as folder:
        folder.append(history, official_index())
    lines = (tmp_path / "a" / "log.csv").read_text().splitlines()
    assert lines[0] == "evaluation,trial,index,score,score2,cost"
    number, trial, index, first, second, cost = lines[4].split(",")  # step 2, trial 1
    assert (number, trial, int(index)) == ("2", "1", official_index()[history.codes[1, 1]])
    assert [float(first), float(second)] == history.scores[1, 1].tolist()
    assert float(cost) == history.costs[1, 1]
    with RunFolder.reopen(tmp_path / "a") as folder:
        again = folder.read_history(range(2), official_order(), objectives=2)
        np.testing.assert_array_equal(again.codes, history.codes)
        np.testing.assert_array_equal(again.scores, history.scores)
        np.testing.assert_array_equal(again.costs, history.costs)
        with pytest.raises(
            RunFolderError, match="its first line should be evaluation,trial,index,score,cost"
        ):
            folder.read_history(range(2), official_order())


def test_a_log_of_two_objectives_goes_on_after_a_cut(tmp_path):
    whole = history_of_pairs(8)
    with RunFolder.create(tmp_path / "whole", {}, objectives=2) as folder:
        folder.append(whole, official_index())
    expected = (tmp_path / "whole" / "log.csv").read_bytes()
    RunFolder.create(tmp_path / "a", {}, objectives=2).close()
    log = tmp_path / "a" / "log.csv"
    for size in range(len(expected) // 2, len(expected), 17):
        log.write_bytes(expected[:size])
        with RunFolder.reopen(tmp_path / "a") as folder:
            history = folder.read_history(range(2), official_order(), objectives=2)
            done = len(history)
            np.testing.assert_array_equal(history.scores, whole.scores[:, :done])
            history.extend(whole.codes[:, done:], whole.scores[:, done:], whole.costs[:, done:])
            folder.append(history, official_index())
        assert log.read_bytes() == expected


@pytest.mark.parametrize("row", ["1,0,5,0.5,nan,1", "1,0,5,nan,0.5,1", "1,0,5,0.5,x,1", "1,0,5,0.5,1"])
def test_a_damaged_log_of_two_objectives_is_an_error(tmp_path, row):
    path = tmp_path / "a"
    RunFolder.create(path, {}, objectives=2).close()
    with open(path / "log.csv", "a") as file:
        file.write(row + "\n")
    with RunFolder.reopen(path) as folder, pytest.raises(RunFolderError, match="log.csv is damaged"):
        folder.read_history([0], official_order(), objectives=2)


def test_trials_have_the_numbers_that_they_have_in_the_run(tmp_path):
    part, whole = extended(2, 5)
    with RunFolder.create(tmp_path / "a", {}) as folder:
        folder.append(part, official_index(), trials=[7, 3])
        folder.append(whole, official_index(), trials=[7, 3])
    rows = [line.split(",")[:2] for line in (tmp_path / "a" / "log.csv").read_text().splitlines()[1:]]
    assert rows == [[str(n), t] for n in range(1, 6) for t in ("7", "3")]
    with RunFolder.reopen(tmp_path / "a") as folder:
        again = folder.read_history([7, 3], official_order())
        np.testing.assert_array_equal(again.codes, whole.codes)
        for trials in ([3, 7], range(2), [7]):
            with pytest.raises(RunFolderError, match="its rows are not"):
                folder.read_history(trials, official_order())
