"""What every multi-fidelity search must do; each algorithm's test class inherits it."""

import random

import numpy as np
import pytest

from blackbox.errors import ConfigError, ObjectiveError
from blackbox.search.scores import FAILED
from blackbox.search.space import NB201, CategoricalSpace
from nasbench.errors import InvalidArgumentError


def score(job):
    """Many equal scores, so that ties matter; those of few epochs say something of those of many."""
    quality = job.code * 7919 % 1009 // 10
    return float(quality + job.code * 31 % 7 * 10 // job.epochs)


def some_fail(job):
    return FAILED if job.code % 3 == 0 else score(job)


def all_fail(job):
    return FAILED


def drive(search, jobs, workers=3, seed=0, objective=score):
    """Up to so many jobs, told in an arbitrary order: a list of ("ask", job) and ("tell", job, score)."""
    rng = random.Random(seed)
    out, events = [], []
    asked = 0
    while True:
        while len(out) < workers and asked < jobs:
            job = search.ask()
            if job is None:
                break
            asked += 1
            out.append(job)
            events.append(("ask", job))
        if not out:
            return events
        job = out.pop(rng.randrange(len(out)))
        events.append(("tell", job, objective(job)))
        search.tell(job, objective(job))


def asked(events):
    return [event[1] for event in events if event[0] == "ask"]


class MultiFidelityContract:
    """A subclass has the class, `search_class`."""

    search_class = None
    jobs = 400

    def make(self, space=NB201, fidelities=27, trial=0, seed=0, **config):
        return self.search_class(space, fidelities, self.search_class.config_class(**config), trial, seed)

    def test_same_seed_same_trace(self):
        for workers, order in ((1, 0), (3, 1), (20, 2)):
            first, second = (drive(self.make(seed=5), self.jobs, workers, order) for _ in range(2))
            assert first == second

    def test_another_seed_or_trial_another_trace(self):
        traces = [
            asked(drive(self.make(seed=seed, trial=trial), 50)) for seed, trial in ((0, 0), (1, 0), (0, 1))
        ]
        assert traces[0] != traces[1] != traces[2] != traces[0]

    def test_settings_of_a_search_are_the_defaults_where_none_are_given(self):
        assert self.search_class(NB201, 27).config == self.search_class.config_class()
        assert drive(self.search_class(NB201, 27), 60) == drive(self.make(), 60)

    @pytest.mark.parametrize("fidelities", [200, 27, (12, 200), (200,), 1])
    def test_only_cells_of_the_space_and_epochs_of_the_rungs(self, fidelities):
        search = self.make(fidelities=fidelities)
        jobs = asked(drive(search, self.jobs))
        assert len(jobs) == self.jobs
        assert {job.epochs for job in jobs} <= set(search.rungs)
        assert max(job.epochs for job in jobs) == search.rungs[-1]
        assert all(0 <= job.code < NB201.size for job in jobs)
        assert [job.number for job in jobs] == list(range(self.jobs))

    @pytest.mark.parametrize("choices", [(2, 3), (2, 1, 5), (7, 11)])
    def test_a_search_ends_when_it_has_seen_the_whole_space(self, choices):
        space = CategoricalSpace(choices)
        search = self.make(space=space)
        jobs = asked(drive(search, 10_000, workers=4))
        new = [job.code for job in jobs if not job.done]
        assert sorted(new) == list(range(space.size))
        assert search.ask() is None

    @pytest.mark.parametrize("workers", [1, 5, 40])
    @pytest.mark.parametrize("objective", [score, some_fail])
    def test_promotions_are_of_the_best_of_a_rung_that_did_not_fail(self, workers, objective):
        """At the moment of asking, a promoted cell is among the best 1 / eta of what was told of its rung."""
        for eta in (2, 3, 4):
            search = self.make(eta=eta, fidelities=64)
            told, trained, promotions = {}, set(), 0
            for kind, job, *scores in drive(search, self.jobs, workers, objective=objective):
                rung = job.bracket, job.epochs
                if kind == "tell":
                    told.setdefault(rung, {})[job.code] = scores[0]
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

    def test_new_cells_are_new(self):
        new = [job.code for job in asked(drive(self.make(), self.jobs)) if not job.done]
        assert len(set(new)) == len(new)

    def test_where_all_fail_none_is_promoted(self):
        jobs = asked(drive(self.make(), self.jobs, objective=all_fail))
        assert len(jobs) == self.jobs
        assert not any(job.done for job in jobs)

    def test_any_order_of_telling_and_any_number_of_workers(self):
        for workers in (1, 2, 10, 200):
            for order in range(3):
                jobs = asked(drive(self.make(), self.jobs, workers, order))
                assert len(jobs) == self.jobs

    def test_a_lost_job_is_asked_for_again(self):
        search, undisturbed = self.make(), self.make()
        first, second = search.ask(), search.ask()
        assert (first, second) == (undisturbed.ask(), undisturbed.ask())
        search.lose(second)
        search.lose(first)
        assert [search.ask(), search.ask()] == [second, first]
        for job in (first, second):
            search.tell(job, score(job))
            undisturbed.tell(job, score(job))
        assert drive(search, 100) == drive(undisturbed, 100)

    def test_only_jobs_that_are_out_are_told_or_lost(self):
        search = self.make()
        job = search.ask()
        with pytest.raises(ObjectiveError, match="a job that is told or lost was asked for and is out; got"):
            search.tell(job._replace(code=job.code + 1), 1.0)
        for score, name in ((float("nan"), "NaN"), (float("inf"), "inf")):
            with pytest.raises(ObjectiveError, match=f"gave {name} for .*-inf is for a job that failed"):
                search.tell(job, score)
        search.tell(job, np.float32(1))
        for again in (lambda: search.tell(job, 1.0), lambda: search.lose(job)):
            with pytest.raises(ObjectiveError, match="a job that is told or lost was asked for and is out"):
                again()

    def test_numbers_outside_their_range_are_errors(self):
        for config, message in (
            ({"eta": 1}, "eta is a whole number of at least 2, got 1"),
            ({"eta": 2.5}, "eta is a whole number"),
            ({"min_epochs": 0}, "min_epochs is a whole number of at least 1"),
        ):
            with pytest.raises(ValueError, match=message):
                self.make(**config)
        with pytest.raises(ConfigError, match="min_epochs is at most the longest fidelity, 27, got 28"):
            self.make(min_epochs=28)
        with pytest.raises(InvalidArgumentError, match="a trial is a whole number of at least 0"):
            self.make(trial=-1)
        with pytest.raises(InvalidArgumentError, match="seed is a whole number in"):
            self.make(seed=1.5)
