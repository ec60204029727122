"""BANANAS, Bayesian optimization with path encodings (`python -m blackbox.bananas`): White et al. 2019."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from blackbox.predictors.encodings import default_encoding
from blackbox.predictors.ensemble import ExtraTrees
from blackbox.search.model_based import ModelBasedConfig, ModelBasedSearch
from blackbox.search.scores import best_first
from nasbench.arrays import Codes, Scores
from nasbench.runs.checks import MANY
from nasbench.runs.settings import option


@dataclass(frozen=True)
class BananasConfig(ModelBasedConfig):
    """Settings of BANANAS; defaults are from section 5 of the paper unless a comment says otherwise."""

    #: Number of cells that one ensemble selects before the next is fitted.
    batch: int = option(
        10, "number of cells that one ensemble selects before the next is fitted", at_least=1, at_most=MANY
    )
    #: Number of best cells whose neighbours are the candidates.
    parents: int = option(
        10, "number of best cells whose neighbours are the candidates", at_least=1, at_most=MANY
    )
    # measured; the paper has 5 networks
    #: Number of trees in the ensemble.
    trees: int = option(20, "number of trees in the ensemble", at_least=2, at_most=MANY)


class Bananas(ModelBasedSearch[BananasConfig, Codes]):
    """BANANAS: an ensemble on the path encoding with independent Thompson sampling.

    >>> from blackbox import NB201_SPACE, run
    >>> search = Bananas(NB201_SPACE, trials=2)
    >>> history = run(search, lambda codes: -abs(codes - 9000), evals=30)
    >>> history.codes.shape
    (2, 30)

    The score of each candidate is sampled from the normal distribution that the ensemble predicts; the cells
    with the highest samples are evaluated as a batch. Unlike in the paper,

    - the ensemble consists of extremely randomized trees on ranks, not of networks with a loss that weights
      good cells, so a fit takes milliseconds instead of seconds;
    - the candidates are all neighbours of the best cells, not 100 of them.

    Spaces without paths use the one-hot encoding.

    Parameters
    ----------
    space, config, trials, seed, history, first
        As for `blackbox.search.Search`; `config` is a `BananasConfig`.

    Raises
    ------
    MissingDependencyError
        If scikit-learn is not installed.

    References
    ----------
    White et al. 2019, arXiv:1910.11858.
    """

    name = "BANANAS"
    config_class = BananasConfig

    def setup(self) -> None:
        super().setup()
        self._ensemble(seed=0)  # raises before the first evaluation if a package is not installed

    def propose(self, row: int, step: int) -> Iterable[int]:
        return self.fitted(row, step, self.config.batch, self._ranking)

    def _ranking(self, row: int, steps: int) -> Codes:
        """Return the candidates by one independent Thompson sample each (section 4), best first."""
        codes, scores = self.evaluations(row, steps)
        candidates = self._candidates(codes, scores, self.history.codes[row, :steps])
        if not len(candidates):
            return candidates
        generator = self.generator(row, steps)
        ensemble = self._ensemble(int(generator.integers(2**32)))
        mean, std = ensemble.fit(codes, scores).predict(candidates)
        return best_first(candidates, generator.normal(mean, std))

    def _candidates(self, codes: Codes, scores: Scores, evaluated: Codes) -> Codes:
        """Return new neighbours of the best cells, ascending, and of further cells if needed for a batch."""
        codes = best_first(codes, scores)
        candidates = np.empty(0, dtype=np.intp)
        for start in range(0, len(codes), self.config.parents):
            near = self.space.neighbours[codes[start : start + self.config.parents]]
            candidates = np.union1d(candidates, np.setdiff1d(near, evaluated))
            if len(candidates) >= self.config.batch:
                break
        return candidates

    def _ensemble(self, seed: int) -> ExtraTrees:
        return ExtraTrees(self.space, default_encoding(self.space), seed, self.config.trees)


if __name__ == "__main__":
    from blackbox.cli import main

    sys.exit(main(Bananas))
