"""A layered layout from left to right, in which nothing overlaps the names of edges.

As in Sugiyama, Tagawa & Toda 1981 (IEEE Trans. SMC 11), nodes are assigned to layers, crossings are reduced
layer by layer, and heights are computed last. As in Gansner et al. 1993 (IEEE Trans. Software Eng. 19), the
name of an edge is an item of a layer between its nodes, so no other item or edge can overlap it.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from oneshot.layout.heights import Heights, solve_heights
from oneshot.layout.placed import Placed, Points, Sketch, curve, settled, spread

Order = list[list[int]]  # items of each layer, from the top
Link = tuple[int, int]  # two items in neighbouring layers
Ports = list[list[float]]  # heights of each link's ends above the centres of its items: [source, target]
_STARTS = 12  # initial orders
_WORK = 4_000  # maximum of starts times items; large graphs get fewer starts
_SWEEPS = 8
_NARROW, _WIDE = 11.0, 46.0  # minimum and maximum distance between layers, in points
_SLOPE = 0.34  # distance between layers per rise of edges there
_HEAD = 9.0  # length in points of the horizontal end of an arrow before a node


class Item(NamedTuple):
    """An item of a layer."""

    #: a node, the name of an edge, or a point that an edge passes through
    kind: Literal["node", "name", "bend"]
    #: number of its layer, from the left
    layer: int
    #: width in points
    width: float
    #: height in points
    height: float


class Layered(NamedTuple):
    """A sketch whose items are assigned to layers."""

    #: all items, first the nodes
    items: list[Item]
    #: numbers of the items of each edge, one per layer from its source to its target
    chains: list[list[int]]
    #: numbers of the items of each layer
    layers: Order
    #: links of all chains
    links: list[Link]

    def below(self) -> list[list[Link]]:
        """Return the links from each layer, except the last, to the next one."""
        links: list[list[Link]] = [[] for _ in self.layers]
        for link in self.links:
            links[self.items[link[0]].layer].append(link)
        return links[:-1]


def own(sketch: Sketch) -> Placed:
    """Return the layout with the fewest crossings found; among these, the one with the straightest edges."""
    graph = _layered(sketch)
    starts = max(1, min(_STARTS, _WORK // len(graph.items)))
    orders = [_ordered(graph, random.Random(number)) for number in range(starts)]
    fewest = min(crossings for crossings, _ in orders)
    candidates: list[tuple[Heights, Ports]] = []
    for order in {str(order): order for crossings, order in orders if crossings == fewest}.values():
        ports = _ports(graph, order)
        candidates.append((solve_heights(graph, order, ports), ports))
    heights, ports = min(candidates, key=lambda each: (each[0].broken, round(each[0].bent, 3)))
    return _drawn(sketch, graph, heights.y, ports)


# Layers


def _layered(sketch: Sketch) -> Layered:
    ranks = [2 * rank for rank in _ranks(len(sketch.nodes), sketch.edges)]
    homes = _homes(sketch, ranks)
    used = sorted({*ranks, *(home for home in homes if home is not None)})
    layer_of = {rank: layer for layer, rank in enumerate(used)}
    items = [Item("node", layer_of[rank], *box) for rank, box in zip(ranks, sketch.nodes, strict=True)]
    chains = []
    for (source, target), box, home in zip(sketch.edges, sketch.names, homes, strict=True):
        chain = [source]
        for layer in range(items[source].layer + 1, items[target].layer):
            if box is not None and home is not None and layer == layer_of[home]:
                items.append(Item("name", layer, *box))
            else:
                items.append(Item("bend", layer, 0.0, 0.0))
            chain.append(len(items) - 1)
        chains.append([*chain, target])
    layers = [[n for n, item in enumerate(items) if item.layer == layer] for layer in range(len(used))]
    links = [pair for chain in chains for pair in pairwise(chain)]
    return Layered(items, chains, layers, links)


def _ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Return the number of edges on the longest path to each node."""
    import networkx

    graph = networkx.DiGraph(edges)
    graph.add_nodes_from(range(count))
    generations = enumerate(networkx.topological_generations(graph))
    ranks = {node: rank for rank, nodes in generations for node in nodes}
    return [ranks[node] for node in range(count)]


def _homes(sketch: Sketch, ranks: Sequence[int]) -> list[int | None]:
    """Return the layer of each edge's name, the one with the fewest names so far; short edges come first."""
    homes: list[int | None] = [None] * len(sketch.edges)
    counts: Counter[int] = Counter()
    spans = [(ranks[target] - ranks[source], n) for n, (source, target) in enumerate(sketch.edges)]
    for _, n in sorted(spans):
        if sketch.names[n] is not None:
            source, target = sketch.edges[n]
            middle = (ranks[source] + ranks[target]) / 2
            layers = range(ranks[source] + 1, ranks[target], 2)
            homes[n] = home = min((counts[layer], abs(layer - middle), layer) for layer in layers)[-1]
            counts[home] += 1
    return homes


