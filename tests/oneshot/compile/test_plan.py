"""Plans: their steps, what they hold on to, and what they say when a step fails."""

import gc
import weakref

import pytest
import torch
from torch import nn

from oneshot import ops
from oneshot.errors import GraphError
from oneshot.graph import Graph
from oneshot.methods.gdas import GumbelMixedOp
from oneshot.mixed import MixedOp
from tests.oneshot.graph.examples import IMAGES, Times, X, both, chain, raises_in_both, triangle


class Watch(nn.Module):
    """Adds 1 and notes how many of the outputs of all its kind are alive."""

    def __init__(self, alive):
        super().__init__()
        self.alive = alive

    def forward(self, x):
        out = x + 1
        self.alive.add(out)
        self.peak = len(self.alive)
        return out


def test_a_plan_shows_its_steps_and_where_they_are_from():
    inner = triangle(nn.ReLU(), nn.LPPool2d(2, 3, 1), nn.ReLU(), name="inner").set_scope("stage_1")
    graph = chain(inner, name="outer").parse()
    assert str(graph.plan).splitlines() == [
        f"{'%1 = relu of %0':<60} edge 1-2 of outer, edge 1-2 of inner (stage_1);"
        " edge 1-2 of outer, edge 1-3 of inner (stage_1)",
        f"{'%2 = call LPPool2d of %1':<60} edge 1-2 of outer, edge 2-3 of inner (stage_1)",
        f"{'%3 = sum of x + x of %1, %2':<60} edge 1-2 of outer, node 3 of inner",
        "output %3",
    ]
    assert len(graph.plan) == 3


def test_asking_for_the_plan_runs_nothing():
    graph = chain(Times(2)).parse()
    assert len(graph.plan) == 1
    assert graph.edges[1, 2].op.calls == 0


def test_the_plan_of_a_graph_of_several_inputs():
    graph = Graph()
    graph.add_edges_from([(1, 3), (2, 3)])
    assert "of %0, %1" in str(graph.parse().plan)


def test_a_plan_is_kept_and_made_again_for_another_draw():
    graph = chain(GumbelMixedOp([Times(k) for k in range(3)]))
    edge = graph.edges[1, 2]
    edge.set("alpha", torch.zeros(3))
    edge.set("tau", 1.0)
    graph.parse()
    plans = {}
    for choice in (0, 1, 2, 1, 0):
        edge.set("choice", choice)
        assert plans.setdefault(choice, graph.plan) is graph.plan
        torch.testing.assert_close(graph(X), choice * X)
    assert len(set(map(id, plans.values()))) == 3
    del edge["choice"]
    drawn = set()
    for seed in range(20):
        torch.manual_seed(seed)
        drawn.add(id(graph.plan))
    assert len(drawn) == 3
    assert not drawn & set(map(id, plans.values()))  # a draw has a weight, a choice has none


def test_a_plan_is_made_again_where_edges_share_their_weights_no_longer():
    cell = chain(ops.Identity())
    cells = [cell, cell.copy()]
    cell.edges[1, 2].set("alpha", torch.zeros(2), shared=True)
    for each in cells:
        each.edges[1, 2].set("op", MixedOp([Times(1), Times(3)]))
    graph = chain(*cells).parse()
    torch.testing.assert_close(both(graph, X), 4 * X)
    del cell.edges[1, 2]["alpha"]
    for each, alpha in zip(cells, (100.0, -100.0), strict=True):
        each.edges[1, 2].set("alpha", torch.tensor([0.0, alpha]))
    torch.testing.assert_close(both(graph, X), 3 * X)


def test_plans_of_more_draws_than_are_kept():
    graph = Graph()
    for node in range(1, 5):
        graph.add_edge(node, node + 1, op=MixedOp([Times(k) for k in range(1, 5)]))
    graph.parse()
    choices = [(a, b, c, d) for a in range(4) for b in range(4) for c in range(4) for d in range(4)]
    for choice in [*choices, *choices[:3]]:
        for node, k in enumerate(choice, 1):
            graph.edges[node, node + 1].set("choice", k)
        a, b, c, d = (k + 1 for k in choice)
        torch.testing.assert_close(graph(X), a * b * c * d * X)
    assert len(graph.execution._plans) < len(choices)


@pytest.mark.parametrize("nested", [False, True])
def test_a_tensor_is_let_go_after_its_last_use(nested):
    alive = weakref.WeakSet()
    watches = [Watch(alive) for _ in range(6)]
    graph = chain(*watches)
    if nested:
        graph = chain(chain(*watches[:3]), nn.Sequential(*watches[3:]))
    graph.parse()
    with torch.no_grad():
        out = graph(X)
    torch.testing.assert_close(out, X + 6)
    assert [watch.peak for watch in watches] == [1] + 5 * [2]  # what came, and what was made of it
    gc.collect()
    assert list(alive) == [out]


def test_a_tensor_is_held_until_its_last_use():
    alive = weakref.WeakSet()
    watches = [Watch(alive) for _ in range(3)]
    graph = Graph()
    graph.add_edge(1, 2, op=watches[0])
    graph.add_edge(2, 3, op=watches[1])
    graph.add_edge(3, 4, op=watches[2])
    graph.add_edge(2, 4)
    with torch.no_grad():
        torch.testing.assert_close(graph.parse()(X), 2 * X + 4)
    assert watches[2].peak == 3


