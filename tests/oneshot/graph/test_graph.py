"""The language: building, changing, parsing, running, and every way to get it wrong."""

import re

import pytest
import torch
from torch import nn

from oneshot import ops
from oneshot.errors import GraphError
from oneshot.graph import Graph
from oneshot.graph.graph import by_alpha
from oneshot.methods.gdas import GumbelMixedOp
from oneshot.mixed import MixedOp, choosing
from oneshot.ops import add_up
from tests.oneshot.graph.examples import IMAGES, Outer, Times, X, both, chain, raises_in_both, triangle

# Building


def test_edges_lead_densely_from_lower_to_higher_nodes():
    graph = Graph()
    graph.add_nodes_from([4, 1, 3])
    graph.add_node_from([2])  # as the paper writes it
    graph.add_edges_densely()
    assert sorted(graph.edges) == [(1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4)]


def test_edges_bring_their_nodes_and_data():
    graph = Graph()
    graph.add_edges_from([(1, 2), (2, 3, {}), (1, 3)][:1])
    graph.add_edge(2, 3, op=ops.Zero(), channels=4)
    assert sorted(graph.nodes) == [1, 2, 3]
    assert graph.edges[2, 3].channels == 4
    assert isinstance(graph.edges[2, 3].op, ops.Zero)


def test_nodes_hold_data():
    graph = Graph()
    graph.add_node(1, comb_op=add_up)
    assert graph.nodes[1] == {"comb_op": add_up}


@pytest.mark.parametrize("node", ["1", 1.0, True, None, (1, 2)])
def test_nodes_are_numbered_by_integers(node):
    for add in (
        lambda graph: graph.add_node(node),
        lambda graph: graph.add_nodes_from([node]),
        lambda graph: graph.add_edge(node, 2),
        lambda graph: graph.add_edges_from([(1, node)]),
    ):
        with pytest.raises(GraphError, match="node numbers must be integers, got"):
            add(Graph())


def test_a_graph_says_what_it_is():
    graph = triangle(name="cell")
    assert "'cell', 3 nodes, 3 edges, defined" in repr(graph)
    assert "'cell', 3 nodes, 3 edges, parsed" in repr(graph.parse())


# Running


def test_a_node_adds_up_what_arrives():
    graph = triangle(Times(2), Times(3), Times(10)).parse()
    torch.testing.assert_close(both(graph, X), 16 * X)


def test_edges_without_an_operation_pass_their_tensor_on():
    torch.testing.assert_close(both(triangle().parse(), X), 2 * X)


def test_nodes_may_have_any_numbers_and_edges_lead_back():
    graph = Graph()
    graph.add_edge(7, -2, op=Times(2))
    graph.add_edge(-2, 90, op=Times(5))
    torch.testing.assert_close(both(graph.parse(), X), 10 * X)


def test_a_graph_of_one_node_passes_its_tensor_on():
    graph = Graph()
    graph.add_node(1)
    torch.testing.assert_close(both(graph.parse(), X), X)


def test_what_the_output_does_not_depend_on_is_not_computed():
    unused = Times(2)
    graph = Graph()
    graph.add_edge(1, 2, op=unused)
    graph.add_edge(1, 3)
    both(graph.parse(), X)
    assert unused.calls == 0


def test_several_inputs_come_in_the_order_of_their_nodes():
    graph = Graph()
    graph.add_edge(2, 3, op=Times(10))
    graph.add_edge(1, 3, op=Times(1))
    graph.parse()
    y = torch.tensor([5.0, 7.0])
    torch.testing.assert_close(both(graph, X, y), X + 10 * y)
    torch.testing.assert_close(both(graph, [X, y]), X + 10 * y)  # a list, as a comb_op gets it


def test_a_node_combines_as_it_is_told_in_the_order_of_sources():
    graph = Graph()
    graph.add_edge(2, 5, op=Times(2))
    graph.add_edge(1, 5)
    graph.add_edge(1, 2)
    graph.nodes[5]["comb_op"] = torch.stack
    torch.testing.assert_close(both(graph.parse(), X), torch.stack([X, 2 * X]))


def test_a_module_may_combine():
    class Concatenate(nn.Module):
        def __init__(self):
            super().__init__()
            self.shift = nn.Parameter(torch.ones(()))

        def forward(self, tensors):
            return torch.cat(tensors) + self.shift

    graph = triangle(Times(2))
    graph.nodes[3]["comb_op"] = Concatenate()
    graph.parse()
    torch.testing.assert_close(both(graph, X), torch.cat([X, 2 * X]) + 1)
    assert "node_3.shift" in graph.state_dict()


def test_a_graph_may_combine():
    inner = Graph("inner")
    inner.add_edge(1, 3, op=Times(100))
    inner.add_edge(2, 3, op=Times(10))
    graph = triangle(Times(2), None, None)
    graph.nodes[3]["comb_op"] = inner
    torch.testing.assert_close(both(graph.parse(), X), 100 * X + 10 * 2 * X)
    assert "node_3.edge_1_3.factor" in graph.state_dict()


