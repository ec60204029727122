import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from oneshot import ops
from oneshot.errors import ConfigError, GenotypeError, GraphError
from oneshot.graph.graph import Graph
from oneshot.methods.darts import DARTS
from oneshot.methods.gdas import GDAS
from oneshot.mixed import MixedOp
from oneshot.spaces import nb201
from oneshot.spaces.genotype import PRIMITIVES, Hierarchy, dense_edges
from oneshot.spaces.hierarchical import (
    HierarchicalSearchSpace,
    build_network,
    cells_in,
    fixed_path,
    read_hierarchy,
)
from oneshot.spaces.published import DARTS_V2, LIU2018
from oneshot.testing import CLASSES, SpaceContract
from tests.oneshot.compile.agreement import assert_agrees
from tests.oneshot.graph.examples import chain
from tests.oneshot.spaces.written import hierarchies

LEAST = {"classes": 3, "channels": 2, "motifs": 2, "motif_nodes": 3, "cell_nodes": 3}
STAGES = ("stage_1", "stage_2", "stage_3")
SMALL = Hierarchy(
    [["sep_conv_3x3", "none", "conv_1x1"], ["max_pool_3x3", "depthwise_conv_3x3", "skip_connect"]], [1, 0, 1]
)
FAST = settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def images(size=8, batch=2, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 3, size, size, generator=generator, dtype=dtype)


def searched(method=DARTS, **options):
    torch.manual_seed(0)
    optimizer = method()
    optimizer.adapt_search_space(HierarchicalSearchSpace(**LEAST | options))
    optimizer.graph.double()
    return optimizer


@pytest.fixture(scope="module")
def space():
    """As it is searched, of two channels; not to be changed."""
    return HierarchicalSearchSpace(classes=3, channels=2)


@pytest.fixture(scope="module")
def optimizer():
    """DARTS on the least supernet of all, in float64; tests leave its weights and choices as they are."""
    return searched()


def mixed_edges(graph):
    """Of a cell's own edges, and of the edges of the motifs in it."""
    cells = cells_in(graph)
    outer = [edge for cell in cells for *_, edge in cell.edges(data=True)]
    inner = [
        edge
        for each in graph.graphs()
        if each.name.startswith("motif ")
        for *_, edge in each.edges(data=True)
    ]
    return outer, inner


# The space


def test_the_space_is_three_stages_of_one_cell(space):
    layers = [space.edges[node, node + 1].op for node in range(1, 9)]
    kinds = [ops.Stem, Graph, ops.SepConvBNReLU, Graph, ops.SepConvBNReLU, Graph, ops.SepConvBNReLU]
    assert list(map(type, layers)) == [*kinds, ops.PooledLinear]
    assert len(space.nodes) == 9
    assert [layer.scope for layer in layers[1:6:2]] == list(STAGES) == list(space.OPTIMIZER_SCOPE)
    joined = [(layer.pointwise.in_channels, layer.pointwise.out_channels) for layer in layers[2:7:2]]
    assert joined == [(2, 4), (4, 8), (8, 8)]
    assert [layer.depthwise.stride for layer in layers[2:7:2]] == [(2, 2), (2, 2), (1, 1)]
    assert space.CHOOSES_NONE


def test_edges_of_cells_have_motifs_and_edges_of_motifs_have_primitives(space):
    outer, inner = mixed_edges(space)
    assert (len(outer), len(inner)) == (3 * 10, 3 * 10 * 6 * 6)
    for edge in outer:
        assert [motif.name for motif in edge.op] == [f"motif {k}" for k in range(6)]
    for cell, c in zip(cells_in(space), (2, 4, 8), strict=True):
        assert len(cell.nodes) == 5
        assert cell.nodes[5] == {}  # what arrives is added up
        for *_, edge in cell.edges(data=True):
            for motif in edge.op:
                assert sorted((s - 1, t - 1) for s, t in motif.edges) == sorted(dense_edges(4))
                assert [motif.nodes[node] for node in (1, 2, 3)] == [{}] * 3
                combination = motif.nodes[4]["comb_op"]
                assert (combination.conv.in_channels, combination.conv.out_channels) == (3 * c, c)
                assert motif.scope == cell.scope
    primitives = inner[0].op
    kinds = [
        *(ops.Zero, ops.Identity, ops.MaxPool, ops.AvgPool),
        *(ops.SepConvBNReLU, ops.ConvBNReLU, ops.ConvBNReLU),
    ]
    assert list(map(type, primitives)) == kinds
    assert (primitives[5].conv.kernel_size, primitives[5].conv.groups) == ((3, 3), 2)
    assert (primitives[6].conv.kernel_size, primitives[6].conv.groups) == ((1, 1), 1)
    x = torch.randn(2, 2, 6, 6)
    assert {op(x).shape for op in primitives} == {x.shape}


