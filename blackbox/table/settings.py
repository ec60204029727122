"""The settings of searches on a table, except the algorithm's own, and their flags."""

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
    joined,
    load_column,
    named,
    read_limits,
)
from nasbench.metrics import get_dataset
from nasbench.runs.checks import MANY, SEEDS, Bounds, whole
from nasbench.runs.settings import Settings, option
from nasbench.spaces import SPACES, get_space

if TYPE_CHECKING:
    from blackbox.table.curves import Curves

# help texts
LOWER_LIMIT = "lower limit on a metric, as for --at-most"
STORE_HELP = "store built by `python -m nasbench build` (default: the default store of the space)"

_EVALS = 1000  # Ruchte et al. 2020, NASLib, appendix A.1
_JOBS = 1000  # as many as other searches have evaluations by default
_MOST_TRIALS = 100_000  # these take about 5 GB


def parse_seconds(text: str) -> float:
    """Return a duration such as 20000, 20000s, 90m, 12h or 2d in seconds."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        return float(number) * unit
    except ValueError:
        raise ArgumentTypeError(f"a duration must be like 20000s, 90m, 12h or 2d, got {text!r}") from None


def parse_epochs(text: str) -> tuple[int, ...]:
    """Return comma-separated numbers of epochs."""
    try:
        return tuple(int(epochs) for epochs in text.split(","))
    except ValueError:
        raise ArgumentTypeError(
            f"fidelities must be numbers of epochs, such as 12,200; got {text!r}"
        ) from None


def checked_fidelities(fidelities: Sequence[int]) -> tuple[int, ...]:
    """Return numbers of epochs as a tuple; raise ConfigError or InvalidArgumentError if they are invalid."""
    if isinstance(fidelities, str) or not len(fidelities):
        raise ConfigError(f"fidelities must be numbers of epochs, got {fidelities!r}")
    return tuple(whole("a fidelity", epochs, 1) for epochs in fidelities)


def limit_option(text: str) -> tuple[str, ...]:
    """Return an option for limits METRIC=VALUE with a help text."""
    limits: tuple[str, ...] = option((), text, type=str, metavar="METRIC=VALUE", repeat=True)
    return limits


def _limit(text: str, kind: Callable[[str], object], **bounds: Unpack[Bounds]) -> Any:
    """Return an option with a help text that ends a trial; its default is None, which sets no limit."""
    return option(None, text, type=kind, on_resume="raise", **bounds)


def parse_limits(at_most: Sequence[str], at_least: Sequence[str]) -> dict[str, Limits]:
    """Return limits METRIC=VALUE in the form of `Benchmark.feasible`."""
    return joined(read_limits(AT_MOST, at_most), read_limits(AT_LEAST, at_least))


def short_names(values: Mapping[str, Any], longest: int | None = None) -> dict[str, str | tuple[str, ...]]:
    """Return those settings of {name: value} that name metrics, in their shortest form.

    Metrics lose the epochs of the `longest` protocol, and limits are sorted by metric.
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
    """The table and the trials of a search; a subclass adds limits."""

    #: Number of independent trials.
    trials: int = option(1, "number of independent trials", at_least=1, at_most=_MOST_TRIALS)
    #: Flag of the search space; None for the space of the store.
    space: str | None = option(
        None,
        "; ".join(f"{flag}: {space.summary}" for flag, space in SPACES.items())
        + f" (default: the store's space, or {next(iter(SPACES))})",
        type=str,
        choices=tuple(SPACES),
    )
    #: Name of the data set.
    dataset: str = option("cifar10", "cifar10, cifar100 or imagenet16-120")
    #: Metric to report: METRIC, or METRIC@EPOCHS after a shorter protocol.
    metric: str = option(
        "val_accuracy",
        "metric to report: value, rank and regret; optionally after a shorter protocol, such as"
        " val_accuracy@12",
        metavar="METRIC@EPOCHS",
    )
    #: Metric to optimize, in the same form; None for `metric`.
    signal: str | None = option(
        None,
        "metric to optimize, maximized or minimized as appropriate, optionally after a shorter protocol, such"
        " as val_accuracy@12 (default: --metric)",
        type=str,
        metavar="METRIC@EPOCHS",
    )
    #: Value returned by an evaluation: ``"mean"`` over seeds, or one recorded ``"seed"`` chosen at random.
    noise: str = option(
        "mean",
        "value returned by an evaluation: the mean over seeds, or one recorded seed chosen at random",
        choices=("mean", "seed"),
    )
    #: Random seed.
    seed: int = option(0, "random seed", at_least=0, at_most=SEEDS)
    #: Upper limits on metrics, METRIC=VALUE in the metric's unit; other cells are infeasible.
    at_most: tuple[str, ...] = limit_option(
        "upper limit on a metric, in its unit, such as raspi4_latency=10; cells above it or without a value"
        " score -inf, and evaluating them takes the usual time; repeat for several metrics"
    )
    #: Lower limits on metrics, in the same form.
    at_least: tuple[str, ...] = limit_option(LOWER_LIMIT)

    def __post_init__(self) -> None:
        get_dataset(self.dataset)
        longest = None if self.space is None else get_space(self.space).full_protocol
        for name, value in short_names(vars(self), longest).items():
            object.__setattr__(self, name, value)
        parse_limits(self.at_most, self.at_least)
        if self.signal is not None:
            Signal.parse(self.signal)
        if self.noise not in ("mean", "seed"):
            raise ConfigError(f"noise must be mean or seed, got {self.noise!r}")
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
        """The limits in the form of `Benchmark.feasible`."""
        return parse_limits(self.at_most, self.at_least)

    def on(self, bench: Benchmark) -> Self:
        """Return the settings completed with the space and the signal of a search on a table.

        Parameters
        ----------
        bench
            The table.

        Returns
        -------
        Self
            New settings; `space` and `signal` are not None.
        """
        space = bench.space
        signal = Signal.parse(self.metric if self.signal is None else self.signal, space.full_protocol)
        return replace(self, space=space.flag, signal=str(signal))


