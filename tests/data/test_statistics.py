import math

import numpy as np
import pytest

from data.errors import InvalidArgumentError
from data.statistics import PUBLISHED, Statistics, measure
from tests.data import archives


def test_measured_statistics_are_numpys():
    pixels = archives.pixels(1500, 8)
    values = pixels.reshape(-1, 3).astype(np.float64)
    statistics = measure(pixels)
    np.testing.assert_allclose(statistics.mean, values.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(statistics.std, values.std(axis=0), rtol=1e-12)


def test_a_channel_of_one_value_is_divided_by_one():
    pixels = archives.pixels(3, 8)
    pixels[..., 1] = 9
    assert measure(pixels).std[1] == 1
    assert measure(pixels).mean[1] == 9


def test_published_statistics_are_in_pixel_values():
    for statistics in PUBLISHED.values():
        assert statistics.checked() == statistics
        assert all(50 < value < 150 for values in statistics for value in values)


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ((1, 2), (1, 2, 3)),
        ((1, 2, 3), (1, 2, 3, 4)),
        ((-1, 2, 3), (1, 2, 3)),
        ((1, 2, 256), (1, 2, 3)),
        ((1, 2, 3), (1, 0, 3)),
        ((1, 2, 3), (1, math.nan, 3)),
        ((math.nan, 2, 3), (1, 2, 3)),
        ((1, 2, 3), (1, 2, 300)),
    ],
)
def test_what_cannot_normalize_is_refused(mean, std):
    with pytest.raises(
        InvalidArgumentError, match=r"three means in \[0, 255\] and three standard deviations in"
    ):
        Statistics(mean, std).checked()
