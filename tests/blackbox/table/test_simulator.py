import numpy as np
import pytest

from blackbox.algorithms import algorithm
from blackbox.asha import ASHA
from blackbox.results.anytime import Axis, Trajectories
from blackbox.rs import RandomSearch
from blackbox.search.jobs import JobHistory
from blackbox.search.loop import run
from blackbox.search.space import NB201_SPACE
from blackbox.sh import SuccessiveHalving
from blackbox.table.curves import Curves
from blackbox.table.objective import TableObjective
from blackbox.table.settings import SimulationConfig
from blackbox.table.simulator import simulate, simulate_trial
from nasbench import NB201

ALGORITHMS = ("sh", "hyperband", "asha", "bohb")


@pytest.fixture(scope="module")
def table(curves):
    return NB201(curves)


def plain_simulation(search, bench, workers, jobs, budget, value, seconds):
    """Workers on a clock as one writes them first: a list of what runs, looked through for what ends next."""
    running, rows = {}, []
    now = 0.0
    while True:
        for worker in range(workers):
            if worker not in running:
                job = search.ask()
                if job is None:
                    break
                running[worker] = job, now, now + seconds(job)
        if not running:
            return rows
        now = min(end for _, _, end in running.values())
        if now > budget:
            return rows
        ending = sorted((job.number, worker) for worker, (job, _, end) in running.items() if end == now)
        for _, worker in ending:
            job, start, end = running.pop(worker)
            score = value(job)
            search.tell(job, score)
            rows.append((job.number, search.trial, job.code, job.epochs, score, start, end, worker))
            if len(rows) == jobs:
                return rows


@pytest.mark.parametrize("workers", [1, 4, 13])
@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("from_scratch", [False, True])
def test_equals_a_plain_simulation(table, name, workers, from_scratch):
    def at(code, metric, epochs):
        return table.query(table.space.cell(code), "cifar10", metric, epoch=epochs - 1)

    def seconds(job):
        total = at(job.code, "train_time", job.epochs)
        if job.done and not from_scratch:
            total -= at(job.code, "train_time", job.done)
        return total + at(job.code, "val_time", job.epochs)

    def value(job):
        return at(job.code, "val_accuracy", job.epochs)

    settings = SimulationConfig(budget=8000.0, workers=workers, from_scratch=from_scratch, seed=3)
    found = simulate(algorithm(name), None, settings, table, trials=[5])
    search = algorithm(name)(NB201_SPACE, 200, None, 5, 3)
    expected = plain_simulation(search, table, workers, float("inf"), 8000.0, value, seconds)
    assert len(expected) > 50
    np.testing.assert_array_equal(found.rows, JobHistory([5], expected).rows)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_clock_of_the_workers(table, name):
    settings = SimulationConfig(jobs=300, workers=4)
    history = simulate(algorithm(name), None, settings, table)
    assert len(history) == 300
    assert (np.diff(history.end) >= 0).all()
    for worker in range(4):
        mine = np.sort(history.rows[history.worker == worker], order="start")
        assert (mine["start"][1:] >= mine["end"][:-1]).all(), "one job at a time"
    busy = (history.end - history.start).sum()
    last = history.end.max()
    if name == "asha":  # nobody waits: what a worker begins next, it begins at once
        for worker in range(4):
            mine = np.sort(history.rows[history.worker == worker], order="start")
            np.testing.assert_array_equal(mine["start"][1:], mine["end"][:-1])
    assert 0.9 * 4 * last < busy <= 4 * last


