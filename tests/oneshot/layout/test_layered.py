import itertools
import random

import numpy as np
import pytest

from oneshot.layout import layered as layout
from oneshot.layout.layered import own
from oneshot.layout.placed import Box, Sketch
from oneshot.spaces.genotype import dense_edges
from tests.oneshot.draw.drawings import points_on

NODE, NAME = Box(21.0, 21.0), Box(60.0, 13.0)


def sketch(nodes, edges, named=None):
    return Sketch(
        [NODE] * nodes, [NAME if named is None or named[n] else None for n in range(len(edges))], edges
    )


def at_random(seed):
    rng = random.Random(seed)
    nodes = rng.randint(2, 7)
    edges = [(0, 1), *(edge for edge in dense_edges(nodes) for _ in range(rng.choice((0, 1, 1, 2))))]
    return sketch(nodes, edges, [rng.random() < 0.7 for _ in edges])


def inside(points, centre, box, least):
    return (np.abs(points - centre) < [box.width / 2 - least, box.height / 2 - least]).all(axis=1).any()


@pytest.mark.parametrize("seed", range(40))
def test_boxes_are_apart_and_edges_run_clear_of_all_others(seed):
    given = at_random(seed)
    placed = own(given)
    boxes = list(zip(placed.nodes, given.nodes, strict=True))
    boxes += [(at, box) for at, box in zip(placed.names, given.names, strict=True) if box is not None]
    for (at, box), (there, other) in itertools.combinations(boxes, 2):
        apart = np.abs(at - there) - (np.array(box) + other) / 2
        assert apart.max() > 4  # points
    for n, path in enumerate(placed.paths):
        points = points_on(path)
        source, target = given.edges[n]
        for number, (at, box) in enumerate(zip(placed.nodes, given.nodes, strict=True)):
            assert number in (source, target) or not inside(points, at, box, -2)
        for number, (at, box) in enumerate(zip(placed.names, given.names, strict=True)):
            assert box is None or inside(points, at, box, -2) == (number == n)


@pytest.mark.parametrize("seed", range(10))
def test_edges_go_from_side_to_side_rightwards_and_end_apart(seed):
    given = at_random(seed)
    placed = own(given)
    ends = {}
    for n, ((source, target), path) in enumerate(zip(given.edges, placed.paths, strict=True)):
        assert (np.diff(path[:, 0]) > -1e-6).all()
        assert path[0, 0] == pytest.approx(placed.nodes[source][0] + NODE.width / 2)
        assert path[-1, 0] == pytest.approx(placed.nodes[target][0] - NODE.width / 2)
        for side, node, (_, y) in ((0, source, path[0]), (1, target, path[-1])):
            assert abs(y - placed.nodes[node][1]) < NODE.height / 2
            ends.setdefault((side, node), []).append(y)
        if given.names[n] is not None:
            assert np.abs(points_on(path) - placed.names[n]).sum(axis=1).min() < 10
    for heights in ends.values():
        assert len(heights) == 1 or np.diff(sorted(heights)).min() > 1


def test_all_is_within_the_size():
    placed = own(at_random(3))
    assert np.vstack(placed.paths).min() >= 0
    assert (np.vstack(placed.paths) <= placed.size).all()
    low = np.vstack([placed.nodes - np.array(NODE) / 2])
    assert low.min() >= -1e-6


def test_a_chain_is_straight_and_names_stand_in_the_middle():
    placed = own(sketch(3, [(0, 1), (1, 2)]))
    assert np.ptp(placed.nodes[:, 1]) == 0
    assert np.ptp(np.vstack(placed.paths)[:, 1]) == 0
    assert placed.names[0] == pytest.approx(placed.nodes[:2].mean(axis=0), abs=6)


def test_the_first_of_two_inputs_is_above():
    for edges in ([(0, 2), (1, 2)], [(1, 2), (0, 2)], [(1, 2), (0, 3), (2, 3)]):
        placed = own(sketch(max(map(max, edges)) + 1, edges))
        assert placed.nodes[0][1] > placed.nodes[1][1]


def test_a_plain_arrow_has_no_name_and_a_node_may_stand_alone():
    placed = own(sketch(3, [(0, 1)], [False]))
    assert np.isnan(placed.names).all()
    assert len(own(sketch(1, [])).nodes) == 1


def crossings_of(graph, order):
    place = layout._places(order)
    return sum(layout._crossings(place, links) for links in graph.below())


@pytest.mark.parametrize("seed", range(4))
def test_crossings_are_as_few_as_there_can_be(seed):
    rng = random.Random(seed)
    edges = [edge for edge in itertools.product(range(4), range(4, 8)) if rng.random() < 0.5]
    graph = layout._layered(sketch(8, edges, [False] * len(edges)))
    orders = itertools.product(*(itertools.permutations(layer) for layer in graph.layers))
    fewest = min(crossings_of(graph, order) for order in orders)
    assert min(layout._ordered(graph, random.Random(start))[0] for start in range(12)) == fewest


def test_what_can_be_without_crossings_is():
    graph = layout._layered(sketch(4, dense_edges(4)))
    assert min(layout._ordered(graph, random.Random(start))[0] for start in range(12)) == 0


def test_what_a_swap_gains_is_the_difference_of_crossings():
    graph = layout._layered(at_random(5))
    around, rng = layout._neighbours(graph), random.Random(0)
    for _ in range(50):
        order = [rng.sample(layer, len(layer)) for layer in graph.layers]
        layer = rng.choice([layer for layer in order if len(layer) > 1])
        k = rng.randrange(len(layer) - 1)
        place, before = layout._places(order), crossings_of(graph, order)
        gained = sum(layout._gained(place, around[layer[k]][s], around[layer[k + 1]][s]) for s in (0, 1))
        layer[k], layer[k + 1] = layer[k + 1], layer[k]
        assert before - crossings_of(graph, order) == gained
