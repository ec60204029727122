"""The test suite for searches."""

import re
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from blackbox.errors import ConfigError, ObjectiveError
from blackbox.search.base import Search
from blackbox.search.history import History
from blackbox.search.loop import run
from blackbox.search.scores import FAILED
from blackbox.search.space import NB201_SPACE, CategoricalSpace
from nasbench.arrays import Codes, CodesLike, Scores
from nasbench.errors import InvalidArgumentError


def objective(codes: CodesLike) -> Scores:
    """Return scores (T,) with many equal values, so that ties matter."""
    return (np.asarray(codes) * 7919 % 1009 // 10).astype(np.float64)


def two_objectives(codes: CodesLike) -> Scores:
    """Return two conflicting scores of each code, (T, 2), also with many ties."""
    return np.stack([objective(codes), np.asarray(codes) * -104729 % 997 // 10], axis=-1)


class SearchContract:
    """The test suite for a `Search`; a subclass sets `search_class`.

    >>> from blackbox.re import RegularizedEvolution
    >>> class TestEvolution(SearchContract):
    ...     search_class = RegularizedEvolution
    ...     settings = {"population": 20, "sample": 5}

    The search must be random and work in any space of two points or more.
    """

    search_class: ClassVar[type[Search[Any]]]  #: class to test
    settings: ClassVar[dict[str, Any]] = {}  #: options of its `config_class` that differ from the defaults
    space: ClassVar[CategoricalSpace] = NB201_SPACE  #: search space
    evals: ClassVar[int] = 300  #: number of evaluations per trial
    #: numbers of steps after which runs are stopped and resumed
    stops: ClassVar[Sequence[int]] = (0, 1, 50, 99, 100, 101, 127, 128, 129, 150, 255, 256, 299, 300)

    def make(
        self,
        space: CategoricalSpace | None = None,
        trials: Any = 1,  # tests also pass invalid values
        seed: Any = 0,
        history: History | None = None,
        **settings: Any,
    ) -> Search[Any]:
        """Return the search; `space` and `settings` override the test class's."""
        config = self.search_class.config_class(**{**self.settings, **settings})
        return self.search_class(space or self.space, config, trials, seed, history)

    @property
    def objectives(self) -> int:
        """The number of objectives of the search."""
        return self.search_class.objectives

    def objective(self, codes: CodesLike) -> Scores:
        """Return the scores (T,) of codes, or (T, 2) if the search has two objectives."""
        return objective(codes) if self.objectives == 1 else two_objectives(codes)

    def trace(self, evals: int | None = None, **options: Any) -> History:
        """Run a new search of `make(**options)`; return its history."""
        return run(self.make(**options), self.objective, evals or self.evals)

    def test_same_seed_same_trace(self) -> None:
        np.testing.assert_array_equal(self.trace(trials=3, seed=5).codes, self.trace(trials=3, seed=5).codes)

    def test_another_seed_another_trace(self) -> None:
        assert (self.trace(seed=0).codes != self.trace(seed=1).codes).any()

    def test_trials_differ(self) -> None:
        codes = self.trace(trials=4).codes
        assert len(np.unique(codes, axis=0)) == 4

    def test_only_codes_of_the_space(self) -> None:
        for space in (self.space, CategoricalSpace((2, 3))):
            codes = self.trace(space=space, trials=8).codes
            assert codes.min() >= 0
            assert 0.8 * space.size < codes.max() < space.size

    def test_a_trial_does_not_depend_on_the_others(self) -> None:
        together = self.trace(trials=4, seed=3)
        for trial in range(4):
            alone = self.trace(trials=[trial], seed=3)
            np.testing.assert_array_equal(alone.codes[0], together.codes[trial])
        some = self.trace(trials=(3, 1), seed=3)
        np.testing.assert_array_equal(some.codes, together.codes[[3, 1]])

    def test_a_longer_run_begins_like_a_shorter_one(self) -> None:
        half = self.evals // 2
        np.testing.assert_array_equal(
            self.trace(trials=2, evals=half).codes, self.trace(trials=2).codes[:, :half]
        )

    def test_a_search_resumes_from_any_point_of_its_history(self) -> None:
        whole = self.trace(trials=2, seed=8)
        for stop in self.stops:
            begun = History(2, self.objectives)
            begun.extend(whole.codes[:, :stop], whole.scores[:, :stop], whole.costs[:, :stop])
            resumed = self.trace(trials=2, seed=8, history=begun)
            np.testing.assert_array_equal(resumed.codes, whole.codes, f"after a stop at {stop}")
            np.testing.assert_array_equal(resumed.scores, whole.scores, f"after a stop at {stop}")

    def test_asking_again_gives_the_same_codes(self) -> None:
        search = self.make(trials=2)
        for _ in range(self.evals):
            codes = np.array(search.ask())
            assert codes.shape == (2,)
            np.testing.assert_array_equal(search.ask(), codes)
            search.tell(codes, self.objective(codes))

    def test_pending_evaluations_of_several_workers(self) -> None:
        """Test four workers per trial; the last one to get a cell is the first to complete it."""
        search = self.make(trials=2)
        for _ in range(self.evals // 4):
            first = np.array(search.ask())
            asked = [np.array(search.ask(pending)) for pending in range(4)]
            for codes in asked:
                assert codes.shape == (2,)
                assert codes.min() >= 0
                assert codes.max() < self.space.size
            np.testing.assert_array_equal(asked[0], first)
            for pending in (2, 0, 3, 1):
                np.testing.assert_array_equal(search.ask(pending), asked[pending])
            for codes in asked[::-1]:
                search.tell(codes, self.objective(codes))
        told = search.history.codes.reshape(2, -1, 4)
        assert (told != told[:, :, :1]).any()
        np.testing.assert_array_equal(self.make(trials=2, history=search.history).ask(), search.ask())

    def test_a_search_continues_after_failed_evaluations(self) -> None:
        """Test that a search continues and resumes exactly if a tenth of cells fail, including the first."""
        digit = run(self.make(trials=3), self.objective, 1).codes[0, 0] % 10

        def some_fail(codes: Codes) -> Scores:
            scores = np.array(self.objective(codes))
            scores[np.asarray(codes) % 10 == digit] = FAILED
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

    def test_a_search_whose_evaluations_all_fail(self) -> None:
        def all_fail(codes: Codes) -> Scores:
            return np.full_like(self.objective(codes), FAILED)

        codes = run(self.make(trials=2), all_fail, self.evals).codes
        assert codes.min() >= 0
        assert codes.max() < self.space.size

    def test_an_objective_that_works_in_place_changes_nothing(self) -> None:
        def in_place(codes: Codes) -> Scores:
            scores = self.objective(codes)
            codes //= 5
            return scores

        history = run(self.make(trials=2), in_place, self.evals)
        np.testing.assert_array_equal(history.codes, self.trace(trials=2).codes)

    def test_scores_are_one_number_per_trial_and_objective(self) -> None:
        search = self.make(trials=2)
        codes = search.ask()
        scores = self.objective(codes)
        for wrong in (1.0, scores[:1], scores[..., None], scores[None]):
            with pytest.raises(ObjectiveError, match=re.escape(f"per trial, shape {scores.shape}, got ")):
                search.tell(codes, wrong)
        for value, name in ((np.nan, "NaN"), (np.inf, "inf")):
            scores[1] = value
            with pytest.raises(ObjectiveError, match=f"returned {name} for code {codes[1]}"):
                search.tell(codes, scores)
        assert len(search.history) == 0
        scores[1] = FAILED
        search.tell(codes, scores)
        np.testing.assert_array_equal(search.history.scores[:, 0], scores)

    def test_codes_outside_the_space_are_errors(self) -> None:
        search = self.make(trials=2)
        size, scores = self.space.size, self.objective([1, 2])
        for malformed in ([1], [1.0, 2.0], [[1], [2]], [1, 2, 3]):
            with pytest.raises(ObjectiveError, match="codes must be integers of shape"):
                search.tell(malformed, scores)
        for codes in ([1, -1], [1, size]):
            with pytest.raises(ObjectiveError, match=rf"codes must be in \[0, {size - 1}\]"):
                search.tell(codes, scores)
        assert len(search.history) == 0

    def test_trials_and_seed_are_integers(self) -> None:
        for trials in (0, -1, 1.5, "2", True, None):
            with pytest.raises(InvalidArgumentError, match="must be an integer >="):
                self.make(trials=trials)
        nothing: tuple[Sequence[int], ...] = ([], ())
        for none in nothing:
            with pytest.raises(ConfigError, match="trials must contain at least one trial, got none"):
                self.make(trials=none)
        for seed in (-1, None, 1.5):
            with pytest.raises(InvalidArgumentError, match="seed must be an integer in"):
                self.make(seed=seed)
        assert len(self.make(trials=np.int64(3), seed=np.int64(1)).trials) == 3

    def test_settings_are_the_algorithms_own(self) -> None:
        algorithm = type(self.make())
        for config in (5, {}, object()):
            with pytest.raises(ConfigError, match="config must be of type .* or None, got"):
                algorithm(self.space, config)
        assert algorithm(self.space).config == algorithm.config_class()

    def test_a_history_of_other_trials_is_an_error(self) -> None:
        with pytest.raises(ConfigError, match="as many trials as the search, 3; got 2"):
            self.make(trials=3, history=History(2, self.objectives))
        other = self.objectives + 1
        with pytest.raises(
            ConfigError, match=f"as many objectives as the search, {self.objectives}; got {other}"
        ):
            self.make(trials=2, history=History(2, other))
