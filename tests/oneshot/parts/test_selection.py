"""Selection by perturbation."""

import pytest
import torch

from oneshot.errors import ConfigError
from oneshot.methods.darts import DARTS, DARTSConfig
from oneshot.methods.drnas import DrNAS
from oneshot.methods.gdas import GDAS
from oneshot.mixed import ABSENT, MixedOp
from oneshot.parts.eigenvalue import EigenvalueSettings, EigenvalueStop
from oneshot.parts.selection import Selection, SelectionSettings
from oneshot.parts.skip_limit import SkipLimit, SkipLimitSettings
from oneshot.search import SearchSettings, resume, search
from oneshot.spaces.darts import DARTSSearchSpace
from oneshot.spaces.genotype import OPERATIONS
from oneshot.spaces.nb201 import read_cell
from oneshot.spaces.registry import get_space
from oneshot.testing import CLASSES, MethodContract, batches, same, snapshot, through_a_file, tiny

SETTINGS = SelectionSettings(select="perturbation", tune_epochs=1)
LAST = DARTSConfig().epochs - 1


def build(method=DARTS, space=None, seed=0, tune=1, parts=()):
    torch.manual_seed(seed)
    part = Selection(SelectionSettings(select="perturbation", tune_epochs=tune))
    optimizer = method(parts=[*parts, part])
    optimizer.adapt_search_space(tiny() if space is None else space)
    return optimizer


def spread(optimizer, scale=500):
    """Let the alphas differ; by default they are nearly 0."""
    with torch.no_grad():
        for alpha in optimizer.alphas:
            alpha *= scale


def test_an_edge_becomes_the_candidate_without_which_the_supernet_is_worst(monkeypatch):
    optimizer = build()
    optimizer.graph.double()
    spread(optimizer)
    data = batches(4, size=16, dtype=torch.float64)
    optimizer.validation = lambda: data
    edges = optimizer.supernet.searched_edges
    state = through_a_file(optimizer.state_dict())
    optimizer.end_epoch(LAST, *batches(2))
    (number,) = [n for n, k in enumerate(optimizer.parts[0]._chosen) if k >= 0]
    chosen = edges[number].choice

    plain = build(seed=1)
    plain.graph.double()
    plain.load_state_dict(state)
    alpha = plain.supernet.searched_edges[number].alpha
    results = []
    for candidate in range(5):

        def weights(self, edge, candidate=candidate):
            soft = torch.exp(edge.alpha) / torch.exp(edge.alpha).sum()
            return soft * (torch.arange(5) != candidate) if edge.alpha is alpha else soft

        monkeypatch.setattr(MixedOp, "weights", weights)
        with torch.no_grad():
            logits = torch.cat([plain.graph.interpret(images) for images, _ in data])
        labels = torch.cat([labels for _, labels in data])
        loss = torch.nn.functional.cross_entropy(logits, labels)
        results.append((float((logits.argmax(1) == labels).double().mean()), -float(loss)))
    assert chosen == results.index(min(results))
    assert len(set(results)) > 3
    assert not any(edge.has("offset") for edge in edges)
    assert all(edge.op.training for edge in edges)


@pytest.mark.parametrize("method", [DARTS, DrNAS])
def test_edge_after_edge_until_all_are_decided(method):
    optimizer = build(method, tune=2)
    part, epochs = optimizer.parts[0], optimizer.config.epochs
    assert part.extra_epochs() == 10
    data = batches(2)
    optimizer.op_optimizer.state[optimizer.weights[0]]["momentum_buffer"] = torch.ones(1)
    counts = []
    for epoch in range(epochs - 2, epochs + part.extra_epochs()):
        optimizer.begin_epoch(epoch)
        rate = optimizer.op_optimizer.param_groups[0]["lr"]
        assert rate == pytest.approx(0.025 if epoch < epochs else 0.0025)
        optimizer.end_epoch(epoch, *data)
        counts.append(sum(edge.has("choice") for edge in optimizer.supernet.searched_edges))
    assert counts == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6]
    assert not optimizer.op_optimizer.state
    edges = optimizer.supernet.searched_edges
    assert optimizer.choices(edges) == [edge.choice for edge in edges]
    with optimizer.as_chosen() as graph:
        assert read_cell(optimizer.get_final_architecture()) == read_cell(graph)


