"""NWOT: how well the ReLUs of a network separate the images of a batch."""

import numpy as np
from torch import nn

from oneshot.proxies.batch import Batch
from oneshot.proxies.passes import passes


def nwot(network: nn.Module, batch: Batch) -> float:
    """Return the log-determinant of the kernel of the ReLUs' binary codes; 0 if the determinant is 0.

    The kernel of two images is the number of ReLUs that are active for both or inactive for both. The
    determinant is 0 for a network that passes no information; otherwise it is at least 1, because the kernel
    is a matrix of integers.

    References
    ----------
    Mellor et al. 2021, arXiv:2006.04647, equations 2 and 3.
    """
    batch.need_labels("nwot")
    kernel = passes(network, batch).codes.kernel
    sign, logarithm = np.linalg.slogdet(kernel)
    return max(float(logarithm), 0.0) if sign > 0 else 0.0