@dataclass(frozen=True)
class EvaluationsConfig(TableConfig, ABC):
    """The settings of a search that evaluates cells; a subclass builds its objective."""

    #: Number of evaluations per trial; None if only the budget ends a trial.
    evals: int | None = _limit(
        f"number of evaluations per trial (default: {_EVALS}, or no limit with --budget)", int, at_least=1
    )
    #: Simulated seconds that a trial may spend on training and validation; None for no limit.
    budget: float | None = _limit(
        "simulated time that a trial may spend on training and validation: 20000s, 90m, 12h, 2d",
        parse_seconds,
    )
    #: Warm start, METRIC=N: the N best cells by a metric in the store are evaluated first; None for no warm
    #: start.
    warm_start: str | None = option(
        None,
        "start with the N best cells by a metric in the store, such as synflow=100; only for re, ls, bananas,"
        " gp and tpe",
        type=str,
        metavar="METRIC=N",
    )

    def __post_init__(self) -> None:
        self._check_limits("evals", _EVALS)
        super().__post_init__()
        if self.warm_start is not None:
            self._warm_start()

    def to_json(self) -> dict[str, Any]:
        value = super().to_json()
        if self.warm_start is None:
            del value["warm_start"]
        return value

    def first(self, bench: Benchmark) -> list[int]:
        """Return the codes of the warm start.

        Parameters
        ----------
        bench
            The table.

        Returns
        -------
        list[int]
            Codes, best first; empty without a warm start.

        Raises
        ------
        ConfigError
            If the table has the metric for fewer cells than the warm start needs.
        NotRecordedError
            If the table lacks the metric.
        """
        if self.warm_start is None:
            return []
        signal, count = self._warm_start()
        column = np.asarray(load_column(bench, self.dataset, str(signal)))
        known = np.count_nonzero(~np.isnan(column))
        if known < count:
            raise ConfigError(
                f"warm_start needs {count:,} cells; the store has {self.dataset} {signal} for {known:,}"
            )
        order: list[int] = np.argsort(-column if signal.higher_is_better else column, kind="stable").tolist()
        return order[:count]

    def _warm_start(self) -> tuple[Signal, int]:
        """Return the metric and the number of cells of the warm start."""
        metric, _, count = str(self.warm_start).partition("=")
        if not (count.isdecimal() and 1 <= int(count) <= MANY):
            raise ConfigError(
                f"warm_start must be METRIC=N with N in [1, {MANY:,}], such as synflow=100,"
                f" got {self.warm_start!r}"
            )
        return Signal.parse(metric), int(count)

    @abstractmethod
    def objective(
        self, bench: Benchmark, trials: Sequence[int] | None = None
    ) -> TableObjective | PairObjective:
        """Return the objective of the search on a table.

        Parameters
        ----------
        bench
            The table.
        trials
            Numbers of the trials; None for all.

        Returns
        -------
        TableObjective or PairObjective
            The objective.

        Raises
        ------
        ConfigError, NotRecordedError
            As for `TableObjective`.
        """

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
    """The settings of a search with one objective on a table.

    >>> RunConfig(evals=100, trials=5, metric="test_accuracy").budget is None
    True
    """

    def objective(self, bench: Benchmark, trials: Sequence[int] | None = None) -> TableObjective:
        return self._first(bench, trials, self.where)


