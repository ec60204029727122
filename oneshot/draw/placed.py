"""What is to be laid out, and what comes of it: boxes and curves in points, y upwards."""

from typing import NamedTuple

import numpy as np

PORTS = 6.5  # points between arrows at one side of a node, where there is room


class Box(NamedTuple):
    """The size of a node or of an edge's name."""

    width: float
    height: float


class Sketch(NamedTuple):
    """A diagram as boxes that are to be placed."""

    nodes: list  # of each node its Box
    names: list  # of each edge the Box of its name; None for a plain arrow
    edges: list  # (number of the source, number of the target)


class Placed(NamedTuple):
    """Where all of a Sketch stands; the lower left corner is (0, 0)."""

    nodes: np.ndarray  # centres, (nodes, 2)
    names: np.ndarray  # centres, (edges, 2); NaN for a plain arrow
    paths: list  # of each edge its Bézier curve from source to target, (3 n + 1, 2)
    size: Box


def settled(sketch, nodes, names, paths):
    """A Placed of coordinates anywhere: moved into the corner, the first node above the second."""
    nodes, names = np.asarray(nodes, float), np.asarray(names, float).reshape(-1, 2)
    if len(nodes) > 1 and nodes[0, 1] < nodes[1, 1] and abs(nodes[0, 0] - nodes[1, 0]) < 1:
        mirror = np.array([1, -1])
        nodes, names, paths = nodes * mirror, names * mirror, [path * mirror for path in paths]
    boxes = [(centre, box) for centre, box in zip(nodes, sketch.nodes, strict=True)]
    boxes += [(centre, box) for centre, box in zip(names, sketch.names, strict=True) if box is not None]
    halves = np.array([box for _, box in boxes]) / 2
    centres = np.array([centre for centre, _ in boxes])
    corners = [centres - halves, centres + halves, *paths]
    low, high = np.vstack(corners).min(axis=0), np.vstack(corners).max(axis=0)
    return Placed(nodes - low, names - low, [path - low for path in paths], Box(*(high - low)))


def spread(height, count):
    """How far above a node's centre its arrows at one side end, from the top, (count,)."""
    step = min(PORTS, max(height - 6, 0) / max(count - 1, 1))
    return step * ((count - 1) / 2 - np.arange(count))


def curve(begin, end):
    """What follows `begin` on a curve to `end` that is horizontal at both, three points."""
    middle = (begin[0] + end[0]) / 2
    return [np.array([middle, begin[1]]), np.array([middle, end[1]]), np.array(end, float)]
