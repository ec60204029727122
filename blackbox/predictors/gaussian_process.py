"""A predictor with a Gaussian process."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blackbox.predictors.base import LearnedPredictor, Prediction
from blackbox.predictors.encodings import Encoding, one_hot
from blackbox.search.space import SearchSpace
from nasbench.arrays import Features
from nasbench.runs.dependencies import required


class GaussianProcess(LearnedPredictor):
    """A Gaussian process with a squared exponential kernel and noise, by scikit-learn.

    >>> from blackbox import NB201_SPACE
    >>> predictor = GaussianProcess(NB201_SPACE).fit([0, 5, 15000, 15600], [1.0, 2.0, 8.0, 9.0])
    >>> mean, std = predictor.predict([3, 15603])
    >>> bool(mean[0] < mean[1]), std.shape
    (True, (2,))

    On one-hot codes, the kernel decreases exponentially with the Hamming distance of two points. The standard
    deviation is for an evaluation and includes noise.

    Parameters
    ----------
    space, encode, seed
        As for `LearnedPredictor`.
    kernel
        A fitted kernel, from the attribute `kernel` of another process; None to fit length scale, amplitude
        and noise by maximum likelihood.

    Raises
    ------
    MissingDependencyError
        If scikit-learn is not installed.

    References
    ----------
    Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, algorithm 2.1.
    """

    def __init__(
        self,
        space: SearchSpace,
        encode: Encoding = one_hot,
        seed: int = 0,
        kernel: Any = None,  # scikit-learn has no types
    ) -> None:
        super().__init__(space, encode, seed)
        with required("scikit-learn", "a learned predictor", "search"):
            from sklearn.gaussian_process import GaussianProcessRegressor
            from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
        prior = ConstantKernel(1.0, (1e-2, 1e2)) * RBF(1.0, (0.3, 30.0)) + WhiteKernel(0.1, (1e-4, 1.0))
        self._process = (
            GaussianProcessRegressor(prior, random_state=seed)
            if kernel is None
            else GaussianProcessRegressor(kernel, optimizer=None)
        )

    @property
    def kernel(self) -> Any:
        """The kernel with fitted length scale, amplitude and noise."""
        return self._process.kernel_

    def _learn(self, features: Features, targets: NDArray[np.float64]) -> None:
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a parameter at its bound is fine
            self._process.fit(features, targets)

    def _recall(self, features: Features) -> Prediction:
        mean, std = self._process.predict(features, return_std=True)
        return mean, std
