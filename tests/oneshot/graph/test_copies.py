"""Copies share what was shared, clones share it among themselves; and a graph as a module."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

from oneshot import ops
from oneshot.graph import EdgeData, Graph
from oneshot.mixed import MixedOp

X = torch.linspace(-1, 1, 2 * 4 * 6 * 6).view(2, 4, 6, 6)


def cell():
    """Candidates at each edge, and an alpha that copies have in common."""
    graph = Graph("cell")
    graph.add_nodes_from([1, 2, 3])
    graph.add_edges_densely()
    for _, _, edge in graph.edges(data=True):
        edge.set("op", [ops.Identity(), ops.ReLUConvBN(4, 4, 1), ops.Zero()])
        edge.set("alpha", nn.Parameter(torch.randn(3)), shared=True)
    return graph


def supernet():
    """A chain of two copies of a cell, mixed and parsed."""
    torch.manual_seed(0)
    first = cell()
    graph = Graph("supernet")
    graph.add_edge(1, 2, op=first)
    graph.add_edge(2, 3, op=nn.Sequential(first.copy()))
    graph.update_edges(lambda edge: edge.has("alpha") and edge.set("op", MixedOp(edge.op)))
    return graph.parse()


def cells(graph):
    return graph.edges[1, 2].op, graph.edges[2, 3].op[0]


def reloaded(graph):
    file = io.BytesIO()
    torch.save(graph, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


INDEPENDENT = {
    "clone": lambda graph: graph.clone(),
    "deepcopy": copy.deepcopy,
    "pickle": lambda graph: pickle.loads(pickle.dumps(graph)),
    "save and load": reloaded,
}


@pytest.fixture(params=INDEPENDENT)
def independent(request):
    """Each way to an independent graph."""
    return INDEPENDENT[request.param]


def test_the_package_has_the_language():
    assert issubclass(Graph, nn.Module)
    assert isinstance(cell().edges[1, 2], EdgeData)


def test_a_copy_shares_shared_data_now_and_from_now_on():
    one = cell()
    other = one.copy()
    third = other.copy()
    for edge in one.edges:
        assert one.edges[edge] is not other.edges[edge]
        assert one.edges[edge].alpha is other.edges[edge].alpha is third.edges[edge].alpha
    third.edges[1, 2].set("beta", 5, shared=True)
    assert one.edges[1, 2].beta == other.edges[1, 2].beta == 5
    assert not one.edges[1, 3].has("beta")
    one.edges[1, 2].set("beta", 6, shared=True)
    assert third.edges[1, 2].beta == 6
    del other.edges[1, 2]["beta"]
    assert not one.edges[1, 2].has("beta")


def test_a_copy_has_operations_names_and_data_of_its_own():
    one = cell()
    one.edges[1, 2].set("width", [4])
    other = one.copy()
    assert other.edges[1, 2].width == [4]
    assert other.edges[1, 2].width is not one.edges[1, 2].width
    assert other.edges[1, 2].op[1].conv.weight is not one.edges[1, 2].op[1].conv.weight
    torch.testing.assert_close(other.edges[1, 2].op[1].conv.weight, one.edges[1, 2].op[1].conv.weight)
    other.edges[1, 3].finalize()
    other.set_scope("other")
    other.add_edge(3, 4)
    assert not one.edges[1, 3].is_final
    assert one.scope is None
    assert 4 not in one.nodes


def test_an_edge_is_deleted_in_all_copies_of_its_graph():
    one = cell()
    other, third = one.copy(), one.copy()
    clone = one.clone()
    other.edges[1, 2].delete()
    for graph in (one, other, third, one.copy(), third.copy().copy()):
        assert [graph.edges[edge].is_deleted for edge in ((1, 2), (1, 3), (2, 3))] == [True, False, False]
        assert len(graph.all_edges()) == 2
    assert not clone.edges[1, 2].is_deleted
    clone.edges[1, 3].delete()
    assert not one.edges[1, 3].is_deleted


def test_what_is_made_of_a_graph_after_a_deletion_keeps_it(independent):
    first = cell()
    graph = Graph("both")
    graph.add_edge(1, 2, op=first)
    graph.add_edge(2, 3, op=nn.Sequential(first.copy()))
    first.edges[1, 2].delete()
    one, other = cells(independent(graph))
    assert one.edges[1, 2].is_deleted
    assert other.edges[1, 2].is_deleted
    other.edges[1, 3].delete()  # which the two still have in common, but not with the first graph
    assert one.edges[1, 3].is_deleted
    assert not first.edges[1, 3].is_deleted


def test_a_parsed_copy_runs_a_deleted_edge_until_it_is_parsed_again():
    one = Graph()
    one.add_edge(1, 2)
    one.add_edge(1, 3)
    one.add_edge(2, 3)
    other = one.copy().parse()
    one.edges[1, 3].delete()
    torch.testing.assert_close(other(X), 2 * X)
    torch.testing.assert_close(other.interpret(X), 2 * X)
    other.unparse().parse()
    torch.testing.assert_close(other(X), X)
    torch.testing.assert_close(other.interpret(X), X)


def test_nodes_are_updated_once_for_all_copies_of_a_graph():
    graph = supernet().unparse()
    first, second = cells(graph)

    def updated(**options):
        seen = []
        graph.update_nodes(lambda node, in_edges, out_edges: seen.append(node), **options)
        return [data for _, data in seen]

    def nodes(*graphs):
        return [each.nodes[node] for each in graphs for node in (1, 2, 3)]

    assert list(map(id, updated())) == list(map(id, nodes(graph, first)))
    assert list(map(id, updated(single_instances=True))) == list(map(id, nodes(graph, first)))
    assert list(map(id, updated(single_instances=False))) == list(map(id, nodes(graph, first, second)))
    first.set_scope("first")
    second.set_scope("second")
    assert list(map(id, updated(scope="second"))) == list(map(id, nodes(second)))
    assert list(map(id, updated(scope=["second", "first"]))) == list(map(id, nodes(first)))
    second.add_edge(3, 4)  # it is no copy any more
    assert len(updated()) == 3 + 3 + 4


def test_graphs_without_edges_are_no_copies_of_one_another():
    graph = Graph()
    graph.add_edge(1, 2, op=[Graph("one"), Graph("other")])
    for inner in graph.edges[1, 2].op:
        inner.add_node(7)
    seen = []
    graph.update_nodes(lambda node, in_edges, out_edges: seen.append(node[0]))
    assert seen == [1, 2, 7, 7]


def test_a_copy_shares_what_graphs_inside_it_share():
    graph = Graph()
    graph.add_edge(1, 2, op=[cell(), ops.Identity()])
    graph.add_node(2, comb_op=cell())
    other = graph.copy()
    assert other.edges[1, 2].op[0].edges[1, 3].alpha is graph.edges[1, 2].op[0].edges[1, 3].alpha
    assert other.nodes[2]["comb_op"].edges[1, 3].alpha is graph.nodes[2]["comb_op"].edges[1, 3].alpha


def test_an_independent_graph_shares_nothing_with_the_first(independent):
    graph = supernet()
    other = independent(graph)
    mine = {id(tensor) for tensor in [*graph.parameters(), *graph.get_all_edge_data("alpha")]}
    its = {id(tensor) for tensor in [*other.parameters(), *other.get_all_edge_data("alpha")]}
    assert len(mine) == len(its) == 2 * 3 * 3 + 3
    assert not mine & its
    other.edges[1, 2].op.edges[1, 2].set("tau", 1.0, shared=True)
    assert graph.get_all_edge_data("tau") == []


def test_in_an_independent_graph_the_same_things_are_shared(independent):
    first, second = cells(independent(supernet()))
    for edge in first.edges:
        assert first.edges[edge].alpha is second.edges[edge].alpha
        assert first.edges[edge].op is not second.edges[edge].op
    first.edges[1, 2].set("tau", 1.0, shared=True)
    assert second.edges[1, 2].tau == 1.0


def test_an_independent_graph_is_the_same_function(independent):
    graph = supernet()
    graph(X)
    other = independent(graph)
    assert other.is_parsed
    torch.testing.assert_close(other(X), graph(X))
    torch.testing.assert_close(other.interpret(X), graph.interpret(X))
    with torch.no_grad():
        for parameter in [*other.parameters(), *other.get_all_edge_data("alpha")]:
            parameter.add_(0.1)
    torch.testing.assert_close(other(X), other.interpret(X))
    assert not torch.allclose(other(X), graph(X))
    other.unparse().parse()
    torch.testing.assert_close(other(X), other.interpret(X))


def test_an_independent_graph_may_be_made_of_one_that_is_defined(independent):
    graph = cell()
    graph.edges[1, 2].finalize()
    graph.edges[1, 3].delete()
    other = independent(graph)
    assert not other.is_parsed
    assert other.edges[1, 2].is_final
    assert other.edges[1, 3].is_deleted
    assert other.edges[1, 2].alpha is not graph.edges[1, 2].alpha
    other.add_edge(3, 4)
    assert sorted(graph.nodes) == [1, 2, 3]


def test_subclasses_are_copied_with_what_they_hold(independent):
    class_of = type("Space", (Graph,), {"__module__": __name__})
    globals()["Space"] = class_of  # where pickle finds it
    graph = class_of()
    graph.add_edge(1, 2)
    graph.classes = 7
    other = independent(graph)
    assert type(other) is class_of
    assert other.classes == graph.copy().classes == 7


def test_alphas_are_no_parameters_of_the_graph():
    graph = supernet()
    alphas = graph.get_all_edge_data("alpha")
    assert len(alphas) == 3
    assert not {id(alpha) for alpha in alphas} & {id(parameter) for parameter in graph.parameters()}
    assert not [name for name in graph.state_dict() if "alpha" in name]


def test_alphas_get_gradients():
    graph = supernet()
    graph(X).square().sum().backward()
    for alpha in graph.get_all_edge_data("alpha"):
        assert alpha.grad.abs().sum() > 0


def test_alphas_move_with_the_graph_and_stay_the_same_objects():
    graph = supernet()
    alphas = graph.get_all_edge_data("alpha")
    graph(X).sum().backward()
    assert graph.double() is graph
    assert [id(alpha) for alpha in graph.get_all_edge_data("alpha")] == [id(alpha) for alpha in alphas]
    for alpha in alphas:
        assert alpha.dtype == alpha.grad.dtype == torch.float64
    torch.testing.assert_close(graph(X.double()), graph.interpret(X.double()))
    graph(X.double()).sum().backward()
    graph.to(torch.float32)
    assert {alpha.dtype for alpha in alphas} == {torch.float32}


def test_other_tensors_on_edges_move_too_and_stay_shared():
    graph = supernet()
    first, second = cells(graph)
    first.edges[1, 2].set("mean", torch.zeros(3), shared=True)
    first.edges[1, 2].set("own", torch.zeros(3))
    first.edges[1, 2].set("width", 4)
    graph.double()
    assert second.edges[1, 2].mean is first.edges[1, 2].mean
    assert first.edges[1, 2].mean.dtype == first.edges[1, 2].own.dtype == torch.float64
    assert first.edges[1, 2].width == 4


def test_training_and_evaluation_reach_all_operations():
    graph = supernet()
    assert all(module.training for module in graph.modules())
    assert not any(module.training for module in graph.eval().modules())
    assert all(module.training for module in graph.train().modules())


def test_names_in_a_state_say_where():
    names = list(supernet().state_dict())
    assert "edge_1_2.edge_1_2.primitives.1.conv.weight" in names
    assert "edge_2_3.0.edge_2_3.primitives.1.bn.running_mean" in names
    assert len(names) == 2 * 3 * 6


def test_a_state_can_be_loaded_into_another_instance():
    graph, other = supernet(), supernet()
    with torch.no_grad():
        for parameter in graph.parameters():
            parameter.add_(0.1)
    graph(X)  # moves running statistics
    assert not torch.allclose(graph.eval()(X), other.eval()(X))
    other.load_state_dict(graph.state_dict())
    torch.testing.assert_close(graph.eval()(X), other.eval()(X))


def test_a_state_may_be_loaded_between_parsing_and_parsing_again():
    graph = supernet()
    state = {name: tensor + 1 for name, tensor in graph.state_dict().items()}
    graph.unparse().load_state_dict(state)
    torch.testing.assert_close(graph.parse().state_dict(), state)
