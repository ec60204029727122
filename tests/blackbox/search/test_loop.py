import numpy as np
import pytest

from blackbox.errors import ConfigError, ObjectiveError
from blackbox.nsga2 import NSGA2
from blackbox.rs import RandomSearch
from blackbox.search.loop import is_finished, run
from blackbox.search.scores import FAILED
from blackbox.search.space import NB201_SPACE
from blackbox.table.objective import TableObjective
from nasbench.errors import InvalidArgumentError


def test_run_ends_by_evals():
    steps = []
    search = RandomSearch(NB201_SPACE, trials=2)
    history = run(search, lambda codes: codes * 1.0, 5, after_step=lambda: steps.append(len(search.history)))
    assert steps == [1, 2, 3, 4, 5]
    assert history is search.history
    assert history.costs.tolist() == [[0.0] * 5] * 2
    assert len(run(search, lambda codes: codes * 1.0, 5)) == 5  # has them already


def test_run_ends_when_every_trial_has_spent_its_budget():
    def cost(codes):
        return np.array([10.0, 1.0])

    history = run(RandomSearch(NB201_SPACE, trials=2), lambda codes: codes * 1.0, budget=30, cost=cost)
    assert history.counted(30).tolist() == [3, 30]
    assert len(history) == 31
    assert (
        len(run(RandomSearch(NB201_SPACE, trials=2), lambda codes: codes * 1.0, 7, budget=30, cost=cost)) == 7
    )


def test_run_goes_on_with_a_budget():
    whole = run(RandomSearch(NB201_SPACE), lambda c: c * 1.0, budget=100, cost=lambda c: c % 7 + 1.0)
    part = run(RandomSearch(NB201_SPACE), lambda c: c * 1.0, 9, cost=lambda c: c % 7 + 1.0)
    again = run(
        RandomSearch(NB201_SPACE, history=part), lambda c: c * 1.0, budget=100, cost=lambda c: c % 7 + 1.0
    )
    np.testing.assert_array_equal(again.codes, whole.codes)


def test_going_on_spends_a_budget_to_the_last_bit(bench):
    """Sums in another order differ in the last bit, which this budget lies on."""
    table = TableObjective(bench, "cifar10", "val_accuracy")
    budget = 42181.27561012906
    whole = run(RandomSearch(NB201_SPACE), table, budget=budget, cost=table.cost)
    for stop in range(1, len(whole)):
        begun = run(RandomSearch(NB201_SPACE), table, stop, cost=table.cost)
        again = run(RandomSearch(NB201_SPACE, history=begun), table, budget=budget, cost=table.cost)
        np.testing.assert_array_equal(again.codes, whole.codes)
    assert is_finished(whole, None, budget)
    assert not is_finished(whole, len(whole) + 1, budget * 2)
    assert is_finished(whole, len(whole), None)


def test_a_cost_that_is_no_number_is_an_error():
    with pytest.raises(ObjectiveError, match="the cost is NaN"):
        run(RandomSearch(NB201_SPACE), lambda c: c * 1.0, budget=5, cost=lambda c: np.array([np.nan]))


def test_run_without_an_end_is_an_error():
    with pytest.raises(ConfigError, match="evals, budget or both must be given"):
        run(RandomSearch(NB201_SPACE), lambda codes: codes)
    for evals in (0, -5, 2.5, "3"):
        with pytest.raises(InvalidArgumentError, match="evals must be an integer >= 1"):
            run(RandomSearch(NB201_SPACE), lambda codes: codes, evals)
    for budget in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="budget must be a positive number of seconds"):
            run(RandomSearch(NB201_SPACE), lambda codes: codes, budget=budget, cost=lambda codes: 1.0)
    with pytest.raises(ConfigError, match="a budget in seconds needs a cost"):
        run(RandomSearch(NB201_SPACE), lambda codes: codes, budget=10)


def test_run_ends_when_told_to():
    search = RandomSearch(NB201_SPACE)
    history = run(search, lambda codes: codes * 1.0, 100, after_step=lambda: len(search.history) == 7)
    assert len(history) == 7


def test_an_error_of_the_objective_leaves_the_history_whole():
    def fails(codes):
        if len(search.history) == 3:
            return [np.nan]
        return codes * 1.0

    search = RandomSearch(NB201_SPACE)
    with pytest.raises(ObjectiveError, match="returned NaN"):
        run(search, fails, 10)
    assert len(search.history) == 3


# Evaluations that fail


class Failures(list):
    """What `on_failure` is told: (trial, code, error)."""

    def __call__(self, trial, code, error):
        self.append((trial, code, error))


