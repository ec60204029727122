"""SynFlow: the synaptic flow through the weights of a network."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from oneshot.proxies.batch import Batch
from oneshot.proxies.tracing import Tracer


def synflow(network: nn.Module, batch: Batch) -> float:
    """Return the logarithm of 1 plus the sum over weights of their synaptic flow.

    The flow is weight times gradient of the sum of the outputs for an image of ones, in the network with
    absolute weights and without normalization. It is computed in float64, because the flow through many
    layers is large. The score is 0 for a network that passes no information.

    References
    ----------
    Tanaka et al. 2020, arXiv:2006.05467, equation 2; as a score of networks, Abdelfattah et al. 2021,
    arXiv:2101.08134, equation 1.
    """
    tracer = _Absolute()
    ones = torch.ones(1, *batch.images.shape[1:], dtype=torch.float64)
    with torch.enable_grad():
        total = tracer.run(network, ones).sum()
    if not total.requires_grad:
        return 0.0
    gradients = torch.autograd.grad(total, tracer.weights, materialize_grads=True)
    pairs = zip(tracer.weights, gradients, strict=True)
    return math.log1p(sum((weight.detach() * gradient).sum().item() for weight, gradient in pairs))


class _Absolute(Tracer):
    """A pass with absolute weights in float64, without biases and normalization."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[Tensor] = []

    def layer(self, x: Tensor, weight: Tensor, compute: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        self.weights.append(weight.detach().abs().double().requires_grad_())
        return compute(x, self.weights[-1])

    def norm(self, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
        return x

    def bias(self, bias: Tensor | None) -> Tensor | None:
        return None
