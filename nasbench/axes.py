"""Matplotlib axes and their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasbench.metrics import get_metric
from nasbench.runs.dependencies import required

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def given_or_new(axes: Axes | None) -> Axes:
    """Return the given axes, or the axes of a new pyplot figure, which notebooks show."""
    with required("matplotlib", "a plot", "plot"):
        from matplotlib import pyplot

    return pyplot.subplots(layout="constrained")[1] if axes is None else axes


def metric_label(metric: str) -> str:
    """Return the axis label of a metric: its name, its unit and its better direction.

    >>> metric_label("params"), metric_label("val_accuracy")
    ('params [M] (lower is better)', 'val_accuracy [%] (higher is better)')
    """
    meaning = get_metric(metric)
    return f"{metric} [{meaning.unit}] ({'higher' if meaning.higher_is_better else 'lower'} is better)"