# Orders


def _ordered(graph: Layered, rng: random.Random) -> tuple[int, Order]:
    """Return crossings and order of the best order that sweeps reach from a shuffled one."""
    order = [list(items) for items in graph.layers]
    for items in order:
        rng.shuffle(items)
    around = _neighbours(graph)
    below = graph.below()
    reached: list[tuple[int, Order]] = []
    for sweep in range(_SWEEPS):
        ahead = sweep % 2 == 0
        for layer in range(1, len(order)) if ahead else range(len(order) - 2, -1, -1):
            _sort(order[layer], _places(order), [sides[0 if ahead else 1] for sides in around])
        _transpose(order, around)
        crossings = sum(_crossings(_places(order), links) for links in below)
        reached.append((crossings, [list(items) for items in order]))
    return min(reached, key=lambda each: each[0])


Around = list[tuple[list[int], list[int]]]  # neighbours in the layers before and after, once per link


def _neighbours(graph: Layered) -> Around:
    around: Around = [([], []) for _ in graph.items]
    for a, b in graph.links:
        around[a][1].append(b)
        around[b][0].append(a)
    return around


def _places(order: Order) -> dict[int, int]:
    return {item: place for layer in order for place, item in enumerate(layer)}


def _sort(layer: list[int], place: dict[int, int], neighbours: Sequence[Sequence[int]]) -> None:
    """Sort a layer by the mean place of each item's neighbours, or by its own place if it has none."""
    layer.sort(key=lambda item: fmean([place[each] for each in neighbours[item]] or [place[item]]))


def _transpose(order: Order, around: Around) -> None:
    """Swap neighbours in a layer as long as this removes crossings."""
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


def _gained(place: dict[int, int], upper: Sequence[int], lower: Sequence[int]) -> int:
    """Return the number of crossings removed by swapping two items with these neighbours."""
    pairs = [(place[a], place[b]) for a in upper for b in lower]
    return sum((a > b) - (a < b) for a, b in pairs)


def _crossings(place: dict[int, int], links: Sequence[Link]) -> int:
    ends = [(place[a], place[b]) for a, b in links]
    return sum((a - c) * (b - d) < 0 for n, (a, b) in enumerate(ends) for c, d in ends[:n])


def _ports(graph: Layered, order: Order) -> Ports:
    """Return the heights of each link's ends above the centres of its items, so that none cross there."""
    place = _places(order)
    ports = [[0.0, 0.0] for _ in graph.links]
    for side in (0, 1):
        ends: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for n, link in enumerate(graph.links):
            ends[link[side]].append((place[link[1 - side]], n))
        for item, links in ends.items():
            for (_, n), port in zip(sorted(links), spread(graph.items[item].height, len(links)), strict=True):
                ports[n][side] = port
    return ports


# Curves


def _drawn(sketch: Sketch, graph: Layered, y: NDArray[np.float64], ports: Ports) -> Placed:
    """Return the layout of items at heights `y`; edges are horizontal in layers and curved in between."""
    columns = _columns(graph, y, ports)
    x = [sum(columns[item.layer]) / 2 for item in graph.items]
    centres = np.column_stack([x, y])
    levels = ((y[a] + up, y[b] + down) for (a, b), (up, down) in zip(graph.links, ports, strict=True))
    paths: list[Points] = []
    names: list[Points] = []
    for chain in graph.chains:
        path: list[Points] = []
        name = np.array([np.nan, np.nan])
        for a, b in pairwise(chain):
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


def _columns(graph: Layered, y: NDArray[np.float64], ports: Ports) -> list[tuple[float, float]]:
    """Return the left and right side of each layer; layers with steeper edges between are further apart."""
    rises, heads = [0.0] * len(graph.layers), [0.0] * len(graph.layers)
    for (a, b), (port_a, port_b) in zip(graph.links, ports, strict=True):
        layer = graph.items[b].layer
        rises[layer] = max(rises[layer], abs(y[a] + port_a - y[b] - port_b))
        heads[layer] = max(heads[layer], _HEAD if graph.items[b].kind == "node" else 0.0)
    columns, right = [], 0.0
    for items, rise, head in zip(graph.layers, rises, heads, strict=True):
        left = right + min(max(_NARROW, _SLOPE * rise), _WIDE) + head
        right = left + max(graph.items[item].width for item in items)
        columns.append((left, right))
    return columns


def _line(begin: Points, end: tuple[float, float]) -> list[Points]:
    return list(np.linspace(begin, end, 4)[1:])
