"""What every search must do; each algorithm's test class inherits it and says how it is made."""

import numpy as np
import pytest

from blackbox.errors import ConfigError, ObjectiveError
from blackbox.history import History
from blackbox.search import run
from blackbox.space import NB201, CategoricalSpace
from nasbench.errors import InvalidArgumentError


def objective(codes):
    """Scores with many equal values, so that ties matter."""
    return (np.asarray(codes) * 7919 % 1009 // 10).astype(float)


class SearchContract:
    """A subclass gives `make(space, trials, seed, history)`, where no space means `self.space`."""

    space = NB201
    evals = 300

    def make(self, space=None, trials=1, seed=0, history=None):
        raise NotImplementedError

    def trace(self, evals=None, **options):
        return run(self.make(**options), objective, evals or self.evals)

    def test_same_seed_same_trace(self):
        np.testing.assert_array_equal(self.trace(trials=3, seed=5).codes, self.trace(trials=3, seed=5).codes)

    def test_another_seed_another_trace(self):
        assert (self.trace(seed=0).codes != self.trace(seed=1).codes).any()

    def test_trials_differ(self):
        codes = self.trace(trials=4).codes
        assert len(np.unique(codes, axis=0)) == 4

    def test_only_codes_of_the_space(self):
        for space in (self.space, CategoricalSpace((2, 3))):
            codes = self.trace(space=space, trials=8).codes
            assert codes.min() >= 0
            assert 0.8 * space.size < codes.max() < space.size

    def test_a_trial_is_the_same_in_any_company(self):
        together = self.trace(trials=4, seed=3)
        for trial in range(4):
            alone = self.trace(trials=[trial], seed=3)
            np.testing.assert_array_equal(alone.codes[0], together.codes[trial])
        some = self.trace(trials=(3, 1), seed=3)
        np.testing.assert_array_equal(some.codes, together.codes[[3, 1]])

    def test_a_longer_run_begins_as_a_shorter_one(self):
        np.testing.assert_array_equal(
            self.trace(trials=2, evals=150).codes, self.trace(trials=2).codes[:, :150]
        )

    @pytest.mark.parametrize("stop", [0, 1, 50, 99, 100, 101, 127, 128, 129, 255, 256, 299, 300])
    def test_a_search_goes_on_from_any_point_of_its_history(self, stop):
        whole = self.trace(trials=2, seed=8)
        begun = History(2)
        begun.extend(whole.codes[:, :stop], whole.scores[:, :stop], whole.costs[:, :stop])
        resumed = self.trace(trials=2, seed=8, history=begun)
        np.testing.assert_array_equal(resumed.codes, whole.codes)
        np.testing.assert_array_equal(resumed.scores, whole.scores)

    def test_asking_again_gives_the_same_codes(self):
        search = self.make(trials=2)
        for _ in range(self.evals):
            codes = np.array(search.ask())
            assert codes.shape == (2,)
            np.testing.assert_array_equal(search.ask(), codes)
            search.tell(codes, objective(codes))

    def test_an_objective_that_works_in_place_changes_nothing(self):
        def in_place(codes):
            scores = objective(codes)
            codes //= 5
            return scores

        history = run(self.make(trials=2), in_place, self.evals)
        np.testing.assert_array_equal(history.codes, self.trace(trials=2).codes)

    def test_scores_are_one_number_a_trial(self):
        search = self.make(trials=2)
        codes = search.ask()
        for scores in (1.0, [1.0], [[1.0, 2.0]]):
            with pytest.raises(ObjectiveError, match=r"one score a trial, shape \(2,\)"):
                search.tell(codes, scores)
        with pytest.raises(ObjectiveError, match=f"gave NaN for code {codes[1]}"):
            search.tell(codes, [1.0, np.nan])
        assert len(search.history) == 0
        search.tell(codes, [1, -np.inf])
        assert search.history.scores.tolist() == [[1.0], [-np.inf]]

    def test_codes_that_were_not_asked_for_are_errors(self):
        search = self.make(trials=2)
        size = self.space.size
        for codes in ([1], [1.0, 2.0], [[1], [2]], [1, 2, 3]):
            with pytest.raises(ObjectiveError, match="codes are integers, one a trial"):
                search.tell(codes, [1.0, 2.0])
        for codes in ([1, -1], [1, size]):
            with pytest.raises(ObjectiveError, match=rf"a code is in \[0, {size - 1}\]"):
                search.tell(codes, [1.0, 2.0])
        assert len(search.history) == 0

    def test_trials_and_seed_are_whole_numbers(self):
        for trials in (0, -1, 1.5, "2", True, None):
            with pytest.raises(InvalidArgumentError, match="a whole number of at least"):
                self.make(trials=trials)
        for trials in ([], ()):
            with pytest.raises(ConfigError, match="trials is at least 1, got none"):
                self.make(trials=trials)
        for seed in (-1, None, 1.5):
            with pytest.raises(InvalidArgumentError, match="seed is a whole number of at least 0"):
                self.make(seed=seed)
        assert len(self.make(trials=np.int64(3), seed=np.int64(1)).trials) == 3

    def test_a_history_of_other_trials_is_an_error(self):
        with pytest.raises(ConfigError, match="the history is of 2 trials, the search of 3"):
            self.make(trials=3, history=History(2))