@pytest.mark.parametrize("name", ALGORITHMS)
def test_one_worker_spends_the_sum_of_its_jobs(table, name):
    history = simulate(algorithm(name), None, SimulationConfig(jobs=100), table)
    np.testing.assert_array_equal(history.start[1:], history.end[:-1])
    np.testing.assert_array_equal(history.job, np.arange(100))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_limit_cuts_a_longer_run_off(table, name):
    long = simulate(algorithm(name), None, SimulationConfig(jobs=300, workers=4, trials=2), table)
    short = simulate(algorithm(name), None, SimulationConfig(jobs=120, workers=4, trials=2), table)
    budget = float(long.trial_jobs(1)["end"][80])
    spent = simulate(algorithm(name), None, SimulationConfig(budget=budget, workers=4, trials=2), table)
    for trial in (0, 1):
        np.testing.assert_array_equal(short.trial_jobs(trial), long.trial_jobs(trial)[:120])
        np.testing.assert_array_equal(
            spent.trial_jobs(trial), long.trial_jobs(trial)[: len(spent.trial_jobs(trial))]
        )
        assert (spent.trial_jobs(trial)["end"] <= budget).all()
        assert long.trial_jobs(trial)["end"][len(spent.trial_jobs(trial))] > budget
    assert len(spent.trial_jobs(1)) == 81


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_trial_is_the_same_in_any_company(table, name):
    settings = SimulationConfig(jobs=60, trials=3, seed=2, noise="seed")
    together = simulate(algorithm(name), None, settings, table)
    for trial in range(3):
        alone = simulate(algorithm(name), None, settings, table, trials=[trial])
        np.testing.assert_array_equal(alone.rows, together.trial_jobs(trial))
    assert (together.trial_jobs(0)["code"] != together.trial_jobs(1)["code"]).any()


def test_all_that_end_at_a_moment_are_told_before_anybody_asks():
    """Four jobs of equal length on three workers: the fourth is asked for when three results are known."""

    class Even:
        def scores(self, trial, rungs):
            return {epochs: memoryview(np.arange(NB201_SPACE.size, dtype=float)) for epochs in rungs}

        def seconds(self, done, epochs):
            return memoryview(np.ones(NB201_SPACE.size))

    rows = simulate_trial(ASHA(NB201_SPACE, 3), Even(), workers=3, jobs=6)
    assert [row[0] for row in rows] == [0, 1, 2, 3, 4, 5]
    assert [row[7] for row in rows] == [0, 1, 2, 0, 1, 2]
    assert rows[3][3] == 3
    assert rows[3][2] == max(row[2] for row in rows[:3])
    looks = []
    simulate_trial(
        ASHA(NB201_SPACE, 3), Even(), 3, 100, look=lambda rows: looks.append(len(rows)) or len(looks) == 2
    )
    assert looks == [3, 6]


def test_a_search_of_a_small_space_ends_before_its_limits(table):
    search = SuccessiveHalving(NB201_SPACE, (100, 200))
    for code in range(NB201_SPACE.size - 10):
        search.take(code)
    rows = simulate_trial(search, Curves(table, "cifar10", "val_accuracy"), 4, jobs=1000)
    assert sorted(row[2] for row in rows if row[3] == 100) == list(
        range(NB201_SPACE.size - 10, NB201_SPACE.size)
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ALGORITHMS)
def test_it_beats_random_search_in_the_same_simulated_time(table, name):
    """200 trials of 20,000 seconds on one worker: the gap is about twelve standard errors."""
    budget = 20_000.0
    objective = TableObjective(table, "cifar10", "val_accuracy")
    random = run(RandomSearch(NB201_SPACE, trials=200), objective, cost=objective.cost, budget=budget)
    random = objective.targets.max() - objective.targets[random.incumbents(budget)[:, -1]]
    history = simulate(algorithm(name), None, SimulationConfig(budget=budget, trials=200), table)
    trials = Trajectories.of_jobs(history)
    regret = trials.regret_curve(objective.targets, Axis.SECONDS, np.array([budget]))[:, 0]
    error = np.hypot(random.std(), regret.std()) / 200**0.5
    assert random.mean() - regret.mean() > 0.4
    assert random.mean() - regret.mean() > 8 * error


def test_regret_at_times(table):
    history = simulate(ASHA, None, SimulationConfig(jobs=50, trials=2), table)
    targets = table.by_code("cifar10", "val_accuracy")
    times = np.array([0.0, 100.0, 300.0, 1e9])
    regret = Trajectories.of_jobs(history).regret_curve(targets, Axis.SECONDS, times)[[1, 0]]
    assert np.isnan(regret[:, 0]).all()
    for row, trial in zip(regret, (1, 0), strict=True):
        _, seconds, codes = history.anytime(trial)
        for time, value in zip(times[1:], row[1:], strict=True):
            best = [code for when, code in zip(seconds, codes, strict=True) if when <= time]
            assert value == targets.max() - targets[best[-1]] if best else np.isnan(value)
