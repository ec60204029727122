"""NSGA-II, evolution of a Pareto front (`python -m blackbox.nsga2`): Deb et al. 2002."""

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blackbox.errors import ConfigError
from blackbox.search.base import Search
from blackbox.search.pareto import crowding, fronts
from nasbench.arrays import Codes, Digits, Scores
from nasbench.runs.checks import MANY
from nasbench.runs.settings import Settings, option


@dataclass(frozen=True)
class NSGA2Config(Settings):
    """Settings of NSGA-II; the defaults are from Deb et al. 2002, doi:10.1109/4235.996017, section IV."""

    #: Number of survivors and of children in a generation.
    population: int = option(
        100, "number of survivors and of children in a generation", at_least=2, at_most=MANY
    )
    #: Probability that a child has two parents, in [0, 1].
    crossover: float = option(0.9, "probability that a child has two parents")
    #: Probability that a digit changes to another value, in [0, 1]; None for 1 / number of digits.
    mutation: float | None = option(
        None,
        "probability that a digit changes to another value (default: 1 / number of digits)",
        type=float,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, chance in (("crossover", self.crossover), ("mutation", self.mutation)):
            if chance is not None and not 0 <= chance <= 1:
                raise ConfigError(f"{name} must be a probability in [0, 1], got {chance!r}")


class NSGA2(Search[NSGA2Config]):
    """NSGA-II: the parents and children on the best fronts survive, the least crowded ones first.

    >>> from blackbox import NB201_SPACE, run
    >>> def objective(codes):
    ...     return np.stack([codes, -codes % 99], axis=-1)
    >>> search = NSGA2(NB201_SPACE, trials=2)
    >>> history = run(search, objective, evals=200)
    >>> history.scores.shape
    (2, 200, 2)

    Parents are the winners of binary tournaments: the better front wins, then the larger crowding distance. A
    child inherits each digit from either parent with the same probability (uniform crossover), then digits
    mutate; the paper's crossover and mutation of real numbers have no meaning for digits. The first
    generation is sampled uniformly.

    Parameters
    ----------
    space, config, trials, seed, history, first
        As for `blackbox.search.Search`; `config` is an `NSGA2Config`.

    References
    ----------
    Deb et al. 2002, doi:10.1109/4235.996017.
    """

    name = "NSGA-II"
    config_class = NSGA2Config
    objectives = 2

    def setup(self) -> None:
        population, count, digits = self.config.population, len(self.trials), len(self.space.choices)
        self._choices = np.array(self.space.choices)
        self._mutation = 1 / digits if self.config.mutation is None else self.config.mutation
        self._founders = self.draws(0, lambda rng, steps: rng.integers(self.space.size, size=steps))
        self._tournaments = self.draws(1, lambda rng, steps: rng.integers(population, size=(steps, 2, 2)))
        self._chances = self.draws(2, lambda rng, steps: rng.random((steps, 1 + 3 * digits)))
        self._seen = 0  # steps of the history that are in the generation below
        self._codes: Codes = np.empty((count, 0), dtype=np.intp)  # survivors, (T, population)
        self._scores: Scores = np.empty((count, 0, 2))
        # their ranks by front and crowding, with ties; lower is better
        self._standing: NDArray[np.intp] = np.empty((count, 0), dtype=np.intp)

    def ask(self, pending: int = 0) -> Codes:
        step = len(self.history) + pending
        if len(self.history) < self.config.population:
            return self._founders.at(step)
        self._read_history()
        first, second = self._parents(self._tournaments.at(step))
        return self._child(first, second, self._chances.at(step))

    def _read_history(self) -> None:
        """Let each generation that was completed since the last call compete with its parents."""
        population = self.config.population
        while len(self.history) - self._seen >= population:
            children = slice(self._seen, self._seen + population)
            codes = np.concatenate([self._codes, self.history.codes[:, children]], axis=1)
            scores = np.concatenate([self._scores, self.history.scores[:, children]], axis=1)
            number = fronts(scores)
            distance = crowding(scores, number)
            best = np.lexsort((-distance, number), axis=-1)[:, :population]
            self._codes = np.take_along_axis(codes, best, axis=1)
            self._scores = np.take_along_axis(scores, best[..., None], axis=1)
            number = np.take_along_axis(number, best, axis=1)
            distance = np.take_along_axis(distance, best, axis=1)
            worse = (number[:, 1:] != number[:, :-1]) | (distance[:, 1:] != distance[:, :-1])
            self._standing = np.pad(worse, ((0, 0), (1, 0))).cumsum(axis=1)
            self._seen += population

    def _parents(self, entrants: NDArray[np.intp]) -> Digits:
        """Return the winners of two tournaments per trial, digits (2, T, D); entrants (T, 2, 2)."""
        rows = np.arange(len(entrants))[:, None]
        first, second = entrants[..., 0], entrants[..., 1]
        winners = np.where(self._standing[rows, second] < self._standing[rows, first], second, first)
        return self.space.digits(self._codes[rows, winners].T)

    def _child(self, first: Digits, second: Digits, chances: NDArray[np.float64]) -> Codes:
        """Return the codes (T,) of children of parents (T, D); `chances` in [0, 1) are (T, 1 + 3 D)."""
        crossed, *each = np.split(chances, 1 + np.arange(3) * len(self._choices), axis=1)
        take, mutate, value = each
        digits = np.where((crossed < self.config.crossover) & (take < 0.5), second, first)
        other = 1 + (value * (self._choices - 1)).astype(np.intp)  # offset to another value
        digits = np.where(mutate < self._mutation, digits + other, digits) % self._choices
        return np.asarray(np.ravel_multi_index(tuple(digits.T), self.space.choices))


if __name__ == "__main__":
    from blackbox.cli import main

    sys.exit(main(NSGA2))
