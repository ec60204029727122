"""Bayesian optimization with a Gaussian process (`python -m blackbox.gp`): Jones et al. 1998."""

import sys
from dataclasses import dataclass

import numpy as np

from blackbox.predictors.gaussian_process import GaussianProcess
from blackbox.search.model_based import ModelBasedConfig, ModelBasedSearch
from nasbench.runs.settings import MANY, option, whole


@dataclass(frozen=True)
class GaussianProcessConfig(ModelBasedConfig):
    """Defaults: measured on NAS-Bench-201."""

    initial: int = option(20, "cells drawn uniformly before there is a model")
    refit: int = option(10, "evaluations between fits of the kernel's length, amplitude and noise")
    parents: int = option(10, "best cells whose neighbours are candidates")
    candidates: int = option(300, "further candidates, drawn uniformly at each step")

    def __post_init__(self):
        super().__post_init__()
        whole("refit", self.refit, 1)
        whole("parents", self.parents, 1, MANY)
        whole("candidates", self.candidates, 0, MANY)


class GaussianProcessSearch(ModelBasedSearch):
    """The next cell is the candidate with the highest expected improvement under a Gaussian process.

    >>> from blackbox.search import run
    >>> from blackbox.search.space import NB201
    >>> history = run(GaussianProcessSearch(NB201, trials=2), lambda codes: -abs(codes - 9000), evals=30)
    >>> history.codes.shape
    (2, 30)

    The kernel is on one-hot codes, so that cells are near which differ in few operations. All evaluations are
    in the process at every step; its kernel is fitted anew after some. Unlike in the paper (Jones, Schonlau &
    Welch 1998, doi:10.1023/A:1008306431147), scores are normal scores of their ranks, there is noise, which
    the improvement counts as a part of what is not known, and only some cells are candidates.
    """

    name = "Gaussian process"
    config_class = GaussianProcessConfig

    def __init__(self, space, config=None, trials=1, seed=0, history=None):
        super().__init__(space, config, trials, seed, history)
        GaussianProcess(space)  # whatever is not installed is missed before the first evaluation

    def propose(self, row, step):
        kernel = self.fitted(row, step, self.config.refit, self._kernel)
        if kernel is None:
            return []
        codes, scores = self.evaluations(row)
        candidates = self._candidates(row, step, codes, scores)
        if not len(candidates):
            return []
        process = GaussianProcess(self.space, kernel=kernel).fit(codes, scores)
        improvement = expected_improvement(*process.predict(candidates), process.best)
        return candidates[np.argsort(-improvement, kind="stable")].tolist()

    def _kernel(self, row, steps):
        """The kernel that the first evaluations of a trial make most likely; None if all of them failed."""
        codes, scores = self.evaluations(row, steps)
        return GaussianProcess(self.space).fit(codes, scores).kernel if len(codes) else None

    def _candidates(self, row, step, codes, scores):
        """What differs in one digit from the best cells, and drawn ones; not evaluated yet, ascending."""
        best = codes[np.argsort(-scores, kind="stable")[: self.config.parents]]
        drawn = self.generator(row, step).integers(self.space.size, size=self.config.candidates)
        return np.setdiff1d(np.append(self.space.neighbours[best], drawn), self.history.codes[row])


def expected_improvement(mean, std, best):
    """By how much a normally distributed score exceeds `best` on average, counting what does not as 0."""
    from scipy.special import ndtr

    z = (mean - best) / std
    return std * (z * ndtr(z) + np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi))


if __name__ == "__main__":
    from blackbox.cli import main

    sys.exit(main(GaussianProcessSearch))
