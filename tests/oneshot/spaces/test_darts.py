from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from oneshot import ops
from oneshot.errors import ConfigError, GenotypeError, GraphError
from oneshot.graph.graph import Graph, by_alpha
from oneshot.methods.darts import DARTS
from oneshot.methods.drnas import DrNAS
from oneshot.methods.gdas import GDAS
from oneshot.mixed import MixedOp
from oneshot.spaces.darts import (
    NORMAL,
    REDUCTION,
    DARTSSearchSpace,
    build_network,
    cells_in,
    fixed_path,
    read_genotype,
)
from oneshot.spaces.genotype import OPERATIONS, Genotype
from oneshot.spaces.published import DARTS_V1, DARTS_V2, GDAS_V1, LIU2018, PUBLISHED
from oneshot.spaces.registry import get_space
from oneshot.testing import CLASSES, SpaceContract
from tests.oneshot.compile.agreement import assert_agrees
from tests.oneshot.graph.examples import chain
from tests.oneshot.spaces.written import genotypes

TINY = {"classes": 3, "channels": 2, "cells": 3}
EDGES = [(source, target) for target in range(3, 7) for source in range(1, target)]  # 14, mixed
FAST = settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def images(size=8, batch=2, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 3, size, size, generator=generator, dtype=dtype)


def searched(method=DARTS, **options):
    torch.manual_seed(0)
    optimizer = method()
    optimizer.adapt_search_space(DARTSSearchSpace(**TINY | options))
    return optimizer


@pytest.fixture(scope="module")
def optimizer():
    """DARTS on the least supernet of all; tests leave its weights and choices as they are."""
    return searched()


@pytest.fixture(scope="module")
def exact():
    """Another in float64."""
    optimizer = searched()
    optimizer.graph.double()
    return optimizer


