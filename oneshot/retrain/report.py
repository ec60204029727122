"""The result of a retraining and its report."""

import math
from dataclasses import dataclass
from typing import Any

from nasbench.display import block, draw_picture, labelled, paragraphs
from nasbench.runs.text import format_rows, join_blocks
from oneshot.cost import Cost
from oneshot.graph.graph import Graph
from oneshot.retrain.benchmark import Entry
from oneshot.retrain.settings import RetrainSettings
from oneshot.spaces.architectures import Architecture
from oneshot.training.metrics import finite
from oneshot.training.session import TrainingResult


@dataclass(frozen=True, kw_only=True)
class RetrainResult(TrainingResult):
    """Result of a retraining."""

    #: the architecture
    architecture: Architecture
    #: settings of the retraining
    settings: RetrainSettings
    #: trained network, in evaluation mode
    network: Graph
    #: parameters and multiply-adds of the network
    cost: Cost
    #: height and width of the images in pixels
    size: tuple[int, int]
    #: number of classes
    classes: int
    #: epoch with the best top-1 accuracy, and this accuracy in percent; None before the first epoch
    best: tuple[int, float] | None
    #: the benchmark's entry for comparison; None if there is none
    benchmark: Entry | None

    @property
    def top1(self) -> float:
        """Top-1 accuracy on the held-out images after the last epoch, percent."""
        return float(self.log[-1]["top1"])

    def _repr_html_(self) -> str:
        return block(paragraphs(_head(self)), draw_picture(self.architecture.value), labelled(_rows(self)))

    def to_json(self) -> dict[str, Any]:  # plain values, nested
        result = average = None
        if self.log:
            last = self.log[-1]
            result = finite(loss=last["test_loss"], top1=last["top1"], top5=last["top5"])
            average = finite(top1=last["ema_top1"], top5=last["ema_top5"])
        train, test = self.images
        return {
            "architecture": self.architecture.record,
            "settings": self.settings.to_json(),
            "complete": self.complete,
            "epochs": self.epochs,
            "steps": self.steps,
            "images": {"train": train, "test": test, "classes": self.classes},
            "cost": self.cost._asdict(),
            "result": result,
            "ema": None if self.settings.ema is None else average,
            "best": self.best and {"epoch": self.best[0], "top1": self.best[1]},
            "benchmark": self.benchmark and self.benchmark._asdict(),
        }


def format_result(result: RetrainResult, processes: int = 1) -> str:
    """Return the result as text."""
    return join_blocks(_head(result, processes), format_rows(_rows(result)))


def _tested(result: RetrainResult) -> str:
    """Return the name of the images that the network is tested on."""
    return "validation" if result.settings.split == "half" else "test"


def _head(result: RetrainResult, processes: int = 1) -> str:
    settings = result.settings
    title = f"an architecture of {settings.space} on {settings.dataset}:"
    return result.heading(title, settings.epochs, _tested(result), processes)


def _rows(result: RetrainResult) -> list[tuple[str, str]]:
    """Return the architecture, its cost and its accuracies, each with a label."""
    cost, tested = result.cost, _tested(result)
    params = f"{cost.params_without_auxiliary:,}"
    if cost.params != cost.params_without_auxiliary:
        params += f", plus {cost.params - cost.params_without_auxiliary:,} in the auxiliary classifier"
    rows = [
        ("architecture", str(result.architecture.value)),
        ("parameters", params),
        ("multiply-adds", f"{cost.flops:,} per image"),
    ]
    if result.log:
        last = result.log[-1]
        rows.append((tested, _format_accuracy(tested, last["top1"], last["top5"], last["test_loss"])))
        if last["ema_top1"] is not None:
            rows.append(("moving average", _format_accuracy(tested, last["ema_top1"], last["ema_top5"])))
    if result.best is not None:
        epoch, top1 = result.best
        advice = "do not publish it: it was selected on these images"
        rows.append(("best epoch", f"{top1:.2f} % after epoch {epoch:,}; {advice}"))
    return rows + _format_entry(result.benchmark)


def _format_accuracy(tested: str, top1: float, top5: float | None, loss: float | None = None) -> str:
    five = "" if top5 is None else f" (top 5: {top5:.2f} %)"
    loss_text = "" if loss is None or not math.isfinite(loss) else f", loss {loss:.4f}"
    return f"{top1:.2f} % of the {tested} images classified correctly{five}{loss_text}"


def _format_entry(entry: Entry | None) -> list[tuple[str, str]]:
    if entry is None:
        return []
    seeds = f"mean of {entry.seeds} seeds, {entry.least:.2f} to {entry.greatest:.2f}"
    if entry.seeds in (None, 1):
        seeds = "1 seed" if entry.seeds else "mean over unknown seeds"
    mean = f"{entry.mean:.2f} % {entry.metric} on {entry.dataset}"
    rows = [("benchmark", f"{mean} after {entry.protocol} epochs ({seeds})")]
    if entry.differs:
        rows.append(("", f"(trained with other settings: {', '.join(entry.differs)})"))
    return rows
