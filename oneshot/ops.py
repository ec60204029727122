"""Candidate operations and the fixed parts of networks, as plain modules on tensors of shape (N, C, H, W)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias, TypedDict, Unpack

import torch
from torch import Tensor, nn

from oneshot.errors import GraphError

Combination: TypeAlias = Callable[[list[Tensor]], Any]  # a node's `comb_op`; may return anything
Sequential = nn.Sequential


def add_up(tensors: Sequence[Tensor]) -> Tensor:
    """Return the sum of tensors: how a node combines its inputs unless it has a `comb_op`."""
    return sum(tensors[1:], tensors[0])


class Identity(nn.Identity):
    """The tensor itself."""


class Zero(nn.Module):
    """Zeros of the tensor's shape.

    Parameters
    ----------
    stride
        Every so many rows and columns are kept.
    """

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return x[..., :: self.stride, :: self.stride].mul(0.0)

    def extra_repr(self) -> str:
        return f"stride={self.stride}"


class Noise(nn.Module):
    """Standard normal noise of the tensor's shape (Zela et al. 2020, arXiv:1909.09656, section 3).

    Parameters
    ----------
    stride
        Every so many rows and columns have noise.
    """

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return torch.randn_like(x[..., :: self.stride, :: self.stride])

    def extra_repr(self) -> str:
        return f"stride={self.stride}"


class Norm(TypedDict, total=False):
    """The options of `batch_norm`."""

    affine: bool
    statistics: bool


def batch_norm(channels: int, affine: bool = True, statistics: bool = True) -> nn.BatchNorm2d:
    """Return a batch normalization; without statistics, as in a supernet, it always uses the batch's own.

    Parameters
    ----------
    channels
        The number of channels.
    affine
        Learn a scale and a shift.
    statistics
        Keep running statistics, which evaluation uses.
    """
    return nn.BatchNorm2d(channels, affine=affine, track_running_stats=statistics)


def same_size(kernel_size: int, dilation: int = 1) -> int:
    """Return the padding that keeps an image's size; GraphError if the kernel's size is even."""
    if kernel_size % 2 == 0:
        raise GraphError(f"a kernel has an odd size, got {kernel_size}")
    return dilation * (kernel_size // 2)


class ReLUConvBN(nn.Sequential):
    """ReLU, convolution without bias, batch normalization; the size stays at stride 1.

    Parameters
    ----------
    c_in, c_out
        Channels before and after.
    kernel_size
        Odd.
    stride
        Of the convolution.
    **norm
        `affine` and `statistics`, as for `batch_norm`.

    Raises
    ------
    GraphError
        If the kernel's size is even.
    """

    def __init__(
        self, c_in: int, c_out: int, kernel_size: int, stride: int = 1, **norm: Unpack[Norm]
    ) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv = nn.Conv2d(c_in, c_out, kernel_size, stride, same_size(kernel_size), bias=False)
        self.bn = batch_norm(c_out, **norm)


class AvgPool1x1(nn.Sequential):
    """The mean over a window, borders left out; at a stride above 1, after a 1×1 convolution.

    NAS-Bench-201's avg_pool_3x3 (Dong & Yang 2020, arXiv:2001.00326), whose cells have stride 1 only.

    Parameters
    ----------
    kernel_size, stride
        Of the window.
    c_in, c_out
        Channels before and after, for a stride above 1.
    **norm
        `affine` and `statistics`, as for `batch_norm`.

    Raises
    ------
    GraphError
        If the stride is above 1 and the channels are not given.
    """

    def __init__(
        self,
        kernel_size: int,
        stride: int = 1,
        c_in: int | None = None,
        c_out: int | None = None,
        **norm: Unpack[Norm],
    ) -> None:
        super().__init__()
        if stride > 1:
            if c_in is None or c_out is None:
                raise GraphError(f"an average pool of stride {stride} needs c_in and c_out")
            self.preprocess = ReLUConvBN(c_in, c_out, 1, 1, **norm)
        self.pool = nn.AvgPool2d(kernel_size, stride, padding=kernel_size // 2, count_include_pad=False)


class Stem(nn.Sequential):
    """A 3×3 convolution of the image, and batch normalization.

    Parameters
    ----------
    c_out, c_in
        Channels after and before.
    **norm
        `affine` and `statistics`, as for `batch_norm`.
    """

    def __init__(self, c_out: int, c_in: int = 3, **norm: Unpack[Norm]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)
        self.bn = batch_norm(c_out, **norm)


class ResNetBasicblock(nn.Module):
    """Two ReLU-conv3×3-BN and a shortcut; at stride 2 the shortcut is an average pool and a 1×1 convolution.

    He et al. 2016, arXiv:1512.03385, in the order of NAS-Bench-201's reduction (arXiv:2001.00326, section
    2.1).

    Parameters
    ----------
    c_in, c_out
        Channels before and after.
    stride
        1 or 2.
    **norm
        `affine` and `statistics`, as for `batch_norm`.

    Raises
    ------
    GraphError
        If the stride is another.
    """

    def __init__(self, c_in: int, c_out: int, stride: int, **norm: Unpack[Norm]) -> None:
        super().__init__()
        self.conv_a = ReLUConvBN(c_in, c_out, 3, stride, **norm)
        self.conv_b = ReLUConvBN(c_out, c_out, 3, 1, **norm)
        self.shortcut: nn.Module
        if stride == 2:
            self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(c_in, c_out, 1, bias=False))
        elif stride == 1 and c_in == c_out:
            self.shortcut = nn.Identity()
        elif stride == 1:
            self.shortcut = ReLUConvBN(c_in, c_out, 1, 1, **norm)
        else:
            raise GraphError(f"a residual block has stride 1 or 2, got {stride}")

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.shortcut(x) + self.conv_b(self.conv_a(x))
        return out


class Classifier(nn.Sequential):
    """Batch normalization, ReLU, the mean over the image, and a linear layer: logits (N, classes).

    Parameters
    ----------
    channels, classes
        The numbers of channels before and of logits after.
    **norm
        `affine` and `statistics`, as for `batch_norm`.
    """

    def __init__(self, channels: int, classes: int, **norm: Unpack[Norm]) -> None:
        super().__init__()
        self.bn = batch_norm(channels, **norm)
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(channels, classes)


class PooledLinear(nn.Sequential):
    """The mean over the image, and a linear layer: logits (N, classes).

    Parameters
    ----------
    channels, classes
        The numbers of channels before and of logits after.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(channels, classes)


