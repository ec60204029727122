import io
import os
import random
import tracemalloc
import zipfile
from contextlib import suppress

import pytest
import torch

from nasbench.runs.folder import RunFolder
from oneshot.errors import RunFolderError
from oneshot.search.record import SEARCH
from oneshot.training.checkpoints import CHECKPOINT, encode_tensors, read_checkpoint
from tests.nasbench.build.sources import attacks

STATE = {"weights": torch.arange(1000.0), "log": 7, "cell": None, "plain": [1, 0.5, "x", (0.5, 0.999)]}


@pytest.fixture
def folder(tmp_path):
    with RunFolder.create(tmp_path / "runs" / "a", SEARCH, {"search": {}}) as folder:
        yield folder


def test_a_checkpoint_that_is_cut_short_or_changed_is_an_error(folder):
    path = folder.path / "checkpoint.pt"
    assert read_checkpoint(folder.path) is None
    folder.write_bytes(CHECKPOINT, encode_tensors(STATE))
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
        with pytest.raises(RunFolderError, match="objects that could execute code") as caught:
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
    folder.write_bytes(CHECKPOINT, encode_tensors(state))
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
        with pytest.raises(RunFolderError, match=r"checkpoint.pt (is damaged|must contain only)") as caught:
            read_checkpoint(folder.path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(caught.value).isprintable()
    assert peak < 4 * len(data) + (40 << 20)
    assert capfd.readouterr() == ("", "")


def test_a_damaged_checkpoint_never_raises_anything_else(folder):
    folder.write_bytes(CHECKPOINT, encode_tensors(STATE))
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


def test_a_checkpoint_that_may_not_be_read_is_an_error(unprivileged):
    def check(home):
        (home / "checkpoint.pt").write_bytes(encode_tensors(STATE))
        (home / "checkpoint.pt").chmod(0)
        with pytest.raises(RunFolderError, match="cannot read .*checkpoint.pt: Permission denied"):
            read_checkpoint(home)

    unprivileged(check)
