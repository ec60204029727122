"""Candidate operations and fixed parts of networks: modules on tensors of shape (N, C, H, W)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias, TypedDict, Unpack

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from oneshot.errors import GraphError

Combination: TypeAlias = Callable[[list[Tensor]], Any]  # `comb_op` of a node; may return any type
Sequential = nn.Sequential


def add_up(tensors: Sequence[Tensor]) -> Tensor:
    """Return the sum of tensors; nodes combine their inputs this way unless they have a `comb_op`."""
    return sum(tensors[1:], tensors[0])


class Identity(nn.Identity):
    """The input unchanged."""


class DroppedIdentity(Identity):
    """The input; in training, random entries are set to 0 and the others scaled up to keep the mean.

    The rate is 0 until a search sets it.

    References
    ----------
    Srivastava et al. 2014, JMLR 15; on skip connections of a supernet by Chen et al. 2019, arXiv:1904.12760.
    """

    def __init__(self) -> None:
        super().__init__()
        #: probability of setting an entry to 0
        self.rate = 0.0

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.rate, self.training) if self.rate > 0 else x


class Pruned(nn.Module):
    """The place of a candidate that a search has pruned, so that the others keep their numbers."""


class Zero(nn.Module):
    """Zeros of the input's shape.

    Parameters
    ----------
    stride
        Stride of rows and columns.
    """

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return x[..., :: self.stride, :: self.stride].mul(0.0)

    def extra_repr(self) -> str:
        return f"stride={self.stride}"


class Noise(nn.Module):
    """Standard normal noise of the input's shape.

    Parameters
    ----------
    stride
        Stride of rows and columns.

    References
    ----------
    Zela et al. 2020, arXiv:1909.09656, section 3.
    """

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return torch.randn_like(x[..., :: self.stride, :: self.stride])

    def extra_repr(self) -> str:
        return f"stride={self.stride}"


class Norm(TypedDict, total=False):
    """Options of `batch_norm`."""

    #: whether to learn a scale and a shift
    affine: bool
    #: whether to keep running statistics
    statistics: bool


def batch_norm(channels: int, affine: bool = True, statistics: bool = True) -> nn.BatchNorm2d:
    """Return a batch normalization.

    Parameters
    ----------
    channels
        Number of channels.
    affine
        Whether to learn a scale and a shift.
    statistics
        Whether to keep running statistics for evaluation; otherwise, as in a supernet, it always uses the
        statistics of the batch.

    Returns
    -------
    torch.nn.BatchNorm2d
        The module.
    """
    return nn.BatchNorm2d(channels, affine=affine, track_running_stats=statistics)


def same_size(kernel_size: int, dilation: int = 1) -> int:
    """Return the padding that keeps the size of an image; raise GraphError if the kernel size is even."""
    if kernel_size % 2 == 0:
        raise GraphError(f"kernel_size must be odd, got {kernel_size}")
    return dilation * (kernel_size // 2)


class ReLUConvBN(nn.Sequential):
    """ReLU, convolution without bias and batch normalization; stride 1 keeps the size.

    Parameters
    ----------
    c_in, c_out
        Input and output channels.
    kernel_size
        Height and width of the kernel, odd.
    stride
        Stride of the convolution.
    **norm
        `affine` and `statistics`, as for `batch_norm`.

    Raises
    ------
    GraphError
        If the kernel size is even.
    """

    def __init__(
        self, c_in: int, c_out: int, kernel_size: int, stride: int = 1, **norm: Unpack[Norm]
    ) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv = nn.Conv2d(c_in, c_out, kernel_size, stride, same_size(kernel_size), bias=False)
        self.bn = batch_norm(c_out, **norm)


class AvgPool1x1(nn.Sequential):
    """An average pool whose mean excludes the padding, preceded by `ReLUConvBN` if the stride is above 1.

    With kernel size 3 and stride 1, the only stride in its cells, it is avg_pool_3x3 of NAS-Bench-201.

    Parameters
    ----------
    kernel_size, stride
        Size and stride of the window.
    c_in, c_out
        Input and output channels; only for a stride above 1.
    **norm
        `affine` and `statistics`, as for `batch_norm`.

    Raises
    ------
    GraphError
        If the stride is above 1 and the channels are not given.

    References
    ----------
    Dong & Yang 2020, arXiv:2001.00326.
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
    """A 3×3 convolution of the image and batch normalization.

    Parameters
    ----------
    c_out, c_in
        Output and input channels.
    **norm
        `affine` and `statistics`, as for `batch_norm`.
    """

    def __init__(self, c_out: int, c_in: int = 3, **norm: Unpack[Norm]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)
        self.bn = batch_norm(c_out, **norm)


