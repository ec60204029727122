"""Heights of the items of a layered graph: long edges are straight, others as straight as possible."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from oneshot.layout.layered import Layered

Gaps = dict[tuple[int, int], float]  # minimum distance of two neighbours in a layer, the upper one first
_GAPS = {"name": 4.5, "node": 16.0, "bend": 7.0, "mixed": 8.0}  # points between neighbours in a layer
_STIFF = {0: 1.0, 1: 2.0, 2: 8.0}  # stiffness of an edge's piece, by its ends that are not nodes
_REST = 1e-3  # stiffness that keeps all heights near 0
_ROUNDS, _CLOSE = 1_000, 1e-3  # points


class Heights(NamedTuple):
    """Heights of all items, and measures of how straight the edges are."""

    #: height of each item in points, upwards, shape ``(items,)``
    y: NDArray[np.float64]
    #: number of long edges that are not straight, because others cross them midway
    broken: int
    #: weighted sum of squares of the height differences along edges, in points squared
    bent: float


def solve_heights(
    graph: "Layered", order: Sequence[Sequence[int]], ports: Sequence[Sequence[float]]
) -> Heights:
    """Return the heights of items, given the order of each layer from the top and the ports of links.

    They minimize a sum of squares over the pieces of edges, subject to minimum gaps; the items of an edge
    between its ends share one height. Hildreth's method (1957, Naval Research Logistics Quarterly 4) solves
    the dual problem coordinate by coordinate.
    """
    gaps = _gaps(graph, order)
    bar, broken = _bars(graph, gaps)
    count = max(bar) + 1
    hessian, force = _REST * np.eye(count), np.zeros(count)
    pieces: list[tuple[int, int, float, float]] = []
    for (a, b), (port_a, port_b) in zip(graph.links, ports, strict=True):
        if bar[a] != bar[b]:
            stiff = _STIFF[sum(graph.items[item].kind != "node" for item in (a, b))]
            piece = np.zeros(count)
            piece[bar[a]], piece[bar[b]] = 1.0, -1.0
            hessian += stiff * np.outer(piece, piece)
            force += stiff * (port_b - port_a) * piece
            pieces.append((a, b, port_b - port_a, stiff))
    apart: Gaps = defaultdict(float)
    for (a, b), gap in gaps.items():
        apart[bar[a], bar[b]] = max(gap, apart[bar[a], bar[b]])
    y = np.round(_apart(hessian, force, apart), 2)[bar]  # rounded: equal for all linear algebra libraries
    bent = sum(stiff * (y[a] - y[b] - offset) ** 2 for a, b, offset, stiff in pieces)
    return Heights(y, broken, float(bent))


def _gaps(graph: "Layered", order: Sequence[Sequence[int]]) -> Gaps:
    gaps: Gaps = {}
    for layer in order:
        for a, b in pairwise(layer):
            first, second = graph.items[a], graph.items[b]
            gap = _GAPS[first.kind if first.kind == second.kind else "mixed"]
            gaps[a, b] = (first.height + second.height) / 2 + gap
    return gaps


def _bars(graph: "Layered", gaps: Gaps) -> tuple[list[int], int]:
    """Return the bar of each item, and the number of edges with several bars.

    The items of a bar share a height. Longer edges have precedence; an edge that would cross another bar is
    not joined to one bar.
    """
    import networkx

    bar, broken = list(range(len(graph.items))), 0
    for chain in sorted(graph.chains, key=len, reverse=True):
        inner = chain[1:-1]
        if len(inner) > 1:
            joined = [inner[0] if item in inner else number for item, number in enumerate(bar)]
            above = networkx.DiGraph((joined[a], joined[b]) for a, b in gaps)
            if networkx.is_directed_acyclic_graph(above):
                bar = joined
            else:
                broken += 1
    return np.unique(bar, return_inverse=True)[1].tolist(), broken


def _apart(
    hessian: NDArray[np.float64], force: NDArray[np.float64], gaps: Mapping[tuple[int, int], float]
) -> NDArray[np.float64]:
    """Return the y that minimizes y H y / 2 - f y, subject to y[a] - y[b] >= gaps[a, b]."""
    free = np.asarray(np.linalg.solve(hessian, force), np.float64)
    if not gaps:
        return free
    bounds = np.zeros((len(gaps), len(force)))
    for row, (a, b) in enumerate(gaps):
        bounds[row, a], bounds[row, b] = 1.0, -1.0
    reach = np.linalg.solve(hessian, bounds.T)  # effect of a push at each bound
    pull, missing = bounds @ reach, np.array(list(gaps.values())) - bounds @ free
    push = np.zeros(len(gaps))
    for _ in range(_ROUNDS):
        moved = 0.0
        for row in range(len(push)):
            step = max(-push[row], (missing[row] - pull[row] @ push) / pull[row, row])
            push[row] += step
            moved = max(moved, abs(step) * pull[row, row])
        if moved < _CLOSE:
            break
    return (free + reach @ push).astype(np.float64)
