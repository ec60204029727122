import numpy as np
import pytest

from blackbox.predictors.base import normal_scores


def test_normal_scores_are_of_ranks():
    scores = normal_scores(np.array([10.0, -500.0, 10.0, 99.0]))
    assert scores[0] == scores[2] == pytest.approx(0.0)
    assert scores[3] == -scores[1] == pytest.approx(1.1503, abs=1e-4)
