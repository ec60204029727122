import os
import random
import shutil
import subprocess
import sys
import threading

import h5py
import numpy as np
import pytest

from nasbench import store
from nasbench.errors import StoreError
from nasbench.store import Store

ARRAYS = {
    "index": np.arange(300, dtype=np.uint16),
    "a/200/final/x": np.linspace(0, 1, 600).reshape(300, 2),
    "a/200/curve/x": np.linspace(0, 1, 6000, dtype=np.float32).reshape(300, 2, 10),
    "a/200/seeds": np.array([777, 888]),
}
PROVENANCE = {"space": "a test's", "source": "a test", "source_version": "1", "licence": "none"}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "folder" / "made" / "small.h5"
    store.write(path, ARRAYS, PROVENANCE)
    return path


def test_what_is_written_is_read(path):
    opened = Store(path)
    assert opened.names == set(ARRAYS)
    assert "a/200/seeds" in opened
    assert "a" not in opened
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(opened[name], array, strict=True)
        assert not opened[name].flags.writeable
    assert opened.attributes["source"] == "a test"
    assert opened.attributes["schema"] == store.SCHEMA
    opened.verify()


def test_arrays_can_be_mapped_by_others(path):
    with h5py.File(path) as file:
        for name, array in ARRAYS.items():
            dataset = file[name]
            assert dataset.chunks is None
            mapped = np.memmap(path, array.dtype, "r", dataset.id.get_offset(), array.shape)
            np.testing.assert_array_equal(mapped, array)


def test_the_checksum_is_of_the_content_not_of_the_date(path, tmp_path):
    store.write(tmp_path / "again.h5", ARRAYS, PROVENANCE)
    other = dict(ARRAYS, index=ARRAYS["index"][::-1])
    store.write(tmp_path / "other.h5", other, PROVENANCE)
    first, again, other = (
        Store(p).attributes["checksum"] for p in (path, tmp_path / "again.h5", tmp_path / "other.h5")
    )
    assert first == again != other


def test_replacing_keeps_open_readers_on_the_old_file(path):
    old = Store(path)
    store.write(path, dict(ARRAYS, index=ARRAYS["index"][::-1]), PROVENANCE)
    np.testing.assert_array_equal(old["index"], ARRAYS["index"])
    np.testing.assert_array_equal(Store(path)["index"], ARRAYS["index"][::-1])


def test_a_reader_never_mixes_two_files(path):
    """Opening while another thread keeps replacing the file gives one version or the other."""
    versions = [ARRAYS, {name: array * 2 for name, array in ARRAYS.items()}]
    stop = threading.Event()

    def replace():
        while not stop.is_set():
            for arrays in versions:
                store.write(path, arrays, PROVENANCE)

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        for _ in range(50):
            opened = Store(path)
            opened.verify()
    finally:
        stop.set()
        writer.join()


def test_a_failed_write_leaves_the_old_file_and_no_other(path):
    before = path.read_bytes()
    with pytest.raises(TypeError):
        store.write(path, {"index": np.array([object()])}, PROVENANCE)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_folder_that_cannot_be_written_is_an_error(path):
    with pytest.raises(StoreError, match=r"cannot write the store .*below.h5: Not a directory"):
        store.write(path / "below.h5", ARRAYS, PROVENANCE)


def test_permissions_are_errors(unprivileged):
    def check(folder):
        store.write(folder / "store.h5", ARRAYS, PROVENANCE)
        (folder / "store.h5").chmod(0)
        with pytest.raises(StoreError, match="cannot read the store .*Permission denied"):
            Store(folder / "store.h5")
        folder.chmod(0o500)
        with pytest.raises(StoreError, match="cannot write the store .*Permission denied"):
            store.write(folder / "new.h5", ARRAYS, PROVENANCE)

    unprivileged(check)


def test_a_file_that_cannot_grow_is_an_error(path):
    """As on a full disk: the system refuses to write beyond a size."""
    code = f"""
import resource, numpy as np
from nasbench import errors, store
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    store.write({str(path)!r}, {{"x": np.zeros(1_000_000)}}, {PROVENANCE!r})
except errors.StoreError as error:
    print(error)
"""
    before = path.read_bytes()
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.startswith(f"cannot write the store {path}: "), result.stderr
    assert "File too large" in result.stdout
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_no_file_is_an_error(tmp_path):
    with pytest.raises(StoreError, match=r"no store at .*none.h5; build it: python -m nasbench build --out"):
        Store(tmp_path / "none.h5")


def test_a_folder_is_an_error(tmp_path):
    with pytest.raises(StoreError, match="is a folder"):
        Store(tmp_path)


def test_a_file_of_another_kind_is_an_error(tmp_path):
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(StoreError, match="not an HDF5 file"):
        Store(tmp_path / "text.h5")


