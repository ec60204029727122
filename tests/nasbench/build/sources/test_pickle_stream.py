import io
import pickle
import random
import subprocess
import sys
import tracemalloc
from collections import OrderedDict
from contextlib import suppress

import numpy as np
import pytest

from nasbench.build.sources import pickle_stream, safe_pickle
from nasbench.errors import SourceError, UnsafePickleError
from tests.nasbench.build.sources import attacks

VALUES = [
    {
        "a": [1, 2.5, None, True, False, "x", 10**12, -5, -(10**12), 70_000],
        "b": (1, (), (1, 2, 3, 4), (1, 2)),
    },
    {"text": "ä" * 300, "long key " * 9000: 1.5, "bytes": b"y" * 300},
    OrderedDict(a=1, b={"c": OrderedDict()}),
    {1, 2, 3},
    [],
    5,
]


def reader(data):
    return io.BytesIO(data).read


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("value", VALUES)
def test_what_was_pickled_is_read(value, protocol):
    data = pickle.dumps(value, protocol)
    assert pickle_stream.load(reader(data), "file", safe_pickle.NUMBERS) == value


@pytest.mark.parametrize("protocol", [2, 4])
def test_numpy_numbers_are_plain_ones(protocol):
    value = [np.float64(2.5), np.float32(1.5), np.int64(-3), np.bool_(True), np.dtype(">f8").type(7.25)]
    found = pickle_stream.load(reader(pickle.dumps(value, protocol)), "file", safe_pickle.NUMBERS)
    assert found == [2.5, 1.5, -3, True, 7.25]
    assert [type(number) for number in found] == [float, float, int, bool, float]
    swapped = np.array([1.5, 2.5], ">f8")[1:]
    (found,) = pickle_stream.load(reader(pickle.dumps([swapped[0]], 2)), "file", safe_pickle.NUMBERS)
    assert found == 2.5


@pytest.mark.parametrize("data", ["small", "large"])
def test_bytes_that_come_in_small_pieces(data):
    value = {i: {"values": [i / 7] * 3, "name": "x" * i} for i in range(40 if data == "small" else 3000)}
    file = io.BytesIO(pickle.dumps(value, 4))
    found = pickle_stream.load(lambda n: file.read(min(n, 17 if data == "small" else 65_537)), "file", {})
    assert found == value


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 8, 9, 10, 999, 1000, 1001, 2001, 5000])
def test_items_are_yielded_in_order(count, protocol):
    """Dictionaries of one item, which pickles fill in another way, are values here at three levels."""
    value = {i: {"a": {"b": {"c": str(i), "d": [i]}}} for i in range(count)}
    *found, (end, rest) = pickle_stream.items(reader(pickle.dumps(value, protocol)), "file", {})
    assert dict(found) == value
    assert [key for key, _ in found] == list(value)
    assert end is pickle_stream.END
    assert rest == {}
    root = {"before": [1], "cells": value, "after": {"x": 1}}
    *found, (_, rest) = pickle_stream.items(reader(pickle.dumps(root, protocol)), "file", {}, "cells")
    assert dict(found) == value
    assert rest == {"before": [1], "cells": {}, "after": {"x": 1}}


@pytest.mark.parametrize("protocol", [2, 4])
def test_items_that_share_names_and_types(protocol):
    """Names that items share are pickled once; numbers of numpy share their type."""
    names = [f"name {i}" for i in range(50)]
    value = {
        i: OrderedDict((name, [np.float64(i), f"own {i}", name]) for name in names[i % 7 : 7 + i % 40])
        for i in range(200)
    }
    found = list(pickle_stream.items(reader(pickle.dumps(value, protocol)), "file", safe_pickle.NUMBERS))
    assert dict(found[:-1]) == value


