"""Searches in stages, against plain implementations of P-DARTS' and DrNAS' rules."""

import math
import re
from argparse import ArgumentTypeError
from dataclasses import fields

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from oneshot import ops
from oneshot.errors import ConfigError, GraphError
from oneshot.methods.darts import DARTS, DARTSConfig
from oneshot.methods.drnas import DrNAS, DrNASConfig
from oneshot.methods.fairdarts import FairDARTS
from oneshot.methods.gdas import GDAS, GDASConfig
from oneshot.methods.rsws import RSWS, RSWSConfig
from oneshot.mixed import MixedOp, pruned_mask
from oneshot.parts.annealing import AnnealingSettings
from oneshot.parts.beta_decay import BetaDecaySettings
from oneshot.parts.cost import CostSettings
from oneshot.parts.drop_path import DropPathSettings
from oneshot.parts.partial_channels import EdgeNormalizationSettings, PartialChannelsSettings
from oneshot.parts.registry import build_parts
from oneshot.parts.selection import SelectionSettings
from oneshot.parts.skip_limit import SkipLimitSettings
from oneshot.parts.stages import Stages, StagesSettings
from oneshot.score.ranking import sample_cells
from oneshot.search import SearchSettings, pictures, resume, search
from oneshot.search.report import format_result
from oneshot.search.settings import SMOKE_PARTS, build_config, build_part_settings
from oneshot.search.task import SearchJob
from oneshot.spaces.darts import DARTSSearchSpace, cells_in
from oneshot.spaces.nb201 import GRAPHS, NasBench201SearchSpace, read_cell
from oneshot.testing import CLASSES, MethodContract, batches, same, snapshot, through_a_file
from oneshot.training.distributed import ProcessGroup
from tests.oneshot.compile.agreement import assert_agrees

PRUNING = StagesSettings(stage_candidates=(5, 3))
WIDER = StagesSettings(stage_partial_channels=(2, 1))
NEW = StagesSettings(stage_candidates=(5, 3), stage_cells=(1, 2), stage_skip_dropout=(0.3, 0.7))
KEPT = StagesSettings(stage_candidates=(5, 3), stage_partial_channels=(2, 1), stage_weights="kept")


def build(settings, method=DARTS, space="nb201", seed=0, parts=(), channels=2, **options):
    torch.manual_seed(seed)
    config = method.config_class(**{"epochs": 4, **options})
    optimizer = method(config, parts=build_parts([settings, *parts]))

    def build_space():
        if space == "nb201":
            return NasBench201SearchSpace(CLASSES, channels, cells=1)
        return DARTSSearchSpace(CLASSES, channels, optimizer.parts[-1].cells(3))

    optimizer.build_space = build_space
    optimizer.adapt_search_space(build_space())
    return optimizer


def run(optimizer, epochs, steps=2):
    """Run the steps of some epochs, as a search does."""
    for epoch in epochs:
        optimizer.begin_epoch(epoch)
        for number in range(steps):
            train, val = batches(2, seed=10 * epoch + number)
            optimizer.step(train, val)
        optimizer.schedule.step()
        optimizer.end_epoch(epoch, train, val)


