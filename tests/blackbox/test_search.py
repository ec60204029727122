import numpy as np
import pytest

from blackbox.errors import ConfigError, ObjectiveError
from blackbox.objective import TableObjective
from blackbox.rs import RandomSearch
from blackbox.search import Draws, is_finished, run
from blackbox.space import NB201
from nasbench.errors import InvalidArgumentError


def test_draws_depend_on_seed_trial_purpose_and_step_alone():
    def draw(rng, steps):
        return rng.integers(1000, size=steps)

    both = Draws(3, [0, 7], 1, draw)
    one = Draws(3, [7], 1, draw)
    rows = [both.at(step).tolist() for step in range(300)]
    assert [row[1] for row in rows] == [one.at(step)[0] for step in range(300)]
    assert Draws(3, [7], 1, draw).at(299)[0] == rows[299][1]
    assert rows != [Draws(4, [0, 7], 1, draw).at(step).tolist() for step in range(300)]
    assert rows != [Draws(3, [0, 7], 2, draw).at(step).tolist() for step in range(300)]


def test_draws_of_an_earlier_step_are_what_they_were():
    draws = Draws(3, [0, 7], 1, lambda rng, steps: rng.integers(1000, size=steps))
    rows = [draws.at(step).tolist() for step in range(400)]
    for step in (399, 127, 128, 127, 0, 256, 255, 399):
        assert draws.at(step).tolist() == rows[step]


def test_draws_are_prepared_by_the_block():
    drawn = Draws(0, [0, 1], 0, lambda rng, steps: np.ones((steps, 2)), lambda rows: rows * [[1.0], [2.0]])
    assert drawn.at(200).tolist() == [[1.0, 1.0], [2.0, 2.0]]


def test_run_ends_by_evals():
    steps = []
    search = RandomSearch(NB201, trials=2)
    history = run(search, lambda codes: codes * 1.0, 5, after_step=lambda: steps.append(len(search.history)))
    assert steps == [1, 2, 3, 4, 5]
    assert history is search.history
    assert history.costs.tolist() == [[0.0] * 5] * 2
    assert len(run(search, lambda codes: codes * 1.0, 5)) == 5  # has them already


def test_run_ends_when_every_trial_has_spent_its_budget():
    def cost(codes):
        return np.array([10.0, 1.0])

    history = run(RandomSearch(NB201, trials=2), lambda codes: codes * 1.0, budget=30, cost=cost)
    assert history.counted(30).tolist() == [3, 30]
    assert len(history) == 31
    assert len(run(RandomSearch(NB201, trials=2), lambda codes: codes * 1.0, 7, budget=30, cost=cost)) == 7


def test_run_goes_on_with_a_budget():
    whole = run(RandomSearch(NB201), lambda c: c * 1.0, budget=100, cost=lambda c: c % 7 + 1.0)
    part = run(RandomSearch(NB201), lambda c: c * 1.0, 9, cost=lambda c: c % 7 + 1.0)
    again = run(RandomSearch(NB201, history=part), lambda c: c * 1.0, budget=100, cost=lambda c: c % 7 + 1.0)
    np.testing.assert_array_equal(again.codes, whole.codes)


def test_going_on_spends_a_budget_to_the_last_bit(bench):
    """Sums in another order differ in the last bit, which this budget lies on."""
    table = TableObjective(bench, "cifar10", "val_accuracy")
    budget = 42181.27561012906
    whole = run(RandomSearch(NB201), table, budget=budget, cost=table.cost)
    for stop in range(1, len(whole)):
        begun = run(RandomSearch(NB201), table, stop, cost=table.cost)
        again = run(RandomSearch(NB201, history=begun), table, budget=budget, cost=table.cost)
        np.testing.assert_array_equal(again.codes, whole.codes)
    assert is_finished(whole, None, budget)
    assert not is_finished(whole, len(whole) + 1, budget * 2)
    assert is_finished(whole, len(whole), None)


def test_a_cost_that_is_no_number_is_an_error():
    with pytest.raises(ObjectiveError, match="the cost gave NaN"):
        run(RandomSearch(NB201), lambda c: c * 1.0, budget=5, cost=lambda c: np.array([np.nan]))


def test_run_without_an_end_is_an_error():
    with pytest.raises(ConfigError, match="by evals, by budget or by both"):
        run(RandomSearch(NB201), lambda codes: codes)
    for evals in (0, -5, 2.5, "3"):
        with pytest.raises(InvalidArgumentError, match="evals is a whole number of at least 1"):
            run(RandomSearch(NB201), lambda codes: codes, evals)
    for budget in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="budget is a positive number of seconds"):
            run(RandomSearch(NB201), lambda codes: codes, budget=budget, cost=lambda codes: 1.0)
    with pytest.raises(ConfigError, match="a budget in seconds needs a cost"):
        run(RandomSearch(NB201), lambda codes: codes, budget=10)


def test_run_ends_when_told_to():
    search = RandomSearch(NB201)
    history = run(search, lambda codes: codes * 1.0, 100, after_step=lambda: len(search.history) == 7)
    assert len(history) == 7


def test_an_error_of_the_objective_leaves_the_history_whole():
    def fails(codes):
        if len(search.history) == 3:
            return [np.nan]
        return codes * 1.0

    search = RandomSearch(NB201)
    with pytest.raises(ObjectiveError, match="gave NaN"):
        run(search, fails, 10)
    assert len(search.history) == 3