@pytest.mark.parametrize(
    "place",
    [
        lambda inner: inner,
        lambda inner: chain(inner),
        lambda inner: nn.Sequential(inner, Times(1)),
        lambda inner: nn.Sequential(nn.Sequential(Times(1), inner)),
        lambda inner: Outer(inner),
        lambda inner: Outer(nn.Sequential(inner)),
    ],
)
def test_a_graph_may_stand_in_any_module(place):
    inner = triangle(Times(2), Times(3), name="inner")
    graph = chain(Times(10), place(inner))
    assert inner in list(graph.graphs())
    torch.testing.assert_close(both(graph.parse(), X), 70 * X)
    assert inner.is_parsed


def test_a_graph_may_be_a_candidate():
    inner = triangle(Times(2), name="inner")
    graph = chain([inner, nn.Sequential(triangle(Times(4)), ops.Identity())])
    assert len(list(graph.graphs())) == 3
    edge = graph.edges[1, 2]
    edge.set("alpha", torch.zeros(2))
    edge.set("op", MixedOp(edge.op))
    torch.testing.assert_close(both(graph.parse(), X), 4 * X)
    edge.set("choice", 1)
    torch.testing.assert_close(both(graph, X), 5 * X)


def test_a_nested_graph_may_be_run_alone():
    inner = triangle(Times(2), name="inner")
    chain(inner).parse()
    torch.testing.assert_close(both(inner, X), 3 * X)


def test_one_module_at_two_edges_is_one_module():
    op = Times(2)
    graph = chain(op, op).parse()
    torch.testing.assert_close(both(graph, X), 4 * X)
    assert len(list(graph.parameters())) == 1


def test_a_subclass_that_computes_something_else_is_not_taken_for_its_base():
    class Doubled(Graph):
        def forward(self, x):
            return 2 * super().forward(x)

    inner = Doubled("inner")
    inner.add_edge(1, 2, op=Times(5))
    torch.testing.assert_close(both(chain(inner).parse(), X), 10 * X)


def test_a_subclass_or_one_with_hooks_that_combines_gets_a_list():
    class Second(Graph):
        def forward(self, tensors):
            return tensors[1]

    seen = []
    combinations = [Second(), Graph()]
    combinations[1].register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
    for combination in combinations:
        combination.add_edges_from([(1, 3), (2, 3)])
        graph = triangle(Times(2))
        graph.nodes[3]["comb_op"] = combination
        both(graph.parse(), X)
    assert seen == [2, 2]


def test_hooks_of_a_nested_graph_fire():
    inner = chain(Times(2), name="inner")
    graph = chain(inner).parse()
    seen = []
    inner.register_forward_hook(lambda *args: seen.append(1))
    graph(X)
    assert seen == [1]
    graph.interpret(X)
    assert seen == [1, 1]


# Mixed edges


class Counting(MixedOp):
    """Softmax, and a record of whose weights were asked for."""

    asked = ()

    def weights(self, edge):
        type(self).asked += (edge,)
        return super().weights(edge)


class CountingDraws(GumbelMixedOp):
    """Draws, and a record of whose."""

    asked = ()

    def weights(self, edge):
        type(self).asked += (edge,)
        return super().weights(edge)


def copies(kind, count, place=lambda graph: graph):
    """A chain of copies of one mixed edge, between factors 1, 2 and 3."""
    torch.manual_seed(0)
    cell = chain(ops.Identity(), name="cell")
    edge = cell.edges[1, 2]
    edge.set("alpha", nn.Parameter(torch.tensor([0.3, 0.2, 0.1])), shared=True)
    edge.set("tau", 1.0, shared=True)
    cells = [cell.copy() for _ in range(count)]
    graph = chain(*map(place, cells))
    for each in cells:
        each.edges[1, 2].set("op", kind([Times(1), Times(2), Times(3)]))
    return graph.parse(), cells


@pytest.mark.parametrize("kind", [Counting, CountingDraws])
@pytest.mark.parametrize(
    "place",
    [lambda cell: cell, lambda cell: nn.Sequential(cell), lambda cell: Outer(cell), lambda cell: Graph()],
)
def test_weights_are_computed_once_a_pass_for_all_copies(kind, place):
    if isinstance(place(None), Graph):  # deeper: a graph in a module in a graph
        graph, cells = copies(kind, 4, lambda cell: chain(Outer(chain(cell))))
    else:
        graph, cells = copies(kind, 4, place)
    for run in (graph.interpret, graph):
        for seed in range(5):
            torch.manual_seed(seed)
            kind.asked = ()
            run(X)
            assert len(kind.asked) == 1
    assert {id(each.edges[1, 2].shared_store) for each in cells} == {id(kind.asked[0].shared_store)}


def test_all_copies_run_the_same_draw_however_they_are_placed():
    def place(cell):
        places = [lambda g: g, lambda g: Outer(g), lambda g: nn.Sequential(g), lambda g: chain(Outer(g))]
        place.number = (place.number + 1) % 4
        return places[place.number](cell)

    place.number = 0
    graph, _ = copies(GumbelMixedOp, 4, place)
    seen = set()
    for seed in range(20):
        torch.manual_seed(seed)
        (factor,) = {round(value, 4) for value in (both(graph, X) / X).tolist()}
        assert factor in (1, 16, 81)
        seen.add(factor)
    assert len(seen) == 3


