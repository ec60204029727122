"""Which images a search trains on and which it validates on: the published index sets, and our own."""

import json
import random
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.errors import DamagedFileError, InvalidArgumentError, MissingFileError
from data.sources.source import accessing

# The published halves of training images: {data set: (number of images, seed)}. CIFAR-10's are those of
# NAS-Bench-201 (Dong & Yang 2020, arXiv:2001.00326), ImageNet16-120's those of its configurations.
_PUBLISHED = {"cifar10": (50_000, 1021), "imagenet16-120": (151_700, 111)}
# Data sets whose architectures NAS-Bench-201 validates on half of the official test images: their number.
_VALIDATED_ON_TEST = {"cifar100": 10_000, "imagenet16-120": 6_000}


class Split(NamedTuple):
    """What a search trains its weights on, and what it validates (and trains its alphas) on."""

    train: np.ndarray  # int64, sorted positions among the training images
    valid: np.ndarray  # int64, sorted positions among the training images, or the test images if `from_test`
    from_test: bool


def halves(count, seed):
    """Two disjoint sorted halves of 0..count-1, int64; the first is the smaller where `count` is odd.

    >>> [half.tolist() for half in halves(6, seed=0)]
    [[1, 2, 4], [0, 3, 5]]

    NAS-Bench-201's construction (arXiv:2001.00326): the list shuffled by random.Random(seed), cut in the
    middle. Raises InvalidArgumentError for fewer than two.
    """
    if count < 2:
        raise InvalidArgumentError(f"two images at least are needed for two halves, got {count}")
    order = list(range(count))
    random.Random(seed).shuffle(order)
    first, second = order[: count // 2], order[count // 2 :]
    return np.array(sorted(first), np.int64), np.array(sorted(second), np.int64)


def train_halves(name, count, seed=0):
    """Halves of the training images of a data set: for training the weights, and for validation.

    For `cifar10` and `imagenet16-120` the published ones, whatever the seed; they are checked to be asked
    for `count` = 50,000 and 151,700 images. For any other, `halves(count, seed)`.
    """
    if name not in _PUBLISHED:
        return halves(count, seed)
    expected, published_seed = _PUBLISHED[name]
    if count != expected:
        raise InvalidArgumentError(
            f"the published halves of {name} are of {expected:,} images, got {count:,}"
        )
    return halves(expected, published_seed)


def own_test_halves(name, seed=0):
    """Halves of the official test images of `cifar100` or `imagenet16-120`: for validation, for testing.

    NOT the published ones: NAS-Bench-201 publishes its two as lists without the seed that made them, and no
    seed below 20,000 of the construction of its other halves gives them. These are `halves(10_000, seed)` and
    `halves(6_000, seed)`; use `read_test_halves` where the lists are at hand.
    """
    return halves(_count_of_test(name), seed)


def read_test_halves(name, path):
    """The published halves of the official test images: for validation (x-valid), for testing (x-test).

    `path`: the list that AutoDL-Projects has in configs/nas-benchmark, `cifar100-test-split.txt` or
    `imagenet-16-120-test-split.txt`. Format: {"xvalid": ["int", ["1", "3", ...]], "xtest": [...]}.
    Raises MissingFileError, UnreadableFileError, and DamagedFileError where the two are not halves.
    """
    count = _count_of_test(name)
    path = Path(path)
    if not path.exists():
        raise MissingFileError(
            f"{path} is missing; take it from configs/nas-benchmark of https://github.com/D-X-Y/AutoDL-Projects"
        )
    with accessing(path):
        text = path.read_bytes()
    try:
        lists = json.loads(text)
        valid, test = (np.array(lists[key][1]).astype(np.int64) for key in ("xvalid", "xtest"))
        whole = np.array_equal(np.sort(np.concatenate([valid, test])), np.arange(count))
    except (ValueError, LookupError, TypeError, OverflowError) as error:
        raise DamagedFileError(f"{path} holds no lists xvalid and xtest ({type(error).__name__})") from error
    if not whole or len(valid) != count // 2:
        raise DamagedFileError(
            f"{path} does not hold two halves of 0..{count - 1}: its lists are of {len(valid):,} and "
            f"{len(test):,}"
        )
    return np.sort(valid), np.sort(test)


def search_split(name, count, seed=0, lists=None):
    """What a search on a data set of `count` training images trains and validates on; a `Split`.

    As in NAS-Bench-201 (arXiv:2001.00326): CIFAR-10's training images are halved; CIFAR-100 and
    ImageNet16-120 train on all training images and validate on half of the official test images, the
    published half if `lists` is the path of their list, else our own. Other data sets' training images are
    halved by `seed`.
    """
    if name not in _VALIDATED_ON_TEST:
        return Split(*train_halves(name, count, seed), from_test=False)
    valid, _ = own_test_halves(name, seed) if lists is None else read_test_halves(name, lists)
    return Split(np.arange(count), valid, from_test=True)


def _count_of_test(name):
    try:
        return _VALIDATED_ON_TEST[name]
    except KeyError:
        raise InvalidArgumentError(
            f"only the test images of {' and '.join(_VALIDATED_ON_TEST)} are halved, got {name!r}; halve the "
            "training images by train_halves"
        ) from None
