import errno
import os
import random
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest

from nasbench.build import writer
from nasbench.build.writer import Batch, Writer
from nasbench.errors import StoreError
from nasbench.store import Store

CELLS = 1000
LAYOUT = {"a/10/final/x": (3,), "a/10/curve/x": (3, 10), "a/y": ()}
CONSTANTS = {"index": np.arange(CELLS, dtype=np.uint16), "a/10/seeds": np.array([1, 2, 3])}
PROVENANCE = {"space": "a test's", "source": "a test", "source_version": "1"}


def begin(out, identity="one", resume=False):
    return closing(Writer(out, CELLS, LAYOUT, CONSTANTS, identity, resume))


def batch_of(start, count):
    rows = {
        name: np.arange(start, start + count, dtype=float).reshape(-1, *[1] * len(shape)) + np.zeros(shape)
        for name, shape in LAYOUT.items()
    }
    return Batch(start, rows, b"%032d" % start)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "folder" / "made" / "store.h5"


def test_rows_are_found_where_they_belong(out):
    starts = list(range(0, CELLS, 50))
    random.Random(0).shuffle(starts)
    with begin(out) as made:
        for start in starts:
            made.write(batch_of(start, 50))
        assert made.done().all()
        made.finish(lambda digests: PROVENANCE | {"digests": str(len(digests))})
    store = Store(out)
    store.verify()
    assert store.attributes["digests"] == "20"
    assert os.listdir(out.parent) == ["store.h5"]
    for name, shape in LAYOUT.items():
        expected = np.broadcast_to(np.arange(CELLS).reshape(-1, *[1] * len(shape)), (CELLS, *shape))
        np.testing.assert_array_equal(store[name], expected)
    for name, array in CONSTANTS.items():
        np.testing.assert_array_equal(store[name], array)


def test_cells_that_were_not_read_are_nan(out):
    with begin(out) as made:
        made.write(batch_of(10, 5))
        made.write(batch_of(990, 10))
        made.finish(PROVENANCE)
    known = np.flatnonzero(~np.isnan(Store(out)["a/10/curve/x"]).any(axis=(1, 2)))
    assert known.tolist() == [*range(10, 15), *range(990, 1000)]


def test_an_interrupted_construction_goes_on(out):
    with begin(out) as made:
        made.write(batch_of(0, 400))
    assert sorted(os.listdir(out.parent)) == ["store.h5.part", "store.h5.part.journal"]
    with begin(out, resume=True) as made:
        assert made.resumed
        assert np.flatnonzero(~made.done())[0] == 400
        made.write(batch_of(400, 600))
        made.finish(PROVENANCE)
    Store(out).verify()
    np.testing.assert_array_equal(Store(out)["a/y"], np.arange(CELLS))


def test_without_resume_it_is_begun_anew(out):
    with begin(out) as made:
        made.write(batch_of(0, 400))
    with begin(out) as made:
        assert not made.resumed
        assert not made.done().any()


def test_another_source_does_not_go_on(out):
    with begin(out) as made:
        made.write(batch_of(0, 400))
    with pytest.raises(StoreError, match="was started from another source, or the source has changed"):
        begin(out, identity="two", resume=True)
    with begin(out, resume=True) as made:
        assert made.done().sum() == 400


def test_nothing_to_go_on_with_is_a_beginning(out):
    with begin(out, resume=True) as made:
        assert not made.resumed


@pytest.mark.parametrize("damage", ["no header", "other header", "no part"])
def test_what_cannot_be_used_is_begun_anew(out, damage):
    with begin(out) as made:
        made.write(batch_of(0, 400))
    journal = out.with_name("store.h5.part.journal")
    if damage == "no header":
        journal.write_bytes(journal.read_bytes()[:20])
    elif damage == "other header":
        journal.write_bytes(b'{"header": 1}\n' + journal.read_bytes().split(b"\n", 1)[1])
    else:
        out.with_name("store.h5.part").unlink()
    with begin(out, resume=True) as made:
        assert not made.done().any()
        made.write(batch_of(0, CELLS))
        made.finish(PROVENANCE)
    Store(out).verify()


