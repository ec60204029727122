"""Pictures of a search: alphas over time, the found cell's worth over time, and the cell as a graph."""

import io
from typing import NamedTuple

import numpy as np

from nasbench.cell import EDGES
from oneshot.errors import MissingDependencyError

ALPHAS, ANYTIME, CELL = "alphas.png", "anytime.png", "cell.png"
_PALETTE = {  # of the operations, told apart by colour-blind eyes too (Okabe & Ito 2008)
    "none": "#999999",
    "skip_connect": "#0072B2",
    "nor_conv_1x1": "#E69F00",
    "nor_conv_3x3": "#D55E00",
    "avg_pool_3x3": "#009E73",
}
_FURTHER = ("#CC79A7", "#56B4E9", "#F0E442", "#000000")  # of operations that are not named above
_SPACING = 1.4  # of a cell's nodes, which stand in a row
_BENDS = {(0, 2): -0.42, (1, 3): 0.42, (0, 3): -0.52}  # of arrows past a node; the others are straight


def check():
    """MissingDependencyError unless pictures can be drawn."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingDependencyError("pictures need matplotlib: pip install matplotlib") from None


class Alphas(NamedTuple):
    """What a method learned of each edge's candidates."""

    values: np.ndarray  # (epochs + 1, E, K): before the search and after each epoch
    edges: list  # names, E
    operations: tuple  # names, K
    chosen: list  # the candidate that is chosen at each edge, E numbers


def draw_all(folder, title, cell, rows, found, dataset, optimum, alphas=None):
    """Draw the pictures of a finished search into its RunFolder; returns their names.

    `cell`: a nasbench Cell, and `found` what the benchmark says of it, as in the `rows` of the log;
    `dataset`, `optimum`: of the benchmark, and its best value or None; `alphas`: an Alphas, or None for a
    method that learns none.
    """
    drawn = {CELL: draw_cell(cell, title)}
    if alphas is not None:
        drawn[ALPHAS] = draw_alphas(alphas, title)
    if found["benchmark_val_accuracy"] is not None:
        drawn[ANYTIME] = draw_anytime(rows, found, dataset, optimum, title)
    for name, figure in drawn.items():
        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=150)
        folder.replace(name, data.getbuffer())
    return tuple(sorted(drawn))


def draw_alphas(alphas, title):
    """A panel an edge: its K alphas over the epochs; that of the chosen candidate is drawn bold."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    edges, operations = alphas.edges, alphas.operations
    values, colours = np.asarray(alphas.values), _colours(operations)
    columns = min(3, len(edges))
    lines = -(-len(edges) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.4 * lines + 0.8), layout="constrained")
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for number, (edge, axes) in enumerate(zip(edges, panels.flat, strict=False)):
        for k, name in enumerate(operations):
            bold = k == alphas.chosen[number]
            axes.plot(
                values[:, number, k],
                color=colours[name],
                linewidth=2.8 if bold else 1.2,
                zorder=3 if bold else 2,
            )
        axes.set_title(f"edge {edge}: {operations[alphas.chosen[number]]}", fontsize=10)
        axes.grid(alpha=0.3, linewidth=0.5)
        axes.set_xlim(0, max(1, len(values) - 1))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.label_outer()
    for axes in panels.flat[len(edges) :]:
        axes.set_axis_off()
    for axes in panels[-1]:
        axes.set_xlabel("epochs")
    for axes in panels[:, 0]:
        axes.set_ylabel("alpha")
    figure.suptitle(title, fontsize=11)
    handles = [Line2D([], [], color=colours[name], linewidth=2.2, label=name) for name in operations]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(operations), frameon=False, fontsize=9
    )
    return figure


def draw_anytime(rows, found, dataset, optimum, title):
    """What the benchmark says of the cell that would have been chosen after each epoch, and of that found."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullLocator

    epochs = np.array([row["epoch"] for row in rows])
    value, regret = (
        np.array([np.nan if row[name] is None else row[name] for row in rows], dtype=float)
        for name in ("benchmark_val_accuracy", "regret")
    )
    figure = Figure(figsize=(6.4, 5.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    marker = "o" if len(rows) <= 60 else None
    options = {"where": "post", "marker": marker, "markersize": 3.5}
    upper.step(epochs, value, color="#0072B2", label="cell of the epoch", **options)
    if optimum is not None:
        upper.axhline(
            optimum, color="#009E73", linestyle="--", linewidth=1.2, label=f"best cell, {optimum:.2f} %"
        )
    upper.set_ylabel(f"{dataset} validation accuracy\nafter full training [%]")
    lower.step(epochs, regret, color="#D55E00", **options)
    lower.set_yscale("symlog", linthresh=0.1)
    ticks = [0, 0.1, 0.3, 1, 3, 10, 30, 100]
    lower.set_yticks(ticks, list(map(str, ticks)))
    lower.yaxis.set_minor_locator(NullLocator())
    lower.set_ylim(0, 1.5 * max(np.nanmax(np.append(regret, found["regret"])), 0.1))
    lower.set_ylabel("regret\n[percentage points]")
    lower.set_xlabel("epochs")
    lower.xaxis.get_major_locator().set_params(integer=True)
    end = {"marker": "*", "markersize": 13, "color": "black", "linestyle": "", "clip_on": False, "zorder": 4}
    upper.plot(epochs[-1], found["benchmark_val_accuracy"], label="cell found", **end)
    lower.plot(epochs[-1], found["regret"], **end)
    figure.legend(fontsize=9, loc="outside lower center", ncols=3)
    lower.set_title(f"found: rank {found['rank']:,}, regret {found['regret']:.2f}", fontsize=10, loc="right")
    for axes in (upper, lower):
        axes.grid(alpha=0.3, linewidth=0.5)
    upper.set_title(title, fontsize=11)
    return figure


def draw_cell(cell, title):
    """A cell as a graph from its input to its output; edges that are `none` are dotted."""
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch

    figure = Figure(figsize=(7.2, 3.5), layout="constrained")
    axes = figure.subplots()
    colours = _colours(cell.ops)
    for (source, target), op in zip(EDGES, cell.ops, strict=True):
        begin, end = _SPACING * source, _SPACING * target
        bend = _BENDS.get((source, target), 0.0)
        arrow = FancyArrowPatch(
            (begin, 0),
            (end, 0),
            connectionstyle=f"arc3,rad={bend}",
            arrowstyle="-" if op == "none" else "-|>",
            mutation_scale=16,
            shrinkA=19,
            shrinkB=19,
            color=colours[op],
            linewidth=1.2 if op == "none" else 2.2,
            linestyle=":" if op == "none" else "-",
        )
        axes.add_patch(arrow)
        height = -bend / 2 * (end - begin) if bend else 0.1
        axes.text(
            (begin + end) / 2,
            height,
            op,
            color=colours[op],
            ha="center",
            va="center" if bend else "bottom",
            fontsize=9,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"} if bend else None,
        )
    for node, name in enumerate(("in", "1", "2", "out")):
        place = _SPACING * node, 0
        axes.plot(*place, "o", markersize=30, color="#EEEEEE", markeredgecolor="#444444", zorder=4)
        axes.text(*place, name, ha="center", va="center", fontsize=10, zorder=5)
    axes.set_aspect("equal")
    axes.set_xlim(-0.4, 3 * _SPACING + 0.4)
    axes.set_ylim(-0.7, 1.25)
    axes.set_axis_off()
    axes.set_title(f"{title}: cell {cell.index}", fontsize=11)
    return figure


def _colours(operations):
    further = iter(_FURTHER * len(operations))
    return {name: _PALETTE.get(name) or next(further) for name in operations}
