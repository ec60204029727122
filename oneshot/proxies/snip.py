"""SNIP: the importance of weights for the loss."""

from torch import nn

from oneshot.proxies.batch import Batch
from oneshot.proxies.passes import passes


def snip(network: nn.Module, batch: Batch) -> float:
    """Return the sum over weights of the absolute product of weight and gradient of the loss.

    References
    ----------
    Lee et al. 2019, arXiv:1810.02340, equation 3 without normalization; as a score of networks, Abdelfattah
    et al. 2021, arXiv:2101.08134, equation 1.
    """
    shared = passes(network, batch)
    pairs = zip(shared.weights, shared.gradients("snip").weights, strict=True)
    return float(sum((weight.detach() * gradient).abs().sum().item() for weight, gradient in pairs))
