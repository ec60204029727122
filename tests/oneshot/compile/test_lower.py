"""What each kind of module means to the compiler, and that it leaves alone what it does not know."""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

from oneshot import ops
from oneshot.compile.lower import lower
from oneshot.graph import Graph
from oneshot.mixed import MixedOp
from tests.oneshot.compile.agreement import assert_agrees
from tests.oneshot.graph.examples import IMAGES, Outer, Times, X, both, chain, raises_in_both, triangle


def frozen():
    norm = nn.BatchNorm2d(4)
    norm.track_running_stats = False
    return norm


STEPS = {  # of modules that are known
    "relu": (nn.ReLU(), ["relu"]),
    "pool": (nn.AvgPool2d(3, 1, 1), ["average pool 3x3"]),
    "pool of ceilings": (nn.AvgPool2d((3, 2), 2, 1, ceil_mode=True), ["average pool 3x2"]),
    "pool by its own divisor": (nn.AvgPool2d(3, 1, 1, divisor_override=2), ["average pool 3x3"]),
    "conv": (nn.Conv2d(4, 2, 3, 2, 1), ["conv 3x3 4 -> 2"]),
    "conv of groups": (nn.Conv2d(4, 8, (1, 3), groups=2, dilation=2), ["conv 1x3 4 -> 8"]),
    "norm": (nn.BatchNorm2d(4, track_running_stats=False), ["batch norm"]),
    "norm with running statistics": (nn.BatchNorm2d(4), ["batch norm"]),
    "max pool": (nn.MaxPool2d(3, 1, 1), ["max pool 3x3"]),
    "max pool of ceilings": (nn.MaxPool2d((3, 2), 2, 1, ceil_mode=True), ["max pool 3x2"]),
    "max pool of its own stride": (nn.MaxPool2d(2, dilation=2), ["max pool 2x2"]),
    "conv of every other pixel": (nn.Conv2d(4, 2, 1, 2), ["every 2, 2 from 0, 0", "conv 1x1 4 -> 2"]),
    "conv of every other row": (
        nn.Conv2d(4, 2, 3, (2, 1), (2, 1), (2, 1)),
        ["every 2, 1 from 0, 0", "conv 3x3 4 -> 2"],
    ),
    "shift": (ops.Shift(), ["every 1, 1 from 1, 1"]),
    "zeros": (ops.Zero(2), ["zeros"]),
    "sequence": (nn.Sequential(nn.ReLU(), nn.Sequential(nn.ReLU())), ["relu", "relu"]),
    "block": (ops.ReLUConvBN(4, 4, 1, statistics=False), ["relu", "conv 1x1 4 -> 4", "batch norm"]),
    "stem": (ops.Stem(2, 4, statistics=False), ["conv 3x3 4 -> 2", "batch norm"]),
}
CALLS = {  # of modules that are not, or not in this form
    "norm that keeps its running statistics": frozen(),
    "conv that reflects": nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
    "conv of the same size": nn.Conv2d(4, 4, 3, padding="same"),
    "another pool": nn.LPPool2d(2, 2),
    "another activation": nn.LeakyReLU(),
    "dropout": nn.Dropout(0.0),
}


def steps(graph):
    return [line.split(" = ")[1].split(" of ")[0] for line in str(graph.plan).splitlines()[:-1]]


@pytest.mark.parametrize("name", STEPS)
def test_known_modules(name):
    module, expected = STEPS[name]
    graph = chain(module).parse()
    assert steps(graph) == expected
    both(graph, IMAGES)


@pytest.mark.parametrize("name", CALLS)
def test_other_modules_are_called(name):
    graph = chain(CALLS[name]).parse()
    assert steps(graph) == [f"call {type(CALLS[name]).__name__}"]
    both(graph, IMAGES)
    both(graph.eval(), IMAGES)


