"""Jacobian covariance: correlations of the responses of a network to the images of a batch."""

import numpy as np
from torch import nn

from oneshot.proxies.batch import Batch
from oneshot.proxies.correlation import correlations
from oneshot.proxies.passes import passes

_K = 1e-5  # the paper's constant for numerical stability


def jacov(network: nn.Module, batch: Batch) -> float:
    """Return a score of the correlations of the batch's Jacobians, which is highest without correlation.

    The score is minus the sum of log(v + k) + 1 / (v + k) over the eigenvalues v of the correlation matrix. A
    network that passes no information has the lowest score, because all correlations are 1.

    References
    ----------
    Mellor et al. 2020, arXiv:2006.04647, version 1, equation 3.
    """
    batch.need_labels("jacov")
    values = np.linalg.eigvalsh(correlations(passes(network, batch).input_gradients)).clip(0) + _K
    return -float((np.log(values) + 1 / values).sum())
