"""A benchmark's table as the objective of a search: what it sees, what counts, and what it costs."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from blackbox.errors import ConfigError
from blackbox.search.draws import Draws
from blackbox.search.history import History
from blackbox.search.scores import FAILED
from nasbench.benchmark import Benchmark
from nasbench.constraints import Where, named, split_metric
from nasbench.errors import InvalidArgumentError, NotRecordedError
from nasbench.metrics import METRICS, UNKNOWN_SEED, metric_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NOISE = 100  # the purpose of the stream; searches number theirs from 0


class Signal(NamedTuple):
    """What a search sees of a cell: a metric after the last epoch of a protocol.

    >>> Signal.of("val_accuracy@12")
    Signal(metric='val_accuracy', protocol=12)
    >>> str(Signal.of("val_accuracy", longest=200)), str(Signal.of("flops", longest=200))
    ('val_accuracy@200', 'flops')
    """

    metric: str
    protocol: int | None  # epochs; None: the longest, or none at all for what belongs to the network

    @classmethod
    def of(cls, text, longest=None):
        """The signal of a text METRIC@EPOCHS, or METRIC, which is that after the `longest` protocol."""
        try:
            metric, epochs = split_metric(text)
        except InvalidArgumentError as error:
            raise ConfigError(str(error)) from None
        return cls(metric, longest if epochs is None and not metric_of(metric).of_the_network else epochs)

    def __str__(self):
        return self.metric if self.protocol is None else f"{self.metric}@{self.protocol}"

    @property
    def unit(self) -> str:
        return metric_of(self.metric).unit

    @property
    def higher_is_better(self) -> bool:
        return metric_of(self.metric).higher_is_better

    @property
    def of_the_network(self) -> bool:
        return metric_of(self.metric).of_the_network


def scores_of(
    benchmark: Benchmark, dataset: str, signal: Signal, seed: int | None = None
) -> NDArray[np.float64]:
    """Return a signal of all cells as scores, higher is better, float64 (N,); NaN where not recorded."""
    column = benchmark.by_code(dataset, signal.metric, protocol=signal.protocol, seed=seed)
    return column if signal.higher_is_better else -column


def targets_of(
    benchmark: Benchmark, dataset: str, target: Signal, feasible: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return what counts of each cell as scores, float64 (N,), -inf outside `feasible`, bool (N,).

    NotRecordedError, which names what the table has, or ConfigError if it lacks a feasible cell.
    """
    try:
        scores = scores_of(benchmark, dataset, target)
    except NotRecordedError as error:
        recorded = [r for r in benchmark.recorded() if r.dataset == dataset]
        same = [r for r in recorded if r.metric == target.metric]
        known = same or [r for r in recorded if METRICS[r.metric].kind == "accuracy"] or recorded
        if not known:
            others = dict.fromkeys(r.dataset for r in benchmark.recorded())
            raise NotRecordedError(f"{error}; try --dataset {' or '.join(others)}") from None
        names = " or ".join(dict.fromkeys(str(Signal(r.metric, r.protocol)) for r in known))
        raise NotRecordedError(f"{error}; try --metric {names}") from None
    return completed(scores, feasible, f"{dataset} {target}", _leave_out(target))


def completed(
    scores: NDArray[np.float64], feasible: NDArray[np.bool_], what: str, hint: str = ""
) -> NDArray[np.float64]:
    """Return scores (N,) with -inf outside `feasible`, bool (N,); ConfigError if a feasible cell has NaN."""
    unknown = np.count_nonzero(np.isnan(scores) & feasible)
    if unknown:
        raise ConfigError(f"a search needs every cell; this store has no {what} for {unknown:,}{hint}")
    return scores if feasible.all() else np.where(feasible, scores, FAILED)


def _leave_out(signal: Signal) -> str:
    return f"; try --at-least {signal}=0, which leaves them out"


def feasible_cells(benchmark: Benchmark, dataset: str, where: Where | None) -> NDArray[np.bool_]:
    """Return the cells that satisfy `where`, limits as for `Benchmark.feasible` or None: bool (N,)."""
    return benchmark.feasible(dataset, where) if where else np.ones(benchmark.space.cells, dtype=bool)


def recorded_runs(
    benchmark: Benchmark, dataset: str, signal: Signal, protocol: int | None
) -> tuple[int, ...]:
    """Return the seeds that a signal is recorded with after a protocol.

    ConfigError if there are none to draw from: the signal belongs to the network, or only its mean over seeds
    is recorded.
    """
    metric = signal.metric
    if signal.of_the_network:
        raise ConfigError(f"{metric} has no runs with seeds to draw from; leave the noise out")
    seeds = next(r.seeds for r in benchmark.recorded() if r[:3] == (dataset, protocol, metric))
    if seeds == (UNKNOWN_SEED,):
        raise ConfigError(
            f"noise seed needs values per seed; the table has only the mean over seeds of {dataset}"
            f" {metric}@{protocol}; try --noise mean"
        )
    return seeds


