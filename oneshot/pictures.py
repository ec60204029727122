"""Pictures of a search: alphas over time, the found cell's worth over time, and the cell as a graph."""

import io

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
_PLACES = {0: (0.0, 0.0), 1: (1.0, 0.75), 2: (2.0, -0.75), 3: (3.0, 0.0)}  # of a cell's nodes


def check():
    """MissingDependencyError unless pictures can be drawn."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingDependencyError("pictures need matplotlib: pip install matplotlib") from None


def draw_all(folder, strengths, edges, operations, rows, optimum, cell, title, dataset):
    """Draw the pictures of a finished search into its RunFolder; returns their names.

    `strengths`: (epochs + 1, E, K) or None; `edges`, `operations`: names, E and K; `rows`: of the log; `optimum`: the
    best value in the benchmark, or None, on `dataset`; `cell`: a nasbench Cell.
    """
    drawn = {CELL: draw_cell(cell)}
    if strengths is not None:
        drawn[ALPHAS] = draw_alphas(strengths, edges, operations, title)
    if any(row["benchmark_val_accuracy"] is not None for row in rows):
        drawn[ANYTIME] = draw_anytime(rows, optimum, title, dataset)
    for name, figure in drawn.items():
        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=150)
        folder.replace(name, data.getbuffer())
    return sorted(drawn)


def draw_alphas(strengths, edges, operations, title):
    """A panel an edge: its K alphas after each epoch; the one that is chosen in the end is drawn bold."""
    from matplotlib.figure import Figure

    strengths, colours = np.asarray(strengths), _colours(operations)
    epochs = np.arange(len(strengths))
    columns = min(3, len(edges))
    lines = -(-len(edges) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.4 * lines + 0.9), layout="constrained")
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for number, (edge, axes) in enumerate(zip(edges, panels, strict=False)):
        chosen = int(strengths[-1, number].argmax())
        for k, name in enumerate(operations):
            bold = k == chosen
            axes.plot(
                epochs,
                strengths[:, number, k],
                color=colours[name],
                linewidth=2.6 if bold else 1.2,
                alpha=1.0 if bold else 0.8,
                zorder=3 if bold else 2,
                label=name if number == 0 else None,
            )
        axes.set_title(f"edge {edge}: {operations[chosen]}", fontsize=10)
        axes.grid(alpha=0.3, linewidth=0.5)
        axes.set_xlim(0, max(1, len(strengths) - 1))
        axes.xaxis.get_major_locator().set_params(integer=True)
    for axes in panels[len(edges) :]:
        axes.set_axis_off()
    figure.supxlabel("epochs", fontsize=10)
    figure.supylabel("alpha", fontsize=10)
    figure.suptitle(title, fontsize=11)
    figure.legend(loc="outside lower center", ncols=len(operations), frameon=False, fontsize=9)
    return figure


def draw_anytime(rows, optimum, title, dataset):
    """The benchmark's validation accuracy of the cell that the method would have chosen after each epoch; its regret."""
    from matplotlib.figure import Figure

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
    upper.legend(loc="lower right", fontsize=9)
    lower.step(epochs, regret, color="#D55E00", **options)
    lower.set_yscale("symlog", linthresh=0.1)
    lower.set_ylim(bottom=0)
    lower.set_ylabel("regret [%]")
    lower.set_xlabel("epochs")
    lower.xaxis.get_major_locator().set_params(integer=True)
    last = rows[-1]
    if last["rank"] is not None:
        lower.set_title(
            f"in the end: rank {last['rank']:,}, regret {last['regret']:.2f} %", fontsize=10, loc="right"
        )
    for axes in (upper, lower):
        axes.grid(alpha=0.3, linewidth=0.5)
    upper.set_title(title, fontsize=11)
    return figure


def draw_cell(cell):
    """A cell as a graph from its input to its output; edges that are `none` are dotted."""
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch

    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    axes = figure.subplots()
    colours = _colours(cell.ops)
    bends = {(0, 3): 0.0, (0, 2): 0.12, (1, 3): 0.12}
    for edge, op in zip(EDGES, cell.ops, strict=True):
        begin, end = np.array(_PLACES[edge[0]]), np.array(_PLACES[edge[1]])
        bend = bends.get(edge, 0.0)
        arrow = FancyArrowPatch(
            begin,
            end,
            connectionstyle=f"arc3,rad={bend}",
            arrowstyle="-|>",
            mutation_scale=16,
            shrinkA=17,
            shrinkB=17,
            color=colours[op],
            linewidth=1.2 if op == "none" else 2.2,
            linestyle=":" if op == "none" else "-",
        )
        axes.add_patch(arrow)
        across = end - begin
        middle = (begin + end) / 2 + bend / 2 * np.array([across[1], -across[0]])
        axes.text(
            *middle,
            op,
            color=colours[op],
            ha="center",
            va="center",
            fontsize=9,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"},
        )
    for node, place in _PLACES.items():
        name = {0: "in", 3: "out"}.get(node, str(node))
        axes.text(
            *place,
            name,
            ha="center",
            va="center",
            fontsize=11,
            bbox={"boxstyle": "circle,pad=0.45", "facecolor": "#EEEEEE", "edgecolor": "#444444"},
            zorder=5,
        )
    axes.set_xlim(-0.3, 3.3)
    axes.set_ylim(-1.05, 1.05)
    axes.set_axis_off()
    axes.set_title(f"cell {cell.index}", fontsize=11)
    return figure


def _colours(operations):
    further = iter(_FURTHER * len(operations))
    return {name: _PALETTE.get(name) or next(further) for name in operations}
