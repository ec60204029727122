import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nasbench import Cell
from oneshot import ops
from oneshot.cost import Cost, measure_cost
from oneshot.errors import GraphError
from oneshot.spaces.nb201 import build_network
from oneshot.spaces.published import DARTS_V2, LIU2018
from oneshot.spaces.registry import get_space
from tests.oneshot.graph.examples import chain

POOLS = "|avg_pool_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"


@pytest.mark.parametrize("cell", [0, 6111, 15624, POOLS])
@pytest.mark.parametrize(("classes", "size"), [(10, 32), (100, 32), (120, 16)])
def test_networks_of_the_benchmark_cost_what_its_formulas_say(cell, classes, size):
    cost = measure_cost(build_network(cell, classes), (3, size, size))
    params = Cell.parse(cell).params(classes)
    assert cost == Cost(params, params, Cell.parse(cell).flops(classes, size))


def test_what_weights_of_zero_follow_counts():
    cell = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    assert measure_cost(build_network(cell)).flops == Cell.parse(cell).flops()


@pytest.mark.parametrize(
    ("space", "architecture", "cells"), [("darts", DARTS_V2, 3), ("hierarchical", LIU2018, 1)]
)
def test_multiply_adds_are_those_that_torch_counts_and_a_bias_for_each_class(space, architecture, cells):
    network = get_space(space).network(architecture, classes=7, channels=2, cells=cells)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.clone().eval().interpret(torch.zeros(1, 3, 32, 32))
    assert measure_cost(network).flops == counter.get_total_flops() / 2 + 7


def test_the_network_of_darts_has_the_parameters_that_are_published():
    network = get_space("darts").network(DARTS_V2, auxiliary=True)
    cost = measure_cost(network)
    assert cost.params_without_auxiliary == 3_349_342  # the authors' program prints 3.349342MB
    assert cost.params - cost.params_without_auxiliary == 144 * 4 * 128 + 128 * 768 * 4 + 2 * 896 + 7690


def test_each_use_of_a_layer_counts_its_weights_once():
    layer = nn.Conv2d(3, 3, 3, padding=1, groups=3)
    graph = chain(layer, nn.ReLU(), layer, nn.Flatten(), nn.Linear(48, 5)).parse()
    assert measure_cost(graph, (3, 4, 4)) == Cost(30 + 245, 30 + 245, 2 * 48 * (9 + 1) + 5 * (48 + 1))


def test_an_auxiliary_head_is_for_training_alone():
    graph = chain(ops.Stem(4), ops.AuxiliaryHead(4, 7)).parse()
    head = sum(parameter.numel() for parameter in graph.edges[2, 3].op.parameters())
    cost = measure_cost(graph, (3, 8, 8))
    assert cost.params - cost.params_without_auxiliary == head > 0
    assert cost.flops == 4 * 27 * 64


def test_the_network_stays_as_it_is():
    torch.manual_seed(0)
    network = build_network(6111, channels=2, cells=1)
    network(torch.randn(2, 3, 8, 8)).sum().backward()
    network.edges[2, 3].op.eval()
    modes = [module.training for module in network.modules()]
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    grads = [parameter.grad.clone() for parameter in network.parameters()]
    numbers = torch.get_rng_state()
    measure_cost(network, (3, 8, 8))
    assert [module.training for module in network.modules()] == modes
    assert len(set(modes)) == 2
    torch.testing.assert_close(network.state_dict(), state, rtol=0, atol=0)
    torch.testing.assert_close([each.grad for each in network.parameters()], grads, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), numbers)
    assert not any(module._forward_hooks for module in network.modules())


def test_double_precision_costs_the_same():
    assert measure_cost(build_network(0, channels=2, cells=1).double()) == measure_cost(
        build_network(0, channels=2, cells=1)
    )


def test_a_graph_that_is_being_defined_has_no_cost_yet():
    with pytest.raises(GraphError, match="is not parsed; call parse"):
        measure_cost(chain(ops.Stem(4)))
