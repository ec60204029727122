"""How strongly a network with random weights responds to a small change of its input."""

import math
from collections.abc import Callable
from itertools import count

import torch
from torch import Tensor, nn

from oneshot.compile.folding import folded_norm
from oneshot.proxies.batch import Batch
from oneshot.proxies.tracing import Tracer

_ALPHA = 1e-2  # the size of the change, algorithm 1
_MOMENTUM = 0.1  # torch's default, which the authors use
_LEAST = 1e-10  # response; of a network that passes no information


def zen(network: nn.Module, batch: Batch) -> float:
    """Return the Zen-score, the logarithm of the response with the scales of normalization put back.

    Lin et al. 2021, arXiv:2102.01063, algorithm 1: with normal weights, for a normal input x and another one
    e, the mean over images of the sum of |f(x) - f(x + 0.01 e)|, where f ends before the global pool; to its
    logarithm that of each normalization's scale is added, the root of the mean variance of its channels. As
    in the authors' code, the variance is the running one after both passes: it starts at 1, and moves a tenth
    of the way to the batch's in each. A response counts as at least 1e-10, so the score of a network that
    passes no information is finite.
    """
    generator = batch.generator()
    dtype = next(network.parameters()).dtype
    x, change = (
        torch.randn(batch.images.shape, generator=generator, dtype=dtype).contiguous(
            memory_format=torch.channels_last
        )
        for _ in range(2)
    )
    drawn = _Drawn(generator)
    with torch.no_grad():
        outputs = []
        for images in (x, x + _ALPHA * change):
            tracer = _Gaussian(drawn)
            tracer.run(network, images)
            outputs.append(tracer.response)
    response = (outputs[0] - outputs[1]).abs().flatten(1).sum(1).mean().item()
    scales = (variance.mean().sqrt().item() for _, variance in drawn.statistics)
    return math.log(max(response, _LEAST)) + sum(map(math.log, scales))


class _Drawn:
    """The weights of all layers and the running statistics of all normalizations, drawn when first needed."""

    def __init__(self, generator: torch.Generator) -> None:
        self.weights: list[Tensor] = []
        #: Mean and variance of each normalization.
        self.statistics: list[tuple[Tensor, Tensor]] = []
        self._generator = generator

    def weight(self, number: int, like: Tensor) -> Tensor:
        """Return the weights of the `number`-th layer."""
        if number == len(self.weights):
            self.weights.append(torch.randn(like.shape, generator=self._generator, dtype=like.dtype))
        return self.weights[number]

    def running(self, number: int, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the running mean and variance of the `number`-th normalization, of images x."""
        if number == len(self.statistics):
            self.statistics.append((x.new_zeros(x.shape[1]), x.new_ones(x.shape[1])))
        return self.statistics[number]


class _Gaussian(Tracer):
    """A pass with normal weights, without biases; normalization has no learned scale and shift."""

    def __init__(self, drawn: _Drawn) -> None:
        super().__init__()
        self._drawn, self._layers, self._norms = drawn, count(), count()

    def layer(self, x: Tensor, weight: Tensor, compute: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        return compute(x, self._drawn.weight(next(self._layers), weight))

    def bias(self, bias: Tensor | None) -> Tensor | None:
        return None

    def norm(self, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
        return folded_norm(x, self._drawn.running(next(self._norms), x), None, None, _MOMENTUM, eps)