def test_a_pass_that_fails_holds_on_to_nothing():
    class Fail(nn.Module):
        def forward(self, x):
            raise RuntimeError("no")

    alive = weakref.WeakSet()
    graph = chain(Watch(alive), Watch(alive), Fail()).parse()
    with pytest.raises(GraphError, match="edge 3-4 of chain: call Fail: no"):
        graph(X)
    gc.collect()
    assert not alive


def test_a_failed_step_says_which_places_it_is_from():
    graph = triangle(
        ops.ReLUConvBN(8, 8, 1, statistics=False), None, ops.ReLUConvBN(8, 8, 1, statistics=False)
    )
    graph.parse()
    with pytest.raises(GraphError, match="edge 1-3 of triangle.*conv 1x1 8 -> 8 . 8: ") as caught:
        graph(IMAGES)
    assert "edge 1-2 of triangle" in str(caught.value)
    assert isinstance(caught.value.__cause__, RuntimeError)


@pytest.mark.parametrize("error", [ValueError, RuntimeError, GraphError])
def test_errors_of_modules_say_where(error):
    class Fail(nn.Module):
        def forward(self, x):
            raise error("no such thing")

    graph = chain(chain(nn.ReLU(), Fail(), name="inner")).parse()
    raises_in_both(graph, "no such thing", X)
    if error is not GraphError:
        raises_in_both(graph, "edge 2-3 of inner.*no such thing", X)


def test_other_errors_stay_what_they_are():
    class Fail(nn.Module):
        def forward(self, x):
            raise LookupError("not mine")

    graph = chain(Fail()).parse()
    for run in (graph, graph.interpret):
        with pytest.raises(LookupError, match="not mine"):
            run(X)


def test_either_layout_and_any_dimensions():
    graph = triangle(nn.ReLU(), nn.Sigmoid()).parse()
    for x in (
        IMAGES,
        IMAGES.contiguous(memory_format=torch.channels_last),
        IMAGES.transpose(2, 3),
        IMAGES[:, :, ::2],
        IMAGES.flatten(1),
        IMAGES[0, 0, 0, 0],
        IMAGES[None],
        IMAGES[:0],
    ):
        both(graph, x)


def test_the_input_is_not_changed():
    graph = triangle(nn.ReLU(inplace=True), nn.ReLU(inplace=True)).parse()
    x = IMAGES.clone()
    out = graph(x)
    assert torch.equal(x, IMAGES)
    torch.testing.assert_close(out, IMAGES.relu() + IMAGES)


@pytest.mark.parametrize("first", [torch.inference_mode, torch.no_grad])
def test_a_graph_may_be_trained_after_it_was_run_without_gradients(first):
    width = {torch.inference_mode: 11, torch.no_grad: 13}[first]  # of which nothing was kept before
    candidates = [ops.ReLUConvBN(4, width, 1, statistics=False) for _ in range(2)]
    graph = chain(MixedOp(candidates), ops.AvgPool1x1(3))
    graph.edges[1, 2].set("alpha", nn.Parameter(torch.zeros(2)))
    graph.parse()
    with first():
        expected = graph(IMAGES)
    found = graph(IMAGES)
    torch.testing.assert_close(found, expected.clone())
    found.square().sum().backward()
    assert graph.edges[1, 2].alpha.grad is not None


def test_training_and_evaluation_have_one_plan():
    graph = chain(nn.Dropout(0.5), ops.ReLUConvBN(4, 4, 1)).parse()
    graph(IMAGES)
    plan = graph.plan
    graph.eval()
    assert graph.plan is plan
    both(graph, IMAGES)


def test_two_threads_run_one_graph():
    from concurrent.futures import ThreadPoolExecutor

    graph = chain(GumbelMixedOp([Times(k) for k in range(1, 4)]), Times(2))
    graph.edges[1, 2].set("alpha", torch.zeros(3))
    graph.edges[1, 2].set("tau", 1.0)
    graph.parse()
    with ThreadPoolExecutor(4) as pool:
        for out in pool.map(lambda _: graph(X), range(40)):
            assert round((out[0] / 2).item()) in (1, 2, 3)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's compiler
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_compiled_plans_agree_however_many_there_are():
    """Without generating code, which would take minutes; torch gives up at eight versions of one function."""
    for channels in range(1, 11):
        graph = chain(MixedOp([ops.Identity(), ops.ReLUConvBN(channels, channels, 3, affine=False)]))
        graph.edges[1, 2].set("alpha", nn.Parameter(torch.randn(2)))
        graph.parse().double()
        graph.compile(backend="eager")
        both(graph, torch.randn(2, channels, 4, 4, dtype=torch.float64))
        assert graph.unparse().parse().plan._run.__name__ == "_step_by_step"  # compiling ends with unparsing


def test_drawn_plans_are_not_compiled():
    graph = chain(GumbelMixedOp([Times(2), Times(3)]))
    graph.edges[1, 2].set("alpha", torch.zeros(2))
    graph.edges[1, 2].set("tau", 1.0)
    graph.parse()
    graph.compile(backend="nonsense")
    graph(X)
