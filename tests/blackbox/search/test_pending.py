import numpy as np

from blackbox.search.history import History
from blackbox.search.pending import PendingEvaluations


def pending_after(asked, told):
    """The pending evaluations after codes of one trial were asked for, and some told."""
    history = History(1)
    out = PendingEvaluations(history)
    for pending, code in enumerate(asked):
        out.answer(pending, lambda step, out, code=code: np.array([code]))
    for code in told:
        history.append([code], [0.0])
    return out


def codes_of(evaluations, pending):
    """The codes that are taken to be pending while so many are."""
    found = []

    def give(step, out):
        found.extend(codes.item() for codes in out)
        return np.array([step])

    evaluations.answer(pending, give)
    return found


def test_what_is_told_is_out_no_more():
    assert codes_of(pending_after([5, 6, 7, 8], told=[]), 4) == [5, 6, 7, 8]
    assert codes_of(pending_after([5, 6, 7, 8], told=[6, 8]), 2) == [5, 7]
    assert codes_of(pending_after([5, 6, 5, 8], told=[5]), 3) == [6, 5, 8]  # one of two equal ones
    assert codes_of(pending_after([5, 6, 7], told=[9, 5]), 2) == [6, 7]  # 9 was never asked for


def test_what_is_lost_is_forgotten_oldest_first_and_what_is_unknown_does_no_harm():
    assert codes_of(pending_after([5, 6, 7, 8], told=[6]), 2) == [7, 8]
    assert codes_of(pending_after([5, 6, 7, 8], told=[6]), 0) == []
    assert codes_of(pending_after([5, 6], told=[]), 5) == [5, 6]
    assert codes_of(pending_after([], told=[1, 2, 3]), 2) == []


def test_what_an_earlier_run_asked_for_is_out():
    history = History(1)
    for code in (1, 2, 3):
        history.append([code], [0.0])
    out = PendingEvaluations(history)
    for code in (2, 9):
        out.expect(np.array([code]))
    assert codes_of(out, 2) == [2, 9]


def test_an_answer_stays_until_the_next_is_told():
    history = History(2)
    out = PendingEvaluations(history)
    answers = [out.answer(pending, lambda step, out: np.array([step, 9])) for pending in range(3)]
    for pending in (1, 0, 2):
        again = out.answer(pending, lambda step, out: np.array([77, 77]))
        np.testing.assert_array_equal(again, answers[pending])
        again[:] = 55  # the caller's own
    history.append(answers[1], [0.0, 0.0])
    assert out.answer(2, lambda step, out: np.array([step, len(out)])).tolist() == [3, 2]
