import json
import resource
import shutil

import pytest
import torch

from oneshot.errors import RunFolderError
from oneshot.search.record import SEARCH
from oneshot.training.checkpoints import CHECKPOINT, encode_tensors, read_checkpoint
from oneshot.training.folder import RunFolder, Stage, check_new, read_config, read_log

STATE = {"weights": torch.arange(1000.0), "log": 7, "cell": None, "plain": [1, 0.5, "x", (0.5, 0.999)]}


def row(epoch, **values):
    """A row of the log."""
    return dict.fromkeys(SEARCH.columns) | {"epoch": epoch, "arch": "|none~0|", "seconds": 0.1} | values


@pytest.fixture
def folder(tmp_path):
    with RunFolder.create(tmp_path / "runs" / "a", {"search": {}}, SEARCH) as folder:
        yield folder


def test_what_is_written_is_read(folder):
    rows = [row(1, train_loss=1 / 3, index=6111), row(2, tau=0.1, regret=0.0)]
    for each in rows:
        folder.append(each)
    folder.replace(CHECKPOINT, encode_tensors(STATE))
    folder.write_summary({"complete": True})
    assert read_log(folder.path, SEARCH) == rows
    assert read_config(folder.path, SEARCH) == {"stage": "search", "search": {}}
    found = read_checkpoint(folder.path)
    assert torch.equal(found.pop("weights"), STATE["weights"])
    assert found == {name: value for name, value in STATE.items() if name != "weights"}
    assert json.loads((folder.path / "summary.json").read_text()) == {"complete": True}
    assert sorted(path.name for path in folder.path.iterdir()) == [
        "checkpoint.pt",
        "config.json",
        "log.csv",
        "summary.json",
    ]


def test_the_columns_that_depend_on_the_machine_come_last(folder):
    folder.append(row(1))
    header, line = (folder.path / "log.csv").read_text().splitlines()
    assert header.endswith(",regret,images_per_second,seconds")
    assert line == "1,,,,,,,|none~0|,,,,,,,0.1"


def test_rows_beyond_a_checkpoint_are_cut_and_a_part_of_a_row_is_no_row(tmp_path):
    with RunFolder.create(tmp_path / "a", {}, SEARCH) as folder:
        folder.append(row(1))
        position = folder.position
        folder.append(row(2))
    with open(tmp_path / "a" / "log.csv", "ab") as file:
        file.write(b"3,0.12")
    assert read_log(tmp_path / "a", SEARCH) == [row(1), row(2)]
    with RunFolder.reopen(tmp_path / "a", SEARCH) as folder:
        folder.cut(position, 1)
        assert read_log(folder.path, SEARCH) == [row(1)]
        folder.append(row(2, seconds=0.2))
        assert read_log(folder.path, SEARCH) == [row(1), row(2, seconds=0.2)]
        folder.cut(None, 0)
        assert read_log(folder.path, SEARCH) == []


@pytest.mark.parametrize(("position", "rows"), [(10_000, 1), (170, 1), (30, 0)])
def test_a_log_that_is_not_as_the_checkpoint_has_it_is_an_error(folder, position, rows):
    folder.append(row(1))
    with pytest.raises(RunFolderError, match=r"log.csv is damaged: it should have"):
        folder.cut(position, rows)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b\n",
        SEARCH.header + "1,2\n",
        SEARCH.header + "x," * 14 + "\n",
        SEARCH.header + "1" + "," * 14 + "\n",
    ],
)
def test_a_damaged_log_is_an_error(folder, text):
    (folder.path / "log.csv").write_text(text)
    with pytest.raises(RunFolderError, match=r"log.csv is damaged"):
        read_log(folder.path, SEARCH)


def test_text_of_a_folder_is_short_and_printable_in_messages(folder):
    text = "\x1b[31m\n" * 1000
    (folder.path / "config.json").write_text(json.dumps({"stage": text}))
    with pytest.raises(RunFolderError, match="is the folder of a") as caught:
        read_config(folder.path, SEARCH)
    (folder.path / "log.csv").write_text(",".join(SEARCH.columns) + "\n" + "\x1b" * 1000 + "," * 14 + "\n")
    with pytest.raises(RunFolderError, match="log.csv is damaged") as other:
        read_log(folder.path, SEARCH)
    for error in (caught, other):
        assert str(error.value).isprintable()
        assert len(str(error.value)) < 600


def test_a_full_disk_leaves_the_old_file_and_is_one_line(folder):
    folder.replace(CHECKPOINT, encode_tensors(STATE))
    before = (folder.path / "checkpoint.pt").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(RunFolderError, match=r"cannot write .*checkpoint.pt: File too large"):
            folder.replace(CHECKPOINT, encode_tensors(STATE))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (folder.path / "checkpoint.pt").read_bytes() == before
    assert not [path for path in folder.path.iterdir() if path.suffix == ".tmp"]


