import io
import json
import os
import random
import resource
import shutil
import tracemalloc
import zipfile
from contextlib import suppress

import pytest
import torch

from oneshot.errors import RunFolderError
from oneshot.search.record import SEARCH
from oneshot.training.folder import RunFolder, Stage, check_new, read_checkpoint, read_config, read_log
from tests.nasbench.build.sources import attacks

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
    folder.write_checkpoint(STATE)
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


def test_a_checkpoint_that_is_cut_short_or_changed_is_an_error(folder):
    path = folder.path / "checkpoint.pt"
    assert read_checkpoint(folder.path) is None
    folder.write_checkpoint(STATE)
    data = path.read_bytes()
    at = data.find(STATE["weights"].numpy().tobytes()[2000:2100])
    flipped = (
        data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    )  # a bit of a weight, which torch would not notice
    for damaged in (b"", data[:1000], data[:-1], b"no archive", flipped):
        path.write_bytes(damaged)
        with pytest.raises(RunFolderError, match=r"checkpoint.pt is damaged"):
            read_checkpoint(folder.path)


@pytest.mark.filterwarnings("ignore")
def test_a_checkpoint_with_code_in_it_is_refused_and_not_run(folder, tmp_path):
    class Code:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    for value in (Code(), torch.nn.Linear(2, 2)):
        buffer = io.BytesIO()
        torch.save({"weights": value}, buffer)
        (folder.path / "checkpoint.pt").write_bytes(buffer.getvalue())
        with pytest.raises(RunFolderError, match="could run code; it is refused") as caught:
            read_checkpoint(folder.path)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()
    buffer = io.BytesIO()
    torch.save([1], buffer)
    (folder.path / "checkpoint.pt").write_bytes(buffer.getvalue())
    with pytest.raises(RunFolderError, match="is damaged"):
        read_checkpoint(folder.path)


def edited(state, edit=lambda data: data, **options):
    """An archive of torch with its data.pkl changed by `edit`; `options` are those of zipfile."""
    original, changed = io.BytesIO(), io.BytesIO()
    torch.save(state, original)
    with zipfile.ZipFile(original) as source, zipfile.ZipFile(changed, "w", **options) as target:
        for member in source.infolist():
            data = source.read(member)
            target.writestr(member.filename, edit(data) if member.filename.endswith("data.pkl") else data)
    return changed.getvalue()


def test_tensors_of_every_type_and_shape_are_read(folder):
    types = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32]
    types += [torch.int16, torch.int8, torch.uint8, torch.bool]
    state = {str(kind): torch.ones(3, 4).to(kind) for kind in types}
    shared = torch.arange(20.0)
    state |= {"a": shared[3:9], "b": shared.view(4, 5).t(), "none": torch.empty(0), "one": torch.tensor(1.5)}
    state |= {"parameter": torch.nn.Parameter(torch.ones(2))}
    folder.write_checkpoint(state)
    found = read_checkpoint(folder.path)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)
    (folder.path / "checkpoint.pt").write_bytes(edited(state))
    assert all(torch.equal(tensor, state[name]) for name, tensor in read_checkpoint(folder.path).items())


HUGE = (2**31 - 1).to_bytes(4, "little")
ATTACKS = {
    "compressed": lambda: edited(STATE, compression=zipfile.ZIP_DEFLATED),
    "a bomb": lambda: edited({"a": torch.zeros(10_000_000)}, compression=zipfile.ZIP_BZIP2),
    "a storage that is larger than its member": lambda: edited(
        STATE, lambda data: data.replace(b"M\xe8\x03tq", b"J" + HUGE + b"tq")
    ),
    "a tensor that is larger than its storage": lambda: edited(
        STATE, lambda data: data.replace(b"K\0M\xe8\x03\x85", b"K\0J" + HUGE + b"\x85")
    ),
    "a tensor of negative length": lambda: edited(
        STATE, lambda data: data.replace(b"K\0M\xe8\x03\x85", b"K\0J\xff\xff\xff\xff\x85")
    ),
    "a tensor that repeats a number": lambda: edited(
        {"a": torch.zeros(1)},
        lambda data: data.replace(b"K\0K\x01\x85q\x08K\x01\x85", b"K\0J" + HUGE + b"\x85q\x08K\0\x85"),
    ),
    **{
        name: lambda data=data: edited(STATE, lambda _: b"\x80\x02" + data + b".")
        for name, data in attacks.DAMAGED.items()
    },
    **{
        name: lambda data=start + again * 100: edited(STATE, lambda _: b"\x80\x02" + data)
        for name, (start, again) in attacks.ENDLESS.items()
    },
    "a script": lambda: with_member("archive/constants.pkl"),
    "two pickles": lambda: with_member("other/data.pkl"),
}


def with_member(name):
    data = io.BytesIO(edited(STATE))
    with zipfile.ZipFile(data, "a") as archive:
        archive.writestr(name, b"")
    return data.getvalue()


@pytest.mark.parametrize("name", ATTACKS)
def test_a_checkpoint_made_to_take_memory_is_refused_in_one_line(folder, capfd, name):
    data = ATTACKS[name]()
    (folder.path / "checkpoint.pt").write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(RunFolderError, match=r"checkpoint.pt (is damaged|holds more than)") as caught:
            read_checkpoint(folder.path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(caught.value).isprintable()
    assert peak < 4 * len(data) + (40 << 20)
    assert capfd.readouterr() == ("", "")


def test_a_damaged_checkpoint_never_raises_anything_else(folder):
    folder.write_checkpoint(STATE)
    data = (folder.path / "checkpoint.pt").read_bytes()
    rng = random.Random(0)
    for _ in range(300):
        flipped = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            flipped[rng.randrange(len(data))] = rng.randrange(256)
        (folder.path / "checkpoint.pt").write_bytes(flipped)
        with suppress(RunFolderError):
            read_checkpoint(folder.path)

    def spoil(pickle):
        spoiled = bytearray(pickle)
        for _ in range(rng.randrange(1, 4)):
            spoiled[rng.randrange(len(pickle))] = rng.randrange(256)
        return bytes(spoiled)

    for _ in range(300):  # with checksums that are right
        (folder.path / "checkpoint.pt").write_bytes(edited(STATE, spoil))
        with suppress(RunFolderError):
            read_checkpoint(folder.path)


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
    folder.write_checkpoint(STATE)
    before = (folder.path / "checkpoint.pt").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(RunFolderError, match=r"cannot write .*checkpoint.pt: File too large"):
            folder.write_checkpoint(STATE)
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
        lambda folder: folder.write_checkpoint(STATE),
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
            run.write_checkpoint(STATE)
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
