"""Pictures of a search: alphas over epochs, the architecture found, and scores over epochs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from oneshot.draw import figure
from oneshot.draw.render import check
from oneshot.mixed import ABSENT
from oneshot.search.scorer import Scorer
from oneshot.spaces.base import Diagram

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_Rows = Sequence[Mapping[str, Any]]  # rows of a log

ALPHAS, ANYTIME, CELL = "alphas.png", "anytime.png", "cell.png"
_PALETTE = {  # colours of the operations, suitable for colour-blind readers (Okabe & Ito 2008)
    "none": "#999999",
    "skip_connect": "#0072B2",
    "nor_conv_1x1": "#E69F00",
    "nor_conv_3x3": "#D55E00",
    "avg_pool_3x3": "#009E73",
    "max_pool_3x3": "#CC79A7",
    "sep_conv_3x3": "#D55E00",
    "sep_conv_5x5": "#E69F00",
    "dil_conv_3x3": "#56B4E9",
    "dil_conv_5x5": "#000000",
    "depthwise_conv_3x3": "#56B4E9",
    "conv_1x1": "#E69F00",
}
_FURTHER = ("#CC79A7", "#56B4E9", "#000000", "#D55E00", "#009E73", "#0072B2", "#E69F00", "#F0E442")


class Alphas(NamedTuple):
    """Alphas of the candidates of E edges over the epochs of a search."""

    #: alphas before the search and after each epoch, shape ``(epochs + 1, E, K)``; NaN beyond an edge's own
    values: NDArray[np.float32]
    #: names of the edges, length E
    edges: list[str]
    #: names of each edge's candidates, E tuples of up to K names
    operations: list[tuple[str, ...]]
    #: number of the selected candidate of each edge, length E; ABSENT for none
    chosen: list[int]


def draw_all(
    title: str,
    diagrams: Sequence[Diagram],
    rows: _Rows,
    final: Mapping[str, Any],  # a row
    scorer: Scorer | None = None,
    alphas: Alphas | None = None,
) -> dict[str, "Figure"]:
    """Draw the pictures of a finished search.

    Parameters
    ----------
    title
        Title of all pictures.
    diagrams
        Diagrams of the architecture found.
    rows
        Rows of the log.
    final
        Scores of the architecture found, with the columns of `rows`.
    scorer
        Table of scores; None for a space without a benchmark.
    alphas
        Alphas over the epochs; None for a method without alphas.

    Returns
    -------
    dict
        Figures by file name.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    check()
    figures = {CELL: figure(diagrams, title, layout="own")}
    if alphas is not None:
        figures[ALPHAS] = draw_alphas(alphas, title)
    if scorer is not None and final["benchmark_val_accuracy"] is not None:
        optimum = None if scorer.optimum is None else scorer.optimum.value
        figures[ANYTIME] = draw_anytime(rows, final, scorer.dataset, optimum, title)
    return figures


def draw_alphas(alphas: Alphas, title: str) -> "Figure":
    """Draw the K alphas of each edge over the epochs in one panel, the selected candidate in bold."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    edges = alphas.edges
    operations = list(dict.fromkeys(name for names in alphas.operations for name in names))
    values, colours = np.asarray(alphas.values), _colours(operations)
    columns = min(3 if len(edges) <= 9 else 7, len(edges))
    lines = -(-len(edges) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.4 * lines + 0.8), layout="constrained")
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for number, (edge, axes) in enumerate(zip(edges, panels.flat, strict=False)):
        for k, name in enumerate(alphas.operations[number]):
            width, order = (2.8, 3) if k == alphas.chosen[number] else (1.2, 2)
            axes.plot(values[:, number, k], color=colours[name], linewidth=width, zorder=order)
        chosen = alphas.chosen[number]
        operation = "left out" if chosen == ABSENT else alphas.operations[number][chosen]
        axes.set_title(f"{edge}: {operation}", fontsize=10)
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
    ncols = len(operations) if columns > 3 else min(len(operations), 5)
    figure.legend(handles=handles, loc="outside lower center", ncols=ncols, frameon=False, fontsize=9)
    return figure


def draw_anytime(
    rows: _Rows, final: Mapping[str, Any], dataset: str, optimum: float | None, title: str
) -> "Figure":
    """Draw the scores of the cell selected after each epoch, and of the final cell, `final`."""
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
    options: dict[str, Any] = {"where": "post", "marker": marker, "markersize": 3.5}  # for `step`
    upper.step(epochs, value, color="#0072B2", label="cell of the epoch", **options)
    if optimum is not None:
        label = f"best cell, {optimum:.2f} %"
        upper.axhline(optimum, color="#009E73", linestyle="--", linewidth=1.2, label=label)
    upper.set_ylabel(f"{dataset} validation accuracy\nafter full training [%]")
    lower.step(epochs, regret, color="#D55E00", **options)
    lower.set_yscale("symlog", linthresh=0.1)
    ticks = [0, 0.1, 0.3, 1, 3, 10, 30, 100]
    lower.set_yticks(ticks, list(map(str, ticks)))
    lower.yaxis.set_minor_locator(NullLocator())
    lower.set_ylim(0, 1.5 * max(np.nanmax(np.append(regret, final["regret"])), 0.1))
    lower.set_ylabel("regret\n[percentage points]")
    lower.set_xlabel("epochs")
    lower.xaxis.get_major_locator().set_params(integer=True)
    star: dict[str, Any] = {"markersize": 13, "clip_on": False, "zorder": 4}  # options of `plot`
    upper.plot(epochs[-1], final["benchmark_val_accuracy"], "k*", label="cell found", **star)
    lower.plot(epochs[-1], final["regret"], "k*", **star)
    figure.legend(fontsize=9, loc="outside lower center", ncols=3)
    lower.set_title(f"found: rank {final['rank']:,}, regret {final['regret']:.2f}", fontsize=10, loc="right")
    for axes in (upper, lower):
        axes.grid(alpha=0.3, linewidth=0.5)
    upper.set_title(title, fontsize=11)
    return figure


def _colours(operations: list[str]) -> dict[str, str]:
    further = iter(_FURTHER * len(operations))
    return {name: _PALETTE.get(name) or next(further) for name in operations}
