"""BOHB, Hyperband with a model (`python -m blackbox.bohb`): Falkner et al. 2018, arXiv:1807.01774."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blackbox.errors import ConfigError
from blackbox.search.brackets import Bracket, BracketSearch, hyperband_bracket
from blackbox.search.fidelity import Job, RungsConfig
from blackbox.search.scores import best_first
from nasbench.arrays import Digits
from nasbench.runs.checks import MANY
from nasbench.runs.settings import option

_PROPOSALS = 1  # the purpose of the stream
_LEAST_BANDWIDTH = 1e-3  # as in the authors' program


@dataclass(frozen=True)
class BOHBConfig(RungsConfig):
    """Defaults: those of the paper and of its authors' program."""

    random: float = option(1 / 3, "share of new cells that are drawn uniformly")
    best: float = option(0.15, "share of a rung's cells that count as good")
    samples: int = option(
        64, "cells drawn from the model of the good ones; the best is taken", at_least=1, at_most=MANY
    )
    widening: float = option(3.0, "factor on the bandwidths when cells are drawn from the model")
    min_points: int | None = option(
        None, "cells of a model, at least (default: variables of the space + 1)", type=int, at_least=1
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, share in (("random", self.random), ("best", self.best)):
            if not 0 <= share <= 1:
                raise ConfigError(f"{name} is a share in [0, 1], got {share!r}")
        if not 1 <= self.widening < np.inf:
            raise ConfigError(f"widening is a factor of at least 1, got {self.widening!r}")


class KernelDensity:
    """The density of points with categorical variables, with one bandwidth per variable.

    A product of Aitchison-Aitken kernels: a value is kept with probability 1 - bandwidth and is otherwise any
    of the others with equal probability (Aitchison & Aitken 1976, doi:10.1093/biomet/63.3.413). The authors
    use statsmodels; here it is a product of two matrices, which needs no other package. `digits`: the points,
    integers (n, D); `choices`: how many values each variable has, (D,).
    """

    def __init__(self, digits: Digits, choices: NDArray[np.intp]) -> None:
        self._digits = digits
        self._choices = choices
        self.bandwidths = _bandwidths(digits, choices)
        others = np.maximum(choices - 1, 1)
        # A kernel is exp(sum of these over the equal digits), up to a factor that all points share.
        gains = np.log((1 - self.bandwidths) * others / self.bandwidths)
        self._offsets = np.cumsum(choices) - choices  # of the variables' values in a one-hot code
        weights = np.zeros((len(digits), choices.sum()))
        np.put_along_axis(weights, digits + self._offsets, gains[None, :], axis=1)
        self._weights = weights.T
        self._log_factor = np.log(self.bandwidths / others).sum() - np.log(len(digits))

    def log_density(self, digits: Digits) -> NDArray[np.float64]:
        """Return the logarithms of the density at points (m, D), (m,)."""
        one_hot = np.zeros((len(digits), len(self._weights)))
        np.put_along_axis(one_hot, digits + self._offsets, 1.0, axis=1)
        densities = np.exp(one_hot @ self._weights).sum(axis=1)
        return np.asarray(np.log(densities) + self._log_factor)

    def sample(self, generator: np.random.Generator, count: int, widening: float = 1.0) -> Digits:
        """Return points drawn from the density with wider kernels, integers (count, D)."""
        bandwidths = np.minimum(self.bandwidths * widening, 1 - 1 / self._choices)
        points = self._digits[generator.integers(len(self._digits), size=count)]
        changed, by = generator.random((2, *points.shape))
        by = 1 + (by * (self._choices - 1)).astype(np.intp)
        return np.where(changed < bandwidths, (points + by) % self._choices, points)


def _bandwidths(digits: Digits, choices: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return one bandwidth per variable, (D,): the spread of its values, times n^(-1 / (4 + D)).

    The spread is the probability that two of the points differ. The authors' program uses the normal
    reference rule, 1.06 times the standard deviation of the values' numbers, but categories have no order.
    """
    points, variables = digits.shape
    shares = (digits[:, :, None] == np.arange(choices.max())).mean(axis=0)
    spread = 1 - (shares**2).sum(axis=1)
    return np.asarray(np.maximum(spread * points ** (-1 / (4 + variables)), _LEAST_BANDWIDTH))


class BOHB(BracketSearch[BOHBConfig]):
    """Hyperband whose new cells mostly come from a model of which cells are good.

    >>> from blackbox import NB201_SPACE
    >>> search = BOHB(NB201_SPACE, 9)
    >>> for _ in range(200):
    ...     job = search.ask()
    ...     search.tell(job, score=-abs(job.code - 9000))
    >>> bool(abs(search.ask().code - 9000) < 5000)
    True

    The model is of the highest rung with enough cells: one density of its best cells, another of the others.
    Of the new cells drawn from the first, the one with the largest ratio of the two is trained next; if none
    is new, one is drawn uniformly. The paper may train a cell again, and has another rule for bandwidths.
    """

    name = "BOHB"
    config_class = BOHBConfig

    def setup(self) -> None:
        super().setup()
        self._generator = self.generator(_PROPOSALS)
        # codes and scores by epochs
        self._seen: dict[int, tuple[list[int], list[float]]] = {epochs: ([], []) for epochs in self.rungs}
        self._choices = np.array(self.space.choices)
        self._least = self.config.min_points or len(self.space.choices) + 1
        self._model: tuple[KernelDensity, KernelDensity] | None = None  # of good cells, and of the others
        self._modelled: tuple[int, int] | None = None  # epochs of the model's rung, and its number of cells

    def new_bracket(self, number: int) -> Bracket:
        cells, rungs = hyperband_bracket(number, self.rungs, self.config.eta)
        return Bracket(cells, rungs, self.config.eta, self._propose)

    def observe(self, job: Job, score: float) -> None:
        codes, scores = self._seen[job.epochs]
        codes.append(job.code)
        scores.append(score)
        super().observe(job, score)

    def _propose(self) -> int | None:
        """Return the code of a new cell; None if there is none left (algorithm 2)."""
        uniformly = self._generator.random() < self.config.random
        model = None if uniformly else self._newest_model()
        if model is None:
            return self.draw()
        good, others = model
        points = good.sample(self._generator, self.config.samples, self.config.widening)
        ratios = good.log_density(points) - others.log_density(points)
        codes = np.ravel_multi_index(tuple(points.T), self.space.choices)
        new: Iterator[int] = filter(self.take, best_first(codes, ratios).tolist())
        code = next(new, None)
        return self.draw() if code is None else code

    def _newest_model(self) -> tuple[KernelDensity, KernelDensity] | None:
        """Return the densities of good and other cells of the highest rung with enough; None: no rung has."""
        for epochs in reversed(self.rungs):
            codes, scores = self._seen[epochs]
            if len(codes) >= self._least + 2:
                if self._modelled != (epochs, len(codes)):
                    digits = self.space.digits(best_first(np.array(codes), np.array(scores)))
                    good = max(self._least, int(self.config.best * len(codes)))
                    others = max(self._least, len(codes) - good)
                    self._model = (
                        KernelDensity(digits[:good], self._choices),
                        KernelDensity(digits[-others:], self._choices),
                    )
                    self._modelled = epochs, len(codes)
                return self._model
        return None


if __name__ == "__main__":
    from blackbox.cli import main

    sys.exit(main(BOHB))
