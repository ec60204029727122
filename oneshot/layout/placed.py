"""Boxes before and after layout, and curves between them, in points with y upwards."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float64]  # shape (points, 2), or (2,) for one point

PORTS = 6.5  # maximum distance in points of arrows at one side of a node


class Box(NamedTuple):
    """Size of a rectangle, such as a node or the name of an edge."""

    #: width in points
    width: float
    #: height in points
    height: float


class Sketch(NamedTuple):
    """The boxes of a diagram before layout."""

    #: size of each node
    nodes: list[Box]
    #: size of each edge's name; None if it has none
    names: list[Box | None]
    #: (number of the source, number of the target) of each edge
    edges: list[tuple[int, int]]


class Placed(NamedTuple):
    """The layout of a Sketch, whose lower left corner is (0, 0)."""

    #: centres of the nodes, shape ``(nodes, 2)``
    nodes: Points
    #: centres of the edges' names, shape ``(edges, 2)``; NaN for edges without a name
    names: Points
    #: Bézier curve of each edge from source to target, shape ``(3 n + 1, 2)``
    paths: list[Points]
    #: total size
    size: Box


def settled(sketch: Sketch, nodes: ArrayLike, names: ArrayLike, paths: Sequence[Points]) -> Placed:
    """Return the layout of given coordinates, moved to (0, 0); the first node is above the second."""
    at_nodes: Points = np.asarray(nodes, np.float64)
    at_names: Points = np.asarray(names, np.float64).reshape(-1, 2)
    if len(at_nodes) > 1 and at_nodes[0, 1] < at_nodes[1, 1] and abs(at_nodes[0, 0] - at_nodes[1, 0]) < 1:
        flip = np.array([1.0, -1.0])
        at_nodes, at_names, paths = at_nodes * flip, at_names * flip, [path * flip for path in paths]
    boxes: list[tuple[Points, Box]] = list(zip(at_nodes, sketch.nodes, strict=True))
    boxes += [(centre, box) for centre, box in zip(at_names, sketch.names, strict=True) if box is not None]
    halves: Points = np.array([box for _, box in boxes]) / 2
    centres = np.array([centre for centre, _ in boxes])
    corners: Points = np.vstack([centres - halves, centres + halves, *paths])
    low, high = corners.min(axis=0), corners.max(axis=0)
    return Placed(at_nodes - low, at_names - low, [path - low for path in paths], Box(*(high - low)))


def spread(height: float, count: int) -> NDArray[np.float64]:
    """Return the heights above a node's centre of the arrows at one side, from the top, shape (count,)."""
    step = min(PORTS, max(height - 6, 0) / max(count - 1, 1))
    offsets: NDArray[np.float64] = step * ((count - 1) / 2 - np.arange(count, dtype=np.float64))
    return offsets


def curve(begin: Points, end: Sequence[float] | Points) -> list[Points]:
    """Return the points after `begin` of a Bézier curve to `end` that is horizontal at both ends."""
    middle = (begin[0] + end[0]) / 2
    return [np.array([middle, begin[1]]), np.array([middle, end[1]]), np.array(end, float)]