def test_a_journal_is_believed_up_to_where_it_was_cut_or_changed(out):
    """After a kill its last record may be cut; after a failure of the machine anything may be lost."""
    with begin(out) as made:
        for start in range(0, CELLS, 100):
            made.write(batch_of(start, 100))
    journal = out.with_name("store.h5.part.journal")
    data = journal.read_bytes()
    header = data.index(b"\n") + 1
    rng = random.Random(0)
    for _ in range(50):
        place = rng.randrange(header, len(data))
        flipped = bytearray(data)
        flipped[place] ^= 1 << rng.randrange(8)
        journal.write_bytes(data[:place] if rng.random() < 0.5 else flipped)
        with begin(out, resume=True) as made:
            done = made.done()
            assert not done.all()
            assert done.sum() == np.flatnonzero(~done)[0]


def test_rows_that_are_not_as_written_are_read_again(out):
    with begin(out) as made:
        for start in range(0, CELLS, 100):
            made.write(batch_of(start, 100))
        place = made.offsets.offsets[made.offsets.names.index("a/10/curve/x")]
    with open(out.with_name("store.h5.part"), "r+b") as part:
        part.seek(place + 8 * 30 * 555)
        part.write(b"\xff")
    with begin(out, resume=True) as made:
        assert np.flatnonzero(~made.done()).tolist() == list(range(500, 600))
        made.write(batch_of(500, 100))
        made.finish(PROVENANCE)
    np.testing.assert_array_equal(Store(out)["a/10/curve/x"][555], np.full((3, 10), 555.0))


def test_a_disk_that_forgets_is_noticed_at_the_end(out):
    with begin(out) as made:
        made.write(batch_of(0, CELLS))
        with open(made.part, "r+b") as part:
            part.seek(made.offsets.offsets[0] + 8)
            part.write(b"\xff")
        with pytest.raises(StoreError, match="differs from the written data in 1 place"):
            made.finish(PROVENANCE)
    assert not out.exists()


def test_a_kill_while_the_provenance_is_written_is_a_new_beginning(out, tmp_path):
    code = f"""
import os, pathlib, h5py
from nasbench.build import writer
from tests.nasbench.build import test_writer as t
def seal(path, *_):
    file = h5py.File(path, "r+", libver="v110")
    file.attrs["format"] = "x"
    os.kill(os.getpid(), 9)
writer.seal = seal
with t.begin(pathlib.Path({str(out)!r})) as made:
    made.write(t.batch_of(0, t.CELLS))
    made.finish(t.PROVENANCE)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == -9, result.stderr
    assert not out.exists()
    with begin(out, resume=True) as made:
        if not made.done().all():
            made.write(batch_of(0, CELLS))
        made.finish(PROVENANCE)
    Store(out).verify()
    np.testing.assert_array_equal(Store(out)["a/y"], np.arange(CELLS))


def test_one_process_at_a_time(out):
    with begin(out), pytest.raises(StoreError, match="another process is building .*store.h5"):
        begin(out, resume=True)
    with begin(out):
        pass


def test_rows_of_another_shape_are_a_mistake_of_the_source(out):
    batch = batch_of(0, 10)
    batch.rows["a/y"] = np.zeros((10, 2))
    with begin(out) as made, pytest.raises(ValueError, match="a/y has rows of"):
        made.write(batch)


def test_places_that_cannot_be_written_are_errors(tmp_path, unprivileged):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write the store .*: Not a directory"):
        begin(tmp_path / "file" / "store.h5")
    with pytest.raises(StoreError, match="cannot write the store .*: File name too long"):
        begin(tmp_path / ("x" * 300))

    def check(folder):
        folder.chmod(0o500)
        with pytest.raises(StoreError, match="cannot write the store .*: Permission denied"):
            begin(folder / "store.h5")

    unprivileged(check)


def test_a_full_disk_shows_at_the_beginning(out, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(writer.os, "posix_fallocate", full)
        with pytest.raises(StoreError, match="cannot write the store .*: No space left on device"):
            begin(out)
    assert os.listdir(out.parent) == []
    with begin(out):
        pass


def test_a_file_that_cannot_grow_is_an_error(out):
    code = f"""
import resource
from tests.nasbench.build import test_writer as t
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    t.begin({str(out)!r})
except t.StoreError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.startswith(f"cannot write the store {out}: "), result.stderr
    assert "File too large" in result.stdout


def test_a_construction_can_be_thrown_away(out):
    with begin(out) as made:
        made.write(batch_of(0, 10))
        made.discard()
    assert os.listdir(out.parent) == []