def randomize(optimizer, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for alpha in optimizer.alphas:
            alpha.copy_(torch.randn(len(alpha), generator=generator))


def sorted_by_source(genotype):
    """As `read_genotype` gives it."""

    def cell(edges):
        nodes = [sorted(edges[k : k + 2], key=lambda edge: edge[1]) for k in range(0, len(edges), 2)]
        return [edge for node in nodes for edge in node]

    return Genotype(
        cell(genotype.normal),
        sorted(genotype.normal_concat),
        cell(genotype.reduce),
        sorted(genotype.reduce_concat),
    )


# The supernet


@pytest.mark.parametrize(
    ("cells", "reductions"), [(3, (1, 2)), (4, (1, 2)), (5, (1, 3)), (8, (2, 5)), (20, (6, 13))]
)
def test_cells_follow_each_other_and_halve_at_a_third_and_at_two_thirds(cells, reductions):
    space = DARTSSearchSpace(classes=4, channels=3, cells=cells)
    assert len(space.nodes) == cells + 4
    assert [cell.scope == REDUCTION for cell in cells_in(space)] == [k in reductions for k in range(cells)]
    assert isinstance(space.edges[1, 2].op, ops.Stem)
    assert space.edges[1, 2].op.conv.out_channels == 9
    assert isinstance(space.edges[2, 3].op, ops.Identity)  # the first cell has the stem's output twice
    c, width = 3, {2: 9, 3: 9}
    for number, cell in enumerate(cells_in(space)):
        node = number + 4
        assert space.nodes[node]["comb_op"] is cell
        assert sorted(space.dag.pred[node]) == [node - 2, node - 1]
        c *= 2 if number in reductions else 1
        first, second = (space.edges[source, node].op for source in (node - 2, node - 1))
        assert type(first) is (ops.FactorizedReduce if number - 1 in reductions else ops.ReLUConvBN)
        convs = [module for module in first.modules() if isinstance(module, nn.Conv2d)]
        assert {conv.in_channels for conv in convs} == {width[node - 2]}
        assert sum(conv.out_channels for conv in convs) == c
        assert (second.conv.in_channels, second.conv.out_channels) == (width[node - 1], c)
        width[node] = 4 * c
    assert space.edges[cells + 3, cells + 4].op.linear.in_features == 4 * c == 48


def test_a_cell_has_fourteen_edges_of_eight_operations():
    space = DARTSSearchSpace(classes=4, channels=3, cells=3)
    for cell, c in zip(cells_in(space), (3, 6, 12), strict=True):
        assert sorted(cell.nodes) == list(range(1, 8))
        assert sorted(cell.edges) == sorted(EDGES + [(node, 7) for node in range(3, 7)])
        assert isinstance(cell.nodes[7]["comb_op"], ops.Concat)
        for source, target in EDGES:
            stride = 2 if cell.scope == REDUCTION and source <= 2 else 1
            candidates = cell.edges[source, target].op
            kinds = [
                *(ops.Zero, ops.Normalized, ops.Normalized),
                ops.Identity if stride == 1 else ops.FactorizedReduce,
                *(ops.SepConv, ops.SepConv, ops.DilConv, ops.DilConv),
            ]
            assert list(map(type, candidates)) == kinds
            assert isinstance(candidates[1].op, ops.MaxPool)
            assert isinstance(candidates[2].op, ops.AvgPool)
            assert [op.stride for op in (candidates[0], candidates[1].op, candidates[2].op)] == [stride] * 3
            depthwise = [
                *(op[0].depthwise for op in candidates[4:6]),
                *(op.depthwise for op in candidates[6:]),
            ]
            assert [conv.kernel_size[0] for conv in depthwise] == [3, 5, 3, 5]
            assert [conv.dilation[0] for conv in depthwise] == [1, 1, 2, 2]
            assert {conv.stride for conv in depthwise} == {(stride, stride)}
            assert {conv.groups for conv in depthwise} == {c}
            assert [op[1].depthwise.stride for op in candidates[4:6]] == [(1, 1)] * 2
            x = torch.randn(2, c, 8, 8)
            assert {op(x).shape for op in candidates} == {(2, c, 8 // stride, 8 // stride)}
        for source in range(3, 7):
            assert isinstance(cell.edges[source, 7].op, ops.Identity)


@pytest.mark.parametrize("size", [8, 16, 32])
def test_images_become_logits(optimizer, size):
    graph = optimizer.graph
    sizes = []
    hooks = [
        cell.register_forward_hook(lambda cell, x, out: sizes.append(out.shape)) for cell in cells_in(graph)
    ]
    try:
        assert graph(images(size)).shape == (2, 3)
    finally:
        for hook in hooks:
            hook.remove()
    assert sizes == [(2, 8, size, size), (2, 16, size // 2, size // 2), (2, 32, size // 4, size // 4)]


def test_copies_of_a_cell_share_alphas_and_no_weights():
    optimizer = searched(cells=6)
    graph = optimizer.graph
    assert [alpha.shape for alpha in optimizer.alphas] == [(8,)] * 28
    cells = cells_in(graph)
    by_kind = {
        kind: [[id(cell.edges[edge].alpha) for edge in EDGES] for cell in cells if cell.scope == kind]
        for kind in (NORMAL, REDUCTION)
    }
    for kind, number in ((NORMAL, 4), (REDUCTION, 2)):
        assert len(by_kind[kind]) == number
        assert all(each == by_kind[kind][0] for each in by_kind[kind])
        assert len(set(by_kind[kind][0])) == 14
    assert not set(by_kind[NORMAL][0]) & set(by_kind[REDUCTION][0])
    weights = [{id(parameter) for parameter in cell.parameters()} for cell in cells]
    assert all(weights)
    assert len(set().union(*weights)) == sum(map(len, weights))
    modules = [id(module) for cell in cells for edge in EDGES for module in cell.edges[edge].op.primitives]
    assert len(set(modules)) == len(modules)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("statistics", [True, False])
def test_every_normalization_is_as_told(affine, statistics):
    space = DARTSSearchSpace(**TINY, affine=affine, statistics=statistics)
    norms = [
        module
        for cell in cells_in(space)
        for edge in EDGES
        for op in cell.edges[edge].op
        for module in op.modules()
        if isinstance(module, nn.BatchNorm2d)
    ]
    norms += [
        module
        for *nodes, edge in space.edges(data=True)
        for module in edge.op.modules()
        if isinstance(module, nn.BatchNorm2d) and nodes != [1, 2]
    ]
    assert space.edges[1, 2].op.bn.affine  # the stem's is, as in the authors' code
    assert {norm.affine for norm in norms} == {affine}
    assert {norm.track_running_stats for norm in norms} == {statistics}


@pytest.mark.parametrize(("option", "least"), [("classes", 2), ("channels", 1), ("cells", 3)])
def test_sizes_are_whole_numbers(option, least):
    for value in (least - 1, 0, -1, 4.5, "4", None, True):
        for make in (DARTSSearchSpace, lambda **sizes: build_network(DARTS_V2, **sizes)):
            with pytest.raises(ConfigError, match=f"{option} must be an integer >= {least}, got "):
                make(**TINY | {option: value})


def test_a_supernet_is_what_it_is_edge_by_edge(exact):
    assert_agrees(exact.graph, images(dtype=torch.float64, batch=3), tolerance=1e-9)


def test_drawn_paths_are_what_they_are_edge_by_edge():
    graph = searched(GDAS).graph.double()
    x = images(dtype=torch.float64)
    for seed in range(5):
        torch.manual_seed(seed)
        expected = graph.interpret(x)
        torch.manual_seed(seed)
        torch.testing.assert_close(graph(x), expected, rtol=1e-9, atol=1e-9)


# What a search ends with


def by_the_paper(alphas):
    """The edges {(source, target): operation} of cells by Liu et al. 2019, section 2.4; alphas: {edge: (8,)}.

    The strength of an operation is its softmax over all eight; of each edge the strongest but `none` counts;
    of the edges into a node the two strongest are retained.
    """
    kept = []
    for target in sorted({target for _, target in alphas}):
        strongest = []
        for (source, into), alpha in alphas.items():
            if into == target:
                share = np.exp(alpha) / np.exp(alpha).sum()
                share[OPERATIONS.index("none")] = 0
                strongest.append((share.max(), source, OPERATIONS[share.argmax()]))
        two = sorted(strongest, reverse=True)[:2]
        kept += sorted(((op, source) for _, source, op in two), key=lambda edge: edge[1])
    return tuple(kept)


def rule_of(optimizer):
    edges = get_space("darts").edges(optimizer.graph)
    found = {}
    for kind in (NORMAL, REDUCTION):
        alphas = {}
        for name, edge in edges.items():
            if name.startswith(kind):
                source, target = map(int, name.split()[1].split("→"))
                alphas[source, target] = edge.alpha.detach().double().numpy()
        found[kind] = by_the_paper(alphas)
    return Genotype(found[NORMAL], range(2, 6), found[REDUCTION], range(2, 6))


@pytest.mark.parametrize("method", [DARTS, GDAS, DrNAS])
def test_the_architecture_is_the_papers(method):
    optimizer = searched(method)
    for seed in range(8):
        randomize(optimizer, seed)
        if seed % 3 == 0:
            with torch.no_grad():
                for alpha in optimizer.alphas:
                    alpha[0] += 3.0  # `none` is the strongest everywhere, and is not chosen
        expected = rule_of(optimizer)
        with optimizer.as_chosen() as graph:
            assert read_genotype(graph) == expected
        assert "none" not in expected.operations
        if seed > 1:
            continue
        graph = optimizer.graph.clone().unparse()
        graph.prepare_discretization()  # as printed, without a strength: that of the alphas
        left = [edge for edge in graph.all_edges((NORMAL, REDUCTION)) if edge.has("alpha")]
        assert len(left) == 3 * 8
        assert {id(edge.alpha) for edge in left} == {
            id(edge.alpha)
            for cell in cells_in(graph)
            for edge in [
                cell.edges[source + 1, 3 + k // 2]
                for k, (_, source) in enumerate(expected.normal if cell.scope == NORMAL else expected.reduce)
            ]
        }


def test_of_edges_alike_the_first_two_stay(optimizer):
    with torch.no_grad():
        for alpha in optimizer.alphas:
            alpha.copy_(torch.tensor([0.0] * 4 + [1.0] + [0.0] * 3))
    with optimizer.as_chosen() as graph:
        found = read_genotype(graph)
    assert found.normal == found.reduce == (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)) * 4


def test_the_final_architecture_is_the_network_of_the_chosen_genotype(optimizer):
    randomize(optimizer, 3)
    with optimizer.as_chosen() as graph:
        genotype = read_genotype(graph)
    graph = optimizer.get_final_architecture()
    assert graph.is_parsed
    assert read_genotype(graph) == genotype
    assert len(cells_in(graph)) == 20
    network = build_network(genotype, classes=3, auxiliary=True)
    assert [tuple(p.shape) for p in graph.parameters()] == [tuple(p.shape) for p in network.parameters()]
    assert graph.eval()(images()).shape == (2, 3)
    assert not any(isinstance(edge.op, (MixedOp, list)) for edge in graph.all_edges())
    assert len(cells_in(optimizer.graph)) == 3


def test_prepare_evaluation_has_sizes():
    space = DARTSSearchSpace(classes=5, channels=2, cells=3)
    for cell in cells_in(space):
        for edge in EDGES:
            cell.edges[edge].set("op", cell.edges[edge].op[4])
    space.prepare_discretization(lambda edge: 0.0)
    space.prepare_evaluation(channels=3, cells=4, auxiliary=False)
    space.parse()
    assert read_genotype(space).normal == (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)) * 4
    assert (len(cells_in(space)), count(space)) == (4, parameters_of(read_genotype(space), 5, 3, 4))
    assert space(images()).shape == (2, 5)


def test_weak_edges_are_those_that_are_left(optimizer):
    graph = optimizer.graph.clone().unparse()
    randomize(SimpleNamespace(alphas=graph.get_all_edge_data("alpha")), 1)
    weak = graph.weak_edges(by_alpha)
    assert len(weak) == 2 * 6  # of one cell of each kind
    cell = cells_in(graph)[0]
    strengths = {source: by_alpha(cell.edges[source, 6]) for source in range(1, 6)}
    first, second, third, *_ = sorted(strengths, key=strengths.get, reverse=True)
    assert cell.edges[first, 6] not in weak
    cell.edges[first, 6].delete()  # then the third is one of the two strongest
    weak = graph.weak_edges(by_alpha)
    assert cell.edges[first, 6] not in weak
    assert not {cell.edges[second, 6], cell.edges[third, 6]} & set(weak)
    graph.prepare_discretization()
    assert all(edge.is_deleted for edge in weak)
    assert graph.weak_edges(by_alpha) == []


def keep_two(node, in_edges, out_edges):
    """Delete all but the two strongest of the edges into a node, in the words of NASLib."""
    for _, data in sorted(in_edges, key=lambda each: max(each[1].alpha[1:]), reverse=True)[2:]:
        data.delete()


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"single_instances": True}, {"single_instances": False}])
def test_an_update_of_nodes_keeps_two_edges_in_every_copy_of_a_cell(options):
    optimizer = searched(cells=8)
    randomize(optimizer, 1)
    graph = optimizer.graph.clone().unparse()
    graph.update_nodes(keep_two, scope=graph.OPTIMIZER_SCOPE, **options)
    expected = optimizer.graph.clone().unparse()
    expected.prepare_discretization(lambda edge: float(edge.alpha.detach()[1:].max()))
    for cell, other in zip(cells_in(graph), cells_in(expected), strict=True):
        left = {edge for edge in cell.edges if not cell.edges[edge].is_deleted}
        assert left == {edge for edge in other.edges if not other.edges[edge].is_deleted}
        assert [sum(target == node for _, target in left) for node in range(3, 8)] == [2, 2, 2, 2, 4]
    assert not any(
        edge.is_deleted for cell in cells_in(optimizer.graph) for *_, edge in cell.edges(data=True)
    )


# The network that is trained from scratch


def parameters_of(genotype, classes, channels, cells, auxiliary=False):
    """From its modules' counts, as the authors' code has them."""

    def sep(c, k):
        return 2 * (c * k * k + c * c + 2 * c)

    def of_edge(op, c, stride):
        return {
            "skip_connect": 0 if stride == 1 else c * c + 2 * c,
            "sep_conv_3x3": sep(c, 3),
            "sep_conv_5x5": sep(c, 5),
            "dil_conv_3x3": sep(c, 3) // 2,
            "dil_conv_5x5": sep(c, 5) // 2,
        }.get(op, 0)

    before = previous = 3 * channels
    total, c = 27 * previous + 2 * previous, channels
    for number in range(cells):
        reduction = number in (cells // 3, 2 * cells // 3)
        c *= 2 if reduction else 1
        total += (before + previous) * c + 4 * c
        edges = genotype.reduce if reduction else genotype.normal
        concat = genotype.reduce_concat if reduction else genotype.normal_concat
        total += sum(of_edge(op, c, 2 if reduction and source < 2 else 1) for op, source in edges)
        before, previous = previous, c * len(concat)
        if auxiliary and number == 2 * cells // 3:
            total += previous * 128 + 2 * 128 + 4 * 128 * 768 + 2 * 768 + 768 * classes + classes
    return total + previous * classes + classes


def test_parameters_that_were_published():
    """3.3 million in Liu et al. 2019, table 1; exactly, those of the authors' code."""
    network = build_network(DARTS_V2)
    assert count(network) == parameters_of(DARTS_V2, 10, 36, 20) == 3_349_342
    assert len(cells_in(network)) == 20


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name != "LIU2018"])
def test_parameters_of_published_genotypes_are_their_modules(name):
    for sizes in ((10, 4, 5), (3, 1, 3)):
        assert count(build_network(PUBLISHED[name], *sizes)) == parameters_of(PUBLISHED[name], *sizes)


