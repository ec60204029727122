import pytest

from blackbox.asha import ASHA
from blackbox.search.scores import FAILED
from blackbox.search.space import NB201_SPACE
from blackbox.testing import MultiFidelityContract
from blackbox.testing.fidelity import drive, score, select_jobs, some_fail


class PlainASHA:
    """Algorithm 2 of the paper, with lists that are sorted each time."""

    def __init__(self, rungs, eta, draw):
        self.rungs, self.eta, self.draw = rungs, eta, draw
        self.told = [[] for _ in rungs]  # (code, score), in the order of telling
        self.promoted = [set() for _ in rungs]

    def get_job(self):
        for k in reversed(range(len(self.rungs) - 1)):
            ranked = sorted(self.told[k], key=lambda entry: -entry[1])  # of equals, the first told
            candidates = ranked[: len(ranked) // self.eta]
            for code, value in candidates:
                if code not in self.promoted[k] and value > FAILED:
                    self.promoted[k].add(code)
                    return code, self.rungs[k + 1]
        return self.draw(), self.rungs[0]

    def tell(self, job, value):
        self.told[self.rungs.index(job.epochs)].append((job.code, value))


class TestASHA(MultiFidelityContract):
    search_class = ASHA

    @pytest.mark.parametrize("eta", [2, 3, 4])
    @pytest.mark.parametrize("workers", [1, 4, 50])
    @pytest.mark.parametrize("objective", [score, some_fail])
    def test_equals_the_plain_algorithm(self, eta, workers, objective):
        search = self.make(eta=eta, fidelities=64)
        plain = PlainASHA(search.rungs, eta, self.make().draw)
        for job, value in drive(search, self.jobs, workers, seed=9, objective=objective):
            if value is None:
                assert plain.get_job() == (job.code, job.epochs)
            else:
                plain.tell(job, value)

    def test_no_worker_ever_waits(self):
        search = self.make()
        assert all(search.ask() is not None for _ in range(2000))


def test_the_trace_of_seed_0_stays_what_it_is():
    jobs = select_jobs(drive(ASHA(NB201_SPACE, 27), 100, workers=1))
    assert [(jobs[n].code, jobs[n].epochs) for n in (0, 3, 12, 13, 60, 80, 99)] == [
        (269, 1),
        (269, 3),
        (12044, 3),
        (12044, 9),
        (2962, 1),
        (6946, 1),
        (3239, 3),
    ]
