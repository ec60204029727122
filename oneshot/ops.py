"""Candidate operations and the fixed parts of networks, as plain modules on tensors of shape (N, C, H, W)."""

from torch import nn

from oneshot.errors import GraphError

Sequential = nn.Sequential


class Identity(nn.Identity):
    """The tensor as it came."""


class Zero(nn.Module):
    """Zeros of the tensor's shape; with a stride, of every so many rows and columns."""

    def __init__(self, stride=1):
        super().__init__()
        self.stride = stride

    def forward(self, x):
        return x[..., :: self.stride, :: self.stride].mul(0.0)

    def extra_repr(self):
        return f"stride={self.stride}"


def batch_norm(channels, affine=True, statistics=True):
    """Batch normalization; with neither, as in a supernet, it always uses the batch's own statistics.

    `affine`: a learned scale and shift; `statistics`: running ones, which evaluation uses.
    """
    return nn.BatchNorm2d(channels, affine=affine, track_running_stats=statistics)


class ReLUConvBN(nn.Sequential):
    """ReLU, convolution without bias, batch normalization; the size stays at stride 1."""

    def __init__(self, c_in, c_out, kernel_size, stride=1, affine=True, statistics=True):
        if kernel_size % 2 == 0:
            raise GraphError(f"a kernel has an odd size, got {kernel_size}")
        conv = nn.Conv2d(c_in, c_out, kernel_size, stride, padding=kernel_size // 2, bias=False)
        super().__init__()
        self.relu = nn.ReLU()
        self.conv = conv
        self.bn = batch_norm(c_out, affine, statistics)


class AvgPool1x1(nn.Sequential):
    """The mean over a window, borders left out; at a stride above 1, after a 1×1 convolution to `c_out`.

    NAS-Bench-201's avg_pool_3x3 (Dong & Yang 2020, arXiv:2001.00326), whose cells have stride 1 only.
    """

    def __init__(self, kernel_size, stride=1, c_in=None, c_out=None, affine=True, statistics=True):
        super().__init__()
        if stride > 1:
            if c_in is None or c_out is None:
                raise GraphError(f"an average pool of stride {stride} needs c_in and c_out")
            self.preprocess = ReLUConvBN(c_in, c_out, 1, 1, affine, statistics)
        self.pool = nn.AvgPool2d(kernel_size, stride, padding=kernel_size // 2, count_include_pad=False)


class Stem(nn.Sequential):
    """A 3×3 convolution from the image to so many channels, and batch normalization."""

    def __init__(self, c_out, c_in=3, affine=True, statistics=True):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)
        self.bn = batch_norm(c_out, affine, statistics)


class ResNetBasicblock(nn.Module):
    """Two ReLU-conv3×3-BN and a shortcut; at stride 2 the shortcut is an average pool and a 1×1 convolution.

    He et al. 2016, arXiv:1512.03385, in the order of NAS-Bench-201's reduction (arXiv:2001.00326, section
    2.1).
    """

    def __init__(self, c_in, c_out, stride, affine=True, statistics=True):
        super().__init__()
        self.conv_a = ReLUConvBN(c_in, c_out, 3, stride, affine, statistics)
        self.conv_b = ReLUConvBN(c_out, c_out, 3, 1, affine, statistics)
        if stride == 2:
            self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(c_in, c_out, 1, bias=False))
        elif stride == 1 and c_in == c_out:
            self.shortcut = nn.Identity()
        elif stride == 1:
            self.shortcut = ReLUConvBN(c_in, c_out, 1, 1, affine, statistics)
        else:
            raise GraphError(f"a residual block has stride 1 or 2, got {stride}")

    def forward(self, x):
        return self.shortcut(x) + self.conv_b(self.conv_a(x))


class Classifier(nn.Sequential):
    """Batch normalization, ReLU, the mean over the image, and a linear layer: logits (N, classes)."""

    def __init__(self, channels, classes, affine=True, statistics=True):
        super().__init__()
        self.bn = batch_norm(channels, affine, statistics)
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(channels, classes)