@FAST
@given(genotypes(), st.integers(1, 3), st.integers(3, 5))
def test_any_genotype_has_a_network(genotype, channels, cells):
    network = build_network(genotype, 3, channels, cells)
    assert network.is_parsed
    assert count(network) == parameters_of(genotype, 3, channels, cells)
    assert read_genotype(network) == sorted_by_source(genotype)
    network.double().eval()
    x = images(dtype=torch.float64)
    assert network(x).shape == (2, 3)
    torch.testing.assert_close(network(x), network.interpret(x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("genotype", [DARTS_V2, GDAS_V1])
def test_a_network_is_what_it_is_edge_by_edge(genotype):
    torch.manual_seed(0)
    network = build_network(genotype, 3, 2, 3).double()
    assert_agrees(network, images(16, batch=3, dtype=torch.float64), tolerance=1e-9)


def test_every_normalization_of_a_network_has_a_scale_and_statistics_and_pools_have_none():
    network = build_network(DARTS_V2, **TINY)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert all(norm.affine and norm.track_running_stats for norm in norms)
    assert not any(isinstance(module, ops.Normalized) for module in network.modules())


def test_paths_are_dropped_of_all_but_identities():
    network = build_network(DARTS_V2, **TINY)
    for cell in cells_in(network):
        for edge in cell.all_edges():
            dropping = isinstance(edge.op, ops.Sequential) and isinstance(edge.op[-1], ops.DropPath)
            assert dropping == (type(edge.op) is not ops.Identity)
    drops = [module for module in network.modules() if isinstance(module, ops.DropPath)]
    x = images(batch=4)
    torch.manual_seed(0)
    before = network(x)
    torch.testing.assert_close(network(x), before)
    for drop in drops:
        assert drop.rate == 0
        drop.rate = 0.9
    first, second = network(x), network(x)
    assert not torch.allclose(first, before)
    assert not torch.allclose(first, second)
    network.eval()
    torch.testing.assert_close(network(x), network(x))
    assert not any("_kept" in name for name in network.state_dict())


def test_a_second_classifier_is_there_in_training_alone():
    torch.manual_seed(0)
    network = build_network(DARTS_V2, 3, 2, 4, auxiliary=True)
    assert count(network) == parameters_of(DARTS_V2, 3, 2, 4, auxiliary=True)
    x = images(32)
    for found in (network(x), network.interpret(x)):
        logits, auxiliary = found
        assert logits.shape == auxiliary.shape == (2, 3)
    alone = build_network(DARTS_V2, 3, 2, 4)
    alone.load_state_dict({name: network.state_dict()[name] for name in alone.state_dict()})
    for each in (network, alone):
        each.eval()
    torch.testing.assert_close(network(x), alone(x))
    torch.testing.assert_close(network(x), network.interpret(x))
    assert network(images(8)).shape == (2, 3)  # of other images too
    network.train()
    with pytest.raises(GraphError, match="AuxiliaryHead.*Output size is too small"):
        network(images(8))


def test_an_auxiliary_head_stands_before_the_last_cell():
    with pytest.raises(ConfigError, match="must come before the last cell, so cells must be >= 4, got 3"):
        build_network(DARTS_V2, cells=3, auxiliary=True)
    assert count(build_network(DARTS_V2, channels=1, cells=20, auxiliary=True)) == parameters_of(
        DARTS_V2, 10, 1, 20, auxiliary=True
    )


@pytest.mark.parametrize("genotype", [LIU2018, "DARTS_V2", None])
def test_a_network_is_of_a_genotype(genotype):
    with pytest.raises(GenotypeError, match="a network of the space of DARTS needs a Genotype, got "):
        build_network(genotype)


# Genotypes of graphs


def test_cells_with_candidates_left_have_no_genotype(optimizer):
    with pytest.raises(GraphError, match="edge 1-3 of a normal cell still has candidates; get_final"):
        read_genotype(DARTSSearchSpace(**TINY))
    with pytest.raises(GraphError, match="edge 1-3 of a normal cell still has candidates; get_final"):
        read_genotype(optimizer.graph)


def test_cells_that_differ_have_no_genotype():
    network = build_network(DARTS_V2, 3, 1, 5).unparse()
    cells = cells_in(network)
    assert [cell.scope for cell in cells].count(NORMAL) == 3
    cells[2].edges[1, 3].set("op", ops.Identity())
    with pytest.raises(GraphError, match="DARTS network has different normal cells; a genotype needs one"):
        read_genotype(network)


def test_a_graph_without_cells_has_no_genotype(optimizer):
    with pytest.raises(GraphError, match="chain has no normal cells; a genotype needs one"):
        read_genotype(chain(ops.Zero()))
    with (
        pytest.raises(GraphError, match="chain has no cells of the space of DARTS"),
        fixed_path(chain(ops.Zero()), DARTS_V2),
    ):
        pass


def test_a_node_has_two_edges():
    network = build_network(DARTS_V2, **TINY).unparse()
    cells_in(network)[0].edges[1, 3].delete()
    with pytest.raises(GraphError, match="node 3 of a normal cell has 1 edges, not 2; get_final"):
        read_genotype(network)
    network = build_network(DARTS_V2, **TINY).unparse()
    cells_in(network)[0].add_edge(3, 4, op=ops.Identity())
    with pytest.raises(GraphError, match="node 4 of a normal cell has 3 edges, not 2; get_final"):
        read_genotype(network)
    cells_in(network)[0].edges[3, 4].set("op", ops.Zero())
    assert read_genotype(network) == sorted_by_source(DARTS_V2)


@pytest.mark.parametrize(
    "op", [nn.ReLU(), ops.Sequential(nn.ReLU(), ops.DropPath()), ops.Sequential(ops.MaxPool())]
)
def test_another_operation_is_none_of_the_space(op):
    network = build_network(DARTS_V2, **TINY).unparse()
    cells_in(network)[0].edges[1, 3].set("op", op)
    with pytest.raises(
        GraphError, match="edge 1-3 of a normal cell has .*, which is not an operation of the space of DARTS"
    ):
        read_genotype(network)


# One path of a supernet


def by_hand(graph, genotype, x):
    """The path of a genotype through a supernet's modules, without its graph."""
    values = {2: graph.edges[1, 2].op(x)}
    values[3] = values[2]
    for node, cell in enumerate(cells_in(graph), 4):
        states = [graph.edges[source, node].op(values[source]) for source in (node - 2, node - 1)]
        edges = genotype.normal if cell.scope == NORMAL else genotype.reduce
        for k in range(0, len(edges), 2):
            made = []
            for name, source in edges[k : k + 2]:
                candidates = cell.edges[source + 1, 3 + k // 2].op.primitives
                made.append(candidates[OPERATIONS.index(name)](states[source]))
            states.append(made[0] + made[1])
        values[node] = torch.cat(states[2:], dim=1)
    return graph.edges[node, node + 1].op(values[node])


@pytest.mark.parametrize("genotype", [DARTS_V1, DARTS_V2, GDAS_V1], ids=["DARTS_V1", "DARTS_V2", "GDAS_V1"])
def test_fixed_path_runs_the_path_of_the_genotype(exact, genotype):
    graph, x = exact.graph, images(dtype=torch.float64)
    with fixed_path(graph, genotype) as same:
        assert same is graph
        assert read_genotype(graph) == sorted_by_source(genotype)
        for found in (graph(x), graph.interpret(x)):
            torch.testing.assert_close(found, by_hand(graph, genotype, x), rtol=1e-9, atol=1e-9)
    assert graph.get_all_edge_data("choice") == []


@FAST
@given(genotypes(st.just(4)))
def test_any_path_of_a_supernet(exact, genotype):
    graph, x = exact.graph, images(dtype=torch.float64)
    with fixed_path(graph, genotype):
        torch.testing.assert_close(graph(x), by_hand(graph, genotype, x), rtol=1e-9, atol=1e-9)


def test_the_path_that_a_search_would_choose(exact):
    graph, x = exact.graph, images(dtype=torch.float64)
    randomize(exact, 4)
    genotype = rule_of(exact)
    with exact.as_chosen():
        chosen = graph(x)
    with fixed_path(graph, genotype):
        torch.testing.assert_close(graph(x), chosen, rtol=1e-12, atol=1e-12)


def test_fixed_path_restores_what_was(exact):
    graph, x = exact.graph, images(dtype=torch.float64)
    before = graph(x)
    with fixed_path(graph, DARTS_V2):
        with fixed_path(graph, DARTS_V1):
            assert read_genotype(graph) == sorted_by_source(DARTS_V1)
        assert read_genotype(graph) == sorted_by_source(DARTS_V2)
        assert not torch.allclose(graph(x), before)
    with pytest.raises(LookupError), fixed_path(graph, DARTS_V2):
        raise LookupError
    assert graph.get_all_edge_data("choice") == []
    torch.testing.assert_close(graph(x), before)


def test_fixed_path_needs_the_candidates(optimizer):
    with (
        pytest.raises(GraphError, match="edge 1-3 of a normal cell must have a mixed operation, got"),
        fixed_path(build_network(DARTS_V2, **TINY), DARTS_V2),
    ):
        pass
    space = DARTSSearchSpace(**TINY)
    with pytest.raises(GraphError, match="must have a mixed operation, got"), fixed_path(space, DARTS_V2):
        pass
    for cell in cells_in(space):
        for edge in EDGES:
            cell.edges[edge].set("op", MixedOp(cell.edges[edge].op[:4]))
    with (
        pytest.raises(GraphError, match="edge 1-3 of a normal cell has no sep_conv_3x3 among its candidates"),
        fixed_path(space.parse(), DARTS_V2),
    ):
        pass
    assert space.get_all_edge_data("choice") == []
    small = Genotype(DARTS_V2.normal[:4], [2, 3], DARTS_V2.reduce, range(2, 6))
    with (
        pytest.raises(GenotypeError, match="the normal cell of a supernet has 4 nodes, the genotype's 2"),
        fixed_path(optimizer.graph, small),
    ):
        pass


def test_the_space_says_what_is_searched():
    assert DARTSSearchSpace.OPTIMIZER_SCOPE == ("normal", "reduction")
    assert not DARTSSearchSpace.CHOOSES_NONE
    assert Graph.CHOOSES_NONE


class TestContract(SpaceContract):
    def build(self):
        return DARTSSearchSpace(CLASSES, channels=2, cells=4)
