"""Forward and backward passes that several proxies share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property, partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from oneshot.proxies.batch import Batch
from oneshot.proxies.tracing import Tracer

_CHUNK = 24  # bits that float32 represents exactly
_SHARED: ContextVar["list[Passes] | None"] = ContextVar("passes", default=None)


def passes(network: nn.Module, batch: Batch) -> "Passes":
    """Return the passes of a network on a batch, which proxies within `sharing` share."""
    shared = _SHARED.get()
    if shared is None:
        return Passes(network, batch)
    if not shared or shared[0].network is not network or shared[0].batch is not batch:
        shared[:] = [Passes(network, batch)]
    return shared[0]


@contextmanager
def sharing() -> Iterator[None]:
    """Let proxies within the block share passes; network and batch must not change in it."""
    token = _SHARED.set([])
    try:
        yield
    finally:
        _SHARED.reset(token)


class Gradients(NamedTuple):
    """Gradients of the loss of a batch."""

    #: gradient with respect to each weight
    weights: list[Tensor]
    #: for each layer, its output times the output's gradient, summed over pixels, ``(N, C)``, and its weight
    outputs: list[tuple[Tensor, Tensor]]


class Codes(NamedTuple):
    """Binary codes: which ReLUs are active for which images of a batch."""

    #: number of ReLUs that are active for both or inactive for both of two images, ``(N, N)``
    kernel: NDArray[np.float64]
    #: images for which each ReLU is active, as bits, 24 images per number, ``(units, ceil(N / 24))``; ReLUs
    #: with the same input are listed once
    patterns: NDArray[np.int64]


class Passes:
    """Forward and backward passes of a network on a batch, each computed on first use.

    The list `weights` has the weights of all convolutions and linear layers.
    """

    def __init__(self, network: nn.Module, batch: Batch) -> None:
        self.network, self.batch = network, batch
        layers = (module for module in network.modules() if isinstance(module, (nn.Conv2d, nn.Linear)))
        self.weights = [layer.weight for layer in layers]
        self._gradients: Gradients | None = None

    @cached_property
    def images(self) -> Tensor:
        """The images in the dtype of the weights; they require gradients."""
        dtype = self.weights[0].dtype if self.weights else self.batch.images.dtype
        images = self.batch.images.detach().to(dtype)
        return images.contiguous(memory_format=torch.channels_last).requires_grad_()

    @cached_property
    def forward(self) -> "Recorder":
        """The forward pass."""
        recorder = Recorder(self.network)
        with torch.enable_grad():
            recorder.logits = recorder.run(self.network, self.images)
        recorder.close()
        return recorder

    @cached_property
    def input_gradients(self) -> NDArray[np.float64]:
        """Gradient of the sum of the logits with respect to the images, shape ``(N, pixels)``."""
        (gradient,) = torch.autograd.grad(
            self.forward.logits.sum(), self.images, retain_graph=True, materialize_grads=True
        )
        return gradient.permute(0, 2, 3, 1).flatten(1).double().numpy()  # in the order of memory

    def gradients(self, name: str) -> Gradients:
        """Return the gradients; raise ProxyError for the proxy `name` if there are no labels."""
        labels = self.batch.need_labels(name)
        if self._gradients is None:
            forward = self.forward
            loss = F.cross_entropy(forward.logits, labels)
            with forward.recording() as outputs:
                weights = torch.autograd.grad(loss, self.weights, retain_graph=True, materialize_grads=True)
            self._gradients = Gradients(list(weights), outputs)
        return self._gradients

    @cached_property
    def codes(self) -> Codes:
        """Binary codes of the batch."""
        count = len(self.images)
        chunks = torch.zeros(-(-count // _CHUNK), count)
        for image in range(count):
            chunks[image // _CHUNK, image] = 2.0 ** (image % _CHUNK)
        kernel, patterns = torch.zeros(count, count, dtype=torch.float64), []
        for activation, uses in zip(self.forward.activations, self.forward.uses, strict=True):
            # units in memory order, because their order does not matter
            units = activation.detach().permute(0, 2, 3, 1) if activation.dim() == 4 else activation.detach()
            active = units.flatten(1).sign().float()
            both = (active @ active.T).double()  # exact, because all integers are below 2^24
            count_active = both.diagonal()
            kernel += uses * (active.shape[1] - count_active[:, None] - count_active + 2 * both)
            patterns.append((chunks @ active).T)
        empty = torch.empty(0, len(chunks))
        return Codes(kernel.numpy(), torch.cat([empty, *patterns]).long().numpy())

    def release(self) -> None:
        """Free the memory of the forward pass, which is repeated if needed again."""
        self.__dict__.pop("forward", None)

    def block_gradients(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield random signs at each block's output and their gradients at the previous block's output.

        Blocks are in reverse order. The gradient is None if a block does not depend on the previous one.
        """
        generator = self.batch.generator()
        for before, after in reversed(list(pairwise(self.forward.blocks))):
            signs = torch.randint(0, 2, after.shape, generator=generator).to(after.dtype) * 2 - 1
            (gradient,) = torch.autograd.grad(after, before, signs, retain_graph=True, allow_unused=True)
            yield signs, gradient


