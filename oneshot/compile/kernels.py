"""Kernels: what one step of a plan does to its tensors; convolutions, norms, pools, sums have own modules."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from oneshot import ops
from oneshot.compile.expr import Kernel
from oneshot.partial import shuffle


@dataclass(frozen=True)
class Relu(Kernel):
    """max(x, 0)."""

    text = "relu"
    in_place: bool = False
    keeps_zero = True

    def __call__(self, x: Tensor) -> Tensor:
        return torch.relu_(x) if self.in_place else torch.relu(x)


@dataclass(frozen=True)
class DropPath(Kernel):
    """In training, some images of zeros, and the others scaled up."""

    text = "drop path"
    module: ops.DropPath = field(compare=False)
    number: int  # each draws anew, so that no two are one
    in_place: bool = False

    def __call__(self, x: Tensor) -> Tensor:
        mask = self.module.mask(x)
        if mask is None:
            return x
        return x.mul_(mask) if self.in_place else x * mask


@dataclass(frozen=True)
class Concat(Kernel):
    """Channels of several tensors one after the other."""

    text = "concatenation"

    def __call__(self, *tensors: Tensor) -> Tensor:
        return torch.cat(tensors, dim=1)


@dataclass(frozen=True)
class Every(Kernel):
    """Every so many rows and columns, from one on."""

    start: tuple[int, ...]
    step: tuple[int, ...]

    def __call__(self, x: Tensor) -> Tensor:
        x = x[..., self.start[0] :: self.step[0], self.start[1] :: self.step[1]]
        return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x

    def after(self, other: "Every") -> "Every":
        """Return the kernel that does what another does and then this."""
        both = list(zip(other.start, other.step, self.start, self.step, strict=True))
        return Every(tuple(a + s * b for a, s, b, _ in both), tuple(s * t for _, s, _, t in both))

    def __str__(self) -> str:
        return f"every {self.step[0]}, {self.step[1]} from {self.start[0]}, {self.start[1]}"


@dataclass(frozen=True)
class Split(Kernel):
    """Channels apart again, a sequence."""

    sizes: tuple[int, ...]

    def __call__(self, x: Tensor) -> Sequence[Tensor]:
        parts = torch.split(x, list(self.sizes), dim=1)
        if x.dtype == torch.bfloat16 and x.device.type == "cpu":  # adding views of so few bytes is slow there
            return [part.contiguous(memory_format=torch.channels_last) for part in parts]
        return parts

    def __str__(self) -> str:
        return f"split {', '.join(map(str, self.sizes))}"


@dataclass(frozen=True)
class First(Kernel):
    """The first of k parts of the channels."""

    k: int

    def __call__(self, x: Tensor) -> Tensor:
        x = x[:, : x.shape[1] // self.k]
        return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x

    def __str__(self) -> str:
        return f"first channels of {self.k}"


@dataclass(frozen=True)
class Repeat(Kernel):
    """All channels several times over."""

    times: int

    def __call__(self, x: Tensor) -> Tensor:
        return torch.cat([x] * self.times, dim=1)

    def __str__(self) -> str:
        return f"{self.times} times the channels"


@dataclass(frozen=True)
class Shuffle(Kernel):
    """Some channels in place of another tensor's first ones, shuffled."""

    k: int

    def __call__(self, first: Tensor, x: Tensor) -> Tensor:
        x = shuffle(first, x, self.k)
        return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x

    def __str__(self) -> str:
        return f"shuffle by {self.k}"


@dataclass(frozen=True)
class Get(Kernel):
    """One of a tuple."""

    number: int

    def __call__(self, tensors: Sequence[Tensor]) -> Tensor:
        return tensors[self.number]

    def __str__(self) -> str:
        return f"part {self.number}"


@dataclass(frozen=True)
class Zeros(Kernel):
    """Zeros of the tensor's size, of every so many rows and columns."""

    text = "zeros"
    stride: int

    def __call__(self, x: Tensor) -> Tensor:
        return x[..., :: self.stride, :: self.stride] * 0.0


@dataclass(frozen=True)
class Combine(Kernel):
    """A node's own way to combine its inputs, in the usual layout because it may view them."""

    function: ops.Combination = field(compare=False)
    number: int  # a function may have a state, so that no two calls are one

    def __call__(self, *tensors: Tensor) -> Any:  # a function of the user's
        return self.function([tensor.contiguous() for tensor in tensors])

    def __str__(self) -> str:
        return f"combine by {getattr(self.function, '__name__', type(self.function).__name__)}"


@dataclass(frozen=True)
class Call(Kernel):
    """A module as it is."""

    module: nn.Module = field(compare=False)
    number: int  # a module may have a state, so that no two calls are one

    def __call__(self, *tensors: Tensor) -> Any:  # what a module returns
        parts = list(self.module.modules())
        if any(getattr(part, "inplace", False) for part in parts):
            tensors = tuple(tensor.clone() for tensor in tensors)  # others may need the input
        if not all(type(part).__module__.startswith(("torch.nn.", "oneshot.")) for part in parts):
            tensors = tuple(tensor.contiguous() for tensor in tensors)  # it may view them
        return self.module(*tensors)

    def __str__(self) -> str:
        return f"call {type(self.module).__name__}"
