"""A benchmark's metric as the objective of a search."""

from functools import cached_property

import numpy as np

from blackbox.errors import ConfigError
from blackbox.search import Draws
from nasbench.metrics import metric_of

PROTOCOL = 200  # epochs; what papers report
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
        self.dataset = dataset
        self.metric = metric
        self._benchmark = benchmark
        sign = 1.0 if metric_of(metric).higher_is_better else -1.0
        self.scores = sign * benchmark.by_code(dataset, metric)  # (15625,), means over seeds
        unknown = np.count_nonzero(np.isnan(self.scores))
        if unknown:
            raise ConfigError(
                f"a search needs every cell; this store has no {dataset} {metric} for {unknown:,}"
            )
        self._step = 0
        self._runs = None
        if noise:
            if metric_of(metric).of_the_network:
                raise ConfigError(f"{metric} has no runs with seeds to draw from; leave the noise out")
            seeds = next(r.seeds for r in benchmark.recorded() if r[:3] == (dataset, PROTOCOL, metric))
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
        """Whether the table knows what an evaluation costs."""
        return any(r[:3] == (self.dataset, PROTOCOL, "train_time") for r in self._benchmark.recorded())

    @cached_property
    def seconds(self):
        """What an evaluation of each code costs, (15625,): seconds of training, by the table."""
        return self._benchmark.by_code(self.dataset, "train_time")

    def cost(self, codes):
        """What evaluations of codes (T,) cost, seconds (T,)."""
        return self.seconds.take(codes)
