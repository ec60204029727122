"""Plots of searches and comparisons with matplotlib."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from blackbox.errors import ConfigError, MissingDependencyError
from blackbox.results.anytime import Axis
from blackbox.results.statistics import LEVEL, mean_interval
from blackbox.search.shown import draw_spread, without_gaps
from nasbench.runs.files import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from blackbox.results.comparison import Entry, Ranks
    from blackbox.table.curves import Curves
    from blackbox.table.objective import PairObjective, TableObjective
    from nasbench.arrays import Codes, Scores, Seconds

ENDINGS = (".png", ".svg", ".pdf")
_POINTS = 150  # points per curve of a comparison
_LONGEST = 48  # maximum number of characters of a label
_LINES = ("-", "--", ":", "-.")  # line styles of the first ten algorithms, the next ten, ...


def check(path: str, flag: str = "--plot") -> None:
    """Raise an error before a search if its plot could not be written after it; `flag` asked for the plot."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingDependencyError(f"{flag} needs matplotlib: pip install matplotlib") from None
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.splitext(path)[1].lower() not in ENDINGS:
        raise ConfigError(f"{flag} cannot write {path!r}: the name must end in {', '.join(ENDINGS)}")
    if not os.path.isdir(folder):
        raise ConfigError(f"{flag} cannot write {path!r}: the folder {folder} does not exist")
    if os.path.isdir(path) or not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise ConfigError(f"{flag} cannot write {path!r}: it is a folder or not writable")


def save(figure: Figure, path: str, flag: str = "--plot") -> None:
    """Write a figure, moved into place atomically."""
    try:
        with replacing(path) as temporary:
            figure.savefig(temporary, format=os.path.splitext(path)[1][1:].lower(), dpi=150)
    except OSError as error:
        raise ConfigError(f"{flag} cannot write {path!r}: {error.strerror}") from None


def signal_line(problem: TableObjective | PairObjective | Curves) -> str:
    """Return a line for a title that names the signal; empty if it is the metric."""
    return "" if problem.sees_the_metric else f"\nsignal {problem.signal}"


# One search


def regret_figure(
    regret: Scores, title: str, unit: str, budget: float | None = None, hours: Seconds | None = None
) -> Figure:
    """Plot regret (T, n) over evaluations on logarithmic axes: median, quartiles, 5th to 95th percentile.

    With `hours` (n,), the simulated time of each column, regret is plotted over time instead. Trials without
    a final incumbent (NaN) are left out; the plot starts when all others have an incumbent.
    """
    across: Codes | Seconds = np.arange(1, regret.shape[1] + 1) if hours is None else hours
    across, regret = without_gaps(across, regret)
    positive = regret[regret > 0]
    least = positive.min() / 2 if positive.size else 1.0
    shown = np.maximum(regret, least)
    figure, axes = _figure(6.4, 4.2)
    draw_spread(axes, across, shown)
    axes.set(xscale="log", yscale="log", ylabel=f"regret of the incumbent [{unit}] (bottom: 0)", title=title)
    axes.set_ylim(bottom=least)
    if hours is None:
        flat = " (constant once a trial has spent its budget)" if budget else ""
        axes.set(xlim=(1, max(2, across[-1])), xlabel=f"evaluations{flat}")
    else:
        axes.set(xlim=(across[0], max(across[-1], 1.01 * across[0])), xlabel="simulated hours")
    axes.grid(alpha=0.3, which="both", linewidth=0.5)
    axes.legend()
    return figure


def fronts_figure(cells: Scores, true: Scores, found: Scores, title: str, labels: Sequence[str]) -> Figure:
    """Plot all cells in the plane of two metrics, the true front and the front that a search found.

    The arrays (n, 2) are values of both metrics: the first is the y axis, the second the x axis. `labels` are
    the names of both.
    """
    figure, axes = _figure(6.4, 4.2)
    dots: dict[str, Any] = {"s": 2, "color": "0.8", "linewidth": 0, "label": f"{len(cells):,} cells"}
    axes.scatter(cells[:, 1], cells[:, 0], rasterized=True, **dots)
    looks: tuple[tuple[Scores, dict[str, Any], str], ...] = (
        (true, {"color": "C1", "marker": "o", "fillstyle": "none", "linestyle": "-"}, "true front"),
        (found, {"color": "C0", "marker": "x", "linestyle": ""}, "found"),
    )
    for points, look, name in looks:
        points = points[points[:, 1].argsort(kind="stable")]
        label = f"{name}, {len(points):,} cells"
        axes.plot(points[:, 1], points[:, 0], markersize=5, linewidth=1, label=label, **look)
    on_fronts = np.concatenate([true, found])[:, 0]  # the visible range; many cells are far below it
    margin = 0.1 * np.ptp(on_fronts) or 1.0
    axes.set(ylim=(on_fronts.min() - margin, on_fronts.max() + margin), title=title)
    axes.set(ylabel=labels[0], xlabel=labels[1])
    axes.grid(alpha=0.3, linewidth=0.5)
    axes.legend()
    return figure


# A comparison


