"""What plans look like: work that is shared, siblings that are one, and what is left as it is."""

import re

import pytest
import torch
from torch import nn

from oneshot import ops
from oneshot.graph import Graph
from oneshot.methods.gdas import GumbelMixedOp
from oneshot.mixed import MixedOp
from oneshot.spaces.nb201 import NasBench201SearchSpace
from tests.oneshot.compile.agreement import SIZE, assert_agrees, images
from tests.oneshot.graph.examples import Outer, chain


def fan(*operations, **comb):
    """An edge from node 1 for each operation, to a node that adds up."""
    graph = Graph("fan")
    last = len(operations) + 2
    for number, op in enumerate(operations, 2):
        graph.add_edge(1, number, op=op)
        graph.add_edge(number, last)
    return graph.parse().double()


def block(kernel=3, c_out=3, stride=1, affine=False, statistics=False):
    return ops.ReLUConvBN(3, c_out, kernel, stride, affine=affine, statistics=statistics)


def kinds(graph):
    """The first word or two of each step."""
    return [line.split(" = ")[1].split(" of ")[0] for line in str(graph.plan).splitlines()[:-1]]


def count(graph, start):
    return sum(kind.startswith(start) for kind in kinds(graph))


def scaled(graph):
    """The number of normalizations with weights in their scales."""
    return len(re.findall(r"batch norm of %\d+, %\d+", str(graph.plan)))


def cell(kind=MixedOp):
    """A mixed cell of NAS-Bench-201, alone."""
    torch.manual_seed(0)
    space = NasBench201SearchSpace(classes=3, channels=3, cells=1)
    graph = space.edges[2, 3].op.clone()

    def mix(edge):
        edge.set("alpha", nn.Parameter(torch.randn(5)))
        edge.set("tau", 1.0)
        edge.set("op", kind(edge.op))

    graph.update_edges(mix)
    return graph.parse().double()


def test_siblings_become_one_wide_convolution_and_one_normalization():
    graph = fan(block(), block(), block())
    assert "conv 3x3 3 -> 3 + 3 + 3 of" in str(graph.plan)
    assert (count(graph, "relu"), count(graph, "conv"), count(graph, "batch norm")) == (1, 1, 1)
    assert_agrees(graph, images())


def test_siblings_may_have_different_widths():
    graph = Graph()
    graph.add_edge(1, 2, op=block(1, 4))
    graph.add_edge(1, 3, op=block(1, 2))
    graph.add_node(4, comb_op=lambda tensors: torch.cat(tensors, 1))
    graph.add_edges_from([(2, 4), (3, 4)])
    graph.parse().double()
    assert "conv 1x1 3 -> 4 + 2" in str(graph.plan)
    assert_agrees(graph, images())


def with_eps(eps):
    op = block()
    op.bn.eps = eps
    return op


def grouped():
    op = block()
    op.conv = nn.Conv2d(3, 3, 3, padding=1, groups=3, bias=False)
    return op


def dilated():
    op = block()
    op.conv = nn.Conv2d(3, 3, 3, padding=2, dilation=2, bias=False)
    return op


def biased():
    op = block()
    op.conv = nn.Conv2d(3, 3, 3, padding=1)
    return op


def reflecting():
    op = block()
    op.conv = nn.Conv2d(3, 3, 3, padding=1, bias=False, padding_mode="reflect")
    return op


def same():
    op = block()
    op.conv = nn.Conv2d(3, 3, 3, padding="same", bias=False)
    return op


@pytest.mark.parametrize(
    "other",
    [
        lambda: block(1),
        lambda: block(affine=True),
        lambda: block(statistics=True),
        lambda: with_eps(1e-2),
        grouped,
        dilated,
        biased,
        reflecting,
        same,
        lambda: nn.Sequential(nn.ReLU(), nn.Conv2d(3, 3, 3, padding=1, bias=False)),
        lambda: nn.Sequential(nn.Conv2d(3, 3, 3, padding=1, bias=False), ops.batch_norm(3, False, False)),
    ],
)
def test_what_is_unlike_stays_apart(other):
    torch.manual_seed(0)
    graph = fan(block(), other())
    assert "+ 3 of" not in str(graph.plan)
    assert_agrees(graph, images())


@pytest.mark.parametrize("make", [grouped, biased, reflecting, same])
def test_what_cannot_stand_side_by_side_stays_apart_from_its_like(make):
    torch.manual_seed(0)
    graph = fan(make(), make())
    assert "+ 3 of" not in str(graph.plan)
    assert_agrees(graph, images())


