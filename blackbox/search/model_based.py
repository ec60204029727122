"""The base class of searches that propose cells with a model of the cells evaluated so far."""

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
    """Settings shared by all searches with a model."""

    #: Number of cells sampled uniformly before the first model.
    initial: int = option(10, "number of cells sampled uniformly before the first model", at_least=1)


M = TypeVar("M", bound=ModelBasedConfig)  # settings
F = TypeVar("F")  # result of a fit


class ModelBasedSearch(Search[M], Generic[M, F]):
    """A search that samples its first cells and then evaluates the best new proposal of a model.

    A subclass implements `propose`, which returns cells for one trial at one step as a function of the
    trial's history. If no new cell is proposed, one is sampled from the cells not evaluated yet, or from all
    cells if all were evaluated. A model that is not fitted at every step is fitted at fixed steps to the
    history up to there (see `fitted`), so a search that continues from a history has the same models.

    Parameters
    ----------
    space, config, trials, seed, history, first
        As for `Search`.

    Raises
    ------
    ConfigError, InvalidArgumentError
        As for `Search`.
    """

    warm_starts = True
    config_class: ClassVar[type[M]] = ModelBasedConfig  # type: ignore[assignment]  # M if a subclass sets none

    def setup(self) -> None:
        self._evaluated: list[set[int]] = [set() for _ in self.trials]
        self._seen = 0  # steps of the history that are in `_evaluated`
        self._fitted: dict[int, tuple[int, F]] = {}  # by row: number of steps fitted to, and the fit
        self._pending = PendingEvaluations(self.history)

    @abstractmethod
    def propose(self, row: int, step: int) -> Iterable[int]:
        """Return the codes proposed for a trial at a step, best first.

        Parameters
        ----------
        row
            Row of the trial in the history.
        step
            Number of the step, from 0.

        Returns
        -------
        Iterable[int]
            Codes; it ends when there are no more proposals and is empty if the model knows too little.
        """

    def ask(self, pending: int = 0) -> Codes:
        return self._pending.answer(pending, self._next)

    def expect(self, codes: Codes) -> None:
        self._pending.expect(codes)

    def generator(self, row: int, step: int, purpose: int = _PROPOSALS) -> np.random.Generator:
        """Return the random generator of a trial for one step.

        Parameters
        ----------
        row
            Row of the trial in the history.
        step
            Number of the step, from 0.
        purpose
            Number of the stream; the default is the stream of proposals.

        Returns
        -------
        np.random.Generator
            A generator that depends on the seed, the trial, `purpose` and `step` alone.
        """
        return np.random.default_rng(
            np.random.SeedSequence(self.seed, spawn_key=(self.trials[row], purpose, step))
        )

    def evaluations(self, row: int, steps: int | None = None) -> tuple[Codes, Scores]:
        """Return the codes and scores of a trial's evaluations that did not fail.

        Parameters
        ----------
        row
            Row of the trial in the history.
        steps
            Number of steps to read; None for all.

        Returns
        -------
        tuple[Codes, Scores]
            Two arrays of equal length, in the order of steps.
        """
        codes, scores = self.history.codes[row, :steps], self.history.scores[row, :steps]
        succeeded = scores > FAILED
        return codes[succeeded], scores[succeeded]

    def fitted(self, row: int, step: int, every: int, fit: Callable[[int, int], F]) -> F:
        """Return the current fit of a trial, which is renewed once every `every` steps.

        The first fit is to the initial steps. No fit goes beyond the end of the history, which is before
        `step` if evaluations are pending.

        Parameters
        ----------
        row
            Row of the trial in the history.
        step
            Number of the step, from 0.
        every
            Number of steps between fits.
        fit
            Function called as ``fit(row, steps)``, which fits to the first `steps` steps of the trial.

        Returns
        -------
        F
            The result of `fit`.
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
        return np.array([self._next_code(row, step, {int(codes[row]) for codes in pending}) for row in rows])

    def _next_code(self, row: int, step: int, pending: set[int]) -> int:
        """Return the next code of one trial."""
        taken = self._evaluated[row] | pending
        if step < len(self.first):
            return int(self.first[step])
        if len(self.history) >= self.config.initial and len(taken) < self.space.size:
            for code in self.propose(row, step):
                if code not in taken:
                    return int(code)
        new = np.setdiff1d(np.arange(self.space.size), list(taken))
        return int(self.generator(row, step, _NEW).choice(new if len(new) else self.space.size))
