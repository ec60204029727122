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
_LEAST_BANDWIDTH = 1e-3  # as in the authors' code


@dataclass(frozen=True)
class BOHBConfig(RungsConfig):
    """Settings of BOHB; the defaults come from the paper and its authors' code."""

    #: Share of new cells that are sampled uniformly, in [0, 1].
    random: float = option(1 / 3, "share of new cells that are sampled uniformly")
    #: Share of a rung's cells that count as good, in [0, 1].
    best: float = option(0.15, "share of a rung's cells that count as good")
    #: Number of cells sampled from the model of good cells; the best one is trained.
    samples: int = option(
        64,
        "number of cells sampled from the model of good cells; the best one is trained",
        at_least=1,
        at_most=MANY,
    )
    #: Factor on the bandwidths for sampling from the model, at least 1.
    widening: float = option(3.0, "factor on the bandwidths for sampling from the model")
    #: Minimum number of cells of a model; None for the number of variables of the space + 1.
    min_points: int | None = option(
        None,
        "minimum number of cells of a model (default: number of variables of the space + 1)",
        type=int,
        at_least=1,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, share in (("random", self.random), ("best", self.best)):
            if not 0 <= share <= 1:
                raise ConfigError(f"{name} must be in [0, 1], got {share!r}")
        if not 1 <= self.widening < np.inf:
            raise ConfigError(f"widening must be finite and >= 1, got {self.widening!r}")


class KernelDensity:
    """A kernel density estimate for points with categorical variables, with one bandwidth per variable.

    The kernel is a product of Aitchison-Aitken kernels: a value is kept with probability 1 - bandwidth and is
    otherwise any other value with equal probability (Aitchison & Aitken 1976, doi:10.1093/biomet/63.3.413).
    The authors use statsmodels; here it is a product of two matrices, which needs no other package.

    Parameters
    ----------
    digits
        Points, integers of shape ``(n, D)``.
    choices
        Number of values of each variable, shape ``(D,)``.
    """

    def __init__(self, digits: Digits, choices: NDArray[np.intp]) -> None:
        self._digits = digits
        self._choices = choices
        self.bandwidths = _bandwidths(digits, choices)
        others = np.maximum(choices - 1, 1)
        # A kernel is exp(sum of these over the equal digits), up to a factor common to all points.
        gains = np.log((1 - self.bandwidths) * others / self.bandwidths)
        self._offsets = np.cumsum(choices) - choices  # start of each variable in a one-hot code
        weights = np.zeros((len(digits), choices.sum()))
        np.put_along_axis(weights, digits + self._offsets, gains[None, :], axis=1)
        self._weights = weights.T
        self._log_factor = np.log(self.bandwidths / others).sum() - np.log(len(digits))

    def log_density(self, digits: Digits) -> NDArray[np.float64]:
        """Return the log-density at points (m, D), shape (m,)."""
        one_hot = np.zeros((len(digits), len(self._weights)))
        np.put_along_axis(one_hot, digits + self._offsets, 1.0, axis=1)
        densities = np.exp(one_hot @ self._weights).sum(axis=1)
        return np.asarray(np.log(densities) + self._log_factor)

    def sample(self, generator: np.random.Generator, count: int, widening: float = 1.0) -> Digits:
        """Sample points from the density with bandwidths times `widening`, integers (count, D)."""
        bandwidths = np.minimum(self.bandwidths * widening, 1 - 1 / self._choices)
        points = self._digits[generator.integers(len(self._digits), size=count)]
        changed, by = generator.random((2, *points.shape))
        by = 1 + (by * (self._choices - 1)).astype(np.intp)
        return np.where(changed < bandwidths, (points + by) % self._choices, points)


def _bandwidths(digits: Digits, choices: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return one bandwidth per variable, (D,): the spread of its values times n^(-1 / (4 + D)).

    The spread is the probability that two points differ. The authors' code uses the normal reference rule,
    1.06 times the standard deviation of the numbers of the values, but categories have no order.
    """
    points, variables = digits.shape
    shares = (digits[:, :, None] == np.arange(choices.max())).mean(axis=0)
    spread = 1 - (shares**2).sum(axis=1)
    return np.asarray(np.maximum(spread * points ** (-1 / (4 + variables)), _LEAST_BANDWIDTH))


class BOHB(BracketSearch[BOHBConfig]):
    """BOHB: Hyperband that samples most new cells from a model of good cells.

    >>> from blackbox import NB201_SPACE
    >>> search = BOHB(NB201_SPACE, 9)
    >>> for _ in range(200):
    ...     job = search.ask()
    ...     search.tell(job, score=-abs(job.code - 9000))
    >>> bool(abs(search.ask().code - 9000) < 5000)
    True

    The model uses the highest rung with enough cells and consists of two densities, one of its best cells and
    one of the others. Among the new cells sampled from the first density, the cell with the largest ratio of
    the two densities is trained next; if none is new, a cell is sampled uniformly. Unlike in the paper, no
    cell is sampled twice and the bandwidths follow another rule.

    Parameters
    ----------
    space, fidelities, config, trial, seed
        As for `blackbox.search.fidelity.MultiFidelitySearch`; `config` is a `BOHBConfig`.

    References
    ----------
    Falkner et al. 2018, arXiv:1807.01774, algorithm 2.
    """

    name = "BOHB"
    config_class = BOHBConfig

    def setup(self) -> None:
        super().setup()
        self._generator = self.generator(_PROPOSALS)
        # codes and scores, by epochs
        self._seen: dict[int, tuple[list[int], list[float]]] = {epochs: ([], []) for epochs in self.rungs}
        self._choices = np.array(self.space.choices)
        self._least = self.config.min_points or len(self.space.choices) + 1
        self._model: tuple[KernelDensity, KernelDensity] | None = None  # good cells, others
        self._modelled: tuple[int, int] | None = None  # epochs and number of cells of the model's rung

    def new_bracket(self, number: int) -> Bracket:
        cells, rungs = hyperband_bracket(number, self.rungs, self.config.eta)
        return Bracket(cells, rungs, self.config.eta, self._propose)

    def observe(self, job: Job, score: float) -> None:
        codes, scores = self._seen[job.epochs]
        codes.append(job.code)
        scores.append(score)
        super().observe(job, score)

    def _propose(self) -> int | None:
        """Sample the code of a new cell (algorithm 2); None if there is none left."""
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
        """Return the densities of good and other cells on the highest rung with enough cells, or None."""
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
