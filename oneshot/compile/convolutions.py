"""Convolutions, one or several side by side; depthwise ones with faster gradients on the CPU."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from oneshot.compile.expr import Kernel
from oneshot.compile.pools import Size, by, is_for_onednn, keeps_size

Geometry: TypeAlias = tuple[Size, Size, Size]  # stride, padding, dilation

_COLUMNS = 3  # oneDNN's gradient of the weights is fast for kernels with up to this many columns


@dataclass(frozen=True)
class Conv(Kernel):
    """One convolution, or several side by side whose output channels are concatenated.

    Stride, padding and dilation differ from the modules' if an earlier step subsampled the input.
    """

    #: the convolutions; they have the same shape
    modules: tuple[nn.Conv2d, ...]
    #: stride of all
    stride: Size
    #: padding of all
    padding: Size
    #: dilation of all
    dilation: Size
    #: whether each has its own input channels; then all are depthwise or all pointwise
    apart: bool = False

    @property
    def keeps_zero(self) -> bool:
        first = self.modules[0]
        if len(self.modules) > 1 or first.bias is not None or first.in_channels != first.out_channels:
            return False
        return keeps_size(first.kernel_size, self.stride, self.padding, self.dilation)

    @property
    def shape(self) -> tuple[object, ...]:
        """Key that is equal for convolutions that can run as one."""
        first = self.modules[0]
        return first.in_channels, first.kernel_size, self.stride, self.padding, self.dilation, first.groups

    @property
    def is_depthwise(self) -> bool:
        """Whether it is one depthwise convolution without bias."""
        first = self.modules[0]
        depthwise = 1 < first.groups == first.in_channels == first.out_channels or first.in_channels == 1
        return (
            depthwise
            and len(self.modules) == 1
            and first.bias is None
            and first.out_channels == first.in_channels
        )

    @property
    def is_pointwise(self) -> bool:
        """Whether it is one 1×1 convolution of stride 1, without padding, groups and bias."""
        first = self.modules[0]
        plain = self.stride == (1, 1) and self.padding == (0, 0) and first.groups == 1 and first.bias is None
        return len(self.modules) == 1 and plain and first.kernel_size == (1, 1)

    @property
    def _has_slow_gradients(self) -> bool:
        """Whether it is a depthwise convolution for which oneDNN's gradients are slow."""
        first = self.modules[0]
        depthwise = 1 < first.groups == first.in_channels == first.out_channels and first.bias is None
        return depthwise and (first.kernel_size[1] > _COLUMNS or max(self.dilation) > 1)

    def __call__(self, x: Tensor) -> Tensor:
        first = self.modules[0]
        weights = [module.weight for module in self.modules]
        groups = sum(module.groups for module in self.modules) if self.apart else first.groups
        if self.apart and first.kernel_size == (1, 1):
            blocks = [each.flatten(1) for each in weights]
            weight, groups = torch.block_diag(*blocks)[..., None, None], 1  # type: ignore[no-untyped-call]  # torch's
        else:
            weight = weights[0] if len(weights) == 1 else torch.cat(weights)
        if self._has_slow_gradients and is_for_onednn(x):
            if torch.is_autocast_enabled("cpu") and x.dtype != torch.float64:  # autocast keeps float64
                dtype = torch.get_autocast_dtype("cpu")
                x, weight = x.to(dtype), weight.to(dtype)
            out: Tensor = _Depthwise.apply(x, weight, self.stride, self.padding, self.dilation)
            return out
        return F.conv2d(x, weight, first.bias, self.stride, self.padding, self.dilation, groups)

    def __str__(self) -> str:
        first = self.modules[0]
        wide = " + ".join(str(module.out_channels) for module in self.modules)
        return f"conv {by(first.kernel_size)} {first.in_channels} -> {wide}"


class _Depthwise(torch.autograd.Function):
    """A depthwise convolution whose gradients are several times as fast as torch's on the CPU.

    At stride 1, the input's gradient is a convolution with the flipped kernels. The weights' gradient is
    computed on parts of the image, for kernels with few columns and without dilation.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, *geometry: Size) -> Tensor:  # ctx is torch's
        ctx.geometry, ctx.shape = geometry, x.shape
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight)
        stride, padding, dilation = geometry
        return F.conv2d(x, weight, None, stride, padding, dilation, len(weight))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        input_needed, weight_needed, *_ = ctx.needs_input_grad
        return (
            _input_gradient(grad, weight, ctx.shape, ctx.geometry) if input_needed else None,
            _weight_gradient(grad, x, weight.shape[2:], ctx.geometry) if weight_needed else None,
            *[None] * 3,
        )


def _input_gradient(grad: Tensor, weight: Tensor, shape: Size, geometry: Geometry) -> Tensor:
    stride, padding, dilation = geometry
    reach = [d * (k - 1) for k, d in zip(weight.shape[2:], dilation, strict=True)]
    if stride == (1, 1) and all(p <= r for p, r in zip(padding, reach, strict=True)):
        around = [r - p for p, r in zip(padding, reach, strict=True)]
        with torch.autocast("cpu", enabled=False):  # a gradient keeps its dtype
            return F.conv2d(grad, weight.flip(2, 3), None, 1, around, dilation, len(weight))
    x = grad.new_empty(shape).contiguous(memory_format=torch.channels_last)  # only its shape matters
    return _gradients(grad, x, weight, geometry, (True, False, False))[0]


def _weight_gradient(grad: Tensor, x: Tensor, size: Size, geometry: Geometry) -> Tensor:
    stride, padding, dilation = geometry
    (by_rows, by_columns), one = dilation, (1, 1)
    steps = by_rows == by_columns > 1 and all(n % by_rows == 0 for n in (*x.shape[2:], *padding))
    if steps and stride == one and grad.shape == x.shape:
        x, grad = _phases(x, by_rows), _phases(grad, by_rows)
        padding, dilation = tuple(p // by_rows for p in padding), one
    rows, columns = size
    if dilation != one or columns <= _COLUMNS:
        return _plain_weight_gradient(grad, x, size, (stride, padding, dilation))
    parts = []
    for first in range(0, columns, _COLUMNS):
        count = min(_COLUMNS, columns - first)
        left, wide = padding[1] - first, (grad.shape[3] - 1) * stride[1] + count
        part = F.pad(x, (left, wide - left - x.shape[3]))  # negative padding crops
        parts.append(_plain_weight_gradient(grad, part, (rows, count), (stride, (padding[0], 0), dilation)))
    return torch.cat(parts, dim=3)


def _phases(x: Tensor, step: int) -> Tensor:
    """Split images by phase of rows and columns, into shape (N * step * step, C, H / step, W / step)."""
    n, c, h, w = x.shape
    x = x.permute(0, 2, 3, 1).reshape(n, h // step, step, w // step, step, c)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(-1, h // step, w // step, c).permute(0, 3, 1, 2)


def _plain_weight_gradient(grad: Tensor, x: Tensor, size: Size, geometry: Geometry) -> Tensor:
    weight = x.new_empty(x.shape[1], 1, *size)  # only its shape matters
    return _gradients(grad, x, weight, geometry, (False, True, False))[1]


def _gradients(
    grad: Tensor, x: Tensor, weight: Tensor, geometry: Geometry, wanted: tuple[bool, bool, bool]
) -> Sequence[Tensor]:
    """Return torch's gradients of input, weight and bias, each if wanted."""
    gradients: Sequence[Tensor] = torch.ops.aten.convolution_backward(
        grad, x, weight, None, *geometry, False, (0, 0), len(weight), wanted
    )
    return gradients