def spread(optimizer, seed=3):
    """Let the alphas differ; return them as lists."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for alpha in optimizer.alphas:
            alpha.copy_(torch.randn(len(alpha), generator=generator))
    return [alpha.tolist() for alpha in optimizer.alphas]


def rate_of(optimizer):
    return optimizer.op_optimizer.param_groups[0]["lr"]


# Candidates


def drop_weakest(alphas, left, count):
    """P-DARTS, section 3.2: drop the candidate with the lowest softmax weight until `count` are left."""
    left = list(left)
    while len(left) > count:
        total = sum(math.exp(alphas[k]) for k in left)
        weights = {k: math.exp(alphas[k]) / total for k in left}
        left.remove(min(weights, key=weights.get))
    return left


@pytest.mark.parametrize("weights", ["new", "kept"])
def test_the_strongest_candidates_of_each_edge_are_left_in_the_next_stage(weights):
    optimizer = build(StagesSettings(stage_candidates=(5, 4, 2), stage_weights=weights), epochs=6)
    left, before = [list(range(5))] * 6, []
    for epoch, count in ((0, 5), (1, 5), (2, 4), (3, 4), (4, 2), (5, 2)):
        if epoch in (2, 4):
            left = [drop_weakest(row, numbers, count) for row, numbers in zip(before, left, strict=True)]
        optimizer.begin_epoch(epoch)
        before = spread(optimizer, seed=epoch)
        edges = optimizer.supernet.searched_edges
        assert [optimizer.parts[0].kept(edge) for edge in edges] == left
        assert optimizer.parts[0].stage == epoch // 2
        for edge, numbers in zip(edges, left, strict=True):
            assert edge.has("kept") == (count < 5)
            assert pruned_mask(edge.op).tolist() == [k not in numbers for k in range(5)]
        best = [max(numbers, key=row.__getitem__) for row, numbers in zip(before, left, strict=True)]
        assert optimizer.choices(edges) == best
    optimizer.conclude(batches(1))
    with optimizer.as_chosen() as graph:
        assert read_cell(optimizer.get_final_architecture()) == read_cell(graph)


def test_pruned_candidates_have_no_part_in_a_pass(monkeypatch):
    optimizer = build(StagesSettings(stage_candidates=(8, 3)), space="darts")
    count = sum(parameter.numel() for parameter in optimizer.weights)
    spread(optimizer)
    optimizer.begin_epoch(2)
    optimizer.graph.double()
    spread(optimizer)
    assert sum(parameter.numel() for parameter in optimizer.weights) < count / 2
    images, labels = batches(1, dtype=torch.float64)[0]
    assert_agrees(optimizer.graph, images)
    logits, _, gradients = optimizer.gradients((images, labels), optimizer.alphas)
    edges = optimizer.supernet.searched_edges
    kept = {edge.owner("alpha"): edge.kept for edge in edges}
    assert {len(numbers) for numbers in kept.values()} == {3}

    def weights(self, edge):  # written out: a softmax of the kept, others 0
        numbers = kept[edge.owner("alpha")]
        total = sum(torch.exp(edge.alpha[k]) for k in numbers)
        zero = edge.alpha.new_zeros(())
        return torch.stack([torch.exp(a) / total if k in numbers else zero for k, a in enumerate(edge.alpha)])

    monkeypatch.setattr(MixedOp, "weights", weights)
    monkeypatch.setattr(ops.Pruned, "forward", lambda self, x: torch.zeros(()))
    for edge in edges:
        del edge["kept"]
    plain = optimizer.graph.interpret(images)
    torch.testing.assert_close(logits, plain, rtol=1e-9, atol=1e-12)
    expected = torch.autograd.grad(cross_entropy(plain, labels), optimizer.alphas)
    for left, right in zip(gradients, expected, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-8, atol=1e-12)


# New weights


def test_a_stage_with_new_weights_starts_from_the_beginning():
    optimizer = build(StagesSettings(stage_candidates=(5, 3, 3)), epochs=6, learning_rate=0.1)
    rates = []
    for epoch in range(6):
        before = snapshot(optimizer)
        optimizer.begin_epoch(epoch)
        if epoch in (2, 4):
            assert not optimizer.op_optimizer.state
            assert not optimizer.arch_optimizer.state
            for alpha in optimizer.alphas:
                assert 0 < alpha.abs().max() < 0.01
            assert not any(map(torch.equal, snapshot(optimizer), before[-6:]))
        rates.append(rate_of(optimizer))
        run(optimizer, [epoch])
    low, high = optimizer.config.learning_rate_min, 0.1
    half = low + (high - low) * (1 + math.cos(math.pi / 2)) / 2
    assert rates == pytest.approx([high, half] * 3)


def test_the_number_of_cells_grows():
    optimizer = build(StagesSettings(stage_cells=(3, 4)), space="darts", channels=1, epochs=2)
    for epoch, cells in enumerate((3, 4)):
        optimizer.begin_epoch(epoch)
        assert len(cells_in(optimizer.graph)) == cells
        assert len(optimizer.supernet.searched_edges) == 28
        assert optimizer.graph(batches(1)[0][0]).shape == (8, CLASSES)


# Dropout after skip connections, and warm-up


def test_the_dropout_of_skip_connections_falls_as_in_the_authors_code():
    settings = StagesSettings(stage_skip_dropout=(0.1, 0.7), stage_warm_up=10)
    optimizer = build(settings, space="darts", epochs=50)
    part = optimizer.parts[0]
    for epoch in (0, 4, 9, 10, 11, 24, 25, 30, 35, 49):
        optimizer.begin_epoch(epoch)
        rate, t = (0.1, epoch) if epoch < 25 else (0.7, epoch - 25)
        expected = rate * (25 - t - 1) / 25 if t < 10 else rate * math.exp(-(t - 10) * 0.2)
        assert part.skip_dropout(epoch) == pytest.approx(expected)
        modules = [op for op in optimizer.graph.modules() if isinstance(op, ops.Identity)]
        assert modules
        assert all(op.rate == pytest.approx(expected) for op in modules)
        assert part.updates_alphas() == (t >= 10)


def test_skip_connections_drop_entries_in_training_only_and_not_in_the_architecture():
    optimizer = build(StagesSettings(stage_skip_dropout=(0.6,)))
    with torch.no_grad():
        for alpha in optimizer.alphas:
            alpha[1] = 9.0
    optimizer.begin_epoch(0)
    edge = optimizer.supernet.searched_edges[0]
    x = torch.ones(64, 64)
    assert set(edge.op.primitives[1](x).unique().tolist()) == {0.0, 1 / (1 - 0.6)}
    assert edge.op.primitives[1](x).mean().item() == pytest.approx(1, abs=0.1)
    images = batches(1)[0][0]
    torch.manual_seed(1)
    dropped = optimizer.graph(images)
    torch.manual_seed(1)
    assert not torch.equal(dropped, optimizer.graph(images) * 0)
    assert not torch.allclose(dropped, optimizer.graph(images))
    optimizer.graph.eval()
    assert torch.equal(optimizer.graph(images), optimizer.graph(images))
    torch.testing.assert_close(optimizer.graph(images), optimizer.graph.interpret(images))
    graph = optimizer.get_final_architecture()
    assert {type(each.op) for each in graph.all_edges(graph.OPTIMIZER_SCOPE)} == {ops.Identity}


@pytest.mark.parametrize("method", [DARTS, DrNAS])
def test_each_stage_begins_with_a_warm_up(method):
    optimizer = build(StagesSettings(stage_candidates=(5, 3), stage_warm_up=1), method)
    for epoch in range(4):
        optimizer.begin_epoch(epoch)
        alphas = [alpha.detach().clone() for alpha in optimizer.alphas]
        optimizer.step(*batches(2))
        assert same([alpha.detach() for alpha in optimizer.alphas], alphas) == (epoch % 2 == 0)


# Kept weights


@pytest.mark.parametrize("method", [DARTS, DrNAS])
def test_a_kept_supernet_that_does_not_change_continues_bit_for_bit(method):
    """Against a search without stages, whose partial channels are the same."""
    settings = StagesSettings(stage_partial_channels=(2, 2), stage_weights="kept")
    edges = [EdgeNormalizationSettings(edge_normalization=True)]
    staged = build(settings, method, parts=edges, channels=4)
    plain = build(PartialChannelsSettings(2), method, parts=edges, channels=4)
    for epoch in range(4):
        for optimizer in (staged, plain):
            optimizer.begin_epoch(epoch)
            torch.manual_seed(epoch)
            run(optimizer, [epoch])
        assert same(snapshot(staged), snapshot(plain))
        assert rate_of(staged) == rate_of(plain)
    assert staged.parts[-1].stage == 1
    states = [optimizer.supernet.state_dict() for optimizer in (staged, plain)]
    assert str(through_a_file(states[0])) == str(through_a_file(states[1]))


@pytest.mark.parametrize(
    ("method", "space"), [(DrNAS, "nb201"), pytest.param(DARTS, "darts", marks=pytest.mark.slow)]
)
def test_kept_weights_are_copied_to_new_channels_with_their_momentum(method, space):
    """DrNAS: W'[o, i] = W[g(o), g(i)], where g(j) = j for old channels and a random old one for new ones."""
    count = 5 if space == "nb201" else 8
    settings = StagesSettings(
        stage_candidates=(count, 3), stage_partial_channels=(4, 2), stage_weights="kept"
    )
    optimizer = build(settings, method, space, channels=16 if space == "nb201" else 8)
    run(optimizer, [0, 1])
    old = optimizer.supernet
    buffers = {id(p): old.op_optimizer.state[p]["momentum_buffer"] for p in old.weights}
    alphas, rate = [alpha.detach().clone() for alpha in old.alphas], rate_of(optimizer)
    moments = [old.arch_optimizer.state[alpha]["exp_avg"].clone() for alpha in old.alphas]
    optimizer.begin_epoch(2)
    new = optimizer.supernet
    assert new is not old
    assert same([alpha.detach() for alpha in new.alphas], alphas)
    assert same([new.arch_optimizer.state[alpha]["exp_avg"] for alpha in new.alphas], moments)
    assert rate_of(optimizer) == rate
    assert new.schedule.state_dict() == old.schedule.state_dict()

    def check(before, after, outputs, inputs):
        for of in (lambda p: p.detach(), lambda p: (buffers | later)[id(p)]):
            expected = of(before)
            expected = expected if outputs is None else expected[outputs]
            expected = expected if inputs is None else expected[:, inputs]
            assert torch.equal(of(after), expected)

    later = {id(p): new.op_optimizer.state[p]["momentum_buffer"] for p in new.weights}
    widened, drawn = 0, set()
    for before, after in zip(old.mixed_edges(), new.mixed_edges(), strict=True):
        for op, wide in zip(before.op.primitives, after.op.primitives, strict=True):
            convs = [[m for m in each.modules() if isinstance(m, torch.nn.Conv2d)] for each in (op, wide)]
            if isinstance(wide, ops.Pruned) or not convs[0] or isinstance(op, ops.FactorizedReduce):
                continue
            first, channels = convs[0][0].weight.detach(), convs[1][0].out_channels
            rows = first.flatten(1)
            g = [
                next(k for k, row in enumerate(rows) if torch.equal(row, line[: len(row)]))
                for line in _without_new_inputs(convs[1][0], len(rows)).flatten(1)
            ]
            assert g[: len(rows)] == list(range(len(rows)))
            assert len(g) == channels == 2 * len(rows)
            drawn.add(tuple(g[len(rows) :]))
            for conv, wider in zip(*convs, strict=True):
                check(conv.weight, wider.weight, g, None if conv.groups > 1 else g)
            widened += 1
    assert widened > 5
    assert len(drawn) > 1
    fixed = dict(old.graph.named_parameters())
    for name, after in new.graph.named_parameters():
        if "primitives" not in name:
            check(fixed[name], after, None, None)
    run(optimizer, [2, 3])


