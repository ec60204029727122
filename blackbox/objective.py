"""A benchmark's table as the objective of a search: what it sees, what counts, and what it costs."""

from contextlib import suppress
from functools import cached_property
from typing import NamedTuple

import numpy as np

from blackbox.errors import ConfigError
from blackbox.search import Draws
from nasbench.errors import NotRecordedError
from nasbench.metrics import metric_of

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
        metric, at, epochs = text.partition("@") if isinstance(text, str) else ("", "", "")
        if not metric or (at and not (epochs.isdecimal() and len(epochs) < 10)):
            raise ConfigError(
                f"a signal is METRIC@EPOCHS, or METRIC after the longest protocol, got {text!r};"
                " what would do: val_accuracy@12"
            )
        if not metric_of(metric).of_the_network:
            return cls(metric, int(epochs) if at else longest)
        if at:
            raise ConfigError(f"{metric} belongs to the network: it has no epochs, got {text!r}")
        return cls(metric, None)

    def __str__(self):
        return self.metric if self.protocol is None else f"{self.metric}@{self.protocol}"


class TableObjective:
    """A signal as scores of codes, negated where lower is better, and what each evaluation costs.

    The score is the mean over the recorded seeds; with `noise`, that of one recorded seed, drawn for each
    evaluation: what a real search sees. What counts in the end, `targets`, is the metric after the longest
    protocol, the mean over seeds; it is also the signal where none is given.

    >>> from nasbench import NB201, Cell
    >>> objective = TableObjective(NB201(), "cifar10", "val_accuracy")
    >>> objective([Cell.from_index(6111).code]).tolist()
    [91.60666665039064]

    Signal and clock: Dong et al. 2021, NATS-Bench, arXiv:2009.00437.
    """

    def __init__(self, benchmark, dataset, metric, *, signal=None, noise=False, trials=(0,), seed=0):
        """`signal`: a text for `Signal.of`; `trials` and `seed`: those of the search, for the noise alone."""
        longest = benchmark.space.full_protocol
        metric_of(metric)
        target = Signal.of(metric, longest)
        self.dataset = dataset
        self.metric = metric
        self.signal = target if signal is None else Signal.of(signal, longest)
        self.sees_the_metric = self.signal == target
        self._benchmark = benchmark
        self.targets = self._of_every_cell(target)  # (N,)
        self.scores = self.targets if self.sees_the_metric else self._of_every_cell(self.signal)  # (N,)
        self._step = 0
        self._runs = None
        if noise:
            seeds = self._seeds()
            runs = np.stack([self._column(self.signal, s) for s in seeds], axis=1)
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
        return self._complete(seconds, "time of an evaluation")

    def cost(self, codes):
        """What evaluations of codes (T,) cost, seconds (T,)."""
        return self.seconds.take(codes)

    def _column(self, signal, seed=None):
        """A signal as scores, (N,)."""
        column = self._benchmark.by_code(self.dataset, signal.metric, protocol=signal.protocol, seed=seed)
        return column if metric_of(signal.metric).higher_is_better else -column

    def _of_every_cell(self, signal):
        return self._complete(self._column(signal), signal)

    def _complete(self, column, what):
        unknown = np.count_nonzero(np.isnan(column))
        if unknown:
            raise ConfigError(
                f"a search needs every cell; this store has no {self.dataset} {what} for {unknown:,}"
            )
        return column

    def _seeds(self):
        """The seeds that the signal is recorded with."""
        metric, protocol = self.signal
        if metric_of(metric).of_the_network:
            raise ConfigError(f"{metric} has no runs with seeds to draw from; leave the noise out")
        return next(r.seeds for r in self._benchmark.recorded() if r[:3] == (self.dataset, protocol, metric))


class PairObjective:
    """Two TableObjectives of one data set as one, whose scores of codes (T,) are (T, 2).

    The first may be noisy; the clock is its, too. The second is of the means over seeds.

    >>> from nasbench import NB201
    >>> bench = NB201()
    >>> accuracy, params = (TableObjective(bench, "cifar10", m) for m in ("val_accuracy", "params"))
    >>> PairObjective(accuracy, params)([0]).tolist()
    [[9.712000000508626, -0.073306]]
    """

    def __init__(self, first, second):
        self.dataset = first.dataset
        self.metrics = first.metric, second.metric
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
