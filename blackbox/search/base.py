"""The ask-and-tell contract of every search that evaluates cells, for T trials in lockstep."""

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
    """The settings of an algorithm that has none."""


C = TypeVar("C", bound=Settings)


class Search(ABC, Generic[C]):
    """T independent trials of one algorithm; a subclass implements `ask`, and `setup` if it has a state.

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
        Settings, of the class `config_class`; None for the defaults.
    trials
        How many trials (their numbers are 0 to T - 1), or their numbers.
    seed
        Random seed.
    history
        Evaluations to continue from.

    Raises
    ------
    ConfigError
        If there is no trial, or if config or history belongs to another search.
    InvalidArgumentError
        If trials or seed is outside its range.
    """

    name: ClassVar[str]  #: the algorithm's name in reports
    #: a frozen dataclass of options, see `nasbench.runs.settings.Settings`
    config_class: ClassVar[type[C]] = NoSettings  # type: ignore[assignment]  # C if a subclass sets none
    objectives: ClassVar[int] = 1  #: scores per evaluation

    def __init__(
        self,
        space: SearchSpace,
        config: C | None = None,
        trials: int | Sequence[int] = 1,
        seed: int = 0,
        history: History | None = None,
    ) -> None:
        numbers = _numbers(trials)
        if not numbers:
            raise ConfigError("trials is at least 1, got none")
        history = History(len(numbers), self.objectives) if history is None else history
        if history.trials != len(numbers):
            raise ConfigError(f"the history is of {history.trials} trials, the search of {len(numbers)}")
        if history.objectives != self.objectives:
            raise ConfigError(
                f"the history is of {history.objectives} objectives, the search of {self.objectives}"
            )
        config = self.config_class() if config is None else config
        if not isinstance(config, self.config_class):
            raise ConfigError(f"config is of {self.config_class.__name__}, or None; got {config!r}")
        self.space = space
        self.config = config
        self.history = history
        self.seed = whole("seed", seed, 0, SEEDS)
        self.trials = numbers
        self._shape = (len(numbers),)
        self.score_shape = self._shape if self.objectives == 1 else (len(numbers), self.objectives)
        self.setup()

    def setup(self) -> None:  # noqa: B027  # some searches have no state
        """Create the state of the algorithm; called at the end of `__init__`, after all that it sets."""

    @abstractmethod
    def ask(self, pending: int = 0) -> Codes:
        """Return the codes to evaluate next, one per trial; the same until `tell`.

        Parameters
        ----------
        pending
            Evaluations of each trial that were asked for and are not told yet, if several workers evaluate
            one trial. Random numbers are drawn for step ``len(self.history) + pending``. A search that must
            know the pending codes has a `blackbox.search.pending.PendingEvaluations`.

        Returns
        -------
        Codes
            Integers, shape ``(T,)``.
        """

    def tell(self, codes: ArrayLike, scores: ArrayLike, costs: ArrayLike = 0.0) -> None:
        """Add the scores of codes to the history.

        Parameters
        ----------
        codes
            Integers, shape ``(T,)``.
        scores
            Higher is better, -inf for a cell that could not be evaluated; shape ``(T,)``, with several
            objectives ``(T, objectives)``.
        costs
            Seconds that the evaluations took, shape ``(T,)``.

        Raises
        ------
        ObjectiveError
            If a shape is different, a code is not in the space, or a score is NaN or inf.
        """
        codes = np.asarray(codes)
        scores = np.asarray(scores, dtype=np.float64)
        if codes.shape != self._shape or codes.dtype.kind not in "iu":
            raise ObjectiveError(
                f"codes are integers, one a trial {self._shape}; got {codes.dtype} {codes.shape}"
            )
        if codes.item(codes.argmin()) < 0 or codes.item(codes.argmax()) >= self.space.size:
            raise ObjectiveError(f"a code is in [0, {self.space.size - 1}], got {codes.tolist()}")
        if scores.shape != self.score_shape:
            number = "one score" if self.objectives == 1 else f"{self.objectives} scores"
            raise ObjectiveError(
                f"an objective gives {number} a trial, shape {self.score_shape}, got {scores.shape}"
            )
        highest = scores.item(scores.argmax())  # NaN counts as the highest
        if not highest < np.inf:
            row = invalid_scores(scores).argmax()
            raise ObjectiveError(
                f"the objective gave {invalid_score_name(scores[row])} for code {codes[row]};"
                " -inf is for a cell that cannot be scored"
            )
        self.history.append(codes, scores, costs)

    def expect(self, codes: Codes) -> None:  # noqa: B027  # most searches ignore these
        """Add pending codes (T,): an earlier run of the search asked for them and was not told.

        The random numbers of a step stay the same; a search that has a
        `blackbox.search.pending.PendingEvaluations` does not ask for these codes again.
        """

    def draws(
        self,
        purpose: int,
        draw: Callable[[np.random.Generator, int], NDArray[Scalar]],
        prepare: Callable[[NDArray[Scalar]], NDArray[Scalar]] | None = None,
    ) -> Draws[Scalar]:
        """Return random numbers by step, from a separate stream for each trial.

        Parameters
        ----------
        purpose
            Number of the stream, from 0.
        draw
            ``draw(generator, steps)`` returns the random numbers of one trial, shape ``(steps, ...)``.
        prepare
            Turns the random numbers of all trials, shape ``(steps, T, ...)``, into those that
            ``draws.at(step)`` returns; it may change them in place.

        Returns
        -------
        Draws
            ``draws.at(step)`` are the random numbers of all trials at a step, shape ``(T, ...)``.
        """
        return Draws(self.seed, self.trials, purpose, draw, prepare)


def _numbers(trials: int | Sequence[int]) -> Sequence[int]:
    """Return the numbers of trials."""
    if isinstance(trials, Iterable):  # an array is no Sequence
        return [whole("a trial", trial, 0) for trial in trials]
    return range(whole("trials", trials, 1))
