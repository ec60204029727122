"""The score of a search as plain values, text and picture."""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nasbench.cell import CELLS, Cell
from nasbench.runs.text import format_rows, format_table
from oneshot.score.equal_cost import EqualCost, SearchComparison
from oneshot.score.ranking import Correlations, Ranking
from oneshot.score.settings import ScoreConfig
from oneshot.search.scorer import METRIC, TEST_METRIC

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class FoundCell:
    """Accuracies and rank of the cell that a search found."""

    #: arch string
    arch: str
    #: official index
    index: int
    #: accuracy of its path in the supernet, percent
    supernet_accuracy: float
    #: validation accuracy in the benchmark, percent
    benchmark_accuracy: float
    #: rank among all cells by validation accuracy; 1 is the best
    rank: int
    #: difference to the best validation accuracy of any cell, percentage points
    regret: float
    #: fraction of all cells with a lower validation accuracy
    share_of_cells_below: float
    #: test accuracy in the benchmark, percent; None if not recorded
    test_accuracy: float | None
    #: rank among all cells by test accuracy; None if not recorded
    test_rank: int | None


@dataclass(frozen=True)
class ScoreResult:
    """Score of a search: its supernet's ranking of cells, its cell, and black-box search at equal cost."""

    #: run folder
    run: str
    #: name of the method
    method: str
    #: data set of the search
    dataset: str
    #: data set in the benchmark
    benchmark: str
    #: epochs of training in the benchmark
    epochs: int
    #: settings of the score
    settings: ScoreConfig
    #: cells that were ranked
    cells: tuple[Cell, ...]
    #: number of validation images used to rank cells
    images: int
    #: ranking of the cells
    ranking: Ranking
    #: rank correlations with test accuracies; None if some are not recorded
    test: Correlations | None
    #: cell that the search found
    found: FoundCell
    #: black-box search at the same cost
    equal_cost: EqualCost
    #: name of the picture in the folder; None without matplotlib
    picture: str | None = None

    def to_json(self) -> dict[str, Any]:  # plain values, nested
        """Return the result as plain values."""
        return {
            "run": self.run,
            "method": self.method,
            "dataset": self.dataset,
            "benchmark": {"dataset": self.benchmark, "metric": METRIC, "epochs": self.epochs},
            "settings": self.settings.to_json(),
            "ranking": {
                "cells": len(self.cells),
                "images": self.images,
                **self.ranking.correlations.to_json(),
                "test": self.test and self.test.to_json(),
            },
            "found": asdict(self.found),
            "equal_cost": {
                **asdict(self.equal_cost),
                "searches": [asdict(search) for search in self.equal_cost.searches],
            },
            "picture": self.picture,
        }

    def points(self) -> dict[str, list[float]]:
        """Return the ranked cells as plain values."""
        return {
            "index": [cell.index for cell in self.cells],
            "supernet_accuracy": self.ranking.supernet.tolist(),
            "benchmark_accuracy": self.ranking.benchmark.tolist(),
        }


def format_result(result: ScoreResult) -> str:
    """Return the result as text."""
    return "\n".join(_lines(result))


def _lines(result: ScoreResult) -> Iterator[str]:
    cells, cell, test = len(result.cells), result.found, result.test
    yield (
        f"{result.method} on {result.dataset}, scored by {result.benchmark} {METRIC} [%],"
        f" {result.epochs} epochs\n"
    )
    yield (
        f"How the supernet ranks cells: {cells:,} sampled with seed {result.settings.seed},"
        f" {result.images:,} validation images"
    )
    yield _format_correlations(result.ranking.correlations)
    if test is not None:
        yield f"by {result.benchmark} {TEST_METRIC} [%], {result.epochs} epochs"
        yield _format_correlations(test)
    yield "\nCell found"
    rows: list[tuple[str, object]] = [
        ("cell", cell.arch),
        ("index", cell.index),
        (
            "in the supernet",
            f"{cell.supernet_accuracy:.2f} % of these images classified correctly along its path",
        ),
        (
            "benchmark",
            f"{cell.benchmark_accuracy:.4f} %, regret {cell.regret:.4f}, rank {cell.rank:,};"
            f" better than {100 * cell.share_of_cells_below:.1f} % of the {CELLS:,} cells",
        ),
    ]
    if cell.test_accuracy is not None:
        rows.append(("", f"{TEST_METRIC} {cell.test_accuracy:.4f} %, rank {cell.test_rank:,}"))
    yield format_rows(rows)
    yield from _cost_lines(result.equal_cost)


def _format_correlations(correlations: Correlations) -> str:
    texts = (
        "-  all accuracies are the same"
        if each.value is None
        else f"{each.value:.3f}  95 % interval {each.low:.3f} to {each.high:.3f}"
        for each in correlations
    )
    return format_rows(zip(("Kendall tau-b", "Spearman rho"), texts, strict=True))


def _cost_lines(cost: EqualCost) -> Iterator[str]:
    yield "\nBlack-box search at equal cost"
    measured = "in the epochs of its log, on the machine of the run" if cost.measured else "as given"
    rows = [("search", f"{cost.seconds:,.0f} s, {measured}")]
    if cost.evaluation_seconds is not None:
        text = f"{cost.evaluation_seconds:,.0f} simulated s, the mean over cells: the cost buys"
        rows.append(("an evaluation", f"{text} {cost.evaluations:,.2f}"))
    if cost.note is not None:
        rows.append(("", cost.note))
    yield format_rows(rows)
    if cost.searches:
        header = ("search", "signal", "trials", "evaluations", "mean ± std [%]", "beaten by the found cell")
        yield "\n" + format_table(header, [_row(search) for search in cost.searches])
    for search in cost.searches:
        if none := search.trials_without_evaluation:
            yield f"{search.algorithm}: {none:,} trials without an evaluation are excluded"


def _row(search: SearchComparison) -> tuple[object, ...]:
    spread = "-" if search.mean is None else f"{search.mean:.3f}"
    spread += "" if search.std is None else f" ± {search.std:.3f}"
    beaten = "-" if search.beaten is None else f"{100 * search.beaten:.1f} %"
    if search.equal:
        beaten += f", equalled by {100 * search.equal:.1f} %"
    return search.algorithm, search.signal, search.trials, f"{search.evaluations:.1f}", spread, beaten


def draw(result: ScoreResult) -> "Figure":
    """Draw the benchmark's accuracy of the cells over the supernet's, with the found cell marked."""
    from matplotlib.figure import Figure

    ranking, cell = result.ranking, result.found
    tau = "constant" if ranking.kendall.value is None else f"Kendall's tau {ranking.kendall.value:.2f}"
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.subplots()
    label = f"{len(ranking.supernet)} sampled cells"
    axes.scatter(ranking.supernet, ranking.benchmark, s=18, alpha=0.6, label=label)
    star: dict[str, Any] = {"s": 140, "marker": "*", "color": "C3", "edgecolors": "black", "linewidths": 0.6}
    axes.scatter(cell.supernet_accuracy, cell.benchmark_accuracy, label="found", zorder=3, **star)
    axes.set_xlabel(f"accuracy of the path in the supernet, {os.path.basename(result.dataset)} [%]")
    axes.set_ylabel(f"{result.benchmark} {METRIC} in the benchmark [%]")
    axes.set_title(f"{result.method}: {tau}")
    axes.grid(alpha=0.3, linewidth=0.5)
    axes.legend(loc="lower right")
    return figure
