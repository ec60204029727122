"""Zen-NAS: the response of a network with random weights to a small change of its input."""

import math
from collections.abc import Callable
from itertools import count

import torch
from torch import Tensor, nn

from oneshot.compile.folding import folded_norm
from oneshot.proxies.batch import Batch
from oneshot.proxies.tracing import Tracer

_ALPHA = 1e-2  # size of the change, algorithm 1
_MOMENTUM = 0.1  # torch's default, which the authors use
_MIN_RESPONSE = 1e-10  # response of a network that passes no information


def zen(network: nn.Module, batch: Batch) -> float:
    """Return the Zen-score: the logarithm of the response, compensated for the scales of normalizations.

    Weights, images x and changes e have normal distributions. The response is the mean over images of the sum
    of |f(x) - f(x + 0.01 e)|, where f is the network up to the global pool. Its logarithm is increased by the
    logarithm of each normalization's scale, the root of the mean variance of its channels.

    As in the authors' code, variances are running variances after both passes: they start at 1 and move a
    tenth of the way to the variance of the batch in each pass. The response is at least 1e-10, so the score
    of a network that passes no information is finite.

    References
    ----------
    Lin et al. 2021, arXiv:2102.01063, algorithm 1.
    """
    generator = batch.generator()
    dtype = next(network.parameters()).dtype
    x, change = (
        torch.randn(batch.images.shape, generator=generator, dtype=dtype).contiguous(
            memory_format=torch.channels_last
        )
        for _ in range(2)
    )
    sampled = _Sampled(generator)
    with torch.no_grad():
        outputs = []
        for images in (x, x + _ALPHA * change):
            tracer = _Gaussian(sampled)
            tracer.run(network, images)
            outputs.append(tracer.response)
    response = (outputs[0] - outputs[1]).abs().flatten(1).sum(1).mean().item()
    scales = (variance.mean().sqrt().item() for _, variance in sampled.statistics)
    return math.log(max(response, _MIN_RESPONSE)) + sum(map(math.log, scales))


class _Sampled:
    """Weights of all layers, sampled on first use, and running statistics of all normalizations."""

    def __init__(self, generator: torch.Generator) -> None:
        self.weights: list[Tensor] = []
        #: running mean and variance of each normalization
        self.statistics: list[tuple[Tensor, Tensor]] = []
        self._generator = generator

    def weight(self, number: int, like: Tensor) -> Tensor:
        """Return the weights of the `number`-th layer, of the shape of `like`."""
        if number == len(self.weights):
            self.weights.append(torch.randn(like.shape, generator=self._generator, dtype=like.dtype))
        return self.weights[number]

    def running(self, number: int, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the running mean and variance of the `number`-th normalization, whose input is x."""
        if number == len(self.statistics):
            self.statistics.append((x.new_zeros(x.shape[1]), x.new_ones(x.shape[1])))
        return self.statistics[number]


class _Gaussian(Tracer):
    """A pass with normal weights, without biases and without learned scales and shifts."""

    def __init__(self, sampled: _Sampled) -> None:
        super().__init__()
        self._sampled, self._layers, self._norms = sampled, count(), count()

    def layer(self, x: Tensor, weight: Tensor, compute: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        return compute(x, self._sampled.weight(next(self._layers), weight))

    def bias(self, bias: Tensor | None) -> Tensor | None:
        return None

    def norm(self, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
        return folded_norm(x, self._sampled.running(next(self._norms), x), None, None, _MOMENTUM, eps)
