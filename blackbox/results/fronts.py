"""The Pareto fronts of trials: their cells and hypervolumes."""

import numpy as np
from numpy.typing import NDArray

from blackbox.search.pareto import hypervolume, nondominated
from blackbox.table.objective import PairObjective
from blackbox.table.signal import Signal
from nasbench.arrays import Codes, Mask, Scores


def front_masks(scores: Scores, counted: Codes) -> Mask:
    """Return which evaluations are on the Pareto front of their trial, bool (T, n), by the observed scores.

    Scores are (T, n, 2); only the first `counted` (T,) evaluations of each trial count.
    """
    counts = np.arange(scores.shape[1]) < counted[:, None]
    return nondominated(np.where(counts[..., None], scores, -np.inf))


def true_front(objective: PairObjective) -> Codes:
    """Return the codes of the table's Pareto front, (F,)."""
    return np.flatnonzero(nondominated(objective.targets))


def front_against(targets: Scores, against: str, column: NDArray[np.float64]) -> list[int]:
    """Return the codes of a table's Pareto front, sorted by the second metric, ascending.

    `targets` (N,) are scores, higher is better; `column` (N,) is the metric `against`, NaN if not recorded.
    """
    other = column if Signal.parse(against).higher_is_better else -column
    scores = np.stack([targets, np.where(np.isnan(other), -np.inf, other)], axis=-1)
    return in_order(np.flatnonzero(nondominated(scores)), column)


def in_order(codes: Codes, column: NDArray[np.float64]) -> list[int]:
    """Return codes sorted by their values in a column."""
    ordered: list[int] = codes[np.argsort(column[codes], kind="stable")].tolist()
    return ordered


def find_worst(objective: PairObjective) -> Scores:
    """Return the worst score of the feasible cells in each of two objectives, (2,)."""
    worst: Scores = objective.targets[objective.feasible].min(axis=0)
    return worst


def volumes(codes: Codes, masks: Mask, objective: PairObjective) -> Scores:
    """Return the hypervolume of each trial's front, (T,): the codes (T, n) whose mask (T, n) is true.

    It uses the metrics, means over seeds; the reference is the worst value of the feasible cells in each.
    """
    points = np.where(masks[..., None], objective.targets[codes], -np.inf)
    return hypervolume(points, find_worst(objective))


def true_volume(objective: PairObjective) -> float:
    """Return the hypervolume of the table's Pareto front."""
    true = true_front(objective)[None]
    return float(volumes(true, np.ones(true.shape, dtype=bool), objective)[0])


def shares(codes: Codes, masks: Mask, objective: PairObjective) -> Scores:
    """Return the hypervolume of fronts as a share of the true front's, (T,); arguments as for `volumes`.

    A true front of one cell dominates no area; then the share is 1 for fronts with a cell, else 0.
    """
    whole = true_volume(objective)
    if whole == 0:
        return np.asarray(masks.any(axis=1), dtype=np.float64)
    relative: Scores = np.asarray(volumes(codes, masks, objective) / whole)
    return relative


def cells_met(codes: Codes, masks: Mask, objective: PairObjective) -> Codes:
    """Return how many cells of the true front are on each trial's front, (T,); arguments as for `volumes`."""
    trial, step = np.nonzero(masks & np.isin(codes, true_front(objective)))
    met = np.unique(np.stack([trial, codes[trial, step]]), axis=1)  # each cell once
    return np.bincount(met[0], minlength=len(codes))