def test_items_that_share_more_than_names_are_an_error():
    shared = [1, 2, 3]
    value = {i: {"shared": shared, "own": i} for i in range(50)}
    with pytest.raises(
        SourceError, match="an object that is no longer held: it is damaged, or its cells share more"
    ):
        list(pickle_stream.items(reader(pickle.dumps(value, 4)), "file", {}))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_items(monkeypatch):
    monkeypatch.setattr(pickle_stream, "_CHUNK", 1 << 14)

    def peak(count):
        value = {i: [i + j / 1000 for j in range(300)] for i in range(count)}
        data = pickle.dumps(value, 4)
        del value
        tracemalloc.start()
        for _ in pickle_stream.items(reader(data), "file", {}):
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(1500) < 1.1 * peak(300)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is truncated: it ends within its pickle"),
        (pickle.dumps([1.5] * 100, 4)[:-3], "is truncated"),
        (b"\x80\x04\x95", "is truncated|damaged"),
        (pickle.dumps([1], 4) + b"x", "there are bytes after its pickle"),
        (b"\x80\x04X\xff\xff\xff\x7f.", "it has a string of 2,147,483,647 bytes"),
        (b"\x80\x04B\xff\xff\xff\xff.", "it has a string of 4,294,967,295 bytes"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", "it has a string of"),
        (b"\x80\x04\x8b\xff\xff\xff\x7f.", "it has a number of 2,147,483,647 bytes"),
        (b"\x80\x04]r\xff\xff\xff\x7f.", "it numbers an object 2,147,483,647"),
        (b"\x80\x04}K\x01s.", "adds items to an object that is not a dictionary"),
        (b"\x80\x04}(K\x01u.", "a key without a value"),
        (b"\x80\x04](K\x01K\x02u.", "adds items to an object that is not a dictionary"),
        (b"\x80\x04}(K\x01K\x02K\x01K\x03u.", r"has a key twice, one of \[1, 1\]"),
        (b"\x80\x04}K\x01a.", "values appen.*is not a list"),
        (b"\x80\x04K\x01}b.", "sets the state of an object without state"),
        (b"\x80\x04h\x05.", "refers back to an object that is no longer held"),
        (b"\x80\x04K\x01K\x02.", "is truncated or damaged"),
        (b"I1\n.", "has the operation 0x49 at byte 0, which this format does not use"),
        (b"\x80\x04cposix\nsystem\n.", "needs the global posix.system; refused"),
        (b"\x80\x04cposix", "is truncated or damaged"),
        (b"\x80\x04" + b"]" * 10, "is truncated"),
    ],
)
def test_damage_is_an_error_with_the_name_of_the_file(data, message):
    with pytest.raises(SourceError, match=message) as caught:
        pickle_stream.load(reader(data), "table.pkl", safe_pickle.NUMBERS)
    assert "table.pkl" in str(caught.value)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_global_is_refused_and_never_called(tmp_path, protocol):
    class Harmful:
        def __reduce__(self):
            return exec, ("raise SystemExit",)

    for value in ([Harmful()], {1: Harmful()}):
        with pytest.raises(UnsafePickleError, match=r"needs the global \w+.exec; refused"):
            pickle_stream.load(reader(pickle.dumps(value, protocol)), "file", safe_pickle.WEIGHTS)


def test_dtypes_that_are_no_plain_numbers_are_refused():
    for value in (np.array(["x"])[0], np.void(b"abc"), np.datetime64("2020"), np.complex128(1)):
        with pytest.raises(SourceError, match="is truncated or damaged|needs the global"):
            pickle_stream.load(reader(pickle.dumps(value)), "file", safe_pickle.NUMBERS)
    assert pickle_stream.load(reader(pickle.dumps([np.str_("x")][:0])), "file", {}) == []


def test_a_dictionary_that_is_not_there_is_an_error():
    for value, key in (
        ({"x": {}}, "cells"),
        ([1], None),
        ([{}], None),
        (({}, 1), None),
        ({"cells": 1}, "cells"),
    ):
        with pytest.raises(SourceError, match="has no dictionary"):
            list(pickle_stream.items(reader(pickle.dumps(value)), "file", {}, key))


def test_random_damage_never_raises_anything_else():
    value = {i: {"a": {"b": [i / 3, str(i)]}, "n": np.float64(i)} for i in range(30)}
    data = pickle.dumps(value, 4)
    rng = random.Random(0)
    for _ in range(2000):
        flipped = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            flipped[rng.randrange(len(data))] = rng.randrange(256)
        for key in (None, "x"):
            with suppress(SourceError):
                list(pickle_stream.items(reader(bytes(flipped)), "file", safe_pickle.NUMBERS, key))


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        b"(" + b"\x8f" * 6_000_000,  # empty sets
        b"N" + b"\x94" * 6_000_000,  # the same object numbered again and again
        b"(" + b")\x85" * 6_000_000,  # tuples
    ],
)
def test_what_is_made_to_take_memory_is_refused_early(data):
    with pytest.raises(SourceError, match="damaged or malicious"):
        pickle_stream.load(reader(b"\x80\x04" + data), "file", safe_pickle.NUMBERS)


