"""Partial channels: operations of an edge process the first channels; the others bypass them."""

from copy import deepcopy
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.utils import _pair as pair

from oneshot.errors import ConfigError
from oneshot.ops import Zero


class Bypass(nn.Module):
    """The path of channels that bypass the operations of an edge, and the shuffle that follows.

    The shuffle orders the C channels in C / k groups of one channel of the operations and k - 1 others, so
    that later edges, which also process the first C / k channels, get both.

    Parameters
    ----------
    k
        Operations process 1 in k channels; k >= 2.
    stride
        Stride of the operations; if it is above 1, the other channels go through a max pool of this size and
        stride.

    References
    ----------
    Xu et al. 2020, arXiv:1907.05737, section 3.2; pool and shuffle as in the authors' code.
    """

    def __init__(self, k: int, stride: int = 1) -> None:
        super().__init__()
        self.k = k
        self.pool = nn.MaxPool2d(stride) if stride > 1 else nn.Identity()

    def first(self, x: Tensor) -> Tensor:
        """Return the channels of x for the operations, shape (N, C / k, H, W)."""
        return x[:, : x.shape[1] // self.k]

    def forward(self, mixed: Tensor, x: Tensor) -> Tensor:
        """Return the outputs of the operations, `mixed`, shuffled with the other channels of x."""
        return shuffle(mixed, self.pool(x), self.k)

    def extra_repr(self) -> str:
        return f"k={self.k}"


def shuffle(first: Tensor, x: Tensor, k: int) -> Tensor:
    """Replace the first channels of x by `first` and shuffle: channel C / k i + j becomes k j + i."""
    joined = torch.cat([first, x[:, first.shape[1] :]], dim=1)
    n, c, h, w = joined.shape
    return joined.reshape(n, k, c // k, h, w).transpose(1, 2).reshape(n, c, h, w)


def find_stride(candidates: list[nn.Module]) -> int:
    """Return the stride of an edge, the maximum over all modules in its candidates."""
    kinds = nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, Zero
    parts = [part for op in candidates for part in op.modules()]
    return max((max(pair(part.stride)) for part in parts if isinstance(part, kinds)), default=1)


def with_channels(op: nn.Module, factor: Fraction) -> nn.Module:
    """Return an operation with `factor` times the channels and new weights.

    Raise ConfigError if a number of channels is not an integer, or if a module with weights is neither a
    `Conv2d` nor a `BatchNorm2d`.
    """
    tensor = next(
        (each for each in (*op.parameters(False), *op.buffers(False)) if each.is_floating_point()), None
    )
    at: dict[str, Any] = {} if tensor is None else {"device": tensor.device, "dtype": tensor.dtype}  # torch's
    if isinstance(op, nn.Conv2d):
        c_in, c_out = _times(op.in_channels, factor), _times(op.out_channels, factor)
        groups = op.groups if op.groups == 1 else _times(op.groups, factor)
        names = "kernel_size", "stride", "padding", "dilation", "padding_mode"
        options = {name: vars(op)[name] for name in names} | {"groups": groups, "bias": op.bias is not None}
        return nn.Conv2d(c_in, c_out, **options, **at)
    if isinstance(op, nn.BatchNorm2d):
        channels = _times(op.num_features, factor)
        return nn.BatchNorm2d(channels, op.eps, op.momentum, op.affine, op.track_running_stats, **at)
    if tensor is not None:
        raise ConfigError(f"{type(op).__name__} has weights and cannot have fewer channels")
    op = _without_children(op)
    for name, child in op._modules.items():
        op._modules[name] = child and with_channels(child, factor)
    return op


def _without_children(op: nn.Module) -> nn.Module:
    """Return a copy of a module that shares its children."""
    return deepcopy(op, {id(child): child for child in op.children()})


def _times(channels: int, factor: Fraction) -> int:
    times = channels * factor
    if times.denominator > 1:
        raise ConfigError(
            f"{channels} channels cannot be divided by {factor.denominator}; the channels must be a multiple"
            f" of {factor.denominator}"
        )
    return int(times)
