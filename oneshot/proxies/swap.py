"""How many different patterns the units of a network show over a batch."""

import numpy as np
from numpy.typing import NDArray
from torch import nn

from oneshot.proxies.batch import Batch
from oneshot.proxies.passes import passes


def swap(network: nn.Module, batch: Batch) -> float:
    """Return the number of different sample-wise activation patterns.

    Peng et al. 2024, arXiv:2403.04161, definitions 3.1 to 3.3: the pattern of a ReLU is for which images of
    the batch it is active; the score is the number of patterns in the network, each counted once. At least 1
    if there is a ReLU.
    """
    batch.need_labels("swap")
    return float(_distinct(passes(network, batch).codes.patterns))


def _distinct(patterns: NDArray[np.int64]) -> int:
    """Return the number of different rows, each of a few numbers below 2^24."""
    first, *others = patterns.T
    for column in others:
        further, places = np.unique(column, return_inverse=True)
        _, first = np.unique(first, return_inverse=True)
        first = first * len(further) + places
    return len(np.unique(first))