def _without_new_inputs(conv, channels):
    """The weight of a widened convolution at the input channels that it had before."""
    return conv.weight.detach()[:, :channels]


@pytest.mark.slow
def test_a_skip_connection_of_stride_2_is_widened_too():
    settings = StagesSettings(stage_partial_channels=(4, 2), stage_weights="kept")
    optimizer = build(settings, space="darts", channels=4)
    run(optimizer, [0, 1])
    old = [m for m in optimizer.graph.modules() if isinstance(m, ops.FactorizedReduce)]
    optimizer.begin_epoch(2)
    new = [m for m in optimizer.graph.modules() if isinstance(m, ops.FactorizedReduce)]
    wider = [(a, b) for a, b in zip(old, new, strict=True) if a.even.in_channels != b.even.in_channels]
    assert len(wider) == 2 * 8  # reduction cells have 8 edges of stride 2
    for before, after in wider:
        inputs, outputs = before.even.in_channels, before.even.out_channels
        assert after.even.weight.shape[:2] == (2 * outputs, 2 * inputs)
        assert torch.equal(after.even.weight[:outputs, :inputs], before.even.weight)
        known = {tuple(row) for row in before.even.weight.flatten(1).tolist()}
        assert {tuple(row) for row in after.even.weight[:, :inputs].flatten(1).tolist()} == known


