"""Compares predictors by how well they rank cells: `python -m blackbox.predictors`."""

import sys
from dataclasses import dataclass

from blackbox.errors import BlackboxError, ConfigError
from blackbox.predictors.comparison import ZERO_COST, compare
from blackbox.search.space import space_of_table
from blackbox.table.objective import TableObjective
from blackbox.table.settings import LOWER_LIMIT, limit_option, where_of
from nasbench.benchmark import open_benchmark
from nasbench.errors import NASBenchError
from nasbench.runs.command import Parser, call, print_json, print_table
from nasbench.runs.settings import SEEDS, add_flags, given, option, whole
from nasbench.spaces import SPACES


@dataclass(frozen=True)
class ComparisonConfig:
    """What predictors are compared on."""

    cells: str = option("10,30,100,300", "how many cells they are fitted to, numbers between commas")
    tested: int = option(1000, "other cells that they rank")
    trials: int = option(10, "draws of cells, over which mean and standard deviation are taken")
    dataset: str = option("cifar10", "cifar10, cifar100 or imagenet16-120")
    metric: str = option(
        "val_accuracy",
        "metric to predict, optionally after a shorter protocol, such as val_accuracy@12",
        metavar="METRIC@EPOCHS",
    )
    space: str | None = option(
        None, "the table's space (default: that of the store, or tss)", type=str, choices=tuple(SPACES)
    )
    seed: int = option(0, "of all that is drawn")
    at_most: tuple = limit_option(
        "upper limit on a metric, in its unit, such as params=0.5; cells above it or without a value are left"
        " out; repeat for several metrics"
    )
    at_least: tuple = limit_option(LOWER_LIMIT)

    def __post_init__(self):
        if not self.sizes or min(self.sizes) < 2:
            raise ConfigError(f"cells are numbers of at least 2 between commas, got {self.cells!r}")
        whole("tested", self.tested, 2)
        whole("trials", self.trials, 1)
        whole("seed", self.seed, 0, SEEDS)
        where_of(self.at_most, self.at_least)

    @property
    def sizes(self):
        try:
            return sorted({int(number) for number in self.cells.split(",")})
        except ValueError:
            return []


def main(argv=None):
    """The command line; returns the exit code."""
    parser = Parser(
        prog="python -m blackbox.predictors",
        description="Rank correlation of predictors with the table, on cells that they have not seen.",
    )
    add_flags(parser, ComparisonConfig)
    parser.add_argument("--store", metavar="FILE", help="a store that `python -m nasbench build` made")
    parser.add_argument("--json", action="store_true", help="print the correlations as JSON")
    args = parser.parse_args(argv)
    return call(lambda: _main(args), parser.prog, (BlackboxError, NASBenchError))


def _main(args):
    config = ComparisonConfig(**given(args, ComparisonConfig))
    bench = open_benchmark(args.store, config.space)
    space = space_of_table(bench.space)
    objective = TableObjective(
        bench, config.dataset, config.metric, where=where_of(config.at_most, config.at_least)
    )
    cells = int(objective.feasible.sum())
    if config.sizes[-1] + config.tested > cells:
        which = "cells" if cells == space.size else "feasible cells"
        raise ConfigError(
            f"the space has {cells:,} {which};"
            f" got {config.sizes[-1]:,} to fit to and {config.tested:,} to rank"
        )
    found = compare(bench, objective, space, config.sizes, config.trials, config.tested, config.seed)
    rows = [
        {
            "predictor": each.predictor,
            "cells": each.cells,
            **{f"{name}_mean": float(values.mean()) for name, values in _measures(each)},
            **{f"{name}_std": _std(values) for name, values in _measures(each)},
        }
        for each in found
    ]
    if args.json:
        print_json(rows)
        return 0
    print(f"Rank correlation with {config.dataset} {objective.metric} over {config.tested:,} cells not seen,")
    print(f"mean and standard deviation over {config.trials:,} trials; seed {config.seed}\n")
    table = [
        (row["predictor"], row["cells"], _shown(row, "kendall"), _shown(row, "spearman")) for row in rows
    ]
    print_table(("predictor", "cells seen", "Kendall's tau", "Spearman's rho"), table)
    missing = [metric for metric in ZERO_COST if metric not in {row["predictor"] for row in rows}]
    if missing:
        print(f"\nnot recorded for every cell, and left out: {', '.join(missing)}")
    return 0


def _measures(correlation):
    return (("kendall", correlation.kendall), ("spearman", correlation.spearman))


def _std(values):
    return float(values.std(ddof=1)) if len(values) > 1 else None


def _shown(row, name):
    spread = row[f"{name}_std"]
    return f"{row[f'{name}_mean']:.3f}" + ("" if spread is None else f" ± {spread:.3f}")


if __name__ == "__main__":
    sys.exit(main())
