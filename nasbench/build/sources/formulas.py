"""Computed parameters and multiply-adds of the topology space's networks, for comparison with files."""

from functools import cache

from nasbench.arrays import Values
from nasbench.cell import count_convolutions, count_flops, count_params
from nasbench.metrics import DATASETS

TOLERANCE = 1e-3  # million; in 204 cells, some runs differ by 1e-5


@cache
def formulas() -> dict[tuple[str, str], Values]:
    """Return params and flops of all cells in millions, (15625,) ordered by code, by (data set, metric)."""
    counts = count_convolutions()
    costs: dict[tuple[str, str], Values] = {}
    for dataset in DATASETS.values():
        costs[dataset.name, "params"] = count_params(*counts, dataset.classes) / 1e6
        costs[dataset.name, "flops"] = count_flops(*counts, dataset.classes, dataset.image_size) / 1e6
    return costs
