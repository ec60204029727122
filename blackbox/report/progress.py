"""How the regret of a run goes down: over its trials, against evaluations or simulated time."""

import numpy as np

from blackbox.jobs import JobHistory

EVALUATIONS, SECONDS = 0, 1  # the axes, as `Run.anytime` orders them
_POINTS = 120  # of a curve, evenly apart on a logarithmic axis; and as many on a linear one


def compares_by(run):
    """The axes that the incumbents of a run can be compared against: a tuple of EVALUATIONS and SECONDS.

    Jobs are not evaluations: they train for different numbers of epochs. A table may have no times.
    """
    by_jobs = isinstance(run.history, JobHistory)
    timed = by_jobs or bool(run.history.costs.any())
    return (() if by_jobs else (EVALUATIONS,)) + ((SECONDS,) if timed else ())


def totals(run):
    """What each trial took in all, within its budget: evaluations or jobs, and simulated seconds; (2, T)."""
    budget = run.settings.budget
    if isinstance(run.history, JobHistory):
        rows = [run.history.of(trial) for trial in run.trials]
        return np.array(
            [[len(of) for of in rows], [of["end"].max() if len(of) else 0.0 for of in rows]], dtype=float
        )
    counted = run.history.counted(budget)
    spent = np.pad(run.history.costs.cumsum(axis=1), ((0, 0), (1, 0)))
    return np.stack([counted, spent[np.arange(len(counted)), counted]])


def curve(run, targets, axis):
    """Regret over the trials of a run, {"x": list, "median": list, ...}; None where there is no such axis.

    `targets` (N,): what counts of each code, higher is better. The curve begins where every trial has an
    incumbent, and ends with the budget, or where the first trial ends. Trials without an incumbent are left
    out.
    """
    changes = [(steps[axis], steps[2]) for steps in run.anytime() if len(steps[2])]
    if axis not in compares_by(run) or not changes:
        return None
    first = max(times[0] for times, _ in changes)
    last = (
        totals(run)[axis].min() if run.settings.budget is None or axis == EVALUATIONS else run.settings.budget
    )
    x = _points(first, max(first, last), whole=axis == EVALUATIONS)
    regret = np.array([_at(x, times, targets.max() - targets[codes]) for times, codes in changes])
    low, median, high = np.percentile(regret, (25, 50, 75), axis=0)
    return {
        "x": short(x),
        "median": short(median),
        "quarter": short(low),
        "threeQuarters": short(high),
        "mean": short(regret.mean(axis=0)),
        "std": short(deviation(regret)),
    }


def reached(run, targets, regret, axis):
    """When the incumbent of each trial first had at most this regret, (T,); infinite where it never had."""
    found = np.full(len(run.trials), np.inf)
    for trial, steps in enumerate(run.anytime()):
        good = np.flatnonzero(targets.max() - targets[steps[2]] <= regret)
        if good.size:
            found[trial] = steps[axis][good[0]]
    return found


def deviation(values):
    """The standard deviation over the first axis, n - 1; 0 for one alone."""
    return values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1:])


def short(values):
    """Numbers as a list, to six significant digits."""
    return [float(f"{value:.6g}") for value in np.asarray(values).tolist()]


def _points(first, last, whole):
    """Where curves are drawn from: close together for a linear and for a logarithmic axis."""
    x = np.concatenate([np.geomspace(first, last, _POINTS), np.linspace(first, last, _POINTS)])
    return np.unique(np.rint(x) if whole else x)


def _at(x, times, values):
    """The value that holds at each of x, of values that came at times, (n,)."""
    return values[np.searchsorted(times, x, side="right") - 1]
