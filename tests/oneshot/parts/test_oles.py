"""Operation-level early stopping."""

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from oneshot.errors import ConfigError
from oneshot.methods.darts import DARTS, DARTSConfig
from oneshot.methods.fairdarts import FairDARTS
from oneshot.methods.gdas import GDAS
from oneshot.methods.reinmax import ReinMax
from oneshot.methods.rsws import RSWS
from oneshot.methods.snas import SNAS, SNASConfig
from oneshot.parts.oles import OLESSettings, OperationStop
from oneshot.parts.registry import build_parts
from oneshot.spaces.darts import DARTSSearchSpace
from oneshot.spaces.hierarchical import HierarchicalSearchSpace
from oneshot.testing import CLASSES, MethodContract, batches, same, snapshot, through_a_file, tiny

CONVOLUTIONS = 2 * 18  # of the candidates at 18 edges, the convolutions have weights


def build(method=DARTS, config=None, space=None, seed=0, **settings):
    torch.manual_seed(seed)
    optimizer = method(config, parts=build_parts([OLESSettings(**{"oles_threshold": 0.4, **settings})]))
    optimizer.adapt_search_space(tiny() if space is None else space)
    return optimizer


def operations(optimizer):
    """The weights of each candidate that has some, by their places in the lists of weights."""
    convs = [op for edge in optimizer.supernet.mixed_edges() for op in edge.op.primitives]
    return [list(op.parameters()) for op in convs if list(op.parameters())]


def plain_steps(optimizer, data, threshold, window, added):
    """Steps of the authors' loop, whose weights keep their gradients until the next training batch.

    A weight that has stopped has no gradient, so it does not count towards the norm that is clipped.
    """
    candidates = operations(optimizer)
    stopped, sums, counts = set(), [0.0] * len(candidates), 0
    saved = None
    for (images, labels), (val_images, val_labels) in zip(data[::2], data[1::2], strict=True):
        loss = cross_entropy(optimizer.graph.interpret(val_images), val_labels)
        wanted = [*optimizer.alphas, *(w for each in candidates for w in each)]
        found = dict(zip(map(id, wanted), torch.autograd.grad(loss, wanted), strict=True))
        for alpha in optimizer.alphas:
            alpha.grad = found[id(alpha)]
        clip_grad_norm_(optimizer.alphas, optimizer.config.grad_clip)
        optimizer.arch_optimizer.step()
        if saved is not None:
            counts += 1
            for number in set(range(len(candidates))) - stopped:
                cosines = []
                for weight in candidates[number]:
                    before = saved[id(weight)]
                    now = found[id(weight)] + before * added
                    norms = (now.square().sum(0) * before.square().sum(0)).sqrt()
                    cosines.append(((now * before).sum(0) / norms.clamp_min(1e-16)).mean().item())
                sums[number] += sum(cosines) / len(cosines)
            if counts == window:
                stopped |= {n for n in range(len(candidates)) if sums[n] / window < threshold}
                sums, counts = [0.0] * len(candidates), 0
        optimizer.op_optimizer.zero_grad()
        cross_entropy(optimizer.graph.interpret(images), labels).backward()
        for number in stopped:
            for weight in candidates[number]:
                weight.grad = None
        clip_grad_norm_(optimizer.weights, optimizer.config.grad_clip)
        trained = [w for n, each in enumerate(candidates) if n not in stopped for w in each]
        saved = {id(weight): weight.grad.clone() for weight in trained}
        optimizer.op_optimizer.step()
    return [number in stopped for number in range(len(candidates))]


@pytest.mark.parametrize(("validation", "threshold"), [("added", 0.75), ("alone", 0.1)])
def test_steps_are_those_of_the_authors_loop(validation, threshold):
    ends, stops = [], []
    for plain in (False, True):
        config = DARTSConfig(grad_clip=1.0)  # lower than the norms
        optimizer = build(config=config, oles_threshold=threshold, oles_window=2, oles_validation=validation)
        optimizer.graph.double()
        data = batches(10, dtype=torch.float64)
        if plain:
            stops.append(plain_steps(optimizer, data, threshold, 2, validation == "added"))
        else:
            for train, val in zip(data[::2], data[1::2], strict=True):
                optimizer.step(train, val)
            stops.append(optimizer.parts[0].stopped)
        ends.append(snapshot(optimizer))
    assert stops[0] == stops[1]
    assert 0 < sum(stops[0]) < CONVOLUTIONS == len(stops[0])
    for left, right in zip(*ends, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-9, atol=1e-12)


