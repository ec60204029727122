"""The images of a run: a split to train on, and one that is held out, in batches."""

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data.augment import Augment
from data.images import FOLDER, Images, load
from data.loader import Loader
from data.splits import search_split
from oneshot.errors import ConfigError
from oneshot.spaces.registry import space_of
from oneshot.training.distributed import ProcessGroup
from oneshot.training.environment import Environment

SMALL = ("digits",)  # of 8×8 pixels, of which a crop would lose a part of the figure
_TRAIN, _VALID, _EVALUATION = range(3)  # streams of random numbers of a search
_Indices = NDArray[np.int64] | None  # positions among the images of a data set; None for all


def augments(dataset: str) -> bool:
    """Return whether training images are cropped and mirrored at random."""
    return dataset not in SMALL


def absolute_dataset(name: str) -> str:
    """Return the name of a data set, with an absolute path if it is a tree of images."""
    if name.startswith(FOLDER) or os.sep in name:
        return FOLDER + os.path.abspath(os.path.expanduser(name.removeprefix(FOLDER)))
    return name


class ImageSplits(ABC):
    """The images of a data set that are trained on, and those that are held out.

    `size`: height and width of an image; `train_count`, `held_out_count`: numbers of images.
    """

    held_out_name: ClassVar[str]  # in the record of a run

    def __init__(
        self,
        dataset: str,
        environment: Environment,
        *,
        halves: bool,
        seed: int = 0,
        split_list: str | None = None,
    ) -> None:
        """`halves`: those of a search, by `search_split`; else all training images, and the test images."""
        folder, download = environment.folder, environment.download
        train = load(dataset, folder, download=download)
        self.train_indices: _Indices = None
        self.held_out_indices: _Indices = None
        from_test = True
        if halves:
            split = search_split(dataset, len(train), seed, split_list)
            self.train_indices, self.held_out_indices, from_test = split
        held_out = _load_test(train, folder, download) if from_test else train
        self.dataset = dataset
        self.classes = len(train.classes)
        self.size: tuple[int, int] = train.pixels.shape[1:3]
        self.train_count = _count(train, self.train_indices)
        self.held_out_count = _count(held_out, self.held_out_indices)
        self._train, self._held_out = train, held_out
        self._seed = seed

    @abstractmethod
    def hashed(self) -> Iterable[NDArray[Any]]:  # of pixels, labels and indices
        """Return the arrays that tell these images from others."""

    def facts(self) -> dict[str, int | str]:
        """Return the record of these images, by which a resumed run knows them again."""
        digest = hashlib.sha256()
        for array in self.hashed():
            digest.update(np.ascontiguousarray(array))
        return {
            "classes": self.classes,
            "height": self.size[0],
            "width": self.size[1],
            "train_images": self.train_count,
            self.held_out_name: self.held_out_count,
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
        least = 2 ** space_of(space).halvings
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
    >>> images.train_count, images.held_out_count, images.classes
    (721, 721, 10)

    As in NAS-Bench-201's searches (Dong & Yang 2020, arXiv:2001.00326), both halves are augmented alike while
    a search trains; what is evaluated is not.
    """

    held_out_name = "val_images"

    def __init__(
        self, dataset: str, environment: Environment, seed: int = 0, split_list: str | None = None
    ) -> None:
        super().__init__(dataset, environment, halves=True, seed=seed, split_list=split_list)

    def halves(
        self, batch: int, device: torch.device, part: tuple[int, int] = (0, 1)
    ) -> tuple[Loader, Loader]:
        """Return the Loaders that a search steps through: training, validation; `part`: as of a Loader.

        Validation batches all have `batch` images: a short last one is skipped. (The code of Liu et al. 2019
        takes the first batch of a new order at each step, which is a full one too.) An epoch of training can
        end with a short batch, unless that has one image.
        """
        random = augments(self.dataset)
        augment = Augment.training(self._train) if random else Augment.evaluation(self._train)
        train = self._loader(self._train, self.train_indices, batch, augment, device, part, _TRAIN)
        held_out = self._loader(
            self._held_out, self.held_out_indices, batch, augment, device, part, _VALID, drop_last=True
        )
        return train, held_out

    def evaluation(self, batch: int, device: torch.device, part: tuple[int, int] = (0, 1)) -> "Batches":
        """Return the validation half in batches, not augmented, in the same mixed order each time."""
        augment = Augment.evaluation(self._held_out)
        indices = self.held_out_indices
        return Batches(self._loader(self._held_out, indices, batch, augment, device, part, _EVALUATION))

    def _loader(
        self,
        images: Images,
        indices: _Indices,
        batch: int,
        augment: Augment,
        device: torch.device,
        part: tuple[int, int],
        stream: int,
        drop_last: bool = False,
    ) -> Loader:
        return Loader(
            images,
            indices,
            batch=batch,
            augment=augment,
            device=device,
            seed=3 * self._seed + stream,
            drop_last=drop_last or _ends_alone(_count(images, indices), batch),
            part=part,
        )

    def hashed(self) -> Iterable[NDArray[Any]]:
        yield from (self._train.pixels, self._train.labels, self.train_indices, self.held_out_indices)
        if self._held_out is not self._train:
            yield from (self._held_out.pixels, self._held_out.labels)


class RetrainImages(ImageSplits):
    """The images that a network is trained on, and those that it is tested on.

    >>> images = RetrainImages("digits", Environment(), "full")
    >>> images.train_count, images.held_out_count, images.classes, images.size
    (1442, 355, 10, (8, 8))

    `split`: "full" for all training images and the test images, "half" for the halves of a search, whose
    images these are then: for cifar100 and imagenet16-120 all training images, and half of the test images.
    """

    held_out_name = "test_images"

    def __init__(
        self,
        dataset: str,
        environment: Environment,
        split: str,
        seed: int = 0,
        split_list: str | None = None,
    ) -> None:
        super().__init__(dataset, environment, halves=split == "half", seed=seed, split_list=split_list)

    def train(
        self, batch: int, augment: bool, cutout: int, device: torch.device, part: tuple[int, int] = (0, 1)
    ) -> Loader:
        """Return a Loader of the training images; `augment`: crop and mirror them at random.

        `part`: of each batch, as of a Loader.
        """
        images = self._train
        transform = Augment.training(images, cutout) if augment else Augment(images.statistics, cutout=cutout)
        return Loader(
            images,
            self.train_indices,
            batch=batch,
            augment=transform,
            device=device,
            seed=self._seed,
            drop_last=_ends_alone(self.train_count, batch),
            part=part,
        )

    def test(self, batch: int, device: torch.device, part: tuple[int, int] = (0, 1)) -> Loader:
        """Return a Loader of the images that are tested, in their order, not augmented."""
        return Loader(
            self._held_out,
            self.held_out_indices,
            batch=min(batch, self.held_out_count),
            augment=Augment.evaluation(self._held_out),
            device=device,
            shuffle=False,
            part=part,
        )

    def hashed(self) -> Iterable[NDArray[Any]]:
        splits = ((self._train, self.train_indices), (self._held_out, self.held_out_indices))
        for images, indices in splits:
            yield from (images.pixels, images.labels)
            if indices is not None:
                yield indices


class Batches:
    """The batches (images, labels) of a Loader's first epoch, each time it is gone through."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return self._loader.epoch(0)


def _load_test(train: Images, folder: str | None, download: bool) -> Images:
    """Load the test images of a data set; ConfigError unless they are of the training images' kind."""
    test = load(train.name, folder, train=False, download=download)
    if test.classes != train.classes or test.pixels.shape[1:] != train.pixels.shape[1:]:
        raise ConfigError(f"the test images of {train.name} are not of the training images' classes and size")
    return test


def _count(images: Images, indices: _Indices) -> int:
    return len(images) if indices is None else len(indices)


def _ends_alone(count: int, batch: int) -> bool:
    """Return whether a last batch would have one image, which has no statistics to normalize by."""
    return count % batch == 1
