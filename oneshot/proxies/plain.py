"""Plain: signed products of weights and gradients."""

from torch import nn

from oneshot.proxies.batch import Batch
from oneshot.proxies.passes import passes


def plain(network: nn.Module, batch: Batch) -> float:
    """Return the sum over weights of weight times gradient of the loss.

    A convolution followed by normalization contributes 0, because the loss does not depend on its scale. Only
    shortcuts and the classifier contribute.

    References
    ----------
    Mozer & Smolensky 1988; as a baseline, Abdelfattah et al. 2021, arXiv:2101.08134.
    """
    shared = passes(network, batch)
    pairs = zip(shared.weights, shared.gradients("plain").weights, strict=True)
    return float(sum((weight.detach() * gradient).sum().item() for weight, gradient in pairs))
