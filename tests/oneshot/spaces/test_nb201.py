import random

import numpy as np
import pytest
import torch
from torch import nn

from nasbench import CELLS, OPERATIONS, Cell
from nasbench.cell import EDGES, all_digits
from nasbench.errors import InvalidCellError, UnknownMetricError
from oneshot import ops
from oneshot.errors import ConfigError, GraphError
from oneshot.methods.darts import DARTS
from oneshot.methods.gdas import GDAS
from oneshot.mixed import MixedOp
from oneshot.spaces.nb201 import NasBench201SearchSpace, build_network, cells_in, fixed_path, read_cell
from oneshot.testing import CLASSES, SpaceContract
from tests.oneshot.graph.examples import chain

ARCH = "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|"


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def images(size=8):
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))


def supernet(method=DARTS, **sizes):
    torch.manual_seed(0)
    optimizer = method()
    optimizer.adapt_search_space(NasBench201SearchSpace(**{"classes": 3, "channels": 2, "cells": 1} | sizes))
    return optimizer.graph


# The space


def test_the_space_is_the_benchmarks():
    space = NasBench201SearchSpace()
    names = ["Stem", *["Graph"] * 5, "ResNetBasicblock", *["Graph"] * 5, "ResNetBasicblock", *["Graph"] * 5]
    layers = [space.edges[node, node + 1].op for node in range(1, 20)]
    assert [type(layer).__name__ for layer in layers] == [*names, "Classifier"]
    assert len(space.nodes) == 20
    assert [layer.scope for layer in layers if hasattr(layer, "scope")] == [
        f"stage_{stage}" for stage in (1, 2, 3) for _ in range(5)
    ]
    for layer in layers:
        if hasattr(layer, "scope"):
            assert {(s - 1, t - 1) for s, t in layer.edges} == set(EDGES)


@pytest.mark.parametrize(("channels", "cells"), [(16, 5), (4, 1), (3, 2)])
def test_each_edge_has_the_five_operations_at_its_stages_width(channels, cells):
    space = NasBench201SearchSpace(channels=channels, cells=cells)
    for stage, scope in enumerate(space.OPTIMIZER_SCOPE):
        edges = space.all_edges(scope)
        assert len(edges) == 6 * cells
        for edge in edges:
            none, skip, one, three, pool = edge.op
            assert isinstance(none, ops.Zero)
            assert isinstance(skip, ops.Identity)
            assert isinstance(pool, ops.AvgPool1x1)
            for op, size in ((one, 1), (three, 3)):
                conv = op.conv
                assert conv.kernel_size == (size, size)
                assert conv.in_channels == conv.out_channels == channels * 2**stage


def test_copies_of_a_cell_share_six_alphas():
    graph = supernet(channels=2, cells=2)
    assert len(graph.get_all_edge_data("alpha")) == 6
    assert len(graph.get_all_edge_data("alpha", private_edge_data=True)) == 36


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("statistics", [True, False])
def test_every_normalization_is_as_told(affine, statistics):
    """Those outside of the cells always have a learned scale, as in the code of the benchmark's authors."""
    graph = supernet(affine=affine, statistics=statistics)
    norms = [module for module in graph.modules() if isinstance(module, nn.BatchNorm2d)]
    inside = {id(module) for cell in cells_in(graph) for module in cell.modules()}
    assert len(norms) == 1 + 2 * 2 + 3 * 6 * 2 + 1
    assert {norm.affine for norm in norms if id(norm) in inside} == {affine}
    assert {norm.affine for norm in norms if id(norm) not in inside} == {True}
    assert {norm.track_running_stats for norm in norms} == {statistics}


def test_the_supernet_has_no_scales_in_cells_and_no_running_statistics_by_default():
    graph = supernet()
    norms = [module for module in graph.modules() if isinstance(module, nn.BatchNorm2d)]
    assert sum(norm.affine for norm in norms) == 1 + 2 * 2 + 1
    assert not any(norm.track_running_stats for norm in norms)


