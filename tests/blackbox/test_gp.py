import numpy as np
import pytest
from scipy.stats import norm

from blackbox.gp import GaussianProcessConfig, GaussianProcessSearch, expected_improvement
from blackbox.search.space import SSS_SPACE
from tests.blackbox.optional import OptionalPackageContract
from tests.blackbox.races import regrets_of, standard_errors_ahead


class TestGaussianProcessSearch(OptionalPackageContract):
    search_class = GaussianProcessSearch
    needed = "sklearn.gaussian_process"
    settings = {"initial": 8, "refit": 6, "parents": 3, "candidates": 30}
    stops = (7, 8, 9, 13, 14, 30)


@pytest.mark.contract
class TestGaussianProcessSearchInTheSizeSpace(OptionalPackageContract):
    space = SSS_SPACE
    search_class = GaussianProcessSearch
    needed = "sklearn.gaussian_process"
    settings = TestGaussianProcessSearch.settings
    evals = 20
    stops = (8, 14)


def test_expected_improvement_is_the_mean_of_what_is_above_the_best():
    draws = norm.ppf((np.arange(100_000) + 0.5) / 100_000)
    for mean, std, best in ((0.0, 1.0, 0.0), (-1.0, 0.5, 0.2), (2.0, 3.0, 1.0), (5.0, 0.1, 1.0)):
        expected = np.maximum(mean + std * draws - best, 0).mean()
        found = expected_improvement(np.array([mean]), np.array([std]), best)
        assert found == pytest.approx([expected], rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"initial": 0}, "initial must be an integer >= 1, got 0"),
        ({"refit": 0}, "refit must be an integer >= 1, got 0"),
        ({"parents": "3"}, r"parents must be an integer in \[1, 100,000\], got '3'"),
        ({"candidates": -1}, r"candidates must be an integer in \[0, 100,000\], got -1"),
    ],
)
def test_settings_outside_their_range_are_errors(config, message):
    with pytest.raises(ValueError, match=message):
        GaussianProcessConfig(**config)


def test_it_beats_random_search(bench):
    """10 trials of 50 evaluations."""
    found, others = regrets_of("gp", bench, 10, 50), regrets_of("rs", bench, 10, 50)
    assert standard_errors_ahead(found, others) > 3


@pytest.mark.contract
def test_it_beats_random_search_by_far(bench):
    """200 trials of 50 evaluations: 40 were nine standard errors ahead, so 200 are about twenty."""
    found, others = regrets_of("gp", bench, 200, 50), regrets_of("rs", bench, 200, 50)
    assert standard_errors_ahead(found, others) > 12
