"""The suites fail for searches that break their contract."""

import numpy as np
import pytest

from blackbox.re import RegularizedEvolution
from blackbox.rs import RandomSearch
from blackbox.search.base import Search
from blackbox.testing import SearchContract


class Unseeded(Search):
    """Random search that ignores its seed."""

    def ask(self, pending=0):
        return np.random.default_rng().integers(self.space.size, size=len(self.trials))


class Forgetful(RegularizedEvolution):
    """Evolution whose population is not a function of its history."""

    def tell(self, codes, scores, costs=0.0):
        super().tell(codes, np.roll(scores, 1) if len(self.history) % 2 else scores, costs)


class Outside(RandomSearch):
    """Random search that leaves the space."""

    def ask(self, pending=0):
        return super().ask(pending) + self.space.size // 2


def contract(cls):
    """The suite of a search class, for calls of single tests."""
    suite = SearchContract()
    suite.search_class = cls
    return suite


@pytest.mark.parametrize(
    ("cls", "test"),
    [
        (Unseeded, "test_same_seed_same_trace"),
        (Unseeded, "test_a_search_resumes_from_any_point_of_its_history"),
        (Unseeded, "test_asking_again_gives_the_same_codes"),
        (Forgetful, "test_a_trial_does_not_depend_on_the_others"),
    ],
)
def test_a_faulty_search_fails(cls, test):
    with pytest.raises(AssertionError):
        getattr(contract(cls), test)()
    getattr(contract(RandomSearch), test)()


def test_a_search_that_leaves_the_space_fails():
    with pytest.raises(ValueError, match="codes must be in"):
        contract(Outside).test_only_codes_of_the_space()