def test_a_method_without_alphas_has_stages_too():
    settings = StagesSettings(stage_partial_channels=(2, 1), stage_weights="kept")
    optimizer = build(settings, RSWS, paths=4, batches=1, finalists=1)
    run(optimizer, range(4))
    assert optimizer.parts[0].stage == 1
    assert all(edge.op.bypass is None for edge in optimizer.supernet.mixed_edges())


def test_the_method_sets_its_temperature_on_the_new_supernet():
    optimizer = build(WIDER, GDAS)
    run(optimizer, range(3))
    taus = optimizer.graph.get_all_edge_data("tau", optimizer.scope)
    assert taus == [optimizer.temperature(2)] * 6
    assert optimizer.temperature(2) != optimizer.temperature(0)


# Searches


def whole_search(parts, path=None, stop=None, **settings):
    config = DARTSConfig(epochs=4, batch=360, arch_learning_rate=0.1)
    settings = SearchSettings(channels=2, **settings)
    return search(settings, config, path, parts=parts, stop=stop)


@pytest.mark.parametrize(
    ("settings", "places"),
    [
        (KEPT, [0.5, 2.0, 2.5, 4.0]),
        (NEW, [1.0, 1.5, 2.0, 2.5, 4.0]),
    ],
)
@pytest.mark.slow
def test_a_search_goes_on_exactly_from_anywhere(settings, places, tmp_path, monkeypatch):
    """From within a stage, from the boundary of two stages, and from the end; places are in epochs."""
    monkeypatch.setattr(pictures, "draw_all", lambda *args: {})
    whole = whole_search([settings])
    path, resumed = tmp_path / "run", None
    for place in [int(place * whole.steps / 4) for place in places]:
        left = iter(range(place - (resumed.steps if resumed else 0)))

        def stop(left=left):
            return next(left, None) is None

        resumed = resume(path, stop=stop) if resumed else whole_search([settings], path, stop)
        assert resumed.steps == place
    resumed = resume(path)
    assert same(snapshot(resumed.optimizer), snapshot(whole.optimizer))
    assert str(resumed.architecture) == str(whole.architecture)
    times = {"seconds", "images_per_second"}
    logs = [
        [{k: v for k, v in row.items() if k not in times} for row in each.log] for each in (resumed, whole)
    ]
    assert logs[0] == logs[1]


