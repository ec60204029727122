import numpy as np
import pytest
from scipy.stats import chisquare

from blackbox.errors import ConfigError
from blackbox.ls import LocalSearch, LocalSearchConfig
from blackbox.rs import RandomSearch
from blackbox.search.history import History
from blackbox.search.loop import run
from blackbox.search.space import NB201_SPACE, SSS_SPACE, CategoricalSpace
from blackbox.table.objective import TableObjective
from blackbox.testing import SearchContract
from blackbox.testing.searches import objective


def oracle(space, first, trial, seed, evals, score=objective):
    """Local search with sets and loops, from the same random streams: the codes, and the ends of climbs."""
    starts, places = (
        np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(trial, purpose))) for purpose in (0, 1)
    )
    starts, places = starts.integers(space.size, size=evals + 1).tolist(), places.random(evals + 1).tolist()
    known, centres, trace, tops = {}, set(), [], []

    def start(step):
        new = [code for code in range(space.size) if code not in known]
        if starts[step] not in known or not new:
            return starts[step]
        return new[int(places[step] * len(new))]

    top, pool, seen = None, [start(0)], []
    for step in range(evals):
        place = int(places[step] * len(pool))
        code, pool[place] = pool[place], pool[-1]
        pool.pop()
        trace.append(code)
        known[code] = score(np.array([code]))[0]
        seen.append(code)
        while True:
            best = max(seen, key=known.get, default=None)
            up = best is not None and known[best] > known.get(top, -np.inf)
            if pool and not (first and up):
                break
            if not up or (first and best in centres):  # with all neighbours, known ways are walked again
                tops.append(top)
                top, pool, seen = None, [start(step + 1)], []
                break
            top = best
            centres.add(top)
            near = space.neighbours[top].tolist()
            pool = sorted(code for code in near if code not in known)
            seen = [code for code in near if code in known]
    return trace, tops


class LocalSearchContract(SearchContract):
    """What local search must do in any space, and moving after all neighbours or after the first one."""

    search_class = LocalSearch
    first = False

    @pytest.mark.parametrize("space", [None, CategoricalSpace((2, 3)), CategoricalSpace((1, 4, 1, 3))])
    def test_equals_a_plain_local_search(self, space):
        codes = self.trace(space=space, trials=5, seed=11, evals=600).codes
        for trial in range(5):
            assert codes[trial].tolist() == oracle(space or self.space, self.first, trial, 11, 600)[0]

    def test_no_cell_is_evaluated_twice_until_all_were(self):
        codes = self.trace(trials=5, evals=600).codes
        assert [len(set(row)) for row in codes.tolist()] == [600] * 5
        codes = self.trace(space=CategoricalSpace((4, 5)), trials=20, evals=600).codes
        assert [set(row) for row in codes[:, :20].tolist()] == [set(range(20))] * 20
        assert chisquare(np.bincount(codes[:, 20:].ravel())).pvalue > 1e-3


class TestLocalSearch(LocalSearchContract):
    def test_each_climb_ends_on_a_cell_without_better_neighbours(self):
        scores = objective(np.arange(NB201_SPACE.size))
        _, tops = oracle(NB201_SPACE, False, 0, 0, 2000)
        assert len(set(tops)) > 5
        for top in tops:
            assert scores[NB201_SPACE.neighbours[top]].max() <= scores[top]

    def test_the_first_cells_are_a_centre_and_its_neighbours(self):
        for row in self.trace(trials=20, evals=25).codes:
            assert set(row[1:]) == set(NB201_SPACE.neighbours[row[0]])

    def test_every_neighbour_is_as_likely_at_every_place(self):
        codes = self.trace(trials=500, evals=25).codes
        near = NB201_SPACE.neighbours[codes[:, 0]]
        for place in (1, 12, 24):
            order = (near == codes[:, place, None]).argmax(axis=1)
            assert chisquare(np.bincount(order, minlength=24)).pvalue > 1e-3


class TestLocalSearchMovingAtOnce(LocalSearchContract):
    first = True
    settings = {"first": True}

    def test_the_first_better_neighbour_is_the_next_centre(self):
        for row in self.trace(trials=20, evals=60).codes:
            scores = objective(row)
            better = int(np.flatnonzero(scores > scores[0])[0])
            assert set(row[1 : better + 1]) <= set(NB201_SPACE.neighbours[row[0]])
            assert row[better + 1] in NB201_SPACE.neighbours[row[better]]


