import numpy as np
from scipy.stats import chisquare

from blackbox.rs import RandomSearch
from blackbox.search.space import SSS_SPACE, CategoricalSpace
from blackbox.testing import SearchContract


class TestRandomSearch(SearchContract):
    search_class = RandomSearch

    def test_draws_are_uniform(self):
        codes = self.trace(space=CategoricalSpace((3, 4)), trials=50, evals=500).codes
        assert chisquare(np.bincount(codes.ravel(), minlength=12)).pvalue > 1e-3


class TestRandomSearchInTheSizeSpace(SearchContract):
    search_class = RandomSearch
    space = SSS_SPACE
