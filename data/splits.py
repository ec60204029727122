"""The images that a search trains and validates on: the published index sets, and our own."""

import json
import random
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.arrays import Positions
from data.errors import DamagedFileError, InvalidArgumentError, MissingFileError
from data.sources.source import accessing

# The published halves of training images: {data set: (number of images, seed)}. CIFAR-10: NAS-Bench-201 (Dong
# & Yang 2020, arXiv:2001.00326); ImageNet16-120: its configurations.
_PUBLISHED = {"cifar10": (50_000, 1021), "imagenet16-120": (151_700, 111)}
# Data sets whose architectures NAS-Bench-201 validates on half of the official test images: their number.
_VALIDATED_ON_TEST = {"cifar100": 10_000, "imagenet16-120": 6_000}


class Split(NamedTuple):
    """The images that a search trains weights on, and those that it validates and trains alphas on."""

    #: Sorted positions among the training images, int64 ``(n,)``.
    train: Positions
    #: Sorted positions among the training images, or among the test images if `from_test`, int64 ``(n,)``.
    valid: Positions
    #: Whether `valid` are test images.
    from_test: bool


def halves(count: int, seed: int) -> tuple[Positions, Positions]:
    """Return two disjoint sorted halves of 0..count-1.

    >>> [half.tolist() for half in halves(6, seed=0)]
    [[1, 2, 4], [0, 3, 5]]

    Parameters
    ----------
    count
        The number of positions, at least 2. If it is odd, the first half is the smaller one.
    seed
        Seed of the random.Random that shuffles the list, which is then cut in the middle (NAS-Bench-201,
        arXiv:2001.00326).

    Returns
    -------
    tuple of Positions
        Both halves, int64.

    Raises
    ------
    InvalidArgumentError
        If `count` is below 2.
    """
    if count < 2:
        raise InvalidArgumentError(f"two images at least are needed for two halves, got {count}")
    order = list(range(count))
    random.Random(seed).shuffle(order)
    first, second = order[: count // 2], order[count // 2 :]
    return np.array(sorted(first), np.int64), np.array(sorted(second), np.int64)


def train_halves(name: str, count: int, seed: int = 0) -> tuple[Positions, Positions]:
    """Return halves of the training images of a data set: for training the weights, and for validation.

    Parameters
    ----------
    name
        A data set. Those of `cifar10` and `imagenet16-120` are the published halves, whatever the seed; those
        of any other are `halves(count, seed)`.
    count
        The number of its training images.
    seed
        Seed of the shuffle.

    Raises
    ------
    InvalidArgumentError
        If `count` is not 50,000 for `cifar10` or 151,700 for `imagenet16-120`.
    """
    if name not in _PUBLISHED:
        return halves(count, seed)
    expected, published_seed = _PUBLISHED[name]
    if count != expected:
        raise InvalidArgumentError(
            f"the published halves of {name} are of {expected:,} images, got {count:,}"
        )
    return halves(expected, published_seed)


def own_test_halves(name: str, seed: int = 0) -> tuple[Positions, Positions]:
    """Return halves of the test images of `cifar100` or `imagenet16-120`: for validation, for testing.

    NOT the published ones: NAS-Bench-201 publishes its two as lists without their seed, and no seed below
    20,000 of the construction of its other halves gives them. These are `halves(10_000, seed)` and
    `halves(6_000, seed)`; if you have the lists, use `read_test_halves`.

    Raises
    ------
    InvalidArgumentError
        If `name` is another data set.
    """
    return halves(_test_count(name), seed)


def read_test_halves(name: str, path: str | PathLike[str]) -> tuple[Positions, Positions]:
    """Return the published halves of the test images: for validation (x-valid), for testing (x-test).

    Parameters
    ----------
    name
        `cifar100` or `imagenet16-120`.
    path
        The list that AutoDL-Projects has in configs/nas-benchmark, `cifar100-test-split.txt` or
        `imagenet-16-120-test-split.txt`. Format: ``{"xvalid": ["int", ["1", "3", ...]], "xtest": [...]}``.

    Raises
    ------
    InvalidArgumentError
        If `name` is another data set.
    MissingFileError, UnreadableFileError
        If the file does not exist, or cannot be read.
    DamagedFileError
        If its lists are not two halves.
    """
    count = _test_count(name)
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
        complete = np.array_equal(np.sort(np.concatenate([valid, test])), np.arange(count))
    except (ValueError, LookupError, TypeError, OverflowError) as error:
        raise DamagedFileError(f"{path} holds no lists xvalid and xtest ({type(error).__name__})") from error
    if not complete or len(valid) != count // 2:
        raise DamagedFileError(
            f"{path} does not hold two halves of 0..{count - 1}: its lists are of {len(valid):,} and "
            f"{len(test):,}"
        )
    return np.sort(valid), np.sort(test)


def search_split(name: str, count: int, seed: int = 0, lists: str | PathLike[str] | None = None) -> Split:
    """Return the images that a search on a data set trains and validates on.

    As in NAS-Bench-201 (arXiv:2001.00326), CIFAR-10's training images are halved; CIFAR-100 and
    ImageNet16-120 train on all training images and validate on half of the official test images. Other data
    sets' training images are halved by `seed`.

    >>> train, valid, from_test = search_split("digits", 1442)
    >>> len(train), len(valid), from_test
    (721, 721, False)

    Parameters
    ----------
    name
        The data set.
    count
        The number of its training images.
    seed
        Seed of halves that are not published.
    lists
        The path of the published list of test halves, as in `read_test_halves`; None: our own halves.
    """
    if name not in _VALIDATED_ON_TEST:
        return Split(*train_halves(name, count, seed), from_test=False)
    valid, _ = own_test_halves(name, seed) if lists is None else read_test_halves(name, lists)
    return Split(np.arange(count), valid, from_test=True)


def _test_count(name: str) -> int:
    try:
        return _VALIDATED_ON_TEST[name]
    except KeyError:
        raise InvalidArgumentError(
            f"only the test images of {' and '.join(_VALIDATED_ON_TEST)} are halved, got {name!r}; halve the "
            "training images by train_halves"
        ) from None
