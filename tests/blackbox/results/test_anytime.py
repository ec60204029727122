"""How the incumbents of trials change, by hand."""

import numpy as np

from blackbox.results.anytime import Trajectories, find_changes
from blackbox.search.history import History
from blackbox.search.scores import FAILED


def assert_same_changes(changes, expected):
    for found, rows in zip(changes, expected, strict=True):
        assert [tuple(row) for row in zip(*(column.tolist() for column in found), strict=True)] == rows


def test_changes_where_evaluations_failed_or_none_ended():
    history = History(3)
    history.extend(
        np.array([[5, 6, 7], [5, 6, 6], [1, 2, 3]]),
        np.array([[FAILED, FAILED, 1.0], [1.0, 3.0, 4.0], [FAILED] * 3]),
        np.array([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0], [1.0, 1.0, 1.0]]),
    )
    assert_same_changes(find_changes(history), [[(3, 3.0, 7)], [(1, 2.0, 5), (2, 4.0, 6)], []])
    assert_same_changes(find_changes(history, 2.0), [[], [(1, 2.0, 5)], []])
    assert_same_changes(find_changes(History(2)), [[], []])


def test_what_is_kept_of_trials():
    history = History(2)
    history.extend(
        np.array([[5, 6, 7], [5, 6, 6]]),
        np.array([[1.0, 3.0, 2.0], [4.0, 3.0, 5.0]]),
        np.array([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]),
    )
    kept = Trajectories.of_evaluations(history, 3.5)
    assert (kept.evaluations.tolist(), kept.seconds.tolist()) == ([3, 1], [3.0, 2.0])
    assert [[column.tolist() for column in of] for of in kept.changes] == [
        [[1, 2], [1.0, 2.0], [5, 6]],
        [[1], [2.0], [5]],
    ]
    assert kept.until.tolist() == [3.0, 3.5]  # what stopped the second was the budget
    joined = Trajectories.joined([kept, Trajectories.of_evaluations(history)])
    assert joined.ends(0).tolist() == [3, 1, 3, 3]
    assert joined.ends(1).tolist() == [3.0, 3.5, 3.0, 6.0]
    assert len(joined.changes) == 4
    assert Trajectories.of_evaluations(History(1), 1.0).seconds.tolist() == [0.0]
