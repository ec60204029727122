"""How well predictors rank cells that they have not seen, by how many they have."""

from typing import NamedTuple

import numpy as np

from blackbox.predictors.encodings import encoding_of, one_hot
from blackbox.predictors.ensemble import ExtraTrees
from blackbox.predictors.gaussian_process import GaussianProcess
from blackbox.predictors.zero_cost import ZeroCost
from nasbench.errors import NotRecordedError

LEARNED = {
    "extra trees, paths": lambda space, seed: ExtraTrees(space, encoding_of(space), seed),
    "extra trees, one-hot": lambda space, seed: ExtraTrees(space, one_hot, seed),
    "Gaussian process": lambda space, seed: GaussianProcess(space, seed=seed),
}
ZERO_COST = ("params", "flops")


class Correlation(NamedTuple):
    """Rank correlations of a predictor's means with the table, one a trial, float64 (T,).

    0 where it says the same of all cells, or the table does: then there is no ranking.
    """

    predictor: str
    cells: int  # that it was fitted to
    kendall: np.ndarray  # tau-b
    spearman: np.ndarray


def compare(benchmark, objective, space, sizes, trials=10, tested=1000, seed=0):
    """The Correlation of each predictor for each number of training cells, a list.

    In each trial the training cells are drawn uniformly from the feasible ones, fewer ones are the first of
    more, and all predictors are asked about the same `tested` other cells. What belongs to the network needs
    no training: it is there once, for 0 cells (White et al. 2021, arXiv:2104.01177), if the table has it for
    every cell.
    """
    feasible = np.flatnonzero(objective.feasible)
    draws = [_draw(feasible, max(sizes), tested, seed, trial) for trial in range(trials)]
    found = []
    for metric in ZERO_COST:
        try:
            predictor = ZeroCost(benchmark, objective.dataset, metric)
        except NotRecordedError:
            continue
        found.append(_measured(metric, 0, [(predictor, test) for _, test in draws], objective))
    for name, make in LEARNED.items():
        for size in sizes:
            fitted = [
                (make(space, seed).fit(train[:size], objective.scores[train[:size]]), test)
                for train, test in draws
            ]
            found.append(_measured(name, size, fitted, objective))
    return found


def _draw(feasible, training, tested, seed, trial):
    """Feasible codes to train with, (training,), and others to ask about, (tested,)."""
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(trial,)))
    codes = generator.permutation(feasible)
    return codes[:training], codes[training : training + tested]


def _measured(name, size, predictors, objective):
    from scipy.stats import kendalltau, spearmanr

    kendall, spearman = [], []
    for predictor, codes in predictors:
        mean, _ = predictor.predict(codes)
        truth = objective.targets[codes]
        ranked = np.ptp(mean) > 0 and np.ptp(truth) > 0
        kendall.append(kendalltau(mean, truth).statistic if ranked else 0.0)
        spearman.append(spearmanr(mean, truth).statistic if ranked else 0.0)
    return Correlation(name, size, np.array(kendall), np.array(spearman))