def test_softmax_of_copies():
    graph, cells = copies(MixedOp, 2)
    share = torch.softmax(torch.tensor([0.3, 0.2, 0.1]), 0) @ torch.tensor([1.0, 2.0, 3.0])
    torch.testing.assert_close(both(graph, X), share**2 * X)
    graph(X).sum().backward()
    assert cells[0].edges[1, 2].alpha.grad is not None


def test_a_choice_runs_one_candidate_as_it_is():
    graph, cells = copies(Counting, 2)
    cells[0].edges[1, 2].set("choice", 2, shared=True)
    Counting.asked = ()
    torch.testing.assert_close(both(graph, X), 9 * X)
    assert Counting.asked == ()
    counts = [[op.calls for op in cell.edges[1, 2].op.primitives] for cell in cells]
    assert counts == [[0, 0, 2], [0, 0, 2]]


def test_copies_may_choose_for_themselves():
    graph, cells = copies(MixedOp, 2)
    cells[0].edges[1, 2].set("choice", 1)
    cells[1].edges[1, 2].set("choice", 2)
    torch.testing.assert_close(both(graph, X), 6 * X)
    del cells[0].edges[1, 2]["choice"], cells[1].edges[1, 2]["choice"]
    assert both(graph, X)[0] < 6


def test_of_what_was_not_drawn_nothing_is_computed():
    graph, cells = copies(GumbelMixedOp, 3)
    torch.manual_seed(0)
    graph(X)
    for cell in cells:
        assert sorted(op.calls for op in cell.edges[1, 2].op.primitives) == [0, 0, 1]


def test_mixing_within_mixing():
    inner = chain(ops.Identity(), name="inner")
    inner.edges[1, 2].set("op", MixedOp([Times(1), Times(3)]))
    inner.edges[1, 2].set("alpha", nn.Parameter(torch.zeros(2)), shared=True)
    outer = chain(MixedOp([inner, inner.copy(), Times(8)]), name="outer")
    outer.edges[1, 2].set("alpha", nn.Parameter(torch.zeros(3)), shared=True)
    torch.testing.assert_close(both(outer.parse(), X), 4 * X)  # (2 + 2 + 8) / 3


def test_a_pass_that_failed_leaves_nothing_behind():
    graph, cells = copies(Counting, 2)
    graph(X)
    for run in (graph.interpret, graph):
        with pytest.raises(GraphError):
            run(torch.zeros(2), torch.zeros(2))
        cells[0].edges[1, 2].op.primitives[0].factor.data = torch.ones(3)
        with pytest.raises(GraphError, match="size of tensor"):
            run(X)
        cells[0].edges[1, 2].op.primitives[0].factor.data = torch.ones(())
        Counting.asked = ()
        run(X)
        assert len(Counting.asked) == 1


def test_another_graph_may_run_inside_a_pass():
    other, _ = copies(MixedOp, 1)

    class Asks(nn.Module):
        def forward(self, x):
            return other(x)  # a graph that is no part of this one

    graph, cells = copies(MixedOp, 1)
    expected = both(graph, both(other, X))
    graph = chain(cells[0], Asks()).unparse().parse()
    torch.testing.assert_close(both(graph, X), expected)


# Changing


def nested():
    inner = triangle(name="inner").set_scope("inside")
    graph = chain(inner, ops.Identity(), nn.Sequential(inner.copy()), name="outer")
    return graph, inner


def test_set_scope_goes_down_unless_told_otherwise():
    graph, _ = nested()
    assert graph.set_scope("all over") is graph
    assert {each.scope for each in graph.graphs()} == {"all over"}
    graph.set_scope("top", recursively=False)
    assert [each.scope for each in graph.graphs()] == ["top", "all over", "all over"]


def test_update_edges_reaches_every_edge_in_scope():
    graph, _ = nested()
    for scope, count in (("all", 9), (None, 9), ("inside", 6), (["inside"], 6), (("inside",), 6)):
        seen = []
        graph.update_edges(seen.append, scope)
        assert len(seen) == len(set(seen)) == count


def test_update_edges_reaches_shared_data_once():
    graph, inner = nested()
    seen = []
    graph.update_edges(seen.append, "inside", private_edge_data=False)
    assert len(seen) == 3
    assert {id(edge.shared_store) for edge in seen} == {
        id(edge.shared_store) for *_, edge in inner.edges(data=True)
    }
    graph.update_edges(lambda edge: edge.set("alpha", object(), shared=True), "inside", False)
    assert len(graph.get_all_edge_data("alpha")) == 3
    assert len(graph.get_all_edge_data("alpha", private_edge_data=True)) == 6


