"""Scatter plots of proxies against an accuracy."""

from typing import TYPE_CHECKING

import numpy as np

from nasbench.benchmark import Benchmark
from nasbench.cell import OPERATIONS
from oneshot.draw.render import check
from oneshot.proxies.table import ScoreTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCATTER = "scatter.png"
_ACROSS = 4  # panels per row
_METRIC = "val_accuracy"
_COLOURS = ("#999999", "#0072B2", "#E69F00", "#D55E00", "#009E73")  # of OPERATIONS (Okabe & Ito 2008)


def draw_scatter(table: ScoreTable, bench: Benchmark) -> "Figure":
    """Return a plot of each proxy against the validation accuracy, one point per cell.

    Colours show the most frequent operation, the first one if there are several. Raise MissingDependencyError
    if matplotlib is not installed.
    """
    check()
    from matplotlib.figure import Figure

    cells = [architecture.value for architecture in table.architectures]
    accuracies = np.asarray(bench.by_code(table.settings.dataset, _METRIC))[[cell.code for cell in cells]]
    counts = np.array([[cell.ops.count(name) for name in OPERATIONS] for cell in cells])
    most = counts.argmax(1)
    names = [name for name in table.means if name in table.settings.named]
    rows = -(-len(names) // _ACROSS)
    figure = Figure(figsize=(3 * _ACROSS, 2.6 * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, _ACROSS, squeeze=False).flat
    for axis, name in zip(axes, names, strict=False):
        for number, operation in enumerate(OPERATIONS):
            chosen = most == number
            axis.scatter(
                table.means[name][chosen],
                accuracies[chosen],
                s=4,
                color=_COLOURS[number],
                label=operation,
                linewidths=0,
            )
        axis.set_title(name, fontsize=9)
        axis.tick_params(labelsize=7)
    for axis in list(axes)[len(names) :]:
        axis.set_axis_off()
    figure.supylabel(f"{table.settings.dataset} {_METRIC} [%]", fontsize=9)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(OPERATIONS), fontsize=8, markerscale=3
    )
    return figure
