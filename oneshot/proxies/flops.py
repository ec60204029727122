"""Multiply-adds."""

from torch import nn

from oneshot.proxies.batch import Batch
from oneshot.proxies.passes import passes


def flops(network: nn.Module, batch: Batch) -> float:
    """Return the multiply-adds of convolutions and linear layers for one image, in millions.

    It is a baseline for other proxies.

    References
    ----------
    Ning et al. 2021, arXiv:2008.03064, section 5.
    """
    return passes(network, batch).forward.multiply_adds / 1e6
