"""The space of DARTS: its supernet, networks of genotypes, and genotypes of graphs."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Unpack

from torch import nn

from oneshot import ops
from oneshot.compile.pools import by
from oneshot.errors import ConfigError, GenotypeError, GraphError
from oneshot.graph.edge import EdgeData
from oneshot.graph.graph import Graph
from oneshot.spaces.base import Graphs, check_minimum
from oneshot.spaces.edges import choice, choosing_in, operation_name, with_drop_path, without_drop_path
from oneshot.spaces.genotype import NOISE, OPERATIONS, Genotype

_NODES = 4  # between a cell's inputs and its output
_INPUTS = 2
_KEPT = 2  # edges into each node of a discretized cell
_STEM = 3  # the stem has this many times the channels of a node in the first stage
Kind = Literal["normal", "reduction"]  # of cells
NORMAL: Kind = "normal"
REDUCTION: Kind = "reduction"


class DARTSSearchSpace(Graph):
    """The space of DARTS: a stem, normal and reduction cells with two inputs each, and a classifier.

    >>> space = DARTSSearchSpace(channels=4, cells=3)
    >>> cell = space.nodes[4]["comb_op"]  # node 1: the image, 2 and 3: the stem, 4: the first cell
    >>> len(cell.edges[1, 3].op), cell.scope
    (8, 'normal')

    Reduction cells, at one third and two thirds of the depth, halve height and width and double the channels.
    In a cell, nodes 1 and 2 are the inputs, 3 to 6 are intermediate, and 7 is the output, which concatenates
    nodes 3 to 6. Each edge between nodes 1 to 6 has the eight operations. Discretization keeps the two
    strongest edges into each node (`weak_edges`) and never selects `none`. `prepare_evaluation` turns the
    space into the network for training from scratch.

    As in the authors' code, only the stem's normalization has a learned scale and shift by default. In their
    code, all normalizations keep running statistics; here they do so only with `statistics`, because
    evaluation with mixed weights does not need them.

    Parameters
    ----------
    classes
        Classes of the images, >= 2.
    channels
        Channels of a node in the first stage, >= 1.
    cells
        Number of cells in the whole network, >= 3.
    candidates
        Function that returns the operations at an edge from its name, such as "normal 0→2"; by default all
        eight operations.
    **options
        `affine`: whether all normalizations have a learned scale and shift; `statistics`: whether they keep
        running statistics. Both are False by default.

    Raises
    ------
    ConfigError
        If a size is too small.

    References
    ----------
    Liu et al. 2019, arXiv:1806.09055, sections 2.4 and 3.1.
    """

    OPTIMIZER_SCOPE = (NORMAL, REDUCTION)
    CHOOSES_NONE = False

    def __init__(
        self,
        classes: int = 10,
        channels: int = 16,
        cells: int = 8,
        candidates: Callable[[str], Sequence[str]] | None = None,
        **options: Unpack[ops.Norm],
    ) -> None:
        super().__init__("DARTS")
        check_minimum(classes=(classes, 2), channels=(channels, 1), cells=(cells, 3))
        self._classes = classes
        norm: ops.Norm = {"affine": False, "statistics": False, **options}
        templates = {NORMAL: _cell(NORMAL), REDUCTION: _cell(REDUCTION)}

        def build_cell(kind: Kind, c: int) -> Graph:
            cell = templates[kind].copy().set_scope(kind)
            for source, target, edge in cell.edges(data=True):
                if target <= _INPUTS + _NODES:
                    stride = 2 if kind == REDUCTION and source <= _INPUTS else 1
                    names = OPERATIONS if candidates is None else candidates(edge_name(kind, source, target))
                    edge.set("op", [_candidate(name, c, stride, **norm) for name in names])
            return cell

        _add_network(self, classes, channels, cells, build_cell, **norm)

    def weak_edges(self, strength: Callable[[EdgeData], float]) -> list[EdgeData]:
        """Return all edges except the two strongest into each node, of one cell of each kind.

        The other cells of the kind are copies, which share alphas and deletion of edges.

        Parameters
        ----------
        strength
            Function that scores an edge; the two edges with the highest scores are kept.

        Returns
        -------
        list of EdgeData
            Data of the weak edges.
        """
        weak: list[EdgeData] = []
        for cell in {cell.scope: cell for cell in cells_in(self)}.values():
            for node in range(_INPUTS + 1, _INPUTS + _NODES + 1):
                edges = [edge for _, edge in cell.dag.arriving(node)]
                weak += sorted(edges, key=strength, reverse=True)[_KEPT:]
        return weak

    def prepare_evaluation(self, channels: int = 36, cells: int = 20, auxiliary: bool = True) -> None:
        """Turn the discretized space into the network for training from scratch, with new weights.

        Drop path has rate 0 until it is set.

        Parameters
        ----------
        channels, cells
            Sizes of the network; the defaults are from section 3.2.
        auxiliary
            Whether the network has an auxiliary classifier, as in section 3.2.

        Raises
        ------
        GraphError
            If an edge still has several candidates.
        ConfigError
            If there are too few cells for an auxiliary classifier.
        """
        genotype = read_genotype(self)
        self.dag.clear()
        _add_evaluation_network(self, genotype, self._classes, channels, cells, auxiliary)


def edge_name(kind: Kind, source: int, target: int) -> str:
    """Return the name of an edge; source and target are nodes of a cell's graph."""
    return f"{kind} {source - 1}→{target - 1}"


