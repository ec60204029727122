"""Scores of evaluations: higher is better, -inf if the evaluation failed, never NaN or inf."""

import numpy as np
from numpy.typing import NDArray

from nasbench.arrays import Mask, Scalar, Scores

#: The score of an evaluation that failed.
FAILED = -np.inf


def best_first(values: NDArray[Scalar], scores: Scores) -> NDArray[Scalar]:
    """Return values, one per score, from the highest score to the lowest; ties keep their order."""
    return values[np.argsort(-scores, kind="stable")]


def invalid_scores(scores: Scores) -> Mask:
    """Return which rows of scores (T,) or (T, objectives) have NaN or inf, bool (T,)."""
    return np.asarray((np.isnan(scores) | (scores == np.inf)).reshape(len(scores), -1).any(axis=1))


def invalid_score_name(score: Scores | float) -> str:
    """Return the name of an invalid score for errors: NaN or inf."""
    return "NaN" if np.isnan(score).any() else "inf"
