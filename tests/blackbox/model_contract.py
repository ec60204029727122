"""What every search with a model must do beside what all searches must."""

import sys

import numpy as np
import pytest

from blackbox.errors import MissingDependencyError
from blackbox.search.history import History
from blackbox.search.loop import run
from blackbox.search.scores import FAILED
from blackbox.search.space import CategoricalSpace
from tests.blackbox.contract import SearchContract, objective

TINY = CategoricalSpace((2, 1, 3))


class ModelBasedContract(SearchContract):
    """A subclass gives `algorithm`, its search class, and `settings` with small intervals between fits.

    Also `needed`, a module that is not in the base installation.
    """

    algorithm = None
    needed = None
    settings = {}
    evals = 30
    stops = (0, 1, 7, 8, 9, 13, 14, 15, 20, 29, 30)

    def make(self, space=None, trials=1, seed=0, history=None):
        config = self.algorithm.config_class(**self.settings)
        return self.algorithm(space or self.space, config, trials, seed, history)

    def test_no_cell_twice_while_others_are_left(self):
        for codes in self.trace(trials=3).codes:
            assert len(set(codes)) == self.evals
        codes = self.trace(space=TINY, trials=3, evals=30).codes
        assert all(set(row[:6]) == set(range(6)) for row in codes)

    def test_no_cell_of_an_earlier_history_either(self):
        """A history that the search would not have made itself."""
        begun = History(1)
        for code in range(0, 9000, 300):
            begun.append([code], objective([code]))
        codes = self.trace(history=begun, evals=60).codes[0]
        assert len(set(codes)) == 60

    def test_failed_evaluations_are_lived_with(self):
        def failing(codes):
            return np.where(codes % 3 == 0, FAILED, objective(codes))

        for failure in (failing, lambda codes: np.full(len(codes), FAILED)):
            history = run(self.make(trials=2), failure, self.evals)
            assert all(len(set(codes)) == self.evals for codes in history.codes)
            begun = History(2)
            begun.extend(history.codes[:, :15], history.scores[:, :15], history.costs[:, :15])
            resumed = run(self.make(trials=2, history=begun), failure, self.evals)
            np.testing.assert_array_equal(resumed.codes, history.codes)

    def test_the_model_learns_after_a_history_of_failures(self):
        history = History(1)
        for code in range(20):
            history.append([code], [FAILED])
        run(self.make(history=history), lambda codes: -abs(codes - 9000.0), 70)
        found, drawn = history.scores[0, 50:].mean(), -abs(np.arange(self.space.size) - 9000.0).mean()
        assert found > drawn

    def test_what_is_out_at_workers_is_not_asked_for_again(self):
        """Four workers, of which the last to get a cell is the first to be done."""
        search = self.make(trials=2)
        out = [search.ask(pending) for pending in range(4)]
        asked = list(out)
        for _ in range(20):
            done = out.pop()
            search.tell(done, objective(done))
            new = search.ask(len(out))
            np.testing.assert_array_equal(search.ask(len(out)), new)
            out.append(new)
            asked.append(new)
        for codes in np.transpose(asked):
            assert len(set(codes)) == len(asked)

    def test_what_is_not_installed_is_missed_before_the_first_evaluation(self, monkeypatch):
        monkeypatch.setitem(sys.modules, self.needed, None)
        with pytest.raises(MissingDependencyError, match=r"pip install .*'nas-toolkit\[search\]'"):
            self.make()

    def test_it_finds_what_it_is_asked_for(self):
        """The number of equal digits, whose mean over the space is a fifth of the digits."""
        wanted = self.space.digits([self.space.size // 3])

        def equal_digits(codes):
            return (self.space.digits(codes) == wanted).sum(axis=1) * 1.0

        found = run(self.make(trials=4), equal_digits, 60)
        assert found.scores.max(axis=1).mean() >= len(self.space.choices) - 1
        assert found.scores[:, 30:].mean() > 2 * found.scores[:, :8].mean()
