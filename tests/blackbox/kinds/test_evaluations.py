import numpy as np
import pytest

from blackbox.errors import ConfigError
from blackbox.kinds.base import Experiment
from blackbox.kinds.evaluations import EVALUATIONS
from blackbox.results.regret import regrets
from blackbox.rs import RandomSearch
from blackbox.search.base import NoSettings
from blackbox.search.history import History
from blackbox.table.objective import TableObjective
from blackbox.table.settings import RunConfig
from nasbench import NB201
from nasbench.spaces import TOPOLOGY
from tests import stores

SIGNAL = "val_accuracy@12"


def searched(objective, codes, costs=1.0):
    """The history of searches that evaluated codes (T, n)."""
    codes = np.array(codes)
    history = History(len(codes))
    history.extend(codes, objective.scores[codes], np.broadcast_to(costs, codes.shape))
    return history


def summarize(history, table, **settings):
    """The summary of a search with that history."""
    config = RunConfig(trials=history.trials, **settings).on(table)
    experiment = Experiment(EVALUATIONS, RandomSearch, NoSettings(), config, table)
    return EVALUATIONS.result(experiment, history, complete=True).to_json()


@pytest.fixture(scope="module")
def table(topology):
    return NB201(topology)


@pytest.fixture(scope="module")
def objective(table):
    return TableObjective(table, "cifar10", "val_accuracy", signal=SIGNAL)


def test_regret_is_that_of_the_metric_for_the_cell_that_the_signal_liked_best(table, objective):
    rng = np.random.default_rng(0)
    history = searched(objective, rng.integers(15625, size=(5, 40)))
    expected = np.empty((5, 40))
    for trial, codes in enumerate(history.codes.tolist()):
        for n in range(40):
            liked = max(codes[: n + 1], key=lambda code: objective.scores[code])
            expected[trial, n] = table.regret(TOPOLOGY.cell(liked), "cifar10", "val_accuracy")
    found = regrets(history.incumbents(), objective)
    np.testing.assert_array_equal(found, expected)
    assert (np.diff(found, axis=1) > 0).any()  # the signal errs
    assert np.isnan(regrets(np.array([[-1]]), objective)).all()


def test_the_report_is_of_the_last_incumbents_within_the_budget(table, objective):
    """The third trial ends nothing within the budget, and the last evaluation of the others is beyond it."""
    order = np.argsort(objective.scores)
    worse, better, best = (int(order[n]) for n in (100, 9000, -1))
    codes = [[better, worse, best], [worse, worse, best], [best, best, best]]
    history = searched(objective, codes, np.array([[10.0], [10.0], [30.0]]))
    summary = summarize(history, table, signal=SIGNAL, budget=25)
    assert summary["trials_without_evaluation"] == 1
    ended = [TOPOLOGY.cell(better), TOPOLOGY.cell(worse)]
    for metric in ("val_accuracy", "test_accuracy"):
        values = np.array([table.query(cell, "cifar10", metric) for cell in ended])
        assert summary["report"][metric] == {
            "mean": pytest.approx(values.mean()),
            "std": pytest.approx(values.std(ddof=1)),
            "median": pytest.approx(np.median(values)),
        }
    assert summary["best"]["index"] == table.index(ended[0])
    assert summary["best"]["score"] == objective.scores[better]


def test_one_trial_has_no_spread(table, objective):
    summary = summarize(searched(objective, [[7, 8]]), table, signal=SIGNAL)
    assert list(summary["report"]) == ["val_accuracy", "test_accuracy"]
    for row in summary["report"].values():
        assert (row["std"], row["median"]) == (None, None)


def test_what_the_store_lacks_for_an_incumbent_is_not_reported(runs_alone, tmp_path):
    arrays = stores.arrays_of_all_protocols(TOPOLOGY)
    arrays["cifar10/200/final/test_accuracy"][7] = np.nan
    table = NB201(stores.write(tmp_path / "gap.h5", arrays))
    objective = TableObjective(table, "cifar10", "val_accuracy")
    assert list(summarize(searched(objective, [[7], [8]]), table)["report"]) == ["val_accuracy"]
    assert len(summarize(searched(objective, [[6], [8]]), table)["report"]) == 2
    objective = TableObjective(runs_alone, "cifar10", "latency")
    summary = summarize(searched(objective, [[7]]), runs_alone, metric="latency")
    assert list(summary["report"]) == ["val_accuracy"]


def test_a_budget_that_no_trial_can_use_is_an_error(table, objective):
    history = searched(objective, [[7], [8]], np.array([[30.5], [40.0]]))
    with pytest.raises(ConfigError, match="--budget 20s is too short for the first .*; try --budget 31s"):
        summarize(history, table, signal=SIGNAL, budget=20)
