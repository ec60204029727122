import itertools
import math

import numpy as np
import pytest
from scipy.stats import chisquare

from blackbox.bohb import BOHB, BOHBConfig, KernelDensity
from blackbox.hyperband import Hyperband
from blackbox.search.space import NB201_SPACE, CategoricalSpace
from blackbox.testing import MultiFidelityContract
from blackbox.testing.fidelity import drive, score, select_jobs

CHOICES = np.array([2, 3, 4])
SPACE = CategoricalSpace(CHOICES.tolist())
EVERY = np.array(list(itertools.product(*map(range, CHOICES))))


def plain_density(point, points, bandwidths, choices):
    """The mean over points of the product of Aitchison-Aitken kernels, as it is written."""
    total = 0.0
    for other in points:
        product = 1.0
        for value, centre, bandwidth, count in zip(point, other, bandwidths, choices, strict=True):
            product *= 1 - bandwidth if value == centre else bandwidth / (count - 1)
        total += product
    return total / len(points)


@pytest.fixture
def density():
    return KernelDensity(SPACE.digits(np.random.default_rng(0).integers(SPACE.size, size=12)), CHOICES)


def test_the_density_is_that_of_the_plain_loop(density):
    points = SPACE.digits(np.random.default_rng(0).integers(SPACE.size, size=12))
    expected = [plain_density(point, points, density.bandwidths, CHOICES) for point in EVERY]
    np.testing.assert_allclose(np.exp(density.log_density(EVERY)), expected, rtol=1e-10)
    assert np.exp(density.log_density(EVERY)).sum() == pytest.approx(1)


def test_bandwidths_by_hand():
    """n = 4, D = 3: the chance that two points differ, times 4^(-1/7), and no less than 0.001."""
    density = KernelDensity(np.array([[0, 0, 3], [0, 1, 3], [0, 1, 3], [1, 2, 3]]), CHOICES)
    shrunk = 4 ** (-1 / 7)
    spread = 1 - (9 + 1) / 16, 1 - (1 + 4 + 1) / 16
    np.testing.assert_allclose(density.bandwidths, [spread[0] * shrunk, spread[1] * shrunk, 0.001])


def test_bandwidths_do_not_depend_on_how_values_are_numbered():
    digits = NB201_SPACE.digits(np.random.default_rng(1).integers(NB201_SPACE.size, size=30))
    renamed = np.array([3, 0, 4, 1, 2])[digits]
    choices = np.array(NB201_SPACE.choices)
    np.testing.assert_allclose(
        KernelDensity(digits, choices).bandwidths, KernelDensity(renamed, choices).bandwidths
    )


def test_samples_have_the_density(density):
    found = np.ravel_multi_index(density.sample(np.random.default_rng(5), 50_000).T, SPACE.choices)
    expected = np.exp(density.log_density(EVERY)) * 50_000
    assert chisquare(np.bincount(found, minlength=SPACE.size), expected).pvalue > 1e-3


def test_samples_with_the_widest_kernels_are_uniform(density):
    found = np.ravel_multi_index(density.sample(np.random.default_rng(5), 50_000, 1e6).T, SPACE.choices)
    assert chisquare(np.bincount(found, minlength=SPACE.size)).pvalue > 1e-3


class TestBOHB(MultiFidelityContract):
    search_class = BOHB

    def test_all_at_random_it_is_hyperband(self):
        ours = drive(self.make(random=1.0), self.jobs)
        assert ours == drive(Hyperband(NB201_SPACE, 27), self.jobs)

    def test_cells_and_epochs_are_those_of_hyperband(self):
        ours, plain = (select_jobs(drive(make(NB201_SPACE, 27), self.jobs, 1)) for make in (BOHB, Hyperband))
        assert [job[2:] for job in ours] == [job[2:] for job in plain]

    def test_a_model_needs_so_many_cells_of_one_rung(self):
        """Variables + 1 and two more: until then, cells are drawn as Hyperband draws them."""
        search, plain = self.make(random=0.0), Hyperband(NB201_SPACE, 27)
        for _ in range(9):
            job = search.ask()
            assert job == plain.ask()
            search.tell(job, score(job))
            plain.tell(job, score(job))
        assert search.ask() != plain.ask()

    def test_the_model_is_of_the_highest_rung_that_has_enough(self):
        """Few epochs like codes at one end, many those at the other: new cells follow the many."""
        ends = []
        for sign in (1, -1):
            search = self.make(random=0.0, fidelities=(1, 100))
            drive(
                search, 300, 1, objective=lambda job, s=sign: s * (job.code if job.epochs > 1 else -job.code)
            )
            ends.append(np.mean([search._propose() for _ in range(200)]) / NB201_SPACE.size)
        assert ends[0] > 0.55
        assert ends[1] < 0.45

    def test_the_ratio_of_good_and_other_cells_decides(self):
        """The proposal is the best of the samples by the plain densities of the best 15 % and the others."""
        search = self.make(random=0.0, fidelities=(9,), samples=200)
        events = drive(search, 60, 1)
        told = [(job.code, value) for job, value in events if value is not None]
        ranked = [code for code, _ in sorted(told, key=lambda entry: -entry[1])]
        count = max(7, int(0.15 * 60))
        good, others = NB201_SPACE.digits(ranked[:count]), NB201_SPACE.digits(ranked[count:])
        choices = np.array(NB201_SPACE.choices)

        def ratio(code):
            point = NB201_SPACE.digits(code)
            return math.log(
                plain_density(point, good, KernelDensity(good, choices).bandwidths, choices)
                / plain_density(point, others, KernelDensity(others, choices).bandwidths, choices)
            )

        by_ratio = sorted(range(0, NB201_SPACE.size, 25), key=ratio)
        assert ratio(search._propose()) > ratio(by_ratio[int(0.98 * len(by_ratio))])

    def test_it_finds_better_cells_than_hyperband(self):
        def objective(job):
            return -float((NB201_SPACE.digits(job.code) != [3, 1, 4, 1, 0, 2]).sum())

        def best(search):
            return max(map(objective, select_jobs(drive(search, 300, 1, objective=objective))))

        assert np.mean([best(BOHB(NB201_SPACE, 27, trial=trial)) for trial in range(10)]) > -0.3
        assert np.mean([best(Hyperband(NB201_SPACE, 27, trial=trial)) for trial in range(10)]) < -0.8


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"random": 1.5}, r"random must be in \[0, 1\], got 1.5"),
        ({"best": -0.1}, r"best must be in \[0, 1\], got -0.1"),
        ({"samples": 0}, r"samples must be an integer in \[1, 100,000\], got 0"),
        ({"widening": 0.5}, "widening must be finite and >= 1, got 0.5"),
        ({"widening": float("nan")}, "widening must be finite"),
        ({"min_points": 0}, "min_points must be an integer >= 1, got 0"),
    ],
)
def test_settings_outside_their_range_are_errors(config, message):
    with pytest.raises(ValueError, match=message):
        BOHBConfig(**config)


def test_the_trace_of_seed_0_stays_what_it_is():
    jobs = select_jobs(drive(BOHB(NB201_SPACE, 27), 100, workers=1))
    assert [(jobs[n].code, jobs[n].epochs) for n in (0, 11, 27, 52, 60, 80, 99)] == [
        (269, 1),
        (5779, 1),
        (5217, 3),
        (12294, 9),
        (7780, 9),
        (4568, 1),
        (4526, 3),
    ]
