import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from blackbox.errors import ConfigError
from blackbox.search.pareto import crowding, fronts, hypervolume, nondominated
from blackbox.table.objective import TableObjective

FINITE = st.integers(-3, 3).map(float)
POINTS = arrays(float, st.tuples(st.integers(0, 12), st.just(2)), elements=FINITE)
WITH_FAILURES = arrays(
    float, st.tuples(st.integers(1, 12), st.just(2)), elements=st.one_of(FINITE, st.just(-np.inf))
)


def dominates(a, b):
    return all(a >= b) and any(a > b)


def layers(points):
    """Front after front by the definition: what none of those that are left dominates."""
    numbers, left, number = [None] * len(points), set(range(len(points))), 0
    while left:
        layer = {i for i in left if not any(dominates(points[j], points[i]) for j in left)}
        for i in layer:
            numbers[i] = number
        left -= layer
        number += 1
    return numbers


def crowding_of(front):
    """The crowding distances of one front, points (n, 2), as in section III.B of Deb et al. 2002."""
    order = sorted(range(len(front)), key=lambda i: (-front[i][0], -front[i][1]))
    distance = [0.0] * len(front)
    for axis in (0, 1):
        span = abs(front[order[-1]][axis] - front[order[0]][axis])
        for before, here, after in zip(order, order[1:], order[2:], strict=False):
            if span > 0:
                distance[here] += abs(front[after][axis] - front[before][axis]) / span
    distance[order[0]] = distance[order[-1]] = np.inf
    return distance


@given(POINTS)
def test_the_front_and_those_behind_it_equal_the_definition(points):
    numbers = layers(points)
    assert fronts(points).tolist() == numbers
    assert nondominated(points).tolist() == [number == 0 for number in numbers]


@given(WITH_FAILURES)
def test_failed_evaluations_are_behind_all_others_and_never_on_the_front(points):
    points[(points == -np.inf).any(axis=1)] = -np.inf  # failed in both
    numbers = layers(points)
    assert fronts(points).tolist() == numbers
    finite = np.isfinite(points[:, 0])
    assert nondominated(points).tolist() == [n == 0 and ok for n, ok in zip(numbers, finite, strict=True)]
    assert np.isfinite(hypervolume(points, [-5, -5]))
    assert (crowding(points, fronts(points)) >= 0).all()


@given(WITH_FAILURES)
def test_what_failed_in_one_objective_only_is_no_trouble(points):
    numbers = fronts(points)
    assert numbers.tolist() == layers(points)
    assert (crowding(points, numbers) >= 0).all()
    assert not nondominated(points)[(points == -np.inf).any(axis=1)].any()


@given(POINTS)
def test_the_crowding_distance_equals_the_definition(points):
    numbers = fronts(points)
    found = crowding(points, numbers)
    for number in set(numbers.tolist()):
        rows = np.flatnonzero(numbers == number)
        np.testing.assert_allclose(found[rows], crowding_of(points[rows]))


@given(POINTS, st.tuples(FINITE, FINITE))
def test_the_hypervolume_equals_a_count_of_unit_squares(points, reference):
    squares = {
        (x, y)
        for right, top in points.astype(int).tolist()
        for x in range(int(reference[0]), right)
        for y in range(int(reference[1]), top)
    }
    assert hypervolume(points, reference) == len(squares)


def test_many_trials_at_once_are_as_each_alone():
    rng = np.random.default_rng(0)
    points = rng.integers(6, size=(3, 4, 30, 2)).astype(float)
    numbers = fronts(points)
    distances, volumes = crowding(points, numbers), hypervolume(points, (1, 2))
    mask = nondominated(points)
    assert (numbers.shape, distances.shape, volumes.shape) == ((3, 4, 30), (3, 4, 30), (3, 4))
    for place in np.ndindex(3, 4):
        np.testing.assert_array_equal(numbers[place], fronts(points[place]))
        np.testing.assert_array_equal(mask[place], nondominated(points[place]))
        np.testing.assert_array_equal(distances[place], crowding(points[place], numbers[place]))
        assert volumes[place] == hypervolume(points[place], (1, 2))


def test_scores_are_not_written_to():
    points = np.random.default_rng(0).random((5, 2))
    before = points.copy()
    fronts(points), nondominated(points), hypervolume(points, (0, 0)), crowding(points, fronts(points))
    np.testing.assert_array_equal(points, before)


@pytest.mark.parametrize("against", ["params", "flops", "latency"])
def test_the_true_front_of_the_table_is_that_of_all_comparisons(bench, against):
    """None of the 15,625 cells dominates one on the front, and each other one is dominated by one on it."""
    scores = np.stack(
        [TableObjective(bench, "cifar10", metric).targets for metric in ("val_accuracy", against)], axis=-1
    )
    found = nondominated(scores)
    first, second = scores.T
    dominated = np.zeros(len(scores), dtype=bool)
    for a, b in scores[found]:
        assert not ((first >= a) & (second >= b) & ((first > a) | (second > b))).any()
        dominated |= (first <= a) & (second <= b) & ((first < a) | (second < b))
    np.testing.assert_array_equal(found, ~dominated)
    np.testing.assert_array_equal(fronts(scores) == 0, found)
    assert found.sum() == {"params": 13, "flops": 13, "latency": 25}[against]
    x, y = scores[found].T  # the area below the stairs, as rectangles side by side
    order = x.argsort()
    worst = scores.min(axis=0)
    widths = np.diff(np.append(worst[0], x[order]))
    assert hypervolume(scores, worst) == pytest.approx((widths * (y[order] - worst[1])).sum(), rel=1e-12)


def test_points_of_another_shape_and_unknown_numbers_are_errors():
    for points in ([1.0, 2.0], [[1.0]], [[1.0, 2.0, 3.0]], 5.0):
        for function in (fronts, nondominated):
            with pytest.raises(ConfigError, match=r"scores must be an array of shape \(\.\.\., n, 2\)"):
                function(points)
    with pytest.raises(ConfigError, match="scores must not be NaN; a failed evaluation has the score -inf"):
        fronts([[1.0, np.nan]])
    for reference in (0.0, [0, 0, 0], [[0, 0]]):
        with pytest.raises(ConfigError, match=r"reference must be two numbers, got an array of shape \("):
            hypervolume([[1.0, 2.0]], reference)
    for reference in ([np.nan, 0], [0, -np.inf]):
        with pytest.raises(ConfigError, match=r"reference must be two finite numbers, got \["):
            hypervolume([[1.0, 2.0]], reference)
