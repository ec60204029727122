"""Bayesian optimization with a Gaussian process (`python -m blackbox.gp`): Jones et al. 1998."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blackbox.predictors.gaussian_process import GaussianProcess
from blackbox.search.model_based import ModelBasedConfig, ModelBasedSearch
from blackbox.search.scores import best_first
from nasbench.arrays import Codes, Scores
from nasbench.runs.checks import MANY
from nasbench.runs.settings import option


@dataclass(frozen=True)
class GaussianProcessConfig(ModelBasedConfig):
    """Settings of `GaussianProcessSearch`; the defaults were measured on NAS-Bench-201."""

    #: Number of cells sampled uniformly before the first model.
    initial: int = option(20, "number of cells sampled uniformly before the first model", at_least=1)
    #: Number of evaluations between fits of the kernel's length scale, amplitude and noise.
    refit: int = option(
        10, "number of evaluations between fits of the kernel's length scale, amplitude and noise", at_least=1
    )
    #: Number of best cells whose neighbours are candidates.
    parents: int = option(
        10, "number of best cells whose neighbours are candidates", at_least=1, at_most=MANY
    )
    #: Number of further candidates, sampled uniformly at each step.
    candidates: int = option(
        300, "number of further candidates, sampled uniformly at each step", at_least=0, at_most=MANY
    )


class GaussianProcessSearch(ModelBasedSearch[GaussianProcessConfig, Any]):
    """Bayesian optimization: evaluates the candidate with the highest expected improvement.

    >>> from blackbox import NB201_SPACE, run
    >>> search = GaussianProcessSearch(NB201_SPACE, trials=2)
    >>> history = run(search, lambda codes: -abs(codes - 9000), evals=30)
    >>> history.codes.shape
    (2, 30)

    The model is a Gaussian process on one-hot codes, so cells that differ in few operations are near each
    other. The process uses all evaluations at every step; its kernel is refitted every few evaluations.
    Unlike in the paper, scores are normal scores of their ranks, the predictive variance includes noise, and
    only some cells are candidates.

    Parameters
    ----------
    space, config, trials, seed, history, first
        As for `blackbox.search.Search`; `config` is a `GaussianProcessConfig`.

    Raises
    ------
    MissingDependencyError
        If scikit-learn is not installed.

    References
    ----------
    Jones, Schonlau & Welch 1998, doi:10.1023/A:1008306431147.
    """

    name = "Gaussian process"
    config_class = GaussianProcessConfig

    def setup(self) -> None:
        super().setup()
        GaussianProcess(self.space)  # raises before the first evaluation if a package is not installed

    def propose(self, row: int, step: int) -> Iterable[int]:
        kernel = self.fitted(row, step, self.config.refit, self._kernel)
        if kernel is None:
            return []
        codes, scores = self.evaluations(row)
        candidates = self._candidates(row, step, codes, scores)
        if not len(candidates):
            return []
        process = GaussianProcess(self.space, kernel=kernel).fit(codes, scores)
        improvement = expected_improvement(*process.predict(candidates), process.best)
        return best_first(candidates, improvement)

    def _kernel(self, row: int, steps: int) -> Any:  # scikit-learn has no types
        """Return the maximum-likelihood kernel of a trial's first evaluations; None if all failed."""
        codes, scores = self.evaluations(row, steps)
        return GaussianProcess(self.space).fit(codes, scores).kernel if len(codes) else None

    def _candidates(self, row: int, step: int, codes: Codes, scores: Scores) -> Codes:
        """Return neighbours of the best cells and sampled cells that are not evaluated yet, ascending."""
        best = best_first(codes, scores)[: self.config.parents]
        drawn = self.generator(row, step).integers(self.space.size, size=self.config.candidates)
        return np.setdiff1d(np.append(self.space.neighbours[best], drawn), self.history.codes[row])


def expected_improvement(
    mean: NDArray[np.float64], std: NDArray[np.float64], best: float
) -> NDArray[np.float64]:
    """Return the expected improvement over `best` of normally distributed scores."""
    from scipy.special import ndtr

    z = (mean - best) / std
    return np.asarray(std * (z * ndtr(z) + np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)))


if __name__ == "__main__":
    from blackbox.cli import main

    sys.exit(main(GaussianProcessSearch))