def test_a_residual_block_is_made_of_its_parts():
    graph = chain(ops.ResNetBasicblock(4, 8, 2, statistics=False)).parse()
    blocks = ["relu", "conv 3x3 4 -> 8", "batch norm", "relu", "conv 3x3 8 -> 8", "batch norm"]
    assert sorted(steps(graph)) == sorted([*blocks, "average pool 2x2", "conv 1x1 4 -> 8", "sum"])
    both(graph, IMAGES)


def test_unknown_modules_are_called_once_for_each_use():
    class Count(nn.Module):
        calls = 0

        def forward(self, x):
            self.calls += 1
            return x + self.calls

    op = Count()
    graph = triangle(op, op, op).parse()
    graph(X)
    assert op.calls == 3  # also where the input is the same
    graph(X)
    assert op.calls == 6


@pytest.mark.parametrize(
    "base",
    [
        lambda: nn.ReLU,
        lambda: nn.Identity,
        lambda: ops.Identity,
        lambda: nn.Sequential,
        lambda: ops.Zero,
        lambda: ops.ReLUConvBN,
        lambda: ops.ResNetBasicblock,
        lambda: ops.AvgPool1x1,
        lambda: nn.AvgPool2d,
        lambda: nn.Conv2d,
        lambda: nn.BatchNorm2d,
        lambda: nn.MaxPool2d,
        lambda: ops.FactorizedReduce,
        lambda: ops.Shift,
        lambda: Graph,
    ],
)
def test_a_subclass_that_computes_something_else_is_called(base):
    arguments = {
        nn.Sequential: (nn.ReLU(),),
        ops.ReLUConvBN: (4, 4, 1),
        ops.ResNetBasicblock: (4, 4, 1),
        ops.AvgPool1x1: (3,),
        nn.AvgPool2d: (3, 1, 1),
        nn.Conv2d: (4, 4, 1),
        nn.BatchNorm2d: (4, 1e-5, 0.1, True, False),
        nn.MaxPool2d: (3, 1, 1),
        ops.FactorizedReduce: (4, 4),
    }

    class Other(base()):
        def forward(self, x):
            return super().forward(x) + 1

    op = Other(*arguments.get(base(), ()))
    if isinstance(op, Graph):
        op.add_edge(1, 2)
    graph = chain(op).parse()
    assert steps(graph) == ["call Other"]
    both(graph, IMAGES)


def test_a_convolution_that_overrides_a_part_of_forward_is_called():
    class Standardized(nn.Conv2d):
        def _conv_forward(self, x, weight, bias):
            return super()._conv_forward(x, weight - weight.mean(), bias)

    both(chain(Standardized(4, 4, 1)).parse(), IMAGES)


@pytest.mark.parametrize("make", [weight_norm, lambda conv: parametrized(conv)])
def test_parametrized_weights_are_computed_for_each_pass(make):
    conv = make(nn.Conv2d(4, 4, 1))
    graph = chain(conv).parse()
    before = both(graph, IMAGES)
    with torch.no_grad():
        for parameter in conv.parameters():
            parameter.mul_(2)
    assert not torch.allclose(both(graph, IMAGES), before)


def parametrized(conv):
    class Doubled(nn.Module):
        def forward(self, weight):
            return 2 * weight

    parametrize.register_parametrization(conv, "weight", Doubled())
    return conv


def hooked(module, seen):
    module.register_forward_hook(lambda module, args, out: seen.append(module))
    return module


@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize("name", STEPS)
def test_hooks_fire(name, inner):
    seen = []
    module, _ = STEPS[name]
    module = type(module)(*module) if type(module) is nn.Sequential else module
    hooks_before = dict(module._forward_hooks)
    graph = chain(hooked(module, seen) if not inner else nn.Sequential(hooked(module, seen))).parse()
    try:
        graph(IMAGES)
        assert seen == [module]
        both(graph, IMAGES)
    finally:
        module._forward_hooks.clear()
        module._forward_hooks.update(hooks_before)


