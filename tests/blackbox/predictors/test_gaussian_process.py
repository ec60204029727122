import numpy as np

from blackbox.predictors.base import normal_scores
from blackbox.predictors.gaussian_process import GaussianProcess
from blackbox.search.space import NB201_SPACE
from blackbox.testing import LearnedPredictorContract


class TestGaussianProcess(LearnedPredictorContract):
    predictor_class = GaussianProcess

    def test_predictions_are_those_of_the_formulas(self):
        """Algorithm 2.1 of Rasmussen & Williams, with an inverse, on distances counted digit by digit."""
        codes, scores = np.arange(0, 3000, 100), np.arange(30) % 7 * 1.0
        asked = np.arange(40, 3000, 77)
        process = self.make().fit(codes, scores)
        amplitude, length = process.kernel.k1.k1.constant_value, process.kernel.k1.k2.length_scale
        noise = process.kernel.k2.noise_level

        def kernel(a, b):
            distance = (NB201_SPACE.digits(a)[:, None] != NB201_SPACE.digits(b)).sum(axis=-1)
            return amplitude * np.exp(-distance / length**2)

        inverse = np.linalg.inv(kernel(codes, codes) + noise * np.eye(30))
        across = kernel(asked, codes)
        mean, std = process.predict(asked)
        np.testing.assert_allclose(mean, across @ inverse @ normal_scores(scores), atol=1e-6)
        variance = amplitude + noise - np.einsum("ij,jk,ik->i", across, inverse, across)
        np.testing.assert_allclose(std, np.sqrt(variance), atol=1e-6)

    def test_a_kernel_that_is_given_is_taken_as_it_is(self):
        codes, scores = np.arange(0, 3000, 100), np.arange(30) % 7 * 1.0
        first = self.make().fit(codes, scores)
        second = self.make(kernel=first.kernel).fit(codes, scores)
        assert second.kernel == first.kernel
        np.testing.assert_allclose(second.predict(np.arange(9)), first.predict(np.arange(9)))
