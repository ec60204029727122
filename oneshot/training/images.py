"""The images of a run: a training split and a held-out split, in batches."""

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

SMALL = ("digits",)  # images of 8×8 pixels, which are too small for random crops


def augments(dataset: str) -> bool:
    """Return whether training images of a data set are randomly cropped and flipped."""
    return dataset not in SMALL


def absolute_dataset(name: str) -> str:
    """Return the name of a data set, with an absolute path if it is a tree of images."""
    if name.startswith(FOLDER) or os.sep in name:
        return FOLDER + absolute(name.removeprefix(FOLDER))
    return name


@dataclass(frozen=True, eq=False)
class Subset:
    """Some images of a data set."""

    #: training or test images of the data set
    images: Images
    #: positions of the images in the subset; None for all
    indices: Positions | None

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.images) if self.indices is None else len(self.indices)

    def loader(self, batch: int, **options: Any) -> Loader:  # options of a Loader
        """Return a Loader, by default without a last batch of one image, which cannot be normalized."""
        options = {"drop_last": self.count % batch == 1} | options
        return Loader(self.images, self.indices, batch=batch, **options)


class ImageSplits(ABC):
    """Training and held-out images of a data set.

    Parameters
    ----------
    dataset
        Name of the data set.
    environment
        Folder of the archives, and whether to download them.
    split
        "half" for the two halves of a search; "full" for all training images and the test images.
    seed
        Seed of random halves.
    split_list
        File with published halves of the test images; None for random halves.
    """

    #: name of the number of held-out images in the record of a run
    held_out_name: ClassVar[str]

    def __init__(
        self, dataset: str, environment: Environment, split: str, seed: int = 0, split_list: str | None = None
    ) -> None:
        images = load(dataset, environment.folder, download=environment.download)
        train, valid, from_test = None, None, True
        if split == "half":
            train, valid, from_test = search_split(dataset, len(images), seed, split_list)
        held_out = _load_test(images, environment) if from_test else images
        self.dataset, self.seed = dataset, seed
        self.train_images, self.held_out_images = Subset(images, train), Subset(held_out, valid)
        #: numbers of training and of held-out images
        self.counts = self.train_images.count, self.held_out_images.count
        self.classes = len(images.classes)
        #: height and width of an image in pixels
        self.size: tuple[int, int] = images.pixels.shape[1:3]

    @abstractmethod
    def hashed(self) -> Iterable[NDArray[Any] | None]:  # pixels, labels and indices
        """Return the arrays that identify these images."""

    def facts(self) -> dict[str, int | str]:
        """Return the record of these images, against which a resumed run checks its images."""
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
        """Raise a ConfigError if these images differ from the record of the run in the folder `path`."""
        for name, value in self.facts().items():
            before = record.get(name)
            if value != before:
                differs = "other images or labels" if name == "sha256" else f"{name} {value}, not {before}"
                raise ConfigError(
                    f"{self.dataset} differs from the data of {path}: {differs}; try another --folder"
                )

    def check_sides(self, space: str) -> None:
        """Raise a ConfigError unless the networks of a space can halve the images as often as they need."""
        height, width = self.size
        factor = 2 ** get_space(space).halvings
        if height % factor or width % factor:
            raise ConfigError(
                f"{space} halves images, so their sides must be multiples of {factor}; {self.dataset} has"
                f" {width}x{height}"
            )

    def check_parts(self, batch: int, counts: Iterable[int], least: int, group: ProcessGroup) -> None:
        """Raise a ConfigError unless every batch has at least `least` images for the processes of a group.

        `counts` are the numbers of images that epochs divide into batches.
        """
        if group.size == 1:
            return
        lasts = [("the last batch of an epoch", count % batch) for count in counts]
        for name, count in (("a batch", batch), *lasts):
            if 1 < count < least:
                raise ConfigError(
                    f"{name} has {count} images, which are too few for {group.size} processes; try another"
                    " --batch"
                )


