"""Comparison of the regrets of searches on the default table."""

import numpy as np

from blackbox.algorithms import algorithm
from blackbox.results.regret import regrets
from blackbox.search.loop import run
from blackbox.search.space import NB201_SPACE
from blackbox.table.objective import TableObjective


def regrets_of(name, bench, trials, evals):
    """Return the regret of each trial after `evals` evaluations, (T,), in points of validation accuracy."""
    table = TableObjective(bench, "cifar10", "val_accuracy")
    history = run(algorithm(name)(NB201_SPACE, trials=trials), table, evals)
    return regrets(history.incumbents()[:, -1:], table)[:, 0]


def standard_errors_ahead(found, others):
    """Return the difference of mean regrets, others - found, in standard errors of this difference."""
    error = np.sqrt(found.var(ddof=1) / len(found) + others.var(ddof=1) / len(others))
    return (others.mean() - found.mean()) / error
