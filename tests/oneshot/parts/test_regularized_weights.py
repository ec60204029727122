"""Parts that regularize the weights: a stronger weight decay, and drop path during the search."""

import pytest
import torch

from oneshot.errors import ConfigError
from oneshot.methods.darts import DARTS, DARTSConfig
from oneshot.methods.gdas import GDAS
from oneshot.methods.spos import SPOS
from oneshot.parts.drop_path import DropPathSettings, SearchDropPath
from oneshot.parts.weight_decay import WeightDecay, WeightDecaySettings
from oneshot.spaces.nb201 import read_cell
from oneshot.testing import batches, same, snapshot, through_a_file, tiny
from oneshot.training.distributed import ProcessGroup


def make(kind, *parts, seed=0, **options):
    torch.manual_seed(seed)
    method = kind(kind.config_class(**options), parts=parts)
    method.adapt_search_space(tiny())
    return method


def decayed(factor, schedule="constant"):
    return WeightDecay(WeightDecaySettings(decay_factor=factor, decay_schedule=schedule))


def dropping(rate):
    return SearchDropPath(DropPathSettings(search_drop_path=rate))


def test_a_constant_factor_is_a_search_with_that_weight_decay():
    ends = []
    for method in (make(DARTS, decayed(27.0), order=2), make(DARTS, order=2, weight_decay=27 * 3e-4)):
        for epoch in range(2):
            method.begin_epoch(epoch)
            method.step(*batches(2))
        ends.append(snapshot(method))
    assert same(*ends)


def test_a_linear_factor_rises_from_1_to_the_factor():
    method = make(DARTS, decayed(9.0, "linear"), epochs=5)
    for epoch in range(5):
        method.begin_epoch(epoch)
        (group,) = method.op_optimizer.param_groups
        assert group["weight_decay"] == pytest.approx(3e-4 * (1 + 2 * epoch))


def test_without_weight_decay_there_is_nothing_to_multiply():
    with pytest.raises(ConfigError, match="weight_decay must be > 0 with decay_factor"):
        DARTS(DARTSConfig(weight_decay=0.0), parts=[decayed(3.0)])
    with pytest.raises(ConfigError, match="decay_factor must be > 0"):
        WeightDecaySettings(decay_factor=0.0)


def test_the_drop_rate_rises_linearly():
    method = make(DARTS, dropping(0.6), epochs=4)
    for epoch in range(4):
        method.begin_epoch(epoch)
        (rate,) = {edge.op.drop_path.rate for edge in method.supernet.mixed_edges()}
        assert rate == pytest.approx(0.2 * epoch)


@pytest.mark.parametrize("way", ["forward", "interpret"])
def test_each_edge_is_dropped_for_some_images_and_scaled_for_the_others(way):
    method = make(DARTS, dropping(0.5), epochs=2)
    method.begin_epoch(1)
    cell = next(graph for graph in method.graph.graphs() if graph.scope == "stage_1")
    x = torch.randn(64, 2, 4, 4)
    edge, mixture = cell.edges[1, 2], cell.edges[1, 2].op
    torch.manual_seed(1)
    for source, target, each in cell.edges(data=True):
        if (source, target) not in ((1, 2), (2, 4)):
            each.op.drop_path.rate = 0.0
    torch.manual_seed(1)
    out = getattr(cell, way)(x)
    weights = torch.softmax(edge.alpha, 0)
    whole = sum(w * op(x) for w, op in zip(weights, mixture.primitives, strict=True))
    torch.manual_seed(1)
    masks = [torch.bernoulli(torch.full((64, 1, 1, 1), 0.5)) / 0.5 for _ in range(2)]

    def mixed(source, target, value):
        each = cell.edges[source, target]
        terms = zip(torch.softmax(each.alpha, 0), each.op.primitives, strict=True)
        return sum(w * op(value) for w, op in terms)

    second = whole * masks[0]
    third = mixed(1, 3, x) + mixed(2, 3, second)
    expected = mixed(1, 4, x) + mixed(2, 4, second) * masks[1] + mixed(3, 4, third)
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-4)
    method.graph.eval()
    assert torch.equal(getattr(cell, way)(x), getattr(cell, way)(x))  # in evaluation nothing is dropped


@pytest.mark.parametrize("kind", [DARTS, GDAS, SPOS])
def test_a_search_with_drop_path_goes_on_bit_for_bit(kind):
    def step(method, number):
        method.step(*batches(2, seed=number))

    whole = make(kind, dropping(0.5), epochs=3)
    whole.begin_epoch(2)
    step(whole, 1)
    state = through_a_file(whole.state_dict() | {"rng": torch.get_rng_state()})
    step(whole, 2)
    resumed = make(kind, dropping(0.5), epochs=3, seed=5)
    resumed.load_state_dict(state)
    torch.set_rng_state(state["rng"])
    step(resumed, 2)
    assert same(snapshot(resumed), snapshot(whole))
    graph = resumed.get_final_architecture()
    assert read_cell(graph) == read_cell(whole.get_final_architecture())


def test_several_processes_do_not_drop_paths():
    method = make(DARTS, dropping(0.5))
    with pytest.raises(ConfigError, match="search_drop_path does not support several processes"):
        method.distribute(ProcessGroup())