def test_instances_share_alphas_and_no_weights(space):
    """46 alphas: of 6 motifs with 6 edges each, and of the 10 edges of the cell."""
    torch.manual_seed(0)
    optimizer = GDAS()
    optimizer.adapt_search_space(space)
    assert sorted(len(alpha) for alpha in optimizer.alphas) == [6] * 10 + [7] * 36
    outer, inner = mixed_edges(optimizer.graph)
    assert len({id(edge.alpha) for edge in outer}) == 10
    assert len({id(edge.alpha) for edge in inner}) == 36
    for number in range(6):  # an instance of each motif at each of 30 edges
        instances = [edge.op.primitives[number] for edge in outer]
        for source, target in dense_edges(4):
            assert len({id(motif.edges[source + 1, target + 1].alpha) for motif in instances}) == 1
    modules = [id(op) for edge in inner for op in edge.op.primitives]
    combinations = [id(motif.nodes[4]["comb_op"]) for edge in outer for motif in edge.op.primitives]
    for each in (modules, combinations):
        assert len(set(each)) == len(each)
    assert len({id(weight) for weight in optimizer.weights}) == len(optimizer.weights)
    conv = 10 * 6 * 6 * sum(c * 9 + c * c + c * 9 + c * c for c in (2, 4, 8))
    joining = 10 * 6 * sum(3 * c * c for c in (2, 4, 8))
    macro = 27 * 2 + (2 * 9 + 8) + (4 * 9 + 32) + (8 * 9 + 64) + 8 * 3 + 3
    assert count(optimizer.graph) == conv + joining + macro


def test_cells_of_a_stage_are_joined_by_a_convolution():
    space = HierarchicalSearchSpace(**LEAST, cells=2)
    layers = [space.edges[node, node + 1].op for node in range(1, len(space.nodes))]
    assert len(layers) == 1 + 6 + 5 + 2
    strides = [layer.depthwise.stride[0] for layer in layers if isinstance(layer, ops.SepConvBNReLU)]
    assert strides == [1, 2, 1, 2, 1, 1]
    assert [cell.scope for cell in cells_in(space)] == [stage for stage in STAGES for _ in range(2)]


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("statistics", [True, False])
def test_every_normalization_is_as_told(affine, statistics):
    space = HierarchicalSearchSpace(**LEAST, affine=affine, statistics=statistics)
    _, inner = mixed_edges(space)
    modules = [module for edge in inner for op in edge.op for module in op.modules()]
    modules += [
        module for graph in space.graphs() for node in graph.nodes for module in combined(graph, node)
    ]
    for node in range(1, len(space.nodes)):
        op = space.edges[node, node + 1].op
        modules += [] if isinstance(op, Graph) else op.modules()
    norms = [module for module in modules if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 3 * 3 * 2 * (3 * 3 + 1) + 1 + 3
    assert {norm.affine for norm in norms} == {affine}
    assert {norm.track_running_stats for norm in norms} == {statistics}


def combined(graph, node):
    found = graph.nodes[node].get("comb_op")
    return [] if found is None else found.modules()


@pytest.mark.parametrize(
    ("option", "least"),
    [("classes", 2), ("channels", 1), ("cells", 1), ("motifs", 1), ("motif_nodes", 2), ("cell_nodes", 2)],
)
def test_sizes_are_whole_numbers(option, least):
    for value in (least - 1, -1, 2.5, "4", None, True):
        with pytest.raises(ConfigError, match=f"{option} must be an integer >= {least}, got "):
            HierarchicalSearchSpace(**LEAST | {option: value})
        if option in ("classes", "channels", "cells"):
            with pytest.raises(ConfigError, match=f"{option} must be an integer >= {least}, got "):
                build_network(SMALL, **{option: value})


@pytest.mark.parametrize("size", [8, 12, 32])
def test_images_become_logits(optimizer, size):
    assert optimizer.graph(images(size)).shape == (2, 3)


def test_a_supernet_is_what_it_is_edge_by_edge(optimizer):
    x = images(batch=3)
    expected = optimizer.graph.interpret(x)
    torch.testing.assert_close(optimizer.graph(x), expected, rtol=1e-9, atol=1e-9)
    labels = torch.tensor([0, 1, 2])
    tensors = [*optimizer.alphas, *optimizer.weights]
    found = [
        torch.autograd.grad(nn.functional.cross_entropy(run(x), labels), tensors)
        for run in (optimizer.graph, optimizer.graph.interpret)
    ]
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-9)


