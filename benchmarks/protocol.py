"""Cells trained from scratch, compared with NAS-Bench-201 (`python -m benchmarks.protocol RUN ...`).

A RUN is the folder of `python -m oneshot.retrain CELL --split half`. Its accuracy is compared with the
validation accuracy on CIFAR-10; a store of the official files also has the accuracy after each epoch.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nasbench.errors import NASBenchError, NotRecordedError
from nasbench.runs.folder import read_summary
from nasbench.runs.log import read_log
from nasbench.runs.notes import complain
from nasbench.runs.text import format_table
from oneshot.draw.render import save
from oneshot.retrain.weights import RETRAINING_LOG
from oneshot.search.table import open_nb201
from oneshot.spaces.architectures import Architecture

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from nasbench import NB201

BENCHMARK = {"split": "half", "channels": 16, "cells": 5, "batch": 256, "learning_rate": 0.1}
HEADER = "run", "cell", "epochs", "accuracy [%]", "published", "min", "max", "difference"
_WHERE = "cifar10", "val_accuracy"
_PUBLISHED = "#999999"
_COLOURS = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"  # colour-blind safe (Okabe & Ito 2008)


class Training(NamedTuple):
    """A training run: its folder's name, its cell, and percent after each epoch, shape (epochs,)."""

    name: str
    cell: int
    accuracy: NDArray[np.float64]

    @property
    def entry(self) -> tuple[int, int]:
        """The entry that it is compared with: its cell and number of epochs."""
        return self.cell, len(self.accuracy)


def read(folder: Path) -> Training:
    """Read a finished training run."""
    cell = Architecture.parse(str(folder), "nb201", stage="retraining").value
    settings = (read_summary(folder) or {}).get("settings", {})
    others = [
        f"{name} {settings.get(name)}" for name, value in BENCHMARK.items() if settings.get(name) != value
    ]
    if settings.get("dataset") != "cifar10" and not str(settings.get("dataset")).startswith("folder:"):
        others.append(f"dataset {settings.get('dataset')}")
    if others:
        complain(f"warning: {folder} was not trained as in NAS-Bench-201: {', '.join(others)}")
    rows = read_log(folder, RETRAINING_LOG)
    return Training(folder.name, cell.index, np.array([row["top1"] for row in rows]))


def published(tables: Iterable[NB201], cell: int, protocol: int) -> list[NDArray[np.float64]]:
    """Return a cell's published accuracies, one array per seed: after each epoch, or after the last one only.

    They are from the first table that has the cell. Raise NotRecordedError if none has it.
    """
    where = cell, *_WHERE
    for table in tables:
        curves = []
        with suppress(NotRecordedError):
            for seed in table.seeds(*where, protocol=protocol):
                curve = np.array([table.query(*where, protocol=protocol, seed=seed)])
                with suppress(NotRecordedError):
                    curve = table.curve(*where, protocol=protocol, seed=seed)
                curves.append(curve)
        if curves:
            return curves
    raise NotRecordedError(f"no table has cell {cell} after {protocol} epochs")


def draw(trainings: list[Training], curves: Mapping[tuple[int, int], list[NDArray[np.float64]]]) -> Figure:
    """Draw a panel for each cell and number of epochs, with the published curves."""
    from matplotlib.figure import Figure

    panels: dict[tuple[int, int], list[Training]] = defaultdict(list)
    for training in trainings:
        panels[training.entry].append(training)
    figure = Figure(figsize=(3.2 * len(panels), 3.2), layout="constrained")
    row_of_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, ((cell, epochs), runs) in zip(row_of_axes, panels.items(), strict=True):
        for number, curve in enumerate(curves[cell, epochs]):
            recorded = np.arange(epochs - len(curve), epochs) + 1
            label = None if number else "NAS-Bench-201"
            axes.plot(recorded, curve, color=_PUBLISHED, label=label, marker="o" if len(curve) == 1 else None)
        for run, colour in zip(runs, _COLOURS * len(runs), strict=False):
            axes.plot(np.arange(epochs) + 1, run.accuracy, color=colour, label=run.name)
        axes.set(title=f"cell {cell}, {epochs} epochs", xlabel="epoch")
        axes.legend(frameon=False, fontsize=7, loc="lower right")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3, linewidth=0.5)
    row_of_axes[0].set_ylabel("validation accuracy, percent")
    return figure


def row(training: Training, curves: list[NDArray[np.float64]]) -> list[object]:
    """Return the row of a training in the table, see HEADER."""
    ours, last = training.accuracy[-1], [curve[-1] for curve in curves]
    values = ours, np.mean(last), min(last), max(last), ours - np.mean(last)
    return [
        training.name,
        training.cell,
        len(training.accuracy),
        *(round(float(value), 2) for value in values),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.protocol", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument(
        "--store",
        help="store built from the official files; the default table is used for cells that it lacks",
    )
    parser.add_argument("--out", help="picture of the curves, a .svg, .png or .pdf file")
    args = parser.parse_args()
    try:
        tables = [open_nb201(path) for path in dict.fromkeys((args.store, None))]
        trainings = [read(folder) for folder in args.runs]
        curves = {
            entry: published(tables, *entry) for entry in dict.fromkeys(each.entry for each in trainings)
        }
        print(format_table(HEADER, [row(training, curves[training.entry]) for training in trainings]))
        if args.out is not None:
            save(draw(trainings, curves), args.out)
    except NASBenchError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
