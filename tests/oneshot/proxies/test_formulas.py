"""Each proxy is what its paper says: compared with a plain implementation, in float64."""

import copy
import gc
import weakref

import numpy as np
import pytest
import torch
from torch import nn

from oneshot.proxies.az_nas import az_nas
from oneshot.proxies.batch import Batch
from oneshot.proxies.passes import passes, sharing
from oneshot.proxies.registry import FIXED, PROXIES, get_proxy
from oneshot.spaces.nb201 import build_network
from oneshot.spaces.registry import get_space, parse_architecture
from tests.oneshot.proxies import plain


def conv(c_in, c_out, stride=1):
    return nn.Sequential(nn.ReLU(), nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out))


def small_network(seed=0):
    """Return a network of plain modules, with a shortcut-free chain of blocks, in float64."""
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)),
        conv(4, 5),
        conv(5, 8, 2),
        nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), conv(8, 6), nn.MaxPool2d(3, 1, 1)),
        nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 10)),
    ).double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return network


def batch_of(count=12, size=8, classes=10):
    batch = Batch.random(count, 4, size, seed=3)
    return batch._replace(images=batch.images.double(), classes=classes)


def test_a_forward_pass_is_freed_with_its_last_reference():
    """The garbage collector does not see hooks in autograd's graph, so they must not refer to the pass."""
    shared = passes(small_network(), batch_of())
    shared.gradients("snip")
    recorder = weakref.ref(shared.forward)
    del shared
    gc.collect()
    assert recorder() is None


OWN_CHANGES = ("zen",)  # normalization without learned scale and shift


@pytest.mark.parametrize("name", [name for name in PROXIES if name not in FIXED])
def test_proxy_is_its_formula(name):
    network, batch = small_network(), batch_of()
    if name in OWN_CHANGES:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()
    before = copy.deepcopy(network.state_dict())
    score = get_proxy(name)(network, batch)
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in before.items())
    assert score == pytest.approx(getattr(plain, name)(copy.deepcopy(network), batch), rel=1e-10, abs=1e-10)


def test_epe_nas_compares_classes_if_there_are_many():
    network, batch = small_network(), batch_of(classes=120)
    assert get_proxy("epe_nas")(network, batch) == pytest.approx(plain.epe_nas(network, batch), rel=1e-10)


@pytest.mark.parametrize("name", ["DARTS_V2", "LIU2018", "6111", "1835"])
def test_grasp_in_one_pass_is_grasp_by_two_backward_passes(name):
    space, architecture = parse_architecture(name)
    torch.manual_seed(0)
    network = get_space(space).network(architecture, channels=2, cells=3 if space == "darts" else 1).double()
    batch = batch_of(4)
    own = passes(network, batch)
    loss = nn.functional.cross_entropy(own.forward.logits, batch.labels)
    graph = torch.autograd.grad(loss, own.weights, create_graph=True, materialize_grads=True)
    inner = sum((each * each.detach()).sum() for each in graph)
    second = torch.autograd.grad(inner, own.weights, materialize_grads=True)
    expected = -sum((w * h).sum().item() for w, h in zip(own.weights, second, strict=True))
    assert get_proxy("grasp")(network, batch) == pytest.approx(expected, rel=1e-10)


def test_grasp_differentiates_the_gradient_of_functions_that_it_does_not_know():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.Sigmoid(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10)
    ).double()
    batch = batch_of()
    assert get_proxy("grasp")(network, batch) == pytest.approx(plain.grasp(network, batch), rel=1e-10)


@pytest.mark.parametrize("cell", [0, 6111])
def test_params_and_flops_are_the_tables(cell):
    from nasbench import NB201

    network, batch = build_network(cell), Batch.random(2, 10, 32, 0)
    for name in FIXED:
        assert get_proxy(name)(network, batch) == pytest.approx(
            NB201().query(cell, "cifar10", name), abs=1e-9
        )


def test_shared_passes_change_no_score():
    network, batch = build_network(284, channels=2, cells=1).double(), batch_of()
    alone = {name: get_proxy(name)(network, batch) for name in PROXIES}
    with sharing():
        together = {name: get_proxy(name)(network, batch) for name in PROXIES}
    assert together == pytest.approx(alone, rel=1e-12)


def test_relus_of_one_node_count_as_often_as_there_are():
    network, batch = build_network(1462, channels=2, cells=1).double(), batch_of()
    forward = passes(network, batch).forward
    relus = sum(isinstance(module, nn.ReLU) for module in network.modules())
    assert sum(forward.uses) == relus > len(forward.activations)
    assert get_proxy("nwot")(network, batch) == pytest.approx(plain.nwot(network, batch), rel=1e-10)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("grad_norm", 0.0),
        ("snip", 0.0),
        ("plain", 0.0),
        ("grasp", 0.0),
        ("fisher", 0.0),
        ("synflow", 0.0),
        ("nwot", 0.0),
        ("swap", 1.0),
        ("epe_nas", 0.0),
    ],
)
def test_cell_that_passes_nothing_has_the_documented_value(name, value):
    network, batch = build_network(1651, channels=4, cells=1), Batch.random(16, 4, 16, 0)
    assert get_proxy(name)(network, batch) == pytest.approx(value, abs=0.01)


@pytest.mark.parametrize("name", PROXIES)
def test_cell_that_passes_nothing_has_a_finite_score_below_a_good_one(name):
    batch = Batch.random(16, 4, 16, 0)
    torch.manual_seed(0)
    nothing, good = (
        get_proxy(name)(build_network(cell, channels=4, cells=1), batch) for cell in (1651, 6111)
    )
    assert np.isfinite(nothing)
    if name not in ("plain", "grasp", "az_progressivity"):
        assert nothing < good


def test_az_nas_is_the_sum_of_log_ranks():
    columns = [np.array([1.0, 3.0, 2.0]), np.array([5.0, 5.0, 7.0])]
    ranks = [[1, 3, 2], [1.5, 1.5, 3]]
    expected = np.log(np.array(ranks) / 3).sum(0)
    assert az_nas(columns) == pytest.approx(expected)
    columns[0][0] = np.nan
    assert np.isnan(az_nas(columns)).tolist() == [True, False, False]
