"""Every method on every space: steps, what is chosen, and a state that goes on."""

import pytest
import torch

from oneshot.methods.registry import get_method
from oneshot.mixed import Mixture
from oneshot.spaces.hierarchical import HierarchicalSearchSpace
from oneshot.spaces.registry import get_space
from oneshot.testing import CLASSES, batches, same, snapshot, through_a_file
from tests.oneshot.methods.every import EVERY_METHOD

FEW = {
    "rsws": {"paths": 3, "batches": 1, "finalists": 2},
    **dict.fromkeys(("spos", "fairnas"), {"population": 3, "generations": 2, "parents": 2, "batches": 1}),
}  # of the methods of paths
SPACES = ("darts", "hierarchical")


@pytest.fixture(scope="module")
def spaces():
    """The least supernets that still have copies of all that is copied."""
    return {
        "darts": get_space("darts").build(CLASSES, 2, 4),
        "hierarchical": HierarchicalSearchSpace(CLASSES, channels=2, motifs=2, motif_nodes=3, cell_nodes=3),
    }


@pytest.fixture(params=SPACES)
def space(request):
    return request.param


@pytest.fixture
def make(spaces, space):
    """Makes a method on the space: `make(name, seed, **options)`."""

    def make(name, seed=0, **options):
        torch.manual_seed(seed)
        kind = get_method(name)
        optimizer = kind(kind.config_class(**FEW.get(name, {}) | options))
        optimizer.adapt_search_space(spaces[space])
        return optimizer

    return make


