import numpy as np
from scipy.stats import chisquare

from blackbox.rs import RandomSearch
from blackbox.search.space import SSS, CategoricalSpace
from tests.blackbox.contract import SearchContract


class TestRandomSearch(SearchContract):
    def make(self, space=None, trials=1, seed=0, history=None):
        return RandomSearch(space or self.space, None, trials, seed, history)

    def test_draws_are_uniform(self):
        codes = self.trace(space=CategoricalSpace((3, 4)), trials=50, evals=500).codes
        assert chisquare(np.bincount(codes.ravel(), minlength=12)).pvalue > 1e-3


class TestRandomSearchInTheSizeSpace(SearchContract):
    space = SSS
    make = TestRandomSearch.make