def test_hooks_before_and_of_gradients_fire():
    seen = []
    op = ops.ReLUConvBN(4, 4, 1, statistics=False)
    op.conv.register_forward_pre_hook(lambda module, args: seen.append("before"))
    op.bn.register_full_backward_hook(lambda module, *gradients: seen.append("gradient"))
    op.relu.register_full_backward_pre_hook(lambda module, *gradients: seen.append("gradient before"))
    graph = chain(op).parse()
    graph(IMAGES.clone().requires_grad_()).sum().backward()
    assert sorted(seen) == ["before", "gradient", "gradient before"]


def test_hooks_that_change_the_output_do():
    op = ops.ReLUConvBN(4, 4, 1)
    op.conv.register_forward_hook(lambda module, args, out: 3 * out + 1)
    both(triangle(op, ops.ReLUConvBN(4, 4, 1)).parse(), IMAGES)


def test_hooks_added_after_the_first_pass_fire():
    graph = chain(ops.ReLUConvBN(4, 4, 1)).parse()
    graph(IMAGES)
    seen = []
    handle = graph.edges[1, 2].op.conv.register_forward_hook(lambda *args: seen.append(1))
    graph(IMAGES)
    assert seen == [1]
    handle.remove()
    graph(IMAGES)
    assert seen == [1]


def test_a_module_replaced_inside_an_operation_is_used():
    graph = chain(ops.Classifier(4, 3)).parse()
    graph(IMAGES)
    graph.edges[1, 2].op.linear = nn.Linear(4, 5)  # as for another data set
    assert graph.interpret(IMAGES).shape == (2, 5)
    assert graph(IMAGES).shape == (2, 5)


def convolved(**settings):
    return nn.Sequential(nn.Conv2d(4, 4, 3, **settings), nn.BatchNorm2d(4))


def normalized(**settings):
    return nn.Sequential(nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4, **settings))


def learned(*shape):
    return nn.Parameter(torch.linspace(-1, 1, math.prod(shape), dtype=torch.float64).view(shape))


CHANGES = [  # of a part of what is made: its number, attributes
    (lambda: convolved(padding=2, bias=False), 0, {"padding": (1, 1)}),
    (lambda: convolved(padding=2, bias=False), 0, {"dilation": (2, 2)}),
    (lambda: convolved(bias=False), 0, {"stride": (2, 2)}),
    (lambda: convolved(bias=False), 0, {"weight": learned(4, 4, 3, 3)}),
    (lambda: convolved(bias=False)[:1], 0, {"bias": learned(4)}),
    (lambda: convolved(bias=False), 0, {"bias": learned(4)}),
    (lambda: convolved(), 0, {"bias": None}),
    (lambda: normalized(), 1, {"eps": 0.1}),
    (lambda: normalized(affine=False, track_running_stats=False)[1:], 0, {"eps": 0.1}),
    (lambda: normalized(), 1, {"momentum": 0.5}),
    (lambda: normalized(), 1, {"momentum": None}),
    (lambda: normalized(), 1, {"track_running_stats": False}),
    (lambda: normalized(), 1, {"track_running_stats": False, "running_mean": None, "running_var": None}),
    (lambda: normalized(), 1, {"num_batches_tracked": None}),
    (lambda: normalized(), 1, {"bias": None}),
    (lambda: normalized(), 1, {"weight": None, "bias": None}),
    (lambda: nn.Sequential(nn.AvgPool2d(3, 1, 1)), 0, {"count_include_pad": False}),
    (lambda: nn.Sequential(nn.MaxPool2d(3, 1, 1)), 0, {"kernel_size": 5, "padding": 2}),
    (lambda: nn.Sequential(ops.Zero()), 0, {"stride": 2}),
]


