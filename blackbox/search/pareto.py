"""Pareto fronts of two objectives: which points are on it, which front each is on, the area they dominate."""

import math

import numpy as np

from blackbox.errors import ConfigError


def nondominated(scores):
    """Whether no other point is as good in both objectives and better in one: bool (..., n).

    Scores (..., n, 2), higher is better; equal points are on the front together. A point with -inf, such as
    a failed evaluation, is never on it.

    >>> nondominated([[3, 1], [2, 2], [2, 1], [1, 3]]).tolist()
    [True, True, False, True]
    """
    scores = _pairs(scores)
    order, ranked = _from_the_best(scores)
    # A point is dominated if one before it has as much of the second objective; equal points lie together.
    second = ranked[..., 1]
    reached = np.full(second.shape, -np.inf)
    reached[..., 1:] = np.maximum.accumulate(second, axis=-1)[..., :-1]
    first = np.where(_equals_the_one_before(ranked), 0, np.arange(second.shape[-1]))
    first = np.maximum.accumulate(first, axis=-1)  # of the points that it equals
    on_front = np.take_along_axis(second > reached, first, axis=-1) & (ranked > -np.inf).all(axis=-1)
    mask = np.empty_like(on_front)
    np.put_along_axis(mask, order, on_front, axis=-1)
    return mask


def fronts(scores):
    """The number of the front that each point is on, from 0: intp (..., n); scores as for `nondominated`.

    The first front is that of the points which none dominates, the next one that of the points which then
    none of the others dominates, and so on, as in the fast non-dominated sorting of Deb et al. 2002
    (doi:10.1109/4235.996017, section III.A). With two objectives a sweep from the best of the first one finds
    them (Jensen 2003, doi:10.1109/TEVC.2003.817234); it takes one step of arrays for each of the n points.

    >>> fronts([[3, 1], [2, 2], [2, 1], [1, 1]]).tolist()
    [0, 0, 1, 2]
    """
    scores = _pairs(scores)
    shape = scores.shape[:-1]
    order, ranked = _from_the_best(scores.reshape(math.prod(shape[:-1]), shape[-1], 2))
    equal = _equals_the_one_before(ranked)
    rows, n = equal.shape
    highest = np.full((n, rows), -np.inf)  # second objective on each front so far; it falls with the front
    numbers = np.zeros((n, rows), dtype=np.intp)
    columns, used = np.arange(rows), 0
    for place in range(n):
        second = ranked[:, place, 1]
        number = (highest[:used] >= second).sum(axis=0)
        if place:
            number = np.where(equal[:, place], numbers[place - 1], number)
        numbers[place] = number
        highest[number, columns] = second
        used = max(used, int(number.max(initial=-1)) + 1)
    found = np.empty_like(order)
    np.put_along_axis(found, order, numbers.T, axis=-1)
    return found.reshape(shape)


def crowding(scores, numbers):
    """How far apart the neighbours of each point on its front are: float64 (..., n), inf at its two ends.

    `numbers`: what `fronts` gives. The sum over both objectives of the difference between the neighbours,
    as a share of the front's extent (Deb et al. 2002, doi:10.1109/4235.996017, section III.B). Along a front
    of two objectives one rises as the other falls, so both give the same neighbours.
    """
    scores = _pairs(scores)
    order = np.lexsort((-scores[..., 1], -scores[..., 0], numbers), axis=-1)
    ranked = np.take_along_axis(scores, order[..., None], axis=-2)
    number = np.take_along_axis(numbers, order, axis=-1)
    n = number.shape[-1]
    starts = np.ones(number.shape, dtype=bool)
    starts[..., 1:] = number[..., 1:] != number[..., :-1]
    ends = np.ones(number.shape, dtype=bool)
    ends[..., :-1] = starts[..., 1:]
    start = np.maximum.accumulate(np.where(starts, np.arange(n), 0), axis=-1)
    end = np.minimum.accumulate(np.where(ends, np.arange(n), n)[..., ::-1], axis=-1)[..., ::-1]
    gap = np.zeros_like(ranked)
    with np.errstate(invalid="ignore"):  # of failed evaluations
        extent = np.abs(_at(ranked, end) - _at(ranked, start))
        gap[..., 1:-1, :] = np.abs(ranked[..., 2:, :] - ranked[..., :-2, :])
        share = np.where(extent > 0, gap, 0) / np.where(extent > 0, extent, 1)
    share[~np.isfinite(share)] = 0
    distance = np.where(starts | ends, np.inf, share.sum(axis=-1))
    found = np.empty_like(distance)
    np.put_along_axis(found, order, distance, axis=-1)
    return found


def hypervolume(scores, reference):
    """The area that points dominate, as far as a reference point (2,): float64 (...).

    Scores (..., n, 2), higher is better; a point that is not better than the reference in both objectives
    adds nothing (Zitzler & Thiele 1999, doi:10.1109/4235.797969).

    >>> float(hypervolume([[3, 1], [1, 2]], reference=[0, 0]))
    4.0
    """
    reference = np.asarray(reference, dtype=np.float64)
    if reference.shape != (2,):
        raise ConfigError(f"a reference point has two objectives, got an array {reference.shape}")
    if not np.isfinite(reference).all():
        raise ConfigError(f"a reference point is of two finite numbers, got {reference.tolist()}")
    _, ranked = _from_the_best(np.maximum(_pairs(scores) - reference, 0))
    height = np.maximum.accumulate(ranked[..., 1], axis=-1)
    width = ranked[..., 0].copy()
    width[..., :-1] -= ranked[..., 1:, 0]
    return (width * height).sum(axis=-1)


def _pairs(scores):
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim < 2 or scores.shape[-1] != 2:
        raise ConfigError(f"points have two objectives, an array (..., n, 2); got {scores.shape}")
    if np.isnan(scores).any():
        raise ConfigError("a point has NaN; -inf is for a cell that cannot be scored")
    return scores


def _from_the_best(scores):
    """The order of points by the first objective, then the second, best first; and the points in it."""
    order = np.lexsort((-scores[..., 1], -scores[..., 0]), axis=-1)
    return order, np.take_along_axis(scores, order[..., None], axis=-2)


def _equals_the_one_before(ranked):
    equal = np.zeros(ranked.shape[:-1], dtype=bool)
    equal[..., 1:] = (ranked[..., 1:, :] == ranked[..., :-1, :]).all(axis=-1)
    return equal


def _at(ranked, places):
    return np.take_along_axis(ranked, places[..., None], axis=-2)
