"""Pictures: regret with its spread over trials, and Pareto fronts among all cells."""

import os

import numpy as np

from blackbox.errors import ConfigError, MissingDependencyError
from nasbench.runs.files import replacing

ENDINGS = (".png", ".svg", ".pdf")


def check(path, flag="--plot"):
    """Raise before a search what would fail after it; `flag`: what the picture was asked for by."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingDependencyError(f"{flag} needs matplotlib: pip install matplotlib") from None
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.splitext(path)[1].lower() not in ENDINGS:
        raise ConfigError(f"{flag} cannot write {path!r}: a picture ends in {', '.join(ENDINGS)}")
    if not os.path.isdir(folder):
        raise ConfigError(f"{flag} cannot write {path!r}: there is no folder {folder}")
    if os.path.isdir(path) or not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise ConfigError(f"{flag} cannot write {path!r}: it is a folder, or may not be written")


def plot_regret(path, regret, title, unit, budget=None, hours=None):
    """Draw `regret` (T, n) over evaluations, both logarithmic: median, quartiles, 5th to 95th percentile.

    `hours`: the simulated time of each column (n,), over which it is drawn instead. Trials without an
    incumbent at the end, NaN, are left out; the picture begins where all others have one.
    """
    from matplotlib.figure import Figure

    across = np.arange(1, regret.shape[1] + 1) if hours is None else hours
    regret = regret[~np.isnan(regret[:, -1])]
    known = ~np.isnan(regret).any(axis=0)
    across, regret = across[known], regret[:, known]
    positive = regret[regret > 0]
    least = positive.min() / 2 if positive.size else 1.0
    shown = np.maximum(regret, least)
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    label = "one trial"
    if len(regret) > 1:
        label = f"median of {len(regret):,} trials"
        for low, high, alpha, name in ((5, 95, 0.15, "5th to 95th percentile"), (25, 75, 0.3, "quartiles")):
            band = np.percentile(shown, (low, high), axis=0)
            axes.fill_between(across, *band, step="post", color="C0", alpha=alpha, linewidth=0, label=name)
    axes.step(across, np.median(shown, axis=0), where="post", label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(bottom=least)
    if hours is None:
        axes.set_xlim(1, max(2, across[-1]))
        axes.set_xlabel("evaluations (flat once a trial has spent its budget)" if budget else "evaluations")
    else:
        axes.set_xlim(across[0], max(across[-1], 1.01 * across[0]))
        axes.set_xlabel("simulated hours")
    axes.set_ylabel(f"regret of the incumbent [{unit}] (bottom: 0)")
    axes.set_title(title)
    axes.grid(alpha=0.3, which="both", linewidth=0.5)
    axes.legend()
    save(figure, path)


def plot_fronts(path, cells, true, found, title, labels):
    """Draw all cells in the plane of two metrics, the true front, and the front that was found.

    Arrays (n, 2) of values: the first metric is drawn upwards, the second across; `labels`: of both.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.scatter(
        *cells.T[::-1], s=2, color="0.8", linewidth=0, rasterized=True, label=f"{len(cells):,} cells"
    )
    for points, look, name in (
        (true, {"color": "C1", "marker": "o", "fillstyle": "none", "linestyle": "-"}, "true front"),
        (found, {"color": "C0", "marker": "x", "linestyle": ""}, "found"),
    ):
        points = points[points[:, 1].argsort(kind="stable")]
        axes.plot(*points.T[::-1], markersize=5, linewidth=1, label=f"{name}, {len(points):,} cells", **look)
    on_fronts = np.concatenate([true, found])[:, 0]  # the range that is shown: far below it lie many cells
    margin = 0.1 * np.ptp(on_fronts) or 1.0
    axes.set_ylim(on_fronts.min() - margin, on_fronts.max() + margin)
    axes.set_ylabel(labels[0])
    axes.set_xlabel(labels[1])
    axes.set_title(title)
    axes.grid(alpha=0.3, linewidth=0.5)
    axes.legend()
    save(figure, path)


def save(figure, path, flag="--plot"):
    """Write a matplotlib Figure, whole or not at all."""
    try:
        with replacing(path) as temporary:
            figure.savefig(temporary, format=os.path.splitext(path)[1][1:].lower(), dpi=150)
    except OSError as error:
        raise ConfigError(f"{flag} cannot write {path!r}: {error.strerror}") from None
