"""Artificial files in the published formats, for tests and benchmarks."""

import bz2
import hashlib
import pickle
import tarfile
from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from nasbench.metrics import DATASETS
from nasbench.spaces import SIZE, TOPOLOGY, Space

# Data set, number of training images, and number of images in each set, by training run.
TRIALS = {
    "cifar10-valid": ("cifar10", 25_000, {"x-valid": 25_000, "ori-test": 10_000}),
    "cifar10": ("cifar10", 50_000, {"ori-test": 10_000}),
    "cifar100": ("cifar100", 50_000, {"x-valid": 5_000, "x-test": 5_000, "ori-test": 10_000}),
    "ImageNet16-120": ("imagenet16-120", 151_700, {"x-valid": 3_000, "x-test": 3_000, "ori-test": 6_000}),
}
# Seeds and trials in the order of genuine files.
RUNS = {
    "12": [("cifar10-valid", 777)] + [(trial, 111) for trial in TRIALS],
    "200": [(trial, seed) for seed in (999, 777, 888) for trial in TRIALS],
}
SIZE_RUNS = {
    "01": [(trial, 777) for trial in TRIALS],
    "12": [(trial, seed) for seed in (777, 888, 999) for trial in TRIALS],
    "90": [(trial, 777) for trial in TRIALS],
}
EPOCHS = {"01": 1, "12": 12, "90": 90, "200": 200, "less": 12, "full": 200}


def results_of(space, index, third_seed=True, weights=None):
    """Return a cell's results in the authors' pickle format: random, but determined by the index."""
    rng = np.random.default_rng(index)
    cell = space.cell.from_index(index)
    second = float(rng.uniform(5, 50))  # of training on 25,000 images
    results = OrderedDict()
    for key, runs in (RUNS if space is TOPOLOGY else SIZE_RUNS).items():
        runs = [(trial, seed) for trial, seed in runs if third_seed or key != "200" or seed != 999]
        seeds = {trial: sorted(seed for name, seed in runs if name == trial) for trial in TRIALS}
        results[key] = {
            "arch_index": index,
            "arch_str": str(cell),
            "all_results": {
                (trial, seed): _run(space, cell, key, trial, seed, second, rng, weights)
                for trial, seed in runs
            },
            "dataset_seed": seeds,
            "clear_net_done": True,
        }
    return results


def _run(space, cell, key, trial, seed, second, rng, weights):
    dataset, trained_on, sets = TRIALS[trial]
    epochs = EPOCHS[key]
    image = DATASETS[dataset]
    everywhere = epochs < 200 or space is SIZE
    every = {"cifar10-valid": "x-valid"}.get(trial, "ori-test")
    run = {
        "name": trial,
        "train_acc1es": dict(enumerate(_accuracies(rng, epochs, trained_on))),
        "train_acc5es": dict(enumerate(_accuracies(rng, epochs, trained_on))) if epochs < 200 else None,
        "train_losses": dict(enumerate(rng.uniform(0.1, 5, epochs).tolist())),
        "train_times": OrderedDict(enumerate([second * trained_on / 25_000] * epochs)),
        "arch_config": {"channel": 16, "num_cells": 5, "arch_str": str(cell), "class_num": image.classes},
        "params": np.float64(_params(cell, image)),
        "flop": _flops(cell, image),
        "seed": f"{seed:04d}",
        "epochs": epochs,
        "latency": [np.float64(_latency(cell, image))],
        "eval_names": list(sets),
        "eval_acc1es": {},
        "eval_times": {},
        "eval_losses": {},
        "net_state_dict": weights,
    }
    # The set that is recorded at every epoch is first; the others are only recorded after the last epoch.
    for name in sorted(sets, key=lambda name: not everywhere and name != every):
        recorded = range(epochs) if everywhere or name == every else [epochs - 1]
        values = zip(recorded, _accuracies(rng, len(recorded), sets[name]), strict=True)
        run["eval_acc1es"] |= {f"{name}@{epoch}": value for epoch, value in values}
        losses = rng.uniform(0.1, 5, len(recorded)).tolist()
        run["eval_losses"] |= {f"{name}@{e}": value for e, value in zip(recorded, losses, strict=True)}
    for name, images in sets.items():
        run["eval_times"] |= {f"{name}@{epoch}": second * images / 75_000 for epoch in range(epochs)}
    return run


