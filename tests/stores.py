"""Stores that tests write for themselves."""

import numpy as np

from nasbench import CELLS, store
from nasbench.cell import isomorphism_classes, official_index

SEEDS = np.array([777, 888, 999])


def arrays_with_curves():
    """Arrays of a store with a 12-epoch protocol of one seed, and curves, unlike the default store.

    In the 200-epoch protocol val_accuracy has a curve of 200 epochs, test_accuracy only its last epoch. Cells
    with an odd code lack seed 999; the cell of code 4 lacks everything.
    """
    rng = np.random.default_rng(0)
    curve = rng.random((CELLS, 3, 200), dtype=np.float32) * 100
    curve[1::2, 2] = np.nan
    curve[4] = np.nan
    short = rng.random((CELLS, 1, 12), dtype=np.float32)
    test = rng.random((CELLS, 3))
    test[4] = np.nan
    return {
        "index": official_index(),
        "isomorphism_class": isomorphism_classes(),
        "cifar10/params": rng.random(CELLS),
        "cifar10/200/seeds": SEEDS,
        "cifar10/200/final/val_accuracy": curve[:, :, -1].astype(np.float64),
        "cifar10/200/curve/val_accuracy": curve,
        "cifar10/200/final/test_accuracy": test,
        "cifar10/12/seeds": np.array([111]),
        "cifar10/12/final/val_loss": short[:, :, -1].astype(np.float64),
        "cifar10/12/curve/val_loss": short,
    }


def write(path, arrays, **provenance):
    """Write a store as the builders do."""
    store.write(path, arrays, {"source": "a test", "source_version": "1", **provenance})
    return path
