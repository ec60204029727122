"""Kernels, except convolutions, norms, pools and sums, which have their own modules."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from oneshot import ops
from oneshot.compile.expr import Kernel
from oneshot.partial import shuffle

_SHOWN = 8  # numbers of a kernel in a printed plan


@dataclass(frozen=True)
class Relu(Kernel):
    """max(x, 0)."""

    text = "relu"
    #: whether it overwrites its input
    in_place: bool = False
    keeps_zero = True

    def __call__(self, x: Tensor) -> Tensor:
        return torch.relu_(x) if self.in_place else torch.relu(x)


@dataclass(frozen=True)
class DropPath(Kernel):
    """Drop path: in training, zero some images and scale up the others."""

    text = "drop path"
    #: the module, which samples the images
    module: ops.DropPath = field(compare=False)
    #: different for each use, because each use samples
    number: int
    #: whether it overwrites its input
    in_place: bool = False

    def __call__(self, x: Tensor) -> Tensor:
        mask = self.module.mask(x)
        if mask is None:
            return x
        return x.mul_(mask) if self.in_place else x * mask


@dataclass(frozen=True)
class Concat(Kernel):
    """Concatenation of channels."""

    text = "concatenation"

    def __call__(self, *tensors: Tensor) -> Tensor:
        return torch.cat(tensors, dim=1)


@dataclass(frozen=True)
class Every(Kernel):
    """Every `step`-th row and column."""

    #: first row and column
    start: tuple[int, ...]
    #: distance of rows and columns
    step: tuple[int, ...]

    def __call__(self, x: Tensor) -> Tensor:
        x = x[..., self.start[0] :: self.step[0], self.start[1] :: self.step[1]]
        return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x

    def after(self, other: "Every") -> "Every":
        """Return one kernel for another one followed by this one."""
        both = list(zip(other.start, other.step, self.start, self.step, strict=True))
        return Every(tuple(a + s * b for a, s, b, _ in both), tuple(s * t for _, s, _, t in both))

    def __str__(self) -> str:
        return f"every {self.step[0]}, {self.step[1]} from {self.start[0]}, {self.start[1]}"


@dataclass(frozen=True)
class Split(Kernel):
    """A sequence of parts of the channels, or of a vector."""

    #: size of each part
    sizes: tuple[int, ...]

    def __call__(self, x: Tensor) -> Sequence[Tensor]:
        parts = torch.split(x, list(self.sizes), dim=min(x.dim() - 1, 1))
        slow_to_add = x.dim() == 4 and x.device.type == "cpu" and x.dtype == torch.bfloat16
        if slow_to_add:
            return [part.contiguous(memory_format=torch.channels_last) for part in parts]
        return parts

    def __str__(self) -> str:
        return f"split {_listed(self.sizes)}"


@dataclass(frozen=True)
class First(Kernel):
    """The first of k equal parts of the channels."""

    #: number of parts
    k: int

    def __call__(self, x: Tensor) -> Tensor:
        x = x[:, : x.shape[1] // self.k]
        return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x

    def __str__(self) -> str:
        return f"first channels of {self.k}"


@dataclass(frozen=True)
class Repeat(Kernel):
    """All channels, repeated."""

    #: number of repetitions
    times: int

    def __call__(self, x: Tensor) -> Tensor:
        return torch.cat([x] * self.times, dim=1)

    def __str__(self) -> str:
        return f"{self.times} times the channels"


@dataclass(frozen=True)
class Shuffle(Kernel):
    """Channels that replace the first ones of another tensor, followed by a channel shuffle."""

    #: number of parts, as for `First`
    k: int

    def __call__(self, first: Tensor, x: Tensor) -> Tensor:
        x = shuffle(first, x, self.k)
        return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x

    def __str__(self) -> str:
        return f"shuffle by {self.k}"


@dataclass(frozen=True)
class Get(Kernel):
    """One tensor of a sequence."""

    #: position in the sequence
    number: int

    def __call__(self, tensors: Sequence[Tensor]) -> Tensor:
        return tensors[self.number]

    def __str__(self) -> str:
        return f"part {self.number}"


@dataclass(frozen=True)
class Zeros(Kernel):
    """Zeros of the tensor's shape, subsampled by a stride."""

    text = "zeros"
    #: distance of the rows and columns that are kept
    stride: int

    def __call__(self, x: Tensor) -> Tensor:
        return x[..., :: self.stride, :: self.stride] * 0.0


@dataclass(frozen=True)
class Combine(Kernel):
    """A custom function that combines a node's inputs; they are made contiguous because it may view them."""

    #: the function
    function: ops.Combination = field(compare=False)
    #: different for each call, because a function may have state
    number: int

    def __call__(self, *tensors: Tensor) -> Any:  # of any type
        return self.function([tensor.contiguous() for tensor in tensors])

    def __str__(self) -> str:
        return f"combine by {getattr(self.function, '__name__', type(self.function).__name__)}"


@dataclass(frozen=True)
class Call(Kernel):
    """A call of a module that has no rule."""

    #: the module
    module: nn.Module = field(compare=False)
    #: different for each call, because a module may have state
    number: int

    def __call__(self, *tensors: Tensor) -> Any:  # of any type
        parts = list(self.module.modules())
        if any(getattr(part, "inplace", False) for part in parts):
            tensors = tuple(tensor.clone() for tensor in tensors)  # other steps may need the input
        if not all(type(part).__module__.startswith(("torch.nn.", "oneshot.")) for part in parts):
            tensors = tuple(tensor.contiguous() for tensor in tensors)  # it may view them
        return self.module(*tensors)

    def __str__(self) -> str:
        return f"call {type(self.module).__name__}"


@dataclass(frozen=True)
class Join(Kernel):
    """The weights of all mixed edges, concatenated, and a last weight 1."""

    text = "all weights"

    def __call__(self, *weights: Tensor) -> Tensor:
        return torch.cat([*weights, weights[0].new_ones(1)])


@dataclass(frozen=True)
class Pick(Kernel):
    """Some of the joined weights, each repeated: shape (sum of sizes,), in float32 or float64."""

    #: numbers of the weights; -1 for the last weight, which is 1
    picks: tuple[int, ...]
    #: repetitions of each: the channels that it scales, or 1 for a term of a sum
    sizes: tuple[int, ...]

    def __call__(self, weights: Tensor) -> Tensor:
        weights = weights.to(torch.promote_types(weights.dtype, torch.float32))  # its gradient is a long sum
        indices = _indices.__wrapped__ if torch.compiler.is_compiling() else _indices
        return weights.index_select(0, indices(self.picks, self.sizes, len(weights), weights.device))

    def __str__(self) -> str:
        return f"weights {_listed(self.picks)}"


@lru_cache(maxsize=1024)
def _indices(picks: tuple[int, ...], sizes: tuple[int, ...], count: int, device: torch.device) -> Tensor:
    """Return each pick, modulo `count`, repeated as often as its size: integers (sum of sizes,)."""
    indices = [pick % count for pick, size in zip(picks, sizes, strict=True) for _ in range(size)]
    with torch.inference_mode(False):  # cached for passes of any kind
        return torch.tensor(indices, device=device)


def _listed(numbers: Sequence[int]) -> str:
    """Return numbers as text, only the first of a long sequence."""
    if len(numbers) <= _SHOWN:
        return ", ".join(map(str, numbers))
    return f"{', '.join(map(str, numbers[:_SHOWN]))}, … ({len(numbers)})"
