"""The images of a run: a split to train on, and one that is held out, in batches."""

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data.arrays import Positions
from data.augment import Augment
from data.images import FOLDER, Images, load
from data.loader import Loader
from data.splits import search_split
from oneshot.errors import ConfigError
from oneshot.spaces.registry import get_space
from oneshot.training.distributed import ProcessGroup
from oneshot.training.environment import Environment, absolute

SMALL = ("digits",)  # of 8×8 pixels, of which a crop would lose a part of the figure


def augments(dataset: str) -> bool:
    """Return whether training images are cropped and mirrored at random."""
    return dataset not in SMALL


def absolute_dataset(name: str) -> str:
    """Return the name of a data set, with an absolute path if it is a tree of images."""
    if name.startswith(FOLDER) or os.sep in name:
        return FOLDER + absolute(name.removeprefix(FOLDER))
    return name


@dataclass(frozen=True, eq=False)
class Subset:
    """Some images of a data set."""

    #: The training or the test images of the data set.
    images: Images
    #: Positions of those that belong to the subset; None for all.
    indices: Positions | None

    @property
    def count(self) -> int:
        """The number of images."""
        return len(self.images) if self.indices is None else len(self.indices)

    def loader(self, batch: int, **options: Any) -> Loader:  # those of a Loader
        """Return a Loader, by default without a last batch of one image, which has no statistics."""
        options = {"drop_last": self.count % batch == 1} | options
        return Loader(self.images, self.indices, batch=batch, **options)


class ImageSplits(ABC):
    """The images of a data set that are trained on, and those that are held out."""

    held_out_name: ClassVar[str]  # in the record of a run

    def __init__(
        self, dataset: str, environment: Environment, split: str, seed: int = 0, split_list: str | None = None
    ) -> None:
        """`split`: "half" for the halves of a search; "full" for all training images, and the test images."""
        images = load(dataset, environment.folder, download=environment.download)
        train, valid, from_test = None, None, True
        if split == "half":
            train, valid, from_test = search_split(dataset, len(images), seed, split_list)
        held_out = _load_test(images, environment) if from_test else images
        self.dataset, self.seed = dataset, seed
        self.train_images, self.held_out_images = Subset(images, train), Subset(held_out, valid)
        #: Numbers of images that are trained on, and that are held out.
        self.counts = self.train_images.count, self.held_out_images.count
        self.classes = len(images.classes)
        #: Height and width of an image.
        self.size: tuple[int, int] = images.pixels.shape[1:3]

    @abstractmethod
    def hashed(self) -> Iterable[NDArray[Any] | None]:  # of pixels, labels and indices
        """Return the arrays that tell these images from others."""

    def facts(self) -> dict[str, int | str]:
        """Return the record of these images, by which a resumed run knows them again."""
        digest = hashlib.sha256()
        for array in self.hashed():
            if array is not None:
                digest.update(np.ascontiguousarray(array).data)
        return {
            "classes": self.classes,
            "height": self.size[0],
            "width": self.size[1],
            "train_images": self.counts[0],
            self.held_out_name: self.counts[1],
            "sha256": digest.hexdigest(),
        }

    def check_recorded(self, record: Mapping[str, object], path: str | Path) -> None:
        """Raise a ConfigError unless the run in the folder `path`, with this record, had these images."""
        for name, value in self.facts().items():
            before = record.get(name)
            if value != before:
                differs = "other images or labels" if name == "sha256" else f"{name} {value}, not {before}"
                raise ConfigError(
                    f"{self.dataset} is not what {path} was begun with: {differs}; --folder names it"
                )

    def check_sides(self, space: str) -> None:
        """Raise a ConfigError unless the images can be halved as often as the networks of a space do."""
        height, width = self.size
        least = 2 ** get_space(space).halvings
        if height % least or width % least:
            raise ConfigError(
                f"{space} halves images, so their sides are to be multiples of {least}; those of"
                f" {self.dataset} are {width}x{height}"
            )

    def check_parts(self, batch: int, counts: Iterable[int], least: int, group: ProcessGroup) -> None:
        """Raise a ConfigError unless every batch has at least `least` images for the processes of a group.

        `counts`: the numbers of images that are gone through in batches.
        """
        if group.size == 1:
            return
        lasts = [("the last batch of an epoch", count % batch) for count in counts]
        for name, count in (("a batch", batch), *lasts):
            if 1 < count < least:
                raise ConfigError(
                    f"{name} has {count} images, which are too few for {group.size} processes; another"
                    " --batch may do"
                )


