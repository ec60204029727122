"""Pareto fronts: that of the table, and those that searches with two objectives found."""

import numpy as np

from blackbox.kinds.evaluations import over_trials
from blackbox.kinds.fronts import front_masks, shares
from blackbox.search.pareto import nondominated
from blackbox.table.signal import Signal


def front(targets, against, column):
    """The codes of the Pareto front of a table, by the value of a second metric, ascending.

    `targets` (N,): higher is better; `column` (N,): the metric `against`, NaN where it is not known.
    """
    other = column if Signal.parse(against).higher_is_better else -column
    scores = np.stack([targets, np.where(np.isnan(other), -np.inf, other)], axis=-1)
    return in_order(np.flatnonzero(nondominated(scores)), column)


def in_order(codes, column):
    """Codes by their values in a column, a list."""
    return codes[np.argsort(column[codes], kind="stable")].tolist()


class Fronts:
    """The fronts of a run's trials, by the scores that they saw, and what they are worth by the table.

    `run`: of `blackbox.kinds.reader`, with two objectives. `codes`: of each trial's front, a list of arrays
    without repetitions; `worth`: the hypervolume as a share of the true front's, (T,).
    """

    def __init__(self, run, bench):
        history, objective = run.history, run.settings.objective(bench)
        masks = front_masks(history.scores, history.counted(run.settings.budget))
        self.codes = [np.unique(codes[mask]) for codes, mask in zip(history.codes, masks, strict=True)]
        self.true = np.flatnonzero(nondominated(objective.targets))
        self.worth = shares(history.codes, masks, objective)

    @property
    def typical(self):
        """The row of the trial whose front is worth next to the median; the first of equals."""
        return int(np.abs(self.worth - np.median(self.worth)).argmin())

    def summary(self):
        """What the table of fronts says of the run, plain numbers over its trials."""
        met = np.array([np.isin(self.true, codes).sum() for codes in self.codes])
        return {
            "worth": over_trials(100 * self.worth),
            "cells": over_trials(np.array([len(codes) for codes in self.codes])),
            "true": len(self.true),
            "met": over_trials(met),
        }
