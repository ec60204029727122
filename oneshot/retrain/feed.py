"""What a retraining is fed: training images, and those that the network is tested on."""

import hashlib

import numpy as np

from data.augment import Augment
from data.images import load
from data.loader import Loader
from data.splits import search_split
from oneshot.training.images import load_test


class Feed:
    """The images that a network is trained on, and those that it is tested on.

    >>> feed = Feed("digits", "full")
    >>> feed.train_count, feed.test_count, feed.classes, feed.size
    (1442, 355, 10, (8, 8))

    `split`: "full" for all training images and the test images, "half" for the halves of a search, whose
    images these are then: for cifar100 and imagenet16-120 all training images, and half of the test images.
    """

    def __init__(self, dataset, split, seed=0, split_list=None, folder=None, download=False):
        train = load(dataset, folder, download=download)
        if split == "full":
            from_test, self._train_indices, self._test_indices = True, None, None
        else:
            self._train_indices, self._test_indices, from_test = search_split(
                dataset, len(train), seed, split_list
            )
        test = load_test(train, folder, download) if from_test else train
        self.classes = len(train.classes)
        self.size = train.pixels.shape[1:3]  # height, width
        self.train_count = len(train) if self._train_indices is None else len(self._train_indices)
        self.test_count = len(test) if self._test_indices is None else len(self._test_indices)
        self._train, self._test = train, test
        self._seed = seed

    def train(self, batch, augment, cutout, device, part=(0, 1)):
        """A Loader of the training images; `augment`: whether they are cropped and mirrored at random.

        `part`: of each batch, as of a Loader.
        """
        images = self._train
        transform = Augment.training(images, cutout) if augment else Augment(images.statistics, cutout=cutout)
        return Loader(
            images,
            self._train_indices,
            batch=batch,
            augment=transform,
            device=device,
            seed=self._seed,
            # A last batch of one image has no statistics to normalize by.
            drop_last=self.train_count % batch == 1,
            part=part,
        )

    def test(self, batch, device, part=(0, 1)):
        """A Loader of the images that are tested, in their order, not augmented."""
        return Loader(
            self._test,
            self._test_indices,
            batch=min(batch, self.test_count),
            augment=Augment.evaluation(self._test),
            device=device,
            shuffle=False,
            part=part,
        )

    def facts(self):
        """What tells these images from others, a dict of plain values."""
        digest = hashlib.sha256()
        for images, indices in ((self._train, self._train_indices), (self._test, self._test_indices)):
            for array in (images.pixels, images.labels, indices):
                if array is not None:
                    digest.update(np.ascontiguousarray(array))
        return {
            "classes": self.classes,
            "height": self.size[0],
            "width": self.size[1],
            "train_images": self.train_count,
            "test_images": self.test_count,
            "sha256": digest.hexdigest(),
        }
