import hashlib

import numpy as np
import pytest
from sklearn.datasets import load_digits

from data.images import load


def test_every_image_is_in_one_part():
    digits = load_digits()
    whole = {image.tobytes() for image in np.rint(digits.images * 255 / 16).astype(np.uint8)}
    train, test = load("digits"), load("digits", train=False)
    assert (len(train), len(test)) == (1442, 355)
    parts = [{image[..., 0].copy().tobytes() for image in part.pixels} for part in (train, test)]
    assert not parts[0] & parts[1]
    assert parts[0] | parts[1] == whole
    assert (np.bincount(train.labels) + np.bincount(test.labels)).tolist() == np.bincount(
        digits.target
    ).tolist()


def test_the_split_is_fixed_and_stratified():
    train, test = load("digits"), load("digits", train=False)
    assert np.bincount(test.labels).tolist() == [35, 36, 35, 36, 36, 36, 36, 35, 34, 36]
    assert hashlib.sha256(train.pixels.tobytes() + train.labels.tobytes()).hexdigest() == (
        "5af839ab001f9ee446754bff657372d15e19e7f9ba868342e223ca09e6395a82"
    )
    assert hashlib.sha256(test.pixels.tobytes() + test.labels.tobytes()).hexdigest() == (
        "4866e768d0022573050669b75ca6f072cff614d5abd664cde03f52b86ed11b15"
    )


def test_values_are_bytes_in_three_equal_channels():
    train = load("digits")
    assert train.pixels.min() == 0
    assert train.pixels.max() == 255
    assert (train.pixels == train.pixels[..., :1]).all()
    assert train.classes == tuple("0123456789")
    assert not train.mirrors


def test_statistics_are_those_of_the_training_images():
    train, test = load("digits"), load("digits", train=False)
    assert train.statistics == test.statistics
    assert train.statistics.mean == pytest.approx([77.84] * 3, abs=0.005)
    assert train.statistics.std == pytest.approx([95.88] * 3, abs=0.005)
