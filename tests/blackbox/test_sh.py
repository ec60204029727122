import pytest

from blackbox.search.fidelity import Job
from blackbox.search.space import NB201_SPACE
from blackbox.sh import HalvingConfig, SuccessiveHalving
from blackbox.testing import MultiFidelityContract
from blackbox.testing.fidelity import drive, score, select_jobs


def halving(cells, rungs, eta, objective):
    """Jamieson & Talwalkar's loop as it stands in the papers: (code, epochs) in the order of training."""
    jobs = []
    for rung, epochs in enumerate(rungs):
        trained = [Job(0, code, epochs, 0, 0) for code in cells]
        jobs += [(job.code, job.epochs) for job in trained]
        keep = int(len(cells) / eta)
        cells = [job.code for job in sorted(trained, key=objective, reverse=True)][:keep]
        if rung == len(rungs) - 1 or not cells:
            return jobs
    return jobs


class TestSuccessiveHalving(MultiFidelityContract):
    search_class = SuccessiveHalving

    @pytest.mark.parametrize(("cells", "eta"), [(None, 3), (50, 3), (100, 2), (16, 4)])
    def test_with_one_worker_it_is_the_plain_loop(self, cells, eta):
        search, source = self.make(cells=cells, eta=eta), self.make()
        expected = []
        while len(expected) < self.jobs:
            new = [source.draw() for _ in range(cells or eta ** (len(search.rungs) - 1))]
            order = {code: place for place, code in enumerate(new)}
            expected += halving(new, search.rungs, eta, lambda job, o=order: (score(job), -o[job.code]))
        found = [(job.code, job.epochs) for job in select_jobs(drive(search, self.jobs, workers=1))]
        assert found == expected[: self.jobs]

    def test_a_rung_ends_before_the_next_one_begins(self):
        told = set()
        events = drive(self.make(fidelities=9), 60, workers=4)
        for job, value in events:
            if value is not None and (job.bracket, job.epochs) == (0, 1):
                told.add(job.code)
            if value is None and job.bracket == 0 and job.epochs > 1:
                assert len(told) == 9
        assert (0, 9) in {(job.bracket, job.epochs) for job in select_jobs(events)}

    def test_a_worker_that_would_wait_begins_the_next_bracket(self):
        search = self.make(fidelities=3)
        jobs = [search.ask() for _ in range(5)]
        assert [job.bracket for job in jobs] == [0, 0, 0, 1, 1]
        for job in jobs[:3]:
            search.tell(job, score(job))
        assert search.ask()[2:] == (3, 1, 0)
        assert search.ask()[2:] == (1, 0, 1)


@pytest.mark.parametrize("cells", [2, 4.5])
def test_cells_are_a_whole_number_of_which_some_are_promoted(cells):
    with pytest.raises(ValueError, match=f"cells must be an integer >= 3, got {cells}"):
        HalvingConfig(cells=cells)


def test_the_trace_of_seed_0_stays_what_it_is():
    jobs = select_jobs(drive(SuccessiveHalving(NB201_SPACE, 27), 100, workers=1))
    assert [(jobs[n].code, jobs[n].epochs) for n in (0, 26, 27, 36, 39, 40, 99)] == [
        (269, 1),
        (7643, 1),
        (12044, 3),
        (6905, 9),
        (6905, 27),
        (3292, 1),
        (8289, 1),
    ]
