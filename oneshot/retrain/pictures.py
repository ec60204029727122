"""The picture of a retraining: loss and accuracy over epochs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from oneshot.draw.render import check

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_Rows = Sequence[Mapping[str, Any]]  # rows of a log
CURVES = "curves.png"
_TRAIN, _TEST, _AVERAGE = "#999999", "#0072B2", "#D55E00"  # colour-blind safe (Okabe & Ito 2008)


def draw_all(rows: _Rows, title: str, tested: str) -> dict[str, "Figure"]:
    """Return the picture of a log by file name; raise MissingDependencyError without matplotlib."""
    check()
    return {CURVES: draw_curves(rows, title, tested)}


def draw_curves(rows: _Rows, title: str, tested: str = "test") -> "Figure":
    """Draw losses and top-1 accuracies over epochs; `tested` names the images tested on."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4), layout="constrained")
    losses, accuracies = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in rows]
    marker = "o" if len(rows) == 1 else None
    for axes, name, label, colour in (
        (losses, "train_loss", "training", _TRAIN),
        (losses, "test_loss", tested, _TEST),
        (accuracies, "train_accuracy", "training", _TRAIN),
        (accuracies, "top1", tested, _TEST),
        (accuracies, "ema_top1", f"{tested}, moving average", _AVERAGE),
    ):
        if rows[-1][name] is not None:
            axes.plot(epochs, [row[name] for row in rows], color=colour, label=label, marker=marker)
    for axes in (losses, accuracies):
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3, linewidth=0.5)
        axes.legend(frameon=False, fontsize=9)
    losses.set_ylabel("loss")
    accuracies.set_ylabel("accuracy, percent")
    figure.suptitle(title, fontsize=11)
    return figure
