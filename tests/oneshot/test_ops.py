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


def test_add_up_does_not_change_what_arrived(x):
    tensors = [x.clone(), x.clone()]
    torch.testing.assert_close(ops.add_up(tensors), 2 * x)
    torch.testing.assert_close(tensors[0], x)
    assert ops.add_up([x]) is x


def test_identity_gives_the_very_tensor(x):
    assert ops.Identity()(x) is x


def test_a_dropped_identity_zeroes_random_entries_in_training_and_scales_the_others():
    op, x = ops.DroppedIdentity(), torch.arange(1.0, 10_001.0)
    assert op(x) is x
    op.rate = 0.3
    y = op(x)
    kept = y != 0
    assert kept.double().mean().item() == pytest.approx(0.7, abs=0.02)
    torch.testing.assert_close(y[kept], x[kept] / 0.7)
    assert torch.equal(op.eval()(x), x)


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
    with pytest.raises(GraphError, match=f"must be odd, got {kernel_size}"):
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
        lambda **norm: ops.FactorizedReduce(4, 6, **norm),
        lambda **norm: ops.SepConv(4, 4, 3, **norm),
        lambda **norm: ops.DilConv(4, 4, 3, **norm),
        lambda **norm: ops.Normalized(ops.MaxPool(), 4, **norm),
        lambda **norm: ops.ConvBNReLU(4, 4, 3, **norm),
        lambda **norm: ops.SepConvBNReLU(4, 4, **norm),
        lambda **norm: ops.Concat1x1(2, 4, 4, **norm),
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
    with pytest.raises(GraphError, match="must be 1 or 2, got 3"):
        ops.ResNetBasicblock(4, 4, 3)


def test_classifier_normalizes_before_it_averages(x):
    op = ops.Classifier(4, 7)
    expected = F.linear(normalized(x).relu().mean(dim=(2, 3)), op.linear.weight, op.linear.bias)
    torch.testing.assert_close(op(x), expected, rtol=1e-4, atol=1e-5)
    assert parameters(op) == 2 * 4 + 5 * 7


# Of the space of DARTS


