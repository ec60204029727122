"""The base class of objectives on a table: metric, signal, feasible cells, runs per seed and times."""

import math
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from blackbox.errors import ConfigError
from blackbox.search.scores import FAILED
from blackbox.table.signal import Signal
from nasbench.arrays import Mask, Scores, Seconds
from nasbench.benchmark import Benchmark
from nasbench.constraints import Where, named
from nasbench.errors import NotRecordedError
from nasbench.metrics import METRICS, UNKNOWN_SEED
from nasbench.runs.text import counted

NOISE = 100  # the purpose of the stream; searches number theirs from 0


class SignalTable:
    """A metric of all cells on one data set, and the signal that a search optimizes instead of it.

    Scores are values, negated if lower is better, and -inf for infeasible cells.

    Parameters
    ----------
    benchmark
        The table.
    dataset
        Name of the data set, such as ``"cifar10"``.
    metric
        The metric to report: ``"METRIC"``, or ``"METRIC@EPOCHS"`` after a shorter protocol.
    signal
        The metric to optimize, in the same form; None for `metric`.
    where
        Limits as for ``Benchmark.feasible``; None if all cells are feasible.
    """

    def __init__(
        self, benchmark: Benchmark, dataset: str, metric: str, signal: str | None, where: Where | None
    ) -> None:
        longest = benchmark.space.full_protocol
        self.dataset = dataset
        self.target = Signal.parse(metric, longest)
        self.metric = named(metric, longest)
        self.signal = self.target if signal is None else Signal.parse(signal, longest)
        self.sees_the_metric = self.signal == self.target
        self.where = where
        self.feasible = (  # (N,)
            benchmark.feasible(dataset, where) if where else np.ones(benchmark.space.cells, dtype=np.bool_)
        )
        self._benchmark = benchmark

    def _scores(self, signal: Signal) -> Scores:
        """Return a signal of all cells as scores, (N,); raise an error if a feasible cell has none."""
        scores = self._signed(signal, signal.protocol)
        lowest = math.floor(np.nanmin(scores if signal.higher_is_better else -scores, initial=0.0))
        hint = f"; try --at-least {signal}={lowest}, which excludes them"
        return self._complete(scores, str(signal), hint)

    def _target_scores(self) -> Scores:
        """Return the metric of all cells as scores, (N,); an error lists the recorded metrics."""
        try:
            return self._scores(self.target)
        except NotRecordedError as error:
            raise NotRecordedError(f"{error}; try {self._recorded_alternatives()}") from None

    def _signed(
        self, signal: Signal, protocol: int | None, epoch: int | None = None, seed: int | None = None
    ) -> Scores:
        """Return a signal's metric as scores, (N,), at an epoch or the last one; NaN if not recorded."""
        column = self._column(signal.metric, protocol, epoch, seed)
        return column if signal.higher_is_better else -column

    def _column(
        self, metric: str, protocol: int | None, epoch: int | None = None, seed: int | None = None
    ) -> NDArray[np.float64]:
        return self._benchmark.by_code(self.dataset, metric, protocol=protocol, epoch=epoch, seed=seed)

    def _complete(self, scores: Scores, name: str, hint: str = "") -> Scores:
        """Return scores (N,), -inf for infeasible cells; raise ConfigError if a feasible cell has NaN."""
        self._require(~np.isnan(scores) | ~self.feasible, name, hint=hint)
        return scores if self.feasible.all() else np.where(self.feasible, scores, FAILED)

    def _require(self, known: Mask, name: str, user: str = "a search", hint: str = "") -> None:
        """Raise ConfigError unless `known` (N,) is true for all cells."""
        unknown = int(np.count_nonzero(~known))
        if unknown:
            raise ConfigError(
                f"{user} needs every cell; this store lacks {self.dataset} {name}"
                f" for {counted(unknown, 'cell')}{hint}"
            )

    def _runs(self, protocol: int | None, epoch: int | None = None) -> tuple[Scores, NDArray[np.intp]]:
        """Return the signal per seed: scores (N, S), recorded ones first, and the numbers of these (N,).

        Raise ConfigError if there are no seeds to choose from, because the signal is a metric of the network
        or only its mean over seeds is recorded.
        """
        seeds = self._seeds(protocol)
        runs = np.stack([self._signed(self.signal, protocol, epoch, seed) for seed in seeds], axis=1)
        recorded = ~np.isnan(runs)
        order = np.argsort(~recorded, axis=1, kind="stable")  # the recorded runs, then the others
        runs = np.take_along_axis(runs, order, axis=1)
        runs[~self.feasible] = FAILED
        return runs, recorded.sum(axis=1)

    def _seeds(self, protocol: int | None) -> tuple[int, ...]:
        metric = self.signal.metric
        if self.signal.of_the_network:
            raise ConfigError(f"noise seed needs values per seed, but {metric} has none; try --noise mean")
        recorded = self._benchmark.recorded()
        seeds = next(r.seeds for r in recorded if r.seeds and r[:3] == (self.dataset, protocol, metric))
        if seeds == (UNKNOWN_SEED,):
            raise ConfigError(
                f"noise seed needs values per seed; the table has only the mean over seeds of {self.dataset}"
                f" {metric}@{protocol}; try --noise mean"
            )
        return seeds

    def _with_validation(self, seconds: Seconds, protocol: int | None, epoch: int | None = None) -> Seconds:
        """Return seconds (N,) plus one pass over the validation images if the table records it."""
        with suppress(NotRecordedError):
            validation = self._column("val_time", protocol, epoch)
            if not np.isnan(validation).all():
                return seconds + validation
        return seconds

    def _recorded_alternatives(self) -> str:
        """Return options that select what is recorded instead of the metric."""
        every = self._benchmark.recorded()
        recorded = [r for r in every if r.dataset == self.dataset]
        same = [r for r in recorded if r.metric == self.target.metric]
        known = same or [r for r in recorded if METRICS[r.metric].kind == "accuracy"] or recorded
        if not known:
            return f"--dataset {' or '.join(dict.fromkeys(r.dataset for r in every))}"
        return f"--metric {' or '.join(dict.fromkeys(str(Signal(r.metric, r.protocol)) for r in known))}"
