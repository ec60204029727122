"""What every predictor answers, and what those that learn from encoded points have in common."""

from abc import ABC, abstractmethod

import numpy as np

from blackbox.errors import PredictorError
from blackbox.predictors.encodings import one_hot


class Predictor(ABC):
    """Says of codes how good they are, after it has seen the scores of some.

    Predictions rank codes: higher is better, on a scale of the predictor's own.
    """

    @abstractmethod
    def fit(self, codes, scores):
        """Learn from scores (n,) of codes (n,), higher is better; returns itself.

        Evaluations that failed, -inf, are left out. PredictorError where none is left.
        """

    @abstractmethod
    def predict(self, codes):
        """Mean and standard deviation of what is believed of codes (N,), two float64 arrays (N,)."""


class LearnedPredictor(Predictor):
    """A regression of normal scores on encoded points; a subclass has the regression.

    `encode(space, codes)`: features (n, F), see `blackbox.predictors.encodings`; `seed`: of what is drawn.
    """

    def __init__(self, space, encode=one_hot, seed=0):
        self.space = space
        self.encode = encode
        self.seed = seed
        self.best = None  # the normal score of the best cell seen; None before `fit`

    def fit(self, codes, scores):
        codes, scores = np.asarray(codes), np.asarray(scores, dtype=np.float64)
        if codes.ndim != 1 or codes.shape != scores.shape:
            raise PredictorError(f"each code has one score; got codes {codes.shape}, scores {scores.shape}")
        if np.isnan(scores).any():
            raise PredictorError("a score is a number, or -inf for an evaluation that failed; got NaN")
        seen = scores > -np.inf
        if not seen.any():
            raise PredictorError(
                f"a predictor learns from one score or more; {len(scores)} failed, none is left"
            )
        targets = normal_scores(scores[seen])
        self.best = targets.max()
        self._learn(self.encode(self.space, codes[seen]), targets)
        return self

    def predict(self, codes):
        if self.best is None:
            raise PredictorError("a predictor predicts after `fit`")
        return self._recall(self.encode(self.space, np.asarray(codes)))

    @abstractmethod
    def _learn(self, features, targets):
        """Learn from features (n, F) and targets (n,)."""

    @abstractmethod
    def _recall(self, features):
        """Mean and standard deviation at features (N, F), two float64 arrays (N,)."""


def normal_scores(scores):
    """Quantiles of the standard normal distribution at the ranks of scores, float64 (n,).

    Accuracies have a long tail of bad cells that a regression would spend itself on; ranks have none
    (Salinas et al. 2020, arXiv:1909.13595). Equal scores get the mean of their ranks.
    """
    from scipy.special import ndtri
    from scipy.stats import rankdata

    return ndtri((rankdata(scores) - 0.5) / len(scores))
