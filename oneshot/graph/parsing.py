"""Checks that a graph can run; each error names the edge or node."""

from typing import TYPE_CHECKING

import networkx
from torch import nn

from oneshot.errors import GraphError

if TYPE_CHECKING:
    from oneshot.graph.graph import Graph


def check(graph: "Graph") -> None:
    """Raise GraphError unless the graph can run; the graphs in it are not checked."""
    _check_shape(graph)
    _check_operations(graph)
    for node in graph.dag.needed():
        if graph.dag.pred[node] and not graph.dag.arriving(node):
            raise GraphError(
                f"node {node} of {graph.name} has no input: all edges to it are deleted, but its"
                " value is used"
            )


def _check_shape(graph: "Graph") -> None:
    dag = graph.dag
    edges: networkx.DiGraph[int] = networkx.DiGraph(list(dag.edges))
    if not networkx.is_directed_acyclic_graph(edges):
        cycle = " -> ".join(str(source) for source, *_ in networkx.find_cycle(edges))
        raise GraphError(f"{graph.name} is cyclic: {cycle} -> ...; a graph must be acyclic")
    if not dag.nodes:
        raise GraphError(f"{graph.name} has no nodes; add some, for example by add_nodes_from([1, 2])")
    if len(dag.nodes) > 1 and not dag.pred[dag.output()]:
        raise GraphError(
            f"node {dag.output()} of {graph.name} is the output (highest number) but has no incoming edge"
        )
    if any(graph in inner.graphs() for inner in graph.inner_graphs()):
        raise GraphError(f"{graph.name} contains itself; edges and nodes can only hold other graphs")


def _check_operations(graph: "Graph") -> None:
    for source, target, edge in graph.dag.live_edges():
        if isinstance(edge.op, (list, tuple)):
            raise GraphError(
                f"{graph.where(source, target)} has a list of {len(edge.op)} candidates; mix them, as"
                " adapt_search_space() of a method does, or select one before parse()"
            )
        if not isinstance(edge.op, nn.Module):
            raise GraphError(
                f"{graph.where(source, target)} has {edge.op!r} as op, which must be a module; wrap a"
                " function in an nn.Module"
            )
    for node in graph.dag.nodes:
        combination = graph.dag.combination(node)
        if not callable(combination):
            raise GraphError(
                f"node {node} of {graph.name} has {combination!r} as comb_op, which must be a function of a"
                " list of tensors"
            )
    for name, module in graph.placed_modules().items():
        if graph.get_submodule(name) is not module:
            raise GraphError(
                f"{graph.name} has a submodule {name!r}, but that name is reserved for an edge or node;"
                " rename it"
            )
