"""Pareto fronts of two objectives: which points are on it, which front each is on, the area they dominate."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from blackbox.errors import ConfigError
from nasbench.arrays import Mask, Scalar, Scores


def nondominated(scores: ArrayLike) -> Mask:
    """Return whether no other point is as good in both objectives and better in one.

    Parameters
    ----------
    scores
        Points, shape ``(..., n, 2)``, higher is better. A point with -inf, such as a failed evaluation, is
        never on the front.

    Returns
    -------
    Mask
        Shape ``(..., n)``; equal points are on the front together.

    Examples
    --------

    >>> nondominated([[3, 1], [2, 2], [2, 1], [1, 3]]).tolist()
    [True, True, False, True]
    """
    points = _pairs(scores)
    order, ranked = _from_the_best(points)
    # A point is dominated if one before it has as much of the second objective; equal points lie together.
    second = ranked[..., 1]
    reached = np.full(second.shape, -np.inf)
    reached[..., 1:] = np.maximum.accumulate(second, axis=-1)[..., :-1]
    first = np.where(_equals_the_one_before(ranked), 0, np.arange(second.shape[-1]))
    first = np.maximum.accumulate(first, axis=-1)  # of the points that it equals
    on_front = np.take_along_axis(second > reached, first, axis=-1) & (ranked > -np.inf).all(axis=-1)
    return _in_place(on_front, order)


def fronts(scores: ArrayLike) -> NDArray[np.intp]:
    """Return the number of the front that each point is on.

    The first front consists of the points that none dominates, the next one of the points that none dominates
    once the first front is removed, and so on, as in the fast non-dominated sorting of Deb et al. 2002
    (doi:10.1109/4235.996017, section III.A). With two objectives a sweep from the best of the first one finds
    them (Jensen 2003, doi:10.1109/TEVC.2003.817234); it takes one step of arrays for each of the n points.

    Parameters
    ----------
    scores
        Points, shape ``(..., n, 2)``, as for `nondominated`.

    Returns
    -------
    NDArray[np.intp]
        From 0, shape ``(..., n)``.

    Examples
    --------

    >>> fronts([[3, 1], [2, 2], [2, 1], [1, 1]]).tolist()
    [0, 0, 1, 2]
    """
    points = _pairs(scores)
    shape = points.shape[:-1]
    order, ranked = _from_the_best(points.reshape(math.prod(shape[:-1]), shape[-1], 2))
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
    return _in_place(numbers.T, order).reshape(shape)


def crowding(scores: ArrayLike, numbers: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return how far apart the neighbours of each point on its front are, the crowding distance.

    It is the sum over both objectives of the difference between the neighbours, as a share of the front's
    extent (Deb et al. 2002, doi:10.1109/4235.996017, section III.B). Along a front of two objectives one
    rises as the other falls, so both give the same neighbours.

    Parameters
    ----------
    scores
        Points, shape ``(..., n, 2)``, as for `nondominated`.
    numbers
        Their fronts, shape ``(..., n)``, from `fronts`.

    Returns
    -------
    NDArray[np.float64]
        Shape ``(..., n)``; inf at the two ends of a front.
    """
    points = _pairs(scores)
    order = np.lexsort((-points[..., 1], -points[..., 0], numbers), axis=-1)
    ranked = np.take_along_axis(points, order[..., None], axis=-2)
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
    return _in_place(np.where(starts | ends, np.inf, share.sum(axis=-1)), order)


def hypervolume(scores: ArrayLike, reference: ArrayLike) -> NDArray[np.float64]:
    """Return the area that points dominate, down to a reference point.

    Parameters
    ----------
    scores
        Points, shape ``(..., n, 2)``, as for `nondominated`. A point that is not better than the reference in
        both objectives adds nothing.
    reference
        Two finite numbers.

    Returns
    -------
    NDArray[np.float64]
        Shape ``(...)``.

    Raises
    ------
    ConfigError
        If the reference is anything else, if points have not two objectives, or if one has NaN.

    References
    ----------
    Zitzler & Thiele 1999, doi:10.1109/4235.797969.

    Examples
    --------

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
    return np.asarray((width * height).sum(axis=-1))


def _pairs(points: ArrayLike) -> Scores:
    scores = np.asarray(points, dtype=np.float64)
    if scores.ndim < 2 or scores.shape[-1] != 2:
        raise ConfigError(f"points have two objectives, an array (..., n, 2); got {scores.shape}")
    if np.isnan(scores).any():
        raise ConfigError("a point has NaN; -inf is for a cell that cannot be scored")
    return scores


def _from_the_best(scores: Scores) -> tuple[NDArray[np.intp], Scores]:
    """Return the order of points by the first, then the second objective, best first; and points in it."""
    order = np.lexsort((-scores[..., 1], -scores[..., 0]), axis=-1)
    return order, np.take_along_axis(scores, order[..., None], axis=-2)


def _in_place(ranked: NDArray[Scalar], order: NDArray[np.intp]) -> NDArray[Scalar]:
    """Return what is known of ranked points, (..., n), in the places that the points had before."""
    values = np.empty_like(ranked)
    np.put_along_axis(values, order, ranked, axis=-1)
    return values


def _equals_the_one_before(ranked: Scores) -> Mask:
    equal = np.zeros(ranked.shape[:-1], dtype=bool)
    equal[..., 1:] = (ranked[..., 1:, :] == ranked[..., :-1, :]).all(axis=-1)
    return equal


def _at(ranked: Scores, places: NDArray[np.intp]) -> Scores:
    return np.take_along_axis(ranked, places[..., None], axis=-2)