class SearchImages(ImageSplits):
    """The two halves of a data set: a search trains weights on one, and alphas on the other.

    >>> images = SearchImages("digits", Environment())
    >>> images.train_images.count, images.held_out_images.count, images.classes
    (721, 721, 10)

    As in NAS-Bench-201's searches (Dong & Yang 2020, arXiv:2001.00326), both halves are augmented alike while
    a search trains; what is evaluated is not.
    """

    held_out_name = "val_images"

    def __init__(
        self, dataset: str, environment: Environment, seed: int = 0, split_list: str | None = None
    ) -> None:
        super().__init__(dataset, environment, "half", seed, split_list)

    def halves(
        self, batch: int, device: torch.device, part: tuple[int, int] = (0, 1)
    ) -> tuple[Loader, Loader]:
        """Return the Loaders that a search steps through: training, validation; `part`: as of a Loader.

        Validation batches all have `batch` images: a short last one is skipped. (The code of Liu et al. 2019
        takes the first batch of a new order at each step, which is a full one too.) An epoch of training can
        end with a short batch, unless that has one image.
        """
        train = self.train_images.images
        augment = Augment.training(train) if augments(self.dataset) else Augment.evaluation(train)
        options = {"augment": augment, "device": device, "part": part}
        return (
            self.train_images.loader(batch, seed=3 * self.seed, **options),
            self.held_out_images.loader(batch, seed=3 * self.seed + 1, drop_last=True, **options),
        )

    def evaluation(self, batch: int, device: torch.device, part: tuple[int, int] = (0, 1)) -> "Batches":
        """Return the validation half in batches, not augmented, in the same mixed order each time."""
        subset, seed = self.held_out_images, 3 * self.seed + 2
        augment = Augment.evaluation(subset.images)
        return Batches(subset.loader(batch, augment=augment, device=device, seed=seed, part=part))

    def hashed(self) -> Iterable[NDArray[Any] | None]:
        train, held_out = self.train_images, self.held_out_images
        yield from (train.images.pixels, train.images.labels, train.indices, held_out.indices)
        if held_out.images is not train.images:
            yield from (held_out.images.pixels, held_out.images.labels)


class RetrainImages(ImageSplits):
    """The images that a network is trained on, and those that it is tested on.

    >>> images = RetrainImages("digits", Environment(), "full")
    >>> images.train_images.count, images.held_out_images.count, images.classes, images.size
    (1442, 355, 10, (8, 8))

    `split`: "full" for all training images and the test images, "half" for the halves of a search, whose
    images these are then: for cifar100 and imagenet16-120 all training images, and half of the test images.
    """

    held_out_name = "test_images"

    def train(
        self, batch: int, augment: bool, cutout: int, device: torch.device, part: tuple[int, int] = (0, 1)
    ) -> Loader:
        """Return a Loader of the training images; `augment`: crop and mirror them at random.

        `part`: of each batch, as of a Loader.
        """
        images = self.train_images.images
        transform = Augment.training(images, cutout) if augment else Augment(images.statistics, cutout=cutout)
        return self.train_images.loader(batch, augment=transform, device=device, seed=self.seed, part=part)

    def test(self, batch: int, device: torch.device, part: tuple[int, int] = (0, 1)) -> Loader:
        """Return a Loader of the images that are tested, in their order, not augmented."""
        subset = self.held_out_images
        options = {"augment": Augment.evaluation(subset.images), "device": device, "part": part}
        return subset.loader(min(batch, subset.count), shuffle=False, drop_last=False, **options)

    def hashed(self) -> Iterable[NDArray[Any] | None]:
        for subset in (self.train_images, self.held_out_images):
            yield from (subset.images.pixels, subset.images.labels, subset.indices)


class Batches:
    """The batches (images, labels) of a Loader's first epoch, each time it is gone through."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return self._loader.epoch(0)


def _load_test(train: Images, environment: Environment) -> Images:
    """Load the test images of a data set; ConfigError unless they are of the training images' kind."""
    test = load(train.name, environment.folder, train=False, download=environment.download)
    if test.classes != train.classes or test.pixels.shape[1:] != train.pixels.shape[1:]:
        raise ConfigError(f"the test images of {train.name} are not of the training images' classes and size")
    return test
