import numpy as np
import pytest

from blackbox.predictors.encodings import default_encoding, paths
from blackbox.predictors.ensemble import ExtraTrees
from blackbox.search.space import NB201_SPACE
from blackbox.testing import LearnedPredictorContract
from nasbench.errors import InvalidArgumentError


class TestExtraTreesOnPaths(LearnedPredictorContract):
    def make(self, space=NB201_SPACE, **options):
        return ExtraTrees(space, default_encoding(space), **options)

    def test_mean_and_deviation_are_those_of_the_members(self):
        predictor = self.make(trees=3).fit(np.arange(0, 3000, 100), np.arange(30) % 7 * 1.0)
        features = paths(NB201_SPACE, np.arange(20))
        members = [tree.predict(features) for tree in predictor._forest.estimators_]
        np.testing.assert_allclose(predictor.predict(np.arange(20))[0], np.mean(members, axis=0))
        np.testing.assert_allclose(predictor.predict(np.arange(20))[1], np.std(members, axis=0, ddof=1))


class TestExtraTreesOnOneHotCodes(LearnedPredictorContract):
    predictor_class = ExtraTrees


def test_a_spread_is_of_two_trees_or_more():
    with pytest.raises(InvalidArgumentError, match="trees must be an integer >= 2, got 1"):
        ExtraTrees(NB201_SPACE, trees=1)