@pytest.mark.parametrize("size", [8, 12, 32])
def test_images_become_logits(size):
    assert supernet(classes=7)(images(size)).shape == (2, 7)


@pytest.mark.parametrize("option", ["classes", "channels", "cells"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "4", None, True])
def test_sizes_are_whole_numbers(option, value):
    with pytest.raises(ConfigError, match=f"{option} must be an integer >="):
        NasBench201SearchSpace(**{option: value})


def test_a_network_of_one_class_has_nothing_to_tell():
    with pytest.raises(ConfigError, match="classes must be an integer >= 2, got 1"):
        build_network(0, classes=1)


# Parameters: of real networks, and from their parts of all 15,625


def one_op(edge, op):
    """The cell with an operation at one edge and none at all others."""
    digits = [0] * 6
    digits[edge] = op
    return Cell.from_ops(OPERATIONS[digit] for digit in digits)


@pytest.fixture(scope="module")
def parts():
    """(parameters around the cells, those of each operation at each edge, (6, 5)), from one built network.

    The cells of all stages have each operation at each edge, so that each module is counted where it stands.
    """
    space = NasBench201SearchSpace(affine=True, statistics=True)
    space.update_edges(lambda edge: edge.set("op", MixedOp(edge.op)), space.OPTIMIZER_SCOPE)
    space.parse()
    table = np.zeros((6, 5), dtype=int)
    for graph in space.graphs():
        if graph.scope in space.OPTIMIZER_SCOPE:
            for number, (source, target) in enumerate(EDGES):
                candidates = graph.edges[source + 1, target + 1].op.get_embedded_ops()
                table[number] += [count(op) for op in candidates]
    return count(space) - table.sum(), table


def test_parameters_of_all_cells_are_the_formulas_and_the_tables(parts, bench):
    around, table = parts
    counts = around + table[np.arange(6), all_digits()].sum(axis=1)
    assert counts.shape == (CELLS,)
    assert counts.tolist() == [Cell(code).params(classes=10) for code in range(CELLS)]
    np.testing.assert_array_equal(counts, np.rint(bench.by_code("cifar10", "params") * 1e6))


def test_parameters_of_a_network_are_those_of_its_parts(parts):
    around, table = parts
    for edge in range(6):
        for op in range(5):
            cell = one_op(edge, op)
            assert count(build_network(cell)) == around + table[edge, op] == cell.params(classes=10)


def test_parameters_of_random_cells_and_of_the_known_ones(bench):
    random = np.random.default_rng(0).choice(CELLS, 10, replace=False).tolist()
    for index in [*random, 6111, 1462, 1835, 1651]:
        cell = Cell.from_index(index)
        assert (
            count(build_network(cell))
            == cell.params(classes=10)
            == round(bench.query(cell, "cifar10", "params") * 1e6)
        )


@pytest.mark.parametrize(("index", "millions"), [(6111, 1.073466), (1462, 1.531546), (1651, 0.073306)])
def test_parameters_that_were_published(index, millions):
    assert count(build_network(index)) == round(millions * 1e6)


@pytest.mark.parametrize(("dataset", "classes"), [("cifar100", 100), ("imagenet16-120", 120)])
def test_parameters_with_more_classes(bench, dataset, classes):
    network = build_network(6111, classes=classes)
    assert (
        count(network)
        == Cell.from_index(6111).params(classes)
        == round(bench.query(6111, dataset, "params") * 1e6)
    )