def test_an_hdf5_file_of_others_is_an_error(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(StoreError, match="not a store of this toolkit"):
        Store(tmp_path / "other.h5")


def test_a_newer_schema_is_an_error(path):
    with h5py.File(path, "r+") as file:
        file.attrs["schema"] = store.SCHEMA + 1
    with pytest.raises(
        StoreError, match=r"has schema 3, but this release reads schema 2; upgrade nas-toolkit"
    ):
        Store(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("schema", 0),
        ("schema", "1"),
        ("source", 1.5),
        ("extra", np.arange(3)),
        ("source", None),
    ],
)
def test_provenance_that_was_not_written_here_is_an_error(path, name, value):
    with h5py.File(path, "r+") as file:
        del file.attrs["source" if value is None else "licence"]
        if value is not None:
            file.attrs[name] = value
    with pytest.raises(StoreError, match="its provenance is incomplete or modified; rebuild it"):
        Store(path)


def test_an_array_is_taken_only_as_it_should_be(path):
    opened = Store(path)
    assert opened.take("index", np.uint16, 300) is not None
    assert opened.take("a/200/curve/x", np.float32, 300, 2, 10) is not None
    assert opened.take("a/200/seeds", np.int64, None).tolist() == [777, 888]
    for dtype, shape in [(np.int64, (300,)), (np.uint16, (301,)), (np.uint16, (300, 1)), (np.uint16, ())]:
        with pytest.raises(StoreError, match=r"index has the wrong type or shape: uint16 \(300,\)"):
            opened.take("index", dtype, *shape)
    with pytest.raises(StoreError, match="it has no array a/200"):
        opened["a/200"]


def test_a_store_that_is_being_changed_is_an_error(path):
    code = (
        f"import h5py, sys; f = h5py.File({str(path)!r}, 'r+'); print('open', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(StoreError, match="another program has .* open for writing"):
            Store(path)
    Store(path).verify()


def test_a_store_can_be_opened_by_h5py_beside_it(path):
    Store(path)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["index"], Store(path)["index"])


def test_a_path_that_is_too_long_is_an_error():
    with pytest.raises(StoreError, match="cannot read the store .*File name too long"):
        Store("x" * 300)
    with pytest.raises(StoreError, match="cannot write the store .*File name too long"):
        store.write("x" * 300, ARRAYS, PROVENANCE)


def test_advice_can_be_pasted_into_a_shell(tmp_path):
    with pytest.raises(StoreError, match=r"--out '.*/a b.h5'$"):
        Store(tmp_path / "a b.h5")


def test_a_compressed_array_is_an_error(path):
    with h5py.File(path, "r+") as file:
        del file["index"]
        file.create_dataset("index", data=ARRAYS["index"], compression="gzip")
    with pytest.raises(StoreError, match="index is not stored contiguously"):
        Store(path)["index"]


def test_an_array_that_is_not_there_is_an_error(path):
    with pytest.raises(StoreError, match="is damaged: it has no array b"):
        Store(path)["b"]


def test_truncation_is_an_error_anywhere(path, tmp_path):
    data = path.read_bytes()
    rng = random.Random(0)
    for size in [0, 1, 8, 100, len(data) - 1, *(rng.randrange(len(data)) for _ in range(50))]:
        cut = tmp_path / "cut.h5"
        cut.write_bytes(data[:size])
        with pytest.raises(StoreError, match=r"truncated|damaged|not an HDF5 file"):
            Store(cut).verify()


def test_a_flipped_bit_is_detected_anywhere(path, tmp_path):
    """Every flip is refused or found by `verify`, but for bytes that hold nothing: padding, and the date."""
    data = path.read_bytes()
    original = Store(path)
    rng = random.Random(0)
    refused = 0
    for _ in range(300):
        position = rng.randrange(len(data))
        flipped = bytearray(data)
        flipped[position] ^= 1 << rng.randrange(8)
        other = tmp_path / "flipped.h5"
        other.write_bytes(flipped)
        try:
            opened = Store(other)
            opened.verify()
        except StoreError:
            refused += 1
            continue
        assert opened.names == original.names
        for name in ARRAYS:
            np.testing.assert_array_equal(opened[name], ARRAYS[name], strict=True)
        without_date = {name: value for name, value in original.attributes.items() if name != "created"}
        assert opened.attributes.items() >= without_date.items()
    assert refused > 200


def test_verify_names_the_flip_in_the_data(path):
    with h5py.File(path, "r+") as file:
        file["a/200/final/x"][7, 1] += 1e-12
    with pytest.raises(StoreError, match="its checksum is .*, but .* is recorded; rebuild it"):
        Store(path).verify()


def test_a_changed_provenance_is_detected(path):
    with h5py.File(path, "r+") as file:
        file.attrs["source"] = "elsewhere"
    with pytest.raises(StoreError, match="checksum"):
        Store(path).verify()


def test_an_empty_copy_is_an_error(path, tmp_path):
    shutil.copy(path, tmp_path / "copy.h5")
    os.truncate(tmp_path / "copy.h5", 0)
    with pytest.raises(StoreError, match="not an HDF5 file"):
        Store(tmp_path / "copy.h5")
