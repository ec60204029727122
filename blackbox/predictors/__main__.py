"""The command that compares how well predictors rank cells: `python -m blackbox.predictors`."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from blackbox.errors import BlackboxError, ConfigError
from blackbox.predictors.comparison import ZERO_COST, Correlation, compare
from blackbox.search.space import space_of_table
from blackbox.table.objective import TableObjective
from blackbox.table.settings import LOWER_LIMIT, STORE_HELP, limit_option, parse_limits
from nasbench.benchmark import open_benchmark
from nasbench.errors import NASBenchError
from nasbench.runs.checks import SEEDS
from nasbench.runs.command import Parser, call
from nasbench.runs.files import to_json
from nasbench.runs.settings import Settings, option
from nasbench.runs.text import counted, format_table
from nasbench.spaces import SPACES


@dataclass(frozen=True)
class ComparisonConfig(Settings):
    """The cells and the metric for a comparison of predictors."""

    #: Numbers of training cells, separated by commas.
    cells: str = option("10,30,100,300", "numbers of training cells, separated by commas")
    #: Number of other cells to rank.
    tested: int = option(1000, "number of other cells to rank", at_least=2)
    #: Number of random choices of cells.
    trials: int = option(
        10, "number of random choices of cells, over which mean and standard deviation are taken", at_least=1
    )
    #: Name of the data set.
    dataset: str = option("cifar10", "cifar10, cifar100 or imagenet16-120")
    #: Metric to predict: METRIC, or METRIC@EPOCHS after a shorter protocol.
    metric: str = option(
        "val_accuracy",
        "metric to predict, optionally after a shorter protocol, such as val_accuracy@12",
        metavar="METRIC@EPOCHS",
    )
    #: Flag of the search space; None for the space of the store.
    space: str | None = option(
        None,
        "search space of the table (default: the store's space, or tss)",
        type=str,
        choices=tuple(SPACES),
    )
    #: Random seed.
    seed: int = option(0, "random seed", at_least=0, at_most=SEEDS)
    #: Upper limits on metrics, METRIC=VALUE in the metric's unit; other cells are left out.
    at_most: tuple[str, ...] = limit_option(
        "upper limit on a metric, in its unit, such as params=0.5; cells above it or without a value are left"
        " out; repeat for several metrics"
    )
    #: Lower limits on metrics, in the same form.
    at_least: tuple[str, ...] = limit_option(LOWER_LIMIT)

    def __post_init__(self) -> None:
        if not self.sizes or min(self.sizes) < 2:
            raise ConfigError(f"cells must be integers >= 2, separated by commas; got {self.cells!r}")
        super().__post_init__()
        parse_limits(self.at_most, self.at_least)

    @property
    def sizes(self) -> list[int]:
        """The numbers of training cells, ascending; empty if the text is malformed."""
        try:
            return sorted({int(number) for number in self.cells.split(",")})
        except ValueError:
            return []


class Row(NamedTuple):
    """The rank correlations of a predictor over trials."""

    predictor: str  #: name of the predictor
    cells: int  #: number of training cells
    kendall_mean: float  #: mean of Kendall's tau
    spearman_mean: float  #: mean of Spearman's rho
    kendall_std: float | None  #: standard deviation of Kendall's tau; None for one trial
    spearman_std: float | None  #: standard deviation of Spearman's rho; None for one trial


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = Parser(
        prog="python -m blackbox.predictors",
        description="Rank correlation of predictors with the table, on cells that they were not fitted to.",
    )
    ComparisonConfig.add_flags(parser)
    parser.add_argument("--store", metavar="FILE", help=STORE_HELP)
    parser.add_argument("--json", action="store_true", help="print the correlations as JSON")
    args = parser.parse_args(argv)
    return call(lambda: _report(args), parser.prog, (BlackboxError, NASBenchError))


def _report(args: argparse.Namespace) -> str:
    config = ComparisonConfig.from_flags(args)
    bench = open_benchmark(args.store, config.space)
    space = space_of_table(bench.space)
    where = parse_limits(config.at_most, config.at_least)
    objective = TableObjective(bench, config.dataset, config.metric, where=where)
    cells = int(objective.feasible.sum())
    if config.sizes[-1] + config.tested > cells:
        which = "cells" if cells == space.size else "feasible cells"
        raise ConfigError(
            f"the space has only {cells:,} {which}, got {config.sizes[-1]:,} to fit to and"
            f" {config.tested:,} to rank"
        )
    correlations = compare(bench, objective, space, config.sizes, config.trials, config.tested, config.seed)
    rows = [_row(correlation) for correlation in correlations]
    return to_json([row._asdict() for row in rows]) if args.json else _text(rows, config, objective)


def _row(correlation: Correlation) -> Row:
    kinds = correlation.kendall, correlation.spearman
    means = (float(trials.mean()) for trials in kinds)
    stds = (float(trials.std(ddof=1)) if len(trials) > 1 else None for trials in kinds)
    return Row(correlation.predictor, correlation.cells, *means, *stds)


def _text(rows: Sequence[Row], config: ComparisonConfig, objective: TableObjective) -> str:
    table = [
        (name, cells, _with_spread(kendall, kendall_std), _with_spread(spearman, spearman_std))
        for name, cells, kendall, spearman, kendall_std, spearman_std in rows
    ]
    lines = [
        f"Rank correlation with {config.dataset} {objective.metric} over {config.tested:,} other cells,",
        f"mean and standard deviation over {counted(config.trials, 'trial')}; seed {config.seed}\n",
        format_table(("predictor", "training cells", "Kendall's tau", "Spearman's rho"), table),
    ]
    missing = [metric for metric in ZERO_COST if metric not in {row.predictor for row in rows}]
    if missing:
        lines.append(f"\nskipped, because not recorded for every cell: {', '.join(missing)}")
    return "\n".join(lines)


def _with_spread(mean: float, std: float | None) -> str:
    return f"{mean:.3f}" + ("" if std is None else f" ± {std:.3f}")


if __name__ == "__main__":
    sys.exit(main())
