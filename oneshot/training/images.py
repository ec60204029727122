"""What a search is fed: batches of the half that trains weights, and of the half that trains alphas."""

import hashlib

import numpy as np

from data.augment import Augment
from data.images import load
from data.loader import Loader
from data.splits import search_split
from oneshot.errors import ConfigError
from oneshot.search.settings import augments

_TRAIN, _VALID, _EVALUATION = range(3)  # streams of random numbers


class Feed:
    """The two halves of a data set, and their batches.

    >>> feed = Feed("digits")
    >>> len(feed.train_indices), len(feed.val_indices), feed.classes
    (721, 721, 10)

    As in NAS-Bench-201's searches (Dong & Yang 2020, arXiv:2001.00326), both halves are augmented alike while
    a search trains; what is evaluated is not.
    """

    def __init__(self, dataset, seed=0, split_list=None, folder=None, download=False):
        train = load(dataset, folder, download=download)
        split = search_split(dataset, len(train), seed, split_list)
        valid = load_test(train, folder, download) if split.from_test else train
        self.train_indices, self.val_indices = split.train, split.valid
        self.classes = len(train.classes)
        self.size = train.pixels.shape[1:3]  # height, width
        self._train, self._valid = train, valid
        self._seed = seed
        self._random = augments(dataset)

    def halves(self, batch, device):
        """The Loaders that a search steps through: training, validation.

        Validation batches all have `batch` images: a short last one is skipped. (The code of Liu et al. 2019
        takes the first batch of a new order at each step, which is a full one too.) An epoch of training can
        end with a short batch, unless that has one image.
        """
        augment = Augment.training(self._train) if self._random else Augment.evaluation(self._train)
        return (
            self._loader(self._train, self.train_indices, batch, augment, device, _TRAIN),
            self._loader(self._valid, self.val_indices, batch, augment, device, _VALID, drop_last=True),
        )

    def evaluation(self, batch, device):
        """The Batches of the validation half, not augmented: the same, in the same mixed order, each time."""
        augment = Augment.evaluation(self._valid)
        loader = self._loader(self._valid, self.val_indices, batch, augment, device, _EVALUATION)
        return Batches(loader)

    def _loader(self, images, indices, batch, augment, device, stream, drop_last=False):
        # A last batch of one image has no statistics to normalize by.
        return Loader(
            images,
            indices,
            batch=batch,
            augment=augment,
            device=device,
            seed=3 * self._seed + stream,
            drop_last=drop_last or len(indices) % batch == 1,
        )

    def facts(self):
        """What tells these images and halves from others, a dict of plain values."""
        digest = hashlib.sha256()
        for array in (self._train.pixels, self._train.labels, self.train_indices, self.val_indices):
            digest.update(np.ascontiguousarray(array))
        if self._valid is not self._train:
            digest.update(np.ascontiguousarray(self._valid.pixels))
            digest.update(np.ascontiguousarray(self._valid.labels))
        return {
            "classes": self.classes,
            "height": self.size[0],
            "width": self.size[1],
            "train_images": len(self.train_indices),
            "val_images": len(self.val_indices),
            "sha256": digest.hexdigest(),
        }


def load_test(train, folder=None, download=False):
    """The test images of the data set of training Images; ConfigError unless they are of the same kind."""
    test = load(train.name, folder, train=False, download=download)
    if test.classes != train.classes or test.pixels.shape[1:] != train.pixels.shape[1:]:
        raise ConfigError(f"the test images of {train.name} are not of the training images' classes and size")
    return test


class Batches:
    """The batches (images, labels) of a Loader's first epoch, each time it is gone through."""

    def __init__(self, loader):
        self._loader = loader

    def __len__(self):
        return len(self._loader)

    def __iter__(self):
        return self._loader.epoch(0)
