"""Artificial stores for tests."""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nasbench import CELLS, NB201, store
from nasbench.arrays import Array
from nasbench.build import build
from nasbench.cell import isomorphism_classes, official_index
from nasbench.metrics import DATASETS
from nasbench.spaces import SIZE, TOPOLOGY

SEEDS = np.array([777, 888, 999])
PUBLISHED_SEEDS = {
    TOPOLOGY: {12: (111,), 200: (777, 888, 999)},
    SIZE: {1: (777,), 12: (777, 888, 999), 90: (777,)},
}


def arrays_with_curves():
    """Return arrays of a store with a 12-epoch protocol of one seed, and curves.

    In the 200-epoch protocol val_accuracy has a curve of 200 epochs, test_accuracy only its last epoch. Cells
    with an odd code lack seed 999; the cell of code 4 lacks everything.
    """
    rng = np.random.default_rng(0)
    curve = rng.random((CELLS, 3, 200)) * 100
    curve[1::2, 2] = np.nan
    curve[4] = np.nan
    short = rng.random((CELLS, 1, 12))
    test = rng.random((CELLS, 3))
    test[4] = np.nan
    return {
        "index": official_index(),
        "isomorphism_class": isomorphism_classes(),
        "cifar10/params": rng.random(CELLS),
        "cifar10/200/seeds": SEEDS,
        "cifar10/200/final/val_accuracy": curve[:, :, -1],
        "cifar10/200/curve/val_accuracy": curve,
        "cifar10/200/final/test_accuracy": test,
        "cifar10/12/seeds": np.array([111]),
        "cifar10/12/final/val_loss": short[:, :, -1],
        "cifar10/12/curve/val_loss": short,
    }


def arrays_of_all_protocols(space):
    """Return arrays of a store with every cell, all protocols of a space and the published seeds.

    Values are random, but correlated between protocols; there are no curves. As published, in the
    topology space CIFAR-10 has a second seed after 12 epochs, which its test accuracy lacks, and some cells
    (of odd code) lack seed 999.
    """
    rng = np.random.default_rng(0)
    cells = space.cells
    arrays = {"index": space.official_index()}
    if space is TOPOLOGY:
        arrays["isomorphism_class"] = isomorphism_classes()
    for dataset in DATASETS:
        quality, seconds = rng.uniform(40, 60, (cells, 1)), rng.uniform(3, 12, (cells, 1))
        arrays[f"{dataset}/latency"] = rng.random(cells)
        for protocol, seeds in PUBLISHED_SEEDS[space].items():
            half = space is TOPOLOGY and (dataset, protocol) == ("cifar10", 12)
            seeds = (*seeds, 777) if half else seeds
            shape = cells, len(seeds)
            spread = 8 / protocol**0.5
            runs = {
                "val_accuracy": quality + rng.normal(0, spread, shape),
                "val_loss": rng.random(shape),
                "test_accuracy": quality + rng.normal(1, spread, shape),
                "train_time": seconds * protocol * rng.uniform(0.9, 1.1, shape),
                "val_time": seconds * rng.uniform(0.3, 0.4, shape),
            }
            if half:
                runs["test_accuracy"][:, 1] = np.nan
            arrays[f"{dataset}/{protocol}/seeds"] = np.array(seeds)
            for metric, values in runs.items():
                if 999 in seeds and space is TOPOLOGY:
                    values[1::2, seeds.index(999)] = np.nan
                arrays[f"{dataset}/{protocol}/final/{metric}"] = values
    return arrays


