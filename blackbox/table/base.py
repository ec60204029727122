"""What the objectives on a table have in common: metric, signal, feasible cells, runs by seed and times."""

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

NOISE = 100  # the purpose of the stream; searches number theirs from 0


class SignalTable:
    """A metric of all cells of one data set, and the signal of it that a search sees.

    Scores are negated values if lower is better, and -inf for cells that are not feasible.

    Parameters
    ----------
    benchmark
        The table.
    dataset
        Such as ``"cifar10"``.
    metric
        What counts in the end: METRIC, or METRIC@EPOCHS after a shorter protocol.
    signal
        What the search sees, of the same form; None for the metric.
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
        """Return a signal of all cells as scores, (N,); an error if a feasible cell has none."""
        hint = f"; try --at-least {signal}=0, which leaves them out"
        return self._complete(self._signed(signal, signal.protocol), str(signal), hint)

    def _target_scores(self) -> Scores:
        """Return the metric of all cells as scores, (N,); an error if it is not recorded names what is."""
        try:
            return self._scores(self.target)
        except NotRecordedError as error:
            raise NotRecordedError(f"{error}; try {self._recorded_alternatives()}") from None

    def _signed(
        self, signal: Signal, protocol: int | None, epoch: int | None = None, seed: int | None = None
    ) -> Scores:
        """Return a signal's metric as scores, (N,), at an epoch or the last; NaN if not recorded."""
        column = self._column(signal.metric, protocol, epoch, seed)
        return column if signal.higher_is_better else -column

    def _column(
        self, metric: str, protocol: int | None, epoch: int | None = None, seed: int | None = None
    ) -> NDArray[np.float64]:
        return self._benchmark.by_code(self.dataset, metric, protocol=protocol, epoch=epoch, seed=seed)

    def _complete(self, scores: Scores, name: str, hint: str = "") -> Scores:
        """Return scores (N,), -inf for cells that are not feasible; ConfigError if a feasible one has NaN."""
        self._require(~np.isnan(scores) | ~self.feasible, name, hint=hint)
        return scores if self.feasible.all() else np.where(self.feasible, scores, FAILED)

    def _require(self, known: Mask, name: str, user: str = "a search", hint: str = "") -> None:
        """Raise ConfigError unless something is known of all cells, (N,)."""
        unknown = np.count_nonzero(~known)
        if unknown:
            raise ConfigError(
                f"{user} needs every cell; this store has no {self.dataset} {name} for {unknown:,}{hint}"
            )

    def _runs(self, protocol: int | None, epoch: int | None = None) -> tuple[Scores, NDArray[np.intp]]:
        """Return the signal by seed: scores (N, S), the recorded ones first, and their numbers (N,).

        ConfigError if there are no seeds to draw from, because the signal belongs to the network or only its
        mean over seeds is recorded.
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
            raise ConfigError(f"{metric} has no runs with seeds to draw from; leave the noise out")
        recorded = self._benchmark.recorded()
        seeds = next(r.seeds for r in recorded if r.seeds and r[:3] == (self.dataset, protocol, metric))
        if seeds == (UNKNOWN_SEED,):
            raise ConfigError(
                f"noise seed needs values per seed; the table has only the mean over seeds of {self.dataset}"
                f" {metric}@{protocol}; try --noise mean"
            )
        return seeds

    def _with_validation(self, seconds: Seconds, protocol: int | None, epoch: int | None = None) -> Seconds:
        """Return seconds (N,) with those of one pass over the validation images if the table has them."""
        with suppress(NotRecordedError):
            validation = self._column("val_time", protocol, epoch)
            if not np.isnan(validation).all():
                return seconds + validation
        return seconds

    def _recorded_alternatives(self) -> str:
        """Return options that name what is recorded instead of the metric."""
        every = self._benchmark.recorded()
        recorded = [r for r in every if r.dataset == self.dataset]
        same = [r for r in recorded if r.metric == self.target.metric]
        known = same or [r for r in recorded if METRICS[r.metric].kind == "accuracy"] or recorded
        if not known:
            return f"--dataset {' or '.join(dict.fromkeys(r.dataset for r in every))}"
        return f"--metric {' or '.join(dict.fromkeys(str(Signal(r.metric, r.protocol)) for r in known))}"