def test_shared_data_are_updated_once_although_a_copy_is_out_of_scope():
    graph = chain(triangle().set_scope("a"), ops.Identity())
    first = graph.edges[1, 2].op
    graph.edges[2, 3].set("op", first.copy().set_scope("b"))
    seen = []
    graph.update_edges(seen.append, "b", private_edge_data=False)
    assert len(seen) == 3
    assert {id(edge) for edge in seen} == {id(edge) for *_, edge in graph.edges[2, 3].op.edges(data=True)}


def test_an_unknown_scope_is_an_error_that_says_which_there_are():
    graph, _ = nested()
    for scope in ("insied", ["inside", "insied"]):
        with pytest.raises(GraphError, match="'insied'; its scopes are: inside"):
            graph.update_edges(lambda edge: None, scope)
    with pytest.raises(GraphError, match="its scopes are: none"):
        Graph().get_all_edge_data("alpha", "stage_1")
    with pytest.raises(GraphError, match="has the scope 'x'"):
        graph.update_nodes(lambda *args: None, "x")


def test_final_edges_are_not_updated_but_run():
    graph = triangle(Times(2).requires_grad_(False))
    graph.edges[1, 2].finalize()
    graph.update_edges(lambda edge: edge.set("op", Times(5)))
    torch.testing.assert_close(both(graph.parse(), X), (2 * 5 + 5) * X)


def test_final_edges_that_are_mixed_run_move_and_are_chosen():
    graph = narrow([9.0, 0.0, 1.0], [0.0, 0.0, 0.0])
    for *_, edge in graph.edges(data=True):
        edge.set("width", torch.ones(2))
        edge.finalize()
    before = both(graph.parse(), IMAGES)
    assert graph.double().edges[2, 3].width.dtype == torch.float64
    torch.testing.assert_close(both(graph, IMAGES.double()), before.double())
    edge = graph.edges[1, 3]
    with choosing([(edge, 0)]):
        assert edge.choice == 0
        assert not torch.allclose(both(graph, IMAGES.double()), before.double())
    assert not edge.has("choice")
    edge.set("tau", 0.5, shared=True)  # as methods do at each epoch
    assert edge.tau == 0.5
    with pytest.raises(GraphError, match="is parsed"):
        edge.set("op", ops.Zero())
    with pytest.raises(GraphError, match="is final"):
        graph.unparse().edges[1, 3].set("op", ops.Zero())


def test_deleted_edges_are_neither_updated_nor_run():
    graph = triangle(Times(2), None, Times(100))
    graph.edges[1, 3].set("alpha", 1)
    graph.edges[1, 3].delete()
    seen = []
    graph.update_edges(seen.append)
    assert len(seen) == len(graph.all_edges()) == 2
    assert graph.get_all_edge_data("alpha") == []
    torch.testing.assert_close(both(graph.parse(), X), 2 * X)
    assert list(graph.state_dict()) == ["edge_1_2.factor"]


def test_get_all_edge_data_of_values_that_are_the_edges_own():
    graph, _ = nested()
    graph.update_edges(lambda edge: edge.set("width", 3))
    assert graph.get_all_edge_data("width") == [3] * 9
    assert graph.get_all_edge_data("width", "inside") == [3] * 6
    assert graph.get_all_edge_data("nothing") == []


def test_update_nodes_gives_each_node_with_its_edges():
    graph = triangle(Times(2), Times(3))
    graph.edges[2, 3].delete()
    seen = {}
    graph.update_nodes(
        lambda node, in_edges, out_edges: seen.update({node[0]: (node[1], in_edges, out_edges)})
    )
    assert sorted(seen) == [1, 2, 3]
    data, in_edges, out_edges = seen[3]
    assert data is graph.nodes[3]
    assert in_edges == [(1, graph.edges[1, 3])]
    assert out_edges == []
    assert seen[1][1] == []
    assert seen[1][2] == [(2, graph.edges[1, 2]), (3, graph.edges[1, 3])]


def test_update_nodes_passes_final_edges_by():
    graph = triangle(Times(2), Times(3))
    graph.edges[1, 3].finalize()
    seen = {}
    graph.update_nodes(lambda node, in_edges, out_edges: seen.update({node[0]: (in_edges, out_edges)}))
    assert seen == {
        1: ([], [(2, graph.edges[1, 2])]),
        2: ([(1, graph.edges[1, 2])], [(3, graph.edges[2, 3])]),
        3: ([(2, graph.edges[2, 3])], []),
    }


def test_update_nodes_keeps_the_two_strongest_edges_of_nested_graphs():
    graph = Graph("cell", scope="cell")
    for source, strength in ((1, 0.3), (2, 0.1), (3, 0.2)):
        graph.add_edge(source, 4, op=Times(10**source), strength=strength)

    def keep_two(node, in_edges, out_edges):
        for _, edge in sorted(in_edges, key=lambda each: -each[1].strength)[2:]:
            edge.delete()

    outer = Graph("outer")
    outer.add_edges_from([(1, 4), (2, 4), (3, 4)])
    outer.nodes[4]["comb_op"] = graph
    outer.update_nodes(keep_two, "cell")
    torch.testing.assert_close(both(outer.parse(), X, X, X), 1010 * X)