def test_scores_of_pruned_candidates_are_nan_and_what_is_left_is_ranked(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "draw_all", lambda *args: {})
    result = whole_search([NEW], tmp_path / "run")
    with np.load(tmp_path / "run" / "alphas.npz") as saved:
        alphas = saved["alphas"]
    assert alphas.shape == (5, 6, 5)
    assert not np.isnan(alphas[:3]).any()
    assert (np.isnan(alphas[3:]).sum(axis=2) == 2).all()
    supernet = result.optimizer.graph
    cells = sample_cells(100, 0, supernet)
    assert len(set(cells)) == 100
    allowed = [edge.kept for edge in GRAPHS.edges(supernet).values()]
    assert all(digit in kept for cell in cells for digit, kept in zip(cell.digits, allowed, strict=True))
    assert len(sample_cells(10_000, 0, supernet)) == 3**6
    assert "2 channels and 1 → 2 cells per stage\n" in format_result(result)


def test_cells_are_sampled_as_ever_from_a_whole_supernet():
    optimizer = build(StagesSettings(stage_candidates=(5, 3)))
    assert sample_cells(20, 1, optimizer.graph) == sample_cells(20, 1)


def test_a_state_of_another_stage_is_loaded_by_building_its_supernet():
    optimizer = build(KEPT)
    states = []
    for epoch in range(4):
        run(optimizer, [epoch])
        states.append(through_a_file(optimizer.state_dict()))
    weights = snapshot(optimizer)
    resumed = build(KEPT, seed=1)
    for number in (3, 0, 3):
        resumed.load_state_dict(states[number])
        assert resumed.parts[0].stage == number // 2
    assert same(snapshot(resumed), weights)
    with resumed.as_chosen() as graph, optimizer.as_chosen() as other:
        assert read_cell(graph) == read_cell(other)


@pytest.mark.parametrize("settings", [KEPT, StagesSettings(stage_candidates=(5, 3))])
def test_a_state_of_the_end_of_a_stage_goes_on_bit_for_bit(settings):
    whole = build(settings, epochs=2)
    run(whole, [0])
    state, rng = through_a_file(whole.state_dict()), torch.get_rng_state()
    run(whole, [1])
    resumed = build(settings, seed=1, epochs=2)
    resumed.load_state_dict(state)
    torch.set_rng_state(rng)
    run(resumed, [1])
    assert resumed.parts[0].stage == 1
    assert same(snapshot(resumed), snapshot(whole))