class SearchImages(ImageSplits):
    """The two halves of a data set: a search trains weights on one and alphas on the other.

    >>> images = SearchImages("digits", Environment())
    >>> images.train_images.count, images.held_out_images.count, images.classes
    (721, 721, 10)

    As in NAS-Bench-201's searches (Dong & Yang 2020, arXiv:2001.00326), both halves are augmented during the
    search; images are not augmented for evaluation.
    """

    held_out_name = "val_images"

    def __init__(
        self, dataset: str, environment: Environment, seed: int = 0, split_list: str | None = None
    ) -> None:
        super().__init__(dataset, environment, "half", seed, split_list)

    def halves(
        self, batch: int, device: torch.device, part: tuple[int, int] = (0, 1)
    ) -> tuple[Loader, Loader]:
        """Return Loaders of the training and the validation half; `part` is as for a Loader.

        Validation batches all have `batch` images, because a smaller last batch is skipped. (In the code of
        Liu et al. 2019, each step uses the first batch of a new order, which is also full.) The last training
        batch of an epoch can be smaller, but is skipped if it has only one image.
        """
        train = self.train_images.images
        augment = Augment.training(train) if augments(self.dataset) else Augment.evaluation(train)
        options = {"augment": augment, "device": device, "part": part}
        return (
            self.train_images.loader(batch, seed=3 * self.seed, **options),
            self.held_out_images.loader(batch, seed=3 * self.seed + 1, drop_last=True, **options),
        )

    def evaluation(self, batch: int, device: torch.device, part: tuple[int, int] = (0, 1)) -> "Batches":
        """Return the validation half in batches, not augmented, in the same shuffled order each time."""
        subset, seed = self.held_out_images, 3 * self.seed + 2
        augment = Augment.evaluation(subset.images)
        return Batches(subset.loader(batch, augment=augment, device=device, seed=seed, part=part))

    def hashed(self) -> Iterable[NDArray[Any] | None]:
        train, held_out = self.train_images, self.held_out_images
        yield from (train.images.pixels, train.images.labels, train.indices, held_out.indices)
        if held_out.images is not train.images:
            yield from (held_out.images.pixels, held_out.images.labels)


class RetrainImages(ImageSplits):
    """The images on which a network is trained and tested.

    >>> images = RetrainImages("digits", Environment(), "full")
    >>> images.train_images.count, images.held_out_images.count, images.classes, images.size
    (1442, 355, 10, (8, 8))

    With the split "full", these are all training images and the test images; with "half", the two halves of a
    search. For cifar100 and imagenet16-120, these halves are all training images and half of the test images.
    """

    held_out_name = "test_images"

    def train(
        self, batch: int, augment: bool, cutout: int, device: torch.device, part: tuple[int, int] = (0, 1)
    ) -> Loader:
        """Return a Loader of the training images.

        Parameters
        ----------
        batch
            Images per batch.
        augment
            Whether to crop and flip images randomly.
        cutout
            Side of the Cutout square in pixels; 0 for none.
        device
            Device of the batches.
        part
            Part of each batch, as for a Loader.
        """
        images = self.train_images.images
        transform = Augment.training(images, cutout) if augment else Augment(images.statistics, cutout=cutout)
        return self.train_images.loader(batch, augment=transform, device=device, seed=self.seed, part=part)

    def test(self, batch: int, device: torch.device, part: tuple[int, int] = (0, 1)) -> Loader:
        """Return a Loader of the held-out images, not shuffled and not augmented."""
        subset = self.held_out_images
        options = {"augment": Augment.evaluation(subset.images), "device": device, "part": part}
        return subset.loader(min(batch, subset.count), shuffle=False, drop_last=False, **options)

    def hashed(self) -> Iterable[NDArray[Any] | None]:
        for subset in (self.train_images, self.held_out_images):
            yield from (subset.images.pixels, subset.images.labels, subset.indices)


class Batches:
    """Batches (images, labels) of a Loader's first epoch, the same in each iteration."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return self._loader.epoch(0)


def _load_test(train: Images, environment: Environment) -> Images:
    """Load the test images of a data set; raise a ConfigError if they do not fit the training images."""
    test = load(train.name, environment.folder, train=False, download=environment.download)
    if test.classes != train.classes or test.pixels.shape[1:] != train.pixels.shape[1:]:
        raise ConfigError(f"test images of {train.name} differ from its training images in classes or size")
    return test
