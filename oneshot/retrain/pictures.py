"""The picture of a retraining: loss and accuracy over its epochs."""

import io

CURVES = "curves.png"
_TRAIN, _TEST, _AVERAGE = (
    "#999999",
    "#0072B2",
    "#D55E00",
)  # told apart by colour-blind eyes (Okabe & Ito 2008)


def draw_into(folder, title, rows, tested):
    """Draw the picture of a log into a RunFolder; returns its name."""
    data = io.BytesIO()
    draw_curves(rows, title, tested).savefig(data, format="png", dpi=150)
    folder.replace(CURVES, data.getbuffer())
    return CURVES


def draw_curves(rows, title, tested="test"):
    """Two panels over the epochs: losses, and top-1 accuracies; `tested`: what their images are called."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4), layout="constrained")
    losses, accuracies = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in rows]
    marker = "o" if len(rows) == 1 else None
    for axes, lines in (
        (losses, (("train_loss", "training", _TRAIN), ("test_loss", tested, _TEST))),
        (
            accuracies,
            (
                ("train_accuracy", "training", _TRAIN),
                ("top1", tested, _TEST),
                ("ema_top1", f"{tested}, moving average", _AVERAGE),
            ),
        ),
    ):
        for name, label, colour in lines:
            if rows[-1][name] is not None:
                axes.plot(epochs, [row[name] for row in rows], color=colour, label=label, marker=marker)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3, linewidth=0.5)
        axes.legend(frameon=False, fontsize=9)
    losses.set_ylabel("loss")
    accuracies.set_ylabel("accuracy, percent")
    figure.suptitle(title, fontsize=11)
    return figure
