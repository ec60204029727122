import hashlib
import json
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import DamagedFileError, InvalidArgumentError, MissingFileError, UnreadableFileError
from data.splits import halves, own_test_halves, read_test_halves, search_split, train_halves

# The beginnings of the published lists of test halves
X_VALID = {
    "cifar100": [1, 3, 4, 5, 8, 10, 13, 14, 15, 16, 18, 19, 21, 22, 23, 27, 28, 30, 33, 36, 37, 39],
    "imagenet16-120": [1, 2, 3, 6, 7, 8, 9, 12, 16, 18, 19, 26, 27, 28, 29, 32, 34, 35, 36, 37, 38],
}


def checksum(indices):
    assert indices.dtype == np.int64
    return hashlib.sha256(indices.astype("<i8").tobytes()).hexdigest()


@given(st.integers(2, 300), st.integers(0, 2**70))
def test_halves_are_disjoint_sorted_and_whole(count, seed):
    first, second = halves(count, seed)
    assert (len(first), len(second)) == (count // 2, count - count // 2)
    assert sorted([*first, *second]) == list(range(count))
    assert all((np.diff(half) > 0).all() for half in (first, second))


def test_other_seeds_give_other_halves():
    assert len({tuple(halves(50, seed)[0]) for seed in range(20)}) == 20


def test_halves_leave_the_generator_of_the_process_alone():
    random.seed(3)
    expected = random.random()
    random.seed(3)
    halves(100, 0)
    assert random.random() == expected


@pytest.mark.parametrize("count", [-1, 0, 1])
def test_one_image_has_no_halves(count):
    with pytest.raises(InvalidArgumentError, match=f"count must be >= 2 for two halves, got {count}"):
        halves(count, 0)


def test_cifar10_is_halved_as_published():
    """The members that NAS-Bench-201's own script asserts, and the whole by checksum."""
    train, valid = train_halves("cifar10", 50_000)
    assert [train[i] for i in (0, 10, 111)] == [0, 26, 203]
    assert [valid[i] for i in (0, 10, 111)] == [1, 18, 242]
    assert train[:6].tolist() == [0, 5, 7, 11, 13, 15]
    assert valid[:6].tolist() == [1, 2, 3, 4, 6, 8]
    assert train[-3:].tolist() == [49990, 49992, 49994]
    assert valid[-3:].tolist() == [49997, 49998, 49999]
    assert checksum(train) == "804c60edb02b9240f0da699f0f7fc71df79962b3716dd164440cc04527533790"
    assert checksum(valid) == "e1b6ff1146f8ca8eda904bce8c4f1345385e1b2e265379c51563bdb10b721eb0"


def test_imagenet16_120_is_halved_as_published():
    """The beginning of the published list, and the whole by checksum."""
    train, valid = train_halves("imagenet16-120", 151_700)
    assert train[:20].tolist() == [1, 3, 5, 7, 8, 10, 11, 12, 15, 18, 19, 22, 25, 29, 31, 35, 38, 39, 40, 41]
    assert checksum(train) == "73bdd7907068add132d66ac8e1aa688021bf67ab1ab0418bec8263f29e20b7c7"
    assert checksum(valid) == "1688120405b7b39a8c22f02c711b9379913eb98869bb1cf3cf84587c2d5eda42"


def test_published_halves_have_no_seed_to_choose():
    np.testing.assert_array_equal(
        train_halves("cifar10", 50_000, seed=5)[0], train_halves("cifar10", 50_000)[0]
    )
    with pytest.raises(
        InvalidArgumentError, match="count must be 50,000 for the published halves of cifar10, got 49,999"
    ):
        train_halves("cifar10", 49_999)


def test_other_data_sets_are_halved_by_the_seed():
    for seed in (0, 7):
        np.testing.assert_array_equal(train_halves("digits", 1442, seed), halves(1442, seed))


def test_our_own_test_halves_are_pinned_and_are_not_the_published_ones():
    sums = {
        "cifar100": "3dd0be411e005cb95b581d954bdecc3911c76ba6a228e6431b9ed1450b199c65",
        "imagenet16-120": "041f7f7438d60a2020be31fd5c83c29c6e2bfa64092d09d71a514ea1a00bba03",
    }
    for name, expected in sums.items():
        valid, test = own_test_halves(name)
        assert checksum(valid) == expected
        assert len(valid) == len(test) == {"cifar100": 5_000, "imagenet16-120": 3_000}[name]
        assert valid[: len(X_VALID[name])].tolist() != X_VALID[name]


def test_only_test_images_that_are_validated_on_are_halved(tmp_path):
    for ask in (own_test_halves, lambda name: read_test_halves(name, tmp_path / "list.txt")):
        with pytest.raises(
            InvalidArgumentError,
            match="name must be cifar100 or imagenet16-120 to halve the test images, got",
        ):
            ask("cifar10")


def write_lists(path, count, valid):
    """Lists in the layout of the published files."""
    lists = {"xvalid": sorted(valid), "xtest": sorted(set(range(count)) - set(valid))}
    body = ",\n".join(
        f'  "{key}"             : ["int"   , {json.dumps([str(index) for index in indices])}]'
        for key, indices in lists.items()
    )
    path.write_text("{\n" + body + "\n}")
    return path


@pytest.mark.parametrize(("name", "count"), [("cifar100", 10_000), ("imagenet16-120", 6_000)])
def test_published_lists_are_read(tmp_path, name, count):
    rest = [index for index in range(40, count)][: count // 2 - len(X_VALID[name])]
    path = write_lists(tmp_path / "list.txt", count, X_VALID[name] + rest)
    valid, test = read_test_halves(name, path)
    assert valid.tolist() == X_VALID[name] + rest
    assert sorted([*valid, *test]) == list(range(count))
    split = search_split(name, 30_000, lists=path)
    np.testing.assert_array_equal(split.valid, valid)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not hold the lists xvalid and xtest .JSONDecodeError."),
        ("\xff", "does not hold the lists"),
        ("{}", "does not hold the lists xvalid and xtest .KeyError."),
        ('{"xvalid": 1, "xtest": 2}', "does not hold the lists"),
        ('{"xvalid": ["int", ["a"]], "xtest": ["int", ["1"]]}', "does not hold the lists"),
        ('{"xvalid": ["int", ["1e99"]], "xtest": ["int", [1e99]]}', "does not hold the lists"),
        (
            '{"xvalid": ["int", ["0"]], "xtest": ["int", ["1"]]}',
            "two halves of 0..9999: its lists have 1 and 1",
        ),
        (
            json.dumps({"xvalid": ["int", list(range(4999))], "xtest": ["int", list(range(4999, 10_000))]}),
            "its lists have 4,999 and 5,001",
        ),
        (
            json.dumps({"xvalid": ["int", list(range(5000))], "xtest": ["int", list(range(4999, 9_999))]}),
            "its lists have 5,000 and 5,000",
        ),
    ],
    ids=["empty", "binary", "none", "numbers", "words", "huge", "short", "uneven", "overlapping"],
)
def test_lists_that_are_no_halves_are_refused(tmp_path, text, message):
    (tmp_path / "list.txt").write_text(text, encoding="latin-1")
    with pytest.raises(DamagedFileError, match=message):
        read_test_halves("cifar100", tmp_path / "list.txt")


