"""A benchmark's table as the objective of a search: scores, reported values and costs."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from blackbox.errors import ConfigError
from blackbox.search.draws import Draws
from blackbox.search.history import History
from blackbox.table.base import NOISE, SignalTable
from nasbench.arrays import Codes, CodesLike, Mask, Scores, Seconds
from nasbench.benchmark import Benchmark
from nasbench.constraints import Where
from nasbench.errors import NotRecordedError


class TableObjective(SignalTable):
    """The objective of a search on a table: scores of codes, and the cost of each evaluation.

    >>> from nasbench import NB201, Cell
    >>> objective = TableObjective(NB201(), "cifar10", "val_accuracy")
    >>> objective([Cell.from_index(6111).code]).tolist()
    [91.60666665039064]

    Results are reported by the metric, averaged over seeds; the search optimizes the signal. Both are negated
    if lower is better and -inf for infeasible cells, whose evaluation takes its usual time. Signal and clock
    follow Dong et al. 2021, NATS-Bench, arXiv:2009.00437.

    Parameters
    ----------
    benchmark
        The table, with N cells.
    dataset
        Name of the data set, such as ``"cifar10"``.
    metric
        The metric to report: ``"METRIC"``, or ``"METRIC@EPOCHS"`` after a shorter protocol.
    signal
        The metric to optimize, in the same form; None for `metric`.
    noise
        Whether an evaluation returns one recorded seed, chosen at random, instead of the mean over seeds.
    trials
        Numbers of the search's trials, for the noise.
    seed
        Seed of the search, for the noise.
    where
        Limits as for ``Benchmark.feasible``; None if all cells are feasible.

    Raises
    ------
    ConfigError
        If `metric` or `signal` is malformed, a feasible cell has no value, or there are no seeds to choose
        from.
    NotRecordedError
        If the table lacks the metric; the error lists the metrics that it has.
    """

    targets: Scores  #: the metric as a score, mean over seeds, (N,)
    scores: Scores  #: the signal as a score, mean over seeds, (N,)

    def __init__(
        self,
        benchmark: Benchmark,
        dataset: str,
        metric: str,
        *,
        signal: str | None = None,
        noise: bool = False,
        trials: Sequence[int] = (0,),
        seed: int = 0,
        where: Where | None = None,
    ) -> None:
        super().__init__(benchmark, dataset, metric, signal, where)
        self.targets = self._target_scores()
        self.scores = self.targets if self.sees_the_metric else self._scores(self.signal)
        self._noise = _Noise(*self._runs(self.signal.protocol), trials, seed) if noise else None

    def __call__(self, codes: CodesLike) -> Scores:
        """Return the scores of codes; with noise, the scores at the next step.

        Parameters
        ----------
        codes
            Integers, shape ``(T,)``.

        Returns
        -------
        Scores
            Shape ``(T,)``; higher is better.

        Raises
        ------
        ConfigError
            If there is noise, and the number of codes is not the number of trials.
        """
        if self._noise is not None:
            return self._noise(np.asarray(codes))
        return self.scores.take(codes)

    def could_give(self, codes: Codes, scores: Scores) -> Mask:
        """Return whether the table has these scores for these codes, element by element.

        Parameters
        ----------
        codes
            Integers of any shape.
        scores
            Scores of the same shape.

        Returns
        -------
        Mask
            Booleans of the same shape; with noise, true if any recorded seed has the score.
        """
        if self._noise is not None:
            return self._noise.could_give(codes, scores)
        return np.asarray(scores == self.scores[codes])

    def skip(self, steps: int) -> None:
        """Skip the random numbers of the noise that an earlier run has used.

        Parameters
        ----------
        steps
            Number of steps.
        """
        if self._noise is not None:
            self._noise.step += steps

    @cached_property
    def has_cost(self) -> bool:
        """Whether the table has the evaluation time of every cell."""
        try:
            return self.seconds is not None
        except (NotRecordedError, ConfigError):
            return False

    @cached_property
    def seconds(self) -> Seconds:
        """The time of an evaluation of each code in seconds, (N,), as in `Benchmark.simulate`.

        It is the training time up to the signal's last epoch plus one pass over the validation images, if the
        table records it. A metric of the network is charged the training time of the longest protocol.
        """
        protocol = self.signal.protocol
        seconds = self._with_validation(self._column("train_time", protocol), protocol)
        self._require(~np.isnan(seconds), "evaluation time", user="a clock")
        return seconds

    def cost(self, codes: CodesLike) -> Seconds:
        """Return the evaluation times of codes.

        Parameters
        ----------
        codes
            Integers, shape ``(T,)``.

        Returns
        -------
        Seconds
            Shape ``(T,)``.
        """
        return self.seconds.take(codes)


class _Noise:
    """A random choice of one recorded seed for each evaluation; called once per step."""

    def __init__(self, runs: Scores, counts: NDArray[np.intp], trials: Sequence[int], seed: int) -> None:
        self.step = 0
        self._runs = runs  # (N, S), the recorded ones first
        self._counts = counts  # number of recorded runs, (N,)
        self._uniform = Draws(seed, trials, NOISE, lambda rng, steps: rng.random(steps))

    def __call__(self, codes: Codes) -> Scores:
        """Return the scores (T,) of codes (T,)."""
        draws = self._uniform.at(self.step)
        if len(codes) != len(draws):
            raise ConfigError(f"codes must be one per trial, {len(draws)}, for the noise; got {len(codes)}")
        self.step += 1
        return self._runs[codes, (draws * self._counts.take(codes)).astype(np.intp)]

    def could_give(self, codes: Codes, scores: Scores) -> Mask:
        """Return whether any recorded seed of the codes has these scores, element by element."""
        return np.asarray((scores[..., None] == self._runs[codes]).any(axis=-1))


class PairObjective:
    """Two TableObjectives on one data set as one objective, whose scores of codes (T,) are (T, 2).

    >>> from nasbench import NB201
    >>> bench = NB201()
    >>> accuracy, params = (TableObjective(bench, "cifar10", m) for m in ("val_accuracy", "params"))
    >>> PairObjective(accuracy, params)([0]).tolist()
    [[9.712000000508626, -0.073306]]

    Parameters
    ----------
    first
        The first objective, which can have noise; its costs are the costs of the pair.
    second
        The second objective, without noise and with the same feasible cells.
    """

    targets: Scores  #: the metrics as scores, means over seeds, (N, 2)
    scores: Scores  #: the signals as scores, means over seeds, (N, 2)

    def __init__(self, first: TableObjective, second: TableObjective) -> None:
        self.dataset = first.dataset
        self.target = first.target
        self.metrics = first.metric, second.metric
        self.where = first.where
        self.feasible = first.feasible
        self.signal = first.signal
        self.sees_the_metric = first.sees_the_metric
        self.targets = np.stack([first.targets, second.targets], axis=-1)
        self.scores = np.stack([first.scores, second.scores], axis=-1)
        self.has_cost = first.has_cost
        self.cost = first.cost
        self.skip = first.skip
        self._first = first
        self._second = second

    def __call__(self, codes: CodesLike) -> Scores:
        """Return the scores of codes.

        Parameters
        ----------
        codes
            Integers, shape ``(T,)``.

        Returns
        -------
        Scores
            Shape ``(T, 2)``; higher is better.
        """
        return np.stack([self._first(codes), self._second(codes)], axis=-1)

    def could_give(self, codes: Codes, scores: Scores) -> Mask:
        """Return whether the table has these scores for these codes.

        Parameters
        ----------
        codes
            Integers, shape ``(...)``.
        scores
            Shape ``(..., 2)``.

        Returns
        -------
        Mask
            Booleans, shape ``(...)``.
        """
        return self._first.could_give(codes, scores[..., 0]) & self._second.could_give(codes, scores[..., 1])

    @property
    def seconds(self) -> Seconds:
        """The time of an evaluation of each code in seconds, (N,)."""
        return self._first.seconds


def agrees(objective: TableObjective | PairObjective, history: History) -> bool:
    """Return whether a History has the scores and costs of an objective on a table."""
    costs = objective.seconds[history.codes] if objective.has_cost else 0.0
    return bool(objective.could_give(history.codes, history.scores).all() and (history.costs == costs).all())
