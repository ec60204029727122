from collections import Counter

import pytest

from blackbox.hyperband import Hyperband
from blackbox.search.space import NB201_SPACE
from blackbox.testing import MultiFidelityContract
from blackbox.testing.fidelity import drive, select_jobs

# Li et al. 2018, arXiv:1603.06560, algorithm 1 with R = 81 and eta = 3: {epochs: cells} of s = 4, ..., 0
R81 = [
    {1: 81, 3: 27, 9: 9, 27: 3, 81: 1},
    {3: 34, 9: 11, 27: 3, 81: 1},
    {9: 15, 27: 5, 81: 1},
    {27: 8, 81: 2},
    {81: 5},
]


class TestHyperband(MultiFidelityContract):
    search_class = Hyperband

    @pytest.mark.parametrize("workers", [1, 7])
    def test_brackets_are_those_of_the_paper(self, workers):
        sizes = sum(sum(rungs.values()) for rungs in R81)
        found = Counter(
            (job.bracket, job.epochs)
            for job in select_jobs(drive(self.make(fidelities=81), 3 * sizes, workers))
        )
        for number in range(10):
            for epochs, cells in R81[number % 5].items():
                assert found[number, epochs] == cells
        if workers == 1:
            assert {number for number, _ in found} == set(range(15))


def test_the_trace_of_seed_0_stays_what_it_is():
    jobs = select_jobs(drive(Hyperband(NB201_SPACE, 27), 100, workers=1))
    assert [(jobs[n].code, jobs[n].epochs) for n in (0, 27, 40, 52, 60, 80, 99)] == [
        (269, 1),
        (12044, 3),
        (3292, 3),
        (15439, 9),
        (6946, 9),
        (758, 1),
        (6226, 3),
    ]
