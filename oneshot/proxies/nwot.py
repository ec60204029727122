"""How many ReLUs tell the images of a batch apart."""

import numpy as np
from torch import nn

from oneshot.proxies.batch import Batch
from oneshot.proxies.passes import passes


def nwot(network: nn.Module, batch: Batch) -> float:
    """Return the logarithm of the determinant of the kernel of the ReLUs' binary codes.

    Mellor et al. 2021, arXiv:2006.04647, equations 2 and 3: the kernel of two images is the number of ReLUs
    that are active, or inactive, for both. It is a matrix of integers, so the determinant is 0, as of a
    network that passes no information, or its logarithm is at least 0; the score of a determinant of 0 is 0.
    """
    batch.need_labels("nwot")
    kernel = passes(network, batch).codes.kernel
    sign, logarithm = np.linalg.slogdet(kernel)
    return max(float(logarithm), 0.0) if sign > 0 else 0.0