def test_the_hooks_of_a_space_do_nothing_by_default():
    graph = triangle()
    assert graph.prepare_discretization() is None
    assert graph.prepare_evaluation() is None
    assert graph.OPTIMIZER_SCOPE == "all"


# Defined and parsed


def test_parse_and_unparse_go_to_and_fro():
    graph, inner = nested()
    assert not graph.is_parsed
    assert graph.parse() is graph
    assert graph.parse() is graph
    assert graph.is_parsed
    assert inner.is_parsed
    first = graph(X)
    names = list(graph.state_dict())
    assert graph.unparse() is graph
    assert not inner.is_parsed
    assert list(graph.children()) == [graph.edges[1, 2].op, graph.edges[2, 3].op, graph.edges[3, 4].op]
    assert list(inner.children()) == []
    graph.unparse()
    graph.parse()
    assert list(graph.state_dict()) == names
    torch.testing.assert_close(graph(X), first)
    inner_edge = inner.edges[1, 3]
    graph.unparse()
    inner_edge.set("op", Times(7))
    torch.testing.assert_close(both(graph.parse(), X), 16 * X)


def test_a_parsed_graph_is_not_changed():
    graph = triangle().parse()
    for name, change in {
        "add_node": lambda: graph.add_node(9),
        "add_nodes_from": lambda: graph.add_nodes_from([9]),
        "add_edge": lambda: graph.add_edge(1, 9),
        "add_edges_from": lambda: graph.add_edges_from([(1, 9)]),
        "update_edges": lambda: graph.update_edges(lambda edge: None),
        "update_nodes": lambda: graph.update_nodes(lambda *args: None),
    }.items():
        with pytest.raises(GraphError, match=r"is parsed; call unparse\(\) before"):
            change()
        assert len(graph.nodes) == 3, name
    assert len(graph.edges) == 3


@pytest.mark.parametrize(
    "use",
    [
        lambda graph: graph(X),
        lambda graph: graph.interpret(X),
        lambda graph: graph.plan,
        lambda graph: graph.compile(backend="eager"),
    ],
)
def test_a_graph_that_is_not_parsed_says_so(use):
    with pytest.raises(GraphError, match=r"parse\(\)"):
        use(triangle(Times(2)))


def defined():
    """A graph of a list of candidates, of which one holds a graph, a nested graph, and a module at a node."""
    inner = chain([Times(2), Times(3)], name="inner")
    graph = triangle([Times(4), nn.Sequential(chain(Times(5)))], inner)
    graph.nodes[3]["comb_op"] = ops.Normalized(ops.Concat(), 8)
    return graph


def test_the_operations_so_far_are_submodules_before_parsing():
    graph = defined()
    assert [name for name, _ in graph.named_parameters()] == [
        "edge_2_3.edge_1_2_0.factor",
        "edge_2_3.edge_1_2_1.factor",
        "node_3.bn.weight",
        "node_3.bn.bias",
        "edge_1_2_0.factor",
        "edge_1_2_1.0.edge_1_2.factor",
    ]
    assert sum(parameter.numel() for parameter in graph.parameters()) == 4 + 2 * 8
    assert [name for name, _ in graph.named_buffers()][0] == "node_3.bn.running_mean"
    assert graph.edges[2, 3].op in list(graph.modules())
    graph.edges[1, 2].set("op", Times(6))
    assert [name for name, _ in graph.named_children()] == ["edge_1_2", "edge_2_3", "node_3"]
    assert graph.edges[1, 2].op in list(graph.children())
    graph.edges[1, 2].delete()
    assert [name for name, _ in graph.named_children()] == ["edge_2_3", "node_3"]
    assert "(edge_2_3): Graph(" in repr(graph)
    assert list(Graph().parameters()) == []


def test_a_graph_that_is_not_parsed_moves_and_changes_its_mode():
    graph = defined()
    graph.edges[1, 3].set("alpha", nn.Parameter(torch.zeros(2)))
    graph.edges[1, 3].set("mean", torch.zeros(2), shared=True)
    graph.edges[1, 3].finalize()
    alpha = graph.edges[1, 3].alpha
    assert graph.double() is graph
    assert {parameter.dtype for parameter in graph.parameters()} == {torch.float64}
    assert graph.edges[1, 3].alpha is alpha
    assert {alpha.dtype, graph.edges[1, 3].mean.dtype} == {torch.float64}
    assert graph.eval() is graph
    candidate, inner = graph.edges[1, 2].op[1], graph.edges[2, 3].op
    assert not any(module.training for module in (candidate, candidate[0], inner, *inner.edges[1, 2].op))
    nn.Sequential(graph).train()  # in a module it is as any other
    assert all(module.training for module in (candidate, candidate[0], inner, *inner.edges[1, 2].op))
    graph.requires_grad_(False)
    assert not any(parameter.requires_grad for parameter in graph.parameters())


