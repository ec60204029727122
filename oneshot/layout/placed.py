"""Boxes before and after they are laid out, and curves between them; in points, y upwards."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float64]  # (points, 2), or one point (2,)

PORTS = 6.5  # points between arrows at one side of a node, if there is room


class Box(NamedTuple):
    """The size of a node or of an edge's name."""

    width: float
    height: float


class Sketch(NamedTuple):
    """A diagram as boxes that are to be placed."""

    #: The box of each node.
    nodes: list[Box]
    #: The box of each edge's name; None for a plain arrow.
    names: list[Box | None]
    #: (number of the source, number of the target) of each edge.
    edges: list[tuple[int, int]]


class Placed(NamedTuple):
    """A Sketch with a place for everything; the lower left corner is (0, 0)."""

    #: Centres, ``(nodes, 2)``.
    nodes: Points
    #: Centres, ``(edges, 2)``; NaN for a plain arrow.
    names: Points
    #: The Bézier curve of each edge from source to target, ``(3 n + 1, 2)``.
    paths: list[Points]
    #: The size of the whole.
    size: Box


def settled(sketch: Sketch, nodes: ArrayLike, names: ArrayLike, paths: Sequence[Points]) -> Placed:
    """Return a Placed of coordinates anywhere: moved into the corner, the first node above the second."""
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
    """Return how far above a node's centre its arrows at one side end, from the top, (count,)."""
    step = min(PORTS, max(height - 6, 0) / max(count - 1, 1))
    offsets: NDArray[np.float64] = step * ((count - 1) / 2 - np.arange(count, dtype=np.float64))
    return offsets


def curve(begin: Points, end: Sequence[float] | Points) -> list[Points]:
    """Return the three points after `begin` of a curve to `end` that is horizontal at both."""
    middle = (begin[0] + end[0]) / 2
    return [np.array([middle, begin[1]]), np.array([middle, end[1]]), np.array(end, float)]
