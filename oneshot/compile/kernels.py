"""Kernels: what one step of a plan does to its tensors; convolutions, norms, pools, sums have own modules."""

from dataclasses import dataclass, field

import torch
from torch import nn


@dataclass(frozen=True)
class Relu:
    """max(x, 0)."""

    in_place: bool = False
    keeps_zero = True

    def __call__(self, x):
        return torch.relu_(x) if self.in_place else torch.relu(x)

    def __str__(self):
        return "relu"


@dataclass(frozen=True)
class DropPath:
    """In training, some images of zeros, and the others scaled up."""

    module: nn.Module = field(compare=False)
    number: int  # each draws anew, so that no two are one
    in_place: bool = False

    def __call__(self, x):
        mask = self.module.mask(x)
        if mask is None:
            return x
        return x.mul_(mask) if self.in_place else x * mask

    def __str__(self):
        return "drop path"


@dataclass(frozen=True)
class Concat:
    """Channels of several tensors one after the other."""

    def __call__(self, *tensors):
        return torch.cat(tensors, dim=1)

    def __str__(self):
        return "concatenation"


@dataclass(frozen=True)
class Every:
    """Every so many rows and columns, from one on."""

    start: tuple
    step: tuple

    def __call__(self, x):
        x = x[..., self.start[0] :: self.step[0], self.start[1] :: self.step[1]]
        return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x

    def of(self, other):
        """What this does to what another does."""
        both = list(zip(other.start, other.step, self.start, self.step, strict=True))
        return Every(tuple(a + s * b for a, s, b, _ in both), tuple(s * t for _, s, _, t in both))

    def __str__(self):
        return f"every {self.step[0]}, {self.step[1]} from {self.start[0]}, {self.start[1]}"


@dataclass(frozen=True)
class Split:
    """Channels apart again, a tuple."""

    sizes: tuple

    def __call__(self, x):
        parts = torch.split(x, self.sizes, dim=1)
        if x.dtype == torch.bfloat16 and x.device.type == "cpu":  # adding views of so few bytes is slow there
            return [part.contiguous(memory_format=torch.channels_last) for part in parts]
        return parts

    def __str__(self):
        return f"split {', '.join(map(str, self.sizes))}"


@dataclass(frozen=True)
class Get:
    """One of a tuple."""

    number: int

    def __call__(self, tensors):
        return tensors[self.number]

    def __str__(self):
        return f"part {self.number}"


@dataclass(frozen=True)
class Zeros:
    """Zeros of the tensor's size, of every so many rows and columns."""

    stride: int

    def __call__(self, x):
        return x[..., :: self.stride, :: self.stride] * 0.0

    def __str__(self):
        return "zeros"


@dataclass(frozen=True)
class Combine:
    """A node's own way to combine what arrives, in the usual layout, as it may view it."""

    function: object = field(compare=False)
    number: int  # a function may have a state, so that no two calls are one

    def __call__(self, *tensors):
        return self.function([tensor.contiguous() for tensor in tensors])

    def __str__(self):
        return f"combine by {getattr(self.function, '__name__', type(self.function).__name__)}"


@dataclass(frozen=True)
class Call:
    """A module as it is."""

    module: nn.Module = field(compare=False)
    number: int  # a module may have a state, so that no two calls are one

    def __call__(self, *tensors):
        parts = list(self.module.modules())
        if any(getattr(part, "inplace", False) for part in parts):
            tensors = [tensor.clone() for tensor in tensors]  # others may need what came
        if not all(type(part).__module__.startswith(("torch.nn.", "oneshot.")) for part in parts):
            tensors = [tensor.contiguous() for tensor in tensors]  # it may view them
        return self.module(*tensors)

    def __str__(self):
        return f"call {type(self.module).__name__}"
