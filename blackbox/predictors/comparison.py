"""The rank correlation of predictors on other cells, by number of training cells."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from blackbox.predictors.base import Predictor
from blackbox.predictors.encodings import default_encoding, one_hot, with_metrics
from blackbox.predictors.ensemble import ExtraTrees
from blackbox.predictors.gaussian_process import GaussianProcess
from blackbox.predictors.zero_cost import ZeroCost
from blackbox.search.space import SearchSpace
from blackbox.table.objective import TableObjective
from nasbench.arrays import Codes
from nasbench.benchmark import Benchmark
from nasbench.errors import NotRecordedError
from nasbench.metrics import METRICS

LEARNED: dict[str, Callable[[SearchSpace, int], Predictor]] = {  # called with a space and a seed
    "extra trees, paths": lambda space, seed: ExtraTrees(space, default_encoding(space), seed),
    "extra trees, one-hot": lambda space, seed: ExtraTrees(space, one_hot, seed),
    "Gaussian process": lambda space, seed: GaussianProcess(space, seed=seed),
}
ZERO_COST = ("params", "flops")
PROXIES = tuple(name for name, metric in METRICS.items() if metric.is_proxy)


class Correlation(NamedTuple):
    """The rank correlations of a predictor's means with the table, one per trial, (T,).

    They are 0 if the predictions or the table are constant, because then there is no ranking.
    """

    predictor: str  #: name of the predictor
    cells: int  #: number of cells that it was fitted to
    kendall: NDArray[np.float64]  #: Kendall's tau-b of each trial
    spearman: NDArray[np.float64]  #: Spearman's rho of each trial


def compare(
    benchmark: Benchmark,
    objective: TableObjective,
    space: SearchSpace,
    sizes: Sequence[int],
    trials: int = 10,
    tested: int = 1000,
    seed: int = 0,
) -> list[Correlation]:
    """Return the Correlation of each predictor for each number of training cells.

    In each trial, the training cells are sampled uniformly from the feasible ones. A smaller training set is
    the beginning of a larger one, and all predictors rank the same `tested` other cells. Metrics of the
    network need no training cells: each is listed once, with 0 cells, if the table has it for every cell
    (White et al. 2021, arXiv:2104.01177).
    """
    feasible = np.flatnonzero(objective.feasible)
    draws = [_draw(feasible, max(sizes), tested, seed, trial) for trial in range(trials)]
    correlations, proxies = [], []
    for metric in (*ZERO_COST, *PROXIES):
        try:
            predictor = ZeroCost(benchmark, objective.dataset, metric)
        except NotRecordedError:
            continue
        if metric in PROXIES:
            proxies.append(metric)
        correlations.append(_correlation(metric, 0, [(predictor, test) for _, test in draws], objective))
    learned = dict(LEARNED)
    if proxies:  # White et al. 2021, arXiv:2104.01177, section 4: OMNI
        encode = with_metrics(default_encoding(space), benchmark, objective.dataset, proxies)
        learned["extra trees, with proxies"] = lambda space, seed: ExtraTrees(space, encode, seed)
    for name, make in learned.items():
        for size in sizes:
            fitted = [
                (make(space, seed).fit(train[:size], objective.scores[train[:size]]), test)
                for train, test in draws
            ]
            correlations.append(_correlation(name, size, fitted, objective))
    return correlations


def _draw(feasible: Codes, training: int, tested: int, seed: int, trial: int) -> tuple[Codes, Codes]:
    """Sample feasible codes to train with, (training,), and others to rank, (tested,)."""
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(trial,)))
    codes = generator.permutation(feasible)
    return codes[:training], codes[training : training + tested]


def _correlation(
    name: str, size: int, predictors: Iterable[tuple[Predictor, Codes]], objective: TableObjective
) -> Correlation:
    """Return the correlations of fitted predictors, one per trial, each on the codes to rank."""
    from scipy.stats import kendalltau, spearmanr

    kendall, spearman = [], []
    for predictor, codes in predictors:
        mean, _ = predictor.predict(codes)
        truth = objective.targets[codes]
        ranked = np.ptp(mean) > 0 and np.ptp(truth) > 0
        kendall.append(kendalltau(mean, truth).statistic if ranked else 0.0)
        spearman.append(spearmanr(mean, truth).statistic if ranked else 0.0)
    return Correlation(name, size, np.array(kendall), np.array(spearman))
