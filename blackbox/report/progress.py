"""How the regret of a run goes down: over its trials, against evaluations or simulated time."""

import numpy as np

from blackbox.results.comparison import regret_curve
from blackbox.results.statistics import mean_interval

EVALUATIONS, SECONDS = 0, 1  # the axes, as `Run.anytime` orders them
_POINTS = 120  # of a curve, evenly apart on a logarithmic axis; and as many on a linear one


def axes_of(entry):
    """What the trials of an Entry of `blackbox.results.comparison` can be compared against: a tuple of axes.

    Jobs are not evaluations: they train for different numbers of epochs. A table may have no times.
    """
    evaluations = () if entry.by_jobs else (EVALUATIONS,)
    return (*evaluations, SECONDS) if entry.trials.seconds.any() else evaluations


def curve(entry, targets, axis, budget=None):
    """Regret over the trials of an Entry, {"x": list, "median": list, ...}; None where there is no such axis.

    `targets` (N,): what counts of each code, higher is better. The curve begins where every trial has an
    incumbent, and ends with the budget, or where the first trial ends. Trials that never have an incumbent
    are left out. `low` and `high` bound the mean, by bootstrap at 95 %.
    """
    firsts = [changes[axis][0] for changes in entry.trials.changes if len(changes[axis])]
    if axis not in axes_of(entry) or not firsts:
        return None
    ends = entry.trials.seconds if axis == SECONDS else entry.trials.evaluations
    last = ends.min() if budget is None or axis == EVALUATIONS else budget
    x = _points(max(firsts), max(*firsts, last), whole=axis == EVALUATIONS)
    regret = regret_curve(entry, targets, axis, x)
    quarter, median, three_quarters = np.percentile(regret, (25, 50, 75), axis=0)
    mean = regret.mean(axis=0)
    low, high = mean_interval(regret) if len(regret) > 1 else (mean, mean)
    columns = {
        "x": x,
        "median": median,
        "quarter": quarter,
        "threeQuarters": three_quarters,
        "mean": mean,
        "low": low,
        "high": high,
    }
    return {name: short(column) for name, column in columns.items()}


def short(values):
    """Numbers as a list, to six significant digits."""
    return [float(f"{value:.6g}") for value in np.asarray(values).tolist()]


def _points(first, last, whole):
    """Where curves are drawn from: close together for a linear and for a logarithmic axis."""
    x = np.concatenate([np.geomspace(first, last, _POINTS), np.linspace(first, last, _POINTS)])
    return np.unique(np.rint(x) if whole else x)
