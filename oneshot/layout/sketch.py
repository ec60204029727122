"""Boxes of diagrams, sized by their texts."""

import re
from typing import TYPE_CHECKING, Protocol

from oneshot.errors import GraphError
from oneshot.layout.placed import PORTS, Box, Sketch

if TYPE_CHECKING:
    from oneshot.spaces.base import Diagram

NAME, LABEL, HEADING = 8.0, 9.0, 9.5  # font sizes in points: edges, nodes, titles of diagrams
KINDS = ("input", "node", "output")  # of nodes
_NODE = Box(21.0, 21.0)  # minimum size of a node
_PAD = Box(3.5, 2.2)  # space between a text and its box


class Extent(Protocol):
    """Function that returns the size of a text in a font."""

    def __call__(self, text: str, size: float, *, formula: bool = False) -> Box:
        """Return the size of a text in a font of `size` points; a `formula` is in matplotlib's syntax."""


def build_sketch(diagram: "Diagram", extent: Extent) -> Sketch:
    """Return the boxes of a diagram; raise GraphError if it is not an acyclic graph."""
    import networkx

    name = f"diagram {diagram.title!r}"
    if not diagram.nodes:
        raise GraphError(f"{name} has no nodes")
    numbers = {node: number for number, (node, _, _) in enumerate(diagram.nodes)}
    if len(numbers) < len(diagram.nodes):
        raise GraphError(f"{name} has two nodes with the same id: {[node for node, *_ in diagram.nodes]}")
    for source, target, _ in diagram.edges:
        if source not in numbers or target not in numbers:
            raise GraphError(f"{name}: edge {source}-{target} has a node that does not exist")
    if unknown := {kind for *_, kind in diagram.nodes} - set(KINDS):
        raise GraphError(f"{name}: kinds of nodes are {', '.join(KINDS)}; got {', '.join(sorted(unknown))}")
    edges = [(numbers[source], numbers[target]) for source, target, _ in diagram.edges]
    if not networkx.is_directed_acyclic_graph(networkx.DiGraph(edges)):
        raise GraphError(f"{name} has a cycle; it must be acyclic")
    nodes = []
    for number, (_, label, _) in enumerate(diagram.nodes):
        ends = max(sum(edge[side] == number for edge in edges) for side in (0, 1))
        base, index = split_index(label)
        text = extent(f"${label}$" if index else base, LABEL, formula=bool(index))
        width = max(_NODE.width, text.width + 2 * _PAD.width + 2)
        nodes.append(Box(width, max(_NODE.height, PORTS * (ends - 1) + 9)))
    boxes = [
        Box(extent(label, NAME).width + 2 * _PAD.width, NAME * 1.1 + 2 * _PAD.height)
        for *_, label in diagram.edges
    ]
    names = [box if label else None for box, (*_, label) in zip(boxes, diagram.edges, strict=True)]
    return Sketch(nodes, names, edges)


def split_index(label: str) -> tuple[str, str]:
    """Return the text of a label and its index, which may be empty.

    >>> split_index("c_{k-1}"), split_index("in")
    (('c', 'k-1'), ('in', ''))
    """
    indexed = re.fullmatch(r"(\w)_\{([\w+-]+)\}", label)
    return (indexed[1], indexed[2]) if indexed else (label, "")