def with_momentum(momentum):
    op = block(statistics=True)
    op.bn.momentum = momentum
    return op


@pytest.mark.parametrize("affine", [True, False])
def test_siblings_with_running_statistics_become_one(affine):
    torch.manual_seed(0)
    graph = fan(*(block(affine=affine, statistics=True) for _ in range(3)))
    assert "conv 3x3 3 -> 3 + 3 + 3 of" in str(graph.plan)
    assert count(graph, "batch norm") == 1
    for _ in range(2):
        assert_agrees(graph, images())
    assert all(module.num_batches_tracked == 2 for module in norms_in(graph))
    assert_agrees(graph.eval(), images())


def norms_in(graph):
    return [module for module in graph.modules() if isinstance(module, nn.BatchNorm2d)]


def test_running_statistics_that_move_unlike_stay_apart():
    for one, other in ((0.1, 0.2), (0.1, None)):
        graph = fan(with_momentum(one), with_momentum(other))
        assert count(graph, "batch norm") == 2
        for _ in range(3):
            assert_agrees(graph, images())


def test_running_statistics_that_average_all_batches():
    graph = fan(with_momentum(None), with_momentum(None))
    for _ in range(3):
        assert_agrees(graph, images())
    assert_agrees(graph.eval(), images())


@pytest.mark.parametrize("weighted", [True, False])
def test_one_of_several_siblings_may_be_evaluated_alone(weighted):
    torch.manual_seed(0)
    operations = [block(affine=True, statistics=True) for _ in range(3)]
    if weighted:
        graph = chain(MixedOp(operations))
        graph.edges[1, 2].set("alpha", nn.Parameter(torch.randn(3)))
        graph.parse().double()
    else:
        graph = fan(*operations)
    assert_agrees(graph, images())
    norms_in(graph)[1].eval()
    assert_agrees(graph, images())


def test_one_normalization_with_running_statistics_at_several_edges_moves_with_each():
    torch.manual_seed(0)
    norm = ops.batch_norm(3)
    for convs in ([nn.Conv2d(3, 3, 1, bias=False)] * 2, [nn.Conv2d(3, 3, 1, bias=False) for _ in range(2)]):
        graph = fan(*(nn.Sequential(conv, norm) for conv in convs))
        assert count(graph, "batch norm") == 2
        assert_agrees(graph, images())


def test_one_normalization_also_inside_a_module_that_is_called_moves_in_the_order_of_the_nodes():
    torch.manual_seed(0)
    norm, conv = ops.batch_norm(3), nn.Conv2d(3, 3, 1, bias=False)
    called = Outer(nn.Sequential(nn.ReLU(), norm))
    graph = fan(
        nn.Sequential(conv, ops.batch_norm(3)), called, nn.Sequential(nn.Conv2d(3, 3, 1, bias=False), norm)
    )
    assert_agrees(graph, images())


def test_groups_of_small_and_large_images_are_added_up():
    torch.manual_seed(0)
    graph = Graph()
    for target in (2, 3):
        sizes = ((SIZE, 0), (3, 1))  # the former makes one pixel
        convs = [nn.Conv2d(3, 3, size, padding=padding, bias=False) for size, padding in sizes]
        op = MixedOp([nn.Sequential(conv, ops.batch_norm(3, statistics=False)) for conv in convs])
        graph.add_edge(1, target, op=op, alpha=nn.Parameter(torch.randn(2)))
        graph.add_edge(target, 4)
    graph.nodes[4]["comb_op"] = lambda tensors: tensors[0] * tensors[1]
    assert_agrees(graph.parse().double(), images())


@pytest.mark.parametrize("first", [0, 1])
def test_a_path_with_a_sibling_may_come_between_another_and_its_gradients(first):
    torch.manual_seed(0)
    graph = Graph()
    for target in (2, 3):
        graph.add_edge(1, target, op=MixedOp([ops.Identity(), block(statistics=True)]), choice=1)
        graph.add_edge(target, 4)
    graph.parse().double()
    outputs = []
    for choice in (first, 1 - first):
        graph.edges[1, 3].set("choice", choice)
        outputs.append(graph(images()))
    sum(outputs).square().sum().backward()
    assert norms_in(graph)[0].num_batches_tracked == 2


