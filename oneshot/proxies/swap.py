"""SWAP: the number of distinct activation patterns of a network on a batch."""

import numpy as np
from numpy.typing import NDArray
from torch import nn

from oneshot.proxies.batch import Batch
from oneshot.proxies.passes import passes


def swap(network: nn.Module, batch: Batch) -> float:
    """Return the number of distinct sample-wise activation patterns.

    The pattern of a ReLU is the set of images for which it is active. The score is at least 1 if the network
    has a ReLU.

    References
    ----------
    Peng et al. 2024, arXiv:2403.04161, definitions 3.1 to 3.3.
    """
    batch.need_labels("swap")
    return float(_distinct(passes(network, batch).codes.patterns))


def _distinct(patterns: NDArray[np.int64]) -> int:
    """Return the number of distinct rows of a few numbers below 2^24 each."""
    first, *others = patterns.T
    for column in others:
        further, places = np.unique(column, return_inverse=True)
        _, first = np.unique(first, return_inverse=True)
        first = first * len(further) + places
    return len(np.unique(first))
