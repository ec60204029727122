"""A predictor with an ensemble of randomized trees; the spread of its members is the standard deviation."""

import numpy as np
from numpy.typing import NDArray

from blackbox.predictors.base import LearnedPredictor, Prediction
from blackbox.predictors.encodings import Encoding, one_hot
from blackbox.search.space import SearchSpace
from nasbench.arrays import Features
from nasbench.runs.checks import whole
from nasbench.runs.dependencies import required

# share of the features considered for a split; with all features, trees of one-hot codes agree too much
_SHARE = 0.5


class ExtraTrees(LearnedPredictor):
    """Extremely randomized trees (Geurts et al. 2006, doi:10.1007/s10994-006-6226-1), by scikit-learn.

    >>> from blackbox import NB201_SPACE
    >>> predictor = ExtraTrees(NB201_SPACE).fit([0, 5, 15000, 15600], [1.0, 2.0, 8.0, 9.0])
    >>> mean, std = predictor.predict([3, 15603])
    >>> bool(mean[0] < mean[1]), std.shape
    (True, (2,))

    Parameters
    ----------
    space, encode, seed
        As for `LearnedPredictor`.
    trees
        Number of trees, at least 2; the standard deviation is taken over their predictions.

    Raises
    ------
    MissingDependencyError
        If scikit-learn is not installed.
    """

    def __init__(
        self, space: SearchSpace, encode: Encoding = one_hot, seed: int = 0, trees: int = 20
    ) -> None:
        super().__init__(space, encode, seed)
        with required("scikit-learn", "a learned predictor", "search"):
            from sklearn.ensemble import ExtraTreesRegressor
        self._forest = ExtraTreesRegressor(
            whole("trees", trees, 2), max_features=_SHARE, random_state=seed, n_jobs=1
        )

    def _learn(self, features: Features, targets: NDArray[np.float64]) -> None:
        self._forest.fit(features, targets)

    def _recall(self, features: Features) -> Prediction:
        members = np.stack([tree.predict(features, check_input=False) for tree in self._forest.estimators_])
        return members.mean(axis=0), members.std(axis=0, ddof=1)
