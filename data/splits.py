"""Splits of the images that a search trains and validates on: published and custom ones."""

import json
import random
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.arrays import Positions
from data.errors import DamagedFileError, InvalidArgumentError, MissingFileError
from data.sources.source import accessing

# Published halves of the training images: {data set: (number of images, seed)}. CIFAR-10: NAS-Bench-201 (Dong
# & Yang 2020, arXiv:2001.00326); ImageNet16-120: its configurations.
_PUBLISHED = {"cifar10": (50_000, 1021), "imagenet16-120": (151_700, 111)}
# Number of official test images, half of which NAS-Bench-201 uses for validation.
_VALIDATED_ON_TEST = {"cifar100": 10_000, "imagenet16-120": 6_000}


class Split(NamedTuple):
    """The images for training the weights of a search, and for validation and training its alphas."""

    #: sorted positions of training images, int64, shape ``(n,)``
    train: Positions
    #: sorted positions of training images, or of test images if `from_test`, int64, shape ``(n,)``
    valid: Positions
    #: whether `valid` refers to test images
    from_test: bool


def halves(count: int, seed: int) -> tuple[Positions, Positions]:
    """Return two disjoint sorted halves of 0..count-1.

    >>> [half.tolist() for half in halves(6, seed=0)]
    [[1, 2, 4], [0, 3, 5]]

    Parameters
    ----------
    count
        Number of positions, >= 2. If it is odd, the first half is smaller.
    seed
        Seed of the `random.Random` that shuffles the list before it is cut in the middle, as in NAS-Bench-201
        (arXiv:2001.00326).

    Returns
    -------
    tuple of ndarray
        Both halves, int64.

    Raises
    ------
    InvalidArgumentError
        If `count` is less than 2.
    """
    if count < 2:
        raise InvalidArgumentError(f"count must be >= 2 for two halves, got {count}")
    order = list(range(count))
    random.Random(seed).shuffle(order)
    first, second = order[: count // 2], order[count // 2 :]
    return np.array(sorted(first), np.int64), np.array(sorted(second), np.int64)


def train_halves(name: str, count: int, seed: int = 0) -> tuple[Positions, Positions]:
    """Return halves of the training images of a data set, for training and validation.

    Parameters
    ----------
    name
        Name of the data set. For `cifar10` and `imagenet16-120`, the published halves are returned for any
        seed; for other data sets, `halves(count, seed)`.
    count
        Number of training images.
    seed
        Seed of the shuffle.

    Returns
    -------
    tuple of ndarray
        Sorted positions for training and for validation, int64.

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
            f"count must be {expected:,} for the published halves of {name}, got {count:,}"
        )
    return halves(expected, published_seed)


def own_test_halves(name: str, seed: int = 0) -> tuple[Positions, Positions]:
    """Return halves of the test images of `cifar100` or `imagenet16-120`, for validation and testing.

    These are NOT the published halves: NAS-Bench-201 publishes lists without a seed, and no seed below 20,000
    reproduces them. If you have the lists, use `read_test_halves`.

    Parameters
    ----------
    name
        `cifar100` or `imagenet16-120`.
    seed
        Seed of `halves`.

    Returns
    -------
    tuple of ndarray
        Sorted positions for validation and for testing, int64.

    Raises
    ------
    InvalidArgumentError
        If `name` is another data set.
    """
    return halves(_test_count(name), seed)


def read_test_halves(name: str, path: str | PathLike[str]) -> tuple[Positions, Positions]:
    """Return the published halves of the test images, for validation (x-valid) and testing (x-test).

    Parameters
    ----------
    name
        `cifar100` or `imagenet16-120`.
    path
        File `cifar100-test-split.txt` or `imagenet-16-120-test-split.txt` in configs/nas-benchmark of
        AutoDL-Projects. Format: ``{"xvalid": ["int", ["1", "3", ...]], "xtest": [...]}``.

    Returns
    -------
    tuple of ndarray
        Sorted positions for validation and for testing, int64.

    Raises
    ------
    InvalidArgumentError
        If `name` is another data set.
    MissingFileError, UnreadableFileError
        If the file does not exist or cannot be read.
    DamagedFileError
        If its lists are not two halves.
    """
    count = _test_count(name)
    path = Path(path)
    if not path.exists():
        raise MissingFileError(
            f"{path} is missing; get it from configs/nas-benchmark of https://github.com/D-X-Y/AutoDL-Projects"
        )
    with accessing(path):
        text = path.read_bytes()
    try:
        lists = json.loads(text)
        valid, test = (np.array(lists[key][1]).astype(np.int64) for key in ("xvalid", "xtest"))
        complete = np.array_equal(np.sort(np.concatenate([valid, test])), np.arange(count))
    except (ValueError, LookupError, TypeError, OverflowError) as error:
        raise DamagedFileError(
            f"{path} does not hold the lists xvalid and xtest ({type(error).__name__})"
        ) from error
    if not complete or len(valid) != count // 2:
        raise DamagedFileError(
            f"{path} does not hold two halves of 0..{count - 1}: its lists have {len(valid):,} and "
            f"{len(test):,} entries"
        )
    return np.sort(valid), np.sort(test)


def search_split(name: str, count: int, seed: int = 0, lists: str | PathLike[str] | None = None) -> Split:
    """Return the split of a data set for a search.

    As in NAS-Bench-201 (arXiv:2001.00326), the training images of CIFAR-10 are halved; searches on CIFAR-100
    and ImageNet16-120 train on all training images and validate on half of the official test images. The
    training images of other data sets are halved by `seed`.

    >>> train, valid, from_test = search_split("digits", 1442)
    >>> len(train), len(valid), from_test
    (721, 721, False)

    Parameters
    ----------
    name
        Name of the data set.
    count
        Number of training images.
    seed
        Seed of halves that are not published.
    lists
        File with the published test halves, as for `read_test_halves`; by default `own_test_halves`.

    Returns
    -------
    Split
        Positions for training and validation.
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
            f"name must be {' or '.join(_VALIDATED_ON_TEST)} to halve the test images, got {name!r}; use "
            "train_halves for the training images"
        ) from None