def test_drawn_paths_are_what_they_are_edge_by_edge():
    graph, x = searched(GDAS).graph, images()
    for seed in range(6):
        torch.manual_seed(seed)
        expected = graph.interpret(x)
        torch.manual_seed(seed)
        torch.testing.assert_close(graph(x), expected, rtol=1e-9, atol=1e-9)


# Networks and their hierarchies


def parameters_of(hierarchy, classes, channels, cells):
    """From its modules' counts."""
    edges = hierarchy.motif_nodes - 1  # into a motif's output
    total, before = 27 * channels + 2 * channels, channels
    for number in range(3):
        c = channels * 2**number
        of_primitive = {
            "sep_conv_3x3": 9 * c + c * c + 2 * c,
            "depthwise_conv_3x3": 9 * c + 2 * c,
            "conv_1x1": c * c + 2 * c,
        }
        motifs = [
            edges * c * c + 2 * c + sum(of_primitive.get(op, 0) for op in motif) for motif in hierarchy.motifs
        ]
        total += cells * sum(motifs[motif] for motif in hierarchy.cell)
        total += (cells - 1) * (9 * c + c * c + 2 * c)
        if number:
            total += 9 * before + before * c + 2 * c
        before = c
    return total + 9 * c + c * c + 2 * c + c * classes + classes


def test_parameters_of_the_published_network():
    assert count(build_network(LIU2018)) == parameters_of(LIU2018, 10, 64, 2)


def parameters_as_concatenated(hierarchy, merged):
    """Of a network at its usual sizes whose nodes concatenate.

    `merged`: a 1×1 convolution after each concatenation; else one after each motif.
    """

    def conv(k, c):
        return k * c + 2 * c

    def primitive(name, k, c):
        """(channels, parameters) of an operation on k channels."""
        match name:
            case "sep_conv_3x3":
                return c, 9 * k + conv(k, c)
            case "conv_1x1":
                return c, conv(k, c)
            case "depthwise_conv_3x3":
                return k, 9 * k + 2 * k
        return k, 0

    def motif(number, k, c):
        k, total = dense(hierarchy.motif_nodes, hierarchy.motifs[number], k, c, primitive)
        return (k, total) if merged else (c, total + conv(k, c))

    def dense(nodes, edges, k, c, apply):
        edges = dict(zip(dense_edges(nodes), edges, strict=True))
        widths, total = [k], 0
        for target in range(1, nodes):
            arriving = [apply(edges[source, target], widths[source], c) for source in range(target)]
            width = sum(k for k, _ in arriving)
            total += sum(count for _, count in arriving)
            if merged and target > 1:
                width, total = c, total + conv(width, c)
            widths.append(width)
        return widths[-1], total

    total, k = 27 * 64 + 2 * 64, 64
    for c, then in ((64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256)):
        k, count = dense(hierarchy.cell_nodes, hierarchy.cell, k, c, motif)
        total += count + 9 * k + conv(k, then)
        k = then
    return total + k * 10 + 10


