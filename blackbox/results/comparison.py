"""What a comparison found: of each algorithm, of each pair, of all; a dict of plain values."""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from blackbox.compare.study import Trials
from blackbox.errors import ConfigError
from blackbox.kinds.evaluations import feasibility, final_values, optimum_of, over_trials
from blackbox.results.statistics import (
    LEVEL,
    alike,
    average_ranks,
    compare_pair,
    critical_difference,
    friedman,
    holm,
    mean_interval,
    median_interval,
    median_time,
    share_interval,
    time_interval,
)
from blackbox.search.scores import FAILED

THRESHOLDS = (1.0, 0.5, 0.1)  # regrets in percentage points, the way to which is reported
_EVALUATIONS, _SECONDS, _CODES = 0, 1, 2  # of what `Trials.changes` has


class Entry(NamedTuple):
    """One of the algorithms that are compared."""

    label: str
    algorithm: str  # its name in reports
    settings: dict  # its own
    seed: int
    by_jobs: bool  # a multi-fidelity search
    trials: Trials
    folder: str | None = None  # of its run


def regrets_at_end(entry, targets):
    """The regret of the incumbent that each trial ended with, (T,); NaN where there is none."""
    ends = [codes[-1] if len(codes) else -1 for _, _, codes in entry.trials.changes]
    return np.where(np.array(ends) < 0, np.nan, targets.max() - targets[ends])


def worst_for_none(regret, targets):
    """Regrets for tests and ranks: a trial without an incumbent (NaN) has the worst of a feasible cell."""
    return np.where(np.isnan(regret), targets.max() - targets[targets > FAILED].min(), regret)


def times_to(entry, targets, regret, axis):
    """When each trial's incumbent first had at most this regret, (T,); infinite where it never had.

    Evaluations or simulated seconds, by the axis 0 or 1.
    """
    times = []
    for changes in entry.trials.changes:
        good = targets.max() - targets[changes[_CODES]] <= regret
        times.append(changes[axis][good.argmax()] if good.any() else np.inf)
    return np.array(times, dtype=np.float64)


def regret_curve(entry, targets, axis, x):
    """The regret of the trials' incumbents at points x (n,) of an axis, float64 (T, n).

    `x` begins where all trials that are looked at have an incumbent; those that never have one are left out.
    """
    rows = []
    for changes in entry.trials.changes:
        if len(changes[_CODES]):
            last = np.searchsorted(changes[axis], x, side="right") - 1
            rows.append(targets.max() - targets[changes[_CODES][last]])
    return np.array(rows)


def findings(entries, objective, bench, settings):
    """The findings on Entries of the same trials; `objective`: the TableObjective, `settings`: the RunConfig.

    What makes no sense of one trial, or of one algorithm, is None.
    """
    targets = objective.targets
    ends = np.array([regrets_at_end(entry, targets) for entry in entries])  # (A, T)
    for entry in entries:
        if not entry.trials.evaluations.any():
            raise ConfigError(
                f"a budget of {settings.budget:g} s ends before the first evaluation of any trial of"
                f" {entry.label}; raise it with --budget"
            )
    ends_or_worst = worst_for_none(ends, targets)
    several = len(entries) > 1 and ends.shape[1] > 1
    return {
        "algorithms": [
            _of_algorithm(entry, of, objective, bench, settings)
            for entry, of in zip(entries, ends, strict=True)
        ],
        **feasibility(objective, int(np.isnan(ends).sum())),
        "optimum": optimum_of(bench, objective),
        "pairs": _pairs(entries, ends_or_worst) if several else None,
        "ranks": _ranks(entries, ends_or_worst) if several else None,
    }


def _of_algorithm(entry, ends, objective, bench, settings):
    targets, trials = objective.targets, entry.trials
    found = ends[~np.isnan(ends)]
    codes = np.array([codes[-1] for _, _, codes in trials.changes if len(codes)], dtype=np.intp)
    at_optimum = int((found == 0).sum())
    timed = entry.by_jobs or objective.has_cost
    interval = None if len(ends) == 1 else _bounds(share_interval(at_optimum, len(ends)))
    return {
        "label": entry.label,
        "algorithm": entry.algorithm,
        "settings": entry.settings,
        "seed": entry.seed,
        "folder": entry.folder,
        "evaluations": None if entry.by_jobs else float(trials.evaluations.mean()),
        "jobs": float(trials.evaluations.mean()) if entry.by_jobs else None,
        "simulated_seconds": float(trials.seconds.mean()) if timed else None,
        "trials_without_evaluation": len(ends) - len(found),
        "regret": over_trials(found)
        | {
            "mean_interval": _bounds(mean_interval(found)) if len(found) > 1 else None,
            "median_interval": _bounds(median_interval(found)) if len(found) > 1 else None,
        },
        "at_optimum": {"trials": at_optimum, "share": at_optimum / len(ends), "interval": interval},
        "reached": _reached(entry, targets, settings) if objective.target.unit == "%" else None,
        "report": final_values(codes, bench, objective),
    }


def _reached(entry, targets, settings):
    """The way to each threshold, by evaluations and, with a budget, by simulated time."""
    return [
        {
            "regret": threshold,
            "evaluations": None if entry.by_jobs else way_to(entry, targets, threshold, _EVALUATIONS),
            "seconds": None if settings.budget is None else way_to(entry, targets, threshold, _SECONDS),
        }
        for threshold in THRESHOLDS
    ]


def way_to(entry, targets, regret, axis):
    """When trials had at most this regret, by the axis 0 or 1: median, its interval, the share that came.

    Plain values for JSON: None for what lies beyond the end of trials.
    """
    times, ends = times_to(entry, targets, regret, axis), entry.trials.ends(axis)
    interval = time_interval(times, ends) if len(times) > 1 else None
    median = median_time(times, ends)
    return {
        "median": None if np.isinf(median) else median,
        "interval": _bounds(interval),
        "share": float(np.isfinite(times).mean()),
    }


def _bounds(interval):
    """An interval as a list; None for a bound that is not known."""
    if interval is None:
        return None
    return [float(bound) if np.isfinite(bound) else None for bound in interval]


def tested(ends, pairs):
    """What the tests say of pairs (first, second), a dict of plain values each.

    `ends`: the regrets (T,) at the end of each algorithm's trials, by its place in the pairs.
    """
    found = [compare_pair(ends[first], ends[second]) for first, second in pairs]
    adjusted = holm([pair.p for pair in found]).tolist()
    return [pair._asdict() | {"p_holm": p} for pair, p in zip(found, adjusted, strict=True)]


def _pairs(entries, ends):
    pairs = list(combinations(range(len(entries)), 2))
    return [
        {"first": entries[first].label, "second": entries[second].label, **found}
        for (first, second), found in zip(pairs, tested(ends, pairs), strict=True)
    ]


def _ranks(entries, ends):
    ranks = average_ranks(ends)
    difference = critical_difference(*ends.shape)
    statistic, p = friedman(ends) if len(ends) > 2 else (None, None)
    return {
        "average": {entry.label: float(rank) for entry, rank in zip(entries, ranks, strict=True)},
        "friedman": None if p is None else {"statistic": statistic, "p": p},
        "confidence": LEVEL,
        "critical_difference": difference,
        "alike": [[entries[n].label for n in group] for group in alike(ranks, difference)],
    }