def _cell(kind: Kind) -> Graph:
    """Return a cell without operations."""
    cell = Graph(f"{kind} cell", scope=kind)
    last = _INPUTS + _NODES
    cell.add_nodes_from(range(1, last + 1))
    for target in range(_INPUTS + 1, last + 1):
        cell.add_edges_from((source, target) for source in range(1, target))
    for node in range(_INPUTS + 1, last + 1):
        cell.add_edge(node, last + 1)
        cell.edges[node, last + 1].finalize()  # not searched
    cell.nodes[last + 1]["comb_op"] = ops.Concat()
    return cell


def _operation(name: str, c: int, stride: int, **norm: Unpack[ops.Norm]) -> nn.Module:
    operations: dict[str, Callable[[], nn.Module]] = {
        "none": lambda: ops.Zero(stride),
        NOISE: lambda: ops.Noise(stride),
        "max_pool_3x3": lambda: ops.MaxPool(stride),
        "avg_pool_3x3": lambda: ops.AvgPool(stride),
        "skip_connect": lambda: ops.Identity() if stride == 1 else ops.FactorizedReduce(c, c, **norm),
        "sep_conv_3x3": lambda: ops.SepConv(c, c, 3, stride, **norm),
        "sep_conv_5x5": lambda: ops.SepConv(c, c, 5, stride, **norm),
        "dil_conv_3x3": lambda: ops.DilConv(c, c, 3, stride, **norm),
        "dil_conv_5x5": lambda: ops.DilConv(c, c, 5, stride, **norm),
    }
    return operations[name]()


def _candidate(name: str, c: int, stride: int, **norm: Unpack[ops.Norm]) -> nn.Module:
    """Return an operation for the supernet, where pools are normalized."""
    op = _operation(name, c, stride, **norm)
    return ops.Normalized(op, c, **norm) if "pool" in name else op


