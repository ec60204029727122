"""What a search is worth: how its supernet ranks cells, where its cell stands, what else its cost buys."""

import json
import math
import os
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from data.errors import DataError
from nasbench.cell import CELLS, Cell
from nasbench.errors import NASBenchError, NotRecordedError
from nasbench.runs.command import Parser, call, complain, print_json, print_table
from nasbench.runs.files import quoted, replacing
from nasbench.runs.settings import SEEDS, add_flags, given, option, whole
from oneshot.errors import ConfigError, GraphError, MissingDependencyError, OneShotError, RunFolderError
from oneshot.methods.base import at_least
from oneshot.score.equal_cost import at_equal_cost
from oneshot.search import reopen
from oneshot.search.record import SEARCH
from oneshot.spaces.nb201 import NasBench201SearchSpace, fixed_path
from oneshot.training.environment import get_device
from oneshot.training.folder import read_log
from oneshot.training.metrics import evaluate

_PROG = "python -m oneshot.score"
_METRIC, _TEST = "val_accuracy", "test_accuracy"
_LEAST = 10  # cells; intervals of fewer are as wide as there is room
_JSON, _PICTURE = "score.json", "score.png"


@dataclass(frozen=True)
class ScoreConfig:
    """How a search is scored."""

    cells: int = option(100, "distinct cells, drawn from all there are, that the supernet is to rank")
    images: int = option(1000, "validation images that it ranks them by, rounded up to whole batches")
    seed: int = option(0, "of the draw of cells, and of the searches that are compared with")
    cost: float | None = option(
        None, "seconds that the search is taken to have cost (default: those in its log)", type=float
    )
    trials: int = option(500, "of each search that is compared with")

    def __post_init__(self):
        whole("cells", self.cells, _LEAST, CELLS)
        whole("images", self.images, 2)
        whole("seed", self.seed, 0, SEEDS)
        whole("trials", self.trials, 1)
        if self.cost is not None:
            at_least("cost", self.cost, 0, excluded=True)


class Correlation(NamedTuple):
    """A rank correlation and its 95 % confidence interval; None throughout where one side is constant."""

    value: float | None
    low: float | None
    high: float | None


class Ranking(NamedTuple):
    """What a supernet and the benchmark say of the same cells."""

    supernet: np.ndarray  # accuracy in percent, (N,)
    benchmark: np.ndarray  # (N,)
    kendall: Correlation  # tau-b
    spearman: Correlation


def correlation(optimizer, batches, cells, bench, dataset, metric=_METRIC, progress=False):
    """How a supernet ranks cells, beside the benchmark: a Ranking.

    >>> import torch
    >>> from nasbench import NB201
    >>> from oneshot.methods.darts import DARTS
    >>> optimizer = DARTS()
    >>> optimizer.adapt_search_space(NasBench201SearchSpace(channels=2, cells=1))
    >>> batches = [(torch.randn(100, 3, 8, 8), torch.arange(100) % 10)]
    >>> ranking = correlation(optimizer, batches, drawn(10, seed=0), NB201(), "cifar10")
    >>> ranking.supernet.shape, -1 <= ranking.kendall.value <= 1
    ((10,), True)

    `optimizer`: any MetaOptimizer on the space of NAS-Bench-201; a cell is evaluated along its path alone,
    with the shared weights and the batches' own statistics. `batches`: a list of (images, labels); `cells`:
    any names of cells. GraphError for a supernet of another space, ConfigError for too few cells.
    """
    if not isinstance(optimizer.graph, NasBench201SearchSpace):
        raise GraphError(
            f"the supernet is of the space {optimizer.graph.name!r}; the benchmark's is NAS-Bench-201"
        )
    if len(cells) < _LEAST:
        raise ConfigError(f"a rank correlation is of {_LEAST} cells or more, got {len(cells)}")
    benchmark = np.array([bench.query(cell, dataset, metric) for cell in cells])
    hidden = None if progress and sys.stderr else True  # None: hidden unless it is a terminal
    cells = tqdm(cells, desc="supernet", unit=" cells", disable=hidden)
    supernet = np.array([path_accuracy(optimizer, batches, cell) for cell in cells])
    return Ranking(supernet, benchmark, *rank_correlations(supernet, benchmark))


