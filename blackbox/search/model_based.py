"""Searches that propose cells by a model of those evaluated so far: what they have in common."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from blackbox.search.base import FAILED, Outstanding, Search
from nasbench.runs.settings import option, whole

_NEW, _PROPOSALS = 0, 1  # purposes of the streams


@dataclass(frozen=True)
class ModelBasedConfig:
    """The settings of every search with a model."""

    initial: int = option(10, "cells drawn uniformly before there is a model")

    def __post_init__(self):
        whole("initial", self.initial, 1)


class ModelBasedSearch(Search):
    """The first cells are drawn; then it is the best of a model's proposals that is not evaluated yet.

    A subclass proposes cells of one trial at one step, as a function of its history. Where there is no
    proposal left, a cell is drawn from those not evaluated, and when there are none of these, from all. A
    model that is not fitted anew at every step is fitted at fixed ones, to the history up to there: so a
    search that goes on from a history has the same models.
    """

    config_class = ModelBasedConfig

    def __init__(self, space, config=None, trials=1, seed=0, history=None):
        super().__init__(space, config, trials, seed, history)
        self._evaluated = [set() for _ in self.trials]
        self._seen = 0  # steps of the history that are in `_evaluated`
        self._fitted = [(None, None)] * len(self.trials)  # the steps that it was fitted to, and the fit
        self._outstanding = Outstanding(self.history)

    @abstractmethod
    def propose(self, row, step):
        """The codes proposed to the trial in a row of the history for a step, best first; any iterable.

        It ends where there is nothing more to propose, at once where the model knows too little.
        """

    def ask(self, pending=0):
        return self._outstanding.answer(pending, self._next)

    def generator(self, row, step, purpose=_PROPOSALS):
        """The random generator of a trial for what is drawn at a step."""
        return np.random.default_rng(
            np.random.SeedSequence(self.seed, spawn_key=(self.trials[row], purpose, step))
        )

    def evaluations(self, row, steps=None):
        """Codes and scores of a trial's evaluations that did not fail, of the first so many steps or all."""
        codes, scores = self.history.codes[row, :steps], self.history.scores[row, :steps]
        succeeded = scores > FAILED
        return codes[succeeded], scores[succeeded]

    def fitted(self, row, step, every, fit):
        """What `fit(row, steps)` makes of a trial's first so many steps: anew every so many, then kept.

        The first time after the initial steps, and never after the history's end, which is where evaluations
        are pending.
        """
        initial = self.config.initial
        steps = min(initial + (step - initial) // every * every, len(self.history))
        if self._fitted[row][0] != steps:
            self._fitted[row] = steps, fit(row, steps)
        return self._fitted[row][1]

    def _next(self, step, out):
        self._look_at_history()
        rows = range(len(self.trials))
        return np.array([self._next_of(row, step, {int(codes[row]) for codes in out}) for row in rows])

    def _next_of(self, row, step, out):
        """The next code of the trial in a row of the history, while others are out."""
        taken = self._evaluated[row] | out
        if len(self.history) >= self.config.initial and len(taken) < self.space.size:
            for code in self.propose(row, step):
                if code not in taken:
                    return int(code)
        new = np.setdiff1d(np.arange(self.space.size), list(taken))
        return int(self.generator(row, step, _NEW).choice(new if len(new) else self.space.size))

    def _look_at_history(self):
        """Bring the set of evaluated codes up to date."""
        codes = self.history.codes
        for row, evaluated in enumerate(self._evaluated):
            evaluated.update(codes[row, self._seen :].tolist())
        self._seen = len(self.history)