def _add_network(
    graph: Graph,
    classes: int,
    channels: int,
    cells: int,
    build_cell: Callable[[Kind, int], Graph],
    auxiliary: bool = False,
    **norm: Unpack[ops.Norm],
) -> None:
    """Add stem, cells and classifier to a graph without nodes; `build_cell(kind, channels)` returns a cell.

    Node 1 is the image; nodes 2 and 3 both are the stem's output, because the first cell takes it twice. Each
    cell is the `comb_op` of a node; the edges to that node preprocess the cell's two inputs.
    """
    last = cells + 3
    if auxiliary and 2 * cells // 3 == cells - 1:
        raise ConfigError(
            f"the auxiliary classifier must come before the last cell, so cells must be >= 4, got {cells}"
        )
    stem: ops.Norm = {**norm, "affine": True}
    graph.add_edge(1, 2, op=ops.Stem(_STEM * channels, **stem))
    graph.add_edge(2, 3)
    width = {2: _STEM * channels, 3: _STEM * channels}
    reduced, c = False, channels
    for number in range(cells):
        node, kind = number + 4, REDUCTION if number in (cells // 3, 2 * cells // 3) else NORMAL
        c *= 2 if kind == REDUCTION else 1
        before, previous = node - 2, node - 1
        first: nn.Module = (
            ops.FactorizedReduce(width[before], c, **norm)
            if reduced
            else ops.ReLUConvBN(width[before], c, 1, **norm)
        )
        graph.add_edge(before, node, op=first)
        graph.add_edge(previous, node, op=ops.ReLUConvBN(width[previous], c, 1, **norm))
        graph.nodes[node]["comb_op"] = cell = build_cell(kind, c)
        width[node] = c * cell.dag.in_degree(cell.dag.output())
        reduced = kind == REDUCTION
        if auxiliary and number == 2 * cells // 3:
            graph.add_edge(node, last + 1, op=ops.AuxiliaryHead(width[node], classes))
    graph.add_edge(last, last + 1, op=ops.PooledLinear(width[last], classes))
    if auxiliary:
        graph.nodes[last + 1]["comb_op"] = ops.WithAuxiliary()


def build_network(
    genotype: Genotype, classes: int = 10, channels: int = 36, cells: int = 20, auxiliary: bool = False
) -> Graph:
    """Return the network of a genotype for training from scratch.

    >>> from oneshot.spaces.published import DARTS_V2
    >>> sum(parameter.numel() for parameter in build_network(DARTS_V2).parameters())
    3349342

    Parameters
    ----------
    genotype
        The normal and the reduction cell.
    classes, channels, cells
        As in `DARTSSearchSpace`.
    auxiliary
        Whether the network returns (logits, auxiliary logits) in training; this needs images of 32×32 pixels.

    Returns
    -------
    Graph
        The network, parsed.

    Raises
    ------
    GenotypeError
        If `genotype` is not a Genotype.
    ConfigError
        If a size is too small.

    References
    ----------
    Liu et al. 2019, arXiv:1806.09055, section 3.2.
    """
    if not isinstance(genotype, Genotype):
        raise GenotypeError(f"a network of the space of DARTS needs a Genotype, got {genotype!r}")
    check_minimum(classes=(classes, 2), channels=(channels, 1), cells=(cells, 3))
    graph = Graph("DARTS network")
    _add_evaluation_network(graph, genotype, classes, channels, cells, auxiliary)
    return graph.parse()


def _add_evaluation_network(
    graph: Graph, genotype: Genotype, classes: int, channels: int, cells: int, auxiliary: bool
) -> None:
    halves = {
        NORMAL: (genotype.normal, genotype.normal_concat),
        REDUCTION: (genotype.reduce, genotype.reduce_concat),
    }

    def build_cell(kind: Kind, c: int) -> Graph:
        edges, concat = halves[kind]
        cell = Graph(f"{kind} cell", scope=kind)
        cell.add_nodes_from(range(1, _INPUTS + 1))
        for number, (name, source) in enumerate(edges):
            op = _operation(name, c, stride=2 if kind == REDUCTION and source < _INPUTS else 1)
            cell.add_edge(source + 1, _INPUTS + 1 + number // _KEPT, op=with_drop_path(op))
        output = max(cell.nodes) + 1
        cell.add_edges_from((node + 1, output) for node in concat)
        cell.nodes[output]["comb_op"] = ops.Concat()
        return cell

    _add_network(graph, classes, channels, cells, build_cell, auxiliary)


# Genotypes of graphs, and paths of genotypes


def cells_in(graph: Graph) -> list[Graph]:
    """Return the cells in a graph."""
    return [each for each in graph.graphs() if each.scope in (NORMAL, REDUCTION)]


def _edges(graph: Graph) -> dict[str, EdgeData]:
    named: dict[str, EdgeData] = {}
    for cell in sorted(cells_in(graph), key=lambda cell: cell.scope == REDUCTION):
        kind = REDUCTION if cell.scope == REDUCTION else NORMAL
        for source, target in sorted(cell.edges, key=lambda edge: edge[::-1]):
            if target < cell.dag.output():
                named.setdefault(edge_name(kind, source, target), cell.edges[source, target])
    return named


def read_genotype(graph: Graph) -> Genotype:
    """Return the Genotype of a graph with one operation or a `choice` at each edge.

    The edges into a node are sorted by source. If there are more than two, edges with `none` are skipped.
    Raise GraphError unless two are left, or if copies of a cell differ.
    """
    fields: list[Any] = []  # edges and nodes, which Genotype checks
    for kind in (NORMAL, REDUCTION):
        cells = {_read(cell) for cell in cells_in(graph) if cell.scope == kind}
        if len(cells) != 1:
            raise GraphError(
                f"{graph.name} has {'no' if not cells else 'different'} {kind} cells; a genotype needs one"
            )
        fields += cells.pop()
    return Genotype(*fields)


def _read(cell: Graph) -> tuple[tuple[tuple[str, int], ...], tuple[int, ...]]:
    """Return the edges of a cell and the nodes that its output concatenates."""
    output, edges = cell.dag.output(), []
    for node in range(_INPUTS + 1, output):
        arriving = [
            (operation_name(cell, source, node, _name, "an operation of the space of DARTS"), source - 1)
            for source, _ in cell.dag.arriving(node)
        ]
        if len(arriving) > _KEPT:
            arriving = [(name, source) for name, source in arriving if name != "none"]
        if len(arriving) != _KEPT:
            raise GraphError(
                f"node {node} of a {cell.name} has {len(arriving)} edges, not {_KEPT};"
                " get_final_architecture() selects them"
            )
        edges += arriving
    return tuple(edges), tuple(source - 1 for source in sorted(cell.dag.pred[output]))


def _name(op: nn.Module) -> str | None:
    """Return the name of an operation; None if it is not in the space."""
    match without_drop_path(op):
        case ops.Zero():
            return "none"
        case ops.Noise():
            return NOISE
        case ops.Identity() | ops.FactorizedReduce():
            return "skip_connect"
        case ops.MaxPool() | ops.Normalized(op=ops.MaxPool()):
            return "max_pool_3x3"
        case ops.AvgPool() | ops.Normalized(op=ops.AvgPool()):
            return "avg_pool_3x3"
        case ops.SepConv() as conv if isinstance(conv[0], ops.DilConv):
            return f"sep_conv_{by(conv[0].depthwise.kernel_size)}"
        case ops.DilConv(depthwise=conv):
            return f"dil_conv_{by(conv.kernel_size)}"
    return None


def fixed_path(graph: Graph, genotype: Genotype) -> AbstractContextManager[Graph]:
    """Let a supernet run only the path of a genotype, with the shared weights, within the block.

    The output of a cell concatenates all nodes, as in the supernet. Raise GraphError if an edge does not have
    the candidate that the genotype needs, GenotypeError if the number of nodes differs.
    """
    choices = []
    for cell in cells_in(graph):
        edges = genotype.normal if cell.scope == NORMAL else genotype.reduce
        wanted = {(source + 1, _INPUTS + 1 + k // _KEPT): name for k, (name, source) in enumerate(edges)}
        output = cell.dag.output()
        nodes = output - _INPUTS - 1
        if len(edges) != _KEPT * nodes:
            raise GenotypeError(
                f"the {cell.name} of a supernet has {nodes} nodes, the genotype's {len(edges) // _KEPT}"
            )
        inner = [edge for edge in cell.edges if edge[1] < output]
        choices += [choice(cell, *edge, wanted.get(edge, "none"), _name) for edge in inner]
    return choosing_in(graph, choices, "cells of the space of DARTS")


GRAPHS: Graphs[Genotype] = Graphs(DARTSSearchSpace, _edges, read_genotype, fixed_path, build_network)
