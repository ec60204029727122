"""Searches that propose cells by a model of those evaluated so far: what they have in common."""

from __future__ import annotations  # numpy.random is loaded when it is used

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

import numpy as np

from blackbox.search.base import Search
from blackbox.search.pending import PendingEvaluations
from blackbox.search.scores import FAILED
from nasbench.arrays import Codes, Scores
from nasbench.runs.settings import Settings, option

_NEW, _PROPOSALS = 0, 1  # purposes of the streams


@dataclass(frozen=True)
class ModelBasedConfig(Settings):
    """The settings of every search with a model."""

    initial: int = option(10, "cells drawn uniformly before there is a model", at_least=1)


M = TypeVar("M", bound=ModelBasedConfig)  # settings
F = TypeVar("F")  # what a fit returns


class ModelBasedSearch(Search[M], Generic[M, F]):
    """A search whose first cells are drawn; each later one is the best new proposal of a model.

    A subclass implements `propose`: cells of one trial at one step, as a function of its history. If no
    proposal is left, a cell is drawn from those not evaluated, and if there is none, from all. A model that
    is not fitted at every step is fitted at fixed ones, to the history up to there (see `fitted`), so a
    search that continues from a history has the same models.
    """

    config_class: ClassVar[type[M]] = ModelBasedConfig  # type: ignore[assignment]  # M if a subclass sets none

    def setup(self) -> None:
        self._evaluated: list[set[int]] = [set() for _ in self.trials]
        self._seen = 0  # steps of the history that are in `_evaluated`
        self._fitted: dict[int, tuple[int, F]] = {}  # by row: the steps that it was fitted to, and the fit
        self._pending = PendingEvaluations(self.history)

    @abstractmethod
    def propose(self, row: int, step: int) -> Iterable[int]:
        """Return the codes proposed to the trial in a row of the history for a step, best first.

        It ends if there is nothing more to propose, at once if the model knows too little.
        """

    def ask(self, pending: int = 0) -> Codes:
        return self._pending.answer(pending, self._next)

    def expect(self, codes: Codes) -> None:
        self._pending.expect(codes)

    def generator(self, row: int, step: int, purpose: int = _PROPOSALS) -> np.random.Generator:
        """Return the random generator of a trial for what is drawn at a step."""
        return np.random.default_rng(
            np.random.SeedSequence(self.seed, spawn_key=(self.trials[row], purpose, step))
        )

    def evaluations(self, row: int, steps: int | None = None) -> tuple[Codes, Scores]:
        """Return codes and scores of a trial's evaluations that did not fail, of the first `steps` or all."""
        codes, scores = self.history.codes[row, :steps], self.history.scores[row, :steps]
        succeeded = scores > FAILED
        return codes[succeeded], scores[succeeded]

    def fitted(self, row: int, step: int, every: int, fit: Callable[[int, int], F]) -> F:
        """Return what `fit(row, steps)` makes of a trial's first steps; it is called once `every` steps.

        The first fit is to the initial steps. None is beyond the history's end, which lies before `step` if
        evaluations are pending.
        """
        initial = self.config.initial
        steps = min(initial + (step - initial) // every * every, len(self.history))
        if row not in self._fitted or self._fitted[row][0] != steps:
            self._fitted[row] = steps, fit(row, steps)
        return self._fitted[row][1]

    def _next(self, step: int, pending: Sequence[Codes]) -> Codes:
        rows = range(len(self.trials))
        for row, codes in zip(rows, self.history.codes[:, self._seen :].tolist(), strict=True):
            self._evaluated[row].update(codes)
        self._seen = len(self.history)
        return np.array([self._next_of(row, step, {int(codes[row]) for codes in pending}) for row in rows])

    def _next_of(self, row: int, step: int, pending: set[int]) -> int:
        """Return the next code of the trial in a row of the history."""
        taken = self._evaluated[row] | pending
        if len(self.history) >= self.config.initial and len(taken) < self.space.size:
            for code in self.propose(row, step):
                if code not in taken:
                    return int(code)
        new = np.setdiff1d(np.arange(self.space.size), list(taken))
        return int(self.generator(row, step, _NEW).choice(new if len(new) else self.space.size))
