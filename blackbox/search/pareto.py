"""Pareto fronts of two objectives: nondominated sorting, crowding distance and hypervolume."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from blackbox.errors import ConfigError
from nasbench.arrays import Mask, Scalar, Scores


def nondominated(scores: ArrayLike) -> Mask:
    """Return which points are on the Pareto front.

    A point is on the front if no other point is at least as good in both objectives and better in one.

    Parameters
    ----------
    scores
        Points, shape ``(..., n, 2)``, higher is better. A point with -inf, such as a failed evaluation, is
        never on the front.

    Returns
    -------
    Mask
        Booleans, shape ``(..., n)``; equal points are either all on the front or all off it.

    Raises
    ------
    ConfigError
        If the points do not have two objectives, or if one is NaN.

    Examples
    --------
    >>> nondominated([[3, 1], [2, 2], [2, 1], [1, 3]]).tolist()
    [True, True, False, True]
    """
    points = _pairs(scores)
    order, ranked = _from_the_best(points)
    # A point is dominated if an earlier one is as good in the second objective; equal points are adjacent.
    second = ranked[..., 1]
    reached = np.full(second.shape, -np.inf)
    reached[..., 1:] = np.maximum.accumulate(second, axis=-1)[..., :-1]
    first = np.where(_equals_the_one_before(ranked), 0, np.arange(second.shape[-1]))
    first = np.maximum.accumulate(first, axis=-1)  # first of the points equal to it
    on_front = np.take_along_axis(second > reached, first, axis=-1) & (ranked > -np.inf).all(axis=-1)
    return _in_place(on_front, order)


def fronts(scores: ArrayLike) -> NDArray[np.intp]:
    """Return the number of the Pareto front that each point is on.

    The first front consists of the nondominated points, the second one of the points that are nondominated
    once the first front is removed, and so on. With two objectives, a sweep from the best value of the first
    objective computes them; it takes one array operation for each of the n points.

    Parameters
    ----------
    scores
        Points, shape ``(..., n, 2)``, as for `nondominated`.

    Returns
    -------
    NDArray[np.intp]
        Numbers from 0, shape ``(..., n)``.

    Raises
    ------
    ConfigError
        If the points do not have two objectives, or if one is NaN.

    References
    ----------
    Deb et al. 2002, doi:10.1109/4235.996017, section III.A (fast nondominated sorting). Jensen 2003,
    doi:10.1109/TEVC.2003.817234 (the sweep).

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
    highest = np.full((n, rows), -np.inf)  # best second objective on each front so far, descending
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
    """Return the crowding distance of each point on its front.

    It is the difference between the two neighbours on the front as a share of the front's extent, summed over
    both objectives. Along a front of two objectives one increases while the other decreases, so both
    objectives have the same neighbours.

    Parameters
    ----------
    scores
        Points, shape ``(..., n, 2)``, as for `nondominated`.
    numbers
        Numbers of the points' fronts, shape ``(..., n)``, from `fronts`.

    Returns
    -------
    NDArray[np.float64]
        Shape ``(..., n)``; inf at both ends of a front.

    Raises
    ------
    ConfigError
        If the points do not have two objectives, or if one is NaN.

    References
    ----------
    Deb et al. 2002, doi:10.1109/4235.996017, section III.B.
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
    with np.errstate(invalid="ignore"):  # because of failed evaluations
        extent = np.abs(_at(ranked, end) - _at(ranked, start))
        gap[..., 1:-1, :] = np.abs(ranked[..., 2:, :] - ranked[..., :-2, :])
        share = np.where(extent > 0, gap, 0) / np.where(extent > 0, extent, 1)
    share[~np.isfinite(share)] = 0
    return _in_place(np.where(starts | ends, np.inf, share.sum(axis=-1)), order)


def hypervolume(scores: ArrayLike, reference: ArrayLike) -> NDArray[np.float64]:
    """Return the hypervolume of points: the area between them and a reference point that they dominate.

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
        If the reference is not two finite numbers, if the points do not have two objectives, or if one is
        NaN.

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
        raise ConfigError(f"reference must be two numbers, got an array of shape {reference.shape}")
    if not np.isfinite(reference).all():
        raise ConfigError(f"reference must be two finite numbers, got {reference.tolist()}")
    _, ranked = _from_the_best(np.maximum(_pairs(scores) - reference, 0))
    height = np.maximum.accumulate(ranked[..., 1], axis=-1)
    width = ranked[..., 0].copy()
    width[..., :-1] -= ranked[..., 1:, 0]
    return np.asarray((width * height).sum(axis=-1))


def _pairs(points: ArrayLike) -> Scores:
    scores = np.asarray(points, dtype=np.float64)
    if scores.ndim < 2 or scores.shape[-1] != 2:
        raise ConfigError(f"scores must be an array of shape (..., n, 2), got shape {scores.shape}")
    if np.isnan(scores).any():
        raise ConfigError("scores must not be NaN; a failed evaluation has the score -inf")
    return scores


def _from_the_best(scores: Scores) -> tuple[NDArray[np.intp], Scores]:
    """Return the order of points by first, then second objective, best first, and the sorted points."""
    order = np.lexsort((-scores[..., 1], -scores[..., 0]), axis=-1)
    return order, np.take_along_axis(scores, order[..., None], axis=-2)


def _in_place(ranked: NDArray[Scalar], order: NDArray[np.intp]) -> NDArray[Scalar]:
    """Return values of sorted points, (..., n), in the original order of the points."""
    values = np.empty_like(ranked)
    np.put_along_axis(values, order, ranked, axis=-1)
    return values


def _equals_the_one_before(ranked: Scores) -> Mask:
    equal = np.zeros(ranked.shape[:-1], dtype=bool)
    equal[..., 1:] = (ranked[..., 1:, :] == ranked[..., :-1, :]).all(axis=-1)
    return equal


def _at(ranked: Scores, places: NDArray[np.intp]) -> Scores:
    return np.take_along_axis(ranked, places[..., None], axis=-2)
