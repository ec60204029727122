"""Norms of the gradients of weights."""

from torch import nn

from oneshot.proxies.batch import Batch
from oneshot.proxies.passes import passes


def grad_norm(network: nn.Module, batch: Batch) -> float:
    """Return the sum over layers of the norm of the loss's gradient with respect to the weights.

    References
    ----------
    Abdelfattah et al. 2021, arXiv:2101.08134, section 3.1.
    """
    gradients = passes(network, batch).gradients("grad_norm").weights
    return float(sum(gradient.norm().item() for gradient in gradients))
