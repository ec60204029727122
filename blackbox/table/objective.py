"""A benchmark's table as the objective of a search: what it sees, what counts, and what it costs."""

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
    """A signal as scores of codes, negated if lower is better, and what each evaluation costs.

    >>> from nasbench import NB201, Cell
    >>> objective = TableObjective(NB201(), "cifar10", "val_accuracy")
    >>> objective([Cell.from_index(6111).code]).tolist()
    [91.60666665039064]

    What counts in the end, `targets` (N,), is the metric, the mean over seeds; `scores` (N,) are those of the
    signal. Both are -inf for cells that are not feasible, whose evaluation takes its usual time. Signal and
    clock: Dong et al. 2021, NATS-Bench, arXiv:2009.00437.

    Parameters
    ----------
    benchmark, dataset, metric, signal, where
        As for `SignalTable`.
    noise
        Whether an evaluation gives one recorded seed, drawn at random, instead of the mean over seeds.
    trials
        The numbers of the search's trials, for the noise.
    seed
        The search's seed, for the noise.

    Raises
    ------
    ConfigError
        If metric or signal has another form, a feasible cell has no value, or no seeds can be drawn.
    NotRecordedError
        If the table has no such metric; the error names those that it has.
    """

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
        """Return the scores (T,) of codes (T,); with noise, of the next step."""
        if self._noise is not None:
            return self._noise(np.asarray(codes))
        return self.scores.take(codes)

    def could_give(self, codes: Codes, scores: Scores) -> Mask:
        """Return whether the table has these scores for these codes, element by element."""
        if self._noise is not None:
            return self._noise.could_give(codes, scores)
        return np.asarray(scores == self.scores[codes])

    def skip(self, steps: int) -> None:
        """Leave out the random numbers of steps that an earlier run has made."""
        if self._noise is not None:
            self._noise.step += steps

    @cached_property
    def has_cost(self) -> bool:
        """Whether the table has the time of an evaluation of every cell."""
        try:
            return self.seconds is not None
        except (NotRecordedError, ConfigError):
            return False

    @cached_property
    def seconds(self) -> Seconds:
        """What an evaluation of each code takes, (N,), as `Benchmark.simulate` has it.

        Training up to the signal's last epoch, and one pass over the validation images if the table has its
        time. A metric of the network is seen after training for the longest protocol.
        """
        protocol = self.signal.protocol
        seconds = self._with_validation(self._column("train_time", protocol), protocol)
        self._require(~np.isnan(seconds), "time of an evaluation", user="a clock")
        return seconds

    def cost(self, codes: CodesLike) -> Seconds:
        """Return what evaluations of codes (T,) take, seconds (T,)."""
        return self.seconds.take(codes)


class _Noise:
    """One recorded seed for each evaluation, drawn at random; called once per step."""

    def __init__(self, runs: Scores, counts: NDArray[np.intp], trials: Sequence[int], seed: int) -> None:
        self.step = 0
        self._runs = runs  # (N, S), the recorded ones first
        self._counts = counts  # of recorded ones, (N,)
        self._uniform = Draws(seed, trials, NOISE, lambda rng, steps: rng.random(steps))

    def __call__(self, codes: Codes) -> Scores:
        """Return the scores (T,) of codes (T,)."""
        draws = self._uniform.at(self.step)
        if len(codes) != len(draws):
            raise ConfigError(f"the noise is drawn for {len(draws)} trials, the codes are of {len(codes)}")
        self.step += 1
        return self._runs[codes, (draws * self._counts.take(codes)).astype(np.intp)]

    def could_give(self, codes: Codes, scores: Scores) -> Mask:
        """Return whether a seed of the codes has these scores, element by element."""
        return np.asarray((scores[..., None] == self._runs[codes]).any(axis=-1))


class PairObjective:
    """Two TableObjectives of one data set as one, whose scores of codes (T,) are (T, 2).

    >>> from nasbench import NB201
    >>> bench = NB201()
    >>> accuracy, params = (TableObjective(bench, "cifar10", m) for m in ("val_accuracy", "params"))
    >>> PairObjective(accuracy, params)([0]).tolist()
    [[9.712000000508626, -0.073306]]

    `targets` and `scores` are (N, 2).

    Parameters
    ----------
    first
        May be noisy; its costs are those of the pair.
    second
        Of the means over seeds, with the same feasible cells.
    """

    def __init__(self, first: TableObjective, second: TableObjective) -> None:
        self.dataset = first.dataset
        self.target = first.target
        self.metrics = first.metric, second.metric
        self.where = first.where
        self.feasible = first.feasible
        self.signal = first.signal
        self.sees_the_metric = first.sees_the_metric
        self.targets = np.stack([first.targets, second.targets], axis=-1)  # (N, 2)
        self.scores = np.stack([first.scores, second.scores], axis=-1)  # (N, 2)
        self.has_cost = first.has_cost
        self.cost = first.cost
        self.skip = first.skip
        self._first = first
        self._second = second

    def __call__(self, codes: CodesLike) -> Scores:
        """Return the scores (T, 2) of codes (T,)."""
        return np.stack([self._first(codes), self._second(codes)], axis=-1)

    def could_give(self, codes: Codes, scores: Scores) -> Mask:
        """Return whether the table has these scores (..., 2) for these codes (...)."""
        return self._first.could_give(codes, scores[..., 0]) & self._second.could_give(codes, scores[..., 1])

    @property
    def seconds(self) -> Seconds:
        """What an evaluation of each code takes, (N,)."""
        return self._first.seconds


def agrees(objective: TableObjective | PairObjective, history: History) -> bool:
    """Return whether a History has the scores and costs that an objective on a table gives."""
    costs = objective.seconds[history.codes] if objective.has_cost else 0.0
    return bool(objective.could_give(history.codes, history.scores).all() and (history.costs == costs).all())
