"""The hierarchical space: its supernet, networks of hierarchies, and hierarchies of graphs."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Unpack

from torch import nn

from oneshot import ops
from oneshot.errors import GenotypeError, GraphError
from oneshot.graph.edge import EdgeData
from oneshot.graph.graph import Graph
from oneshot.spaces import edges
from oneshot.spaces.base import Graphs, check_minimum
from oneshot.spaces.genotype import PRIMITIVES, Hierarchy, dense_edges

_STAGES = ("stage_1", "stage_2", "stage_3")


class HierarchicalSearchSpace(Graph):
    """The hierarchical space: a stem, three stages of cells made of motifs, and a classifier.

    >>> space = HierarchicalSearchSpace(channels=2)
    >>> cell = space.edges[2, 3].op
    >>> motif = cell.edges[1, 2].op[0]
    >>> len(cell.edges), len(cell.edges[1, 2].op), motif.name, len(motif.edges), len(motif.edges[1, 2].op)
    (10, 6, 'motif 0', 6, 7)

    Each edge of the cell, a level-3 motif of 5 nodes, has the 6 level-2 motifs of 4 nodes as candidates; each
    edge of a motif has the level-1 primitives. Separable convolutions join the cells. All instances of a
    motif share their alphas but have their own weights, and so do the instances of the cell.

    Alphas and node sums are as in NASLib (Ruchte et al. 2020): nodes sum their inputs, and only the output of
    a motif concatenates them, followed by a 1×1 convolution. Liu et al. concatenate at each node. Liu et al.
    and NASLib's code use motifs of 4 nodes and cells of 5; NASLib's appendix prints 5 and 6, which you can
    set.

    Parameters
    ----------
    classes
        Classes of the images, >= 2.
    channels
        Channels of the first stage; each later stage has twice as many as the previous one.
    cells
        Cells per stage.
    motifs
        Number of level-2 motifs.
    motif_nodes, cell_nodes
        Nodes of a motif and of a cell, >= 2.
    **options
        `affine`: whether normalizations have a learned scale and shift; `statistics`: whether they keep
        running statistics. Both are False by default.

    Raises
    ------
    ConfigError
        If a size is too small.

    References
    ----------
    Liu et al. 2018, arXiv:1711.00436, sections 2 and 4.1.
    """

    OPTIMIZER_SCOPE = _STAGES

    def __init__(
        self,
        classes: int = 10,
        channels: int = 16,
        cells: int = 1,
        motifs: int = 6,
        motif_nodes: int = 4,
        cell_nodes: int = 5,
        **options: Unpack[ops.Norm],
    ) -> None:
        super().__init__("hierarchical")
        check_minimum(classes=(classes, 2), channels=(channels, 1), cells=(cells, 1), motifs=(motifs, 1))
        check_minimum(motif_nodes=(motif_nodes, 2), cell_nodes=(cell_nodes, 2))
        self._classes = classes
        norm: ops.Norm = {"affine": False, "statistics": False, **options}
        templates = [_dense(f"motif {number}", motif_nodes) for number in range(motifs)]
        template = _dense("cell", cell_nodes)

        def build_cell(stage: str, c: int) -> Graph:
            cell = template.copy()
            for *_, edge in cell.edges(data=True):
                edge.set("op", [motif.copy() for motif in templates])
            for motif in cell.inner_graphs():
                for *_, edge in motif.edges(data=True):
                    edge.set("op", [_primitive(name, c, **norm) for name in PRIMITIVES])
                _combine(motif, c, **norm)
            return cell.set_scope(stage)

        _add_network(self, classes, channels, cells, build_cell, **norm)

    def prepare_evaluation(self, channels: int = 64, cells: int = 2) -> None:
        """Turn the discretized space into the network for training from scratch, with new weights.

        Drop path has rate 0 until it is set.

        Parameters
        ----------
        channels, cells
            Channels of the first stage and cells per stage; the defaults are from section 4.1.

        Raises
        ------
        GraphError
            If an edge still has several candidates.
        """
        hierarchy = read_hierarchy(self)
        self.dag.clear()
        _add_evaluation_network(self, hierarchy, self._classes, channels, cells)


def _dense(name: str, nodes: int) -> Graph:
    graph = Graph(name)
    graph.add_nodes_from(range(1, nodes + 1))
    graph.add_edges_densely()
    return graph


def _combine(motif: Graph, c: int, **norm: Unpack[ops.Norm]) -> None:
    """Let the output node of a motif concatenate its inputs."""
    output = motif.dag.output()
    motif.nodes[output]["comb_op"] = ops.Concat1x1(motif.dag.in_degree(output), c, c, **norm)


def _primitive(name: str, c: int, **norm: Unpack[ops.Norm]) -> nn.Module:
    """Return a level-1 primitive of `genotype.PRIMITIVES`."""
    primitives: dict[str, Callable[[], nn.Module]] = {
        "none": ops.Zero,
        "skip_connect": ops.Identity,
        "max_pool_3x3": ops.MaxPool,
        "avg_pool_3x3": ops.AvgPool,
        "sep_conv_3x3": lambda: ops.SepConvBNReLU(c, c, **norm),
        "depthwise_conv_3x3": lambda: ops.ConvBNReLU(c, c, 3, alone=True, **norm),
        "conv_1x1": lambda: ops.ConvBNReLU(c, c, 1, **norm),
    }
    return primitives[name]()


def _add_network(
    graph: Graph,
    classes: int,
    channels: int,
    cells: int,
    build_cell: Callable[[str, int], Graph],
    **norm: Unpack[ops.Norm],
) -> None:
    """Add stem, cells and classifier to a graph without nodes; `build_cell(stage, channels)` returns a cell.

    A separable convolution follows each cell; before a new stage, it has stride 2 and doubles the channels
    (Liu et al. 2018, section 4.1).
    """
    layers: list[nn.Module] = [ops.Stem(channels, **norm)]
    for number, stage in enumerate(_STAGES):
        c = channels * 2**number
        for place in range(cells):
            if place:
                layers.append(ops.SepConvBNReLU(c, c, **norm))
            elif number:
                layers.append(ops.SepConvBNReLU(c // 2, c, stride=2, **norm))
            layers.append(build_cell(stage, c))
    layers += [ops.SepConvBNReLU(c, c, **norm), ops.PooledLinear(c, classes)]
    for node, layer in enumerate(layers, 1):
        graph.add_edge(node, node + 1, op=layer)


def build_network(hierarchy: Hierarchy, classes: int = 10, channels: int = 64, cells: int = 2) -> Graph:
    """Return the network of a hierarchy for training from scratch.

    >>> from oneshot.spaces.published import LIU2018
    >>> read_hierarchy(build_network(LIU2018, channels=4)).cell == LIU2018.cell
    True

    LIU2018 has 10.69 M parameters here; its authors report 15.7 M. Here, as in NASLib, nodes sum their inputs
    and only the output of a motif concatenates them. The authors merge by depthwise concatenation; two
    readings of it give their number:

    - concatenation at every node of motifs and cells, and a 1×1 convolution to the cell's channels after each
      motif: 15.73 M; this is closer to their text, where a 1×1 convolution follows each motif
    - a 1×1 convolution after each concatenation: 15.71 M

    Parameters
    ----------
    hierarchy
        The motifs and the cell.
    classes, channels, cells
        As in `HierarchicalSearchSpace`.

    Returns
    -------
    Graph
        The network, parsed.

    Raises
    ------
    GenotypeError
        If `hierarchy` is not a Hierarchy.
    ConfigError
        If a size is too small.

    References
    ----------
    Liu et al. 2018, arXiv:1711.00436, section 4.1.
    """
    if not isinstance(hierarchy, Hierarchy):
        raise GenotypeError(f"a network of the hierarchical space needs a Hierarchy, got {hierarchy!r}")
    check_minimum(classes=(classes, 2), channels=(channels, 1), cells=(cells, 1))
    graph = Graph("hierarchical network")
    _add_evaluation_network(graph, hierarchy, classes, channels, cells)
    return graph.parse()


def _add_evaluation_network(
    graph: Graph, hierarchy: Hierarchy, classes: int, channels: int, cells: int
) -> None:
    def build_motif(number: int, c: int) -> Graph:
        motif = _dense(f"motif {number}", hierarchy.motif_nodes)
        for edge, name in zip(_edges(motif), hierarchy.motifs[number], strict=True):
            motif.edges[edge].set("op", edges.with_drop_path(_primitive(name, c)))
        _combine(motif, c)
        return motif

    def build_cell(stage: str, c: int) -> Graph:
        cell = _dense("cell", hierarchy.cell_nodes)
        for edge, number in zip(_edges(cell), hierarchy.cell, strict=True):
            cell.edges[edge].set("op", build_motif(number, c))
        return cell.set_scope(stage)

    _add_network(graph, classes, channels, cells, build_cell)


# Hierarchies of graphs, and paths of hierarchies


def cells_in(graph: Graph) -> list[Graph]:
    """Return the cells in a graph."""
    return [each for each in graph.graphs() if each.name == "cell" and each.scope in _STAGES]


def read_hierarchy(graph: Graph) -> Hierarchy:
    """Return the Hierarchy of a graph with one operation or a `choice` at each edge.

    A motif that is not selected at any edge of the cell has `none` at all its edges. Raise GraphError if
    copies of the cell or of a motif differ.
    """
    cells = {_read(cell) for cell in cells_in(graph)}
    if len({tuple(number for number, _ in cell) for cell in cells}) != 1:
        raise GraphError(
            f"{graph.name} has {'no' if not cells else 'different'} cells of motifs; a hierarchy needs one"
        )
    motifs: dict[int, tuple[str, ...]] = {}
    for cell in cells:
        for number, names in cell:
            if motifs.setdefault(number, names) != names:
                raise GraphError(f"{graph.name} has different instances of motif {number}")
    none = ("none",) * len(next(iter(motifs.values())))
    numbers = tuple(number for number, _ in cells.pop())
    return Hierarchy(tuple(motifs.get(number, none) for number in range(max(motifs) + 1)), numbers)


def _read(cell: Graph) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """Return number and operation names of the motif at each edge of a cell."""
    motifs = []
    for edge in _edges(cell):
        motif = edges.selected(cell, *edge)
        if not isinstance(motif, Graph) or not motif.name.startswith("motif "):
            raise GraphError(f"{edges.where(cell, *edge)} has {edges.one_line(motif)}, which is not a motif")
        kind = "a primitive of the hierarchical space"
        names = tuple(edges.operation_name(motif, *inner, _name, kind) for inner in _edges(motif))
        motifs.append((int(motif.name.removeprefix("motif ")), names))
    return tuple(motifs)


def _edges(graph: Graph) -> list[tuple[int, int]]:
    """Return the edges of a cell or motif in the order of a Hierarchy, as nodes of the graph."""
    return [(source + 1, target + 1) for source, target in dense_edges(len(graph.nodes))]


def _named_edges(graph: Graph) -> dict[str, EdgeData]:
    cell = cells_in(graph)[0]  # all other cells and all instances of a motif are copies
    motifs = {f"motif {k},": motif for k, motif in enumerate(edges.candidates(cell, 1, 2))}
    return {
        f"{name} {source - 1}→{target - 1}": part.edges[source, target]
        for name, part in [*motifs.items(), ("cell", cell)]
        if isinstance(part, Graph)
        for source, target in _edges(part)
    }


def _name(op: nn.Module) -> str | None:
    """Return the name of a primitive; None if it is not in the space."""
    match edges.without_drop_path(op):
        case ops.Zero():
            return "none"
        case ops.Identity():
            return "skip_connect"
        case ops.MaxPool():
            return "max_pool_3x3"
        case ops.AvgPool():
            return "avg_pool_3x3"
        case ops.SepConvBNReLU():
            return "sep_conv_3x3"
        case ops.ConvBNReLU(conv=conv):
            sizes: dict[tuple[int, ...], str] = {(3, 3): "depthwise_conv_3x3", (1, 1): "conv_1x1"}
            return sizes.get(conv.kernel_size)
    return None


def fixed_path(graph: Graph, hierarchy: Hierarchy) -> AbstractContextManager[Graph]:
    """Let a supernet run only the path of a hierarchy, with the shared weights, within the block.

    Raise GraphError if an edge does not have the candidate that the hierarchy needs, GenotypeError if the
    supernet has too few motifs or another number of nodes.
    """
    choices: list[tuple[EdgeData, int]] = []
    for cell in cells_in(graph):
        _check_nodes(cell, hierarchy.cell_nodes)
        for edge, number in zip(_edges(cell), hierarchy.cell, strict=True):
            modules = edges.candidates(cell, *edge)
            motifs = [op for op in modules if isinstance(op, Graph)]
            count = len(motifs)
            if count < len(modules):
                raise GraphError(f"{edges.where(cell, *edge)} has candidates that are not motifs")
            if number >= count:
                raise GenotypeError(f"the supernet has {count} motifs, but the hierarchy has motif {number}")
            choices.append((cell.edges[edge], number))
            # all motifs, because they share choices
            for motif, names in zip(motifs, hierarchy.motifs, strict=False):
                _check_nodes(motif, hierarchy.motif_nodes)
                inner = zip(_edges(motif), names, strict=True)
                choices += [edges.choice(motif, *place, name, _name) for place, name in inner]
    return edges.choosing_in(graph, choices, "cells of motifs")


def _check_nodes(graph: Graph, nodes: int) -> None:
    if (count := len(graph.nodes)) != nodes:
        raise GenotypeError(f"{graph.name} has {count} nodes in the supernet but {nodes} in the hierarchy")


GRAPHS = Graphs(HierarchicalSearchSpace, _named_edges, read_hierarchy, fixed_path, build_network)