# Of the space of DARTS (Liu et al. 2019, arXiv:1806.09055, section 3.1.1)


class FactorizedReduce(nn.Module):
    """Half the height and the width: ReLU, two 1×1 convolutions on every other pixel, and normalization.

    The second convolution begins one row and one column later; their channels are concatenated.

    Parameters
    ----------
    c_in, c_out
        Channels before and after.
    **norm
        `affine` and `statistics`, as for `batch_norm`.

    Raises
    ------
    GraphError
        If there are fewer than two output channels.
    """

    def __init__(self, c_in: int, c_out: int, **norm: Unpack[Norm]) -> None:
        super().__init__()
        if c_out < 2:
            raise GraphError(f"a factorized reduction has two output channels or more, got {c_out}")
        self.relu = nn.ReLU()
        self.even = nn.Conv2d(c_in, c_out // 2, 1, stride=2, bias=False)
        self.odd = nn.Sequential(Shift(), nn.Conv2d(c_in, c_out - c_out // 2, 1, stride=2, bias=False))
        self.concat = Concat()
        self.bn = batch_norm(c_out, **norm)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        out: Tensor = self.bn(self.concat([self.even(x), self.odd(x)]))
        return out


class Shift(nn.Module):
    """The image without its first row and column."""

    def forward(self, x: Tensor) -> Tensor:
        return x[..., 1:, 1:]


class SepConv(nn.Sequential):
    """A separable convolution after ReLU, twice: depthwise, then 1×1, then normalization.

    Parameters
    ----------
    c_in, c_out
        Channels before and after.
    kernel_size
        Odd; of the depthwise convolutions.
    stride
        Of the first one.
    **norm
        `affine` and `statistics`, as for `batch_norm`.
    """

    def __init__(
        self, c_in: int, c_out: int, kernel_size: int, stride: int = 1, **norm: Unpack[Norm]
    ) -> None:
        super().__init__(
            DilConv(c_in, c_in, kernel_size, stride, dilation=1, **norm),
            DilConv(c_in, c_out, kernel_size, 1, dilation=1, **norm),
        )


class DilConv(nn.Sequential):
    """ReLU, a dilated depthwise convolution, a 1×1 convolution, normalization.

    Parameters
    ----------
    c_in, c_out
        Channels before and after.
    kernel_size, stride, dilation
        As for `depthwise`.
    **norm
        `affine` and `statistics`, as for `batch_norm`.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel_size: int,
        stride: int = 1,
        dilation: int = 2,
        **norm: Unpack[Norm],
    ) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.depthwise = depthwise(c_in, kernel_size, stride, dilation)
        self.pointwise = nn.Conv2d(c_in, c_out, 1, bias=False)
        self.bn = batch_norm(c_out, **norm)


def depthwise(channels: int, kernel_size: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """Return a depthwise convolution, of each channel alone, without bias; the size stays at stride 1.

    Parameters
    ----------
    channels
        The number of channels.
    kernel_size
        Odd.
    stride, dilation
        Of the kernel.

    Raises
    ------
    GraphError
        If the kernel's size is even.
    """
    padding = same_size(kernel_size, dilation)
    return nn.Conv2d(channels, channels, kernel_size, stride, padding, dilation, groups=channels, bias=False)


class MaxPool(nn.MaxPool2d):
    """The greatest value in a window of 3×3.

    Parameters
    ----------
    stride
        Of the window.
    """

    def __init__(self, stride: int = 1) -> None:
        super().__init__(3, stride, padding=1)


class AvgPool(nn.AvgPool2d):
    """The mean over a window of 3×3, borders left out.

    Parameters
    ----------
    stride
        Of the window.
    """

    def __init__(self, stride: int = 1) -> None:
        super().__init__(3, stride, padding=1, count_include_pad=False)


class Normalized(nn.Sequential):
    """An operation without weights and a normalization, as supernets of DARTS have pools.

    Parameters
    ----------
    op
        The operation.
    channels
        The number of channels that it returns.
    **norm
        `affine` and `statistics`, as for `batch_norm`.
    """

    def __init__(self, op: nn.Module, channels: int, **norm: Unpack[Norm]) -> None:
        super().__init__()
        self.op = op
        self.bn = batch_norm(channels, **norm)


class Concat(nn.Module):
    """The concatenation of tensors along their channels; a node's `comb_op`."""

    def forward(self, tensors: Iterable[Tensor]) -> Tensor:
        return torch.cat(tuple(tensors), dim=1)


class AuxiliaryHead(nn.Sequential):
    """A second classifier in the middle of the network for training: images of 8×8 to logits (N, classes).

    In evaluation the logits are zeros. Liu et al. 2019, whose networks for ImageNet have it for 14×14.

    Parameters
    ----------
    channels, classes
        The numbers of channels before and of logits after.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.pool = nn.AvgPool2d(5, stride=3, count_include_pad=False)
        self.narrow = nn.Sequential(nn.Conv2d(channels, 128, 1, bias=False), nn.BatchNorm2d(128), nn.ReLU())
        self.wide = nn.Sequential(nn.Conv2d(128, 768, 2, bias=False), nn.BatchNorm2d(768), nn.ReLU())
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(768, classes)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x.new_zeros(x.shape[0], self.linear.out_features)  # len() would fix it in an export
        logits: Tensor = super().forward(x)  # type: ignore[no-untyped-call]  # torch's
        return logits


class WithAuxiliary(nn.Module):
    """The output of a network with two classifiers, a `comb_op`: both logits in training, else one.

    It takes [auxiliary logits, logits] and returns (logits, auxiliary logits), or logits.
    """

    def forward(self, tensors: Sequence[Tensor]) -> Tensor | tuple[Tensor, Tensor]:
        auxiliary, logits = tensors
        return (logits, auxiliary) if self.training else logits


class DropPath(nn.Module):
    """In training, zeros for some images of the batch; the others are scaled up to keep the mean.

    A trainer sets the rate (Larsson et al. 2017, arXiv:1605.07648, as Liu et al. 2019 use it).
    """

    _kept: Tensor

    def __init__(self) -> None:
        super().__init__()
        #: (k, n) if the images are those from the k-th on of a batch of n, for which zeros are sampled.
        self.part: tuple[int, int] | None = None
        self._rate, self._drops = 0.0, False
        self.register_buffer("_kept", torch.ones(()), persistent=False)  # a plan compiled reads it anew

    @property
    def rate(self) -> float:
        """The probability of zeros, at least 0 and below 1; another one raises GraphError."""
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        if not 0 <= rate < 1:
            raise GraphError(f"a path is dropped at a rate of at least 0 and below 1, got {rate}")
        self._rate, self._drops = rate, rate > 0
        self._kept.fill_(1 - rate)

    def mask(self, x: Tensor) -> Tensor | None:
        """Sample what the images are multiplied by, shape (N, 1, 1, 1); None: they stay as they are."""
        if not self.training or not self._drops:
            return None
        first, count = (0, len(x)) if self.part is None else self.part
        mask = torch.bernoulli(self._kept.expand(count, 1, 1, 1))[first : first + len(x)]
        return (mask / self._kept).to(x.dtype)

    def forward(self, x: Tensor) -> Tensor:
        mask = self.mask(x)
        return x if mask is None else x * mask


# Of the hierarchical space (Liu et al. 2018, arXiv:1711.00436, section 4.1)


class ConvBNReLU(nn.Sequential):
    """Convolution without bias, normalization, ReLU.

    Parameters
    ----------
    c_in, c_out
        Channels before and after.
    kernel_size
        Odd.
    alone
        Convolve each channel alone.
    **norm
        `affine` and `statistics`, as for `batch_norm`.

    Raises
    ------
    GraphError
        If each channel is convolved alone, but the numbers of channels differ.
    """

    def __init__(
        self, c_in: int, c_out: int, kernel_size: int, alone: bool = False, **norm: Unpack[Norm]
    ) -> None:
        super().__init__()
        if alone and c_in != c_out:
            raise GraphError(
                f"a convolution of each channel alone keeps their number, got {c_in} and {c_out}"
            )
        padding, groups = kernel_size // 2, c_in if alone else 1
        self.conv = nn.Conv2d(c_in, c_out, kernel_size, padding=padding, groups=groups, bias=False)
        self.bn = batch_norm(c_out, **norm)
        self.relu = nn.ReLU()


class SepConvBNReLU(nn.Sequential):
    """A separable 3×3 convolution: depthwise, then 1×1; normalization, ReLU.

    Parameters
    ----------
    c_in, c_out
        Channels before and after.
    stride
        Of the depthwise convolution.
    **norm
        `affine` and `statistics`, as for `batch_norm`.
    """

    def __init__(self, c_in: int, c_out: int, stride: int = 1, **norm: Unpack[Norm]) -> None:
        super().__init__()
        self.depthwise = depthwise(c_in, 3, stride)
        self.pointwise = nn.Conv2d(c_in, c_out, 1, bias=False)
        self.bn = batch_norm(c_out, **norm)
        self.relu = nn.ReLU()


class Concat1x1(nn.Module):
    """The concatenation of several tensors, a 1×1 convolution, and normalization; a `comb_op`.

    Parameters
    ----------
    count
        The number of tensors.
    c_in, c_out
        Channels of each tensor, and after the convolution.
    **norm
        `affine` and `statistics`, as for `batch_norm`.
    """

    def __init__(self, count: int, c_in: int, c_out: int, **norm: Unpack[Norm]) -> None:
        super().__init__()
        self.concat = Concat()
        self.conv = nn.Conv2d(count * c_in, c_out, 1, bias=False)
        self.bn = batch_norm(c_out, **norm)

    def forward(self, tensors: Iterable[Tensor]) -> Tensor:
        out: Tensor = self.bn(self.conv(self.concat(tensors)))
        return out
