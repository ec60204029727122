"""Handwritten digits in scikit-learn, a data set that needs no download."""

import random
from importlib.metadata import distribution

import numpy as np

from data.sources.source import Part, Source, needing

_SEED = 0
_FILE = "sklearn/datasets/data/digits.csv.gz"  # per image, 64 values and the label


class Digits(Source):
    """Reader of 1,797 handwritten digits of 8x8 pixels; all channels have the grey value.

    The data set has no published split. This one is fixed: the positions of each class, from 0 to 9, are
    shuffled by one `random.Random(0)`. The first fifth (rounded down) is for testing, the rest for training,
    which gives 355 and 1,442 images; both parts keep the order of the data set. Values 0..16 are scaled to
    0..255 and rounded. The training images have mean 77.84 and standard deviation 95.88.

    Source: Alpaydin & Kaynak, Optical Recognition of Handwritten Digits, UCI 1998.
    """

    mirrors = False

    def read(self, train: bool) -> Part:
        with needing("scikit-learn"):  # the file is read without importing it, which saves a second
            path = distribution("scikit-learn").locate_file(_FILE)
        rows = np.loadtxt(str(path), delimiter=",")
        images, labels = rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(np.int64)
        rng = random.Random(_SEED)
        test = np.zeros(len(labels), bool)
        for label in range(10):
            positions = np.flatnonzero(labels == label).tolist()
            rng.shuffle(positions)
            test[positions[: len(positions) // 5]] = True
        chosen = test ^ train
        grey = np.rint(images[chosen] * (255 / 16)).astype(np.uint8)
        return Part(np.repeat(grey[..., None], 3, axis=-1), labels[chosen], tuple("0123456789"))