def path_accuracy(optimizer, batches, cell):
    """The accuracy in percent of a supernet along the path of a cell."""
    with fixed_path(optimizer.graph, cell):
        return evaluate(optimizer, batches).accuracy


def rank_correlations(x, y):
    """Kendall's tau-b and Spearman's rho of two columns, each a Correlation.

    Intervals: by Fisher's transformation, with the variances of Bonett & Wright 2000, Psychometrika 65.
    """
    try:
        from scipy.stats import kendalltau, spearmanr
    except ImportError:
        raise MissingDependencyError("rank correlations need scipy: pip install scipy") from None

    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return Correlation(None, None, None), Correlation(None, None, None)
    tau, rho = float(kendalltau(x, y).statistic), float(spearmanr(x, y).statistic)
    return _interval(tau, 0.437 / (len(x) - 4)), _interval(rho, (1 + rho**2 / 2) / (len(x) - 3))


def _interval(value, variance):
    if abs(value) > 1 - 1e-12:
        return Correlation(*[math.copysign(1.0, value)] * 3)
    reach = 1.959964 * math.sqrt(variance)  # the normal distribution's 97.5 % quantile
    return Correlation(value, *(math.tanh(math.atanh(value) + sign * reach) for sign in (-1, 1)))


def drawn(count, seed):
    """Distinct cells, drawn uniformly, a list."""
    codes = np.random.default_rng(seed).choice(CELLS, count, replace=False)
    return [Cell(int(code)) for code in codes]


# The command


