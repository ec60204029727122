"""Kernels that do not leave their work to one call of torch, against the same written out."""

import math

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional as F  # noqa: N812

from oneshot import ops
from oneshot.compile.folding import fold_for, folded_norm
from oneshot.compile.kernels import Split, Zeros
from oneshot.compile.norms import Norm
from oneshot.compile.pools import AvgPool
from oneshot.compile.sums import Sum
from oneshot.graph import Graph
from tests.oneshot.compile.agreement import assert_agrees, images
from tests.oneshot.graph.examples import convolution

PICKS = [
    (None, None),
    (None, None, None),
    (0,),
    (0, 1),
    (1, None, 0),
    (None, 0, None, 0),  # a weight used twice
    (2, 2, None, None, 1),
]


def tensors(picks, dtype=torch.float64, shape=(2, 3, 4, 4)):
    torch.manual_seed(0)
    terms = [torch.randn(shape, dtype=dtype, requires_grad=True) for _ in picks]
    weighted = any(pick is not None for pick in picks)
    return [*terms, *([torch.randn(3, dtype=dtype, requires_grad=True)] if weighted else [])]


def written_out(picks, tensors):
    terms = tensors[: len(picks)]
    return sum(x if pick is None else x * tensors[-1][pick] for pick, x in zip(picks, terms, strict=True))


