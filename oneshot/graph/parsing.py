"""What must hold of a graph before it can run; each error names the edge or node."""

from typing import TYPE_CHECKING

import networkx
from torch import nn

from oneshot.errors import GraphError

if TYPE_CHECKING:
    from oneshot.graph.graph import Graph


def check(graph: "Graph") -> None:
    """Raise GraphError unless the graph, apart from the graphs in it, can run."""
    _check_shape(graph)
    _check_operations(graph)
    for node in graph.dag.needed():
        if graph.dag.pred[node] and not graph.dag.arriving(node):
            raise GraphError(
                f"node {node} of {graph.name} has no input: all edges to it are deleted, but its output is"
                " used"
            )


def _check_shape(graph: "Graph") -> None:
    dag = graph.dag
    edges: networkx.DiGraph[int] = networkx.DiGraph(list(dag.edges))
    if not networkx.is_directed_acyclic_graph(edges):
        cycle = " -> ".join(str(source) for source, *_ in networkx.find_cycle(edges))
        raise GraphError(f"{graph.name} is cyclic: {cycle} -> ...; a graph's edges close no cycle")
    if not dag.nodes:
        raise GraphError(f"{graph.name} has no nodes; add_nodes_from([1, 2]) adds some")
    if len(dag.nodes) > 1 and not dag.pred[dag.output()]:
        raise GraphError(
            f"node {dag.output()} of {graph.name} is the output, as the highest; no edge leads to it"
        )
    if any(graph in inner.graphs() for inner in graph.inner_graphs()):
        raise GraphError(f"{graph.name} is within itself; a graph's edges and nodes hold other graphs")


def _check_operations(graph: "Graph") -> None:
    for source, target, edge in graph.dag.live_edges():
        if isinstance(edge.op, (list, tuple)):
            raise GraphError(
                f"{graph.where(source, target)} has a list of {len(edge.op)} candidates; mix them, as a"
                " method's adapt_search_space does, or choose one before parse()"
            )
        if not isinstance(edge.op, nn.Module):
            raise GraphError(
                f"{graph.where(source, target)} has {edge.op!r} as op, not a module; for a function"
                " write an nn.Module that calls it"
            )
    for node in graph.dag.nodes:
        combination = graph.dag.combination(node)
        if not callable(combination):
            raise GraphError(
                f"node {node} of {graph.name} has {combination!r} as comb_op, not a function of a list of"
                " tensors"
            )
    for name, module in graph.placed_modules().items():
        if graph.get_submodule(name) is not module:
            raise GraphError(
                f"{graph.name} has a submodule {name!r} of its own; that name is an edge's or a node's"
            )