def test_concatenation_at_each_node_gives_the_published_number_of_parameters():
    assert parameters_as_concatenated(LIU2018, merged=False) == 15_727_306
    assert parameters_as_concatenated(LIU2018, merged=True) == 15_706_186
    assert count(build_network(LIU2018)) == 10_693_962  # as the docstring says


def as_read(hierarchy):
    """As `read_hierarchy` gives it: motifs that the cell has not have no operations, or are not there."""
    count = max(hierarchy.cell) + 1
    return Hierarchy(
        [
            motif if k in hierarchy.cell else ["none"] * len(motif)
            for k, motif in enumerate(hierarchy.motifs[:count])
        ],
        hierarchy.cell,
    )


@FAST
@given(hierarchies(), st.integers(1, 2))
def test_any_hierarchy_has_a_network(hierarchy, cells):
    torch.manual_seed(0)
    network = build_network(hierarchy, 3, 1, cells).double().eval()
    assert count(network) == parameters_of(hierarchy, 3, 1, cells)
    assert read_hierarchy(network) == as_read(hierarchy)
    x = images()
    assert network(x).shape == (2, 3)
    torch.testing.assert_close(network(x), network.interpret(x), rtol=1e-9, atol=1e-9)


def test_a_network_is_what_it_is_edge_by_edge():
    torch.manual_seed(0)
    assert_agrees(build_network(SMALL, 3, 2, 1).double(), images(batch=3), tolerance=1e-9)


def test_a_network_has_scales_statistics_and_paths_to_drop():
    network = build_network(SMALL, 3, 2, 2)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert all(norm.affine and norm.track_running_stats for norm in norms)
    for graph in network.graphs():
        if graph.name.startswith("motif "):
            for edge in graph.all_edges():
                dropping = isinstance(edge.op, ops.Sequential) and isinstance(edge.op[-1], ops.DropPath)
                assert dropping != isinstance(edge.op, (ops.Zero, ops.Identity))
    x = images(dtype=torch.float32)
    before = network(x)
    torch.testing.assert_close(network(x), before)
    for module in network.modules():
        if isinstance(module, ops.DropPath):
            module.rate = 0.9
    torch.manual_seed(0)
    assert not torch.allclose(network(x), before)


@pytest.mark.parametrize("hierarchy", [DARTS_V2, "LIU2018", None])
def test_a_network_is_of_a_hierarchy(hierarchy):
    with pytest.raises(GenotypeError, match="a network of the hierarchical space needs a Hierarchy, got "):
        build_network(hierarchy)


def test_the_final_architecture_is_the_network_of_the_chosen_hierarchy(optimizer):
    torch.manual_seed(1)
    with torch.no_grad():
        for alpha in optimizer.alphas:
            alpha.normal_()
    with optimizer.as_chosen() as graph:
        chosen = read_hierarchy(graph)
    final = optimizer.get_final_architecture()
    assert final.is_parsed
    assert read_hierarchy(final) == chosen
    assert len(cells_in(final)) == 6
    assert count(final) == parameters_of(chosen, 3, 64, 2)


def test_the_chosen_hierarchy_has_the_greatest_alphas(optimizer):
    outer, _ = mixed_edges(optimizer.graph)
    for seed in range(4):
        torch.manual_seed(seed)
        with torch.no_grad():
            for alpha in optimizer.alphas:
                alpha.normal_()
        first = {name: cells_in(optimizer.graph)[0].edges[name] for name in ((1, 2), (1, 3), (2, 3))}
        cell = [int(edge.alpha.argmax()) for edge in first.values()]
        motifs = [
            [PRIMITIVES[int(motif.edges[name].alpha.argmax())] for name in first]
            for motif in outer[0].op.primitives
        ]
        with optimizer.as_chosen() as graph:
            assert read_hierarchy(graph) == as_read(Hierarchy(motifs, cell))


def test_prepare_evaluation_has_sizes():
    space = HierarchicalSearchSpace(**LEAST)
    _, inner = mixed_edges(space)
    for edge in inner:
        edge.set("op", edge.op[6])
    for cell in cells_in(space):
        for *_, edge in cell.edges(data=True):
            edge.set("op", edge.op[1])
    space.prepare_evaluation(channels=3, cells=1)
    found = Hierarchy([["none"] * 3, ["conv_1x1"] * 3], [1, 1, 1])
    assert read_hierarchy(space) == found
    assert count(space.parse()) == parameters_of(found, 3, 3, 1)


