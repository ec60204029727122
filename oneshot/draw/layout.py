"""A layered layout from left to right: names have places of their own, so that nothing hides them.

After Sugiyama, Tagawa & Toda 1981 (IEEE Trans. SMC 11): nodes in layers, crossings reduced layer by layer,
then heights. An edge's name is an item of a layer between those of the nodes, as in Gansner et al. 1993
(IEEE Trans. Software Eng. 19), so it overlaps nothing by construction, and no edge runs through it.
"""

import random
from typing import NamedTuple

import numpy as np

from oneshot.draw.heights import heights_of
from oneshot.draw.placed import curve, settled, spread

_STARTS = 12  # orders to begin with
_WORK = 4_000  # of starts times items; large graphs get fewer starts
_SWEEPS = 8
_NARROW, _WIDE = 11.0, 46.0  # points between layers, the least and the most
_SLOPE = 0.34  # of that to how far edges rise there
_HEAD = 9.0  # points of an arrow that are level before a node


class _Item(NamedTuple):
    """What a layer has: a node, an edge's name, or a point that an edge goes through."""

    kind: str  # "node", "name" or "bend"
    layer: int
    width: float
    height: float


class _Layered(NamedTuple):
    items: list
    chains: list  # of each edge the numbers of its items, one a layer from its source to its target
    layers: list  # of each layer the numbers of its items
    links: list  # pairs of items in neighbouring layers, those of all chains

    def below(self):
        """Of each layer but the last, its links to the next."""
        found = [[] for _ in self.layers]
        for link in self.links:
            found[self.items[link[0]].layer].append(link)
        return found[:-1]