def test_the_state_of_a_graph_that_is_not_parsed_may_be_loaded():
    graph, other = defined(), defined()
    state = {name: tensor + 1 for name, tensor in graph.state_dict().items()}
    assert len(state) == 6 + 3
    nn.ModuleList([other]).load_state_dict({f"0.{name}": tensor for name, tensor in state.items()})
    torch.testing.assert_close(other.state_dict(), state)
    with pytest.raises(RuntimeError, match="Missing key"):
        other.load_state_dict({})
    plain = triangle(Times(2), Times(3))
    state = {name: tensor + 1 for name, tensor in plain.state_dict().items()}
    plain.load_state_dict(state)
    torch.testing.assert_close(both(plain.parse(), X), (3 * 4 + 1) * X)
    assert list(plain.state_dict()) == list(state)


def test_a_graph_may_be_looked_at_while_it_changes():
    graph = triangle(Times(2), Times(3))
    for _, module in graph.named_modules():
        if module is graph:
            continue
        graph.add_edge(1, 9, op=Times(4))
        assert len(list(graph.children())) == 3
        break
    for name, _ in graph.named_children():
        if graph.edges[1, 9].has("op"):
            del graph.edges[1, 9]["op"]
        assert name in ("edge_1_2", "edge_1_9", "edge_2_3")
        assert len(list(graph.children())) == 2


def test_a_graph_that_was_parsed_alone_may_be_placed_in_another():
    inner = triangle(Times(2), name="inner").parse()
    inner(X)
    graph = chain(inner, Times(5)).parse()
    torch.testing.assert_close(both(graph, X), 15 * X)
    assert list(graph.unparse().graphs())[1].is_parsed is False
    torch.testing.assert_close(both(graph.parse(), X), 15 * X)


def test_what_failed_to_parse_can_be_mended():
    graph = triangle(Times(2), [Times(1)])
    with pytest.raises(GraphError, match="candidates"):
        graph.parse()
    assert not graph.is_parsed
    graph.edges[2, 3].set("op", Times(3))
    graph.edge_2_3 = nn.Identity()
    with pytest.raises(GraphError, match="a submodule 'edge_2_3', but that name is reserved"):
        graph.parse()
    assert not graph.is_parsed
    assert isinstance(graph.edge_2_3, nn.Identity)
    assert [name for name, _ in graph.named_children()] == ["edge_2_3", "edge_1_2"]
    del graph.edge_2_3
    torch.testing.assert_close(both(graph.parse(), X), 7 * X)


def test_a_submodule_of_its_own_keeps_its_name_before_parsing():
    graph = triangle(Times(2), Times(3))
    list(graph.parameters())
    graph.edge_1_2 = nn.Linear(2, 2)
    graph.edges[1, 2].set("op", Times(4))
    assert [name for name, _ in graph.named_parameters()] == [
        "edge_1_2.weight",
        "edge_1_2.bias",
        "edge_2_3.factor",
    ]
    del graph.edge_1_2
    assert [name for name, _ in graph.named_parameters()] == ["edge_1_2.factor", "edge_2_3.factor"]


def test_a_graph_may_have_submodules_of_its_own():
    class WithHead(Graph):
        def __init__(self):
            super().__init__("with head")
            self.head = Times(3)

    graph = WithHead()
    graph.add_edge(1, 2, op=Times(2))
    assert list(graph.parse().state_dict()) == ["head.factor", "edge_1_2.factor"]
    graph.unparse().edges[1, 2].delete()
    assert [name for name, _ in graph.named_children()] == ["head"]


@pytest.mark.parametrize(
    "change",
    [
        lambda edge: edge.set("op", Times(5)),
        lambda edge: edge.update(op=Times(5)),
        lambda edge: edge.pop("op"),
        lambda edge: edge.delete(),
    ],
)
def test_operations_at_the_edges_of_a_parsed_graph_are_not_changed(change):
    inner = triangle(Times(2), Times(3), name="inner")
    graph = chain(inner).parse()
    with pytest.raises(GraphError, match=r"is parsed; call unparse\(\)"):
        change(inner.edges[1, 2])
    inner.edges[1, 2].set("width", 3)  # what is no operation may change
    torch.testing.assert_close(both(graph, X), 7 * X)
    with pytest.raises(GraphError, match=r"is parsed; call unparse\(\)"):
        change(graph.clone().edges[1, 2].op.edges[1, 2])
    change(graph.unparse().edges[1, 2].op.edges[1, 2])


def test_plans_are_made_anew_after_a_change():
    graph = triangle(Times(2)).parse()
    torch.testing.assert_close(both(graph, X), 3 * X)
    graph.unparse().edges[1, 2].set("op", Times(5))
    torch.testing.assert_close(both(graph.parse(), X), 6 * X)


# Bad input


def test_candidates_that_are_left_are_an_error_that_names_the_edge():
    inner = triangle(second=[ops.Identity(), ops.Zero()], name="inner").set_scope("stage_1")
    for candidates in ([ops.Identity(), ops.Zero()], (ops.Identity(), ops.Zero())):
        inner.edges[2, 3].set("op", candidates)
        with pytest.raises(GraphError, match=r"edge 2-3 of inner \(stage_1\) has a list of 2 candidates"):
            chain(inner).parse()