def arrays_with_rising_curves(bench: NB201) -> dict[str, Array]:
    """Return arrays of a store of CIFAR-10 with learning curves of two seeds that end in the genuine values.

    Curves rise at different rates, with noise that decreases over the epochs, so low fidelities predict
    the final value only roughly. All epochs take equally long, as in the genuine table; `bench`
    is the default table.
    """
    rng = np.random.default_rng(0)
    columns = np.isin(bench.store["cifar10/200/seeds"], SEEDS[:2])
    final = bench.store["cifar10/200/final/val_accuracy"][:, columns]
    seconds = bench.store["cifar10/200/final/train_time"][:, columns] / 200
    part = np.arange(1, 201) / 200
    speed = rng.uniform(0.19, 0.21, (CELLS, 1, 1))  # small is fast
    curve = 10 + (final[:, :, None] - 10) * part**speed
    curve += rng.normal(0, 1, curve.shape) * (1 - part) ** 2
    arrays = {
        "index": official_index(),
        "isomorphism_class": isomorphism_classes(),
        "cifar10/200/seeds": SEEDS[:2],
        "cifar10/200/final/val_accuracy": curve[:, :, -1],
        "cifar10/200/curve/val_accuracy": curve,
    }
    train = np.zeros_like(seconds)
    for _ in range(200):
        train += seconds
    for metric, last, epoch in (("train_time", train, seconds), ("val_time", seconds / 4, seconds / 4)):
        arrays[f"cifar10/200/final/{metric}"] = last
        arrays[f"cifar10/200/per_epoch/{metric}"] = epoch
    return arrays


def write(path: Path, arrays: Mapping[str, Array], **provenance: str) -> Path:
    """Write a store as the builders do, by default of the topology space."""
    described = {"space": TOPOLOGY.name, "source": "a test", "source_version": "1"}
    store.write(path, arrays, described | provenance)
    return path


def arrays_as_released():
    """Return arrays of a store like the default one: runs with seeds, means, and hardware metrics.

    After 200 epochs, validation accuracy and training time have seeds 777, 888 and 999, the others the mean
    alone; after 12 epochs all are means. CIFAR-10 has four device metrics, of which edgetpu_latency lacks
    4,699 cells, the other data sets only pixel3_latency.
    """
    rng = np.random.default_rng(0)
    arrays = {"index": official_index(), "isomorphism_class": isomorphism_classes()}
    for dataset in DATASETS:
        quality, seconds = rng.uniform(40, 60, (CELLS, 1)), rng.uniform(3, 12, (CELLS, 1))
        for metric in ("params", "flops", "latency", "pixel3_latency"):
            arrays[f"{dataset}/{metric}"] = rng.uniform(1, 100, CELLS)
        for protocol, seeds in ((12, (-1,)), (200, (-1, *SEEDS))):
            arrays[f"{dataset}/{protocol}/seeds"] = np.array(seeds)
            means = np.full((CELLS, len(seeds)), np.nan)
            means[:, 0] = 0
            runs = means if len(seeds) == 1 else np.where(np.isnan(means), 0, np.nan)
            spread = 8 / protocol**0.5
            for metric, kind, values in (
                ("val_accuracy", runs, quality + rng.normal(0, spread, means.shape)),
                ("test_accuracy", means, quality + rng.normal(1, spread, means.shape)),
                ("train_time", runs, seconds * protocol),
                ("val_time", means, seconds / 3),
            ):
                arrays[f"{dataset}/{protocol}/final/{metric}"] = values + kind
    for metric in ("raspi4_latency", "eyeriss_energy", "edgetpu_latency"):
        arrays[f"cifar10/{metric}"] = rng.uniform(1, 100, CELLS)
    arrays["cifar10/edgetpu_latency"][rng.permutation(CELLS)[:4699]] = np.nan
    return arrays


def from_csv(path, columns, count=CELLS, **options):
    """Build a store from a CSV file with random values of the first `count` cells; return its path.

    `columns` are names such as cifar10:200:val_accuracy; `options` are arguments of `nasbench.build.build`.
    """
    table = path.with_suffix(".csv")
    with table.open("w", newline="") as file:
        rows = np.random.default_rng(0).uniform(50, 90, (count, len(columns))).tolist()
        csv.writer(file).writerows([["index", *columns], *([n, *row] for n, row in enumerate(rows))])
    build([table], path, workers=1, **options)
    return path
