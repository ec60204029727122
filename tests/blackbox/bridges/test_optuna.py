import sys

import numpy as np
import optuna
import pytest

from blackbox.bridges.optuna import StudyObjective, build_objective, distributions, suggest
from blackbox.bridges.table import NamedTable
from blackbox.bridges.variables import Variables
from blackbox.errors import ConfigError, MissingDependencyError
from blackbox.re import EvolutionConfig, RegularizedEvolution
from blackbox.rs import RandomSearch
from blackbox.search.loop import run
from blackbox.search.scores import FAILED
from nasbench.spaces import TOPOLOGY

EDGES = Variables.from_space(TOPOLOGY)
SMALL = Variables({"block": ("conv", "pool"), "width": (16, 32, 64)})


@pytest.fixture(autouse=True)
def _quiet():
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


@pytest.fixture(scope="module")
def accuracy(bench):
    return StudyObjective(NamedTable(bench, "cifar10", "val_accuracy"))


def test_a_study_sees_the_table(accuracy, bench):
    study = optuna.create_study(
        direction=accuracy.direction, sampler=optuna.samplers.TPESampler(seed=0, n_startup_trials=5)
    )
    study.optimize(accuracy, n_trials=15)
    for trial in study.trials:
        assert trial.value == bench.query(accuracy.table.cell(trial.params), "cifar10", "val_accuracy")
    assert study.best_value == max(trial.value for trial in study.trials)


def test_a_study_that_minimizes_sees_the_metric_itself(bench):
    latency = StudyObjective(NamedTable(bench, "cifar10", "latency"))
    assert latency.direction == "minimize"
    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(latency, n_trials=10)
    cell = latency.table.cell(study.best_params)
    assert study.best_value == min(trial.value for trial in study.trials) == bench.latency(cell, "cifar10")


def test_a_study_of_the_wrong_direction_is_an_error(accuracy):
    study = optuna.create_study(direction="minimize")
    message = "direction of the study must be 'maximize' for this metric, got 'minimize'; create it with"
    with pytest.raises(ConfigError, match=message):
        study.optimize(accuracy, n_trials=1)


def test_ask_and_tell_and_fixed_trials(accuracy, bench):
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(5):
        trial = study.ask(distributions(EDGES))
        study.tell(trial, accuracy.table.value(trial.params))
        assert accuracy(optuna.trial.FixedTrial(trial.params)) == study.trials[-1].value
        assert suggest(optuna.trial.FixedTrial(trial.params), EDGES) == trial.params
    code = EDGES.code(study.best_params)
    assert study.best_value == bench.by_code("cifar10", "val_accuracy")[code]


def test_a_grid_visits_each_point_once():
    study = optuna.create_study(sampler=optuna.samplers.GridSampler(SMALL.values, seed=0))
    study.optimize(lambda trial: float(SMALL.code(suggest(trial, SMALL))), n_trials=6)
    assert sorted(trial.value for trial in study.trials) == [0, 1, 2, 3, 4, 5]


def trial_objective(trial):
    block = trial.suggest_categorical("block", ["conv", "pool"])
    width = trial.suggest_categorical("width", [16, 32, 64])
    trial.report(width, step=0)
    if trial.should_prune() or (block, width) == ("pool", 16):
        raise optuna.TrialPruned
    if (block, width) == ("pool", 32):
        raise ZeroDivisionError("no such pool")
    if (block, width) == ("pool", 64):
        return float("nan")
    return None if width == 64 else width


def test_failed_trials_are_failed_evaluations():
    codes = np.arange(6)
    for direction, sign in (("maximize", 1), ("minimize", -1)):
        for catch in ((ZeroDivisionError,), ZeroDivisionError):
            objective = build_objective(trial_objective, SMALL, direction, catch=catch)
            assert objective(codes).tolist() == [sign * 16, sign * 32, FAILED, FAILED, FAILED, FAILED]


def test_our_searches_on_an_objective_of_optuna(accuracy):
    """The table through FixedTrials gives the trace that the table gives."""
    search = RegularizedEvolution(EDGES.space, EvolutionConfig(10, 3), trials=2, seed=4)
    history = run(search, build_objective(accuracy, EDGES), evals=60)
    expected = run(
        RegularizedEvolution(EDGES.space, EvolutionConfig(10, 3), trials=2, seed=4),
        lambda codes: [accuracy.table.value(EDGES.decode(code)) for code in codes],
        evals=60,
    )
    np.testing.assert_array_equal(history.codes, expected.codes)
    np.testing.assert_array_equal(history.scores, expected.scores)


def test_other_exceptions_pass_or_are_told_of():
    search = RandomSearch(SMALL.space, seed=0)
    with pytest.raises(ZeroDivisionError, match="no such pool"):
        run(search, build_objective(trial_objective, SMALL), evals=50)
    failures = []
    history = run(
        RandomSearch(SMALL.space, seed=0),
        build_objective(trial_objective, SMALL),
        evals=50,
        on_failure=lambda trial, code, error: failures.append((code, str(error))),
    )
    raised = int((history.codes == SMALL.code({"block": "pool", "width": 32})).sum())
    assert failures == [(4, "no such pool")] * raised
    assert raised > 0


def test_a_direction_is_one_of_two():
    with pytest.raises(ConfigError, match="direction must be maximize or minimize, got 'up'"):
        build_objective(trial_objective, SMALL, direction="up")


def test_without_optuna_the_error_says_what_to_install(monkeypatch, accuracy):
    monkeypatch.setitem(sys.modules, "optuna", None)
    for call in (
        lambda: distributions(EDGES),
        lambda: build_objective(trial_objective, SMALL),
        lambda: accuracy(None),
    ):
        with pytest.raises(MissingDependencyError, match=r"'nas-toolkit\[bridges\]'"):
            call()
