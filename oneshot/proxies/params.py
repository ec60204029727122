"""Number of parameters."""

from torch import nn

from oneshot.proxies.batch import Batch


def params(network: nn.Module, batch: Batch) -> float:
    """Return the number of trainable parameters in millions, as the metric `params`.

    It is a baseline for other proxies.

    References
    ----------
    Ning et al. 2021, arXiv:2008.03064, section 5.
    """
    return sum(parameter.numel() for parameter in network.parameters()) / 1e6
