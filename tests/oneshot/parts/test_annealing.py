"""Annealed softmax weights and pruned candidates."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from oneshot.errors import ConfigError
from oneshot.methods.darts import DARTS, DARTSConfig
from oneshot.methods.drnas import DrNAS
from oneshot.methods.fairdarts import FairDARTS
from oneshot.methods.gdas import GDAS
from oneshot.methods.reinmax import ReinMax
from oneshot.methods.snas import SNAS
from oneshot.mixed import MixedOp, candidate_weights
from oneshot.parts.annealing import AnnealAndPrune, AnnealingSettings
from oneshot.parts.perturbation import PerturbationSettings
from oneshot.parts.registry import build_parts
from oneshot.search import SearchSettings, resume, search
from oneshot.spaces.darts import DARTSSearchSpace, read_genotype
from oneshot.testing import CLASSES, MethodContract, batches, same, snapshot, through_a_file, tiny
from tests.oneshot.compile.agreement import assert_agrees

ASAP = AnnealingSettings(prune_below=0.4, anneal_start=1.6, anneal_factor=0.95, anneal_grace=1.0)


def build(settings=ASAP, method=DARTS, space=None, seed=0, **options):
    torch.manual_seed(seed)
    optimizer = method(method.config_class(**options), parts=build_parts([settings]))
    optimizer.adapt_search_space(tiny() if space is None else space)
    return optimizer


def set_alphas(optimizer, rows):
    with torch.no_grad():
        for alpha, row in zip(optimizer.alphas, rows, strict=False):
            alpha.copy_(torch.tensor(row))


def softmax(values, temperature):
    parts = [math.exp(value / temperature) for value in values]
    return [part / sum(parts) for part in parts]


def test_the_temperature_falls_by_a_factor_and_alphas_wait_until_the_grace_is_over():
    optimizer = build()
    for epoch in (0, 10, 11, 49):
        optimizer.begin_epoch(epoch)
        alphas = [alpha.detach().clone() for alpha in optimizer.alphas]
        optimizer.step(*batches(2))
        # 1.6 * 0.95 ** 9 = 1.008, 1.6 * 0.95 ** 10 = 0.958
        assert same([alpha.detach() for alpha in optimizer.alphas], alphas) == (epoch < 10)
        for edge in optimizer.supernet.searched_edges:
            weights = candidate_weights(edge.op, edge).tolist()
            assert weights == pytest.approx(softmax(edge.alpha.tolist(), 1.6 * 0.95**epoch), rel=1e-5)
            scores = optimizer.final_scores(edge)
            assert torch.softmax(scores, 0).tolist() == pytest.approx(weights, rel=1e-5)


def test_candidates_below_the_threshold_are_pruned_for_good():
    optimizer = build(anneal := AnnealingSettings(prune_below=0.4, anneal_factor=0.5), epochs=5)
    rows = [[0.0, 0.1, -0.2, 0.3, 0.0], [0.0, 2.0, 1.0, -1.0, 0.0], [3.0, 0.0, 0.0, 0.0, 0.0]]
    set_alphas(optimizer, rows)
    edges = optimizer.supernet.searched_edges
    kept = [list(range(5)) for _ in rows]
    for epoch in range(4):
        optimizer.begin_epoch(epoch)
        optimizer.end_epoch(epoch, *batches(2))
        for number, row in enumerate(rows):
            left = kept[number]
            weights = dict(
                zip(left, softmax([row[k] for k in left], anneal.anneal_factor**epoch), strict=True)
            )
            kept[number] = [k for k in left if weights[k] >= 0.4 / 5]
            assert optimizer.parts[0].kept(edges[number]) == kept[number]
    assert kept == [[1, 3], [1], [0]]
    set_alphas(optimizer, [[9.0, 0.0, 9.0, 0.0, 9.0]])
    optimizer.begin_epoch(4)
    optimizer.end_epoch(4, *batches(2))
    assert optimizer.parts[0].kept(edges[0]) == [1, 3]
    assert optimizer.choices(edges)[:3] == [1, 1, 0]


def test_in_the_grace_nothing_is_pruned():
    optimizer = build()
    set_alphas(optimizer, [[9.0, 0.0, 0.0, 0.0, 0.0]] * 6)
    optimizer.begin_epoch(9)
    optimizer.end_epoch(9, *batches(2))
    assert all(len(optimizer.parts[0].kept(edge)) == 5 for edge in optimizer.supernet.searched_edges)


@pytest.mark.parametrize("space", [None, lambda: DARTSSearchSpace(CLASSES, channels=2, cells=3)])
def test_pruned_candidates_have_no_part_in_a_pass(space, monkeypatch):
    optimizer = build(space=space and space())
    optimizer.graph.double()
    part, edges = optimizer.parts[0], optimizer.supernet.searched_edges
    steps = len(optimizer.graph.plan)
    with torch.no_grad():
        for alpha in optimizer.alphas:
            alpha.normal_()
    kept = [sorted({1, k % len(edge.op.primitives), (3 * k) % 5}) for k, edge in enumerate(edges)]
    for edge, numbers in zip(edges, kept, strict=True):
        part.keep(edge, numbers)
    optimizer.begin_epoch(20)
    (images, labels), temperature = batches(1, dtype=torch.float64)[0], 1.6 * 0.95**20
    assert_agrees(optimizer.graph, images)
    assert len(optimizer.graph.plan) < steps
    logits, _, gradients = optimizer.gradients((images, labels), optimizer.alphas)
    by_owner = {edge.owner("alpha"): numbers for edge, numbers in zip(edges, kept, strict=True)}

    def weights(self, edge):  # written out: a softmax of the kept over the temperature, others 0
        numbers = by_owner[edge.owner("alpha")]
        total = sum(torch.exp(edge.alpha[k] / temperature) for k in numbers)
        zero = edge.alpha.new_zeros(())
        share = [
            torch.exp(a / temperature) / total if k in numbers else zero for k, a in enumerate(edge.alpha)
        ]
        return torch.stack(share)

    monkeypatch.setattr(MixedOp, "weights", weights)
    for edge in edges:
        for key in ("kept", "temperature"):
            del edge[key]
    plain = optimizer.graph.interpret(images)
    torch.testing.assert_close(logits, plain, rtol=1e-9, atol=1e-12)
    expected = torch.autograd.grad(cross_entropy(plain, labels), optimizer.alphas)
    for left, right in zip(gradients, expected, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-8, atol=1e-12)


def test_where_none_is_never_selected_another_candidate_stays():
    optimizer = build(space=DARTSSearchSpace(CLASSES, channels=1, cells=3))
    set_alphas(optimizer, [[30.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0]] * 28)
    optimizer.begin_epoch(20)
    optimizer.end_epoch(20, *batches(2))
    assert all(optimizer.parts[0].kept(edge) == [0, 3] for edge in optimizer.supernet.searched_edges)
    with optimizer.as_chosen() as graph:
        assert {name for name, _ in read_genotype(graph).normal} == {"skip_connect"}


def test_a_search_goes_on_exactly_from_anywhere(tmp_path):
    settings, config = SearchSettings(channels=2), DARTSConfig(epochs=4, batch=360, arch_learning_rate=0.5)
    parts = [AnnealingSettings(prune_below=0.9, anneal_start=1.2, anneal_factor=0.5, anneal_grace=1.0)]
    whole = search(settings, config, parts=parts)
    left = iter(range(5))  # within the third epoch
    stopped = search(settings, config, tmp_path / "run", parts=parts, stop=lambda: next(left, None) is None)
    assert not stopped.complete
    resumed = resume(tmp_path / "run")
    assert same(snapshot(resumed.optimizer), snapshot(whole.optimizer))
    assert str(resumed.architecture) == str(whole.architecture)
    kept = [len(whole.optimizer.parts[0].kept(edge)) for edge in whole.optimizer.supernet.searched_edges]
    assert min(kept) < 5


def test_a_state_has_what_was_pruned():
    optimizer = build()
    optimizer.begin_epoch(12)
    optimizer.parts[0].keep(optimizer.supernet.searched_edges[2], [1, 3])
    resumed = build(seed=1)
    resumed.load_state_dict(through_a_file(optimizer.state_dict()))
    for each in (optimizer, resumed):
        each.step(*batches(2))
    assert same(snapshot(resumed), snapshot(optimizer))


def test_a_factor_of_1_changes_nothing():
    ends = []
    for settings in (AnnealingSettings(), AnnealingSettings(prune_below=1e-9)):
        optimizer = build(settings)
        for epoch in range(2):
            optimizer.begin_epoch(epoch)
            optimizer.step(*batches(2))
            optimizer.end_epoch(epoch, *batches(2))
        ends.append(snapshot(optimizer))
    assert AnnealingSettings().is_neutral
    assert same(*ends)


@pytest.mark.parametrize(
    ("method", "config", "message"),
    [
        (FairDARTS, None, "FairDARTS has no softmax"),
        (DrNAS, None, "DrNAS has no softmax"),
        (GDAS, None, "GDAS has its own"),
        (SNAS, None, "SNAS has its own"),
        (ReinMax, None, "ReinMax weighs them in another way"),
        (DARTS, DARTSConfig(epochs=10), "above the temperature of the last epoch, 1.01, got 1.0"),
    ],
)
def test_what_has_no_meaning(method, config, message):
    with pytest.raises(ConfigError, match=message):
        method(config, parts=[AnnealAndPrune(ASAP)])


def test_parts_and_options_that_need_all_candidates():
    with pytest.raises(ConfigError, match="annealing prunes candidates, but perturbation needs the weights"):
        DARTS(parts=build_parts([PerturbationSettings("random"), ASAP]))
    with pytest.raises(ConfigError, match="--compile would compile each"):
        AnnealAndPrune(ASAP).check(SearchSettings(compile=True))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("prune_below", 1.5, "prune_below must be <= 1"),
        ("anneal_start", 0.0, "anneal_start must be > 0"),
        ("anneal_factor", 1.1, "anneal_factor must be <= 1"),
        ("anneal_grace", -1.0, "anneal_grace must be >= 0"),
    ],
)
def test_invalid_settings(name, value, message):
    with pytest.raises(ConfigError, match=message):
        AnnealingSettings(**{name: value})


@pytest.mark.contract
class TestDARTS(MethodContract):
    method = DARTS
    parts = (AnnealingSettings(prune_below=0.9),)