def test_normalizations_that_do_the_same_are_one():
    def pooled(eps=1e-5):
        return nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.BatchNorm2d(3, eps, None, False, False))

    graph = fan(pooled(), pooled(), pooled(1e-3))
    assert (count(graph, "max pool"), count(graph, "batch norm")) == (1, 2)
    assert_agrees(graph, images())


def test_the_relu_of_a_concatenation_is_that_of_its_parts():
    graph = Graph()
    graph.add_edges_from([(1, 2), (1, 3), (2, 4), (3, 4), (4, 5)])
    graph.edges[1, 2].set("op", ops.DilConv(3, 3, 3, affine=False, statistics=False))
    graph.edges[4, 5].set("op", nn.Sequential(nn.ReLU(), nn.Conv2d(6, 3, 1)))
    graph.nodes[4]["comb_op"] = ops.Concat()
    graph.parse().double()
    assert count(graph, "relu") == 2  # that of node 3 is node 1's, which the edge from it needs
    assert count(graph, "concatenation") == 1
    assert_agrees(graph, images())


def test_half_of_the_pixels_are_taken_once():
    torch.manual_seed(0)
    graph = fan(
        *(ops.DilConv(3, 3, k, 2, affine=False, statistics=False) for k in (3, 5, 5)),
        ops.FactorizedReduce(3, 3, affine=False, statistics=False),
    )
    assert sorted(kind for kind in kinds(graph) if kind.startswith("every")) == [
        "every 2, 2 from 0, 0",
        "every 2, 2 from 1, 1",
    ]
    for size in (6, 4):
        assert_agrees(graph, images(size=size))


def test_a_convolution_that_is_used_again_stays_as_it_is():
    conv = nn.Conv2d(3, 3, 3, padding=1, bias=False)
    norms = [ops.batch_norm(3, False, False) for _ in range(2)]
    graph = fan(nn.Sequential(conv, norms[0]), nn.Sequential(conv, norms[1]), conv)
    assert count(graph, "conv") == count(graph, "batch norm") == 1  # both normalizations do the same
    assert_agrees(graph, images())


def test_one_operation_at_two_edges_is_computed_once():
    op = block()
    graph = fan(op, op, ops.AvgPool1x1(3), ops.AvgPool1x1(3))
    assert count(graph, "conv") == count(graph, "average pool") == 1
    assert_agrees(graph, images())


def test_identities_vanish():
    graph = chain(
        ops.Identity(), nn.Sequential(nn.Identity(), ops.Identity()), chain(nn.Sequential())
    ).parse()
    assert len(graph.plan) == 0
    assert str(graph.plan) == "output %0"


def test_zeros_vanish_from_sums():
    graph = fan(ops.Zero(), ops.Identity(), ops.Zero(stride=1))
    assert len(graph.plan) == 0
    assert_agrees(graph, images())
    mixed = chain(MixedOp([ops.Zero(), ops.Identity(), ops.Zero()]))
    mixed.edges[1, 2].set("alpha", nn.Parameter(torch.randn(3)))
    mixed.parse().double()
    assert "zeros" not in str(mixed.plan)
    assert_agrees(mixed, images())


def test_what_is_made_of_zeros_vanishes_too():
    following = [block(), block(1), ops.AvgPool1x1(3), nn.ReLU(), block(affine=False), ops.Zero()]
    graph = fan(ops.Identity(), chain(ops.Zero(), nn.Sequential(*following)))
    assert len(graph.plan) == 0
    assert_agrees(graph, images())


def test_zeros_that_are_not_added_to_anything_stay_zeros():
    for graph in (fan(ops.Zero(2), ops.Zero(2)), chain(ops.Zero()).parse().double()):
        assert kinds(graph) == ["zeros"]
        assert_agrees(graph, images())


def test_zeros_with_a_shift_do_not_vanish():
    op = block(affine=True)
    nn.init.normal_(op.bn.bias)
    graph = chain(ops.Zero(), op, nn.Conv2d(3, 3, 1)).parse().double()
    assert kinds(graph) == ["zeros", "batch norm", "conv 1x1 3 -> 3"]
    assert_agrees(graph, images())


def test_the_weights_of_a_mixture_go_into_the_scale():
    graph = chain(MixedOp([block(), block(), ops.Identity()]))
    graph.edges[1, 2].set("alpha", nn.Parameter(torch.randn(3)))
    graph.parse().double()
    assert count(graph, "weights 0, 1, 2") == 1
    assert scaled(graph) == 1
    assert "sum of x + x + w0 x of" in str(graph.plan)  # the first of its own weights
    assert_agrees(graph, images())


