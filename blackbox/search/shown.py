"""Plots of the trials of a search: the spread of a value over trials, as a curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from nasbench.arrays import Codes, Scores, Seconds

HIGHER = "(higher is better)"
_CHECKPOINTS = (10, 100, 1000, 10_000, 100_000)


def checkpoints(most: int) -> list[int]:
    """Return the evaluations after which results are given: powers of ten, and the last one."""
    return sorted({n for n in _CHECKPOINTS if n < most} | {most})


def without_gaps(across: Codes | Seconds, values: Scores) -> tuple[Codes | Seconds, Scores]:
    """Return the part of values (T, n) over `across` (n,) that can be drawn, without NaN.

    Trials without a value at the end are left out; the part begins when all others have one.
    """
    values = values[~np.isnan(values[:, -1])]
    known = ~np.isnan(values).any(axis=0)
    return across[known], values[:, known]


def draw_spread(axes: Axes, across: Codes | Seconds, values: Scores) -> None:
    """Draw values (T, n) over `across` (n,) as steps: median, quartiles, 5th to 95th percentile."""
    label = "one trial"
    if len(values) > 1:
        label = f"median of {len(values):,} trials"
        for low, high, alpha, name in ((5, 95, 0.15, "5th to 95th percentile"), (25, 75, 0.3, "quartiles")):
            bottom, top = np.percentile(values, (low, high), axis=0)
            look: dict[str, Any] = {"color": "C0", "alpha": alpha, "linewidth": 0, "label": name}
            axes.fill_between(across, bottom, top, step="post", **look)
    axes.step(across, np.median(values, axis=0), where="post", label=label)


def plot_scores(axes: Axes, across: Codes | Seconds, scores: Scores, where: str) -> Axes:
    """Draw the scores (T, n) of incumbents, NaN for none, over `across` (n,), whose label is `where`."""
    across, scores = without_gaps(across, scores)
    if scores.size:
        draw_spread(axes, across, scores)
        axes.legend()
    axes.set(xlabel=where, ylabel=f"score of the incumbent {HIGHER}")
    axes.grid(alpha=0.3, linewidth=0.5)
    return axes
