"""The test suite for searches with a model, which extends the suite for all searches."""

import numpy as np

from blackbox.search.history import History
from blackbox.search.loop import run
from blackbox.search.scores import FAILED
from blackbox.search.space import CategoricalSpace
from blackbox.testing.searches import SearchContract, objective
from nasbench.arrays import Codes, Scores

TINY = CategoricalSpace((2, 1, 3))


class ModelBasedContract(SearchContract):
    """The test suite for a `ModelBasedSearch`; a subclass sets `search_class`.

    Its `settings` should have an `initial` of about 8 and short intervals between fits.
    """

    evals = 30
    stops = (0, 1, 7, 8, 9, 13, 14, 15, 20, 29, 30)

    def test_no_cell_twice_while_others_are_left(self) -> None:
        for codes in self.trace(trials=3).codes:
            assert len(set(codes)) == self.evals
        codes = self.trace(space=TINY, trials=3, evals=30).codes
        assert all(set(row[:6]) == set(range(6)) for row in codes)

    def test_no_cell_of_an_earlier_history_either(self) -> None:
        """Test a history that the search would not have produced itself."""
        begun = History(1)
        for code in range(0, 9000, 300):
            begun.append([code], objective([code]))
        codes = self.trace(history=begun, evals=60).codes[0]
        assert len(set(codes)) == 60

    def test_no_cell_twice_after_failed_evaluations(self) -> None:
        def failing(codes: Codes) -> Scores:
            return np.where(codes % 3 == 0, FAILED, objective(codes))

        def all_fail(codes: Codes) -> Scores:
            return np.full(len(codes), FAILED)

        for failure in (failing, all_fail):
            history = run(self.make(trials=2), failure, self.evals)
            assert all(len(set(codes)) == self.evals for codes in history.codes)
            begun = History(2)
            begun.extend(history.codes[:, :15], history.scores[:, :15], history.costs[:, :15])
            resumed = run(self.make(trials=2, history=begun), failure, self.evals)
            np.testing.assert_array_equal(resumed.codes, history.codes)

    def test_the_model_learns_after_a_history_of_failures(self) -> None:
        history = History(1)
        for code in range(20):
            history.append([code], [FAILED])
        run(self.make(history=history), lambda codes: -abs(codes - 9000.0), 70)
        learned, drawn = history.scores[0, 50:].mean(), -abs(np.arange(self.space.size) - 9000.0).mean()
        assert learned > drawn

    def test_pending_cells_are_not_asked_for_again(self) -> None:
        """Test four workers; the last one to get a cell is the first to complete it."""
        search = self.make(trials=2)
        pending = [search.ask(number) for number in range(4)]
        asked = list(pending)
        for _ in range(20):
            done = pending.pop()
            search.tell(done, objective(done))
            new = search.ask(len(pending))
            np.testing.assert_array_equal(search.ask(len(pending)), new)
            pending.append(new)
            asked.append(new)
        for codes in np.transpose(asked):
            assert len(set(codes)) == len(asked)

    def test_it_finds_a_simple_optimum(self) -> None:
        """Count the digits that are equal to the digits of a cell; the mean over the space is a fifth."""
        optimum = self.space.digits([self.space.size // 3])

        def equal_digits(codes: Codes) -> Scores:
            return np.asarray((self.space.digits(codes) == optimum).sum(axis=1) * 1.0)

        history = run(self.make(trials=4), equal_digits, 60)
        assert history.scores.max(axis=1).mean() >= len(self.space.choices) - 1
        assert history.scores[:, 30:].mean() > 2 * history.scores[:, :8].mean()