def test_a_cycle_is_an_error_that_shows_it():
    graph = triangle()
    graph.add_edge(3, 2)
    with pytest.raises(GraphError, match=r"triangle is cyclic: (2 -> 3|3 -> 2) -> \.\.\."):
        graph.parse()
    graph = Graph()
    graph.add_edge(1, 1)
    with pytest.raises(GraphError, match="cyclic: 1 -> "):
        graph.parse()


def test_a_graph_within_itself_is_an_error():
    graph = triangle()
    graph.edges[1, 2].set("op", nn.Sequential(graph))
    with pytest.raises(GraphError, match="triangle.* contains itself"):
        graph.parse()
    inner = chain(ops.Identity(), name="inner")
    outer = chain(inner, name="outer")
    inner.edges[1, 2].set("op", outer)
    with pytest.raises(GraphError, match="outer.* contains itself"):
        outer.parse()


def test_one_graph_at_two_places_is_not_within_itself():
    inner = chain(Times(2), name="inner")
    middle = chain(inner, inner, name="middle")
    torch.testing.assert_close(both(chain(inner, middle).parse(), X), 8 * X)


def test_a_graph_without_nodes_is_an_error():
    with pytest.raises(GraphError, match="graph has no nodes"):
        Graph().parse()


def test_a_node_whose_edges_are_all_deleted_has_no_input():
    graph = triangle(name="cell")
    graph.edges[1, 2].delete()
    with pytest.raises(GraphError, match="node 2 of cell has no input"):
        graph.parse()
    graph.edges[2, 3].delete()  # now nobody needs it
    torch.testing.assert_close(both(graph.parse(), X), X)
    graph.unparse().edges[1, 3].delete()
    with pytest.raises(GraphError, match="node 3 of cell has no input"):
        graph.parse()


@pytest.mark.parametrize("op", [torch.relu, "conv", 3, None, ops.Zero])
def test_an_operation_is_a_module(op):
    with pytest.raises(GraphError, match=r"edge 1-2 of chain has .* as op, which must be a module"):
        chain(op).parse()


@pytest.mark.parametrize("function", ["sum", None, 3])
def test_a_node_combines_by_something_that_can_be_called(function):
    graph = chain(ops.Identity())
    graph.nodes[2]["comb_op"] = function
    with pytest.raises(GraphError, match="node 2 of chain has .* as comb_op"):
        graph.parse()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_number_of_inputs_is_that_of_the_input_nodes(count):
    graph = Graph("two")
    graph.add_edge(1, 3)
    graph.add_edge(2, 3)
    graph.parse()
    raises_in_both(graph, rf"two takes 2 .*1, 2.*got {count}", *[X] * count)
    if count != 1:
        raises_in_both(graph, rf"got {count}", [X] * count)


def test_the_number_of_inputs_of_a_nested_graph():
    two = Graph("two")
    two.add_edge(1, 3)
    two.add_edge(2, 3)
    raises_in_both(chain(two).parse(), "two takes 2 .*got 1", X)
    graph = chain(Times(2))
    graph.nodes[2]["comb_op"] = two
    raises_in_both(graph.parse(), "two takes 2 .*got 1", X)
    three = Graph("three")
    three.add_edges_from([(1, 4), (2, 4), (3, 4)])
    three.nodes[4]["comb_op"] = two
    raises_in_both(three.parse(), "two takes 2 .*got 3", X, X, X)


WIDE = ops.ReLUConvBN(8, 8, 3)


@pytest.mark.parametrize(
    ("graph", "where"),
    [
        (chain(ops.Identity(), WIDE), "edge 2-3 of chain"),
        (chain(chain(WIDE, name="inner")), "edge 1-2 of inner"),
        (chain(nn.Sequential(ops.Identity(), WIDE)), "edge 1-2 of chain"),
        (triangle(ops.ReLUConvBN(4, 8, 1)), "node 3 of triangle"),
        (triangle(ops.ReLUConvBN(4, 4, 1, stride=2)), "node 3 of triangle"),
        (triangle(nn.AvgPool2d(2), ops.Identity()), "node 3 of triangle"),
        (chain(nn.Linear(4, 4)), "edge 1-2 of chain"),
        (chain(nn.Sequential(nn.Flatten(), nn.Linear(3, 3))), "edge 1-2 of chain"),
    ],
)
def test_shapes_that_do_not_meet_are_an_error_that_says_where(graph, where):
    raises_in_both(graph.parse(), re.escape(where), IMAGES)


def test_combinations_that_fail_say_where():
    graph = triangle()
    graph.nodes[3]["comb_op"] = lambda tensors: torch.cat([*tensors, torch.zeros(1, 1)])
    raises_in_both(graph.parse(), "node 3 of triangle", X)


def test_lack_of_memory_is_not_an_error_of_the_graph():
    class Full(nn.Module):
        def forward(self, x):
            raise torch.OutOfMemoryError("full")

    graph = chain(Full()).parse()
    with pytest.raises(torch.OutOfMemoryError, match="full"):
        graph(X)
    with pytest.raises(torch.OutOfMemoryError, match="full"):
        graph.interpret(X)


