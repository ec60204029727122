"""Rank correlations between the accuracies of cells in a supernet and in the benchmark."""

import math
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.loader import Batch
from nasbench.benchmark import Benchmark
from nasbench.cell import CELLS, OPERATIONS, Cell
from nasbench.runs.progress import tracked
from oneshot.errors import ConfigError, GraphError, MissingDependencyError
from oneshot.graph.graph import Graph
from oneshot.methods.base import MetaOptimizer
from oneshot.mixed import pruned_mask
from oneshot.score.settings import MINIMUM_CELLS
from oneshot.search.scorer import METRIC
from oneshot.spaces.nb201 import GRAPHS, NasBench201SearchSpace, fixed_path

CellName = int | str | Sequence[str] | Cell


class Correlation(NamedTuple):
    """A rank correlation and its 95 % confidence interval; all None if one side is constant."""

    #: estimate, in [-1, 1]
    value: float | None
    #: lower bound of the interval
    low: float | None
    #: upper bound of the interval
    high: float | None


class Correlations(NamedTuple):
    """Kendall's and Spearman's rank correlations of two columns."""

    #: Kendall's tau-b
    kendall: Correlation
    #: Spearman's rho
    spearman: Correlation

    def to_json(self) -> dict[str, dict[str, float | None]]:
        """Return the correlations as plain values."""
        return {name: each._asdict() for name, each in self._asdict().items()}


class Ranking(NamedTuple):
    """Accuracies of the same cells in a supernet and in the benchmark, and their rank correlations."""

    #: accuracy of each cell's path in the supernet in percent, shape ``(N,)``
    supernet: NDArray[np.float64]
    #: the benchmark's value of each cell, shape ``(N,)``
    benchmark: NDArray[np.float64]
    #: Kendall's tau-b
    kendall: Correlation
    #: Spearman's rho
    spearman: Correlation

    @property
    def correlations(self) -> Correlations:
        """Both rank correlations."""
        return Correlations(self.kendall, self.spearman)


def correlation(
    optimizer: MetaOptimizer[Any],  # Any: its settings
    batches: Sequence[Batch],
    cells: Sequence[CellName],
    bench: Benchmark,
    dataset: str,
    metric: str = METRIC,
    progress: bool = False,
) -> Ranking:
    """Rank cells by a supernet and by the benchmark.

    >>> import torch
    >>> from nasbench import NB201
    >>> from oneshot.methods.darts import DARTS
    >>> optimizer = DARTS()
    >>> optimizer.adapt_search_space(NasBench201SearchSpace(channels=2, cells=1))
    >>> batches = [(torch.randn(100, 3, 8, 8), torch.arange(100) % 10)]
    >>> ranking = correlation(optimizer, batches, sample_cells(10, seed=0), NB201(), "cifar10")
    >>> ranking.supernet.shape, -1 <= ranking.kendall.value <= 1
    ((10,), True)

    Each cell is evaluated along its path only, with the shared weights and the statistics of each batch.

    Parameters
    ----------
    optimizer
        Any method, with a supernet of NAS-Bench-201.
    batches
        Images, float32 ``(N, 3, H, W)``, and labels, int64 ``(N,)``.
    cells
        At least 10 cells, by index, arch string, six operations or as Cell.
    bench
        The table.
    dataset, metric
        Data set and metric in the table.
    progress
        Whether to show a progress bar.

    Returns
    -------
    Ranking
        Accuracies and rank correlations.

    Raises
    ------
    GraphError
        If the supernet's space is not NAS-Bench-201.
    ConfigError
        If there are too few cells.
    MissingDependencyError
        If scipy is not installed.
    """
    if not isinstance(optimizer.graph, NasBench201SearchSpace):
        raise GraphError(
            f"the supernet's space must be the benchmark's, NAS-Bench-201; got {optimizer.graph.name!r}"
        )
    if len(cells) < MINIMUM_CELLS:
        raise ConfigError(f"a rank correlation needs at least {MINIMUM_CELLS} cells, got {len(cells)}")
    benchmark = np.array([bench.query(cell, dataset, metric) for cell in cells])
    shown = tracked(cells, "supernet", "cells", len(cells), shown=progress)
    supernet = np.array([path_accuracy(optimizer, batches, cell) for cell in shown])
    return Ranking(supernet, benchmark, *rank_correlations(supernet, benchmark))


def path_accuracy(
    optimizer: MetaOptimizer[Any],  # Any: its settings
    batches: Iterable[Batch],
    cell: CellName,
) -> float:
    """Return the accuracy of a supernet along the path of a cell, in percent."""
    with fixed_path(optimizer.graph, cell):
        return optimizer.evaluate(batches).accuracy


def rank_correlations(x: NDArray[np.float64], y: NDArray[np.float64]) -> Correlations:
    """Return Kendall's tau-b and Spearman's rho with 95 % confidence intervals.

    Parameters
    ----------
    x, y
        Columns of equal shape ``(N,)``.

    Returns
    -------
    Correlations
        All values are None if a column is constant.

    Raises
    ------
    MissingDependencyError
        If scipy is not installed.

    References
    ----------
    The intervals use Fisher's transformation with the variances of Bonett & Wright 2000, Psychometrika 65.
    """
    try:
        from scipy.stats import kendalltau, spearmanr
    except ImportError:
        raise MissingDependencyError("rank correlations need scipy: pip install scipy") from None

    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return Correlations(Correlation(None, None, None), Correlation(None, None, None))
    tau, rho = float(kendalltau(x, y).statistic), float(spearmanr(x, y).statistic)
    kendall = _with_interval(tau, 0.437 / (len(x) - 4))
    return Correlations(kendall, _with_interval(rho, (1 + rho**2 / 2) / (len(x) - 3)))


def _with_interval(value: float, variance: float) -> Correlation:
    if abs(value) > 1 - 1e-12:
        return Correlation(*[math.copysign(1.0, value)] * 3)
    margin = 1.959964 * math.sqrt(variance)  # 97.5 % quantile of the normal distribution
    return Correlation(value, *(math.tanh(math.atanh(value) + sign * margin) for sign in (-1, 1)))


def sample_cells(count: int, seed: int, supernet: Graph | None = None) -> list[Cell]:
    """Return distinct cells, sampled uniformly.

    Parameters
    ----------
    count
        Number of cells; if there are fewer, all of them are returned.
    seed
        Random seed.
    supernet
        Supernet of NAS-Bench-201 whose candidates the cells must have; None for all cells.
    """
    edges = [] if supernet is None else list(GRAPHS.edges(supernet).values())
    pruned = [pruned_mask(edge.op) for edge in edges]
    generator = np.random.default_rng(seed)
    if not any(mask.any() for mask in pruned):
        return [Cell(int(code)) for code in generator.choice(CELLS, count, replace=False)]
    names = [[OPERATIONS[k] for k in (~mask).nonzero().flatten().tolist()] for mask in pruned]
    cells = [Cell.from_ops(ops) for ops in product(*names)]
    return [cells[k] for k in generator.choice(len(cells), min(count, len(cells)), replace=False)]
