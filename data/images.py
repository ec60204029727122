"""Data sets as uint8 arrays: CIFAR-10, CIFAR-100, ImageNet16-120, Fashion-MNIST, digits, image folders."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from data.arrays import Labels, Pixels
from data.errors import InvalidArgumentError, UnknownDataSetError
from data.sources.cifar import Cifar
from data.sources.digits import Digits
from data.sources.fashion_mnist import FashionMNIST
from data.sources.image_folder import ImageFolder
from data.sources.imagenet16 import ImageNet16
from data.sources.source import Source
from data.statistics import PUBLISHED, Statistics, measure

#: names of the data sets, as a type
DataSet = Literal["cifar10", "cifar100", "imagenet16-120", "fashion-mnist", "digits"]
#: names of the data sets
NAMES: tuple[DataSet, ...] = get_args(DataSet)
FOLDER = "folder:"
_READERS: dict[str, Callable[[Path, bool], Source]] = {  # called with the folder and whether to download
    "cifar10": partial(Cifar, "CIFAR10"),
    "cifar100": partial(Cifar, "CIFAR100"),
    "imagenet16-120": ImageNet16,
    "fashion-mnist": FashionMNIST,
    "digits": lambda *_: Digits(),
}


@dataclass(frozen=True, eq=False, repr=False)
class Images:
    """The training or test images of a data set.

    >>> digits = load("digits")
    >>> digits
    Images('digits', 1442 of 8x8 pixels, 10 classes)
    >>> digits.pixels.shape, digits.pixels.dtype.name, digits.labels[:3].tolist()
    ((1442, 8, 8, 3), 'uint8', [0, 1, 2])

    Parameters
    ----------
    name, pixels, labels, classes, statistics, mirrors
        See the attributes.

    Raises
    ------
    InvalidArgumentError
        If an array has the wrong type or shape, or a label is out of range.
    """

    #: name of the data set, or path of a tree of images
    name: str
    #: images, uint8, shape ``(N, H, W, 3)``
    pixels: Pixels
    #: class numbers, positions in `classes`, int64, shape ``(N,)``
    labels: Labels
    #: names of the classes
    classes: tuple[str, ...]
    #: mean and standard deviation of the channels, in pixel values 0..255
    statistics: Statistics
    #: whether a flipped image still belongs to its class
    mirrors: bool = True

    def __post_init__(self) -> None:
        pixels, labels = self.pixels, self.labels
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3 or not pixels.size:
            raise InvalidArgumentError(
                f"pixels must be uint8 of shape (N, H, W, 3) and not empty, got {pixels.dtype} {pixels.shape}"
            )
        if labels.dtype != np.int64 or labels.shape != pixels.shape[:1]:
            raise InvalidArgumentError(
                f"labels must be int64 ({len(pixels)},), one per image, got {labels.dtype} {labels.shape}"
            )
        if labels.min() < 0 or labels.max() >= len(self.classes):
            raise InvalidArgumentError(
                f"labels must be in [0, {len(self.classes) - 1}] for {len(self.classes)} classes, got"
                f" values in [{labels.min()}, {labels.max()}]"
            )
        object.__setattr__(self, "statistics", Statistics(*self.statistics).checked())

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        _, height, width, _ = self.pixels.shape
        return f"Images({self.name!r}, {len(self)} of {width}x{height} pixels, {len(self.classes)} classes)"


def default_folder() -> Path:
    """Return the default folder of data sets: in `$NASBENCH_HOME` if set, else in the user's cache."""
    chosen = os.environ.get("NASBENCH_HOME")
    if chosen:
        return Path(chosen).expanduser() / "images"
    from platformdirs import user_cache_path

    return user_cache_path("nas-toolkit") / "images"


def load(
    name: DataSet | str,
    folder: str | PathLike[str] | None = None,
    *,
    train: bool = True,
    download: bool = False,
    statistics: Statistics | DataSet | str | None = None,
) -> Images:
    """Load the training or test images of a data set.

    >>> load("digits", train=False)
    Images('digits', 355 of 8x8 pixels, 10 classes)

    Parameters
    ----------
    name
        One of `NAMES`, or `folder:PATH` or a path with a slash for a tree of images.
    folder
        Folder with the files of a named data set; by default `default_folder()`.
    train
        Whether to load the training images or the test images.
    download
        Whether to download missing files, if this needs no login.
    statistics
        A `Statistics`, or the name of a data set whose published statistics are used. By default the data
        set's own, which are measured on the training images if none are published.

    Returns
    -------
    Images
        Images, labels, classes and statistics.

    Raises
    ------
    UnknownDataSetError
        If the data set does not exist, or no statistics are published for it.
    MissingFileError, DamagedFileError, UnreadableFileError, DownloadError
        If a file is missing, damaged, unreadable, or cannot be downloaded.
    MissingDependencyError
        If the package that reads the data set is not installed.
    """
    source = _source(name, default_folder() if folder is None else Path(folder).expanduser(), download)
    if isinstance(statistics, str):
        if statistics not in PUBLISHED:
            raise UnknownDataSetError(
                f"statistics are published for {', '.join(PUBLISHED)}, got {statistics!r}; omit them to "
                "measure the training images"
            )
        statistics = PUBLISHED[statistics]
    part = source.read(train)
    statistics = statistics or PUBLISHED.get(name)
    if statistics is None:
        statistics = measure(part.pixels if train else source.read(True).pixels)
    return Images(name, part.pixels, part.labels, part.classes, statistics, source.mirrors)


def _source(name: str, folder: Path, download: bool) -> Source:
    if (name.startswith(FOLDER) and name != FOLDER) or os.sep in name:
        return ImageFolder(Path(name.removeprefix(FOLDER)).expanduser())
    if name in _READERS:
        return _READERS[name](folder, download)
    raise UnknownDataSetError(
        f"a data set must be {', '.join(NAMES)}, or {FOLDER}PATH for a tree of images, got {name!r}"
    )