def score(path, config=None, *, device=None, store=None, folder=None, against=None, progress=False):
    """Score the finished run in a folder; returns (summary, Ranking), and saves both with a picture there.

    `against`: the folder of a black-box search to compare with, instead of searches that are run for it.
    """
    config = ScoreConfig() if config is None else config
    run = reopen(path, device=str(get_device(device)), store=store, folder=folder)
    if not run.complete:
        raise RunFolderError(
            f"{path} is not finished: {run.epoch:,} of {run.config.epochs:,} epochs;"
            f" go on with: python -m oneshot.search --resume {quoted(path)}"
        )
    if run.scorer is None:
        raise ConfigError(
            f"no benchmark has the architectures of {run.settings.space}; python -m oneshot.retrain"
            f" {quoted(path)} trains the one that was found"
        )
    bench, dataset, found = run.scorer.bench, run.scorer.dataset, run.architecture
    cells = drawn(config.cells, config.seed)
    _check_recorded(bench, dataset, [found, *cells])
    scores = run.scorer.scores(found)
    value = scores.benchmark_val_accuracy
    spent = sum(row["seconds"] for row in read_log(path, SEARCH)) + run.concluding
    equal_cost = at_equal_cost(value, config, spent, bench, dataset, against)  # before long work: it may fail
    batches = list(islice(run.val_loader(), -(-config.images // run.config.batch)))
    ranking = correlation(run.optimizer, batches, cells, bench, dataset, progress=progress)
    summary = {
        "run": str(path),
        "method": run.optimizer.name,
        "dataset": run.settings.dataset,
        "benchmark": {"dataset": dataset, "metric": _METRIC, "epochs": bench.space.full_protocol},
        "settings": asdict(config),
        "ranking": {
            "cells": config.cells,
            "images": sum(len(labels) for _, labels in batches),
            "kendall": ranking.kendall._asdict(),
            "spearman": ranking.spearman._asdict(),
            "test": _test_ranking(ranking.supernet, bench, dataset, cells),
        },
        "found": {
            "arch": str(found),
            "index": found.index,
            "supernet_accuracy": path_accuracy(run.optimizer, batches, found),
            "benchmark_accuracy": value,
            "rank": scores.rank,
            "regret": scores.regret,
            "share_of_cells_below": float((bench.by_code(dataset, _METRIC) < value).mean()),
            "test_accuracy": scores.benchmark_test_accuracy,
            "test_rank": scores.test_rank,
        },
        "equal_cost": equal_cost,
    }
    summary["picture"] = _save(Path(path), summary, ranking, cells)
    return summary, ranking


def _check_recorded(bench, dataset, cells):
    """Raise ConfigError unless the table has the accuracies of these cells."""
    table = bench.store.path
    try:
        column = bench.by_code(dataset, _METRIC)
    except NotRecordedError as error:
        raise ConfigError(f"{table} cannot score a search: {error}; try another --store") from None
    unknown = np.isnan(column[[cell.code for cell in cells]]).sum()
    if unknown:
        known = np.count_nonzero(~np.isnan(column))
        raise ConfigError(
            f"{table} cannot score a search: it has no {dataset} {_METRIC} for {unknown:,} of the"
            f" {len(cells):,} cells needed, only for {known:,} of all {CELLS:,}; try another --store"
        )


def _test_ranking(supernet, bench, dataset, cells):
    """Return the rank correlations with the test accuracies of cells, a dict; None if one is not recorded."""
    with suppress(NotRecordedError):
        column = bench.by_code(dataset, _TEST)[[cell.code for cell in cells]]
        if not np.isnan(column).any():
            kendall, spearman = rank_correlations(supernet, column)
            return {"kendall": kendall._asdict(), "spearman": spearman._asdict()}
    return None


def _save(path, summary, ranking, cells):
    """Write score.json and the picture; returns the picture's name, None without matplotlib."""
    picture = None
    with suppress(ImportError):
        figure = draw(summary, ranking)
        _replace(path / _PICTURE, lambda temporary: figure.savefig(temporary, format="png", dpi=150))
        picture = _PICTURE
    points = {
        "index": [cell.index for cell in cells],
        "supernet_accuracy": ranking.supernet.tolist(),
        "benchmark_accuracy": ranking.benchmark.tolist(),
    }
    text = json.dumps(summary | {"picture": picture, "points": points}, indent=2) + "\n"
    _replace(path / _JSON, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return picture


def _replace(path, write):
    try:
        with replacing(path) as temporary:
            write(temporary)
    except OSError as error:
        raise RunFolderError(f"cannot write {path}: {error.strerror}") from None


def draw(summary, ranking):
    """A picture: the benchmark's accuracy of the cells over the supernet's, the found cell marked."""
    from matplotlib.figure import Figure

    found, kendall = summary["found"], summary["ranking"]["kendall"]["value"]
    tau = "constant" if kendall is None else f"Kendall's tau {kendall:.2f}"
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.subplots()
    axes.scatter(
        ranking.supernet, ranking.benchmark, s=18, alpha=0.6, label=f"{len(ranking.supernet)} cells drawn"
    )
    axes.scatter(
        [found["supernet_accuracy"]],
        [found["benchmark_accuracy"]],
        s=140,
        marker="*",
        color="C3",
        edgecolors="black",
        linewidths=0.6,
        label="found",
        zorder=3,
    )
    axes.set_xlabel(f"accuracy of the path in the supernet, {os.path.basename(summary['dataset'])} [%]")
    axes.set_ylabel(f"{summary['benchmark']['dataset']} {_METRIC} in the benchmark [%]")
    axes.set_title(f"{summary['method']}: {tau}")
    axes.grid(alpha=0.3, linewidth=0.5)
    axes.legend(loc="lower right")
    return figure


def print_summary(summary):
    """The findings as text."""
    benchmark, ranking, found = summary["benchmark"], summary["ranking"], summary["found"]
    by = f"{benchmark['dataset']} {benchmark['metric']} [%], {benchmark['epochs']} epochs"
    print(f"{summary['method']} on {summary['dataset']}, scored by {by}\n")
    print(
        f"How the supernet ranks cells: {ranking['cells']:,} drawn with seed {summary['settings']['seed']},"
        f" {ranking['images']:,} validation images"
    )
    _print_correlations(ranking)
    if ranking["test"] is not None:
        print(f"by {benchmark['dataset']} {_TEST} [%], {benchmark['epochs']} epochs")
        _print_correlations(ranking["test"])
    print("\nWhat it found")
    rows = [
        ("cell", found["arch"]),
        ("index", found["index"]),
        ("in the supernet", f"{found['supernet_accuracy']:.2f} % of these images right along its path"),
        (
            "benchmark",
            f"{found['benchmark_accuracy']:.4f} %, regret {found['regret']:.4f}, rank {found['rank']:,};"
            f" better than {100 * found['share_of_cells_below']:.1f} % of the {CELLS:,} cells",
        ),
    ]
    if found["test_accuracy"] is not None:
        rows.append(("", f"{_TEST} {found['test_accuracy']:.4f} %, rank {found['test_rank']:,}"))
    for name, text in rows:
        print(f"{name:<15} {text}")
    _print_cost(summary["equal_cost"])


def _print_correlations(ranking):
    for name, key in (("Kendall tau-b", "kendall"), ("Spearman rho", "spearman")):
        value, low, high = ranking[key].values()
        text = (
            "-  all accuracies are the same"
            if value is None
            else f"{value:.3f}  95 % interval {low:.3f} to {high:.3f}"
        )
        print(f"{name:<15} {text}")


def _print_cost(cost):
    print("\nBlack-box search at equal cost")
    measured = "in the epochs of its log, on the machine of the run" if cost["measured"] else "as told"
    print(f"{'search':<15} {cost['seconds']:,.0f} s, {measured}")
    if cost["evaluation_seconds"] is not None:
        print(
            f"{'an evaluation':<15} {cost['evaluation_seconds']:,.0f} simulated s, the mean over cells:"
            f" the cost buys {cost['evaluations']:,.2f}"
        )
    if cost["note"] is not None:
        print(f"{'':<15} {cost['note']}")
    if cost["searches"]:
        print()
        header = ("search", "signal", "trials", "evaluations", "mean ± std [%]", "beaten by the found cell")
        print_table(header, [_row(search) for search in cost["searches"]])
    for search in cost["searches"]:
        if none := search["trials_without_evaluation"]:
            print(f"{search['algorithm']}: {none:,} trials came to no evaluation, and are left out")


def _row(search):
    spread = "-" if search["mean"] is None else f"{search['mean']:.3f}"
    spread += "" if search["std"] is None else f" ± {search['std']:.3f}"
    beaten = "-" if search["beaten"] is None else f"{100 * search['beaten']:.1f} %"
    if search["equal"]:
        beaten += f", equalled by {100 * search['equal']:.1f} %"
    return (
        search["algorithm"],
        search["signal"],
        search["trials"],
        f"{search['evaluations']:.1f}",
        spread,
        beaten,
    )


def main(argv=None):
    """The command line; returns the exit code."""
    parser = Parser(
        prog=_PROG,
        description="Score a finished search: how its supernet ranks cells, where the cell that it found"
        " stands in the benchmark, and what black-box search finds for the same cost.",
    )
    parser.add_argument(
        "run", metavar="FOLDER", help="of the search, which python -m oneshot.search --out made"
    )
    add_flags(parser, ScoreConfig)
    parser.add_argument(
        "--against",
        metavar="FOLDER",
        help="of a black-box search to compare with (default: blackbox.rs and blackbox.re are run)",
    )
    parser.add_argument("--device", help="cpu, cuda or cuda:N (default: cuda where there is one, else cpu)")
    parser.add_argument(
        "--store", metavar="FILE", help="the table (default: the one that the run was scored by)"
    )
    parser.add_argument(
        "--folder", help="where the data sets' archives are (default: where the run found them)"
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    args = parser.parse_args(argv)
    return call(lambda: _score(args), _PROG, (OneShotError, NASBenchError, DataError))


def _score(args):
    summary, _ = score(
        args.run,
        ScoreConfig(**given(args, ScoreConfig)),
        device=args.device,
        store=args.store,
        folder=args.folder,
        against=args.against,
        progress=True,
    )
    if args.json:
        print_json(summary)
    else:
        print_summary(summary)
        print(f"\nsaved in {args.run}: {_JSON}" + (f", {_PICTURE}" if summary["picture"] else ""))
    if not summary["picture"]:
        complain("no picture: it needs matplotlib: pip install matplotlib")
    return 0


if __name__ == "__main__":
    sys.exit(main())
