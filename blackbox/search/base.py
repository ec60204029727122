"""The ask/tell contract of every search, for T trials in lockstep, and the loop that drives it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from blackbox.errors import ConfigError, ObjectiveError
from blackbox.search.history import History
from nasbench.errors import shown
from nasbench.runs.settings import SEEDS, finite, whole

MOST_SECONDS = 9.2e9  # 290 years, the longest that a thread can wait
FAILED = -np.inf  # the score of an evaluation that failed
_BLOCK = 256  # steps whose random numbers are drawn at once


@dataclass(frozen=True)
class NoSettings:
    """The settings of an algorithm that has none."""


class Search(ABC):
    """T independent trials of one algorithm. A subclass says in `ask` what to evaluate next.

    >>> from blackbox.search.space import NB201
    >>> class Enumeration(Search):
    ...     def ask(self, pending=0):
    ...         return np.full(len(self.trials), len(self.history) + pending)
    >>> run(Enumeration(NB201), lambda codes: codes * 1.0, evals=3).codes.tolist()
    [[0, 1, 2]]

    A search is its settings, its seed and its history: one made anew with an earlier history goes on exactly
    where that one stopped. Trial t draws from streams of its own, so it is the same in any company: `trials`
    is how many (0 to T - 1), or which.
    """

    name = None  # the algorithm's, as reports print it
    config_class = NoSettings  # a frozen dataclass of `nasbench.runs.settings.option`s
    objectives = 1  # scores of an evaluation

    def __init__(self, space, config=None, trials=1, seed=0, history=None):
        try:
            numbers = [whole("a trial", trial, 0) for trial in trials]
        except TypeError:  # not which, but how many
            numbers = range(whole("trials", trials, 1))
        if not numbers:
            raise ConfigError("trials is at least 1, got none")
        if history is None:
            history = History(len(numbers), self.objectives)
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
        self._outstanding = None  # an `Outstanding`, of a search that must know what is out

    @abstractmethod
    def ask(self, pending=0):
        """The codes to evaluate next, one a trial: integers (T,). The same until `tell`.

        `pending`: evaluations of each trial that were asked for and are not told yet, where several workers
        evaluate one trial. What is random is drawn for step `len(self.history) + pending`; a search that must
        know which ones are out has an `Outstanding`.
        """

    def tell(self, codes, scores, costs=0.0):
        """Take the scores of codes (T,), higher is better, and what they cost in seconds.

        Scores (T,), or (T, objectives) where there are several; -inf for a cell that could not be evaluated.
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
            row = _no_numbers(scores).argmax()
            raise ObjectiveError(
                f"the objective gave {no_score(scores[row])} for code {codes[row]};"
                " -inf is for a cell that cannot be scored"
            )
        self.history.append(codes, scores, costs)

    def expect(self, codes):
        """Take codes (T,) to be out: an earlier run of the search asked for them, and was not told.

        What is drawn for a step is the same; a search that has an `Outstanding` does not ask for them again.
        """
        if self._outstanding is not None:
            self._outstanding.expect(codes)

    def draws(self, purpose, draw, prepare=None):
        """Random numbers by step, from a stream of their own for each trial; `purpose` numbers the stream.

        `draw(generator, steps)` gives one trial's array (steps, ...); `prepare`, if given, gives what is made
        of that of all trials, (steps, T, ...), whose memory it may use.
        """
        return Draws(self.seed, self.trials, purpose, draw, prepare)


class Draws:
    """What each trial draws at each step: a function of (seed, trial, purpose, step) alone.

    Made a block of steps at a time, so that going forward is fast; going back to an earlier block is not.
    """

    def __init__(self, seed, trials, purpose, draw, prepare=None):
        self._seeds = [np.random.SeedSequence(seed, spawn_key=(trial, purpose)) for trial in trials]
        self._draw = draw
        self._prepare = prepare
        self._restart()

    def at(self, step):
        """The draws of all trials at a step, (T, ...)."""
        row = step - self._start
        if not 0 <= row < _BLOCK:
            self._move_to(step)
            row = step - self._start
        return self._rows[row]

    def _move_to(self, step):
        if step < self._start:
            self._restart()
        while step >= self._start + _BLOCK:
            drawn = [self._draw(generator, _BLOCK) for generator in self._generators]
            rows = np.stack(drawn, axis=1)
            self._rows = rows if self._prepare is None else self._prepare(rows)
            self._rows.flags.writeable = False
            self._start += _BLOCK

    def _restart(self):
        self._generators = [np.random.default_rng(seed) for seed in self._seeds]
        self._rows = None
        self._start = -_BLOCK  # of the block in `_rows`: before the first one