def test_a_log_that_cannot_grow_is_an_error_and_goes_on_where_it_was(folder):
    folder.append(row(1))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (folder.position + 5, limits[1]))
    try:
        with pytest.raises(RunFolderError, match=r"cannot write .*log.csv: File too large"):
            folder.append(row(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    folder.append(row(2))
    assert read_log(folder.path, SEARCH) == [row(1), row(2)]


def test_a_folder_is_of_one_process(folder):
    with pytest.raises(RunFolderError, match="another process is writing to"):
        RunFolder.reopen(folder.path, SEARCH)


def test_a_folder_is_new_or_of_a_run(folder, tmp_path):
    with pytest.raises(RunFolderError, match="exists; --out names a new folder; --resume goes on with it"):
        RunFolder.create(folder.path, {}, SEARCH)
    (tmp_path / "b").mkdir()
    (tmp_path / "c").symlink_to("nowhere")
    for name in ("b", "c"):
        with pytest.raises(RunFolderError, match="exists; .*; it is not the folder of a run"):
            check_new(tmp_path / name)
    with pytest.raises(RunFolderError, match=r"is not the folder of a run: it has no log.csv"):
        RunFolder.reopen(tmp_path / "b", SEARCH)
    for path in (tmp_path / "b", tmp_path / "nowhere", folder.path / "log.csv"):
        with pytest.raises(RunFolderError, match=r"is not the folder of a run: it has no config.json"):
            read_config(path, SEARCH)
    with pytest.raises(RunFolderError, match="cannot make the folder /dev/null/a: Not a directory"):
        RunFolder.create("/dev/null/a", {}, SEARCH)
    with pytest.raises(RunFolderError, match="cannot read"):
        read_log(tmp_path / "b", SEARCH)


def test_a_folder_of_another_stage_is_an_error(tmp_path):
    other = Stage("retraining", {"epoch": int})
    with RunFolder.create(tmp_path / "a", {}, other) as folder:
        folder.append({"epoch": 1, "seconds": 0.1})
    assert (tmp_path / "a" / "log.csv").read_text() == "epoch\n1\n"
    for what in (RunFolder.reopen, read_config):
        with pytest.raises(RunFolderError, match=r"a is the folder of a retraining, not of a search$"):
            what(tmp_path / "a", SEARCH)
    with RunFolder.reopen(tmp_path / "a", other):  # the error left no lock
        pass
    with pytest.raises(
        RunFolderError, match=r"log.csv is damaged: its first line should be epoch,train_loss"
    ):
        read_log(tmp_path / "a", SEARCH)


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000])
def test_a_damaged_config_is_an_error(folder, text):
    (folder.path / "config.json").write_text(text)
    with pytest.raises(RunFolderError, match=r"config.json is damaged"):
        read_config(folder.path, SEARCH)


def test_a_folder_whose_settings_cannot_be_written_is_removed(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, limits[1]))
    try:
        with pytest.raises(RunFolderError, match="cannot write to the folder .*: File too large"):
            RunFolder.create(tmp_path / "a", {"x": "y" * 1000}, SEARCH)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TypeError):
        RunFolder.create(tmp_path / "a", {"x": object()}, SEARCH)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["folder", "log.csv"])
@pytest.mark.parametrize(
    "write",
    [
        lambda folder: folder.append(row(1)),
        lambda folder: folder.replace(CHECKPOINT, encode_tensors(STATE)),
        lambda folder: folder.write_summary({}),
    ],
    ids=["append", "checkpoint", "summary"],
)
def test_a_folder_that_is_removed_during_the_run_is_an_error(folder, name, write):
    if name == "folder":
        shutil.rmtree(folder.path)
    else:
        (folder.path / name).unlink()
    before = sorted(folder.path.parent.rglob("*"))
    with pytest.raises(RunFolderError, match="or its log.csv was removed or replaced during the run"):
        write(folder)
    assert sorted(folder.path.parent.rglob("*")) == before


def test_what_may_not_be_read_or_written_is_an_error(unprivileged):
    def check(folder):
        with RunFolder.create(folder / "a", {}, SEARCH) as run:
            run.replace(CHECKPOINT, encode_tensors(STATE))
        for name in ("config.json", "log.csv", "checkpoint.pt"):
            (folder / "a" / name).chmod(0)
        for read, args in ((read_config, [SEARCH]), (read_checkpoint, []), (read_log, [SEARCH])):
            with pytest.raises(RunFolderError, match="cannot read .*: Permission denied"):
                read(folder / "a", *args)
        with pytest.raises(RunFolderError, match="cannot go on with .*: Permission denied"):
            RunFolder.reopen(folder / "a", SEARCH)
        folder.chmod(0o500)
        with pytest.raises(RunFolderError, match="cannot make the folder .*: Permission denied"):
            RunFolder.create(folder / "b", {}, SEARCH)

    unprivileged(check)