class Recorder(Tracer):
    """A forward pass that records outputs of layers, ReLUs and blocks."""

    logits: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        #: outputs of the network's children that are images, in order
        self.blocks: list[Tensor] = []
        #: outputs of convolutions, in order, detached
        self.features: list[Tensor] = []
        #: distinct outputs of ReLUs, detached
        self.activations: list[Tensor] = []
        #: multiply-adds for one image
        self.multiply_adds = 0
        #: number of ReLUs with each of the activations as output
        self.uses: list[int] = []
        self._places: dict[int, int] = {}  # numbers of activations, by id
        self._biased = False  # whether the current layer has a bias
        self._lists: list[list[tuple[Tensor, Tensor]]] = []  # collect outputs times gradients
        self._hooks = [part.register_forward_hook(self._keep) for part in network.children()]

    def close(self) -> None:
        """Remove the hooks from the network."""
        for hook in self._hooks:
            hook.remove()

    @contextmanager
    def recording(self) -> Iterator[list[tuple[Tensor, Tensor]]]:
        """Collect outputs times gradients of a backward pass within the block."""
        outputs: list[tuple[Tensor, Tensor]] = []
        self._lists.append(outputs)
        try:
            yield outputs
        finally:
            self._lists.clear()

    def layer(self, x: Tensor, weight: Tensor, compute: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        out = compute(x, weight)
        self.multiply_adds += out[0].numel() * (weight[0].numel() + self._biased)
        if out.dim() == 4:
            self.features.append(out.detach())
        if out.requires_grad:
            # a hook that referred to the recorder, which holds the logits, would keep the pass forever
            collect = partial(_collect, self._lists, out.detach(), weight)
            out.register_hook(collect)  # type: ignore[no-untyped-call]  # torch's
        return out

    def bias(self, bias: Tensor | None) -> Tensor | None:
        self._biased = bias is not None
        return bias

    def activation(self, out: Tensor, fresh: bool) -> None:
        if fresh:
            self._places[id(out)] = len(self.activations)
            self.activations.append(out.detach())
            self.uses.append(0)
        self.uses[self._places[id(out)]] += 1

    def _keep(self, module: nn.Module, inputs: object, out: object) -> None:
        if isinstance(out, Tensor) and out.dim() == 4:
            self.blocks.append(out)


def _collect(lists: list[list[tuple[Tensor, Tensor]]], out: Tensor, weight: Tensor, gradient: Tensor) -> None:
    for outputs in lists:
        product = out * gradient
        outputs.append((product.sum((2, 3)) if product.dim() == 4 else product, weight))
