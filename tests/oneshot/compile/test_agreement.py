"""Whatever the graph: the compiled plan computes what `interpret` computes, and so do its gradients."""

import pytest
import torch
from hypothesis import Phase, given, settings
from torch import nn

from oneshot import ops
from oneshot.graph import Graph
from oneshot.methods.darts import DARTS
from oneshot.methods.gdas import ESTIMATORS, GDAS, GDASConfig
from oneshot.mixed import MixedOp
from oneshot.spaces.nb201 import NasBench201SearchSpace, fixed_path
from tests.oneshot.compile.agreement import assert_agrees, compiled, graphs, images, interpreted, outcome

PHASES = (Phase.generate, Phase.shrink)  # to explain a failure, too, takes minutes


@settings(max_examples=60, phases=PHASES)
@given(graphs())
def test_random_graphs_in_training(graph):
    assert_agrees(graph, images(), buffers=False)


@settings(max_examples=35, phases=PHASES)
@given(graphs())
def test_random_graphs_in_evaluation(graph):
    assert_agrees(graph.eval(), images())  # which changes no buffers


@settings(max_examples=25, phases=PHASES)
@given(graphs(zeros=False))
def test_running_statistics_move_as_they_do_when_interpreted(graph):
    assert_agrees(graph, images())


@settings(max_examples=25, phases=PHASES)
@given(graphs(most=4, statistics=False))
def test_random_graphs_in_single_precision(graph):
    graph.float()
    assert_agrees(graph, images(torch.float32), tolerance=2e-3)


@settings(max_examples=25, phases=PHASES)
@given(graphs(most=4))
def test_random_graphs_without_gradients(graph):
    oracle = graph.clone()
    for context in (torch.no_grad, torch.inference_mode):
        with context():
            torch.manual_seed(0)
            expected = oracle.interpret(images())
            torch.manual_seed(0)
            assert (graph(images()) - expected).abs().max() <= 1e-10 * max(1, expected.abs().max())


def test_shifts_are_weighted_with_their_scales():
    torch.manual_seed(0)
    graph = Graph()
    graph.add_nodes_from([1, 2, 3])
    graph.add_edges_densely()
    for _, _, edge in graph.edges(data=True):
        edge.set("alpha", nn.Parameter(torch.randn(4)))
        edge.set(
            "op",
            MixedOp(
                [ops.ReLUConvBN(3, 3, k, statistics=False) for k in (1, 3, 1)]
                + [ops.ReLUConvBN(3, 3, 1, affine=False, statistics=False)]
            ),
        )
    graph.parse().double()
    with torch.no_grad():
        for parameter in graph.parameters():
            parameter.normal_()
    assert_agrees(graph, images())


def nb201(method, **norm):
    torch.manual_seed(0)
    optimizer = method()
    optimizer.adapt_search_space(NasBench201SearchSpace(classes=3, channels=2, cells=1, **norm))
    graph = optimizer.graph.double()
    for alpha in optimizer.alphas:
        alpha.data.normal_()
    return graph


@pytest.mark.parametrize("zeros", [0.0, 3.0])
@pytest.mark.parametrize("norm", [{}, {"affine": True, "statistics": True}])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_estimator(estimator, norm, zeros):
    """`zeros` is added to the alphas of `none`: most samples then have nodes that only zeros reach."""
    graph = nb201(lambda: GDAS(GDASConfig(estimator=estimator, tau_max=2.0)), **norm)
    for alpha in graph.get_all_edge_data("alpha"):
        alpha.data[0] += zeros
    for seed in range(4):
        assert_agrees(graph, images(size=8), seed, buffers=False)


NORMS = [{}, {"affine": True}, {"affine": True, "statistics": True}]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("method", [DARTS, GDAS])
def test_supernets_of_nas_bench_201(method, norm, training):
    graph = nb201(method, **norm).train(training)
    for seed in range(1 if method is DARTS else 4):
        # what only feeds drawn zeros is not computed; see test_lower.py
        buffers = method is DARTS or not training
        assert_agrees(graph, images(size=8), seed, buffers=buffers)


@pytest.mark.parametrize("method", [DARTS, GDAS])
@pytest.mark.parametrize("cell", [0, 1462, 1835, 6111])
def test_one_path_of_nas_bench_201(method, cell):
    graph = nb201(method)
    with fixed_path(graph, cell):
        assert_agrees(graph, images(size=8))


def test_single_precision_and_either_layout():
    graph = nb201(DARTS).float()
    for layout in (torch.contiguous_format, torch.channels_last):
        x = images(torch.float32, size=8).contiguous(memory_format=layout)
        assert_agrees(graph, x, tolerance=1e-3)


@pytest.mark.parametrize("method", [DARTS, GDAS])
def test_autocast(method):
    graph = nb201(method).float()
    x = images(torch.float32, size=8)
    with torch.autocast("cpu", torch.bfloat16):
        found, expected = (outcome(graph, run, x)["output"].float() for run in (compiled, interpreted))
    torch.testing.assert_close(found, expected, rtol=0.1, atol=0.1)


def test_a_draw_gives_exactly_the_hard_path():
    graph = nb201(GDAS)
    x = images(size=8)
    for seed in range(5):
        torch.manual_seed(seed)
        drawn = graph(x)
        torch.manual_seed(seed)
        edges = [mixed for mixed in graph.all_edges() if mixed.has("alpha")]
        plan = str(graph.plan)
        assert "conv" in plan
        # the same draw as choices: read from which candidates get a gradient
        torch.manual_seed(seed)
        gradients = torch.autograd.grad(graph(x).sum(), graph.get_all_edge_data("alpha"))
        assert all(torch.isfinite(gradient).all() for gradient in gradients)
        choices = draws(graph, seed)
        for edge in edges:
            edge.set("choice", choices[edge.owner("alpha")], shared=True)
        torch.testing.assert_close(graph(x), drawn, rtol=0, atol=1e-12)
        for edge in edges:
            edge.pop("choice", None)


def draws(graph, seed):
    """{owner of an alpha: the candidate drawn for it}, as a pass that starts at the seed draws."""
    torch.manual_seed(seed)
    found = {}
    for edge in graph.all_edges():
        if edge.has("alpha") and edge.owner("alpha") not in found:
            found[edge.owner("alpha")] = int(edge.op.weights(edge).argmax())
    return found


def test_of_what_was_not_drawn_no_parameter_has_a_gradient():
    graph = nb201(GDAS, affine=True)
    for seed in range(3):
        graph.zero_grad()
        choices = draws(graph, seed)
        torch.manual_seed(seed)
        graph(images(size=8)).square().sum().backward()
        for edge in graph.all_edges():
            if edge.has("alpha"):
                for k, candidate in enumerate(edge.op.get_embedded_ops()):
                    if k != choices[edge.owner("alpha")]:
                        assert all(parameter.grad is None for parameter in candidate.parameters())


def test_gradients_of_gradients():
    graph = nb201(DARTS)
    alphas = graph.get_all_edge_data("alpha")
    found = []
    for run in (compiled, interpreted):
        loss = run(graph)(images(size=8)).square().sum()
        first = torch.autograd.grad(loss, [*graph.parameters()], create_graph=True)
        found.append(torch.autograd.grad(sum(each.square().sum() for each in first), alphas))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)
