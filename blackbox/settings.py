"""What every search on a table is told beside its own settings, and the flags for it."""

from argparse import ArgumentTypeError
from dataclasses import dataclass

from blackbox.errors import ConfigError
from blackbox.objective import PairObjective, Signal, TableObjective
from blackbox.search import check_limits
from nasbench.config import SEEDS, option, whole
from nasbench.metrics import dataset_of, metric_of
from nasbench.spaces import SPACES, space_of

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
        "val_accuracy", "what is reported, after the longest protocol: value, rank and regret"
    )
    signal: str | None = option(
        None,
        "what the search sees and optimizes, in its better direction: a metric, after a protocol of so many"
        " epochs, such as val_accuracy@12 (default: the metric after the longest protocol)",
        type=str,
        metavar="METRIC@EPOCHS",
    )
    noise: str = option(
        "mean",
        "an evaluation's signal: the mean over seeds, or that of one recorded seed, drawn",
        choices=("mean", "seed"),
    )
    seed: int = option(0, "of all that is drawn")

    def __post_init__(self):
        whole("trials", self.trials, 1, _MOST_TRIALS)
        whole("seed", self.seed, 0, SEEDS)
        dataset_of(self.dataset)
        metric_of(self.metric)
        if self.space is not None:
            space_of(self.space)
        if self.signal is not None:
            Signal.of(self.signal)
        if self.noise not in ("mean", "seed"):
            raise ConfigError(f"noise is mean or seed, got {self.noise!r}")


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
        return TableObjective(
            bench,
            self.dataset,
            self.metric,
            signal=self.signal,
            noise=self.noise == "seed",
            trials=range(self.trials) if trials is None else trials,
            seed=self.seed,
        )


@dataclass(frozen=True)
class PairConfig(RunConfig):
    """What a search with two objectives is told; signal and noise are those of the metric."""

    against: str = option("params", "the other objective, such as params, flops or latency")

    def __post_init__(self):
        super().__post_init__()
        if metric_of(self.against).name == self.metric:
            raise ConfigError(f"against is another metric than {self.metric}, such as params")

    def objective(self, bench, trials=None):
        """What the search maximizes, a pair, by the table of a Benchmark."""
        against = TableObjective(bench, self.dataset, self.against)
        return PairObjective(super().objective(bench, trials), against)


OF_OBJECTIVES = {1: RunConfig, 2: PairConfig}  # by how many objectives a search has
