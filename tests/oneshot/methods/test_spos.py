from itertools import product

import pytest
import torch

from oneshot.errors import ConfigError
from oneshot.methods.spos import SPOS, SPOSConfig
from oneshot.mixed import nonzero_mask
from oneshot.spaces.darts import DARTSSearchSpace, cells_in, read_genotype
from oneshot.testing import CLASSES, MethodContract, batches, other, same, snapshot, tiny
from oneshot.training.metrics import Measured

FEW = {"population": 6, "generations": 3, "parents": 2, "batches": 1}


@pytest.mark.contract
class TestSPOS(MethodContract):
    method = SPOS
    options = FEW
    has_alphas = False
    looks_at_validation = False

    def reference_stepper(self, optimizer):
        """Paths are drawn as the method does; the update is the reference's."""

        def update(updated, parameters, data):
            self.reference_step(optimizer, data, None)
            return torch.zeros(8, 4), torch.zeros(())

        optimizer.update = update
        return optimizer.step


def make(space=None, **options):
    torch.manual_seed(0)
    method = SPOS(SPOSConfig(**options))
    method.adapt_search_space(tiny() if space is None else space)
    return method


def test_a_state_goes_on_bit_for_bit():
    TestSPOS().test_a_state_goes_on_bit_for_bit(1)


def test_the_end_is_the_best_path_of_a_small_space():
    space = other()
    space.update_edges(lambda edge: edge.set("op", edge.op[1:3]), "twice")
    space.update_edges(lambda edge: edge.set("op", edge.op[1:]), "other")
    method = make(space, population=8, generations=6, parents=3, batches=3, learning_rate=0.1)
    for _ in range(10):
        method.step(*batches(2))
    val, weights = batches(3, seed=4), snapshot(method)
    method.conclude(val)
    assert same(snapshot(method), weights)
    results = {path: method.evaluate_path(path, val) for path in product(range(2), repeat=4)}
    order = {path: (-result.accuracy, result.loss) for path, result in results.items()}
    assert order[tuple(method.state_dict()["best"])] == min(order.values())


class Scored(SPOS):
    """Scores paths by how many edges have candidate 3, and keeps them in order."""

    def evaluate_path(self, path, batches):
        self.seen.append(tuple(path))
        return Measured(loss=0.0, accuracy=sum(number == 3 for number in path))


def scored(**options):
    torch.manual_seed(1)
    method = Scored(SPOSConfig(**options))
    method.seen = []
    method.adapt_search_space(tiny())
    method.seen.clear()
    return method


def test_evolution_finds_what_random_paths_do_not():
    method = scored(population=20, generations=20, parents=5)
    method.conclude(batches(1))
    assert method.state_dict()["best"] == [3] * 6
    assert len(set(method.seen)) == len(method.seen) == 400  # none is evaluated twice


def test_half_of_a_generation_crosses_parents_and_half_mutates_one():
    method = scored(population=12, generations=1, parents=2)
    parents = [((1, 0.1),) * 6, ((2, 0.2),) * 6]
    generation = method._next_generation(parents, [])
    assert len(generation) == 12
    paths = list(generation)
    for path in paths[:6]:
        assert set(path) <= {1, 2}
    children = [method._cross(*parents) for _ in range(200)]
    share = sum(gene == parents[0][0] for child in children for gene in child) / 1200
    assert 0.4 < share < 0.6
    mutants = [method._mutate(parents[0]) for _ in range(400)]
    share = sum(gene != parents[0][0] for mutant in mutants for gene in mutant) / 2400
    assert 0.07 < share < 0.13


def test_a_space_with_fewer_paths_than_a_generation_is_searched_whole():
    space = other()
    space.update_edges(lambda edge: edge.set("op", edge.op[1:2]), ("twice", "other"))
    method = make(space, population=4, generations=3, parents=2, batches=1)
    method.conclude(batches(1))
    assert method.state_dict()["best"] == [0] * 4


def test_paths_of_the_space_of_darts_keep_two_edges_into_each_node():
    method = make(DARTSSearchSpace(CLASSES, channels=1, cells=3), **FEW)
    cell = cells_in(method.graph)[0]
    genes = [method._random() for _ in range(4)]
    for each in (method._cross(genes[0], genes[1]), method._mutate(genes[2]), *genes):
        method.choose(method._decode(each))
        for node in range(3, 7):
            kept = [edge for _, edge in cell.dag.arriving(node) if nonzero_mask(edge.op)[edge.choice]]
            assert len(kept) == 2
    method.conclude(batches(1))
    with method.as_chosen() as graph:
        assert "none" not in read_genotype(graph).operations


def test_settings_out_of_range():
    with pytest.raises(ConfigError, match="parents must be at most the population, 5, got 6"):
        SPOSConfig(population=5, parents=6)
    with pytest.raises(ConfigError, match="mutation must be > 0"):
        SPOSConfig(mutation=0.0)