def test_every_normalization_of_a_network_has_a_scale_and_statistics():
    norms = [module for module in build_network(1462).modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 1 + 15 * 6 + 2 * 2 + 1
    assert all(norm.affine and norm.track_running_stats for norm in norms)


# Networks and their cells


@pytest.mark.parametrize(
    "name", [6111, ARCH, Cell.from_string(ARCH).ops, list(Cell.from_string(ARCH).ops), Cell(7)]
)
def test_a_network_may_be_named_in_any_way(name):
    network = build_network(name, classes=3, channels=2, cells=1)
    assert read_cell(network) == Cell.parse(name)
    assert network.is_parsed
    assert network(images()).shape == (2, 3)


@pytest.mark.parametrize("name", ["|none~0|", 15_625, -1, ["none"] * 5, 1.5])
def test_names_of_no_cell(name):
    with pytest.raises(InvalidCellError):
        build_network(name)
    with pytest.raises(InvalidCellError), fixed_path(supernet(), name):
        pass


def test_the_cell_of_a_network_is_its_cell():
    for code in range(0, CELLS, 397):
        assert read_cell(build_network(Cell(code), channels=1, cells=1)) == Cell(code)
    assert read_cell(build_network(ARCH, channels=1, cells=2).unparse()) == Cell.from_string(ARCH)


def test_a_network_agrees_with_what_it_means():
    torch.manual_seed(0)
    for code in range(5, CELLS, 1111):
        network = build_network(Cell(code), classes=3, channels=2, cells=1)
        for training in (True, False):
            network.train(training)
            torch.testing.assert_close(network(images()), network.interpret(images()), rtol=1e-3, atol=1e-3)


def test_cells_with_candidates_left_have_no_cell():
    space = NasBench201SearchSpace(channels=1, cells=1)
    with pytest.raises(GraphError, match="edge 1-2 of a cell still has candidates"):
        read_cell(space)
    with pytest.raises(GraphError, match="edge 1-2 of a cell still has candidates"):
        read_cell(supernet())


def test_cells_that_differ_are_no_cell():
    network = build_network(ARCH, channels=1, cells=1).unparse()
    network.edges[2, 3].op.edges[1, 2].set("op", ops.Zero())
    with pytest.raises(GraphError, match="has different cells"):
        read_cell(network)


def test_a_graph_without_cells_has_no_cell():
    with pytest.raises(GraphError, match="chain has no cells of NAS-Bench-201"):
        read_cell(chain(ops.Zero()))
    with (
        pytest.raises(GraphError, match="chain has no cells of NAS-Bench-201"),
        fixed_path(chain(ops.Zero()), 0),
    ):
        pass


@pytest.mark.parametrize("op", [nn.ReLU(), ops.ReLUConvBN(1, 1, 5)])
def test_another_operation_is_none_of_the_benchmark(op):
    network = build_network(ARCH, channels=1, cells=1).unparse()
    network.edges[2, 3].op.edges[1, 3].set("op", op)
    with pytest.raises(
        GraphError, match="edge 1-3 of a cell has .*which is not an operation of NAS-Bench-201"
    ):
        read_cell(network)


def test_a_deleted_edge_is_none():
    network = build_network(ARCH, channels=1, cells=1).unparse()
    for node in (2, 4, 6):
        network.edges[node, node + 1].op.edges[3, 4].delete()
    assert read_cell(network).ops == (*Cell.from_string(ARCH).ops[:5], "none")


# One path of a supernet


@pytest.mark.parametrize("method", [DARTS, GDAS])
def test_fixed_path_runs_the_path_of_the_cell(method):
    graph = supernet(method)
    for index in (6111, 1835, 4):
        with fixed_path(graph, index) as same:
            assert same is graph
            assert read_cell(graph) == Cell.from_index(index)
            found = graph(images())
        network = build_network(index, 3, 2, 1, affine=False, statistics=False)
        names = dict(zip(EDGES, Cell.from_index(index).digits, strict=True))
        state = graph.state_dict()
        for name in network.state_dict():
            head, *rest = name.split(".")
            if len(rest) > 1 and rest[0].startswith(
                "edge_"
            ):  # of a cell: the supernet has all candidates there
                source, target = map(int, rest[0].split("_")[1:])
                rest.insert(1, f"primitives.{names[source - 1, target - 1]}")
            network.state_dict()[name].copy_(state[".".join([head, *rest])])
        torch.testing.assert_close(found, network(images()), rtol=1e-4, atol=1e-4)


def test_fixed_path_restores_what_was():
    graph = supernet()
    before = graph(images())
    with fixed_path(graph, 6111):
        with fixed_path(graph, ARCH):
            assert read_cell(graph) == Cell.from_string(ARCH)
        assert read_cell(graph) == Cell.from_index(6111)
        assert not torch.allclose(graph(images()), before)
    assert graph.get_all_edge_data("choice") == []
    torch.testing.assert_close(graph(images()), before)
    with pytest.raises(LookupError), fixed_path(graph, 6111):
        raise LookupError
    assert graph.get_all_edge_data("choice") == []


def test_fixed_path_restores_choices_that_are_the_edges_own():
    graph = supernet()
    first = graph.edges[2, 3].op.edges[1, 2]
    first.set("choice", 3)
    with fixed_path(graph, 1835):
        assert read_cell(graph) == Cell.from_index(1835)
    assert graph.get_all_edge_data("choice", private_edge_data=True) == [3]
    assert "choice" not in first.shared_store


def test_fixed_path_finds_candidates_in_any_order():
    space = NasBench201SearchSpace(channels=2, cells=1)
    space.update_edges(lambda edge: edge.set("op", MixedOp(edge.op[::-1])), space.OPTIMIZER_SCOPE)
    with fixed_path(space.parse(), ARCH):
        assert read_cell(space) == Cell.from_string(ARCH)


def test_fixed_path_needs_the_candidates():
    network = build_network(6111, channels=1, cells=1)
    with (
        pytest.raises(GraphError, match="edge 1-2 of a cell must have a mixed operation"),
        fixed_path(network, 0),
    ):
        pass
    space = NasBench201SearchSpace(channels=1, cells=1)
    with pytest.raises(GraphError, match="must have a mixed operation"), fixed_path(space, 0):
        pass
    space.update_edges(lambda edge: edge.set("op", MixedOp(edge.op[:3])), space.OPTIMIZER_SCOPE)
    with (
        pytest.raises(GraphError, match="edge 1-2 of a cell has no nor_conv_3x3"),
        fixed_path(space.parse(), ARCH),
    ):
        pass
    assert space.get_all_edge_data("choice") == []


# The benchmark


def test_query_is_the_benchmarks_entry(bench):
    network = build_network(6111, channels=1, cells=1)
    assert network.query() == bench.query(6111, "cifar10", "val_accuracy")
    assert network.query("flops", "cifar100") == bench.query(6111, "cifar100", "flops")
    assert network.query(seed=777) == bench.query(6111, "cifar10", "val_accuracy", seed=777)
    graph = supernet()
    with fixed_path(graph, ARCH):
        assert graph.query() == bench.query(ARCH, "cifar10", "val_accuracy")


def test_query_of_another_store(bench):
    network = build_network(6111, channels=1, cells=1)
    assert network.query(path=bench.store.path) == network.query()


def test_query_needs_a_cell_and_a_metric():
    with pytest.raises(GraphError, match="still has candidates"):
        supernet().query()
    with pytest.raises(UnknownMetricError):
        build_network(6111, channels=1, cells=1).query("beauty")


def test_the_space_says_that_it_can_be_queried():
    assert NasBench201SearchSpace.QUERYABLE
    assert NasBench201SearchSpace.OPTIMIZER_SCOPE == ("stage_1", "stage_2", "stage_3")


def test_any_path_of_a_supernet_is_what_it_is_edge_by_edge():
    torch.manual_seed(0)
    optimizer = DARTS()
    optimizer.adapt_search_space(NasBench201SearchSpace(classes=3, channels=2, cells=1))
    graph = optimizer.graph.double()
    x = torch.randn(3, 3, 8, 8, dtype=torch.float64)
    for code in random.Random(0).sample(range(CELLS), 150):
        with fixed_path(graph, Cell(code)):
            torch.testing.assert_close(graph(x), graph.interpret(x), rtol=1e-10, atol=1e-10)


class TestContract(SpaceContract):
    def build(self):
        return NasBench201SearchSpace(CLASSES, channels=2, cells=1)