class ResNetBasicblock(nn.Module):
    """A residual block: twice ReLU, 3×3 convolution and normalization, and a shortcut.

    At stride 2, the shortcut is an average pool and a 1×1 convolution.

    Parameters
    ----------
    c_in, c_out
        Input and output channels.
    stride
        Stride of the block, 1 or 2.
    **norm
        `affine` and `statistics`, as for `batch_norm`.

    Raises
    ------
    GraphError
        If the stride is neither 1 nor 2.

    References
    ----------
    He et al. 2016, arXiv:1512.03385, with the order of layers in Dong & Yang 2020, arXiv:2001.00326, section
    2.1.
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
            raise GraphError(f"stride of a residual block must be 1 or 2, got {stride}")

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.shortcut(x) + self.conv_b(self.conv_a(x))
        return out


class Classifier(nn.Sequential):
    """Batch normalization, ReLU, global average pool and a linear layer, which returns logits (N, classes).

    Parameters
    ----------
    channels, classes
        Number of input channels and of logits.
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
    """Global average pool and a linear layer, which returns logits (N, classes).

    Parameters
    ----------
    channels, classes
        Number of input channels and of logits.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(channels, classes)


# Operations of the space of DARTS (Liu et al. 2019, arXiv:1806.09055, section 3.1.1)


class FactorizedReduce(nn.Module):
    """A reduction of height and width by half: ReLU, two 1×1 convolutions of stride 2 and normalization.

    The second convolution starts one row and one column later. Their channels are concatenated.

    Parameters
    ----------
    c_in, c_out
        Input and output channels.
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
            raise GraphError(f"c_out of a factorized reduction must be >= 2, got {c_out}")
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
    """A separable convolution: twice ReLU, depthwise convolution, 1×1 convolution and normalization.

    Parameters
    ----------
    c_in, c_out
        Input and output channels.
    kernel_size
        Size of the depthwise kernels, odd.
    stride
        Stride of the first depthwise convolution.
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
    """ReLU, a dilated depthwise convolution, a 1×1 convolution and normalization.

    Parameters
    ----------
    c_in, c_out
        Input and output channels.
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
    """Return a depthwise convolution without bias; stride 1 keeps the size.

    Parameters
    ----------
    channels
        Number of channels.
    kernel_size
        Height and width of the kernel, odd.
    stride, dilation
        Stride and dilation of the kernel.

    Returns
    -------
    torch.nn.Conv2d
        The module.

    Raises
    ------
    GraphError
        If the kernel size is even.
    """
    padding = same_size(kernel_size, dilation)
    return nn.Conv2d(channels, channels, kernel_size, stride, padding, dilation, groups=channels, bias=False)


class MaxPool(nn.MaxPool2d):
    """A 3×3 max pool.

    Parameters
    ----------
    stride
        Stride of the window.
    """

    def __init__(self, stride: int = 1) -> None:
        super().__init__(3, stride, padding=1)


class AvgPool(nn.AvgPool2d):
    """A 3×3 average pool whose mean excludes the padding.

    Parameters
    ----------
    stride
        Stride of the window.
    """

    def __init__(self, stride: int = 1) -> None:
        super().__init__(3, stride, padding=1, count_include_pad=False)


class Normalized(nn.Sequential):
    """An operation without weights followed by normalization, such as a pool in a supernet of DARTS.

    Parameters
    ----------
    op
        The operation.
    channels
        Number of output channels of the operation.
    **norm
        `affine` and `statistics`, as for `batch_norm`.
    """

    def __init__(self, op: nn.Module, channels: int, **norm: Unpack[Norm]) -> None:
        super().__init__()
        self.op = op
        self.bn = batch_norm(channels, **norm)


class Concat(nn.Module):
    """Concatenation of channels, a `comb_op` of nodes."""

    def forward(self, tensors: Iterable[Tensor]) -> Tensor:
        return torch.cat(tuple(tensors), dim=1)


