"""The handwritten digits that come with scikit-learn: a data set that needs no download."""

import random

import numpy as np

from data.sources.source import Part, Source, needing

_SEED = 0


class Digits(Source):
    """The reader of 1,797 handwritten digits of 8x8 pixels; the grey value is in all channels.

    The set has no published split. Ours, fixed: the positions of each class, 0 to 9 in turn, are shuffled by
    one random.Random(0), the first fifth (rounded down) is for testing and the rest for training; either part
    is in the order of the set. That is 1,442 and 355 images. Values 0..16 are scaled to 0..255 and rounded.
    The training images have a mean of 77.84 and a standard deviation of 95.88.
    Source: Alpaydin & Kaynak, Optical Recognition of Handwritten Digits, UCI 1998.
    """

    mirrors = False

    def read(self, train: bool) -> Part:
        with needing("scikit-learn"):
            from sklearn.datasets import load_digits
        digits = load_digits()
        labels = digits.target.astype(np.int64)
        rng = random.Random(_SEED)
        test = np.zeros(len(labels), bool)
        for label in range(10):
            positions = np.flatnonzero(labels == label).tolist()
            rng.shuffle(positions)
            test[positions[: len(positions) // 5]] = True
        chosen = test ^ train
        grey = np.rint(digits.images[chosen] * (255 / 16)).astype(np.uint8)
        return Part(np.repeat(grey[..., None], 3, axis=-1), labels[chosen], tuple("0123456789"))
