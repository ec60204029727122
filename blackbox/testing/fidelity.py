"""The test suite for multi-fidelity searches."""

import random
from collections.abc import Callable
from itertools import product
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest

from blackbox.errors import ConfigError, ObjectiveError
from blackbox.search.fidelity import Job, MultiFidelitySearch
from blackbox.search.scores import FAILED
from blackbox.search.space import NB201_SPACE, CategoricalSpace
from nasbench.errors import InvalidArgumentError


def score(job: Job) -> float:
    """Return one of few scores, so that ties matter; scores after few epochs predict those after many."""
    quality = job.code * 7919 % 1009 // 10
    return float(quality + job.code * 31 % 7 * 10 // job.epochs)


def some_fail(job: Job) -> float:
    """Return the score of a job, -inf for a third of the cells."""
    return FAILED if job.code % 3 == 0 else score(job)


def all_fail(job: Job) -> float:
    """Return -inf."""
    return FAILED


class Event(NamedTuple):
    """A call of `ask` or `tell`."""

    job: Job  #: the job
    score: float | None  #: score that was told; None for a call of `ask`


def drive(
    search: MultiFidelitySearch[Any],
    jobs: int,
    workers: int = 3,
    seed: int = 0,
    objective: Callable[[Job], float] = score,
) -> list[Event]:
    """Run up to `jobs` jobs, told in an arbitrary order; return the calls of `ask` and `tell`."""
    rng = random.Random(seed)
    running: list[Job] = []
    events: list[Event] = []
    asked = 0
    while True:
        while len(running) < workers and asked < jobs:
            job = search.ask()
            if job is None:
                break
            asked += 1
            running.append(job)
            events.append(Event(job, None))
        if not running:
            return events
        job = running.pop(rng.randrange(len(running)))
        events.append(Event(job, objective(job)))
        search.tell(job, objective(job))


def select_jobs(events: list[Event]) -> list[Job]:
    """Return the jobs that were asked for."""
    return [event.job for event in events if event.score is None]


class MultiFidelityContract:
    """The test suite for a `MultiFidelitySearch`; a subclass sets `search_class`.

    >>> from blackbox.asha import ASHA
    >>> class TestASHA(MultiFidelityContract):
    ...     search_class = ASHA
    """

    search_class: ClassVar[type[MultiFidelitySearch[Any]]]  #: class to test
    jobs: ClassVar[int] = 400  #: number of jobs per run

    def make(
        self,
        space: CategoricalSpace = NB201_SPACE,
        fidelities: Any = 27,
        trial: Any = 0,  # tests also pass invalid values
        seed: Any = 0,
        **settings: Any,
    ) -> MultiFidelitySearch[Any]:
        """Return the search; `settings` are options of its `config_class`."""
        config = self.search_class.config_class(**settings)
        return self.search_class(space, fidelities, config, trial, seed)

    def test_same_seed_same_trace(self) -> None:
        for workers, order in ((1, 0), (3, 1), (20, 2)):
            first, second = (drive(self.make(seed=5), self.jobs, workers, order) for _ in range(2))
            assert first == second

    def test_another_seed_or_trial_another_trace(self) -> None:
        traces = [
            select_jobs(drive(self.make(seed=seed, trial=trial), 50))
            for seed, trial in ((0, 0), (1, 0), (0, 1))
        ]
        assert traces[0] != traces[1] != traces[2] != traces[0]

    def test_without_settings_a_search_has_the_defaults(self) -> None:
        assert self.search_class(NB201_SPACE, 27).config == self.search_class.config_class()
        assert drive(self.search_class(NB201_SPACE, 27), 60) == drive(self.make(), 60)

    @pytest.mark.parametrize("fidelities", [200, 27, (12, 200), (200,), 1])
    def test_only_cells_of_the_space_and_epochs_of_the_rungs(self, fidelities: int | tuple[int, ...]) -> None:
        search = self.make(fidelities=fidelities)
        jobs = select_jobs(drive(search, self.jobs))
        assert len(jobs) == self.jobs
        assert {job.epochs for job in jobs} <= set(search.rungs)
        assert max(job.epochs for job in jobs) == search.rungs[-1]
        assert all(0 <= job.code < NB201_SPACE.size for job in jobs)
        assert [job.number for job in jobs] == list(range(self.jobs))

    @pytest.mark.parametrize("choices", [(2, 3), (2, 1, 5), (7, 11)])
    def test_a_search_ends_when_it_has_seen_the_whole_space(self, choices: tuple[int, ...]) -> None:
        space = CategoricalSpace(choices)
        search = self.make(space=space)
        jobs = select_jobs(drive(search, 10_000, workers=4))
        new = [job.code for job in jobs if not job.done]
        assert sorted(new) == list(range(space.size))
        assert search.ask() is None

    @pytest.mark.parametrize("workers", [1, 5, 40])
    @pytest.mark.parametrize("objective", [score, some_fail])
    def test_only_the_best_of_a_rung_that_did_not_fail_are_promoted(
        self, workers: int, objective: Callable[[Job], float]
    ) -> None:
        """Test that a promoted cell is among the best 1 / eta of its rung at the moment of `ask`."""
        for eta in (2, 3, 4):
            search = self.make(eta=eta, fidelities=64)
            told: dict[tuple[int, int], dict[int, float]] = {}
            trained: set[tuple[int, int]] = set()
            promotions = 0
            for job, value in drive(search, self.jobs, workers, objective=objective):
                if value is not None:
                    told.setdefault((job.bracket, job.epochs), {})[job.code] = value
                    continue
                assert (job.code, job.epochs) not in trained, "no cell is trained twice to the same epoch"
                trained.add((job.code, job.epochs))
                if not job.done:
                    continue
                promotions += 1
                below = search.rungs.index(job.epochs) - 1
                assert job.done == search.rungs[below]
                scores = told[job.bracket, job.done]
                assert scores[job.code] > FAILED
                better = sum(value > scores[job.code] for value in scores.values())
                assert better < len(scores) // eta
            assert promotions > self.jobs / 10

    def test_new_cells_are_new(self) -> None:
        new = [job.code for job in select_jobs(drive(self.make(), self.jobs)) if not job.done]
        assert len(set(new)) == len(new)

    def test_if_all_fail_none_is_promoted(self) -> None:
        jobs = select_jobs(drive(self.make(), self.jobs, objective=all_fail))
        assert len(jobs) == self.jobs
        assert not any(job.done for job in jobs)

    def test_any_order_of_telling_and_any_number_of_workers(self) -> None:
        for workers, order in product((1, 2, 10, 200), range(3)):
            assert len(select_jobs(drive(self.make(), self.jobs, workers, order))) == self.jobs

    def test_a_lost_job_is_asked_for_again(self) -> None:
        search, undisturbed = self.make(), self.make()
        first, second = search.ask(), search.ask()
        assert (first, second) == (undisturbed.ask(), undisturbed.ask())
        assert first is not None
        assert second is not None
        search.lose(second)
        search.lose(first)
        assert [search.ask(), search.ask()] == [second, first]
        for job in (first, second):
            search.tell(job, score(job))
            undisturbed.tell(job, score(job))
        assert drive(search, 100) == drive(undisturbed, 100)

    def test_only_running_jobs_can_be_told_or_lost(self) -> None:
        search = self.make()
        job = search.ask()
        assert job is not None
        with pytest.raises(ObjectiveError, match="a job must be running to be told or lost, got"):
            search.tell(job._replace(code=job.code + 1), 1.0)
        for value, name in ((float("nan"), "NaN"), (float("inf"), "inf")):
            with pytest.raises(
                ObjectiveError, match=f"returned {name} for .*must return -inf if the job failed"
            ):
                search.tell(job, value)
        search.tell(job, np.float32(1))  # type: ignore[arg-type]  # any number
        with pytest.raises(ObjectiveError, match="a job must be running to be told or lost"):
            search.tell(job, 1.0)
        with pytest.raises(ObjectiveError, match="a job must be running to be told or lost"):
            search.lose(job)

    def test_given_fidelities_below_the_minimum_are_errors(self) -> None:
        with pytest.raises(ConfigError, match="min_epochs must be <= the shortest fidelity, 3; got 4"):
            self.make(fidelities=(9, 3), min_epochs=4)

    def test_numbers_outside_their_range_are_errors(self) -> None:
        options: dict[str, Any]
        for error, options, message in (
            (ConfigError, {"eta": 1}, "eta must be an integer >= 2, got 1"),
            (ConfigError, {"eta": 2.5}, "eta must be an integer"),
            (ConfigError, {"min_epochs": 0}, "min_epochs must be an integer >= 1"),
            (ConfigError, {"min_epochs": 28}, "min_epochs must be <= the longest fidelity, 27; got 28"),
            (InvalidArgumentError, {"trial": -1}, "a trial must be an integer >= 0"),
            (InvalidArgumentError, {"seed": 1.5}, "seed must be an integer in"),
        ):
            with pytest.raises(error, match=message):
                self.make(**options)
