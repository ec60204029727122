"""What every search must do; each algorithm's test class inherits it and says how it is made."""

import re

import numpy as np
import pytest

from blackbox.errors import ConfigError, ObjectiveError
from blackbox.search.history import History
from blackbox.search.loop import run
from blackbox.search.scores import FAILED
from blackbox.search.space import NB201, CategoricalSpace
from nasbench.errors import InvalidArgumentError


def objective(codes):
    """Scores with many equal values, so that ties matter."""
    return (np.asarray(codes) * 7919 % 1009 // 10).astype(float)


def two_objectives(codes):
    """Two scores of each code, (T, 2), which trade off and have ties too."""
    return np.stack([objective(codes), np.asarray(codes) * -104729 % 997 // 10], axis=-1)


class SearchContract:
    """A subclass gives `make(space, trials, seed, history)`, where no space means `self.space`.

    One of several objectives says how many, and has its `objective`.
    """

    objectives = 1
    objective = staticmethod(objective)
    space = NB201
    evals = 300
    stops = (0, 1, 50, 99, 100, 101, 127, 128, 129, 150, 255, 256, 299, 300)  # the ends of shorter runs

    def make(self, space=None, trials=1, seed=0, history=None):
        raise NotImplementedError

    def trace(self, evals=None, **options):
        return run(self.make(**options), self.objective, evals or self.evals)

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
        half = self.evals // 2
        np.testing.assert_array_equal(
            self.trace(trials=2, evals=half).codes, self.trace(trials=2).codes[:, :half]
        )

    def test_a_search_goes_on_from_any_point_of_its_history(self):
        whole = self.trace(trials=2, seed=8)
        for stop in self.stops:
            begun = History(2, self.objectives)
            begun.extend(whole.codes[:, :stop], whole.scores[:, :stop], whole.costs[:, :stop])
            resumed = self.trace(trials=2, seed=8, history=begun)
            np.testing.assert_array_equal(resumed.codes, whole.codes, f"after a stop at {stop}")
            np.testing.assert_array_equal(resumed.scores, whole.scores, f"after a stop at {stop}")

    def test_asking_again_gives_the_same_codes(self):
        search = self.make(trials=2)
        for _ in range(self.evals):
            codes = np.array(search.ask())
            assert codes.shape == (2,)
            np.testing.assert_array_equal(search.ask(), codes)
            search.tell(codes, self.objective(codes))

    def test_cells_that_other_workers_evaluate_meanwhile(self):
        """Of four workers of each trial, the last to get a cell is the first to be done."""
        search = self.make(trials=2)
        for _ in range(self.evals // 4):
            first = np.array(search.ask())
            out = [np.array(search.ask(pending)) for pending in range(4)]
            for codes in out:
                assert codes.shape == (2,)
                assert codes.min() >= 0
                assert codes.max() < self.space.size
            np.testing.assert_array_equal(out[0], first)
            for pending in (2, 0, 3, 1):
                np.testing.assert_array_equal(search.ask(pending), out[pending])
            for codes in out[::-1]:
                search.tell(codes, self.objective(codes))
        told = search.history.codes.reshape(2, -1, 4)
        assert (told != told[:, :, :1]).any()
        np.testing.assert_array_equal(self.make(trials=2, history=search.history).ask(), search.ask())

    def test_evaluations_that_fail_are_lived_with(self):
        """A tenth of the cells cannot be evaluated; the search goes on, and resumes exactly."""

        def some_fail(codes):
            scores = np.array(self.objective(codes))
            scores[np.asarray(codes) % 10 == 0] = FAILED
            return scores

        whole = run(self.make(trials=3), some_fail, self.evals)
        assert np.isinf(whole.scores).any()
        assert whole.codes.min() >= 0
        assert whole.codes.max() < self.space.size
        half = self.evals // 2
        begun = History(3, self.objectives)
        begun.extend(whole.codes[:, :half], whole.scores[:, :half], whole.costs[:, :half])
        resumed = run(self.make(trials=3, history=begun), some_fail, self.evals)
        np.testing.assert_array_equal(resumed.codes, whole.codes)

    def test_a_search_all_of_whose_evaluations_fail(self):
        def all_fail(codes):
            return np.full_like(self.objective(codes), FAILED)

        codes = run(self.make(trials=2), all_fail, self.evals).codes
        assert codes.min() >= 0
        assert codes.max() < self.space.size

    def test_an_objective_that_works_in_place_changes_nothing(self):
        def in_place(codes):
            scores = self.objective(codes)
            codes //= 5
            return scores

        history = run(self.make(trials=2), in_place, self.evals)
        np.testing.assert_array_equal(history.codes, self.trace(trials=2).codes)

    def test_scores_are_one_number_a_trial_and_objective(self):
        search = self.make(trials=2)
        codes = search.ask()
        scores = self.objective(codes)
        for wrong in (1.0, scores[:1], scores[..., None], scores[None]):
            with pytest.raises(ObjectiveError, match=re.escape(f"a trial, shape {scores.shape}, got ")):
                search.tell(codes, wrong)
        for given, name in ((np.nan, "NaN"), (np.inf, "inf")):
            scores[1] = given
            with pytest.raises(ObjectiveError, match=f"gave {name} for code {codes[1]}"):
                search.tell(codes, scores)
        assert len(search.history) == 0
        scores[1] = FAILED
        search.tell(codes, scores)
        np.testing.assert_array_equal(search.history.scores[:, 0], scores)

    def test_codes_that_were_not_asked_for_are_errors(self):
        search = self.make(trials=2)
        size, scores = self.space.size, self.objective([1, 2])
        for codes in ([1], [1.0, 2.0], [[1], [2]], [1, 2, 3]):
            with pytest.raises(ObjectiveError, match="codes are integers, one a trial"):
                search.tell(codes, scores)
        for codes in ([1, -1], [1, size]):
            with pytest.raises(ObjectiveError, match=rf"a code is in \[0, {size - 1}\]"):
                search.tell(codes, scores)
        assert len(search.history) == 0

    def test_trials_and_seed_are_whole_numbers(self):
        for trials in (0, -1, 1.5, "2", True, None):
            with pytest.raises(InvalidArgumentError, match="a whole number of at least"):
                self.make(trials=trials)
        for trials in ([], ()):
            with pytest.raises(ConfigError, match="trials is at least 1, got none"):
                self.make(trials=trials)
        for seed in (-1, None, 1.5):
            with pytest.raises(InvalidArgumentError, match="seed is a whole number in"):
                self.make(seed=seed)
        assert len(self.make(trials=np.int64(3), seed=np.int64(1)).trials) == 3

    def test_settings_are_the_algorithms_own(self):
        algorithm = type(self.make())
        for config in (5, {}, object()):
            with pytest.raises(ConfigError, match="config is of .*, or None; got"):
                algorithm(self.space, config)
        assert algorithm(self.space).config == algorithm.config_class()

    def test_a_history_of_other_trials_is_an_error(self):
        with pytest.raises(ConfigError, match="the history is of 2 trials, the search of 3"):
            self.make(trials=3, history=History(2, self.objectives))
        other = self.objectives + 1
        with pytest.raises(ConfigError, match=f"of {other} objectives, the search of {self.objectives}"):
            self.make(trials=2, history=History(2, other))