def _accuracies(rng, epochs, images):
    """Return percentages of a number of images, computed as averages over batches in single precision."""
    counts = np.sort(rng.integers(images // 10, images, epochs))
    shares = np.float32(100) * (counts / images).astype(np.float32)
    return (shares.astype(np.float64) + rng.integers(-9, 10, epochs) * 2.0**-33).clip(0, 100).tolist()


def _latency(cell, image):
    return 0.01 + cell.code / 1e7 + image.classes / 1e6


def _params(cell, image):
    if hasattr(cell, "params"):
        return cell.params(image.classes) / 1e6
    return sum(cell.widths) / 1e3 + image.classes / 1e6


def _flops(cell, image):
    if hasattr(cell, "params"):
        return cell.flops(image.classes, image.image_size) / 1e6
    return sum(cell.widths) / 1e2 + image.classes / 1e6


def meta_of(space: Space, arch2infos: object = None) -> dict[str, object]:
    """Return the object that lists all cells."""
    archs = [str(space.cell(code)) for code in space.official_order().tolist()]
    return {
        "meta_archs": archs,
        "total_archs": len(archs),
        "arch2infos": arch2infos,
        "evaluated_indexes": set(),
    }


def packed(value: object) -> bytes:
    """Return a bz2 stream of a pickle."""
    return bz2.compress(pickle.dumps(value, protocol=4))


@cache
def _packed_meta(space: Space) -> bytes:
    return packed(meta_of(space))


@cache
def _packed_cell(space: Space, index: int, third_seed: bool) -> bytes:
    return packed(results_of(space, index, third_seed=third_seed))


def write_cell(
    folder: Path, space: Space, index: int, third_seed: bool = True, weights: Any = None
) -> dict[str, Any]:
    """Write one cell's file and return its content."""
    if weights is None:
        data = _packed_cell(space, index, third_seed)
    else:
        data = packed(results_of(space, index, third_seed, weights))
    (folder / f"{index:06d}.pickle.pbz2").write_bytes(data)
    return pickle.loads(bz2.decompress(data))


def write_folder(folder, space, indices, meta=True):
    """Write a NATS-Bench folder; every other cell lacks seed 999. Return {index: results}."""
    folder.mkdir(parents=True, exist_ok=True)
    if meta:
        (folder / "meta.pickle.pbz2").write_bytes(_packed_meta(space))
    return {
        index: write_cell(folder, space, index, third_seed=not place % 2)
        for place, index in enumerate(indices)
    }


def write_tar(path, folder):
    """Write a folder's archive."""
    with tarfile.open(path, "w") as archive:
        archive.add(folder, folder.name)


def write_file(folder, space, indices):
    """Write a single file of all cells, with its md5 in its name; return its path and {index: results}."""
    results = {
        index: results_of(space, index, third_seed=not place % 2) for place, index in enumerate(indices)
    }
    data = packed(meta_of(space, results))
    suffix = hashlib.md5(data).hexdigest()[-5:]
    path = folder / f"NATS-{space.flag}-v1_0-{suffix}.pickle.pbz2"
    path.write_bytes(data)
    return path, results


def first_release(indices, without=()):
    """Return the object of NAS-Bench-201's first release: {index: {"less", "full"}}, and its list of cells.

    `without` has the trials that the 12-epoch protocol lacks.
    """
    cells = {}
    for place, index in enumerate(indices):
        results = results_of(TOPOLOGY, index, third_seed=not place % 2)
        for trial in without:
            results["12"]["dataset_seed"].pop(trial)
            for run in [run for run in results["12"]["all_results"] if run[0] == trial]:
                del results["12"]["all_results"][run]
        cells[index] = {"less": dict(results["12"]), "full": dict(results["200"])}
    return meta_of(TOPOLOGY, cells)