class TestLocalSearchInTheSizeSpace(LocalSearchContract):
    space = SSS_SPACE


def test_a_start_that_fails_is_left_for_another():
    def fails(codes):
        return np.where(codes % 2, -np.inf, objective(codes))

    for first in (False, True):
        codes = run(LocalSearch(NB201_SPACE, LocalSearchConfig(first), trials=3), fails, 400).codes
        assert (fails(codes[:, 0]) == -np.inf).any()
        for trial in range(3):
            assert codes[trial].tolist() == oracle(NB201_SPACE, first, trial, 0, 400, fails)[0]


def test_it_goes_on_from_the_history_of_another_search():
    """Cells that others evaluated are known: they are not evaluated again."""
    begun = run(RandomSearch(NB201_SPACE, trials=3), objective, 200)
    earlier = begun.codes.copy()
    history = run(LocalSearch(NB201_SPACE, None, 3, 0, begun), objective, 500)
    for row, others in zip(history.codes[:, 200:], earlier, strict=True):
        assert len(set(row)) == 300
        assert not set(row) & set(others)


def in_any_order(search, score, workers, evals):
    """What a search of one trial asks of workers that are done in a random order, codes (evals,)."""
    rng = np.random.default_rng(0)
    out, asked = [], []
    while len(asked) < evals:
        while len(out) < workers:
            out.append(search.ask(len(out)))
            asked.append(out[-1].item())
        codes = out.pop(rng.integers(workers))
        search.tell(codes, score(codes))
    return asked


@pytest.mark.parametrize("first", [False, True])
def test_several_workers_climb_as_one_does(first):
    """Three evaluations are always out when a cell is asked for. Each climb takes some 80 evaluations."""
    wanted = NB201_SPACE.digits([9000])

    def equal_digits(codes):
        return (NB201_SPACE.digits(codes) == wanted).sum(axis=1) * 1.0

    for seed in range(5):
        search = LocalSearch(NB201_SPACE, LocalSearchConfig(first), seed=seed)
        codes = in_any_order(search, equal_digits, 4, 250)
        assert 9000 in codes
        assert len(set(codes)) == len(codes)


def test_several_workers_evaluate_no_cell_twice_until_all_were():
    for workers in (2, 5, 40):
        codes = in_any_order(LocalSearch(CategoricalSpace((3, 5))), objective, workers, 60)
        assert set(codes[:15]) == set(range(15))
        assert set(codes[15:]) <= set(range(15))


def test_settings_of_another_type_are_errors():
    for first in (1, None, "yes"):
        with pytest.raises(ConfigError, match="first must be true or false, got"):
            LocalSearchConfig(first)


def test_a_history_of_one_trial_is_enough_to_go_on():
    whole = run(LocalSearch(NB201_SPACE, trials=3, seed=2), objective, 300)
    begun = History(1)
    begun.extend(whole.codes[1:2, :120], whole.scores[1:2, :120], whole.costs[1:2, :120])
    alone = run(LocalSearch(NB201_SPACE, None, [1], 2, begun), objective, 300)
    np.testing.assert_array_equal(alone.codes[0], whole.codes[1])


def test_the_trace_of_seed_0_stays_what_it_is():
    """Pins the random streams: if this fails, results made before can no longer be reproduced."""
    codes = run(LocalSearch(NB201_SPACE), objective, 200).codes[0]
    assert codes[[0, 1, 24, 25, 100, 199]].tolist() == [269, 9644, 264, 1514, 13294, 11632]


def test_local_search_beats_random_search_by_far(bench):
    """200 trials of 300 evaluations: the gaps are about 25 and 28 standard errors."""
    table = TableObjective(bench, "cifar10", "val_accuracy")
    searches = {
        "after all": LocalSearch(NB201_SPACE, trials=200),
        "at once": LocalSearch(NB201_SPACE, LocalSearchConfig(first=True), trials=200),
        "random": RandomSearch(NB201_SPACE, trials=200),
    }
    regrets = {
        name: table.scores.max() - table.scores[run(search, table, 300).incumbent()]
        for name, search in searches.items()
    }
    assert regrets["at once"].mean() <= regrets["after all"].mean() < 0.05
    assert 0.3 < regrets["random"].mean() < 0.5
    for name in ("after all", "at once"):
        assert (regrets[name] <= regrets["random"]).mean() > 0.9
