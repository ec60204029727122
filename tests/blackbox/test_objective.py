import numpy as np
import pytest
from scipy.stats import chisquare

from blackbox.errors import ConfigError
from blackbox.objective import TableObjective
from nasbench import NB201, Cell
from nasbench.errors import NotRecordedError, UnknownMetricError
from tests import stores

CELL = Cell.from_index(0)  # has three seeds


def test_scores_are_the_means_of_the_table(bench):
    objective = TableObjective(bench, "cifar100", "val_accuracy")
    codes = np.array([CELL.code, 17, 15624])
    expected = [bench.query(Cell(int(code)), "cifar100", "val_accuracy") for code in codes]
    assert objective(codes).tolist() == expected
    assert objective.cost(codes)[0] == bench.query(0, "cifar100", "train_time")


def test_scores_are_negated_where_lower_is_better(bench):
    objective = TableObjective(bench, "cifar10", "latency")
    assert objective([CELL.code]).tolist() == [-0.0139359758611311]
    assert objective.scores.argmax() == bench.best("cifar10", "latency").cell.code


def test_noise_draws_a_recorded_seed_an_evaluation(bench):
    two = next(Cell(code) for code in range(15625) if len(bench.seeds(Cell(code), "cifar10")) == 2)
    for cell, seeds in ((CELL, (777, 888, 999)), (two, (777, 888))):
        runs = [bench.query(cell, "cifar10", "val_accuracy", seed=seed) for seed in seeds]
        objective = TableObjective(bench, "cifar10", "val_accuracy", noise=True, trials=range(50))
        scores = np.array([objective(np.full(50, cell.code)) for _ in range(60)])
        counts = [(scores == run).sum() for run in runs]
        assert sum(counts) == scores.size
        assert chisquare(counts).pvalue > 1e-3


def test_noise_is_by_seed_trial_and_step(bench):
    def scores(trials, seed, skip=0):
        objective = TableObjective(bench, "cifar10", "val_accuracy", noise=True, trials=trials, seed=seed)
        objective.skip(skip)
        return np.array([objective(np.full(len(trials), CELL.code)) for _ in range(200 - skip)]).T

    whole = scores(range(3), 0)
    np.testing.assert_array_equal(scores([2], 0)[0], whole[2])
    np.testing.assert_array_equal(scores(range(3), 0, skip=150), whole[:, 150:])
    assert (scores(range(3), 1) != whole).any()


def test_noise_is_for_the_trials_it_was_made_for(bench):
    objective = TableObjective(bench, "cifar10", "val_accuracy", noise=True)
    with pytest.raises(ConfigError, match="drawn for 1 trials, the codes are of 3"):
        objective(np.array([1, 2, 3]))


@pytest.mark.parametrize("noise", [False, True])
def test_scores_that_the_table_could_give(bench, noise):
    objective = TableObjective(bench, "cifar10", "val_accuracy", noise=noise)
    codes = np.array([[CELL.code, 17, 9]])
    runs = np.array([[bench.query(Cell(int(c)), "cifar10", "val_accuracy", seed=888) for c in codes[0]]])
    means = objective.scores[codes]
    assert objective.could_give(codes, runs).all() == noise
    assert objective.could_give(codes, means).all() != noise
    assert not objective.could_give(codes, means + 1e-9).any()


def test_what_a_table_cannot_give_is_an_error(bench, tmp_path):
    with pytest.raises(UnknownMetricError):
        TableObjective(bench, "cifar10", "accuracy")
    with pytest.raises(NotRecordedError, match="no test_accuracy"):
        TableObjective(bench, "cifar10", "test_accuracy")
    with pytest.raises(ConfigError, match="params has no runs with seeds"):
        TableObjective(bench, "cifar10", "params", noise=True)
    gaps = NB201(stores.write(tmp_path / "gaps.h5", stores.arrays_with_curves()))
    with pytest.raises(ConfigError, match="needs every cell; this store has no cifar10 val_accuracy for 1"):
        TableObjective(gaps, "cifar10", "val_accuracy")
    objective = TableObjective(gaps, "cifar10", "params")
    with pytest.raises(NotRecordedError, match="no train_time"):
        objective.cost(np.array([0]))
