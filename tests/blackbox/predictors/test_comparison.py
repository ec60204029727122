import numpy as np
import pytest
from scipy.stats import kendalltau

from blackbox.predictors import comparison
from blackbox.predictors.base import Predictor
from blackbox.predictors.comparison import LEARNED, ZERO_COST, compare
from blackbox.search.space import NB201_SPACE
from blackbox.table.objective import TableObjective


class Recorder(Predictor):
    """Says what `value` says of codes, and keeps what it was fitted to and asked about."""

    def __init__(self, value, seen):
        self._value = value
        self._seen = seen

    def fit(self, codes, scores):
        self._fitted = codes, scores
        return self

    def predict(self, codes):
        self._seen.append((*self._fitted, codes))
        return self._value(codes), np.zeros(len(codes))


@pytest.fixture
def compared(bench, monkeypatch):
    """What `compare` finds with one predictor, and what that was asked: (correlations, seen)."""

    def compared(value, sizes, trials, **options):
        seen = []
        monkeypatch.setattr(comparison, "LEARNED", {"recorder": lambda space, seed: Recorder(value, seen)})
        objective = TableObjective(bench, "cifar10", "val_accuracy")
        found = compare(bench, objective, NB201_SPACE, sizes, trials, **options)
        return [each for each in found if each.predictor == "recorder"], seen

    return compared


def test_all_are_fitted_to_the_first_cells_of_a_draw_and_asked_about_others(compared, bench):
    _, seen = compared(lambda codes: codes * 1.0, [5, 20], 3, tested=30, seed=4)
    assert len(seen) == 6
    truth = bench.by_code("cifar10", "val_accuracy")
    for (few, scores, asked), (more, _, again) in zip(seen[:3], seen[3:], strict=True):
        assert (len(few), len(more), len(asked)) == (5, 20, 30)
        np.testing.assert_array_equal(few, more[:5])
        np.testing.assert_array_equal(asked, again)
        np.testing.assert_array_equal(scores, truth[few])
        assert len(set(more.tolist() + asked.tolist())) == 50
    assert len({tuple(asked) for *_, asked in seen}) == 3  # trials differ


def test_correlations_are_of_predictions_and_the_table(compared, bench):
    truth = bench.by_code("cifar10", "val_accuracy")
    (perfect,), _ = compared(lambda codes: truth[codes], [5], 4, tested=30)
    assert perfect.kendall == pytest.approx(np.ones(4))
    assert perfect.spearman == pytest.approx(np.ones(4))
    (wrong,), _ = compared(lambda codes: -(truth[codes] ** 3), [5], 4, tested=30)
    assert wrong.spearman == pytest.approx(-np.ones(4))
    (some,), seen = compared(lambda codes: codes % 7 * 1.0, [5], 4, tested=30)
    expected = [kendalltau(asked % 7, truth[asked]).statistic for *_, asked in seen]
    assert some.kendall == pytest.approx(expected)


def test_without_a_ranking_there_is_no_correlation(compared):
    for found in compared(lambda codes: np.full(len(codes), 3.0), [2, 5], 2, tested=10)[0]:
        assert found.kendall.tolist() == found.spearman.tolist() == [0.0, 0.0]


def test_each_predictor_is_there_for_each_size_and_zero_cost_once(bench):
    objective = TableObjective(bench, "cifar10", "val_accuracy")
    found = compare(bench, objective, NB201_SPACE, [2, 3], trials=1, tested=5)
    learned = (*LEARNED, "extra trees, with proxies")
    expected = [(name, 0) for name in (*ZERO_COST, "l2_norm", "synflow", "zen")]
    expected += [(name, size) for name in learned for size in (2, 3)]
    assert [(each.predictor, each.cells) for each in found] == expected