def mixed_edge(candidates=3, kind=MixedOp, **data):
    graph = chain(kind([Times(k) for k in range(candidates)]))
    for key, value in data.items():
        graph.edges[1, 2].set(key, value)
    return graph.parse()


def test_a_mixed_edge_without_alpha_says_so():
    raises_in_both(mixed_edge(), "edge 1-2 of chain has no 'alpha'", X)


@pytest.mark.parametrize("length", [2, 4])
def test_an_alpha_of_another_length_says_so(length):
    raises_in_both(mixed_edge(alpha=torch.zeros(length)), "edge 1-2 of chain has 3 candidates", X)


@pytest.mark.parametrize("choice", [3, -1, "0", 1.0])
def test_a_choice_that_is_no_candidate_says_so(choice):
    raises_in_both(
        mixed_edge(choice=choice),
        r"edge 1-2 of chain: choice must be an integer in \[0, 2\], or -2 for none",
        X,
    )


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("data", [{"alpha": torch.zeros(2)}, {"choice": 1}])
def test_copies_with_candidates_of_another_number_say_so(count, data):
    first = chain(ops.Identity(), name="first")
    for key, value in data.items():
        first.edges[1, 2].set(key, value, shared=True)
    second = first.copy()
    second.name = "second"
    first.edges[1, 2].set("op", MixedOp([Times(k) for k in range(2)]))
    second.edges[1, 2].set("op", MixedOp([Times(k) for k in range(count)]))
    raises_in_both(
        chain(first, second).parse(),
        f"edge 1-2 of second has {count} candidates, but shares its mixing with edge 1-2 of first",
        X,
    )


def test_a_mixed_operation_inside_another_module_has_no_edge():
    graph = chain(nn.Sequential(MixedOp([ops.Identity()]))).parse()
    raises_in_both(graph, "weights from an edge", X)


def test_an_output_that_no_edge_leads_to_is_an_error():
    graph = Graph("backwards")
    graph.add_edge(2, 1)
    with pytest.raises(GraphError, match=r"node 2 of backwards is the output \(highest number\) but has"):
        graph.parse()


# Before a graph is discretized


class Narrow(Graph):
    """Of the edges into a node only the strongest stays."""

    def weak_edges(self, strength):
        weak = []
        for node in self.nodes:
            arriving = [edge for _, edge in sorted(self.dag.pred[node].items()) if not edge.is_deleted]
            weak += sorted(arriving, key=strength, reverse=True)[1:]
        return weak


def narrow(first, short):
    """1 -> 2 -> 3 and 1 -> 3, of candidates with such alphas at the edges to 3."""
    graph = Narrow()
    graph.add_nodes_from([1, 2, 3])
    graph.add_edges_densely()
    for edge, alpha in (((2, 3), first), ((1, 3), short)):
        graph.edges[edge].set("op", MixedOp([ops.Zero(), ops.Identity(), ops.Identity()]))
        graph.edges[edge].set("alpha", torch.tensor(alpha), shared=True)
    graph.edges[1, 2].set("alpha", torch.zeros(1), shared=True)
    graph.edges[1, 2].set("op", MixedOp([ops.Identity()]))
    return graph


def test_a_graph_has_no_weak_edges_unless_its_space_says_so():
    graph = triangle(Times(1), Times(2), Times(3))
    assert graph.weak_edges(lambda edge: 1.0) == []
    graph.prepare_discretization()
    graph.prepare_evaluation()
    assert len(graph.all_edges()) == 3
    assert graph.CHOOSES_NONE


def test_edges_are_as_strong_as_their_strongest_candidate_but_zero():
    graph = narrow([9.0, 0.0, 1.0], [0.0, 0.0, 0.0])
    shares = torch.softmax(torch.tensor([9.0, 0.0, 1.0]), 0)
    assert by_alpha(graph.edges[2, 3]) == pytest.approx(shares[2].item())
    assert by_alpha(graph.edges[1, 3]) == pytest.approx(1 / 3)
    graph.edges[1, 3].set("op", MixedOp([ops.Zero()] * 3))  # none is more than Zero
    assert by_alpha(graph.edges[1, 3]) == pytest.approx(1 / 3)
    graph.edges[1, 3].set("op", [ops.Zero(), ops.Identity(), ops.Zero()])  # not mixed yet
    assert by_alpha(graph.edges[1, 3]) == pytest.approx(1 / 3)


def test_weak_edges_are_dropped_by_alpha_or_by_a_methods_strength():
    graph = narrow([9.0, 0.0, 1.0], [0.0, 0.0, 0.0])
    other = graph.clone()
    graph.prepare_discretization()
    assert [edge.is_deleted for *_, edge in sorted(graph.edges(data=True))] == [False, False, True]
    other.prepare_discretization(lambda edge: float(edge.alpha.max()))
    assert [edge.is_deleted for *_, edge in sorted(other.edges(data=True))] == [False, True, False]
    for each in (graph, other):
        both(each.parse(), IMAGES)
        with pytest.raises(GraphError, match="call unparse"):
            each.edges[1, 2].delete()
