"""Mean and standard deviation of the channels of images: published values and measurement."""

from typing import NamedTuple

import numpy as np

from data.arrays import Pixels
from data.errors import InvalidArgumentError


class Statistics(NamedTuple):
    """Mean and standard deviation of red, green and blue, in pixel values 0..255."""

    #: means of the three channels
    mean: tuple[float, ...]
    #: standard deviations of the three channels
    std: tuple[float, ...]

    def checked(self) -> "Statistics":
        """Return the statistics as tuples of floats.

        Raises
        ------
        InvalidArgumentError
            If they cannot normalize pixels.
        """
        mean, std = (tuple(map(float, values)) for values in self)
        within = all(0 <= value <= 255 for value in mean) and all(0 < value <= 255 for value in std)
        if len(mean) != 3 or len(std) != 3 or not within:
            raise InvalidArgumentError(
                "statistics must be three means in [0, 255] and three standard deviations in (0, 255], one "
                f"per channel, got mean {mean} and std {std}"
            )
        return Statistics(mean, std)


#: published statistics by data set
PUBLISHED = {
    # NAS-Bench-201 (Dong & Yang 2020, arXiv:2001.00326)
    "cifar10": Statistics((125.3, 123.0, 113.9), (63.0, 62.1, 66.7)),
    "cifar100": Statistics((129.3, 124.1, 112.4), (68.2, 65.4, 70.4)),
    "imagenet16-120": Statistics((122.68, 116.66, 104.01), (63.22, 61.26, 65.09)),
    # its 60,000 training images (Xiao et al. 2017, arXiv:1708.07747): 0.2860 and 0.3530 of 255
    "fashion-mnist": Statistics((72.94,) * 3, (90.02,) * 3),
}


def measure(pixels: Pixels) -> Statistics:
    """Measure the exact statistics of images.

    The standard deviation of a constant channel is set to 1, to avoid a division by zero.

    Parameters
    ----------
    pixels
        Images, uint8, shape ``(N, H, W, 3)``.

    Returns
    -------
    Statistics
        Mean and standard deviation of the channels, in pixel values 0..255.
    """
    counts = np.zeros((3, 256), np.int64)
    for start in range(0, len(pixels), 1024):  # without a copy of all images
        for channel in range(3):
            counts[channel] += np.bincount(pixels[start : start + 1024, ..., channel].ravel(), minlength=256)
    values = np.arange(256)
    mean = counts @ values / counts.sum(axis=1)
    variance = (counts * (values - mean[:, None]) ** 2).sum(axis=1) / counts.sum(axis=1)
    std = np.sqrt(np.where(variance > 0, variance, 1))
    return Statistics(tuple(mean.tolist()), tuple(std.tolist()))