def test_a_normalization_that_is_used_twice_keeps_its_weight_outside():
    op = block()
    graph = Graph()
    for node in (2, 3):
        graph.add_edge(1, node, op=MixedOp([op, ops.Identity()]))
        graph.edges[1, node].set("alpha", nn.Parameter(torch.randn(2)))
    graph.add_edge(2, 3, op=block())
    graph.parse().double()
    assert scaled(graph) == 0
    assert_agrees(graph, images())


def test_a_mixed_cell_of_nas_bench_201():
    graph = cell()
    # at nodes 1, 2 and 3: a ReLU, a pool, and a convolution of each size with all outgoing edges side by side
    assert count(graph, "relu") == count(graph, "average pool") == 3
    assert count(graph, "conv") == count(graph, "batch norm") == scaled(graph) == 6
    for size in ("1x1", "3x3"):
        for wide in ("3 + 3 + 3", "3 + 3", "3"):
            assert f"conv {size} 3 -> {wide} of" in str(graph.plan)
    assert count(graph, "sum") == 3
    assert count(graph, "zeros") == count(graph, "call") == 0
    assert count(graph, "add") == 2  # both sizes are added up before they are split
    assert count(graph, "weights") == 1  # picked for all scales and sums
    assert count(graph, "split") == 2 + 1  # and the weights
    assert count(graph, "part") == 5 + 6 + 3
    assert len(graph.plan) == 3 + 3 + 2 * 6 + 3 + 2 + 2 + 5 + 1 + 1 + 1 + 6 + 3  # the last 12 are of weights
    assert_agrees(graph, images())


def test_a_drawn_cell_has_only_what_was_drawn():
    graph = cell(GumbelMixedOp)
    for choice, steps in ((0, {"zeros"}), (1, {"sum"}), (4, {"average pool 3x3", "sum"})):
        for edge in graph.all_edges():
            edge.set("choice", choice)
        assert {
            kind.split(" of")[0] if kind.startswith("sum") else kind for kind in kinds(graph)
        } <= steps | {"sum"}
        assert count(graph, "all weights") == 0
        assert_agrees(graph, images())


def test_parameters_stay_where_they_are():
    graph = cell()
    before = {name: id(parameter) for name, parameter in graph.named_parameters()}
    graph(images()).sum().backward()
    assert {name: id(parameter) for name, parameter in graph.named_parameters()} == before
    assert all(parameter.grad is not None for parameter in graph.parameters())


def test_groups_into_different_sums_are_not_added_up():
    """The 3×3 siblings go to nodes 2 and 3, the 1×1 siblings to nodes 2 and 4."""
    graph = Graph("cell")
    graph.add_nodes_from([1, 2, 3, 4])
    graph.add_edge(1, 2, op=MixedOp([block(1), block(3)]))
    graph.add_edge(1, 3, op=block(3))
    graph.add_edge(1, 4, op=block(1))
    graph.add_edges_from([(2, 3), (2, 4), (3, 4)])
    graph.edges[1, 2].set("alpha", nn.Parameter(torch.randn(2)))
    graph.parse().double()
    assert count(graph, "add") == 0
    assert count(graph, "split") == 2 + 1  # and the weights
    assert_agrees(graph, images())


def test_what_is_added_into_is_not_what_another_step_needs():
    """Both groups go into the same sums, and their normalizations are used by nothing else."""
    graph = Graph("cell")
    graph.add_nodes_from([1, 2, 3])
    for target in (2, 3):
        graph.add_edge(1, target, op=MixedOp([block(1), block(3), block(5)]))
        graph.edges[1, target].set("alpha", nn.Parameter(torch.randn(3)))
    graph.add_edge(2, 3)
    graph.parse().double()
    assert count(graph, "add") == 1
    assert_agrees(graph, images())


def test_groups_of_different_inputs_are_not_added_up_before_the_later_input_is_there():
    graph = Graph("cell")
    graph.add_edge(1, 2, op=nn.MaxPool2d(3, 1, 1))
    for target in (3, 4):
        graph.add_edge(1, target, op=block(1))
        graph.add_edge(2, target, op=block(1))
    graph.add_edges_from([(3, 5), (4, 5)])
    graph.parse().double()
    assert count(graph, "add") == 0
    assert count(graph, "split") == 2
    assert_agrees(graph, images())