def own(sketch):
    """A Sketch laid out, a Placed: with as few crossings as found, then as straight as can be."""
    graph = _layered(sketch)
    starts = max(1, min(_STARTS, _WORK // len(graph.items)))
    found = {}
    for number in range(starts):
        crossings, order = _ordered(graph, random.Random(number))
        found.setdefault((crossings, tuple(map(tuple, order))), order)
    fewest = min(crossings for crossings, _ in found)
    best = None
    for (crossings, _), order in found.items():
        if crossings == fewest:
            ports = _ports(graph, order)
            heights = heights_of(graph, order, ports)
            cost = heights.broken, round(heights.bent, 3)
            if best is None or cost < best[0]:
                best = cost, heights.y, ports
    return _drawn(sketch, graph, *best[1:])


# Layers


def _layered(sketch):
    ranks = [2 * rank for rank in _ranks(len(sketch.nodes), sketch.edges)]
    homes = _homes(sketch, ranks)
    used = sorted({*ranks, *(home for home in homes if home is not None)})
    layer_of = {rank: layer for layer, rank in enumerate(used)}
    items = [_Item("node", layer_of[rank], *box) for rank, box in zip(ranks, sketch.nodes, strict=True)]
    chains = []
    for (source, target), box, home in zip(sketch.edges, sketch.names, homes, strict=True):
        chain = [source]
        for layer in range(items[source].layer + 1, items[target].layer):
            here = home is not None and layer == layer_of[home]
            items.append(_Item("name", layer, *box) if here else _Item("bend", layer, 0.0, 0.0))
            chain.append(len(items) - 1)
        chains.append([*chain, target])
    layers = [[n for n, item in enumerate(items) if item.layer == layer] for layer in range(len(used))]
    links = [pair for chain in chains for pair in zip(chain, chain[1:], strict=False)]
    return _Layered(items, chains, layers, links)


def _ranks(count, edges):
    """Of each node the edges on the longest way to it."""
    import networkx

    graph = networkx.DiGraph(edges)
    graph.add_nodes_from(range(count))
    ranks = dict.fromkeys(graph, 0)
    for rank, nodes in enumerate(networkx.topological_generations(graph)):
        ranks.update(dict.fromkeys(nodes, rank))
    return [ranks[node] for node in range(count)]


def _homes(sketch, ranks):
    """Of each edge the layer of its name, that with the fewest so far; the shortest edges choose first."""
    homes, taken = [None] * len(sketch.edges), {}
    spans = [(ranks[target] - ranks[source], n) for n, (source, target) in enumerate(sketch.edges)]
    for _, n in sorted(spans):
        if sketch.names[n] is not None:
            source, target = sketch.edges[n]
            middle = (ranks[source] + ranks[target]) / 2
            homes[n] = min(
                range(ranks[source] + 1, ranks[target], 2),
                key=lambda layer, middle=middle: (taken.get(layer, 0), abs(layer - middle)),
            )
            taken[homes[n]] = taken.get(homes[n], 0) + 1
    return homes


# Orders


def _ordered(graph, rng):
    """The order with the fewest crossings that sweeps from a shuffled one come to: (crossings, layers)."""
    order = [list(layer) for layer in graph.layers]
    for layer in order:
        rng.shuffle(layer)
    around = _neighbours(graph)
    below = graph.below()
    best = None
    for sweep in range(_SWEEPS):
        ahead = sweep % 2 == 0
        for layer in range(1, len(order)) if ahead else range(len(order) - 2, -1, -1):
            place = _places(order)
            order[layer].sort(key=lambda item: _mean(place, around[item][0 if ahead else 1], place[item]))
        _transpose(order, around)
        crossings = sum(_crossings(_places(order), links) for links in below)
        if best is None or crossings < best[0]:
            best = crossings, [list(layer) for layer in order]
    return best


def _neighbours(graph):
    """Of each item its neighbours in the layer before and in that after, once for each link."""
    found = [([], []) for _ in graph.items]
    for a, b in graph.links:
        found[a][1].append(b)
        found[b][0].append(a)
    return found


def _places(order):
    return {item: place for layer in order for place, item in enumerate(layer)}


def _mean(place, neighbours, otherwise):
    return sum(place[item] for item in neighbours) / len(neighbours) if neighbours else otherwise


def _transpose(order, around):
    """Swap neighbours in a layer for as long as that takes crossings away."""
    better = True
    while better:
        better = False
        place = _places(order)
        for layer in order:
            for k in range(len(layer) - 1):
                a, b = layer[k], layer[k + 1]
                if sum(_gained(place, around[a][side], around[b][side]) for side in (0, 1)) > 0:
                    layer[k], layer[k + 1] = b, a
                    place[a], place[b] = place[b], place[a]
                    better = True


def _gained(place, upper, lower):
    """How many crossings less there are when two neighbours with these neighbours change places."""
    pairs = [(place[a], place[b]) for a in upper for b in lower]
    return sum((a > b) - (a < b) for a, b in pairs)


def _crossings(place, links):
    ends = [(place[a], place[b]) for a, b in links]
    return sum((a - c) * (b - d) < 0 for n, (a, b) in enumerate(ends) for c, d in ends[:n])


def _ports(graph, order):
    """Of each link how far above its items' centres it ends, (source, target), so that none cross there."""
    place = _places(order)
    ports = [[0.0, 0.0] for _ in graph.links]
    for side in (0, 1):
        at = {}
        for n, link in enumerate(graph.links):
            at.setdefault(link[side], []).append((place[link[1 - side]], n))
        for item, found in at.items():
            for (_, n), port in zip(sorted(found), spread(graph.items[item].height, len(found)), strict=True):
                ports[n][side] = port
    return ports


# Curves


def _drawn(sketch, graph, y, ports):
    """The Placed of items at heights `y`: edges are level in the layers, and curved in between."""
    columns = _columns(graph, y, ports)
    x = [sum(columns[item.layer]) / 2 for item in graph.items]
    centres = np.column_stack([x, y])
    levels = iter(
        [(y[a] + port_a, y[b] + port_b) for (a, b), (port_a, port_b) in zip(graph.links, ports, strict=True)]
    )
    paths, names = [], []
    for chain in graph.chains:
        path, name = [], (np.nan, np.nan)
        for a, b in zip(chain, chain[1:], strict=False):
            begin, end = next(levels)
            first, second = graph.items[a], graph.items[b]
            if a == chain[0]:
                path.append(np.array([x[a] + first.width / 2, begin]))
            path += _line(path[-1], (columns[first.layer][1], begin))
            head = _HEAD if second.kind == "node" else 0.0
            path += curve(path[-1], (columns[second.layer][0] - head, end))
            if second.kind == "name":
                name = centres[b]
        path += _line(path[-1], (x[b] - second.width / 2, end))
        paths.append(np.array(path))
        names.append(name)
    return settled(sketch, centres[: len(sketch.nodes)], names, paths)


def _columns(graph, y, ports):
    """Of each layer its left and right; further apart where edges rise more between them."""
    rises, heads = [0.0] * len(graph.layers), [0.0] * len(graph.layers)
    for (a, b), (port_a, port_b) in zip(graph.links, ports, strict=True):
        layer = graph.items[b].layer
        rises[layer] = max(rises[layer], abs(y[a] + port_a - y[b] - port_b))
        heads[layer] = max(heads[layer], _HEAD if graph.items[b].kind == "node" else 0.0)
    columns, right = [], 0.0
    for layer, rise, head in zip(graph.layers, rises, heads, strict=True):
        left = right + min(max(_NARROW, _SLOPE * rise), _WIDE) + head
        right = left + max(graph.items[item].width for item in layer)
        columns.append((left, right))
    return columns


def _line(begin, end):
    return list(np.linspace(begin, end, 4)[1:])