def test_a_list_that_is_missing_is_named_with_where_it_is(tmp_path):
    with pytest.raises(MissingFileError, match="list.txt is missing; get it from configs/nas-benchmark"):
        read_test_halves("cifar100", tmp_path / "list.txt")


def test_no_permission_to_read(unprivileged):
    def check(folder):
        write_lists(folder / "list.txt", 10_000, range(5_000)).chmod(0)
        with pytest.raises(UnreadableFileError, match="list.txt: Permission denied"):
            read_test_halves("cifar100", folder / "list.txt")

    unprivileged(check)


def test_a_search_on_cifar10_halves_the_training_images():
    train, valid, from_test = search_split("cifar10", 50_000)
    np.testing.assert_array_equal([train, valid], train_halves("cifar10", 50_000))
    assert not from_test


@pytest.mark.parametrize(("name", "count"), [("cifar100", 50_000), ("imagenet16-120", 151_700)])
def test_a_search_that_validates_on_half_of_the_test_images(name, count):
    train, valid, from_test = search_split(name, count)
    assert train.tolist() == list(range(count))
    np.testing.assert_array_equal(valid, own_test_halves(name)[0])
    assert from_test


def test_a_search_on_another_data_set_halves_by_the_seed():
    train, valid, from_test = search_split("folder:x", 100, seed=4)
    np.testing.assert_array_equal([train, valid], halves(100, 4))
    assert not from_test