@pytest.mark.parametrize("picks", PICKS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_sums_and_their_gradients(picks, layout, dtype):
    given = [
        each.detach().contiguous(memory_format=layout).requires_grad_() if each.dim() == 4 else each
        for each in tensors(picks, dtype)
    ]
    before = [each.detach().clone() for each in given]
    found, expected = Sum(picks)(*given), written_out(picks, given)
    tolerance = {"rtol": 0.05, "atol": 0.05} if dtype == torch.bfloat16 else {}
    torch.testing.assert_close(found, expected, **tolerance)
    gradients = [torch.autograd.grad(each.float().square().sum(), given) for each in (found, expected)]
    for one, other in zip(*gradients, strict=True):
        tolerance = {"rtol": 0.1, "atol": 1.0} if dtype == torch.bfloat16 else {}
        torch.testing.assert_close(one, other, **tolerance)
    for each, as_it_was in zip(given, before, strict=True):
        assert torch.equal(each, as_it_was)  # nothing was added into what came


@pytest.mark.parametrize("picks", PICKS)
def test_gradients_of_sums_by_finite_differences(picks):
    given = tensors(picks, shape=(1, 2, 2, 2))
    assert gradcheck(Sum(picks), given)
    assert gradgradcheck(Sum(picks), given)


@pytest.mark.parametrize("picks", PICKS)
def test_sums_compute_just_the_gradients_that_are_asked_for(picks):
    given = tensors(picks)
    for wanted in range(len(given)):
        some = [each.detach().requires_grad_(number == wanted) for number, each in enumerate(given)]
        (found,) = torch.autograd.grad(Sum(picks)(*some).square().sum(), some[wanted])
        (expected,) = torch.autograd.grad(written_out(picks, some).square().sum(), some[wanted])
        torch.testing.assert_close(found, expected)


def test_sums_of_several_precisions():
    x = torch.randn(2, 3, 4, 4, requires_grad=True)
    for picks in ((None, None, None), (None, 0, 1)):
        weights = torch.randn(2).bfloat16().float()  # which are rounded for terms in bfloat16
        terms = [x.bfloat16(), x.bfloat16(), x, *([weights] if 0 in picks else [])]
        torch.testing.assert_close(Sum(picks)(*terms), written_out(picks, terms))


def test_sums_of_two_dimensions():
    given = tensors((0, None, 1), shape=(5, 7))
    torch.testing.assert_close(Sum((0, None, 1))(*given), written_out((0, None, 1), given))
    assert gradcheck(Sum((0, None, 1)), given)


def test_weighted_terms_that_are_smaller_than_the_others_broadcast():
    for picks in ((0, 1), (None, 0), (0, None), (None, None, None)):
        large, small = tensors((None,))[0], tensors((None,), shape=(2, 3, 1, 1))[0]
        for given in ([large, small, large], [small, large, large]):
            given = [*given[: len(picks)], *tensors(picks)[len(picks) :]]
            found, expected = Sum(picks)(*given), written_out(picks, given)
            torch.testing.assert_close(found, expected)
            gradients = [torch.autograd.grad(each.square().sum(), given[:2]) for each in (found, expected)]
            for one, other in zip(*gradients, strict=True):
                torch.testing.assert_close(one, other)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("pool", [nn.AvgPool2d(3, 1, 1, count_include_pad=False), nn.AvgPool2d(3, 1, 1)])
@pytest.mark.parametrize(
    "options", [{}, {"kernel_size": (5, 3), "padding": (2, 1)}, {"kernel_size": (1, 3), "padding": (0, 1)}]
)
def test_average_pools_and_their_gradients(dtype, pool, options):
    settings = {"kernel_size": (3, 3), "padding": (1, 1)} | options
    kernel = AvgPool(
        settings["kernel_size"], (1, 1), settings["padding"], False, pool.count_include_pad, None
    )
    oracle = nn.AvgPool2d(
        settings["kernel_size"], 1, settings["padding"], count_include_pad=pool.count_include_pad
    )
    torch.manual_seed(0)
    x = torch.randn(2, 3, 5, 6, dtype=dtype, requires_grad=True)
    tolerance = {"rtol": 0.05, "atol": 0.02} if dtype == torch.bfloat16 else {}
    found, expected = kernel(x), oracle(x)
    torch.testing.assert_close(found, expected, **tolerance)
    probe = torch.randn_like(expected)
    gradients = [torch.autograd.grad(each, x, probe) for each in (found, expected)]
    torch.testing.assert_close(*gradients, **tolerance)


@pytest.mark.parametrize("first", [torch.inference_mode, torch.no_grad])
def test_what_a_kernel_keeps_may_be_made_without_gradients_and_used_with(first):
    size = {torch.inference_mode: 7, torch.no_grad: 9}[first]  # sizes that nothing else here has
    x = torch.randn(1, 2, size, size, requires_grad=True)
    kernel = AvgPool((3, 3), (1, 1), (1, 1), False, False, None)
    with first():
        kernel(x)
    (gradient,) = torch.autograd.grad(kernel(x).square().sum(), x, create_graph=True)
    gradient.sum().backward()
    assert x.grad is not None


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("scaled", [True, False])
def test_normalizations_side_by_side(affine, scaled):
    torch.manual_seed(0)
    modules = tuple(nn.BatchNorm2d(c, affine=affine, track_running_stats=False) for c in (2, 3))
    for module in modules:
        for parameter in module.parameters():
            nn.init.normal_(parameter)
    x = torch.randn(4, 5, 3, 3)
    weights = torch.tensor([0.3, 0.3, 2.0, 2.0, 2.0])
    expected = torch.cat([module(part) for module, part in zip(modules, x.split([2, 3], 1), strict=True)], 1)
    kernel = Norm(modules)
    found = kernel(x, weights) if scaled else kernel(x)
    torch.testing.assert_close(found, expected * weights[:, None, None] if scaled else expected)


@pytest.mark.parametrize("statistics", [True, False])
@pytest.mark.parametrize("count", [1, 2])
def test_normalizations_with_a_scale_but_no_shift(count, statistics):
    torch.manual_seed(0)
    modules = [nn.BatchNorm2d(3, track_running_stats=statistics) for _ in range(count)]
    for module in modules:
        module.bias = None
        nn.init.normal_(module.weight)
    x, weights = torch.randn(4, 3 * count, 3, 3), torch.randn(3 * count)
    expected = torch.cat([module(part) for module, part in zip(modules, x.split(3, 1), strict=True)], 1)
    torch.testing.assert_close(Norm(tuple(modules))(x), expected)
    torch.testing.assert_close(Norm(tuple(modules))(x, weights), expected * weights[:, None, None])


@pytest.mark.parametrize("options", [{}, {"affine": False}, {"affine": False, "track_running_stats": False}])
@pytest.mark.parametrize("alpha", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("alike", [True, False])
def test_mixing_weights_may_have_another_precision(options, alpha, dtype, alike):
    torch.manual_seed(0)
    modules = [nn.BatchNorm2d(3, dtype=dtype, **options) for _ in range(2)]
    if not alike:
        modules[0].eval()
    x, weights = torch.randn(4, 6, 3, 3).to(dtype), torch.tensor([2.0] * 3 + [0.25] * 3)
    expected = torch.cat([module(part) for module, part in zip(modules, x.split(3, 1), strict=True)], 1)
    found = Norm(tuple(modules))(x, weights.to(alpha))
    torch.testing.assert_close(found, expected * weights[:, None, None].to(dtype))


def test_convolutions_side_by_side():
    modules = tuple(nn.Conv2d(3, c, 3, 2, 1, bias=False) for c in (4, 1))
    x = torch.randn(2, 3, 6, 6)
    torch.testing.assert_close(convolution(*modules)(x), torch.cat([module(x) for module in modules], 1))
    biased = nn.Conv2d(3, 4, 1)
    torch.testing.assert_close(convolution(biased)(x), biased(x))


GEOMETRIES = [  # kernel, stride, padding, dilation
    ((3, 3), 1, 1, 1),
    ((5, 5), 1, 2, 1),
    ((5, 5), 2, 2, 1),
    ((7, 4), (1, 2), (3, 1), 1),
    ((3, 3), 1, 2, 2),
    ((5, 5), 1, 4, 2),
    ((5, 5), 1, 2, 2),
    ((3, 5), 1, (3, 6), 3),
    ((3, 3), 2, 2, 2),
    ((3, 3), 1, 5, 1),  # wider than the kernel
    ((3, 5), 1, (1, 4), (1, 2)),
]


@pytest.mark.parametrize("size", [(12, 12), (7, 9)])
@pytest.mark.parametrize(("kernel_size", "stride", "padding", "dilation"), GEOMETRIES)
def test_gradients_of_convolutions_of_each_channel_alone(kernel_size, stride, padding, dilation, size):
    torch.manual_seed(0)
    module = nn.Conv2d(4, 4, kernel_size, stride, padding, dilation, groups=4, bias=False).double()
    x = torch.randn(2, 4, *size, dtype=torch.float64, requires_grad=True)
    found, expected = convolution(module)(x), module(x)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    probe = torch.randn_like(expected)
    for wanted in ([x], [module.weight], [x, module.weight]):
        module.weight.requires_grad_(len(wanted) > 1 or wanted[0] is not x)
        gradients = [torch.autograd.grad(each, wanted, probe) for each in (convolution(module)(x), module(x))]
        torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)


def test_gradients_of_convolutions_of_each_channel_alone_keep_their_precision_under_autocast():
    torch.manual_seed(0)
    module = nn.Conv2d(4, 4, 5, padding=2, groups=4, bias=False)
    x, probe = torch.randn(2, 4, 8, 8, requires_grad=True), torch.randn(2, 4, 8, 8)
    found, expected = convolution(module)(x), module(x)
    with torch.autocast("cpu", torch.bfloat16):
        gradients = [torch.autograd.grad(out, [x, module.weight], probe) for out in (found, expected)]
    torch.testing.assert_close(*gradients)
    module, x = module.double(), x.detach().double()
    with torch.autocast("cpu", torch.bfloat16):  # which leaves double precision alone
        torch.testing.assert_close(convolution(module)(x), module(x))


@pytest.mark.parametrize(("kernel_size", "stride", "padding", "dilation"), GEOMETRIES[1:7:2])
def test_gradients_of_their_gradients(kernel_size, stride, padding, dilation):
    torch.manual_seed(0)
    module = nn.Conv2d(2, 2, kernel_size, stride, padding, dilation, groups=2, bias=False).double()
    x = torch.randn(1, 2, 6, 6, dtype=torch.float64, requires_grad=True)

    def convolved(x, weight):
        return torch.func.functional_call(Whole(module), {"module.weight": weight}, (x,))

    assert gradgradcheck(convolved, (x, module.weight.detach().requires_grad_()))


class Whole(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return convolution(self.module)(x)


@pytest.mark.parametrize("channels", [1, 3, 36, 40])
@pytest.mark.parametrize("learned", [(), ("weight",), ("weight", "bias")])
def test_normalizations_of_folded_images(channels, learned):
    torch.manual_seed(0)
    x = (3 * torch.randn(2, channels, 4, 16, dtype=torch.float64) + 2).contiguous(
        memory_format=torch.channels_last
    )
    given = {name: torch.randn(channels, dtype=torch.float64) for name in learned}
    for tensor in (x, *given.values()):
        tensor.requires_grad_()
    weight, bias = given.get("weight"), given.get("bias")
    running = [[torch.zeros(channels).double(), torch.ones(channels).double()] for _ in range(2)]
    fold = 16 // math.gcd(channels, 16)
    found = folded_norm(x, running[0], weight, bias, 0.1, 1e-5, fold)
    expected = F.batch_norm(x, *running[1], weight, bias, True, 0.1, 1e-5)
    probe = torch.randn_like(expected)
    gradients = [torch.autograd.grad(each, [x, *given.values()], probe) for each in (found, expected)]
    for one, other in ((found, expected), running, gradients):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-11)
    (alone,) = torch.autograd.grad(folded_norm(x, None, weight, bias, 0.1, 1e-5, fold), x, probe)
    torch.testing.assert_close(alone, gradients[1][0], rtol=1e-12, atol=1e-11)


def test_gradients_of_gradients_of_folded_images():
    torch.manual_seed(0)
    x = torch.randn(2, 8, 2, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(8, dtype=torch.float64, requires_grad=True)
    layout = torch.channels_last

    def normalized(x, weight):
        return folded_norm(x.contiguous(memory_format=layout), None, weight, None, 0.1, 1e-5, 2)

    assert gradcheck(normalized, (x, weight))
    assert gradgradcheck(normalized, (x, weight))


def test_images_are_folded_where_it_pays():
    def of(*shape, dtype=torch.float32, layout=torch.channels_last):
        return fold_for(torch.empty(shape, dtype=dtype).contiguous(memory_format=layout))

    assert of(16, 36, 32, 32) == 4
    assert of(16, 72, 32, 32) == 2
    assert of(16, 48, 32, 32) == 1  # as it is
    assert of(16, 36, 32, 30) == 1
    assert of(1, 36, 8, 8) == 1  # too small
    assert of(16, 36, 32, 32, dtype=torch.bfloat16) == 1
    assert of(16, 36, 32, 32, layout=torch.contiguous_format) == 1
    assert fold_for(torch.empty(1 << 10, 1 << 10)) == 1


def test_statistics_of_folded_images_move_though_an_earlier_pass_may_need_them():
    norm = nn.BatchNorm2d(3, dtype=torch.float64)
    x = torch.randn(2, 3, 4, 16, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    running = [norm.running_mean, norm.running_var]
    out = norm(x) + folded_norm(x, running, norm.weight, norm.bias, 0.1, 1e-5, 16)
    out.sum().backward()  # as when a small batch came first
    assert norm.weight.grad is not None


def test_a_folded_image_of_one_pixel_cannot_be_normalized():
    with pytest.raises(ValueError, match="more than 1 value"):
        folded_norm(torch.zeros(1, 3, 1, 1), None, None, None, 0.1, 1e-5, 1)


@pytest.mark.parametrize("wide", [True, False])
def test_networks_with_folded_images_agree(wide):
    torch.manual_seed(0)
    c = 36
    made = [ops.ReLUConvBN(c, c, 1), ops.DilConv(c, c, 5)]
    graph = Graph()
    for node, op in enumerate([*made, ops.ReLUConvBN(c, c, 1)] if wide else made, 2):
        graph.add_edge(1, node, op=op)
        graph.add_edge(node, 9)
    graph.parse().double()
    assert_agrees(graph, images(batch=4, channels=c, size=32), tolerance=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_parts_of_a_split(dtype):
    x = torch.randn(2, 6, 4, 4).to(dtype).contiguous(memory_format=torch.channels_last)
    parts = Split((2, 1, 3))(x)
    assert torch.equal(torch.cat(parts, 1), x)
    assert [part.shape[1] for part in parts] == [2, 1, 3]


def test_zeros_have_no_numbers_but_nan():
    x = torch.randn(2, 3, 5, 5)
    for stride in (1, 2):
        assert torch.equal(Zeros(stride)(x), torch.zeros_like(F.max_pool2d(x, 1, stride)))
