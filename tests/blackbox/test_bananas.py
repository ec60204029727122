import numpy as np
import pytest

from blackbox.bananas import Bananas, BananasConfig
from blackbox.search.loop import run
from blackbox.search.space import NB201_SPACE, SSS_SPACE, CategoricalSpace
from blackbox.testing.searches import objective
from tests.blackbox.optional import OptionalPackageContract
from tests.blackbox.races import regrets_of, standard_errors_ahead


class TestBananas(OptionalPackageContract):
    search_class = Bananas
    needed = "sklearn.ensemble"
    settings = {"initial": 8, "batch": 6, "trees": 5}

    def test_a_batch_is_of_neighbours_of_the_best_cells(self):
        codes = self.trace().codes[0]
        for start in range(8, 26, 6):
            seen = codes[:start]
            best = seen[np.argsort(-objective(seen), kind="stable")[:10]]
            assert np.isin(codes[start : start + 6], NB201_SPACE.neighbours[best]).all()

    def test_when_all_near_the_best_is_evaluated_it_looks_further(self):
        space = CategoricalSpace((3, 3, 3))
        config = BananasConfig(initial=5, batch=2, parents=1, trees=2)
        codes = run(Bananas(space, config, trials=5), objective, 27).codes
        assert all(set(row) == set(range(27)) for row in codes)


@pytest.mark.contract
class TestBananasInTheSizeSpace(OptionalPackageContract):
    space = SSS_SPACE
    search_class = Bananas
    needed = "sklearn.ensemble"
    settings = TestBananas.settings
    evals = 20
    stops = (8, 14)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"initial": 0}, "initial must be an integer >= 1, got 0"),
        ({"batch": 0}, r"batch must be an integer in \[1, 100,000\], got 0"),
        ({"parents": 1.5}, r"parents must be an integer in \[1, 100,000\], got 1.5"),
        ({"trees": 1}, r"trees must be an integer in \[2, 100,000\], got 1"),
    ],
)
def test_settings_outside_their_range_are_errors(config, message):
    with pytest.raises(ValueError, match=message):
        BananasConfig(**config)


def test_it_beats_random_search(bench):
    """20 trials of 100 evaluations."""
    found, others = regrets_of("bananas", bench, 20, 100), regrets_of("rs", bench, 20, 100)
    assert standard_errors_ahead(found, others) > 4


@pytest.mark.contract
def test_it_beats_random_search_by_far(bench):
    """200 trials of 100 evaluations: 40 were about nine standard errors ahead, so 200 are about twenty."""
    found, others = regrets_of("bananas", bench, 200, 100), regrets_of("rs", bench, 200, 100)
    assert standard_errors_ahead(found, others) > 12