def test_a_stopped_operation_stays_as_it_is():
    optimizer = build(oles_threshold=1.0, oles_window=1)
    data = batches(8)
    optimizer.step(*data[:2])
    assert not any(optimizer.parts[0].stopped)  # the first step has nothing to compare with
    optimizer.step(*data[2:4])
    assert all(optimizer.parts[0].stopped)
    before = [weight.detach().clone() for each in operations(optimizer) for weight in each]
    alphas = [alpha.detach().clone() for alpha in optimizer.alphas]
    stem = optimizer.weights[0].detach().clone()
    optimizer.step(*data[4:6])
    assert same([weight.detach() for each in operations(optimizer) for weight in each], before)
    assert not torch.equal(optimizer.weights[0], stem)
    assert not any(map(torch.equal, optimizer.alphas, alphas))
    assert optimizer.parts[0].watched_weights() == []


@pytest.mark.parametrize("method", [DARTS, FairDARTS])
def test_watching_changes_nothing(method):
    ends = []
    for parts in ([], [OperationStop(OLESSettings(oles_threshold=-0.999, oles_window=2))]):
        torch.manual_seed(0)
        optimizer = method(parts=parts)
        optimizer.adapt_search_space(tiny())
        for number in range(3):
            optimizer.step(*batches(2, seed=number))
        ends.append(snapshot(optimizer))
    assert same(*ends)
    assert OLESSettings(oles_window=3).is_neutral


def test_weighted_skip_connections_and_nested_candidates_are_trained_on():
    optimizer = build(space=DARTSSearchSpace(CLASSES, channels=2, cells=3))
    # of eight candidates, four have weights: 14 edges of one normal and of two reduction cells
    assert len(optimizer.parts[0].stopped) == 4 * 3 * 14
    hierarchical = build(space=HierarchicalSearchSpace(CLASSES, 2, motifs=2, motif_nodes=3, cell_nodes=3))
    assert hierarchical.parts[0].stopped
    inner = {id(weight) for each in hierarchical.parts[0]._operations for weight in each}
    assert len(inner) == sum(len(each) for each in hierarchical.parts[0]._operations) > 0


def test_without_updates_of_the_alphas_nothing_is_compared():
    optimizer = build(oles_threshold=1.0, oles_window=1)
    for number in range(3):
        optimizer.train(batches(1, seed=number)[0])
    assert not any(optimizer.parts[0].stopped)


def test_a_search_goes_on_bit_for_bit_within_a_window():
    data = batches(14)

    def run(optimizer, steps):
        for number in steps:
            optimizer.step(*data[2 * number : 2 * number + 2])

    whole = build(oles_threshold=0.75, oles_window=3)
    run(whole, range(5))
    state = through_a_file(whole.state_dict())
    assert 0 < sum(whole.parts[0].stopped) < CONVOLUTIONS
    run(whole, range(5, 7))
    resumed = build(oles_threshold=0.75, oles_window=3, seed=1)
    run(resumed, range(1))
    resumed.load_state_dict(state)
    run(resumed, range(5, 7))
    assert same(snapshot(resumed), snapshot(whole))
    assert resumed.parts[0].stopped == whole.parts[0].stopped


@pytest.mark.parametrize(
    ("method", "config", "message"),
    [
        (RSWS, None, "the gradient that updates the alphas; random search with weight sharing has none"),
        (GDAS, None, "GDAS samples one candidate"),
        (ReinMax, None, "ReinMax samples one candidate"),
        (DARTS, DARTSConfig(order=2), "validation loss at the current weights; try --order 1 with darts"),
        (SNAS, None, "--levels 2 with snas"),
    ],
)
def test_methods_without_such_gradients(method, config, message):
    with pytest.raises(ConfigError, match=message):
        method(config, parts=[OperationStop(OLESSettings(oles_threshold=0.4))])
    SNAS(SNASConfig(levels=2), parts=[OperationStop(OLESSettings(oles_threshold=0.4))])


def test_invalid_settings():
    with pytest.raises(ConfigError, match="oles_threshold must be <= 1, got 1.5"):
        OLESSettings(oles_threshold=1.5)
    with pytest.raises(ConfigError, match="oles_window must be an integer >= 1, got 0"):
        OLESSettings(oles_window=0)
    with pytest.raises(ConfigError, match="oles_validation must be added or alone, got 'both'"):
        OLESSettings(oles_validation="both")


@pytest.mark.contract
class TestDARTS(MethodContract):
    method = DARTS
    parts = (OLESSettings(oles_threshold=0.4, oles_window=100),)  # more steps than the tests take