def test_an_objective_that_raises_for_one_trial_fails_there_alone():
    calls = []

    def objective(codes):
        calls.append(len(codes))
        if (codes % 3 == 0).any():
            raise RuntimeError(f"cannot train {codes.tolist()}")
        return codes * 1.0

    failures = Failures()
    search = RandomSearch(NB201_SPACE, trials=[4, 0, 7], seed=1)
    history = run(search, objective, 20, on_failure=failures)
    failed = history.codes % 3 == 0
    np.testing.assert_array_equal(history.scores, np.where(failed, FAILED, history.codes))
    assert 0 < failed.sum() < failed.size
    expected = [(search.trials[row], code) for codes in history.codes.T for row, code in enumerate(codes)]
    assert [(trial, code) for trial, code, _ in failures] == [of for of in expected if of[1] % 3 == 0]
    for _, code, error in failures:
        assert isinstance(error, RuntimeError)
        assert str(error) == f"cannot train [{code}]"
    again = failed.any(axis=0).sum()  # steps in which each trial was evaluated by itself
    assert (calls.count(3), calls.count(1)) == (20, 3 * again)


def test_an_objective_that_raises_for_a_trial_alone_is_not_asked_twice():
    calls = []

    def objective(codes):
        calls.append(codes[0])
        raise RuntimeError("no")

    failures = Failures()
    history = run(RandomSearch(NB201_SPACE), objective, 5, on_failure=failures)
    assert len(calls) == len(failures) == 5
    assert (history.scores == FAILED).all()
    np.testing.assert_array_equal([code for _, code, _ in failures], history.codes[0])


@pytest.mark.parametrize(("given", "name"), [(np.nan, "NaN"), (np.inf, "inf")])
def test_what_is_no_number_fails_too(given, name):
    failures = Failures()
    history = run(
        RandomSearch(NB201_SPACE, trials=3),
        lambda codes: np.where(codes % 2, codes, given),
        20,
        on_failure=failures,
    )
    even = history.codes % 2 == 0
    np.testing.assert_array_equal(history.scores, np.where(even, FAILED, history.codes))
    assert len(failures) == even.sum()
    for trial, code, error in failures:
        assert code in history.codes[trial]
        assert isinstance(error, ObjectiveError)
        assert str(error) == f"the objective returned {name}"


def test_nan_after_an_error_of_another_trial_fails_too():
    def objective(codes):
        if len(codes) > 1:
            raise MemoryError("too many at once")
        return [np.nan] if codes[0] % 2 else [1.0]

    failures = Failures()
    history = run(RandomSearch(NB201_SPACE, trials=2), objective, 10, on_failure=failures)
    np.testing.assert_array_equal(history.scores, np.where(history.codes % 2, FAILED, 1.0))
    assert {type(error) for *_, error in failures} == {ObjectiveError}


def test_with_two_objectives_a_failure_is_one_of_both():
    def objective(codes):
        scores = np.stack([codes, -codes], axis=-1) * 1.0
        scores[codes % 3 == 0, 1] = np.nan
        if (codes % 3 == 1).any():
            raise RuntimeError("cannot be trained")
        return scores

    failures = Failures()
    history = run(NSGA2(NB201_SPACE, trials=3), objective, 120, on_failure=failures)
    fine = history.codes % 3 == 2
    np.testing.assert_array_equal(history.scores[fine][:, 0], history.codes[fine])
    assert (history.scores[~fine] == FAILED).all()
    assert len(failures) == (~fine).sum()
    assert {type(error) for *_, error in failures} == {ObjectiveError, RuntimeError}


def test_scores_of_another_shape_are_errors_and_no_failures():
    for scores in (1.0, [1.0], [[1.0, 2.0]]):
        failures = Failures()
        search = RandomSearch(NB201_SPACE, trials=2)
        with pytest.raises(ObjectiveError, match="one score per trial"):
            run(search, lambda codes, scores=scores: scores, 5, on_failure=failures)
        assert (len(search.history), failures) == (0, [])


def test_without_on_failure_an_error_ends_the_run_and_what_came_before_is_kept():
    def objective(codes):
        if len(search.history) == 4:
            raise RuntimeError("out of memory")
        return codes * 1.0

    search = RandomSearch(NB201_SPACE, trials=2)
    with pytest.raises(RuntimeError, match="out of memory"):
        run(search, objective, 10)
    assert len(search.history) == 4
    undisturbed = run(RandomSearch(NB201_SPACE, trials=2), lambda codes: codes * 1.0, 10)
    again = run(RandomSearch(NB201_SPACE, None, 2, 0, search.history), lambda codes: codes * 1.0, 10)
    np.testing.assert_array_equal(again.codes, undisturbed.codes)
    np.testing.assert_array_equal(again.scores, undisturbed.scores)


def test_an_interrupt_is_no_failure():
    def objective(codes):
        raise KeyboardInterrupt

    failures = Failures()
    with pytest.raises(KeyboardInterrupt):
        run(RandomSearch(NB201_SPACE, trials=2), objective, 10, on_failure=failures)
    assert failures == []