ALLOWED = safe_pickle.WEIGHTS | safe_pickle.ARRAYS


@pytest.mark.slow
@pytest.mark.parametrize("name", attacks.ENDLESS)
def test_a_pickle_without_end_is_refused_within_its_memory(monkeypatch, name):
    """The estimates of what operations make are not below what they take."""
    monkeypatch.setattr(pickle_stream, "_MOST_HELD", 4 << 20)
    monkeypatch.setattr(pickle_stream, "_CHUNK", 1 << 13)
    read = attacks.endless(name)
    tracemalloc.start()
    try:
        with pytest.raises(SourceError, match=r"file is damaged or malicious|nests more than 1,000"):
            pickle_stream.load(read, "file", ALLOWED)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 << 20


@pytest.mark.parametrize("name", attacks.DAMAGED)
def test_what_would_take_the_stack_or_time_is_refused(name):
    for read in (pickle_stream.load, lambda *args: list(pickle_stream.items(*args))):
        with pytest.raises(SourceError, match=r"file is (truncated or )?damaged|needs the global") as caught:
            read(attacks.damaged(name), "file", ALLOWED)
        assert len(str(caught.value)) < 300
        assert str(caught.value).isprintable()


@pytest.mark.slow
def test_the_address_space_of_an_attack_is_bounded():
    code = """
import resource
from nasbench.errors import SourceError
from nasbench.build.sources import pickle_stream, safe_pickle
from tests.nasbench.build.sources import attacks
resource.setrlimit(resource.RLIMIT_AS, (3 << 29, 3 << 29))
for name in ("bytes of a text", "sets of a list", "dictionaries of a list", "references", "weights"):
    try:
        pickle_stream.load(attacks.endless(name), "file", safe_pickle.WEIGHTS)
    except SourceError as error:
        print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.count("file is damaged or malicious: an item has more") == 5


def test_items_without_end_are_read_within_the_memory_of_the_last_ones():
    """Neither long names nor numbers of items that are long past are held."""

    def items():
        yield b"\x80\x04}("
        for number in range(3000):
            yield b"M" + number.to_bytes(2, "little") + b"X\0\0\x01\0" + b"%08d" % number * 8192 + b"\x94"
        yield b"u."

    parts = items()
    tracemalloc.start()
    try:
        found = list(map(len, pickle_stream.items(lambda _: next(parts, b""), "file", {})))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found) == 3001
    assert peak < 10 << 20


def test_items_of_a_dictionary_in_another_place_are_refused():
    data = b"\x80\x04}q\0(" + b"h\0(" + b"".join(b"K%cN" % n for n in range(20)) + b"u."
    with pytest.raises(SourceError, match="it has items out of place"):
        list(pickle_stream.items(reader(data), "file", {}))


def test_what_is_stored_outside_is_asked_for_by_its_id():
    found = pickle_stream.load(reader(b"\x80\x02X\x01\0\0\0aQ."), "file", {}, lambda key: key * 2)
    assert found == "aa"


def test_text_of_a_pickle_is_short_and_printable_in_messages():
    for data in (
        b"cos\x1b[31m\nsys\rtem\n.",
        b"X\x07\0\0\0os\n\x1b[1mX\x01\0\0\0x\x93.",
        b"c" + b"x" * 140 + b"\n" + b"y" * 140 + b"\n.",
        b"}(X\x01\0\0\0\x1bNX\x01\0\0\0\x1bNu.",
    ):
        with pytest.raises(SourceError) as caught:
            pickle_stream.load(reader(b"\x80\x04" + data), "file", {})
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 250


def test_random_operations_never_raise_anything_else():
    rng = random.Random(1)
    pieces = [bytes([op]) for op in range(256)] + [
        b"K\x01",
        b"\x8c\x01a",
        b"h\0",
        b"h\x01",
        b"q\0",
        b"]",
        b"}",
        b"(",
        b"\x85",
    ]
    pieces += [b"c%s\n%s\n" % (module.encode(), name.encode()) for module, name in ALLOWED]
    for _ in range(3000):
        data = b"\x80\x04" + b"".join(rng.choices(pieces, k=rng.randrange(1, 30))) + b"."
        with suppress(SourceError):
            pickle_stream.load(reader(data), "file", ALLOWED)
        with suppress(SourceError):
            list(pickle_stream.items(reader(data), "file", ALLOWED))
