"""Parameters and multiply-adds of the topology space's networks by formula, which files are held against."""

from functools import cache

from nasbench.cell import count_convolutions, count_flops, count_params
from nasbench.metrics import DATASETS

TOLERANCE = 1e-3  # million; of 204 cells, some runs differ by 1e-5


@cache
def formulas():
    """In millions for each cell by code, {(data set, "params" or "flops"): float64 (15625,)}."""
    counts = count_convolutions()
    found = {}
    for dataset in DATASETS.values():
        found[dataset.name, "params"] = count_params(*counts, dataset.classes) / 1e6
        found[dataset.name, "flops"] = count_flops(*counts, dataset.classes, dataset.image_size) / 1e6
    return found
