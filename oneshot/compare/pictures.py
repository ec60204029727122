"""Pictures of a comparison: accuracy of the methods over time, and the architectures found."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nasbench.runs.log import Row, read_log
from oneshot.compare.result import CompareResult
from oneshot.compare.study import Study
from oneshot.draw import figure
from oneshot.draw.render import check
from oneshot.search.record import SEARCH_LOG
from oneshot.search.scorer import METRIC
from oneshot.spaces.registry import get_space

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

ANYTIME = "anytime.png"
_COLUMN = "benchmark_val_accuracy"
_LINES = ("-", "--", ":", "-.")  # line styles of the first ten methods, the next ten, ...
_POINTS = 200  # points of a curve over time


def draw_all(study: Study, result: CompareResult) -> dict[str, "Figure"]:
    """Return the pictures of a comparison by file name; raise MissingDependencyError without matplotlib."""
    check()
    numbers, space = range(len(study.specs)), get_space(study.settings.space)
    figures = {}
    for number, method in zip(numbers, result.methods, strict=True):
        diagrams = [
            diagram._replace(title=f"seed {search.seed}: {diagram.title}")
            for search in method.searches
            for diagram in space.diagrams(space.read(search.architecture))
        ]
        figures[f"cells-{study.slug(number)}.png"] = figure(diagrams, method.label, layout="own")
    logs = [[read_log(study.folder(number, seed), SEARCH_LOG) for seed in study.seeds] for number in numbers]
    if all(row[_COLUMN] is not None for method in logs for log in method for row in log):
        figures[ANYTIME] = draw_anytime(result, logs)
    return figures


def draw_anytime(result: CompareResult, logs: Sequence[Sequence[Sequence[Row]]]) -> "Figure":
    """Draw the accuracy of the currently selected cell over epochs and over seconds of search.

    Curves are means over seeds with a band of one standard deviation; a search that has ended keeps its last
    value. `logs` are the rows of the logs of each method's searches.
    """
    from matplotlib.figure import Figure

    picture = Figure(figsize=(10, 4.6), layout="constrained")
    over_epochs, over_seconds = picture.subplots(1, 2, sharey=True)
    for number, (method, searches) in enumerate(zip(result.methods, logs, strict=True)):
        values = [np.array([row[_COLUMN] for row in log], dtype=np.float64) for log in searches]
        epochs = [np.arange(1.0, len(log) + 1) for log in searches]
        seconds = [np.cumsum([row["seconds"] for row in log]) for log in searches]
        for axes, times in ((over_epochs, epochs), (over_seconds, seconds)):
            _draw_curve(axes, method.label, number, times, values)
    best = result.optimum.get(f"{result.benchmark} {METRIC}")
    for axes, label in ((over_epochs, "epochs"), (over_seconds, "seconds of search")):
        if best is not None:
            axes.axhline(best.mean, color="0.4", linewidth=1, label=f"best cell, {best.mean:.2f} %")
        axes.set_xlabel(label)
        axes.grid(alpha=0.3, linewidth=0.5)
    over_epochs.xaxis.get_major_locator().set_params(integer=True)
    over_epochs.set_ylabel(
        f"{result.benchmark} validation accuracy of the\ncell selected so far, fully trained [%]"
    )
    over_seconds.legend(fontsize=8, loc="lower right")
    seeds = result.settings.seeds
    picture.suptitle(f"mean ± standard deviation of {seeds} seeds" if seeds > 1 else "one seed", fontsize=10)
    return picture


def _draw_curve(
    axes: "Axes", label: str, number: int, times: Sequence[Floats], values: Sequence[Floats]
) -> None:
    """Draw a method's curve, starting when all its searches have completed an epoch."""
    end = max(each[-1] for each in times)
    grid = np.unique(np.concatenate([*times, np.linspace(0, end, _POINTS)]))
    grid = grid[grid >= max(each[0] for each in times)]
    curves = np.array(
        [
            value[np.searchsorted(each, grid, side="right") - 1]
            for each, value in zip(times, values, strict=True)
        ]
    )
    mean, colour = curves.mean(axis=0), f"C{number % 10}"
    axes.step(grid, mean, where="post", color=colour, linestyle=_LINES[number // 10 % 4], label=label)
    axes.plot(grid[-1], mean[-1], "o", color=colour, markersize=4)  # visible even with only one epoch
    if len(curves) > 1:
        std = curves.std(axis=0, ddof=1)
        axes.fill_between(grid, mean - std, mean + std, step="post", color=colour, alpha=0.2, linewidth=0)