def test_a_supernet_that_is_built_again_has_the_first_stage():
    optimizer = build(KEPT)
    run(optimizer, range(4))
    torch.manual_seed(0)
    optimizer.adapt_search_space(optimizer.build_space())
    assert optimizer.parts[0].stage == 0
    assert same(snapshot(optimizer), snapshot(build(KEPT)))


def test_bfloat16_and_the_second_order():
    torch.manual_seed(0)
    optimizer = build(KEPT, order=2, epochs=4)
    optimizer.amp = True
    run(optimizer, range(4), steps=1)
    assert all(each.isfinite().all() for each in snapshot(optimizer))


# What has no meaning


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stage_candidates": (5, 3), "stage_cells": (1,)}, "stage_candidates has 2 stages, but stage_cells"),
        ({"stage_candidates": (3, 5)}, "stage_candidates must not increase, got 3,5"),
        ({"stage_candidates": (5, 1)}, "stage_candidates must be an integer >= 2, got 1"),
        ({"stage_cells": (0, 1)}, r"stage_cells must be an integer in \[1, 1,000\], got 0"),
        ({"stage_cells": (1, 1001)}, r"stage_cells must be an integer in \[1, 1,000\], got 1001"),
        ({"stage_partial_channels": (2, 0)}, "stage_partial_channels must be an integer >= 1, got 0"),
        ({"stage_skip_dropout": (0.5, 1.0)}, "stage_skip_dropout must be < 1, got 1.0"),
        ({"stage_warm_up": 1}, "stage_warm_up needs stages, such as --stage-candidates 5,3; try --warm-up"),
        ({"stage_cells": (1, 2), "stage_weights": "kept"}, "stage_weights kept needs a supernet with the"),
        ({"stage_partial_channels": (1, 2), "stage_weights": "kept"}, "operations never get narrower"),
        ({"stage_candidates": (5, 3), "stage_weights": "old"}, "stage_weights must be new or kept"),
    ],
)
def test_invalid_settings(options, message):
    with pytest.raises(ValueError, match=message):
        StagesSettings(**options)


