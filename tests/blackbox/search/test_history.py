import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from blackbox.errors import ConfigError
from blackbox.search.history import History
from nasbench.errors import InvalidArgumentError


def filled(codes, scores, costs):
    history = History(len(codes))
    history.extend(np.array(codes), np.array(scores, dtype=float), np.array(costs, dtype=float))
    return history


def test_arrays_are_by_trial_and_cannot_be_written_to():
    history = filled([[1, 2], [3, 4]], [[0.5, 0.1], [0.2, 0.3]], [[1, 1], [2, 2]])
    assert len(history) == 2
    assert history.codes.tolist() == [[1, 2], [3, 4]]
    assert history.scores.tolist() == [[0.5, 0.1], [0.2, 0.3]]
    assert history.costs.tolist() == [[1.0, 1.0], [2.0, 2.0]]
    for array in (history.codes, history.scores, history.costs):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 9
    codes, scores = history.last(1)
    assert (codes.tolist(), scores.tolist()) == ([[2, 4]], [[0.1, 0.3]])


def test_it_grows_beyond_its_first_capacity():
    history = History(2)
    for step in range(3000):
        history.append([step, step + 1], [step, -step], 1.0)
    assert history.codes[:, 2999].tolist() == [2999, 3000]
    assert history.codes[0].tolist() == list(range(3000))
    assert history.costs.sum() == 6000


@given(
    arrays(float, st.tuples(st.integers(1, 4), st.integers(1, 30)), elements=st.integers(-3, 3).map(float))
)
def test_incumbents_equal_a_plain_loop(scores):
    codes = np.arange(scores.size).reshape(scores.shape)
    history = filled(codes, scores, np.zeros(scores.shape))
    for trial, row in enumerate(scores):
        expected = [int(row[: n + 1].argmax()) for n in range(len(row))]
        assert history.incumbent_steps()[trial].tolist() == expected
        assert history.incumbents()[trial].tolist() == codes[trial, expected].tolist()
        assert history.incumbent()[trial] == codes[trial, expected[-1]]
    trial, step = history.best()
    assert scores[trial, step] == scores.max()
    assert step == min(int(row.argmax()) for row in scores if row.max() == scores.max())


@given(
    arrays(
        float, st.tuples(st.integers(1, 3), st.integers(1, 20)), elements=st.sampled_from([-np.inf, 0.0, 1.0])
    )
)
def test_the_incumbent_is_kept_up_to_date(scores):
    history = History(len(scores))
    for step, row in enumerate(scores.T):
        history.append(np.arange(len(scores)) * 100 + step, row)
        if step % 3 != 1:
            assert history.incumbent().tolist() == history.incumbents()[:, -1].tolist()


def test_without_an_evaluation_there_is_no_incumbent():
    with pytest.raises(ConfigError, match="there is no evaluation yet"):
        History(1).incumbent()
    assert History(2).spent().tolist() == [0, 0]


def test_a_budget_counts_what_ended_within_it():
    history = filled([[1, 2, 3], [4, 5, 6]], [[1, 3, 9], [1, 2, 3]], [[10, 10, 10], [1, 1, 1]])
    assert history.counted().tolist() == [3, 3]
    assert history.counted(20).tolist() == [2, 3]
    assert history.counted(19.9).tolist() == [1, 3]
    assert history.counted(0.5).tolist() == [0, 0]
    assert history.incumbents(20).tolist() == [[1, 2, 2], [4, 5, 6]]
    assert history.incumbent_steps(19.9).tolist() == [[0, 0, 0], [0, 1, 2]]
    assert history.best(20) == (0, 1)
    assert history.best(19.9) == (1, 2)


def test_a_trial_without_an_evaluation_in_its_budget_has_no_incumbent():
    history = filled([[1, 2], [3, 4]], [[1, 9], [2, 3]], [[10, 10], [1, 1]])
    assert history.incumbent_steps(5).tolist() == [[-1, -1], [0, 1]]
    assert history.incumbents(5).tolist() == [[-1, -1], [3, 4]]
    assert history.best(5) == (1, 1)
    for empty, budget in ((history, 0.5), (History(1), None), (History(1), 5)):
        with pytest.raises(ConfigError, match="no trial has an evaluation, or none within the budget"):
            empty.best(budget)


def test_many_trials_take_no_more_room_at_first_than_they_need():
    history = History(1_000_000)
    history.append(np.zeros(1_000_000, dtype=int), np.zeros(1_000_000))
    assert history.codes.shape == (1_000_000, 1)


# Several objectives


def pairs(steps, trials=2):
    rng = np.random.default_rng(0)
    shape = (trials, steps)
    return rng.integers(15625, size=shape), rng.random((*shape, 2)), rng.random(shape)


def test_scores_of_several_objectives_are_by_trial_step_and_objective():
    codes, scores, costs = pairs(3)
    history = History(2, objectives=2)
    history.extend(codes[:, :2], scores[:, :2], costs[:, :2])
    history.append(codes[:, 2], scores[:, 2], costs[:, 2])
    assert (len(history), history.objectives, history.scores.shape) == (3, 2, (2, 3, 2))
    np.testing.assert_array_equal(history.codes, codes)
    np.testing.assert_array_equal(history.scores, scores)
    np.testing.assert_array_equal(history.costs, costs)
    with pytest.raises(ValueError, match="read-only"):
        history.scores[0, 0, 0] = 1
    last_codes, last_scores = history.last(2)
    np.testing.assert_array_equal(last_codes, codes[:, 1:].T)
    np.testing.assert_array_equal(last_scores, scores[:, 1:].swapaxes(0, 1))
    assert history.counted(costs[0, 0]).tolist()[0] == 1
    np.testing.assert_allclose(history.spent(), costs.sum(axis=1))


def test_a_history_of_several_objectives_grows_too():
    codes, scores, costs = pairs(3000)
    history = History(2, objectives=2)
    history.extend(codes, scores, costs)
    np.testing.assert_array_equal(history.scores, scores)


def test_with_several_objectives_there_is_no_incumbent():
    history = History(2, objectives=3)
    history.append([1, 2], np.zeros((2, 3)))
    for ask in (history.incumbent, history.incumbents, history.incumbent_steps, history.best):
        with pytest.raises(ConfigError, match="a search with 3 objectives has a Pareto front, no incumbent"):
            ask()


def test_trials_and_objectives_are_whole_numbers():
    for trials in (0, -1, 1.5, None):
        with pytest.raises(InvalidArgumentError, match="trials must be an integer >= 1"):
            History(trials)
    with pytest.raises(InvalidArgumentError, match="objectives must be an integer >= 1, got 0"):
        History(1, 0)
