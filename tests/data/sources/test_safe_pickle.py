import collections
import pickle

import numpy as np
import pytest

from data.errors import DamagedFileError, UnsafePickleError
from data.sources import safe_pickle
from tests.data import archives

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def read(folder, data):
    path = folder / "batch"
    path.write_bytes(data)
    return safe_pickle.read(path)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.uint8).reshape(3, 4),
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.arange(5, dtype=">i4"),
        np.array([True, False]),
    ],
    ids=["bytes", "fortran", "big-endian", "bool"],
)
def test_arrays_are_read_as_numpy_writes_them(tmp_path, protocol, array):
    found = read(tmp_path, pickle.dumps({"data": array, "labels": [1, 2], "name": "x"}, protocol))
    assert found["labels"] == [1, 2]
    assert found["name"] == "x"
    assert found["data"].dtype == array.dtype
    np.testing.assert_array_equal(found["data"], array)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scalars_become_plain_numbers(tmp_path, protocol):
    found = read(tmp_path, pickle.dumps({"labels": [np.int64(7), np.float32(0.5)]}, protocol))
    assert found == {"labels": [7, 0.5]}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_global_is_refused_by_name_and_never_called(tmp_path, protocol):
    with pytest.raises(
        UnsafePickleError, match=r"batch needs the global posix.mkdir; refused because it could"
    ):
        read(tmp_path, pickle.dumps({"data": archives.Harmful(tmp_path / "made")}, protocol))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("value", [collections.OrderedDict(), {1, 2}, np.float64, len])
def test_what_arrays_do_not_need_is_refused(tmp_path, value):
    with pytest.raises(UnsafePickleError, match="needs the global"):
        read(tmp_path, pickle.dumps({"data": value}, protocol=2))


@pytest.mark.parametrize(
    "array", [np.array([None]), np.zeros(2, "M8[s]"), np.zeros(2, "i4,i4"), np.array(["text"])]
)
def test_arrays_of_anything_but_numbers_are_refused(tmp_path, array):
    with pytest.raises(DamagedFileError, match="is not a plain number"):
        read(tmp_path, pickle.dumps({"data": array}))


def test_a_byte_order_that_is_none_is_refused(tmp_path):
    data = pickle.dumps({"data": np.zeros(2, "<i4")}, protocol=2)
    with pytest.raises(DamagedFileError, match="dtype state .* is not a plain number"):
        read(tmp_path, data.replace(b"X\x01\x00\x00\x00<", b"X\x01\x00\x00\x00?"))


def test_bytes_in_another_encoding_are_refused(tmp_path):
    with pytest.raises(DamagedFileError, match="bytes written as 'rot13'"):
        read(tmp_path, b"c_codecs\nencode\n(Vx\nVrot13\ntR.")


@pytest.mark.parametrize(
    "data", [b"", b"x", pickle.dumps({"data": np.zeros(100)})[:-20], b"\x80\x05N", b"P1\n."], ids=repr
)
def test_damage_is_an_error_with_the_name_of_the_file(tmp_path, data):
    with pytest.raises(DamagedFileError, match="batch is truncated or damaged"):
        read(tmp_path, data)


def test_any_cut_is_noticed(tmp_path):
    data = pickle.dumps({"data": np.arange(6, dtype=np.uint8), "labels": [1, 2, 3]})
    for length in range(len(data)):
        with pytest.raises(DamagedFileError, match="batch is truncated or damaged"):
            read(tmp_path, data[:length])


def test_what_is_no_dictionary_is_an_error(tmp_path):
    with pytest.raises(DamagedFileError, match="holds a list, not the dictionary of a batch"):
        read(tmp_path, pickle.dumps([1]))


def test_text_of_a_pickle_is_short_and_printable_in_messages(tmp_path):
    for data in (
        b"cos\x1b[31m\nsys\rtem\n.",
        b"c" + b"x" * 5000 + b"\nb\n.",
        b"cnumpy\ndtype\n(V\x1b[1m" + b"x" * 5000 + b"\ntR.",
        b"cnumpy\ndtype\n(Vu1\ntR(" + b"(I1\n" * 3000 + b"t" * 3000 + b"tb.",
    ):
        with pytest.raises(DamagedFileError) as caught:
            read(tmp_path, data)
        message = str(caught.value).removeprefix(str(tmp_path))
        assert message.isprintable()
        assert len(message) < 450


def test_a_code_of_a_type_that_is_no_text_is_refused_unhashed(tmp_path):
    with pytest.raises(DamagedFileError, match="is not a plain number"):
        read(tmp_path, b"cnumpy\ndtype\n)" + b"\x85" * 200_000 + b"\x85R.")
