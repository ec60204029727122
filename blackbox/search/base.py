"""The ask-and-tell interface of searches that evaluate cells, for T trials in lockstep."""

from __future__ import annotations  # numpy.random is loaded when it is used

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from blackbox.errors import ConfigError, ObjectiveError
from blackbox.search.draws import Draws
from blackbox.search.history import History
from blackbox.search.scores import invalid_score_name, invalid_scores
from blackbox.search.space import SearchSpace
from nasbench.arrays import Codes, Scalar
from nasbench.runs.checks import SEEDS, whole
from nasbench.runs.settings import Settings


@dataclass(frozen=True)
class NoSettings(Settings):
    """Settings of an algorithm without options."""


C = TypeVar("C", bound=Settings)


class Search(ABC, Generic[C]):
    """T independent trials of one search algorithm; the base class of searches that evaluate cells.

    A subclass implements `ask`, and `setup` if it has state.

    >>> from blackbox import NB201_SPACE, run
    >>> class Enumeration(Search):
    ...     def ask(self, pending=0):
    ...         return np.full(len(self.trials), len(self.history) + pending)
    >>> run(Enumeration(NB201_SPACE), lambda codes: codes * 1.0, evals=3).codes.tolist()
    [[0, 1, 2]]

    A search is determined by its settings, seed and history: recreated with an earlier history, it continues
    exactly where that run stopped. Each trial has its own random streams and does not depend on the others.

    Parameters
    ----------
    space
        The search space.
    config
        Settings, an instance of `config_class`; None for the defaults.
    trials
        Number of trials T, numbered from 0 to T - 1, or a sequence of trial numbers.
    seed
        Random seed.
    history
        Evaluations to continue from; None for a new search.
    first
        Codes that every trial evaluates first, shape ``(n,)``, instead of cells sampled at random: a warm
        start. Only searches with `warm_starts` accept them.

    Raises
    ------
    ConfigError
        If there are no trials, if `config` or `history` does not fit the search, or if the search does not
        support a warm start.
    InvalidArgumentError
        If `trials` or `seed` is out of range.
    """

    name: ClassVar[str]  #: name of the algorithm in reports
    #: class of the settings, a frozen dataclass of options, see `nasbench.runs.settings.Settings`
    config_class: ClassVar[type[C]] = NoSettings  # type: ignore[assignment]  # C if a subclass sets none
    objectives: ClassVar[int] = 1  #: number of scores per evaluation
    warm_starts: ClassVar[bool] = False  #: whether the search can start with given cells

    def __init__(
        self,
        space: SearchSpace,
        config: C | None = None,
        trials: int | Sequence[int] = 1,
        seed: int = 0,
        history: History | None = None,
        first: ArrayLike = (),
    ) -> None:
        numbers = _numbers(trials)
        if not numbers:
            raise ConfigError("trials must contain at least one trial, got none")
        history = History(len(numbers), self.objectives) if history is None else history
        if history.trials != len(numbers):
            raise ConfigError(
                f"history must have as many trials as the search, {len(numbers)}; got {history.trials}"
            )
        if history.objectives != self.objectives:
            raise ConfigError(
                f"history must have as many objectives as the search, {self.objectives};"
                f" got {history.objectives}"
            )
        config = self.config_class() if config is None else config
        if not isinstance(config, self.config_class):
            raise ConfigError(f"config must be of type {self.config_class.__name__} or None, got {config!r}")
        self.first = np.array(first, dtype=np.intp)
        if len(self.first) and not self.warm_starts:
            raise ConfigError(
                f"{self.name} does not support a warm start; regularized evolution, local search, BANANAS,"
                " the Gaussian process and TPE do"
            )
        self.space = space
        self.config = config
        self.history = history
        self.seed = whole("seed", seed, 0, SEEDS)
        self.trials = numbers
        self._shape = (len(numbers),)
        self.score_shape = self._shape if self.objectives == 1 else (len(numbers), self.objectives)
        self.setup()

    def setup(self) -> None:  # noqa: B027  # some searches have no state
        """Create the state of the algorithm; called at the end of `__init__`."""

    @abstractmethod
    def ask(self, pending: int = 0) -> Codes:
        """Return the next codes to evaluate, one per trial; the same codes until `tell` is called.

        Parameters
        ----------
        pending
            Number of pending evaluations per trial, whose scores have not been told yet; 0 unless several
            workers evaluate one trial. Random numbers are sampled for step ``len(self.history) + pending``.
            A search that must know the pending codes uses `blackbox.search.pending.PendingEvaluations`.

        Returns
        -------
        Codes
            Integers, shape ``(T,)``.
        """

    def tell(self, codes: ArrayLike, scores: ArrayLike, costs: ArrayLike = 0.0) -> None:
        """Add one evaluation per trial to the history.

        Parameters
        ----------
        codes
            Integers, shape ``(T,)``.
        scores
            Higher is better, -inf if an evaluation failed; shape ``(T,)``, or ``(T, M)`` with M objectives.
        costs
            Durations of the evaluations in seconds, shape ``(T,)``.

        Raises
        ------
        ObjectiveError
            If a shape is wrong, a code is not in the space, or a score is NaN or inf.
        """
        codes = np.asarray(codes)
        scores = np.asarray(scores, dtype=np.float64)
        if codes.shape != self._shape or codes.dtype.kind not in "iu":
            raise ObjectiveError(
                f"codes must be integers of shape {self._shape}, one per trial;"
                f" got {codes.dtype} of shape {codes.shape}"
            )
        if codes.item(codes.argmin()) < 0 or codes.item(codes.argmax()) >= self.space.size:
            raise ObjectiveError(f"codes must be in [0, {self.space.size - 1}], got {codes.tolist()}")
        if scores.shape != self.score_shape:
            number = "one score" if self.objectives == 1 else f"{self.objectives} scores"
            raise ObjectiveError(
                f"the objective must return {number} per trial, shape {self.score_shape}, got {scores.shape}"
            )
        highest = scores.item(scores.argmax())  # NaN counts as the highest
        if not highest < np.inf:
            row = invalid_scores(scores).argmax()
            raise ObjectiveError(
                f"the objective returned {invalid_score_name(scores[row])} for code {codes[row]};"
                " it must return -inf if an evaluation failed"
            )
        self.history.append(codes, scores, costs)

    def expect(self, codes: Codes) -> None:  # noqa: B027  # most searches ignore these
        """Add codes that an earlier run of the search asked for and that are still pending.

        The random numbers of a step do not change. A search that uses
        `blackbox.search.pending.PendingEvaluations` does not ask for these codes again.

        Parameters
        ----------
        codes
            Integers, shape ``(T,)``.
        """

    def draws(
        self,
        purpose: int,
        draw: Callable[[np.random.Generator, int], NDArray[Scalar]],
        prepare: Callable[[NDArray[Scalar]], NDArray[Scalar]] | None = None,
    ) -> Draws[Scalar]:
        """Return the random numbers of each step, from a separate stream per trial.

        Parameters
        ----------
        purpose
            Number of the stream, from 0.
        draw
            Function whose result ``draw(generator, steps)`` is the random numbers of one trial, shape
            ``(steps, ...)``.
        prepare
            Function that transforms the random numbers of all trials, shape ``(steps, T, ...)``, before
            ``draws.at(step)`` returns them; it may work in place.

        Returns
        -------
        Draws
            ``draws.at(step)`` returns the random numbers of all trials at a step, shape ``(T, ...)``.
        """
        return Draws(self.seed, self.trials, purpose, draw, prepare)


def _numbers(trials: int | Sequence[int]) -> Sequence[int]:
    """Return the numbers of the trials."""
    if isinstance(trials, Iterable):  # an array is not a Sequence
        return [whole("a trial", trial, 0) for trial in trials]
    return range(whole("trials", trials, 1))
