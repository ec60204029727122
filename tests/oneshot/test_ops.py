"""Operations against what the same mathematics gives when written out."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from oneshot import ops
from oneshot.errors import GraphError


@pytest.fixture
def x():
    torch.manual_seed(0)
    return torch.randn(3, 4, 6, 5)


def normalized(x):
    """By the mean and the biased variance of the batch."""
    mean = x.mean(dim=(0, 2, 3), keepdim=True)
    variance = x.var(dim=(0, 2, 3), unbiased=False, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt()


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_identity_gives_the_very_tensor(x):
    assert ops.Identity()(x) is x


@pytest.mark.parametrize(("stride", "size"), [(1, (6, 5)), (2, (3, 3)), (3, (2, 2))])
def test_zero_has_the_size_of_a_convolution_of_its_stride(x, stride, size):
    zeros = ops.Zero(stride)(x)
    assert zeros.shape == (3, 4, *size)
    assert zeros.shape == F.conv2d(x, torch.ones(4, 4, 3, 3), stride=stride, padding=1).shape
    assert not zeros.any()
    assert repr(ops.Zero(stride)) == f"Zero(stride={stride})"


def test_zero_gives_a_gradient_of_zeros(x):
    x.requires_grad_()
    ops.Zero()(x).sum().backward()
    assert not x.grad.any()


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_relu_conv_bn_is_the_three_in_this_order(x, kernel_size, stride):
    op = ops.ReLUConvBN(4, 6, kernel_size, stride)
    expected = F.conv2d(x.relu(), op.conv.weight, stride=stride, padding=kernel_size // 2)
    torch.testing.assert_close(op(x), normalized(expected), rtol=1e-4, atol=1e-5)
    assert op(x).shape[2:] == (x[:, :, ::stride, ::stride]).shape[2:]
    assert parameters(op) == 4 * 6 * kernel_size**2 + 2 * 6
    assert [type(each) for each in op] == [nn.ReLU, nn.Conv2d, nn.BatchNorm2d]


@pytest.mark.parametrize("kernel_size", [0, 2, 4])
def test_a_kernel_has_an_odd_size(kernel_size):
    with pytest.raises(GraphError, match=f"odd size, got {kernel_size}"):
        ops.ReLUConvBN(4, 4, kernel_size)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("statistics", [True, False])
def test_normalization_has_the_parts_that_it_is_told_to_have(x, affine, statistics):
    norm = ops.batch_norm(4, affine, statistics)
    assert (norm.weight is not None) == (norm.bias is not None) == affine
    assert (norm.running_mean is not None) == (norm.running_var is not None) == statistics
    torch.testing.assert_close(norm(x), normalized(x), rtol=1e-4, atol=1e-5)
    if not statistics:
        torch.testing.assert_close(norm.eval()(x), normalized(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda **norm: ops.ReLUConvBN(4, 4, 1, **norm),
        lambda **norm: ops.AvgPool1x1(3, 2, 4, 4, **norm),
        lambda **norm: ops.Stem(4, **norm),
        lambda **norm: ops.ResNetBasicblock(4, 4, 1, **norm),
        lambda **norm: ops.ResNetBasicblock(4, 8, 1, **norm),
        lambda **norm: ops.ResNetBasicblock(4, 8, 2, **norm),
        lambda **norm: ops.Classifier(4, 3, **norm),
    ],
)
def test_every_normalization_in_an_operation_is_as_told(make):
    for affine in (True, False):
        for statistics in (True, False):
            op = make(affine=affine, statistics=statistics)
            norms = [each for each in op.modules() if isinstance(each, nn.BatchNorm2d)]
            assert norms
            assert {each.affine for each in norms} == {affine}
            assert {each.running_mean is not None for each in norms} == {statistics}


def test_average_pool_leaves_borders_out(x):
    ones = torch.ones(1, 1, 3, 3)
    windows = F.conv2d(x.flatten(0, 1)[:, None], ones, padding=1).view_as(x)
    counts = F.conv2d(torch.ones(1, 1, 6, 5), ones, padding=1)
    torch.testing.assert_close(ops.AvgPool1x1(3)(x), windows / counts)
    assert parameters(ops.AvgPool1x1(3)) == 0


def test_average_pool_of_stride_2_comes_after_a_convolution(x):
    op = ops.AvgPool1x1(3, 2, 4, 8)
    inner = normalized(F.conv2d(x.relu(), op.preprocess.conv.weight))
    expected = F.avg_pool2d(inner, 3, 2, padding=1, count_include_pad=False)
    torch.testing.assert_close(op(x), expected, rtol=1e-4, atol=1e-5)
    for missing in ({}, {"c_in": 4}, {"c_out": 8}):
        with pytest.raises(GraphError, match="stride 2 needs c_in and c_out"):
            ops.AvgPool1x1(3, 2, **missing)


def test_stem_takes_images(x):
    op = ops.Stem(8)
    images = x[:, :3]
    expected = normalized(F.conv2d(images, op.conv.weight, padding=1))
    torch.testing.assert_close(op(images), expected, rtol=1e-4, atol=1e-5)
    assert parameters(op) == 3 * 8 * 9 + 2 * 8
    assert ops.Stem(8, c_in=4)(x).shape == (3, 8, 6, 5)


def test_residual_block_of_stride_2_is_the_benchmarks_reduction():
    torch.manual_seed(0)
    x = torch.randn(3, 4, 6, 8)
    op = ops.ResNetBasicblock(4, 8, 2)
    inner = normalized(F.conv2d(x.relu(), op.conv_a.conv.weight, stride=2, padding=1))
    inner = normalized(F.conv2d(inner.relu(), op.conv_b.conv.weight, padding=1))
    shortcut = F.conv2d(F.avg_pool2d(x, 2), op.shortcut[1].weight)
    torch.testing.assert_close(op(x), shortcut + inner, rtol=1e-4, atol=1e-5)
    assert parameters(op) == 4 * 8 * 9 + 16 + 8 * 8 * 9 + 16 + 4 * 8


def test_residual_block_of_stride_1_adds_what_came(x):
    op = ops.ResNetBasicblock(4, 4, 1)
    inner = normalized(F.conv2d(x.relu(), op.conv_a.conv.weight, padding=1))
    inner = normalized(F.conv2d(inner.relu(), op.conv_b.conv.weight, padding=1))
    torch.testing.assert_close(op(x), x + inner, rtol=1e-4, atol=1e-5)
    wider = ops.ResNetBasicblock(4, 8, 1)
    assert isinstance(wider.shortcut, ops.ReLUConvBN)
    assert wider(x).shape == (3, 8, 6, 5)


def test_residual_block_has_stride_1_or_2():
    with pytest.raises(GraphError, match="stride 1 or 2, got 3"):
        ops.ResNetBasicblock(4, 4, 3)


def test_classifier_normalizes_before_it_averages(x):
    op = ops.Classifier(4, 7)
    expected = F.linear(normalized(x).relu().mean(dim=(2, 3)), op.linear.weight, op.linear.bias)
    torch.testing.assert_close(op(x), expected, rtol=1e-4, atol=1e-5)
    assert parameters(op) == 2 * 4 + 5 * 7
