"""Pictures of a comparison: regret on the way with confidence bands, and average ranks."""

import numpy as np

from blackbox.results.comparison import regret_curve
from blackbox.results.plots import save
from blackbox.results.statistics import LEVEL, mean_interval

_POINTS = 150
_LONGEST = 48  # characters of a label
_LINES = ("-", "--", ":", "-.")  # of the first ten algorithms, the next ten, ...


def plot_regret(path, entries, targets, title, unit, evals, budget, flag="--plot"):
    """Draw the mean regret of each Entry with its bootstrapped band, both axes logarithmic.

    Over evaluations, or with a budget in seconds over simulated time. `targets` (N,): what counts of a cell.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    axis, last, scale = (0, evals, 1) if budget is None else (1, budget, 3600)
    least = np.inf
    for n, entry in enumerate(entries):
        firsts = [changes[axis][0] for changes in entry.trials.changes if len(changes[axis])]
        if not firsts:  # no trial has an incumbent
            axes.plot([], [], color=f"C{n % 10}", linestyle=_LINES[n // 10 % 4], label=_shown(entry.label))
            continue
        first = max(firsts)
        x = np.geomspace(first, max(last, first), _POINTS)
        x = np.unique(np.rint(x)) if budget is None else x
        regret = regret_curve(entry, targets, axis, x)
        mean = regret.mean(axis=0)
        colour = f"C{n % 10}"
        axes.step(
            x / scale,
            mean,
            where="post",
            color=colour,
            linestyle=_LINES[n // 10 % 4],
            label=_shown(entry.label),
        )
        positive = mean[mean > 0]
        if len(regret) > 1:
            low, high = mean_interval(regret)
            axes.fill_between(x / scale, low, high, step="post", color=colour, alpha=0.2, linewidth=0)
            positive = np.concatenate([positive, low[low > 0]])
        least = min(least, positive.min(initial=np.inf))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(bottom=least / 1.5 if np.isfinite(least) else 0.1)
    axes.set_xlabel("evaluations" if budget is None else "simulated hours")
    trials = len(entries[0].trials.changes)
    what = (
        f"mean regret of {trials:,} trials, {100 * LEVEL:g} % band" if trials > 1 else "regret of one trial"
    )
    axes.set_ylabel(f"regret of the incumbent [{unit}]")
    axes.set_title(f"{title}\n{what}", fontsize=10)
    axes.grid(alpha=0.3, which="both", linewidth=0.5)
    axes.legend(fontsize=8)
    save(figure, path, flag)


def plot_ranks(path, ranks, title, flag="--plot-ranks"):
    """Draw average ranks on a line, and a bar under each group that is not told apart: Demsar 2006, figure 1.

    `ranks`: as `findings` has them.
    """
    from matplotlib.figure import Figure

    labels = sorted(ranks["average"], key=ranks["average"].get)
    places = [ranks["average"][label] for label in labels]
    count, groups = len(labels), ranks["alike"]
    left = -(-count // 2)  # names on the left side, the best ones
    top = 0.5 + 0.28 * len(groups)  # depth of the first name
    depth = top + 0.5 * left
    names = [_shown(label) for label in labels]
    width = 4.5 + 0.08 * (max(map(len, names[:left])) + max(map(len, names[left:])))
    figure = Figure(figsize=(width, 1.3 + 0.42 * depth), layout="constrained")
    axes = figure.subplots()
    axes.set_xlim(0.6, max(count, 1 + ranks["critical_difference"]) + 0.4)
    axes.set_ylim(depth + 0.2, -1.5)
    axes.axis("off")
    line = {"color": "black", "linewidth": 1, "solid_capstyle": "butt"}
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
        ends = [ranks["average"][group[0]], ranks["average"][group[-1]]]
        y = 0.28 * (n + 1)
        axes.plot(
            [ends[0] - 0.03, ends[1] + 0.03], [y, y], color="black", linewidth=3.5, solid_capstyle="round"
        )
    difference = ranks["critical_difference"]
    axes.plot([1, 1 + difference], [-1, -1], color="C3", linewidth=2, solid_capstyle="butt")
    axes.text(1, -1.1, f"critical difference {difference:.2f}", color="C3", fontsize=9, va="bottom")
    axes.set_title(title, fontsize=10)
    save(figure, path, flag)


def _shown(label):
    """A label as matplotlib takes it: not too long, and no formula."""
    if len(label) > _LONGEST:
        label = f"{label[: _LONGEST // 2 - 1]}…{label[-_LONGEST // 2 :]}"
    label = label.replace("$", r"\$")
    return f" {label}" if label.startswith("_") else label  # which a legend would leave out
