"""Pools, and helpers for kernels with windows."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from oneshot.compile.expr import Kernel

Size: TypeAlias = tuple[int, ...]  # of a window or a shape, one integer per axis


def keeps_size(kernel: Size, stride: Size, padding: Size, dilation: Size) -> bool:
    """Return whether a convolution or pool keeps height and width."""
    return all(s == 1 for s in stride) and all(
        2 * p == d * (k - 1) for k, p, d in zip(kernel, padding, dilation, strict=True)
    )


def by(sizes: Size) -> str:
    """Return sizes as text, such as 3x3."""
    return "x".join(map(str, sizes))


def is_for_onednn(x: Tensor) -> bool:
    """Return whether kernels of oneDNN, torch's library for CPUs, can process a tensor."""
    if torch.compiler.is_compiling() or x.dim() != 4 or x.device.type != "cpu":
        return False  # first, because the following cannot be traced
    return bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]  # torch's


@dataclass(frozen=True)
class MaxPool(Kernel):
    """The maximum over each window; fields as for torch."""

    #: height and width of the window
    kernel_size: Size
    #: distance of windows
    stride: Size
    #: padding on both sides
    padding: Size
    #: distance of pixels in a window
    dilation: Size
    #: whether sizes are rounded up
    ceil_mode: bool

    @property
    def keeps_zero(self) -> bool:
        return keeps_size(self.kernel_size, self.stride, self.padding, self.dilation) and not self.ceil_mode

    keeps_sum = True  # each window's gradient goes to one pixel

    def __call__(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)

    def __str__(self) -> str:
        return f"max pool {by(self.kernel_size)}"


@dataclass(frozen=True)
class AvgPool(Kernel):
    """The mean over each window; fields as for torch."""

    #: height and width of the window
    kernel_size: Size
    #: distance of windows
    stride: Size
    #: padding on both sides
    padding: Size
    #: whether sizes are rounded up
    ceil_mode: bool
    #: whether the padding counts as pixels
    count_include_pad: bool
    #: divisor of the sum; None for the number of pixels
    divisor_override: int | None

    @property
    def keeps_zero(self) -> bool:
        return keeps_size(self.kernel_size, self.stride, self.padding, (1, 1)) and not self.ceil_mode

    def __call__(self, x: Tensor) -> Tensor:
        if is_for_onednn(x) and x.dtype in _ONEDNN and self.keeps_sum and self.keeps_zero:
            mean: Tensor = _MeanOfNeighbours.apply(x, self.kernel_size)
            return mean
        rest = self.ceil_mode, self.count_include_pad, self.divisor_override
        return F.avg_pool2d(x, self.kernel_size, self.stride, self.padding, *rest)

    @property
    def keeps_sum(self) -> bool:
        """Whether the gradient's sum is kept, because each window's gradient is divided among its pixels."""
        return self.divisor_override is None and not self.count_include_pad

    def __str__(self) -> str:
        return f"average pool {by(self.kernel_size)}"


_ONEDNN = (torch.float32, torch.bfloat16)


class _MeanOfNeighbours(torch.autograd.Function):
    """An average pool that keeps the size, as a depthwise convolution, which is several times as fast."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel_size: Size) -> Tensor:  # ctx is torch's
        ctx.kernel_size = kernel_size
        return _sum_of_neighbours(x, kernel_size).mul_(_shares(tuple(x.shape[1:]), x.dtype, kernel_size))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        shares = _shares(tuple(grad.shape[1:]), grad.dtype, ctx.kernel_size)
        return _sum_of_neighbours(grad * shares, ctx.kernel_size), None


def _sum_of_neighbours(x: Tensor, kernel_size: Size) -> Tensor:
    ones, padding = _ones(x.shape[1], x.dtype, kernel_size), tuple(size // 2 for size in kernel_size)
    if torch.is_autocast_enabled("cpu"):
        with torch.autocast("cpu", enabled=False):  # keeps the dtype
            return F.conv2d(x, ones, padding=padding, groups=x.shape[1])
    return F.conv2d(x, ones, padding=padding, groups=x.shape[1])


@lru_cache(maxsize=64)
def _ones(channels: int, dtype: torch.dtype, kernel_size: Size) -> Tensor:
    with torch.inference_mode(False):  # cached for passes of any kind
        return torch.ones(channels, 1, *kernel_size, dtype=dtype)


@lru_cache(maxsize=64)
def _shares(shape: Size, dtype: torch.dtype, kernel_size: Size) -> Tensor:
    """Return 1 / the number of neighbours inside the image, shape (1, C, H, W)."""
    padding = [size // 2 for size in kernel_size]
    with torch.inference_mode(False), torch.no_grad():  # cached for passes of any kind
        count = F.avg_pool2d(torch.ones(1, *shape), kernel_size, 1, padding, divisor_override=1)
        return count.reciprocal().to(dtype, memory_format=torch.channels_last)