# Hierarchies of graphs


def test_candidates_that_are_left_make_no_hierarchy(optimizer):
    with pytest.raises(GraphError, match="edge 1-2 of a cell still has candidates; get_final_arch"):
        read_hierarchy(HierarchicalSearchSpace(**LEAST))
    with pytest.raises(GraphError, match="edge 1-2 of a cell still has candidates; get_final_arch"):
        read_hierarchy(optimizer.graph)
    space = HierarchicalSearchSpace(**LEAST)
    for cell in cells_in(space):
        for *_, edge in cell.edges(data=True):
            edge.set("op", edge.op[0])
    with pytest.raises(GraphError, match="edge 1-2 of motif 0 still has candidates; get_final_arch"):
        read_hierarchy(space)


def test_cells_and_instances_agree():
    network = build_network(SMALL, 3, 1, 1).unparse()
    second = cells_in(network)[1]
    second.edges[1, 2].op.edges[1, 2].set("op", ops.Identity())
    with pytest.raises(GraphError, match="hierarchical network has different instances of motif 1"):
        read_hierarchy(network)
    for cell in cells_in(network):  # alike, but within each there are two instances that are not
        cell.edges[1, 2].op.edges[1, 2].set("op", ops.Identity())
    with pytest.raises(GraphError, match="hierarchical network has different instances of motif 1"):
        read_hierarchy(network)
    second.edges[1, 2].set("op", second.edges[1, 3].op)
    with pytest.raises(GraphError, match="has different cells of motifs; a hierarchy needs one"):
        read_hierarchy(network)


def test_a_graph_without_cells_has_no_hierarchy():
    with pytest.raises(GraphError, match="chain has no cells of motifs; a hierarchy needs one"):
        read_hierarchy(chain(ops.Zero()))
    with (
        pytest.raises(GraphError, match="chain has no cells of motifs"),
        fixed_path(chain(ops.Zero()), SMALL),
    ):
        pass


def test_other_operations_make_no_hierarchy():
    network = build_network(SMALL, 3, 1, 1).unparse()
    motif = cells_in(network)[0].edges[1, 2].op
    for op in (nn.ReLU(), ops.ConvBNReLU(1, 1, 5), ops.Sequential(ops.MaxPool())):
        motif.edges[1, 3].set("op", op)
        with pytest.raises(
            GraphError, match="edge 1-3 of motif 1 has .*, which is not a primitive of the hier"
        ):
            read_hierarchy(network)
    cells_in(network)[0].edges[1, 2].set("op", nn.ReLU())
    with pytest.raises(GraphError, match=r"edge 1-2 of a cell has ReLU\(\), which is not a motif"):
        read_hierarchy(network)


def test_a_deleted_edge_is_none():
    network = build_network(SMALL, 3, 1, 1).unparse()
    for cell in cells_in(network):
        cell.edges[1, 3].op.edges[1, 2].delete()
    assert read_hierarchy(network).motifs[0] == ("none", "none", "conv_1x1")


# One path of a supernet


def by_hand(graph, hierarchy, x):
    """The path of a hierarchy through a supernet's modules, without its graph."""

    def dense(nodes, edges, x, apply, combine):
        states = [x]
        for target in range(1, nodes):
            arriving = [
                apply(edge, states[source])
                for (source, into), edge in zip(dense_edges(nodes), edges, strict=True)
                if into == target
            ]
            states.append(combine(arriving) if target == nodes - 1 else sum(arriving))
        return states[-1]

    def in_cell(cell):
        def apply(edge, x):
            (source, target), number = edge
            motif = cell.edges[source + 1, target + 1].op.primitives[number]

            def primitive(edge, x):
                (source, target), name = edge
                candidates = motif.edges[source + 1, target + 1].op.primitives
                return candidates[PRIMITIVES.index(name)](x)

            nodes, names = hierarchy.motif_nodes, hierarchy.motifs[number]
            edges = list(zip(dense_edges(nodes), names, strict=True))
            return dense(nodes, edges, x, primitive, motif.nodes[nodes]["comb_op"])

        return apply

    for node in range(1, len(graph.nodes)):
        op = graph.edges[node, node + 1].op
        if isinstance(op, Graph):
            edges = list(zip(dense_edges(hierarchy.cell_nodes), hierarchy.cell, strict=True))
            x = dense(hierarchy.cell_nodes, edges, x, in_cell(op), sum)
        else:
            x = op(x)
    return x


