"""What every predictor answers, and what those that learn from encoded points have in common."""

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from blackbox.errors import PredictorError
from blackbox.predictors.encodings import Encoding, one_hot
from blackbox.search.scores import FAILED
from blackbox.search.space import SearchSpace
from nasbench.arrays import CodesLike, Features, Scores

Prediction = tuple[NDArray[np.float64], NDArray[np.float64]]  # means and standard deviations of codes, (N,)


class Predictor(ABC):
    """A model that predicts how good cells are from the scores of some.

    Predictions rank codes: higher is better, on a scale of the predictor's own.
    """

    @abstractmethod
    def fit(self, codes: CodesLike, scores: ArrayLike) -> Self:
        """Learn from the scores of codes.

        Parameters
        ----------
        codes
            Shape ``(n,)``.
        scores
            Higher is better, shape ``(n,)``. Evaluations that failed, -inf, are left out.

        Returns
        -------
        Self
            The predictor.

        Raises
        ------
        PredictorError
            If no evaluation is left.
        """

    @abstractmethod
    def predict(self, codes: CodesLike) -> Prediction:
        """Return means and standard deviations of the predicted scores of codes.

        Parameters
        ----------
        codes
            Shape ``(N,)``.

        Returns
        -------
        Prediction
            Two float64 arrays of shape ``(N,)``.
        """


class LearnedPredictor(Predictor):
    """A regression of normal scores on encoded points; a subclass implements the regression.

    Parameters
    ----------
    space
        The space of the codes.
    encode
        Function from a space and codes ``(n,)`` to features ``(n, F)``, see `blackbox.predictors.encodings`.
    seed
        Random seed.
    """

    def __init__(self, space: SearchSpace, encode: Encoding = one_hot, seed: int = 0) -> None:
        self.space = space
        self.encode = encode
        self.seed = seed
        self._best: float | None = None  # before `fit`

    @property
    def best(self) -> float:
        """The normal score of the best cell seen; PredictorError before `fit`."""
        if self._best is None:
            raise PredictorError("a predictor predicts after `fit`")
        return self._best

    def fit(self, codes: CodesLike, scores: ArrayLike) -> Self:
        codes, scores = np.asarray(codes), np.asarray(scores, dtype=np.float64)
        if codes.ndim != 1 or codes.shape != scores.shape:
            raise PredictorError(f"each code has one score; got codes {codes.shape}, scores {scores.shape}")
        if np.isnan(scores).any():
            raise PredictorError("a score is a number, or -inf for an evaluation that failed; got NaN")
        succeeded = scores > FAILED
        if not succeeded.any():
            raise PredictorError(
                f"a predictor learns from one score or more; {len(scores)} failed, none is left"
            )
        targets = normal_scores(scores[succeeded])
        self._best = float(targets.max())
        self._learn(self.encode(self.space, codes[succeeded]), targets)
        return self

    def predict(self, codes: CodesLike) -> Prediction:
        _ = self.best  # raises before `fit`
        return self._recall(self.encode(self.space, np.asarray(codes)))

    @abstractmethod
    def _learn(self, features: Features, targets: NDArray[np.float64]) -> None:
        """Fit the regression to features (n, F) and targets (n,)."""

    @abstractmethod
    def _recall(self, features: Features) -> Prediction:
        """Return mean and standard deviation at features (N, F), two float64 arrays (N,)."""


def normal_scores(scores: Scores) -> NDArray[np.float64]:
    """Return quantiles of the standard normal distribution at the ranks of scores, (n,).

    Accuracies have a long tail of bad cells that would dominate a regression; ranks have none (Salinas et al.
    2020, arXiv:1909.13595). Equal scores get the mean of their ranks.
    """
    from scipy.special import ndtri
    from scipy.stats import rankdata

    return np.asarray(ndtri((rankdata(scores) - 0.5) / len(scores)))