class Outstanding:
    """What a search was asked for and is not told yet, where several workers evaluate one trial.

    Of codes that were asked for in vain, as they were never told, the oldest are forgotten first.
    """

    def __init__(self, history):
        self._history = history
        self._seen = len(history)  # steps
        self._codes = []  # what is out: codes (T,), oldest first
        self._answers = {}  # what was answered since the last step was told, by how many were out

    def answer(self, pending, give):
        """What `ask(pending)` says: `give(step, out)`, the same until `tell`; codes (T,).

        `out`: the last `pending` codes (T,) that were asked for and are not told yet, as far as known.
        """
        length = len(self._history)
        if self._seen != length:
            if pending:
                self._remove(self._history.last(length - self._seen)[0])
            self._answers = {}
            self._seen = length
        if pending not in self._answers:
            out = self._codes[max(len(self._codes) - pending, 0) :]
            self._answers[pending] = give(length + pending, out)
            self._codes = [*out, self._answers[pending]]
        return self._answers[pending].copy()

    def expect(self, codes):
        """Take codes (T,) to be out besides."""
        self._codes.append(codes)

    def _remove(self, told):
        for codes in told:
            for position, out in enumerate(self._codes):
                if np.array_equal(out, codes):
                    del self._codes[position]
                    break


def run(search, objective, evals=None, *, cost=None, budget=None, after_step=None, on_failure=None):
    """Ask, evaluate and tell until each trial has `evals` evaluations, or has spent `budget` seconds.

    `objective(codes)` gives scores and `cost(codes)` seconds, both (T,). `after_step()` is called after each
    step; a true answer ends the run. A search that has a history goes on from there. Returns the history.

    An objective that raises, or gives NaN or inf, ends the run with that error; the history keeps what came
    before. With `on_failure(trial, code, error)` the run goes on instead: the evaluation is called failed,
    its score is -inf, and `on_failure` is told of it (`error` is an ObjectiveError for NaN and inf). Where
    several trials are evaluated at once and one raises, each is evaluated again by itself.
    """
    check_limits(evals, budget)
    if budget is not None and cost is None:
        raise ConfigError("a budget in seconds needs a cost")
    history = search.history
    spent = history.spent()
    while (evals is None or len(history) < evals) and (budget is None or (spent <= budget).any()):
        codes = np.asarray(search.ask())
        costs = 0.0 if cost is None else cost(codes)
        if on_failure is None:
            scores = objective(codes.copy())  # a copy, which the objective may change
        else:
            scores = _scores_or_failures(search, objective, codes, on_failure)
        search.tell(codes, scores, costs)
        if budget is not None:
            spent = spent + costs
            if np.isnan(spent).any():
                raise ObjectiveError(f"the cost gave NaN for one of the codes {codes.tolist()}")
        if after_step is not None and after_step():
            break
    return history


def _scores_or_failures(search, objective, codes, on_failure):
    """What `objective` gives for codes, -inf where it raises or gives NaN or inf."""
    try:
        scores = np.array(objective(codes.copy()), dtype=np.float64)
    except Exception as error:
        if len(codes) == 1:
            on_failure(search.trials[0], int(codes[0]), error)
            return np.full(search.score_shape, FAILED)
        parts = []
        for row, trial in enumerate(search.trials):
            try:
                parts.append(np.array(objective(codes[row : row + 1].copy()), dtype=np.float64)[0])
            except Exception as of_one:
                on_failure(trial, int(codes[row]), of_one)
                parts.append(np.full(search.score_shape[1:], FAILED))
        scores = np.stack(parts)
    if scores.shape == search.score_shape:  # else `tell` says what is wrong
        unknown = _no_numbers(scores)
        for row in np.flatnonzero(unknown):
            error = ObjectiveError(f"the objective gave {no_score(scores[row])}")
            on_failure(search.trials[row], int(codes[row]), error)
        scores[unknown] = FAILED
    return scores


def _no_numbers(scores):
    """Which of scores (T,) or (T, objectives) are NaN or inf, or have one that is: bool (T,)."""
    return ~(scores < np.inf).reshape(len(scores), -1).all(axis=1)


def no_score(score):
    """What a score, or several, that is no number below inf is called in errors."""
    return "NaN" if np.isnan(score).any() else "inf"


def check_limits(evals, budget):
    """Raise ConfigError unless at least one is given and each given one is in its range."""
    if evals is None and budget is None:
        raise ConfigError("a search ends by evals, by budget or by both; got neither")
    if evals is not None:
        whole("evals", evals, 1)
    if budget is not None:
        check_seconds("budget", budget)


def check_seconds(name: str, value: object) -> None:
    """Raise ConfigError unless a value is a positive number of seconds, at most `MOST_SECONDS`."""
    seconds = finite(value)
    if seconds is None or seconds <= 0:
        raise ConfigError(f"{name} is a positive number of seconds, got {shown(value)}")
    if seconds > MOST_SECONDS:
        raise ConfigError(f"{name} must be at most {MOST_SECONDS:,.0f} seconds, got {shown(value)}")


def is_finished(history, evals, budget):
    """Whether a history has reached the limits of `run`."""
    return (evals is not None and len(history) >= evals) or (
        budget is not None and bool((history.spent() > budget).all())
    )
