"""The base classes of predictors."""

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from blackbox.errors import PredictorError
from blackbox.predictors.encodings import Encoding, one_hot
from blackbox.search.scores import FAILED
from blackbox.search.space import SearchSpace
from nasbench.arrays import CodesLike, Features, Scores

Prediction = tuple[NDArray[np.float64], NDArray[np.float64]]  # means and standard deviations, each (N,)


class Predictor(ABC):
    """A model that predicts the scores of cells from the scores of other cells.

    Predictions rank codes: higher is better, on a scale that depends on the predictor.
    """

    @abstractmethod
    def fit(self, codes: CodesLike, scores: ArrayLike) -> Self:
        """Fit the predictor to the scores of codes.

        Parameters
        ----------
        codes
            Integers, shape ``(n,)``.
        scores
            Scores, shape ``(n,)``; higher is better. Failed evaluations (-inf) are left out.

        Returns
        -------
        Self
            The predictor.

        Raises
        ------
        PredictorError
            If a shape is wrong, a score is NaN, or all evaluations failed.
        """

    @abstractmethod
    def predict(self, codes: CodesLike) -> Prediction:
        """Return the means and standard deviations of the predicted scores of codes.

        Parameters
        ----------
        codes
            Integers, shape ``(N,)``.

        Returns
        -------
        Prediction
            Means and standard deviations, two float64 arrays of shape ``(N,)``.

        Raises
        ------
        PredictorError
            If the predictor must be fitted first.
        """


class LearnedPredictor(Predictor):
    """A regression of normal scores on encoded points; a subclass implements the regression.

    Parameters
    ----------
    space
        Search space of the codes.
    encode
        Function from a space and codes, shape ``(n,)``, to features, shape ``(n, F)``; see
        `blackbox.predictors.encodings`.
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
        """The normal score of the best cell that the predictor was fitted to; PredictorError before `fit`."""
        if self._best is None:
            raise PredictorError("a predictor must be fitted with `fit` first")
        return self._best

    def fit(self, codes: CodesLike, scores: ArrayLike) -> Self:
        codes, scores = np.asarray(codes), np.asarray(scores, dtype=np.float64)
        if codes.ndim != 1 or codes.shape != scores.shape:
            raise PredictorError(
                f"codes and scores must have equal shapes (n,), got {codes.shape} and {scores.shape}"
            )
        if np.isnan(scores).any():
            raise PredictorError("scores must be numbers, or -inf for failed evaluations; got NaN")
        succeeded = scores > FAILED
        if not succeeded.any():
            raise PredictorError(
                f"a predictor needs one successful evaluation or more; all of {len(scores)} failed"
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
        """Return means and standard deviations at features (N, F), two float64 arrays (N,)."""


def normal_scores(scores: Scores) -> NDArray[np.float64]:
    """Return the quantiles of the standard normal distribution at the ranks of scores, (n,).

    Accuracies have a long tail of bad cells that would dominate a regression; ranks have no tail (Salinas et
    al. 2020, arXiv:1909.13595). Equal scores get the mean of their ranks.
    """
    from scipy.special import ndtri
    from scipy.stats import rankdata

    return np.asarray(ndtri((rankdata(scores) - 0.5) / len(scores)))
