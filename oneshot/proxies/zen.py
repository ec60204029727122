"""How strongly a network with random weights responds to a small change of its input."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from oneshot.compile.folding import folded_norm
from oneshot.proxies.batch import Batch
from oneshot.proxies.tracing import Tracer

_ALPHA = 1e-2  # the size of the change, algorithm 1
_LEAST = 1e-10  # response; of a network that passes no information


def zen(network: nn.Module, batch: Batch) -> float:
    """Return the Zen-score, the logarithm of the response with the scales of normalization put back.

    Lin et al. 2021, arXiv:2102.01063, algorithm 1: with normal weights, for a normal input x and another one
    e, the mean over images of the sum of |f(x) - f(x + 0.01 e)|, where f ends before the global pool; to its
    logarithm that of each normalization's scale is added, the root of the mean variance of its channels.
    As normalization does, the variance is taken plus its eps; a response counts as at least 1e-10. So a
    network that passes no information has a finite score: about -23 + sum of log(sqrt(eps)).
    """
    generator = batch.generator()
    dtype = next(network.parameters()).dtype
    x, change = (
        torch.randn(batch.images.shape, generator=generator, dtype=dtype).contiguous(
            memory_format=torch.channels_last
        )
        for _ in range(2)
    )
    weights: list[Tensor] = []
    with torch.no_grad():
        first, second = _Gaussian(weights, generator), _Gaussian(weights)
        first.run(network, x)
        second.run(network, x + _ALPHA * change)
        response = (first.response - second.response).abs().flatten(1).sum(1).mean().item()
    return math.log(max(response, _LEAST)) + sum(map(math.log, first.scales))


class _Gaussian(Tracer):
    """A pass with normal weights, without biases; normalization has no learned scale and shift."""

    def __init__(self, weights: list[Tensor], generator: torch.Generator | None = None) -> None:
        """`weights`: of an earlier pass; with a `generator`, they are drawn and appended."""
        super().__init__()
        #: The scale of each normalization.
        self.scales: list[float] = []
        self._weights, self._generator, self._layers = weights, generator, 0

    def layer(self, x: Tensor, weight: Tensor, compute: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        if self._generator is not None:
            drawn = torch.randn(weight.shape, generator=self._generator, dtype=weight.dtype)
            self._weights.append(drawn)
        self._layers += 1
        return compute(x, self._weights[self._layers - 1])

    def bias(self, bias: Tensor | None) -> Tensor | None:
        return None

    def norm(self, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
        statistics = x.new_zeros(x.shape[1]), x.new_zeros(x.shape[1])
        out = folded_norm(x, statistics, None, None, 1.0, eps)
        count = x.numel() // x.shape[1]
        self.scales.append(math.sqrt(statistics[1].mean().item() * (count - 1) / count + eps))
        return out
