from dataclasses import replace

import pytest
from torch import nn

from oneshot.cost import Cost
from oneshot.retrain.benchmark import Entry
from oneshot.retrain.pictures import draw_curves
from oneshot.retrain.report import RetrainResult, format_result
from oneshot.retrain.settings import RetrainSettings
from oneshot.spaces.architectures import Architecture

SETTINGS = RetrainSettings(
    space="darts", dataset="cifar10", split="full", channels=36, cells=20, epochs=600, seed=2
)
LAST = {"test_loss": 0.12345, "top1": 97.24, "top5": 99.9, "ema_top1": 97.3, "ema_top5": None}
RESULT = RetrainResult(
    architecture=Architecture("darts", "Genotype(...)"),
    settings=SETTINGS,
    complete=True,
    epochs=600,
    steps=312600,
    log=[LAST],
    seconds=7200.0,
    network=nn.Identity(),
    cost=Cost(params=3824852, params_without_auxiliary=3349342, flops=528000000),
    images=(50000, 10000),
    size=(32, 32),
    classes=10,
    best=(588, 97.31),
    benchmark=None,
)
ENTRY = Entry("cifar10", "val_accuracy", 200, mean=91.5, least=91.4, greatest=91.6, seeds=3, differs=[])


def report(processes=1, **changes):
    return format_result(replace(RESULT, **changes), processes) + "\n"


def test_the_report():
    assert report() == (
        "an architecture of darts on cifar10: 36 channels and 20 cells\n"
        "600 epochs, 312,600 steps, 50,000 training and 10,000 test images; seed 2; 2.0 hours\n"
        "\n"
        "architecture    Genotype(...)\n"
        "parameters      3,349,342, plus 475,510 in the auxiliary classifier\n"
        "multiply-adds   528,000,000 per image\n"
        "test            97.24 % of the test images classified correctly (top 5: 99.90 %), loss 0.1235\n"
        "moving average  97.30 % of the test images classified correctly\n"
        "best epoch      97.31 % after epoch 588; do not publish it: it was selected on these images\n"
    )


def test_the_report_of_a_part():
    settings = replace(SETTINGS, space="nb201", split="half", cells=1)
    out = report(2, settings=settings, epochs=0, log=[], best=None, benchmark=ENTRY)
    assert "36 channels and 1 cell per stage\n" in out
    assert "0 of 600 epochs, 312,600 steps, 50,000 training and 10,000 validation images" in out
    assert "; 2.0 hours by 2 processes\n" in out
    assert "right" not in out
    assert out.endswith(
        "benchmark       91.50 % val_accuracy on cifar10 after 200 epochs (mean of 3 seeds, 91.40 to 91.60)\n"
    )


@pytest.mark.parametrize("seeds", [None, 1, 2])
def test_the_report_of_a_training_that_the_benchmark_has_otherwise(seeds):
    out = report(benchmark=ENTRY._replace(seeds=seeds, differs=["epochs", "channels"]))
    assert ("(1 seed)" in out) == (seeds == 1)
    assert ("(mean over unknown seeds)" in out) == (seeds is None)
    assert out.endswith("                (trained with other settings: epochs, channels)\n")


def test_a_loss_that_is_infinite():
    out = report(log=[LAST | {"test_loss": float("inf"), "top1": 10.0, "top5": None}])
    assert "test            10.00 % of the test images classified correctly\n" in out


def row(epoch, average=None):
    return {
        "epoch": epoch,
        "train_loss": 2.0 / epoch,
        "test_loss": 2.5 / epoch,
        "train_accuracy": 50.0,
        "top1": 40.0 + epoch,
        "ema_top1": average,
    }


@pytest.mark.parametrize("count", [1, 3])
def test_curves(count):
    figure = draw_curves([row(k + 1, 45.0) for k in range(count)], "title", "validation")
    losses, accuracies = figure.axes
    assert [line.get_label() for line in losses.lines] == ["training", "validation"]
    assert [line.get_label() for line in accuracies.lines] == [
        *("training", "validation", "validation, moving average")
    ]
    assert len(accuracies.lines[1].get_ydata()) == count
    assert len(draw_curves([row(1)], "title").axes[1].lines) == 2