@pytest.mark.parametrize(("names", "removed"), [(OPERATIONS, 0), (OPERATIONS[3:5], ABSENT)])
def test_nodes_of_the_space_of_darts_are_decided_last(names, removed):
    kept = names.index("skip_connect")
    space = DARTSSearchSpace(classes=CLASSES, channels=1, cells=3, candidates=lambda _: names)
    optimizer = build(space=space)
    part = optimizer.parts[0]
    assert part.extra_epochs() == 16  # 14 edges and 3 nodes of each of two cells, one of each at a time
    cells = part._cells()
    assert [len(cell.edges) for cell in cells] == [14, 14]
    assert [[(len(node.edges), node.removed) for node in cell.nodes] for cell in cells] == [
        [(3, 1), (4, 2), (5, 3)]
    ] * 2
    part._chosen = [kept] * 28
    for number in range(28):
        part._choose(number, kept)
    data = batches(1)
    results = {}
    node = cells[0].nodes[2]
    for number in node.edges:
        part._choose(number, removed)
        results[number] = optimizer.evaluate(data)
        part._choose(number, kept)
    part._decide_node(node, data)
    weakest = {number for number in node.edges if part._chosen[number] == removed}
    ranks = sorted(results, key=lambda n: (results[n].accuracy, -results[n].loss))
    assert weakest == set(ranks[2:])  # the two whose removal hurts most are kept (algorithm 1 of the paper)
    for cell in cells:
        for node in cell.nodes:
            if all(part._chosen[number] == kept for number in node.edges):
                part._decide_node(node, data)
    assert part._chosen.count(removed) == 12
    assert optimizer.choices(part._edges) == part._chosen
    with optimizer.as_chosen() as graph:
        genotype = get_space("darts").architecture(graph)
    assert set(get_space("darts").operations(genotype)) == {"skip_connect"}


@pytest.mark.slow
def test_a_search_goes_on_exactly_from_anywhere(tmp_path):
    settings, config = SearchSettings(channels=2), DARTSConfig(epochs=1, batch=360)
    whole = search(settings, config, parts=[SETTINGS])
    assert (whole.complete, whole.epochs, len(whole.log)) == (True, 6, 6)
    left = iter(range(8))  # within the tuning after the fourth decision
    path = tmp_path / "run"
    stopped = search(settings, config, path, parts=[SETTINGS], stop=lambda: next(left, None) is None)
    assert not stopped.complete
    resumed = resume(path)
    assert resumed.complete
    assert same(snapshot(resumed.optimizer), snapshot(whole.optimizer))
    assert str(resumed.architecture) == str(whole.architecture)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: build(GDAS), "GDAS samples a path"),
        (
            lambda: build(parts=[SkipLimit(SkipLimitSettings(skip_limit=2))]),
            "starts after the last epoch, but skip limit may stop earlier",
        ),
        (
            lambda: build(parts=[EigenvalueStop(EigenvalueSettings(eigenvalue_ratio=1.3))]),
            "eigenvalue stop may stop earlier",
        ),
        (lambda: Selection().check(SearchSettings(compile=True)), "cannot be combined with --compile"),
        (lambda: SelectionSettings(select="strenght"), "select must be strength or perturbation"),
        (lambda: SelectionSettings(tune_epochs=0), "tune_epochs must be an integer >= 1"),
    ],
)
def test_what_has_no_meaning(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_by_strength_it_is_left_out():
    assert SelectionSettings(tune_epochs=3).is_neutral


@pytest.mark.contract
class TestDARTS(MethodContract):
    method = DARTS
    parts = (SETTINGS,)
