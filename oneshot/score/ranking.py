"""How a supernet ranks cells: rank correlations with the benchmark."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.loader import Batch
from nasbench.benchmark import Benchmark
from nasbench.cell import CELLS, Cell
from nasbench.runs.progress import tracked
from oneshot.errors import ConfigError, GraphError, MissingDependencyError
from oneshot.methods.base import MetaOptimizer
from oneshot.score.settings import MINIMUM_CELLS
from oneshot.search.scorer import METRIC
from oneshot.spaces.nb201 import NasBench201SearchSpace, fixed_path

CellName = int | str | Sequence[str] | Cell


class Correlation(NamedTuple):
    """A rank correlation and its 95 % confidence interval; None throughout if one side is constant."""

    value: float | None
    low: float | None
    high: float | None


class Correlations(NamedTuple):
    """Both rank correlations of two columns."""

    #: Kendall's tau-b.
    kendall: Correlation
    #: Spearman's rho.
    spearman: Correlation

    def to_json(self) -> dict[str, dict[str, float | None]]:
        """Return the correlations as plain values."""
        return {name: each._asdict() for name, each in self._asdict().items()}


class Ranking(NamedTuple):
    """The accuracies of the same cells in a supernet and in the benchmark, and their rank correlations."""

    #: Accuracy of each cell's path in the supernet, percent, shape ``(N,)``.
    supernet: NDArray[np.float64]
    #: The benchmark's value of each cell, shape ``(N,)``.
    benchmark: NDArray[np.float64]
    #: Kendall's tau-b.
    kendall: Correlation
    #: Spearman's rho.
    spearman: Correlation

    @property
    def correlations(self) -> Correlations:
        """Both rank correlations."""
        return Correlations(self.kendall, self.spearman)


def correlation(
    optimizer: MetaOptimizer[Any],  # Any: whatever its settings are
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

    A cell is evaluated along its path alone, with the shared weights and the batches' own statistics.

    Parameters
    ----------
    optimizer
        Any method, with a supernet of NAS-Bench-201.
    batches
        Images and labels.
    cells
        Any names of cells, at least 10.
    bench
        The table.
    dataset, metric
        What is asked of it.
    progress
        Whether to show a progress bar.

    Raises
    ------
    GraphError
        If the supernet is of another space.
    ConfigError
        If there are too few cells.
    """
    if not isinstance(optimizer.graph, NasBench201SearchSpace):
        raise GraphError(
            f"the supernet is of the space {optimizer.graph.name!r}; the benchmark's is NAS-Bench-201"
        )
    if len(cells) < MINIMUM_CELLS:
        raise ConfigError(f"a rank correlation is of {MINIMUM_CELLS} cells or more, got {len(cells)}")
    benchmark = np.array([bench.query(cell, dataset, metric) for cell in cells])
    shown = tracked(cells, "supernet", "cells", len(cells), shown=progress)
    supernet = np.array([path_accuracy(optimizer, batches, cell) for cell in shown])
    return Ranking(supernet, benchmark, *rank_correlations(supernet, benchmark))


def path_accuracy(
    optimizer: MetaOptimizer[Any],  # Any: whatever its settings are
    batches: Iterable[Batch],
    cell: CellName,
) -> float:
    """Return the accuracy in percent of a supernet along the path of a cell."""
    with fixed_path(optimizer.graph, cell):
        return optimizer.evaluate(batches).accuracy


def rank_correlations(x: NDArray[np.float64], y: NDArray[np.float64]) -> Correlations:
    """Return Kendall's tau-b and Spearman's rho of two columns, shape (N,).

    Raises
    ------
    MissingDependencyError
        Without scipy.

    References
    ----------
    Intervals: Fisher's transformation, with the variances of Bonett & Wright 2000, Psychometrika 65.
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
    reach = 1.959964 * math.sqrt(variance)  # the normal distribution's 97.5 % quantile
    return Correlation(value, *(math.tanh(math.atanh(value) + sign * reach) for sign in (-1, 1)))


def sample_cells(count: int, seed: int) -> list[Cell]:
    """Return distinct cells, sampled uniformly."""
    codes = np.random.default_rng(seed).choice(CELLS, count, replace=False)
    return [Cell(int(code)) for code in codes]
