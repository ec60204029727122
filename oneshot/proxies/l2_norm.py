"""Norms of weights."""

from torch import nn

from oneshot.proxies.batch import Batch
from oneshot.proxies.passes import passes


def l2_norm(network: nn.Module, batch: Batch) -> float:
    """Return the sum over layers of the Euclidean norm of the weights, a baseline that needs no data.

    References
    ----------
    Abdelfattah et al. 2021, arXiv:2101.08134, section 3.
    """
    return float(sum(weight.detach().norm().item() for weight in passes(network, batch).weights))
