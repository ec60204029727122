"""Nodes and edges of a graph, and the order in which nodes are computed."""

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import networkx

from oneshot.graph.edge import EdgeData
from oneshot.ops import Combination, add_up

if TYPE_CHECKING:
    _DiGraph = networkx.DiGraph[int, dict[str, Any], EdgeData]  # nodes hold data of any type
else:
    _DiGraph = networkx.DiGraph


class Dag(_DiGraph):
    """A directed acyclic graph of numbered nodes whose edges hold EdgeData."""

    edge_attr_dict_factory = EdgeData

    def live_edges(self) -> Iterator[tuple[int, int, EdgeData]]:
        """Yield source, target and data of each edge that is not deleted, sorted by source and target."""
        for source, target, edge in sorted(self.edges(data=True), key=lambda each: each[:2]):
            if not edge.is_deleted:
                yield source, target, edge

    def arriving(self, node: int) -> list[tuple[int, EdgeData]]:
        """Return source and data of each live edge into a node, sorted by source."""
        edges = ((source, self.edges[source, node]) for source in sorted(self.pred[node]))
        return [(source, edge) for source, edge in edges if not edge.is_deleted]

    def inputs(self) -> list[int]:
        """Return the nodes without incoming edges, in ascending order."""
        return sorted(node for node in self.nodes if not self.pred[node])

    def output(self) -> int:
        """Return the node with the highest number."""
        return max(self.nodes)

    def needed(self) -> list[int]:
        """Return the nodes that the output depends on, in topological order."""
        return list(_needed(tuple(each[:2] for each in self.live_edges()), self.output()))

    def combination(self, node: int) -> Combination:
        """Return the function that combines the tensors at a node."""
        function: Combination = self.nodes[node].get("comb_op", add_up)
        return function


@lru_cache(maxsize=1024)
def _needed(edges: tuple[tuple[int, int], ...], output: int) -> tuple[int, ...]:
    live = networkx.DiGraph(edges)
    live.add_node(output)
    needed = networkx.ancestors(live, output) | {output}
    return tuple(networkx.lexicographical_topological_sort(live.subgraph(needed)))
