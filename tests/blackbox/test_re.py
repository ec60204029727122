import warnings
from collections import deque

import numpy as np
import pytest
from scipy.stats import chisquare

from blackbox.re import EvolutionConfig, RegularizedEvolution
from blackbox.rs import RandomSearch
from blackbox.search.loop import run
from blackbox.search.space import NB201_SPACE, SSS_SPACE
from blackbox.table.objective import TableObjective
from blackbox.testing import SearchContract
from blackbox.testing.searches import objective
from nasbench import Cell, SizeCell


def oracle(cell, cells, edits, config, trial, seed, evals):
    """Algorithm 1 of arXiv:1802.01548 as it stands there, on a deque, from the same random streams."""
    founders, tournaments, numbers = (
        np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(trial, purpose)))
        for purpose in range(3)
    )
    founders = founders.integers(cells, size=evals).tolist()
    tournaments = tournaments.integers(config.population, size=(evals, config.sample)).tolist()
    numbers = numbers.integers(edits, size=evals).tolist()
    population = deque()
    trace = []
    for step in range(evals):
        if len(population) < config.population:
            child = founders[step]
        else:
            sample = [population[age] for age in tournaments[step]]
            parent, _ = max(sample, key=lambda cell: cell[1])
            child = cell(parent).neighbours()[numbers[step]].code
            population.popleft()
        population.append((child, objective([child])[0]))
        trace.append(child)
    return trace


class EvolutionContract(SearchContract):
    """What evolution must do in any space; a subclass has its `space`, and its `cell` for oracles."""

    search_class = RegularizedEvolution
    cell = Cell
    edits = 24

    @pytest.mark.parametrize(("population", "sample"), [(100, 10), (10, 3), (1, 1), (7, 7), (250, 2)])
    def test_equals_a_plain_evolution_on_a_deque(self, population, sample):
        codes = self.trace(trials=3, seed=11, population=population, sample=sample).codes
        config = EvolutionConfig(population, sample)
        for trial in range(3):
            expected = oracle(self.cell, self.space.size, self.edits, config, trial, 11, self.evals)
            assert codes[trial].tolist() == expected

    def test_a_child_differs_from_its_parent_in_one_digit(self):
        codes = self.trace(population=1, sample=1, evals=100).codes[0]
        for parent, child in zip(codes, codes[1:], strict=False):
            assert self.cell(int(child)) in self.cell(int(parent)).neighbours()

    def test_every_edit_is_as_likely(self):
        codes = self.trace(trials=40, population=1, sample=1, evals=500).codes
        near = self.space.neighbours[codes[:, :-1].ravel()]
        edits = (near == codes[:, 1:].reshape(-1, 1)).argmax(axis=1)
        assert chisquare(np.bincount(edits, minlength=self.edits)).pvalue > 1e-3


class TestRegularizedEvolutionInTheSizeSpace(EvolutionContract):
    space, cell, edits = SSS_SPACE, SizeCell, 35


class TestRegularizedEvolution(EvolutionContract):
    @pytest.mark.parametrize(
        ("config", "message"),
        [
            (
                {"sample": 101},
                r"sample, drawn from the population, must be an integer in \[1, 100\], got 101",
            ),
            ({"sample": 0}, r"\[1, 100\], got 0"),
            ({"population": 0}, r"population must be an integer in \[1, 100,000\], got 0"),
            ({"population": 12.5}, r"population must be an integer in \[1, 100,000\], got 12.5"),
            ({"sample": True}, "got True"),
        ],
    )
    def test_settings_outside_their_range_are_errors(self, config, message):
        with pytest.raises(ValueError, match=message):
            EvolutionConfig(**config)

    def test_defaults_are_those_of_the_paper(self):
        assert EvolutionConfig() == EvolutionConfig(population=100, sample=10)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert RegularizedEvolution(NB201_SPACE).config == EvolutionConfig()


def test_the_trace_of_seed_0_stays_what_it_is():
    """Pins the random streams: if this fails, results made before can no longer be reproduced."""
    history = run(RegularizedEvolution(NB201_SPACE), objective, 200)
    assert history.codes[0, [0, 1, 99, 100, 150, 199]].tolist() == [269, 8830, 9309, 4446, 3289, 12182]


def test_evolution_beats_random_search_by_far(bench):
    """200 trials of 500 evaluations: the gap is about thirty standard errors."""
    table = TableObjective(bench, "cifar10", "val_accuracy")
    regrets = {}
    for algorithm in (RegularizedEvolution, RandomSearch):
        history = run(algorithm(NB201_SPACE, trials=200), table, 500)
        regrets[algorithm] = table.scores.max() - table.scores[history.incumbents()[:, -1]]
    evolution, random = regrets[RegularizedEvolution], regrets[RandomSearch]
    assert evolution.mean() < 0.05
    assert 0.2 < random.mean() < 0.4
    assert (evolution <= random).mean() > 0.9
