"""A Gaussian process as a predictor."""

import warnings

from blackbox.predictors.base import LearnedPredictor
from blackbox.predictors.encodings import one_hot
from nasbench.runs.dependencies import required


class GaussianProcess(LearnedPredictor):
    """A Gaussian process with a squared exponential kernel and noise, by scikit-learn.

    >>> from blackbox.search.space import NB201
    >>> mean, std = GaussianProcess(NB201).fit([0, 5, 15000, 15600], [1.0, 2.0, 8.0, 9.0]).predict([3, 15603])
    >>> bool(mean[0] < mean[1]), std.shape
    (True, (2,))

    On one-hot codes, the kernel falls exponentially with the Hamming distance of two points. `kernel`: a
    fitted one, `.kernel` of an earlier process, to take as it is; None: its length, amplitude and noise are
    those with the highest likelihood. The standard deviation is that of an evaluation, noise included
    (Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, algorithm 2.1).
    """

    def __init__(self, space, encode=one_hot, seed=0, kernel=None):
        super().__init__(space, encode, seed)
        with required("scikit-learn", "a predictor that learns", "search"):
            from sklearn.gaussian_process import GaussianProcessRegressor
            from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
        prior = ConstantKernel(1.0, (1e-2, 1e2)) * RBF(1.0, (0.3, 30.0)) + WhiteKernel(0.1, (1e-4, 1.0))
        self._process = (
            GaussianProcessRegressor(prior, random_state=seed)
            if kernel is None
            else GaussianProcessRegressor(kernel, optimizer=None)
        )

    @property
    def kernel(self):
        """The kernel with its fitted length, amplitude and noise."""
        return self._process.kernel_

    def _learn(self, features, targets):
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a value at its bound is as good as any
            self._process.fit(features, targets)

    def _recall(self, features):
        return self._process.predict(features, return_std=True)
