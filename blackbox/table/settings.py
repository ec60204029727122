"""What every search on a table is told beside its own settings, and the flags for it."""

from argparse import ArgumentTypeError
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from blackbox.errors import ConfigError
from blackbox.search.loop import check_limits
from blackbox.table.objective import PairObjective, Signal, TableObjective
from nasbench.benchmark import Benchmark
from nasbench.constraints import (
    AT_LEAST,
    AT_MOST,
    Limits,
    Where,
    as_texts,
    column_of,
    joined,
    named,
    read_limits,
)
from nasbench.metrics import dataset_of
from nasbench.runs.settings import SEEDS, option, whole
from nasbench.spaces import SPACES, space_of

LOWER_LIMIT = "lower limit on a metric, as for --at-most"  # help text

_EVALS = 1000  # Ruchte et al. 2020, NASLib, appendix A.1
_MOST_TRIALS = 100_000  # these take about 5 GB


def seconds(text):
    """A duration such as 20000, 20000s, 90m, 12h or 2d, in seconds."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        return float(number) * unit
    except ValueError:
        raise ArgumentTypeError(f"a duration is such as 20000s, 90m, 12h or 2d, got {text!r}") from None


def limit(text: str) -> Any:
    """Return an option for limits METRIC=VALUE, a tuple of them, with its help text."""
    return option((), text, type=str, metavar="METRIC=VALUE", repeat=True)


@dataclass(frozen=True)
class TableConfig:
    """The table's part of a search, and its trials; a subclass has limits, too."""

    trials: int = option(1, "independent trials")
    space: str | None = option(
        None,
        "; ".join(f"{flag}: {space.summary}" for flag, space in SPACES.items())
        + f" (default: that of the store, or {next(iter(SPACES))})",
        type=str,
        choices=tuple(SPACES),
    )
    dataset: str = option("cifar10", "cifar10, cifar100 or imagenet16-120")
    metric: str = option(
        "val_accuracy",
        "metric to report: value, rank and regret; optionally after a shorter protocol, such as"
        " val_accuracy@12",
        metavar="METRIC@EPOCHS",
    )
    signal: str | None = option(
        None,
        "metric to optimize, maximized or minimized as appropriate, optionally after a shorter protocol, such"
        " as val_accuracy@12 (default: --metric)",
        type=str,
        metavar="METRIC@EPOCHS",
    )
    noise: str = option(
        "mean",
        "an evaluation's signal: the mean over seeds, or that of one recorded seed, drawn",
        choices=("mean", "seed"),
    )
    seed: int = option(0, "of all that is drawn")
    at_most: tuple = limit(
        "upper limit on a metric, in its unit, such as raspi4_latency=10; cells above it or without a value"
        " have the score -inf, and evaluating them takes its usual time; repeat for several metrics"
    )
    at_least: tuple = limit(LOWER_LIMIT)

    def __post_init__(self):
        whole("trials", self.trials, 1, _MOST_TRIALS)
        whole("seed", self.seed, 0, SEEDS)
        dataset_of(self.dataset)
        longest = None if self.space is None else space_of(self.space).full_protocol
        for name, value in short_names(vars(self), longest).items():
            object.__setattr__(self, name, value)
        where_of(self)
        if self.signal is not None:
            Signal.of(self.signal)
        if self.noise not in ("mean", "seed"):
            raise ConfigError(f"noise is mean or seed, got {self.noise!r}")

    def on(self, bench: Benchmark) -> Self:
        """Return the settings with the space and the signal that a search on this Benchmark has."""
        space = bench.space
        signal = Signal.of(self.metric if self.signal is None else self.signal, space.full_protocol)
        return replace(self, space=space.flag, signal=str(signal))


def where_of(settings: TableConfig) -> dict[str, Limits]:
    """Return limits, the `at_most` and `at_least` of settings, as `Benchmark.feasible` takes them."""
    return joined(read_limits(AT_MOST, settings.at_most), read_limits(AT_LEAST, settings.at_least))


def setting_text(value: object) -> str:
    """Return the value of a setting as text; a tuple as its items."""
    return (",".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value)


def short_names(values: Mapping[str, Any], longest: int | None = None) -> dict[str, str | tuple[str, ...]]:
    """Return what names metrics among the values of settings, {name: value}, in its shortest form.

    That is without the epochs of the `longest` protocol, and limits in the order of metrics.
    """
    found = {name: named(values[name], longest) for name in ("metric", "against") if name in values}
    for name, flag in (("at_most", AT_MOST), ("at_least", AT_LEAST)):
        if name in values:
            found[name] = as_texts(read_limits(flag, values[name], longest))
    return found


@dataclass(frozen=True)
class RunConfig(TableConfig):
    """What a search that evaluates cells whole is told beside its own settings."""

    limits = ("evals", "budget")  # what a run that goes on may raise

    evals: int | None = option(
        None, f"evaluations a trial (default: {_EVALS}, or what the budget allows)", type=int
    )
    budget: float | None = option(
        None,
        "simulated time that a trial may spend on training and validation: 20000s, 90m, 12h, 2d",
        type=seconds,
    )

    def __post_init__(self):
        if self.evals is None and self.budget is None:
            object.__setattr__(self, "evals", _EVALS)
        check_limits(self.evals, self.budget)
        super().__post_init__()

    def objective(self, bench, trials=None):
        """What the search maximizes, by the table of a Benchmark; `trials`: their numbers, if not all."""
        return self._first(bench, trials, where_of(self))

    def _first(self, bench: Benchmark, trials: Sequence[int] | None, where: Where) -> TableObjective:
        return TableObjective(
            bench,
            self.dataset,
            self.metric,
            signal=self.signal,
            noise=self.noise == "seed",
            trials=range(self.trials) if trials is None else trials,
            seed=self.seed,
            where=where,
        )


@dataclass(frozen=True)
class PairConfig(RunConfig):
    """What a search with two objectives is told; signal and noise are those of the metric."""

    against: str = option(
        "params",
        "the other objective, such as params, flops, latency or pixel3_latency; cells without a value have"
        " the score -inf",
        metavar="METRIC@EPOCHS",
    )

    def __post_init__(self):
        super().__post_init__()
        if self.against == self.metric:
            raise ConfigError(f"against is another metric than {self.metric}, such as params")

    def objective(self, bench, trials=None):
        """What the search maximizes, a pair, by the table of a Benchmark."""
        where = where_of(self)
        if np.isnan(column_of(bench, self.dataset, self.against)).any():
            where = {self.against: (None, None)} | where  # it must be recorded
        against = TableObjective(bench, self.dataset, self.against, where=where)
        return PairObjective(self._first(bench, trials, where), against)


OF_OBJECTIVES = {1: RunConfig, 2: PairConfig}  # by how many objectives a search has