@pytest.mark.parametrize(
    ("settings", "space", "message"),
    [
        ({"stage_candidates": (8, 5)}, {}, "must begin with all candidates of an edge, 5 in nb201, got 8,5"),
        ({"stage_candidates": (5, 3)}, {"space": "darts"}, "of an edge, 8 in darts, got 5,3"),
        ({"stage_candidates": (3, 2)}, {"space": "s1"}, "of an edge, 2 in s1, got 3,2"),
        ({"stage_candidates": (6, 3)}, {"space": "hierarchical"}, "cannot prune motifs of motifs"),
        (
            {"stage_partial_channels": (6, 4)},
            {"channels": 18},
            "6,4 must divide the supernet's channels, got",
        ),
        ({"stage_cells": (2, 3)}, {"space": "darts"}, "stage_cells must be >= 3 in darts, got 2,3"),
        (
            {"stage_cells": (1, 3)},
            {"compile": True},
            "stages rebuild the supernet, and --compile would compile",
        ),
    ],
)
def test_searches_that_cannot_begin(settings, space, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        Stages(StagesSettings(**settings)).check(SearchSettings(**space))


def test_spaces_with_fewer_candidates_at_some_edges_have_stages():
    for space, candidates in (("s3", (3, 2)), ("nb201", (5, 5)), ("darts", (8, 8))):
        Stages(StagesSettings(stage_candidates=candidates)).check(SearchSettings(space=space))


@pytest.mark.parametrize(
    ("method", "config", "settings", "message"),
    [
        (DARTS, DARTSConfig(epochs=5), [PRUNING], "a multiple of the 2 stages, got 5; try 6"),
        (DARTS, DARTSConfig(epochs=1), [PRUNING], "a multiple of the 2 stages, got 1; try 2"),
        (
            DARTS,
            DARTSConfig(epochs=4),
            [StagesSettings(stage_cells=(1, 1), stage_warm_up=2)],
            "stage_warm_up must leave an epoch of each stage for the alphas: it must be < 2 epochs, got 2",
        ),
        (FairDARTS, None, [PRUNING], "stage_candidates prunes candidates whose weights add up to 1"),
        (GDAS, GDASConfig(epochs=4), [PRUNING], "GDAS weighs them in another way"),
        (RSWS, RSWSConfig(epochs=4), [PRUNING], "weighs them in another way"),
        (
            RSWS,
            RSWSConfig(epochs=4),
            [StagesSettings(stage_cells=(1, 1), stage_warm_up=1)],
            "stage_warm_up delays the updates of the alphas; .* has none",
        ),
        (DARTS, None, [PRUNING, SkipLimitSettings(2)], "skip limit, which may stop the search before"),
        (DARTS, None, [PRUNING, AnnealingSettings(0.4)], "annealing, which also prunes candidates"),
        (
            DARTS,
            None,
            [WIDER, CostSettings(1.0)],
            "expected cost, whose costs are counted in a single supernet",
        ),
        (
            DARTS,
            None,
            [WIDER, PartialChannelsSettings(2)],
            "partial channels, because stage_partial_channels",
        ),
        (DARTS, None, [WIDER, DropPathSettings(0.1)], "drop path, because stage_partial_channels"),
        (DARTS, None, [PRUNING, BetaDecaySettings(1.0)], "but beta-decay needs the weights of all"),
        (DARTS, None, [PRUNING, SelectionSettings("perturbation")], "but selection needs the weights of all"),
    ],
)
def test_what_cannot_be_combined(method, config, settings, message):
    with pytest.raises(ConfigError, match=message):
        method(config, parts=build_parts(settings))


def test_random_numbers_of_the_dropout_are_those_of_one_process():
    optimizer = build(NEW)
    with pytest.raises(ConfigError, match="stage_skip_dropout does not support several processes"):
        optimizer.distribute(ProcessGroup(0, 2))


def test_without_a_function_that_builds_the_space_the_supernet_cannot_be_rebuilt():
    optimizer = build(PRUNING)
    optimizer.build_space = None
    optimizer.begin_epoch(1)
    with pytest.raises(GraphError, match="set the method's build_space to a function"):
        optimizer.begin_epoch(2)


def test_flags_are_lists():
    (parse,) = (f.metadata["type"] for f in fields(StagesSettings) if f.name == "stage_candidates")
    assert parse("8,5,3") == (8, 5, 3)
    assert parse("none") == ()
    with pytest.raises(ArgumentTypeError, match=r"must be one number per stage, such as 8,5,3; got '8,x'"):
        parse("8,x")
    assert SMOKE_PARTS.keys() >= StagesSettings().lists.keys()
    recorded = StagesSettings(stage_candidates=(5, 3), stage_skip_dropout=(0.1, 0.2))
    assert StagesSettings.from_json(through_a_file(recorded.to_json()), "stages") == recorded


def test_published_settings_are_those_of_the_space():
    for space, candidates, k, epochs, rate in (
        ("nb201", (5, 3), (4, 2), 100, 0.025),
        ("darts", (8, 4), (6, 4), 50, 0.1),
    ):
        settings = SearchSettings(method="drnas-progressive", space=space, channels=36)
        config, (stages,) = build_config(settings), build_part_settings(settings)
        assert isinstance(config, DrNASConfig)
        assert (stages.stage_candidates, stages.stage_partial_channels) == (candidates, k)
        assert (config.epochs, config.learning_rate) == (epochs, rate)
        part = DrNAS(config, parts=build_parts([stages])).parts[0]
        part.check(settings)
    given = build_part_settings(settings, stage_candidates=(), stage_partial_channels=(1, 1))
    assert given[0].stage_candidates == ()


def test_a_job_checks_the_stages_before_a_folder_exists():
    with pytest.raises(ConfigError, match="8 in darts, got 5,3"):
        SearchJob.create(
            SearchSettings(space="darts"), DARTSConfig(epochs=4), None, ProcessGroup(), [PRUNING]
        )


class _Staged(MethodContract):
    def make(self, seed=0, space=None, scope=None, amp=False, **options):
        optimizer = super().make(seed, space, scope, amp, **options)
        optimizer.build_space = (
            (lambda: NasBench201SearchSpace(CLASSES, 2, 1)) if space is None else space.clone
        )
        return optimizer


@pytest.mark.contract
class TestDARTS(_Staged):
    method = DARTS
    parts = (PRUNING,)
    options = {"epochs": 4}


@pytest.mark.contract
class TestDrNASWithKeptWeights(_Staged):
    method = DrNAS
    parts = (StagesSettings(stage_candidates=(5, 3), stage_weights="kept"),)
    options = {"epochs": 4}