@pytest.mark.parametrize(("make", "part", "attributes"), CHANGES)
def test_a_module_that_was_changed_after_the_first_pass_is_as_it_is_now(make, part, attributes):
    torch.manual_seed(0)
    graph = triangle(make(), ops.Identity(), make())
    graph.nodes[3]["comb_op"] = lambda tensors: torch.cat([tensor.flatten() for tensor in tensors])
    graph.parse().double()
    x = IMAGES.double().square()
    assert_agrees(graph, x)
    for name, value in attributes.items():
        setattr(graph.edges[1, 2].op[part], name, value)
    for training in (True, False):
        assert_agrees(graph.train(training), x)


def test_a_forward_of_a_modules_own_is_called():
    conv = nn.Conv2d(4, 4, 1)
    conv.forward = lambda x: 3 * x
    both(chain(conv).parse(), IMAGES)


@pytest.mark.parametrize("shape", [(4, 4, 4), (4, 4)])
def test_what_is_no_batch_of_images_is_not_normalized(shape):
    raises_in_both(
        chain(nn.BatchNorm2d(4)).parse(), "edge 1-2 of chain.*expected 4D input", torch.randn(shape)
    )


class Squared(nn.Module):
    """A module whose meaning the tests register."""

    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.relu(x) + self.relu(x)


@lower.register
def _(module: Squared, inputs, lowering):
    part = lowering.module(module.relu, *inputs)
    return lowering.sum([part, part])


def test_a_class_of_ones_own_may_say_what_it_consists_of():
    op = Squared()
    graph = triangle(op, None, nn.ReLU()).parse()
    assert steps(graph) == ["relu", "sum", "sum"]
    graph(IMAGES)
    assert op.calls == 0
    both(graph, IMAGES)


def test_a_sequence_of_modules_may_combine():
    class Concatenate(nn.Module):
        def forward(self, tensors):
            return torch.cat(tensors, dim=1)

    graph = triangle()
    graph.nodes[3]["comb_op"] = nn.Sequential(Concatenate(), nn.Conv2d(8, 4, 1))
    assert both(graph.parse(), IMAGES).shape == IMAGES.shape
    graph = chain(ops.Identity())
    graph.nodes[2]["comb_op"] = nn.Sequential(Concatenate())  # of a single tensor it gets a list, too
    torch.testing.assert_close(both(graph.parse(), IMAGES), IMAGES)


def test_a_known_module_that_combines_gets_a_list():
    class Second(nn.Identity):
        def forward(self, tensors):
            return tensors[1]

    graph = triangle(Times(2))
    graph.nodes[3]["comb_op"] = Second()
    torch.testing.assert_close(both(graph.parse(), X), 2 * X)


@pytest.mark.parametrize("make", [ops.Concat, lambda: ops.Concat1x1(2, 4, 4)])
def test_modules_that_are_known_may_combine(make):
    torch.manual_seed(0)

    class Other(type(make())):
        def forward(self, tensors):
            return super().forward(tensors) + 1

    def other():
        combination = make()
        combination.__class__ = Other
        return combination

    seen = []
    for combination, expected in (
        (make(), "concatenation"),
        (other(), "combine by Other"),
        (hooked(make(), seen), f"combine by {type(make()).__name__}"),
    ):
        graph = triangle(nn.ReLU())
        graph.nodes[3]["comb_op"] = combination
        graph.parse()
        assert expected in steps(graph)
        both(graph, IMAGES)
    assert len(seen) == 2


def test_any_callable_may_combine():
    class Weighted:
        __hash__ = None

        def __call__(self, tensors):
            return 3 * tensors[0] - tensors[1]

    graph = triangle(Times(2))
    graph.nodes[3]["comb_op"] = Weighted()
    torch.testing.assert_close(both(graph.parse(), X), X)


def test_a_function_that_views_its_tensors_may_combine():
    graph = triangle()
    graph.nodes[3]["comb_op"] = lambda tensors: tensors[0].view(len(tensors[0]), -1)
    torch.testing.assert_close(both(graph.parse(), IMAGES), IMAGES.flatten(1))


