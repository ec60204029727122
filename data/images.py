"""Data sets as uint8 arrays: CIFAR-10 and -100, ImageNet16-120, Fashion-MNIST, digits, a tree of images."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.errors import InvalidArgumentError, UnknownDataSetError
from data.sources.cifar import Cifar
from data.sources.digits import Digits
from data.sources.fashion_mnist import FashionMNIST
from data.sources.image_folder import ImageFolder
from data.sources.imagenet16 import ImageNet16
from data.statistics import PUBLISHED, Statistics, measure

NAMES = ("cifar10", "cifar100", "imagenet16-120", "fashion-mnist", "digits")
FOLDER = "folder:"


@dataclass(frozen=True, eq=False, repr=False)
class Images:
    """The training or the test images of a data set.

    >>> digits = load("digits")
    >>> digits
    Images('digits', 1442 of 8x8 pixels, 10 classes)
    >>> digits.pixels.shape, digits.pixels.dtype.name, digits.labels[:3].tolist()
    ((1442, 8, 8, 3), 'uint8', [0, 1, 2])

    Raises InvalidArgumentError where the arrays do not belong together.
    """

    name: str
    pixels: np.ndarray  # uint8 (N, H, W, 3)
    labels: np.ndarray  # int64 (N,), positions in `classes`
    classes: tuple  # names
    statistics: Statistics  # mean and deviation of the channels, in pixel values 0..255
    mirrors: bool = True  # whether the mirror image of a picture is of the same class

    def __post_init__(self):
        pixels, labels = self.pixels, self.labels
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3 or not pixels.size:
            raise InvalidArgumentError(
                f"pixels are uint8 (N, H, W, 3), none of them 0, got {pixels.dtype} {pixels.shape}"
            )
        if labels.dtype != np.int64 or labels.shape != pixels.shape[:1]:
            raise InvalidArgumentError(
                f"labels are int64 ({len(pixels)},), one an image, got {labels.dtype} {labels.shape}"
            )
        if labels.min() < 0 or labels.max() >= len(self.classes):
            raise InvalidArgumentError(
                f"labels of {len(self.classes)} classes are in 0..{len(self.classes) - 1}, got "
                f"{labels.min()}..{labels.max()}"
            )
        object.__setattr__(self, "statistics", Statistics(*self.statistics).checked())

    def __len__(self):
        return len(self.labels)

    def __repr__(self):
        _, height, width, _ = self.pixels.shape
        return f"Images({self.name!r}, {len(self)} of {width}x{height} pixels, {len(self.classes)} classes)"


def default_folder():
    """Where data sets are unless a folder is named: in `$NASBENCH_HOME`, else in the user's cache."""
    chosen = os.environ.get("NASBENCH_HOME")
    if chosen:
        return Path(chosen).expanduser() / "images"
    from platformdirs import user_cache_path

    return user_cache_path("nas-toolkit") / "images"


def load(name, folder=None, *, train=True, download=False, statistics=None):
    """The training images of a data set, or, with `train=False`, its test images; an `Images`.

    `name`: one of NAMES, or, for a tree of images, `folder:PATH` or a path with a slash. `folder`: where the
    files of a named data set are; None: the default folder. `download`: fetch what is missing, where that can
    be had without logging in. `statistics`: a `Statistics`, or the name of a data set for its published ones;
    None: the data set's own, which are measured on the training images where none are published. (For the
    test images of a tree this reads its training images too, unless the statistics of those are given.)
    Raises UnknownDataSetError, and errors that name the file which is missing, damaged or unreadable.
    """
    source = _source(name, default_folder() if folder is None else Path(folder).expanduser(), download)
    if isinstance(statistics, str):
        if statistics not in PUBLISHED:
            raise UnknownDataSetError(
                f"statistics are published of {', '.join(PUBLISHED)}, got {statistics!r}; leave them out to "
                "measure the training images"
            )
        statistics = PUBLISHED[statistics]
    part = source.read(train)
    statistics = statistics or PUBLISHED.get(name)
    if statistics is None:
        statistics = measure(part.pixels if train else source.read(True).pixels)
    return Images(name, part.pixels, part.labels, part.classes, statistics, source.mirrors)


def _source(name, folder, download):
    if (name.startswith(FOLDER) and name != FOLDER) or os.sep in name:
        return ImageFolder(Path(name.removeprefix(FOLDER)).expanduser())
    if name == "cifar10":
        return Cifar("CIFAR10", folder, download)
    if name == "cifar100":
        return Cifar("CIFAR100", folder, download)
    if name == "imagenet16-120":
        return ImageNet16(folder, download)
    if name == "fashion-mnist":
        return FashionMNIST(folder, download)
    if name == "digits":
        return Digits()
    raise UnknownDataSetError(
        f"data sets are {', '.join(NAMES)} and {FOLDER}PATH for a tree of images, got {name!r}"
    )
