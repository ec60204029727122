"""Trajectories of incumbents over evaluations and simulated time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from blackbox.search.history import History
from blackbox.search.scores import FAILED
from nasbench.arrays import Codes, Scores, Seconds

if TYPE_CHECKING:
    from blackbox.search.jobs import JobHistory  # loaded by few searches only


class Axis(IntEnum):
    """An axis of trajectories; the values are indices into `Changes`."""

    EVALUATIONS = 0
    SECONDS = 1


class Changes(NamedTuple):
    """The changes of a trial's incumbent, arrays (changes,)."""

    evaluations: NDArray[np.intp]  #: numbers of completed evaluations or jobs, the new incumbent's included
    seconds: Seconds  #: simulated times
    codes: Codes  #: codes of the new incumbents


@dataclass(frozen=True)
class Trajectories:
    """The trajectories of T trials: changes of incumbents, evaluations and time."""

    #: Changes of each trial's incumbent.
    changes: list[Changes]
    #: Number of evaluations or jobs of each trial, (T,).
    evaluations: NDArray[np.intp]
    #: Simulated seconds that each trial took, (T,).
    seconds: Seconds
    #: Seconds up to which the incumbents are known, (T,): the budget, or the time that the trial took.
    until: Seconds

    @classmethod
    def of_evaluations(cls, history: History, budget: float | None = None) -> Trajectories:
        """Return the trajectories of a History up to the budget."""
        counted = history.counted(budget)
        spent = np.pad(history.costs.cumsum(axis=1), ((0, 0), (1, 0)))[np.arange(history.trials), counted]
        until = spent if budget is None else np.where(counted < len(history), budget, spent)
        return cls(find_changes(history, budget), counted, spent, until)

    @classmethod
    def of_jobs(cls, history: JobHistory, budget: float | None = None) -> Trajectories:
        """Return the trajectories of a JobHistory."""
        rows = [history.trial_jobs(trial) for trial in history.trials]
        ends = np.array([each["end"].max() if len(each) else 0.0 for each in rows], dtype=np.float64)
        until = ends if budget is None else np.full(len(rows), budget)
        changes = [Changes(*history.anytime(trial)) for trial in history.trials]
        return cls(changes, np.array(list(map(len, rows)), dtype=np.intp), ends, until)

    @classmethod
    def joined(cls, parts: Sequence[Trajectories]) -> Trajectories:
        """Return the trajectories of several parts in their order."""
        columns = zip(*((part.evaluations, part.seconds, part.until) for part in parts), strict=True)
        return cls(list(chain.from_iterable(part.changes for part in parts)), *map(np.concatenate, columns))

    def ends(self, axis: Axis) -> NDArray[np.intp] | Seconds:
        """Return the point on an axis up to which each trial is known, (T,)."""
        return self.evaluations if axis == Axis.EVALUATIONS else self.until

    @property
    def end_codes(self) -> Codes:
        """The code of each trial's final incumbent, (T,); -1 if it has none."""
        return np.array([change.codes[-1] if len(change.codes) else -1 for change in self.changes])

    @property
    def last_codes(self) -> Codes:
        """The codes of the final incumbents, only of the trials that have one."""
        return self.end_codes[self.end_codes >= 0]

    def final_regrets(self, targets: Scores) -> Scores:
        """Return the regret of each trial's final incumbent, (T,); NaN if it has none.

        `targets` (N,) is the metric of each code as a score, higher is better.
        """
        return np.where(self.end_codes < 0, np.nan, targets.max() - targets[self.end_codes])

    def begin(self, axis: Axis) -> float | None:
        """Return the point on an axis from which all trials have an incumbent, except those without any.

        None if no trial has one.
        """
        firsts = [float(change[axis][0]) for change in self.changes if len(change.codes)]
        return max(firsts, default=None)

    def times_to(self, regret: float, targets: Scores, axis: Axis) -> NDArray[np.float64]:
        """Return when each trial's incumbent first had at most this regret, (T,); infinite if never."""
        times = []
        for change in self.changes:
            good = targets.max() - targets[change.codes] <= regret
            times.append(change[axis][good.argmax()] if good.any() else np.inf)
        return np.array(times, dtype=np.float64)

    def regret_curve(self, targets: Scores, axis: Axis, x: NDArray[np.float64]) -> Scores:
        """Return the regret of the incumbents at points x (n,) on an axis, (T, n); NaN if there is none."""
        regret = np.full((len(self.changes), len(x)), np.nan)
        for row, change in zip(regret, self.changes, strict=True):
            last = np.searchsorted(change[axis], x, side="right") - 1
            row[last >= 0] = targets.max() - targets[change.codes[last[last >= 0]]]
        return regret


def find_changes(history: History, budget: float | None = None) -> list[Changes]:
    """Return the changes of each trial's incumbent in a History within the budget.

    A trial without successful evaluations has no changes. Raise ConfigError if there are several objectives,
    which have no incumbent.
    """
    if not len(history):
        nothing = np.empty(0, dtype=np.intp)
        return [Changes(nothing, nothing.astype(np.float64), nothing)] * history.trials
    steps = history.incumbent_steps(budget)
    rows = np.arange(history.trials)[:, None]
    codes = history.codes[rows, steps]
    codes[(steps < 0) | (history.scores[rows, steps] == FAILED)] = -1
    changed = np.diff(codes, prepend=-1, axis=1) != 0
    seconds = history.costs.cumsum(axis=1)
    return [
        Changes(np.flatnonzero(when) + 1, spent[when], found[when])
        for when, spent, found in zip(changed, seconds, codes, strict=True)
    ]
