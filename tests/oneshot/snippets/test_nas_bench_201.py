"""Snippet 6 of the NASLib paper's appendix (Ruchte et al. 2020), as it is printed there.

Other than there: the imports, a super-class for `num_classes`, and the query, which the paper omits.
"""

# ruff: noqa: B023, B905, N803

import pytest
import torch
import torch.nn as nn

from nasbench import Cell
from oneshot import ops
from oneshot.errors import GraphError
from oneshot.graph import Graph
from oneshot.methods.darts import DARTS
from oneshot.methods.gdas import GDAS
from oneshot.ops import ResNetBasicblock
from oneshot.spaces.nb201 import NasBench201SearchSpace as OwnSearchSpace
from oneshot.spaces.nb201 import read_cell

# fmt: off


class NasBench201SearchSpace(Graph):
    OPTIMIZER_SCOPE = [
        "stage_1",
        "stage_2",
        "stage_3",
    ]
    QUERYABLE = True
    num_classes = 10  # not in the paper

    def __init__(self):
        super().__init__()

        # Cell definition
        cell = Graph()
        cell.name = "cell"
        cell.add_node(1) # Input node
        cell.add_node_from([2, 3]) # Intermediate nodes
        cell.add_node(4) # Output node
        cell.add_edges_densely() # Edges

        # Macro graph definition
        self.name = "makrograph"

        total_num_nodes = 20
        self.add_nodes_from(range(1, total_num_nodes+1))
        self.add_edges_from([(i, i+1) for i in range(1, total_num_nodes)])

        # operations at the edges
        channels = [16, 32, 64]

        self.edges[1, 2].set('op', ops.Stem(channels[0])) # preprocessing
        # stage 1
        for i in range(2, 7):
            self.edges[i, i+1].set('op', cell.copy().set_scope('stage_1'))
        # stage 2
        self.edges[7, 8].set('op', ResNetBasicblock(channels[0], channels[1], stride=2))
        for i in range(8, 13):
            self.edges[i, i+1].set('op', cell.copy().set_scope('stage_2'))
        # stage 3
        self.edges[13, 14].set('op', ResNetBasicblock(channels[1], channels[2], stride=2))
        for i in range(14, 19):
            self.edges[i, i+1].set('op', cell.copy().set_scope('stage_3'))
        # post-processing
        self.edges[19, 20].set('op', ops.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(channels[-1], self.num_classes)
        ))

        # set the ops at the cells (channel dependent)
        for c, scope in zip(channels, self.OPTIMIZER_SCOPE):
            self.update_edges(
                update_func=lambda current_edge_data: _set_cell_ops(current_edge_data, C=c),
                scope=scope,
                private_edge_data=True
            )

    def query(self, metric=None, dataset=None, path=None):
        return OwnSearchSpace.query(self, metric, dataset, path)  # the paper: "query logic here"

def _set_cell_ops(current_edge_data, C):
    current_edge_data.set('op', [
        ops.Identity(),
        ops.Zero(stride=1),
        ops.ReLUConvBN(C, C, kernel_size=3),
        ops.ReLUConvBN(C, C, kernel_size=1),
        ops.AvgPool1x1(kernel_size=3, stride=1),
    ])


# fmt: on


def images(count=2, size=8):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def space():
    return NasBench201SearchSpace()


def test_the_space_is_defined_and_not_yet_a_function(space):
    assert len(space.nodes) == 20
    assert not space.is_parsed
    with pytest.raises(GraphError, match="is not parsed"):
        space(images())
    with pytest.raises(GraphError, match="edge 1-2 of cell .stage_1. has a list of 5 candidates"):
        space.parse()


def test_each_stages_edges_have_the_operations_of_its_width(space):
    for channels, scope in zip([16, 32, 64], space.OPTIMIZER_SCOPE, strict=True):
        edges = space.all_edges(scope)
        assert len(edges) == 5 * 6
        assert {edge.op[2].conv.in_channels for edge in edges} == {channels}
        assert len({id(edge.op[2]) for edge in edges}) == 30
    assert len({id(edge.shared_store) for edge in space.all_edges(space.OPTIMIZER_SCOPE)}) == 6


def test_any_cell_of_it_has_the_benchmarks_parameters_in_its_cells(space):
    """Around the cells the printed network lacks the last normalization, which the benchmark's has."""
    network = space.clone()
    network.update_edges(lambda edge: edge.set("op", edge.op[2]), network.OPTIMIZER_SCOPE)
    count = sum(parameter.numel() for parameter in network.parse().parameters())
    assert count == Cell.from_index(1462).params(classes=10) - 2 * 64
    assert network.query("val_accuracy", "cifar10") == pytest.approx(90.199, abs=5e-4)  # all 3x3


@pytest.mark.parametrize("method", [DARTS, GDAS])
def test_the_methods_here_search_it(space, method):
    torch.manual_seed(0)
    optimizer = method()
    optimizer.adapt_search_space(space)
    assert len(optimizer.alphas) == 6
    batch = images(), torch.tensor([0, 1])
    for _ in range(2):
        step = optimizer.step(batch, batch)
    assert torch.isfinite(step.train_loss)
    torch.manual_seed(1)
    expected = optimizer.graph.interpret(images())
    torch.manual_seed(1)
    torch.testing.assert_close(optimizer.graph(images()), expected, rtol=1e-2, atol=1e-2)
    final = optimizer.get_final_architecture()
    assert final(images()).shape == (2, 10)
    assert read_cell(final) == read_cell(final.clone().unparse())