def test_a_module_that_views_its_tensor():
    class Flat(nn.Module):
        def forward(self, x):
            return x.view(len(x), -1)

    both(chain(nn.ReLU(), Flat()).parse(), IMAGES)
    both(chain(nn.ReLU(), hooked(nn.Sequential(nn.Identity(), Flat()), [])).parse(), IMAGES)
    both(chain(nn.ReLU(), Outer(Flat())).parse(), IMAGES)


def test_a_module_that_changes_its_tensor_in_place():
    torch.manual_seed(0)

    def op():
        return nn.Sequential(ops.ReLUConvBN(4, 4, 1, statistics=False), nn.LeakyReLU(inplace=True))

    both(triangle(op(), None, op()).parse(), IMAGES)  # siblings, which are views of one tensor


def test_tensors_of_different_shapes_broadcast():
    graph = triangle(nn.AdaptiveAvgPool2d(1)).parse()
    torch.testing.assert_close(both(graph, IMAGES), IMAGES + IMAGES.mean((2, 3), keepdim=True))
    mixed = chain(MixedOp([ops.Identity(), nn.AdaptiveAvgPool2d(1), nn.ReLU()]))
    mixed.edges[1, 2].set("alpha", nn.Parameter(torch.zeros(3)))
    both(mixed.parse(), IMAGES)
    mixed = chain(MixedOp([nn.AdaptiveAvgPool2d(1), ops.Identity(), nn.ReLU()]))
    mixed.edges[1, 2].set("alpha", nn.Parameter(torch.zeros(3)))
    both(mixed.parse(), IMAGES)


def test_a_batch_too_small_to_be_normalized_is_an_error_that_says_where():
    graph = chain(ops.ReLUConvBN(4, 4, 1, statistics=False)).parse()
    raises_in_both(graph, "edge 1-2 of chain.*more than 1 value", IMAGES[:1, :, :1, :1])


def test_a_tensor_that_is_no_batch_of_images_is_an_error_that_says_where():
    graph = chain(ops.ReLUConvBN(4, 4, 1, statistics=False)).parse()
    raises_in_both(graph, "edge 1-2 of chain", IMAGES[0])


def test_what_only_feeds_zeros_is_not_computed():
    before = Times(2)
    graph = triangle(before, ops.Zero()).parse()
    assert steps(graph) == []
    torch.testing.assert_close(both(graph, IMAGES), IMAGES)
    assert before.calls == 1  # by interpret, to which a zero is an operation like any other


def test_one_module_at_several_edges_is_called_in_the_order_of_the_nodes():
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(4)
    graph = Graph()
    graph.add_edge(1, 2, op=nn.Sequential(nn.Conv2d(4, 4, 1), norm))
    graph.add_edge(1, 3, op=nn.Sequential(nn.Conv2d(4, 4, 1), norm))
    graph.add_edge(1, 4, op=nn.Sequential(nn.Conv2d(4, 4, 1), norm))
    graph.add_edges_from([(2, 4), (3, 4)])
    graph.parse()
    expected = graph.clone()
    expected.interpret(IMAGES)
    graph(IMAGES)
    torch.testing.assert_close(graph.state_dict(), expected.state_dict())


def test_random_modules_draw_in_the_order_of_the_nodes():
    graph = triangle(nn.Dropout(0.5), nn.Dropout(0.2), nn.Dropout(0.5)).parse()
    x = IMAGES.contiguous(memory_format=torch.channels_last)  # a draw is for numbers as they lie in memory
    for seed in range(3):
        torch.manual_seed(seed)
        both(graph, x)


def test_average_pools_keep_their_precision_under_autocast():
    graph = chain(ops.AvgPool1x1(3)).parse()
    with torch.autocast("cpu", torch.bfloat16):
        both(graph, IMAGES)


def test_average_pools_of_one_image_without_a_batch():
    both(chain(ops.AvgPool1x1(3)).parse(), IMAGES[0])
