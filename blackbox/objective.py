"""A benchmark's metric as the objective of a search."""

import numpy as np

from blackbox.errors import ConfigError
from blackbox.search import Draws
from nasbench.metrics import metric_of

_NOISE = 100  # the purpose of the stream; searches number theirs from 0


class TableObjective:
    """A metric after the last of 200 epochs as scores of codes; negated where lower is better.

    The score is the mean over the recorded seeds; with `noise`, that of one recorded seed, drawn for each
    evaluation: what a real search sees. `cost` is the simulated training time.

    >>> from nasbench import NB201, Cell
    >>> objective = TableObjective(NB201(), "cifar10", "val_accuracy")
    >>> objective([Cell.from_index(6111).code]).tolist()
    [91.60666665039064]
    """

    def __init__(self, benchmark, dataset, metric, *, noise=False, trials=(0,), seed=0):
        """`trials` and `seed`: those of the search that asks; only the noise depends on them."""
        sign = 1.0 if metric_of(metric).higher_is_better else -1.0
        self.scores = sign * benchmark.by_code(dataset, metric)  # (15625,), means over seeds
        unknown = np.count_nonzero(np.isnan(self.scores))
        if unknown:
            raise ConfigError(
                f"a search needs every cell; this store has no {dataset} {metric} for {unknown:,}"
            )
        self._seconds = None
        self._seconds_of = benchmark, dataset
        self._step = 0
        self._runs = None
        if noise:
            if metric_of(metric).of_the_network:
                raise ConfigError(f"{metric} has no runs with seeds to draw from; leave the noise out")
            seeds = next(r.seeds for r in benchmark.recorded() if r[:3] == (dataset, 200, metric))
            runs = np.stack([sign * benchmark.by_code(dataset, metric, seed=s) for s in seeds], axis=1)
            recorded = ~np.isnan(runs)
            first = np.argsort(~recorded, axis=1, kind="stable")  # the recorded runs, then the others
            self._runs = np.take_along_axis(runs, first, axis=1)
            self._counts = recorded.sum(axis=1)
            self._uniform = Draws(seed, trials, _NOISE, lambda rng, steps: rng.random(steps))

    def __call__(self, codes):
        """The scores (T,) of codes (T,)."""
        if self._runs is None:
            return self.scores.take(codes)
        run = (self._uniform.at(self._step) * self._counts.take(codes)).astype(np.intp)
        self._step += 1
        return self._runs[codes, run]

    def skip(self, steps):
        """Leave out the draws of steps that an earlier run has made."""
        self._step += steps

    def cost(self, codes):
        """Seconds of training (T,) that the table gives for codes (T,)."""
        if self._seconds is None:
            benchmark, dataset = self._seconds_of
            self._seconds = benchmark.by_code(dataset, "train_time")
        return self._seconds.take(codes)