class TableObjective:
    """A signal as scores of codes, negated where lower is better, and what each evaluation costs.

    The score is the mean over the recorded seeds; with `noise`, that of one recorded seed, drawn for each
    evaluation: what a real search sees. What counts in the end, `targets`, is the metric, the mean over
    seeds; it is also the signal where none is given. Cells that do not satisfy `where` are not feasible: both
    are -inf for them, and evaluating them takes its usual time.

    >>> from nasbench import NB201, Cell
    >>> objective = TableObjective(NB201(), "cifar10", "val_accuracy")
    >>> objective([Cell.from_index(6111).code]).tolist()
    [91.60666665039064]

    Signal and clock: Dong et al. 2021, NATS-Bench, arXiv:2009.00437.
    """

    def __init__(
        self, benchmark, dataset, metric, *, signal=None, noise=False, trials=(0,), seed=0, where=None
    ):
        """`metric`, `signal`: texts for `Signal.of`; `trials` and `seed`: those of the search, for the noise
        alone; `where`: limits as for `Benchmark.feasible`."""
        longest = benchmark.space.full_protocol
        self.target = Signal.of(metric, longest)
        self.dataset = dataset
        self.metric = named(metric, longest)
        self.signal = self.target if signal is None else Signal.of(signal, longest)
        self.sees_the_metric = self.signal == self.target
        self.where = where
        self.feasible = feasible_cells(benchmark, dataset, where)  # (N,)
        self._benchmark = benchmark
        self.targets = targets_of(benchmark, dataset, self.target, self.feasible)  # (N,)
        self.scores = self.targets if self.sees_the_metric else self._scores()  # (N,)
        self._step = 0
        self._runs = None
        if noise:
            seeds = recorded_runs(benchmark, dataset, self.signal, self.signal.protocol)
            runs = np.stack([scores_of(benchmark, dataset, self.signal, s) for s in seeds], axis=1)
            recorded = ~np.isnan(runs)
            first = np.argsort(~recorded, axis=1, kind="stable")  # the recorded runs, then the others
            self._runs = np.take_along_axis(runs, first, axis=1)
            self._runs[~self.feasible] = FAILED
            self._counts = recorded.sum(axis=1)
            self._uniform = Draws(seed, trials, _NOISE, lambda rng, steps: rng.random(steps))

    def __call__(self, codes):
        """The scores (T,) of codes (T,)."""
        if self._runs is None:
            return self.scores.take(codes)
        draws = self._uniform.at(self._step)
        if len(codes) != len(draws):
            raise ConfigError(f"the noise is drawn for {len(draws)} trials, the codes are of {len(codes)}")
        self._step += 1
        return self._runs[codes, (draws * self._counts.take(codes)).astype(np.intp)]

    def could_give(self, codes, scores):
        """Whether the table has these scores for these codes, element by element."""
        if self._runs is None:
            return scores == self.scores[codes]
        return (scores[..., None] == self._runs[codes]).any(axis=-1)

    def skip(self, steps):
        """Leave out the draws of steps that an earlier run has made."""
        self._step += steps

    @cached_property
    def has_cost(self):
        """Whether the table knows what an evaluation of any cell costs."""
        try:
            return self.seconds is not None
        except (NotRecordedError, ConfigError):
            return False

    @cached_property
    def seconds(self):
        """What an evaluation of each code costs, seconds (N,), as `Benchmark.simulate` says.

        Training up to the signal's last epoch, and one pass over the validation images where the table has
        its time. What belongs to the network is seen after training for the longest protocol.
        """
        options = {"protocol": self.signal.protocol}
        seconds = self._benchmark.by_code(self.dataset, "train_time", **options)
        with suppress(NotRecordedError):
            validation = self._benchmark.by_code(self.dataset, "val_time", **options)
            if not np.isnan(validation).all():
                seconds = seconds + validation
        unknown = np.count_nonzero(np.isnan(seconds))
        if unknown:
            raise ConfigError(
                f"a clock needs every cell; this store has no {self.dataset} time of an evaluation"
                f" for {unknown:,}"
            )
        return seconds

    def cost(self, codes):
        """What evaluations of codes (T,) cost, seconds (T,)."""
        return self.seconds.take(codes)

    def _scores(self) -> NDArray[np.float64]:
        scores = scores_of(self._benchmark, self.dataset, self.signal)
        return completed(scores, self.feasible, f"{self.dataset} {self.signal}", _leave_out(self.signal))


class PairObjective:
    """Two TableObjectives of one data set as one, whose scores of codes (T,) are (T, 2).

    The first may be noisy; the clock is its, too. The second is of the means over seeds. Both have the same
    feasible cells.

    >>> from nasbench import NB201
    >>> bench = NB201()
    >>> accuracy, params = (TableObjective(bench, "cifar10", m) for m in ("val_accuracy", "params"))
    >>> PairObjective(accuracy, params)([0]).tolist()
    [[9.712000000508626, -0.073306]]
    """

    def __init__(self, first, second):
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

    def __call__(self, codes):
        """The scores (T, 2) of codes (T,)."""
        return np.stack([self._first(codes), self._second(codes)], axis=-1)

    def could_give(self, codes, scores):
        """Whether the table has these scores (..., 2) for these codes (...)."""
        of_first = self._first.could_give(codes, scores[..., 0])
        return of_first & self._second.could_give(codes, scores[..., 1])

    @property
    def seconds(self):
        """What an evaluation of each code costs, seconds (N,)."""
        return self._first.seconds


def agrees(objective: TableObjective | PairObjective, history: History) -> bool:
    """Return whether a History has the scores and costs that an objective on a table gives."""
    costs = objective.seconds[history.codes] if objective.has_cost else 0.0
    return bool(objective.could_give(history.codes, history.scores).all() and (history.costs == costs).all())