class AuxiliaryHead(nn.Sequential):
    """An auxiliary classifier in the middle of a network, from feature maps of 8×8 pixels to logits.

    It is only for training; in evaluation, its logits are zeros. The networks of Liu et al. for ImageNet have
    a version for 14×14 pixels.

    Parameters
    ----------
    channels, classes
        Number of input channels and of logits.

    References
    ----------
    Liu et al. 2019, arXiv:1806.09055.
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
            return x.new_zeros(x.shape[0], self.linear.out_features)  # len() would be a constant in an export
        logits: Tensor = super().forward(x)  # type: ignore[no-untyped-call]  # torch's
        return logits


class WithAuxiliary(nn.Module):
    """The output node of a network with an auxiliary classifier, a `comb_op`.

    Its inputs are [auxiliary logits, logits]. In training it returns (logits, auxiliary logits), otherwise
    logits.
    """

    def forward(self, tensors: Sequence[Tensor]) -> Tensor | tuple[Tensor, Tensor]:
        auxiliary, logits = tensors
        return (logits, auxiliary) if self.training else logits


class DropPath(nn.Module):
    """Drop path: in training, zero random images of the batch and scale up the others to keep the mean.

    The rate is 0 until a trainer sets it.

    References
    ----------
    Larsson et al. 2017, arXiv:1605.07648, as used by Liu et al. 2019, arXiv:1806.09055.
    """

    _kept: Tensor

    def __init__(self) -> None:
        super().__init__()
        #: (k, n) if the images are part of a batch of n images, from number k on; the whole batch is sampled
        self.part: tuple[int, int] | None = None
        self._rate, self._drops = 0.0, False
        self.register_buffer("_kept", torch.ones(()), persistent=False)  # read by compiled plans

    @property
    def rate(self) -> float:
        """Probability of zeros, in [0, 1); setting another value raises GraphError."""
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        if not 0 <= rate < 1:
            raise GraphError(f"the rate of drop path must be >= 0 and < 1, got {rate}")
        self._rate, self._drops = rate, rate > 0
        self._kept.fill_(1 - rate)

    def mask(self, x: Tensor) -> Tensor | None:
        """Sample the factors of images x, shape (N, 1, 1, 1); None if none are dropped."""
        if not self.training or not self._drops:
            return None
        first, count = (0, len(x)) if self.part is None else self.part
        mask = torch.bernoulli(self._kept.expand(count, 1, 1, 1))[first : first + len(x)]
        return (mask / self._kept).to(x.dtype)

    def forward(self, x: Tensor) -> Tensor:
        mask = self.mask(x)
        return x if mask is None else x * mask


# Operations of the hierarchical space (Liu et al. 2018, arXiv:1711.00436, section 4.1)


class ConvBNReLU(nn.Sequential):
    """Convolution without bias, normalization and ReLU.

    Parameters
    ----------
    c_in, c_out
        Input and output channels.
    kernel_size
        Height and width of the kernel, odd.
    alone
        Whether the convolution is depthwise.
    **norm
        `affine` and `statistics`, as for `batch_norm`.

    Raises
    ------
    GraphError
        If the convolution is depthwise, but the numbers of channels differ.
    """

    def __init__(
        self, c_in: int, c_out: int, kernel_size: int, alone: bool = False, **norm: Unpack[Norm]
    ) -> None:
        super().__init__()
        if alone and c_in != c_out:
            raise GraphError(
                f"c_in and c_out of a depthwise convolution must be equal, got {c_in} and {c_out}"
            )
        padding, groups = kernel_size // 2, c_in if alone else 1
        self.conv = nn.Conv2d(c_in, c_out, kernel_size, padding=padding, groups=groups, bias=False)
        self.bn = batch_norm(c_out, **norm)
        self.relu = nn.ReLU()


class SepConvBNReLU(nn.Sequential):
    """A separable convolution, 3×3 depthwise and 1×1, followed by normalization and ReLU.

    Parameters
    ----------
    c_in, c_out
        Input and output channels.
    stride
        Stride of the depthwise convolution.
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
    """Concatenation of tensors, a 1×1 convolution and normalization, a `comb_op` of nodes.

    Parameters
    ----------
    count
        Number of tensors.
    c_in, c_out
        Channels of each tensor and output channels.
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
