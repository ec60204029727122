"""Regularized (aging) evolution (`python -m blackbox.re`): Real et al. 2019, arXiv:1802.01548."""

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blackbox.search.base import Search
from nasbench.arrays import Codes
from nasbench.runs.checks import MANY, whole
from nasbench.runs.settings import Settings, option


@dataclass(frozen=True)
class EvolutionConfig(Settings):
    """Settings of regularized evolution; the defaults are from Ruchte et al. 2020, NASLib, appendix A.1."""

    #: Number of cells in the population; a new cell replaces the oldest one.
    population: int = option(
        100, "number of cells in the population; a new cell replaces the oldest one", at_least=1, at_most=MANY
    )
    #: Number of cells in a tournament, sampled with replacement; the best one is the parent.
    sample: int = option(
        10, "number of cells in a tournament, sampled with replacement; the best one is the parent"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("sample, drawn from the population,", self.sample, 1, self.population)


class RegularizedEvolution(Search[EvolutionConfig]):
    """Regularized (aging) evolution: a child of the winner of a tournament replaces the oldest cell.

    >>> from blackbox import NB201_SPACE, run
    >>> search = RegularizedEvolution(NB201_SPACE, trials=2)
    >>> history = run(search, lambda codes: -abs(codes - 9000), evals=200)
    >>> history.codes.shape
    (2, 200)

    Ties go to the cell sampled first. Because the oldest cell is removed whatever its score, the population
    is the end of the history.

    Parameters
    ----------
    space, config, trials, seed, history, first
        As for `blackbox.search.Search`; `config` is an `EvolutionConfig`.

    References
    ----------
    Real et al. 2019, arXiv:1802.01548, algorithm 1.
    """

    name = "regularized evolution"
    config_class = EvolutionConfig
    warm_starts = True

    def setup(self) -> None:
        population, sample = self.config.population, self.config.sample
        self._columns = np.arange(len(self.trials))
        self._starts = self._columns * sample  # start of each trial's tournament, flat
        self._founders = self.draws(0, lambda rng, steps: rng.integers(self.space.size, size=steps))
        self._tournaments = self.draws(
            1, lambda rng, steps: rng.integers(population, size=(steps, sample)), self._flat
        )
        self._edits = self.draws(2, lambda rng, steps: rng.integers(self.space.edits, size=steps))

    def ask(self, pending: int = 0) -> Codes:
        step = len(self.history) + pending
        population = self.config.population
        if step < len(self.first):
            return np.full(len(self.trials), self.first[step])
        if len(self.history) < population:
            return self._founders.at(step)
        codes, scores = self.history.last(population)  # (P, T), oldest first
        entrants = self._tournaments.at(step)  # (T, sample)
        winners = scores.take(entrants).argmax(axis=1)
        parents = codes.take(entrants.take(self._starts + winners))
        return self.space.mutate(parents, self._edits.at(step))

    def _flat(self, ages: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the flat indices of ages (steps, T, sample) in the populations (P, T) of all trials."""
        ages *= len(self.trials)
        ages += self._columns[:, None]
        return ages


if __name__ == "__main__":
    from blackbox.cli import main

    sys.exit(main(RegularizedEvolution))
