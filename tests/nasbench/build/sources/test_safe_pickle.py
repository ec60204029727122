import collections
import os
import pickle

import pytest

from nasbench.build.sources import safe_pickle
from nasbench.errors import SourceError, UnsafePickleError


class Harmful:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_are_read(protocol):
    value = (
        {"a": [1, 2.5, None, True, "x", b"y"], "b": (1, {2, 3})}
        if protocol > 3
        else {"a": [1, 2.5, None, "x"]}
    )
    assert safe_pickle.loads(pickle.dumps(value, protocol), "file") == value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_global_is_refused_by_name_and_never_called(tmp_path, protocol):
    folder = str(tmp_path / "made")
    data = pickle.dumps([1, Harmful(folder)], protocol)
    with pytest.raises(
        UnsafePickleError, match=rf"evil.pkl needs the global {os.mkdir.__module__}.mkdir; refused"
    ):
        safe_pickle.loads(data, "evil.pkl")
    assert not os.path.exists(folder)


def test_only_the_allowed_globals_are_read():
    data = pickle.dumps(collections.OrderedDict(a=1))
    allowed = {("collections", "OrderedDict"): dict}
    assert safe_pickle.loads(data, "file", allowed) == {"a": 1}
    with pytest.raises(UnsafePickleError, match="collections.OrderedDict"):
        safe_pickle.loads(data, "file")
    with pytest.raises(UnsafePickleError, match="collections.Counter"):
        safe_pickle.loads(pickle.dumps(collections.Counter()), "file", allowed)


@pytest.mark.parametrize("data", [b"", b"x", pickle.dumps({"a": [1.0] * 100})[:-20], b"\x80\x05N", b"P1\n."])
def test_damage_is_an_error_with_the_name_of_the_file(data):
    with pytest.raises(SourceError, match="table.pkl is truncated or damaged"):
        safe_pickle.loads(data, "table.pkl")


@pytest.mark.parametrize(
    "keys",
    [
        [((),)],
        [tuple(range(9))],
        [1 << 31],
        [-(1 << 31), 0],
        ["x" * 200_000],
        [b"x" * 200_000, 1],
        [("a", 1 << 31)],
        [[]],
    ],
)
def test_keys_that_could_take_long_to_hash_are_refused(keys):
    with pytest.raises(ValueError, match="a key must be a short plain value, got one of"):
        safe_pickle.check_keys(keys)


def test_keys_that_files_have_are_plain():
    for keys in ([], ["a", "b"], [1, -2], [("cifar10", 777)], ["a", 1, None, True, 1.5, b"x"]):
        assert safe_pickle.check_keys(keys) < 10


def test_text_of_a_pickle_is_short_and_printable_in_messages():
    for data in (b"cos\x1b[31m\nsys\rtem\n.", b"c" + b"x" * 5000 + b"\nb\n."):
        with pytest.raises(UnsafePickleError, match="needs the global") as caught:
            safe_pickle.loads(data, "file")
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 200