def channelwise(x, conv, stride=1, dilation=1):
    """Each channel alone."""
    padding = dilation * (conv.kernel_size[0] // 2)
    alone = [
        F.conv2d(x[:, [c]], conv.weight[[c]], stride=stride, padding=padding, dilation=dilation)
        for c in range(x.shape[1])
    ]
    return torch.cat(alone, dim=1)


def test_pooled_linear_averages_and_classifies(x):
    op = ops.PooledLinear(4, 7)
    expected = F.linear(x.mean(dim=(2, 3)), op.linear.weight, op.linear.bias)
    torch.testing.assert_close(op(x), expected)
    assert parameters(op) == 5 * 7


@pytest.mark.parametrize(("c_out", "even"), [(2, 1), (6, 3), (7, 3)])
def test_factorized_reduction_looks_at_even_and_at_odd_pixels(c_out, even):
    torch.manual_seed(0)
    x = torch.randn(3, 4, 6, 8)
    op = ops.FactorizedReduce(4, c_out)
    first, second = (conv.weight for conv in op.modules() if isinstance(conv, nn.Conv2d))
    assert (len(first), len(second)) == (even, c_out - even)
    images = [x.relu()[:, :, ::2, ::2], x.relu()[:, :, 1::2, 1::2]]
    both = [F.conv2d(image, weight) for image, weight in zip(images, (first, second), strict=True)]
    torch.testing.assert_close(op(x), normalized(torch.cat(both, dim=1)), rtol=1e-4, atol=1e-5)
    assert parameters(op) == 4 * c_out + 2 * c_out


def test_a_factorized_reduction_has_two_channels_or_more():
    with pytest.raises(GraphError, match="must be >= 2, got 1"):
        ops.FactorizedReduce(4, 1)


@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_dilated_convolution(x, kernel_size, stride):
    op = ops.DilConv(4, 6, kernel_size, stride)
    inner = channelwise(x.relu(), op.depthwise, stride, dilation=2)
    expected = normalized(F.conv2d(inner, op.pointwise.weight))
    torch.testing.assert_close(op(x), expected, rtol=1e-4, atol=1e-5)
    assert op(x).shape[2:] == x[:, :, ::stride, ::stride].shape[2:]
    assert parameters(op) == 4 * kernel_size**2 + 4 * 6 + 2 * 6


@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_separable_convolution_is_twice(x, kernel_size, stride):
    op = ops.SepConv(4, 6, kernel_size, stride)
    inner = x
    for half, step in zip(op, (stride, 1), strict=True):
        inner = channelwise(inner.relu(), half.depthwise, step)
        inner = normalized(F.conv2d(inner, half.pointwise.weight))
    torch.testing.assert_close(op(x), inner, rtol=1e-4, atol=1e-5)
    assert parameters(op) == 2 * 4 * kernel_size**2 + 4 * 4 + 2 * 4 + 4 * 6 + 2 * 6


@pytest.mark.parametrize("kernel_size", [0, 2, 4])
def test_a_kernel_of_each_channel_alone_has_an_odd_size(kernel_size):
    for make in (ops.depthwise, lambda c, k: ops.SepConv(c, c, k), lambda c, k: ops.DilConv(c, c, k)):
        with pytest.raises(GraphError, match=f"kernel_size must be odd, got {kernel_size}"):
            make(4, kernel_size)


@pytest.mark.parametrize("stride", [1, 2])
def test_pools_leave_borders_out(stride):
    torch.manual_seed(0)
    x = torch.randn(2, 3, 6, 6) - 5.0  # so that a border of zeros would be the greatest
    greatest, mean = torch.empty_like(x), torch.empty_like(x)
    for row in range(6):
        for column in range(6):
            window = x[:, :, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            greatest[:, :, row, column] = window.amax(dim=(2, 3))
            mean[:, :, row, column] = window.mean(dim=(2, 3))
    torch.testing.assert_close(ops.MaxPool(stride)(x), greatest[:, :, ::stride, ::stride])
    torch.testing.assert_close(ops.AvgPool(stride)(x), mean[:, :, ::stride, ::stride])
    pooled = ops.Normalized(ops.AvgPool(stride), 3, affine=False, statistics=False)
    torch.testing.assert_close(pooled(x), normalized(mean[:, :, ::stride, ::stride]), rtol=1e-4, atol=1e-5)


def test_tensors_are_put_together(x):
    assert torch.equal(ops.Concat()([x, 2 * x]), torch.cat([x, 2 * x], dim=1))
    assert torch.equal(ops.Concat()((x,)), x)
    assert torch.equal(ops.Shift()(x), x[:, :, 1:, 1:])


def test_the_auxiliary_head_is_of_8_by_8():
    torch.manual_seed(0)
    op, x = ops.AuxiliaryHead(6, 5), torch.randn(4, 6, 8, 8)
    inner = F.avg_pool2d(x.relu(), 5, stride=3)
    assert inner.shape[2:] == (2, 2)
    inner = normalized(F.conv2d(inner, op.narrow[0].weight)).relu()
    inner = normalized(F.conv2d(inner, op.wide[0].weight)).relu()
    expected = F.linear(inner.flatten(1), op.linear.weight, op.linear.bias)
    torch.testing.assert_close(op(x), expected, rtol=1e-4, atol=1e-4)
    assert parameters(op) == 6 * 128 + 2 * 128 + 128 * 768 * 4 + 2 * 768 + 769 * 5
    op.eval()
    for size in (8, 3):  # it is of no use then
        assert torch.equal(op(torch.randn(4, 6, size, size)), torch.zeros(4, 5))


def test_two_classifiers_have_both_logits_in_training_alone():
    op, main, auxiliary = ops.WithAuxiliary(), torch.ones(2, 3), torch.zeros(2, 3)
    assert op([auxiliary, main]) == (main, auxiliary)
    assert op.eval()([auxiliary, main]) is main


# Drop path


def test_a_path_is_dropped_for_some_images_and_the_mean_stays():
    torch.manual_seed(0)
    op, x = ops.DropPath(), torch.ones(4000, 2, 1, 1)
    assert (op.rate, op(x) is x) == (0, True)
    op.rate = 0.3
    out = op(x)
    assert torch.equal(out[:, 0], out[:, 1])  # all of an image, or nothing
    torch.testing.assert_close(out.unique(), torch.tensor([0.0, 1 / 0.7]))
    assert (out == 0).float().mean() == pytest.approx(0.3, abs=0.03)
    assert out.mean() == pytest.approx(1, abs=0.03)
    assert op.eval()(x) is x
    op.train().rate = 0.0
    assert op(x) is x


def test_dropped_paths_keep_the_type_and_are_no_part_of_the_state():
    op = ops.DropPath()
    op.rate = 0.5
    for dtype in (torch.float64, torch.bfloat16):
        assert op(torch.ones(4, 1, 1, 1, dtype=dtype)).dtype == dtype
        assert set(op.double()(torch.ones(64, 1, 1, 1, dtype=dtype)).unique().tolist()) == {0.0, 2.0}
    assert op.state_dict() == {}
    x = torch.ones(64, 1, 1, 1, requires_grad=True)
    op(x).sum().backward()
    assert set(x.grad.unique().tolist()) == {0.0, 2.0}


def test_a_part_of_the_batch_has_its_part_of_what_is_drawn():
    op, x = ops.DropPath(), torch.ones(12, 1, 1, 1)
    op.rate = 0.5
    torch.manual_seed(3)
    whole = op(x)
    for first in (0, 4, 8):
        op.part = first, 12
        torch.manual_seed(3)
        assert torch.equal(op(x[:4]), whole[first : first + 4])


@pytest.mark.parametrize("rate", [1, 1.5, -0.1, float("nan")])
def test_a_rate_of_dropped_paths_is_below_one(rate):
    op = ops.DropPath()
    with pytest.raises(GraphError, match=f"the rate of drop path must be >= 0 and < 1, got {rate}"):
        op.rate = rate
    assert op.rate == 0


# Of the hierarchical space


@pytest.mark.parametrize(("kernel_size", "alone"), [(1, False), (3, False), (3, True)])
def test_convolution_normalization_relu(x, kernel_size, alone):
    op = ops.ConvBNReLU(4, 4, kernel_size, alone)
    inner = channelwise(x, op.conv) if alone else F.conv2d(x, op.conv.weight, padding=kernel_size // 2)
    torch.testing.assert_close(op(x), normalized(inner).relu(), rtol=1e-4, atol=1e-5)
    assert parameters(op) == (4 if alone else 16) * kernel_size**2 + 8


def test_a_convolution_of_each_channel_alone_keeps_their_number():
    with pytest.raises(GraphError, match="of a depthwise convolution must be equal, got 4 and 6"):
        ops.ConvBNReLU(4, 6, 3, alone=True)
    assert ops.ConvBNReLU(4, 6, 3).conv.out_channels == 6


@pytest.mark.parametrize("stride", [1, 2])
def test_separable_convolution_normalization_relu(x, stride):
    op = ops.SepConvBNReLU(4, 6, stride)
    inner = F.conv2d(channelwise(x, op.depthwise, stride), op.pointwise.weight)
    torch.testing.assert_close(op(x), normalized(inner).relu(), rtol=1e-4, atol=1e-5)
    assert parameters(op) == 4 * 9 + 4 * 6 + 12


def test_concatenation_and_convolution(x):
    op = ops.Concat1x1(3, 4, 5)
    expected = normalized(F.conv2d(torch.cat([x, -x, 2 * x], dim=1), op.conv.weight))
    torch.testing.assert_close(op([x, -x, 2 * x]), expected, rtol=1e-4, atol=1e-5)
    assert parameters(op) == 12 * 5 + 10
