import numpy as np
import pytest
from scipy.optimize import minimize

from oneshot.layout import heights as module
from oneshot.layout import layered as layout
from oneshot.layout.heights import solve_heights
from tests.oneshot.layout.test_layered import at_random, sketch


def of(graph, order):
    return solve_heights(graph, order, layout._ports(graph, order))


@pytest.mark.parametrize("seed", range(8))
def test_the_least_squares_are_those_of_another_solver(seed):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(6, 6))
    hessian, force = root @ root.T + 0.1 * np.eye(6), rng.normal(size=6) * 10
    gaps = {(0, 1): 2.0, (1, 2): 1.0, (3, 4): 3.0, (0, 4): 0.5, (2, 5): 1.0}
    found = module._apart(hessian, force, gaps)
    bounds = [{"type": "ineq", "fun": lambda y, a=a, b=b, g=g: y[a] - y[b] - g} for (a, b), g in gaps.items()]
    cost = lambda y: y @ hessian @ y / 2 - force @ y  # noqa: E731
    best = minimize(cost, np.zeros(6), constraints=bounds, method="SLSQP", options={"maxiter": 500})
    assert all(found[a] - found[b] >= gap - 0.05 for (a, b), gap in gaps.items())
    assert cost(found) == pytest.approx(best.fun, rel=1e-3, abs=0.05)


@pytest.mark.parametrize("seed", range(20))
def test_neighbours_keep_their_gaps(seed):
    graph = layout._layered(at_random(seed))
    found = of(graph, graph.layers)
    for (a, b), gap in module._gaps(graph, graph.layers).items():
        assert found.y[a] - found.y[b] > gap - 0.1


def test_long_edges_are_straight():
    graph = layout._layered(sketch(4, [(0, 1), (1, 2), (2, 3), (0, 3), (1, 3)]))
    _, order = layout._ordered(graph, layout.random.Random(0))
    found = of(graph, order)
    assert found.broken == 0
    for chain in graph.chains:
        assert np.ptp(found.y[chain[1:-1]]) == 0


def test_long_edges_that_cross_midway_cannot_both_be_straight():
    graph = layout._layered(sketch(4, [(0, 1), (1, 2), (2, 3), (0, 3), (0, 3)]))
    first, second = graph.chains[-2:]
    order = [list(layer) for layer in graph.layers]
    assert of(graph, order).broken == 0
    layer = next(layer for layer in order if first[3] in layer)
    a, b = layer.index(first[3]), layer.index(second[3])
    layer[a], layer[b] = layer[b], layer[a]
    found = of(graph, order)
    assert found.broken == 1
    assert min(np.ptp(found.y[chain[1:-1]]) for chain in (first, second)) == 0
