"""Mixing weights that are picked at once, and their gradients."""

import pytest
import torch
from torch import nn

from oneshot import ops
from oneshot.compile.kernels import Pick, Split
from oneshot.errors import GraphError
from oneshot.graph import Graph
from oneshot.methods.gdas import GumbelMixedOp
from oneshot.mixed import MixedOp
from tests.oneshot.compile.agreement import assert_agrees, images


def block():
    return ops.ReLUConvBN(3, 3, 1, affine=False, statistics=False)


def two_sums(shared=True, kind=MixedOp, candidates=lambda: [ops.Identity(), block(), ops.AvgPool(1)]):
    """1 -> 2 -> 3, mixed; `shared`: by the same alphas."""
    graph = Graph("two sums")
    count = len(candidates())
    alpha = nn.Parameter(torch.randn(count))
    for source in (1, 2):
        graph.add_edge(source, source + 1, op=kind(candidates()))
        graph.edges[source, source + 1].set("alpha", alpha if shared else nn.Parameter(torch.randn(count)))
        graph.edges[source, source + 1].set("tau", 2.0)
    return graph.parse().double()


def steps(graph, start):
    return [line for line in str(graph.plan).splitlines() if f" = {start}" in line]


def test_picks_are_repeated_and_the_last_weight_is_one():
    weights = torch.tensor([0.2, 0.3, 1.0], requires_grad=True)
    picked = Pick((1, -1, 1), (2, 1, 1))(weights)
    assert picked.tolist() == pytest.approx([0.3, 0.3, 1.0, 0.3])
    picked.sum().backward()
    assert weights.grad.tolist() == [0, 3, 1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_vector_is_split(dtype):
    x = torch.arange(5).to(dtype)
    assert [part.tolist() for part in Split((2, 3))(x)] == [[0, 1], [2, 3, 4]]


@pytest.mark.parametrize("shared", [True, False])
def test_a_plan_picks_once(shared):
    graph = two_sums(shared)
    (step,) = steps(graph, "weights")
    assert "two sums" not in step  # it belongs to all edges
    assert len(steps(graph, "all weights")) == 1
    assert len(steps(graph, "sum of")) == len(steps(graph, "batch norm")) == 2
    assert_agrees(graph, images())


def test_second_derivatives():
    graph = two_sums()
    alpha, x = graph.edges[1, 2].alpha, images()

    def curvature(run):
        (gradient,) = torch.autograd.grad(run(x).pow(3).sum(), alpha, create_graph=True)
        return torch.autograd.grad(gradient.square().sum(), alpha)[0]

    torch.testing.assert_close(curvature(graph), curvature(graph.interpret))


def test_alphas_of_several_precisions():
    graph = two_sums(shared=False)
    graph.edges[1, 2].set("alpha", nn.Parameter(torch.randn(3)))
    assert graph.edges[1, 2].alpha.dtype != graph.edges[2, 3].alpha.dtype
    assert_agrees(graph, images(), tolerance=1e-6)


def test_gradients_of_alphas_in_bfloat16_are_added_in_float32():
    weights = torch.ones(2, dtype=torch.bfloat16, requires_grad=True)
    Pick((0, -1), (1000, 1))(weights).sum().backward()
    assert weights.grad[0] == 1000  # in bfloat16, 256 + 1 is 256


def test_a_sampled_plan_keeps_its_own_picks():
    graph = two_sums(shared=False, kind=GumbelMixedOp, candidates=lambda: [block() for _ in range(3)])
    assert len(steps(graph, "weights")) == 2
    assert_agrees(graph, images())


def test_a_plan_without_weights_picks_none():
    graph = Graph("plain")
    graph.add_edge(1, 2, op=block())
    assert steps(graph.parse(), "weights") == []


def test_an_error_of_weights_says_where():
    graph = two_sums(shared=False)
    graph.edges[2, 3].set("alpha", nn.Parameter(torch.randn(3, device="meta")))
    with pytest.raises(GraphError, match="^node 2 of two sums.*: all weights: "):
        graph(images())


def test_an_error_of_a_step_without_a_place_begins_with_the_step(monkeypatch):
    def broken(kernel, x):
        raise RuntimeError("broken")

    graph = two_sums()
    monkeypatch.setattr(Split, "__call__", broken)
    with pytest.raises(GraphError, match="^split .*: broken"):
        graph(images())


def test_a_long_plan_is_printed_in_short_lines():
    graph = two_sums(shared=False, candidates=lambda: [block() for _ in range(5)])
    (step,) = steps(graph, "weights")
    assert " = weights 0, 1, 2, 3, 4, 5, 6, 7, … (10) of " in step
    assert str(Pick((0, 1), (4, 4))) == "weights 0, 1"
    assert max(map(len, str(graph.plan).splitlines())) < 150
