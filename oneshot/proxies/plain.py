"""The products of weights and gradients, signs included."""

from torch import nn

from oneshot.proxies.batch import Batch
from oneshot.proxies.passes import passes


def plain(network: nn.Module, batch: Batch) -> float:
    """Return the sum over weights of weight times gradient of the loss.

    Mozer & Smolensky 1988, as Abdelfattah et al. 2021, arXiv:2101.08134, use it as a baseline. A convolution
    that normalization follows adds 0, because the loss does not depend on its scale; what is left comes from
    the shortcuts and the classifier.
    """
    own = passes(network, batch)
    pairs = zip(own.weights, own.gradients("plain").weights, strict=True)
    return float(sum((weight.detach() * gradient).sum().item() for weight, gradient in pairs))
