"""The settings of searches on a table in addition to those of the algorithm, and their flags."""

from abc import ABC, abstractmethod
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, Unpack

import numpy as np

from blackbox.errors import ConfigError
from blackbox.search.loop import check_seconds
from blackbox.table.objective import PairObjective, TableObjective
from blackbox.table.signal import Signal
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
from nasbench.metrics import get_dataset
from nasbench.runs.checks import MANY, SEEDS, Bounds, whole
from nasbench.runs.settings import Settings, option
from nasbench.spaces import SPACES, space_of

if TYPE_CHECKING:
    from blackbox.table.curves import Curves

LOWER_LIMIT = "lower limit on a metric, as for --at-most"  # help text

_EVALS = 1000  # Ruchte et al. 2020, NASLib, appendix A.1
_JOBS = 1000  # about as many as other searches have evaluations by default
_MOST_TRIALS = 100_000  # these take about 5 GB


def parse_seconds(text: str) -> float:
    """Return a duration such as 20000, 20000s, 90m, 12h or 2d in seconds."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        return float(number) * unit
    except ValueError:
        raise ArgumentTypeError(f"a duration is such as 20000s, 90m, 12h or 2d, got {text!r}") from None


def parse_epochs(text: str) -> tuple[int, ...]:
    """Return numbers of epochs between commas."""
    try:
        return tuple(int(epochs) for epochs in text.split(","))
    except ValueError:
        raise ArgumentTypeError(f"fidelities are numbers of epochs, such as 12,200; got {text!r}") from None


def checked_fidelities(fidelities: Sequence[int]) -> tuple[int, ...]:
    """Return numbers of epochs as a tuple; ConfigError or InvalidArgumentError if they are none."""
    if isinstance(fidelities, str) or not len(fidelities):
        raise ConfigError(f"fidelities are numbers of epochs, got {fidelities!r}")
    return tuple(whole("a fidelity", epochs, 1) for epochs in fidelities)


def limit_option(text: str) -> tuple[str, ...]:
    """Return an option for limits METRIC=VALUE, with its help text."""
    limits: tuple[str, ...] = option((), text, type=str, metavar="METRIC=VALUE", repeat=True)
    return limits


def _limit(text: str, kind: Callable[[str], object], **bounds: Unpack[Bounds]) -> Any:
    """Return an option, with its help text, that ends a trial; None if another one does."""
    return option(None, text, type=kind, on_resume="raise", **bounds)


def where_of(at_most: Sequence[str], at_least: Sequence[str]) -> dict[str, Limits]:
    """Return limits METRIC=VALUE as `Benchmark.feasible` takes them."""
    return joined(read_limits(AT_MOST, at_most), read_limits(AT_LEAST, at_least))


def short_names(values: Mapping[str, Any], longest: int | None = None) -> dict[str, str | tuple[str, ...]]:
    """Return the settings that name metrics, of {name: value}, in their shortest form.

    That is without the epochs of the `longest` protocol, and limits in the order of metrics.
    """
    short: dict[str, str | tuple[str, ...]] = {
        name: named(values[name], longest) for name in ("metric", "against") if name in values
    }
    for name, flag in (("at_most", AT_MOST), ("at_least", AT_LEAST)):
        if name in values:
            short[name] = as_texts(read_limits(flag, values[name], longest))
    return short


@dataclass(frozen=True)
class TableConfig(Settings):
    """The table and the trials of a search; a subclass has limits, too."""

    trials: int = option(1, "independent trials", at_least=1, at_most=_MOST_TRIALS)
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
        "value returned by an evaluation: the mean over seeds, or one recorded seed chosen at random",
        choices=("mean", "seed"),
    )
    seed: int = option(0, "random seed", at_least=0, at_most=SEEDS)
    at_most: tuple[str, ...] = limit_option(
        "upper limit on a metric, in its unit, such as raspi4_latency=10; cells above it or without a value"
        " have the score -inf, and evaluating them takes its usual time; repeat for several metrics"
    )
    at_least: tuple[str, ...] = limit_option(LOWER_LIMIT)

    def __post_init__(self) -> None:
        get_dataset(self.dataset)
        longest = None if self.space is None else space_of(self.space).full_protocol
        for name, value in short_names(vars(self), longest).items():
            object.__setattr__(self, name, value)
        where_of(self.at_most, self.at_least)
        if self.signal is not None:
            Signal.parse(self.signal)
        if self.noise not in ("mean", "seed"):
            raise ConfigError(f"noise is mean or seed, got {self.noise!r}")
        super().__post_init__()

    def _check_limits(self, count: str, default: int) -> None:
        """Check the budget; without one, set the default of `count`, the option that also ends a trial."""
        budget = vars(self)["budget"]
        if budget is not None:
            check_seconds("budget", budget)
        elif vars(self)[count] is None:
            object.__setattr__(self, count, default)

    @property
    def where(self) -> dict[str, Limits]:
        """The limits as `Benchmark.feasible` takes them."""
        return where_of(self.at_most, self.at_least)

    def on(self, bench: Benchmark) -> Self:
        """Return the settings with the space and the signal that a search on this Benchmark has."""
        space = bench.space
        signal = Signal.parse(self.metric if self.signal is None else self.signal, space.full_protocol)
        return replace(self, space=space.flag, signal=str(signal))


@dataclass(frozen=True)
class EvaluationsConfig(TableConfig, ABC):
    """The settings of a search that evaluates cells; a subclass builds its objective."""

    evals: int | None = _limit(
        f"evaluations per trial (default: {_EVALS}, or what the budget allows)", int, at_least=1
    )
    budget: float | None = _limit(
        "simulated time that a trial may spend on training and validation: 20000s, 90m, 12h, 2d",
        parse_seconds,
    )

    def __post_init__(self) -> None:
        self._check_limits("evals", _EVALS)
        super().__post_init__()

    @abstractmethod
    def objective(
        self, bench: Benchmark, trials: Sequence[int] | None = None
    ) -> TableObjective | PairObjective:
        """Return what the search maximizes on a Benchmark; `trials`: their numbers, if not all."""

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
class RunConfig(EvaluationsConfig):
    """The settings of a search with one objective."""

    def objective(self, bench: Benchmark, trials: Sequence[int] | None = None) -> TableObjective:
        return self._first(bench, trials, self.where)


@dataclass(frozen=True)
class PairConfig(EvaluationsConfig):
    """The settings of a search with two objectives; signal and noise are those of the metric."""

    against: str = option(
        "params",
        "other objective, such as params, flops, latency or pixel3_latency; cells without a value have"
        " the score -inf",
        metavar="METRIC@EPOCHS",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.against == self.metric:
            raise ConfigError(f"against is another metric than {self.metric}, such as params")

    def objective(self, bench: Benchmark, trials: Sequence[int] | None = None) -> PairObjective:
        where = self.where
        if np.isnan(column_of(bench, self.dataset, self.against)).any():
            where = {self.against: (None, None)} | where  # it must be recorded
        against = TableObjective(bench, self.dataset, self.against, where=where)
        return PairObjective(self._first(bench, trials, where), against)


@dataclass(frozen=True)
class SimulationConfig(TableConfig):
    """The settings of a multi-fidelity search."""

    jobs: int | None = _limit(
        f"jobs that end in a trial (default: {_JOBS}, or what the budget allows)", int, at_least=1
    )
    budget: float | None = _limit(
        "simulated time that a trial takes: 20000s, 90m, 12h, 2d; a job that would end later does not count",
        parse_seconds,
    )
    workers: int = option(
        1,
        "simulated workers; with 1, the clock is that of the single-fidelity searches",
        at_least=1,
        at_most=MANY,
    )
    fidelities: tuple[int, ...] | None = option(
        None,
        "rungs in epochs, such as 12,200 (default: down from the complete learning curve by factors of eta;"
        " without a curve, the protocols in the store)",
        type=parse_epochs,
        metavar="EPOCHS,EPOCHS",
    )
    from_scratch: bool = option(False, "train a promoted cell from the start, not from where it stopped")

    def __post_init__(self) -> None:
        self._check_limits("jobs", _JOBS)
        if self.fidelities is not None:
            object.__setattr__(self, "fidelities", checked_fidelities(self.fidelities))
        super().__post_init__()

    def curves(self, bench: Benchmark) -> "Curves":
        """Return what the search sees and what jobs take, on the table of a Benchmark."""
        from blackbox.table.curves import Curves  # imported here because most searches have none

        return Curves(
            bench,
            self.dataset,
            self.metric,
            signal=self.signal,
            fidelities=self.fidelities,
            from_scratch=self.from_scratch,
            noise=self.noise == "seed",
            seed=self.seed,
            where=self.where,
        )