@dataclass(frozen=True)
class PairConfig(EvaluationsConfig):
    """The settings of a search with two objectives on a table; signal and noise apply to the first one."""

    #: The second objective: METRIC, or METRIC@EPOCHS after a shorter protocol.
    against: str = option(
        "params",
        "second objective, such as params, flops, latency or pixel3_latency; cells without a value score"
        " -inf",
        metavar="METRIC@EPOCHS",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.against == self.metric:
            raise ConfigError(f"against must differ from the metric {self.metric}; try params")

    def objective(self, bench: Benchmark, trials: Sequence[int] | None = None) -> PairObjective:
        where = self.where
        if np.isnan(load_column(bench, self.dataset, self.against)).any():
            where = {self.against: (None, None)} | where  # it must be recorded
        against = TableObjective(bench, self.dataset, self.against, where=where)
        return PairObjective(self._first(bench, trials, where), against)


@dataclass(frozen=True)
class SimulationConfig(TableConfig):
    """The settings of a multi-fidelity search on a table, with workers on a simulated clock."""

    #: Number of completed jobs per trial; None if only the budget ends a trial.
    jobs: int | None = _limit(
        f"number of completed jobs per trial (default: {_JOBS}, or no limit with --budget)", int, at_least=1
    )
    #: Simulated seconds per trial; None for no limit.
    budget: float | None = _limit(
        "simulated time per trial: 20000s, 90m, 12h, 2d; a job that would end later does not count",
        parse_seconds,
    )
    #: Number of simulated workers.
    workers: int = option(
        1,
        "number of simulated workers; with 1, the clock is the same as in single-fidelity searches",
        at_least=1,
        at_most=MANY,
    )
    #: Rungs in epochs; None to derive them from the learning curve or the protocols in the store.
    fidelities: tuple[int, ...] | None = option(
        None,
        "rungs in epochs, such as 12,200 (default: the length of the learning curve divided by powers of eta;"
        " without a curve, the protocols in the store)",
        type=parse_epochs,
        metavar="EPOCHS,EPOCHS",
    )
    #: Whether a promoted cell is trained from scratch instead of continued.
    from_scratch: bool = option(False, "train promoted cells from scratch instead of continuing them")

    def __post_init__(self) -> None:
        self._check_limits("jobs", _JOBS)
        if self.fidelities is not None:
            object.__setattr__(self, "fidelities", checked_fidelities(self.fidelities))
        super().__post_init__()

    def curves(self, bench: Benchmark) -> "Curves":
        """Return the scores and times of the search's jobs on a table.

        Parameters
        ----------
        bench
            The table.

        Returns
        -------
        Curves
            The objective.

        Raises
        ------
        ConfigError, NotRecordedError
            As for `blackbox.table.curves.Curves`.
        """
        from blackbox.table.curves import Curves  # imported here because most searches need none

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
