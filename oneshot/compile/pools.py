"""Kernels that take one number of each window."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch.nn import functional as F  # noqa: N812

from oneshot.compile.geometry import by, keeps_size


@dataclass(frozen=True)
class MaxPool:
    """The greatest of a window."""

    kernel_size: tuple
    stride: tuple
    padding: tuple
    dilation: tuple
    ceil_mode: bool

    @property
    def keeps_zero(self):
        return keeps_size(self.kernel_size, self.stride, self.padding, self.dilation) and not self.ceil_mode

    keeps_sum = True  # of the gradient: each window's goes to one pixel

    def __call__(self, x):
        return F.max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)

    def __str__(self):
        return f"max pool {by(self.kernel_size)}"


@dataclass(frozen=True)
class AvgPool:
    """The mean over a window."""

    kernel_size: tuple
    stride: tuple
    padding: tuple
    ceil_mode: bool
    count_include_pad: bool
    divisor_override: int | None

    @property
    def keeps_zero(self):
        return keeps_size(self.kernel_size, self.stride, self.padding, (1, 1)) and not self.ceil_mode

    def __call__(self, x):
        if torch.compiler.is_compiling():
            return self._plain(x)
        if self._is_of_neighbours and x.dim() == 4 and x.device.type == "cpu" and x.dtype in _ONEDNN:
            return _MeanOfNeighbours.apply(x, self.kernel_size)
        return self._plain(x)

    @property
    def keeps_sum(self):
        """Whether the gradient's sum over an image stays: each window's is shared out among its pixels."""
        return self.divisor_override is None and not self.count_include_pad

    @property
    def _is_of_neighbours(self):
        return self.keeps_sum and self.keeps_zero and torch.backends.mkldnn.is_available()

    def _plain(self, x):
        return F.avg_pool2d(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def __str__(self):
        return f"average pool {by(self.kernel_size)}"


_ONEDNN = (torch.float32, torch.bfloat16)


class _MeanOfNeighbours(torch.autograd.Function):
    """An average pool that keeps the size, as a convolution of each channel: several times as fast."""

    @staticmethod
    def forward(ctx, x, kernel_size):
        ctx.kernel_size = kernel_size
        return _sum_of_neighbours(x, kernel_size).mul_(_shares(x, kernel_size))

    @staticmethod
    def backward(ctx, grad):
        return _sum_of_neighbours(grad * _shares(grad, ctx.kernel_size), ctx.kernel_size), None


def _sum_of_neighbours(x, kernel_size):
    ones, padding = _ones(x.shape[1], x.dtype, kernel_size), tuple(size // 2 for size in kernel_size)
    if torch.is_autocast_enabled("cpu"):
        with torch.autocast("cpu", enabled=False):  # the dtype stays
            return F.conv2d(x, ones, padding=padding, groups=x.shape[1])
    return F.conv2d(x, ones, padding=padding, groups=x.shape[1])


@lru_cache(maxsize=64)
def _ones(channels, dtype, kernel_size):
    with torch.inference_mode(False):  # it is kept for passes of any kind
        return torch.ones(channels, 1, *kernel_size, dtype=dtype)


def _shares(x, kernel_size):
    return _shares_of(tuple(x.shape[1:]), x.dtype, kernel_size)


@lru_cache(maxsize=64)
def _shares_of(shape, dtype, kernel_size):
    """One over the number of neighbours that are in the image, of the shape of an image: (1, C, H, W)."""
    padding = [size // 2 for size in kernel_size]
    with torch.inference_mode(False), torch.no_grad():  # it is kept for passes of any kind
        count = F.avg_pool2d(torch.ones(1, *shape), kernel_size, 1, padding, divisor_override=1)
        return count.reciprocal().to(dtype, memory_format=torch.channels_last)
