"""How high the items of a layered graph stand: long edges straight, others as straight as there is room."""

from typing import NamedTuple

import numpy as np

_GAPS = {"name": 4.5, "node": 16.0, "bend": 7.0, "mixed": 8.0}  # points between neighbours in a layer
_STIFF = {0: 1.0, 1: 2.0, 2: 8.0}  # of a piece of an edge, by how many of its ends are no nodes
_REST = 1e-3  # what holds the whole near 0
_ROUNDS, _CLOSE = 1_000, 1e-3  # points


class Heights(NamedTuple):
    y: np.ndarray  # of each item, upwards
    broken: int  # long edges that are not straight, as others cross them midway
    bent: float  # how much the rest bends, points squared


def heights_of(graph, order, ports):
    """The Heights of the items of a Layered, whose layers are in this order, from the top.

    Least squares over the pieces of edges, subject to gaps; an edge's items between its ends share one
    height. The dual is solved coordinate by coordinate (Hildreth 1957, Naval Research Logistics Quarterly 4).
    """
    gaps = _gaps(graph, order)
    bar, broken = _bars(graph, gaps)
    count = max(bar) + 1
    hessian, force = _REST * np.eye(count), np.zeros(count)
    pieces = []
    for (a, b), (port_a, port_b) in zip(graph.links, ports, strict=True):
        if bar[a] != bar[b]:
            stiff = _STIFF[sum(graph.items[item].kind != "node" for item in (a, b))]
            piece = np.zeros(count)
            piece[bar[a]], piece[bar[b]] = 1.0, -1.0
            hessian += stiff * np.outer(piece, piece)
            force += stiff * (port_b - port_a) * piece
            pieces.append((a, b, port_b - port_a, stiff))
    apart = {}
    for (a, b), gap in gaps.items():
        pair = bar[a], bar[b]
        apart[pair] = max(gap, apart.get(pair, 0.0))
    y = np.round(_apart(hessian, force, apart), 2)[bar]  # the same with any linear algebra library
    bent = sum(stiff * (y[a] - y[b] - offset) ** 2 for a, b, offset, stiff in pieces)
    return Heights(y, broken, float(bent))


def _gaps(graph, order):
    """Of each two neighbours in a layer, the upper first, how far their centres are apart at least."""
    found = {}
    for layer in order:
        for a, b in zip(layer, layer[1:], strict=False):
            first, second = graph.items[a], graph.items[b]
            gap = _GAPS[first.kind if first.kind == second.kind else "mixed"]
            found[a, b] = (first.height + second.height) / 2 + gap
    return found


def _bars(graph, gaps):
    """Of each item the number of its bar, of those that share a height; and how many edges have several.

    The longest edges come first; one that another bar would have to cross stays in pieces.
    """
    import networkx

    bar, broken = list(range(len(graph.items))), 0
    for chain in sorted(graph.chains, key=len, reverse=True):
        inner = chain[1:-1]
        if len(inner) > 1:
            tried = [inner[0] if item in inner else number for item, number in enumerate(bar)]
            above = networkx.DiGraph((tried[a], tried[b]) for a, b in gaps)
            if networkx.is_directed_acyclic_graph(above):
                bar = tried
            else:
                broken += 1
    numbers = {name: number for number, name in enumerate(sorted(set(bar)))}
    return [numbers[name] for name in bar], broken


def _apart(hessian, force, gaps):
    """The y that minimizes y H y / 2 - f y, with y[a] - y[b] of at least gaps[a, b]."""
    free = np.linalg.solve(hessian, force)
    if not gaps:
        return free
    bounds = np.zeros((len(gaps), len(force)))
    for row, (a, b) in enumerate(gaps):
        bounds[row, a], bounds[row, b] = 1.0, -1.0
    reach = np.linalg.solve(hessian, bounds.T)  # what a push at each bound moves
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
    return free + reach @ push