def comparison_figure(
    entries: Sequence[Entry], targets: Scores, title: str, unit: str, evals: int | None, budget: float | None
) -> Figure:
    """Plot the mean regret of each algorithm with its bootstrapped band on logarithmic axes.

    The x axis is evaluations or, with a budget in seconds, simulated time. `targets` (N,) is the metric of
    each cell as a score.
    """
    figure, axes = _figure(6.4, 4.4)
    draw_comparison(axes, entries, targets, title, unit, evals, budget)
    return figure


def draw_comparison(
    axes: Axes,
    entries: Sequence[Entry],
    targets: Scores,
    title: str,
    unit: str,
    evals: int | None,
    budget: float | None,
) -> None:
    """Draw the plot of `comparison_figure` on axes."""
    axis, last, scale = (Axis.EVALUATIONS, evals, 1) if budget is None else (Axis.SECONDS, budget, 3600)
    least = np.inf
    for n, entry in enumerate(entries):
        colour, line = f"C{n % 10}", _LINES[n // 10 % 4]
        look: dict[str, Any] = {"color": colour, "linestyle": line, "label": _shown(entry.label)}
        first = entry.trials.begin(axis)
        if first is None:  # no trial has an incumbent
            axes.plot([], [], **look)
            continue
        x = np.geomspace(first, max(first, last or first), _POINTS)
        x = np.unique(np.rint(x)) if budget is None else x
        regret = entry.trials.regret_curve(targets, axis, x)
        regret = regret[~np.isnan(regret[:, -1])]
        mean = regret.mean(axis=0)
        axes.step(x / scale, mean, where="post", **look)
        positive = mean[mean > 0]
        if len(regret) > 1:
            low, high = mean_interval(regret)
            axes.fill_between(x / scale, low, high, step="post", color=colour, alpha=0.2, linewidth=0)
            positive = np.concatenate([positive, low[low > 0]])
        least = min(least, positive.min(initial=np.inf))
    axes.set(xscale="log", yscale="log", xlabel="evaluations" if budget is None else "simulated hours")
    axes.set_ylim(bottom=least / 1.5 if np.isfinite(least) else 0.1)
    trials = len(entries[0].trials.changes)
    many = f"mean regret of {trials:,} trials, {100 * LEVEL:g} % band"
    axes.set_ylabel(f"regret of the incumbent [{unit}]")
    axes.set_title(f"{title}\n{many if trials > 1 else 'regret of one trial'}", fontsize=10)
    axes.grid(alpha=0.3, which="both", linewidth=0.5)
    axes.legend(fontsize=8)


def ranks_figure(ranks: Ranks, title: str) -> Figure:
    """Plot average ranks on a line, with a bar under each group without significant differences.

    Demsar 2006, figure 1.
    """
    labels = sorted(ranks.average, key=lambda label: ranks.average[label])
    places = [ranks.average[label] for label in labels]
    count, groups = len(labels), ranks.alike
    left = -(-count // 2)  # number of names on the left side, the best ones
    top = 0.5 + 0.28 * len(groups)  # depth of the first name
    depth = top + 0.5 * left
    names = [_shown(label) for label in labels]
    width = 4.5 + 0.08 * (max(map(len, names[:left])) + max(map(len, names[left:])))
    figure, axes = _figure(width, 1.3 + 0.42 * depth)
    difference = ranks.critical_difference
    axes.set(xlim=(0.6, max(count, 1 + difference) + 0.4), ylim=(depth + 0.2, -1.5))
    axes.axis("off")
    line: dict[str, Any] = {"color": "black", "linewidth": 1, "solid_capstyle": "butt"}
    axes.plot([1, count], [0, 0], **line)
    for rank in range(1, count + 1):
        axes.plot([rank, rank], [-0.12, 0], **line)
        axes.text(rank, -0.2, str(rank), ha="center", va="bottom", fontsize=9)
    for n, (name, place) in enumerate(zip(names, places, strict=True)):
        is_left = n < left
        y = top + 0.5 * (n if is_left else count - 1 - n)
        edge = 0.9 if is_left else count + 0.1
        axes.plot([place, place, edge], [0, y, y], **line)
        text = f"{name}  {place:.2f} " if is_left else f" {place:.2f}  {name}"
        axes.text(edge, y, text, fontsize=9, va="center", ha="right" if is_left else "left")
    for n, group in enumerate(groups):
        ends = [ranks.average[group[0]] - 0.03, ranks.average[group[-1]] + 0.03]
        axes.plot(ends, [0.28 * (n + 1)] * 2, color="black", linewidth=3.5, solid_capstyle="round")
    axes.plot([1, 1 + difference], [-1, -1], color="C3", linewidth=2, solid_capstyle="butt")
    axes.text(1, -1.1, f"critical difference {difference:.2f}", color="C3", fontsize=9, va="bottom")
    axes.set_title(title, fontsize=10)
    return figure


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure of a size in inches, and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _shown(label: str) -> str:
    """Return a label for matplotlib: shortened if it is long, and not parsed as a formula."""
    if len(label) > _LONGEST:
        label = f"{label[: _LONGEST // 2 - 1]}…{label[-_LONGEST // 2 :]}"
    label = label.replace("$", r"\$")
    return f" {label}" if label.startswith("_") else label  # else the legend would leave it out