def run(optimizer, steps, first=0, an_epoch=2):
    train, val = batches(first + steps, seed=1), batches(first + steps, seed=2)
    for number in range(first, first + steps):
        if number % an_epoch == 0:
            optimizer.new_epoch(number // an_epoch)
        optimizer.step(train[number], val[number])


def chosen(optimizer, space):
    """The architecture that the method would choose now."""
    with optimizer.as_chosen() as graph:
        return get_space(space).architecture(graph)


def check_chosen(optimizer, space):
    """What is chosen is an architecture, edge by edge and as a path; returns it."""
    found = chosen(optimizer, space)
    edges = [edge for edge in optimizer.graph.all_edges(optimizer.scope) if isinstance(edge.op, Mixture)]
    choices = optimizer.choices(edges)
    by_owner = {}
    for edge, choice in zip(edges, choices, strict=True):
        assert by_owner.setdefault(edge.owner(edge.op.key), choice) == choice  # copies are alike
    if space == "darts":
        weak = {edge.owner(edge.op.key) for edge in optimizer.graph.weak_edges(optimizer.edge_score)}
        assert len(weak) == 2 * 6
        for owner, choice in by_owner.items():
            assert (choice == 0) == (owner in weak)
        assert "none" not in found.operations
        sources = [source for _, source in found.normal]
        assert all(sources[k] < sources[k + 1] for k in range(0, 8, 2))
    with optimizer.as_chosen() as graph:
        expected = graph.eval()(batches(1)[0][0])
        graph.train()
    with get_space(space).fixed_path(optimizer.graph, found) as graph:
        torch.testing.assert_close(graph.eval()(batches(1)[0][0]), expected)
        graph.train()
    return found


@pytest.mark.parametrize("method", EVERY_METHOD)
def test_steps_and_what_is_chosen(make, space, method):
    optimizer = make(method)
    has_alphas = method not in FEW
    counts = {"darts": 28, "hierarchical": 2 * 3 + 3}
    assert len(optimizer.alphas) == (counts[space] if has_alphas else 0)
    check_chosen(optimizer, space)
    before = snapshot(optimizer)
    train, val = batches(2)
    optimizer.new_epoch(0)
    step = optimizer.step(train, val)
    assert step.logits_train.shape == (8, CLASSES)
    assert step.train_loss.isfinite()
    assert (step.val_loss is None) == (method in (*FEW, "snas"))
    assert not same(snapshot(optimizer), before)
    for alpha, old in zip(optimizer.alphas, before[len(optimizer.weights) :], strict=True):
        assert (alpha != old).any()
    assert optimizer.graph.training
    check_chosen(optimizer, space)
    optimizer.conclude(batches(2, seed=3))
    check_chosen(optimizer, space)
    assert 0 <= optimizer.evaluate(batches(1)).accuracy <= 100


@pytest.mark.parametrize("method", EVERY_METHOD)
def test_none_may_be_the_strongest_and_is_chosen_where_the_space_has_it(make, space, method):
    optimizer = make(method)
    edges = [edge for edge in optimizer.graph.all_edges(optimizer.scope) if isinstance(edge.op, Mixture)]
    with torch.no_grad():
        for alpha in optimizer.alphas:
            alpha.normal_()
            alpha[0] = 9.0
    for edge in edges:
        if method in FEW and space == "hierarchical":
            edge.set("best", 0, shared=True)
    found = check_chosen(optimizer, space)
    assert ("none" in found.operations) == (space == "hierarchical")
    if space == "hierarchical":
        assert set(found.operations) == {"none"}
        assert found.cell == (0, 0, 0)  # of a motif, the first candidate is no Zero
        excluding = make(method, exclude_none=True)
        with torch.no_grad():
            for alpha in excluding.alphas:
                alpha[0] = 9.0
        assert "none" not in check_chosen(excluding, space).operations


@pytest.mark.slow
@pytest.mark.parametrize("method", EVERY_METHOD)
def test_same_seed_same_trajectory_and_a_state_goes_on_bit_for_bit(make, space, method):
    first, second = make(method, seed=3), make(method, seed=3)
    for optimizer in (first, second):
        torch.manual_seed(8)
        run(optimizer, 1)
    assert same(snapshot(first), snapshot(second))
    state = through_a_file(first.state_dict() | {"rng": torch.get_rng_state()})
    run(first, 2, first=1)
    resumed = make(method, seed=4)
    assert not same(snapshot(resumed), snapshot(second))
    resumed.load_state_dict(state)
    torch.set_rng_state(state["rng"])
    run(resumed, 2, first=1)
    assert same(snapshot(resumed), snapshot(first))
    assert chosen(resumed, space) == chosen(first, space)
    assert str(through_a_file(resumed.state_dict())) == str(through_a_file(first.state_dict()))


@pytest.mark.parametrize("method", ["darts", "rsws"])
def test_the_final_architecture_is_what_was_chosen(make, space, method):
    optimizer = make(method)
    run(optimizer, 1)
    found, before = chosen(optimizer, space), snapshot(optimizer)
    graph = optimizer.get_final_architecture()
    assert get_space(space).architecture(graph) == found
    assert not any(isinstance(edge.op, (Mixture, list)) for edge in graph.all_edges())
    assert graph.eval()(batches(1)[0][0]).shape == (8, CLASSES)
    assert same(snapshot(optimizer), before)
    run(optimizer, 1, first=1)  # goes on


def test_random_paths_of_darts_have_two_edges_a_node_and_all_are_drawn(make, space):
    optimizer = make("rsws")
    if space == "hierarchical":
        drawn = [optimizer._sample_path(optimizer.graph.CHOOSES_NONE) for _ in range(20)]
        assert any(0 in path for path in drawn)
        assert len(set(map(tuple, drawn))) == 20
        return
    names = list(get_space("darts").edges(optimizer.graph))
    index = {
        edge.owner("best"): k for k, edge in enumerate(get_space("darts").edges(optimizer.graph).values())
    }
    seen, counts = set(), torch.zeros(28)
    for _ in range(150):
        path = optimizer._sample_path(optimizer.graph.CHOOSES_NONE)
        by_name = dict.fromkeys(range(28))
        for edge, number in zip(optimizer.path_edges, path, strict=True):
            by_name[index[edge.owner("best")]] = number
        for kind in ("normal", "reduction"):
            for node in range(2, 6):
                into = [
                    by_name[k] for k, n in enumerate(names) if n.startswith(kind) and n.endswith(f"→{node}")
                ]
                assert sum(number != 0 for number in into) == 2
        seen |= {(k, number) for k, number in by_name.items()}
        counts += torch.tensor([by_name[k] != 0 for k in range(28)])
    assert {number for _, number in seen} == set(range(8))
    assert (counts[:2] == 150).all()  # the first node has no more than two
    third = counts[9:14] / 150  # of the last node's five edges, each stays in two of five paths
    assert third.sub(0.4).abs().max() < 0.15
