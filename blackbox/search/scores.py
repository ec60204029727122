"""Scores of evaluations: higher is better, -inf if the evaluation failed, never NaN or inf."""

import numpy as np

from nasbench.arrays import Mask, Scores

#: The score of an evaluation that failed.
FAILED = -np.inf


def invalid_scores(scores: Scores) -> Mask:
    """Return which of scores (T,) or (T, objectives) are, or contain, NaN or inf: bool (T,)."""
    invalid: Mask = (np.isnan(scores) | (scores == np.inf)).reshape(len(scores), -1).any(axis=1)
    return invalid


def invalid_score_name(score: Scores | float) -> str:
    """Return what errors call an invalid score: NaN or inf."""
    return "NaN" if np.isnan(score).any() else "inf"