MOTIF = st.lists(st.sampled_from(PRIMITIVES), min_size=3, max_size=3)
ALIKE = st.builds(
    Hierarchy,
    st.lists(MOTIF, min_size=2, max_size=2),
    st.lists(st.integers(0, 1), min_size=3, max_size=3),
)


@FAST
@given(ALIKE)
def test_fixed_path_runs_the_path_of_the_hierarchy(optimizer, hierarchy):
    graph, x = optimizer.graph, images()
    with fixed_path(graph, hierarchy) as same:
        assert same is graph
        assert read_hierarchy(graph) == as_read(hierarchy)
        expected = by_hand(graph, hierarchy, x)
        for found in (graph(x), graph.interpret(x)):
            torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    assert graph.get_all_edge_data("choice") == []


def test_fixed_path_restores_what_was(optimizer):
    graph, x = optimizer.graph, images()
    before = graph(x)
    other = Hierarchy(SMALL.motifs[::-1], [0, 0, 1])
    with fixed_path(graph, SMALL):
        with fixed_path(graph, other):
            assert read_hierarchy(graph) == other
        assert read_hierarchy(graph) == SMALL
    with pytest.raises(LookupError), fixed_path(graph, SMALL):
        raise LookupError
    assert graph.get_all_edge_data("choice") == []
    torch.testing.assert_close(graph(x), before)


def test_fixed_path_needs_the_candidates(optimizer):
    for graph in (build_network(SMALL, 3, 1, 1), HierarchicalSearchSpace(**LEAST)):
        with (
            pytest.raises(GraphError, match="edge 1-2 of a cell must have a mixed operation, got"),
            fixed_path(graph, SMALL),
        ):
            pass
    space = HierarchicalSearchSpace(**LEAST)
    _, inner = mixed_edges(space)
    for edge in inner:
        edge.set("op", MixedOp(edge.op[:3]))
    for cell in cells_in(space):
        for *_, edge in cell.edges(data=True):
            edge.set("op", MixedOp(edge.op))
    with (
        pytest.raises(GraphError, match="edge 1-2 of motif 0 has no sep_conv_3x3 among its candidates"),
        fixed_path(space.parse(), SMALL),
    ):
        pass
    assert space.get_all_edge_data("choice") == []


def test_a_hierarchy_of_other_sizes_is_an_error(optimizer):
    for hierarchy, message in [
        (Hierarchy(SMALL.motifs, [0]), "cell has 3 nodes in the supernet but 2 in the hierarchy"),
        (Hierarchy([["none"]], [0] * 3), "motif 0 has 3 nodes in the supernet but 2 in the hierarchy"),
        (
            Hierarchy([["none"] * 3] * 3, [0, 2, 0]),
            "the supernet has 2 motifs, but the hierarchy has motif 2",
        ),
    ]:
        with pytest.raises(GenotypeError, match=message), fixed_path(optimizer.graph, hierarchy):
            pass
    assert optimizer.graph.get_all_edge_data("choice") == []
    torch.manual_seed(0)
    other = DARTS()
    other.adapt_search_space(nb201.NasBench201SearchSpace(channels=1, cells=1))
    with (
        pytest.raises(GraphError, match="edge 1-2 of a cell has candidates that are not motifs"),
        fixed_path(other.graph, Hierarchy([["none"]], [0] * 6)),
    ):
        pass


class TestContract(SpaceContract):
    def build(self):
        return HierarchicalSearchSpace(CLASSES, channels=2, motifs=2, motif_nodes=3, cell_nodes=3)
