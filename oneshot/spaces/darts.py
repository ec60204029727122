"""The space of DARTS: its supernet, the network of any genotype, and the genotype of what a search found."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from torch import nn

from oneshot import ops
from oneshot.errors import ConfigError, GenotypeError, GraphError
from oneshot.graph.edge import EdgeData
from oneshot.graph.graph import Graph
from oneshot.mixed import choosing
from oneshot.spaces.base import check_minimum
from oneshot.spaces.edges import candidate_number, one_line, selected
from oneshot.spaces.genotype import Genotype

_NODES = 4  # between a cell's inputs and its output
_INPUTS = 2
_KEPT = 2  # edges into a node, of those that a search weighs
_STEM = 3  # times as many channels as a cell's node of the first stage
Kind = Literal["normal", "reduction"]  # of a cell
NORMAL: Kind = "normal"
REDUCTION: Kind = "reduction"


class DARTSSearchSpace(Graph):
    """A stem, cells of two kinds with two inputs each, and a classifier.

    >>> space = DARTSSearchSpace(channels=4, cells=3)
    >>> cell = space.nodes[4]["comb_op"]  # node 1: the image, 2 and 3: the stem, 4: the first cell
    >>> len(cell.edges[1, 3].op), cell.scope
    (8, 'normal')

    At a third and at two thirds of the depth are reduction cells, which halve height and width and double
    the channels. In a cell, nodes 1 and 2 are the inputs, 3 to 6 are in between, and 7 is the output, which
    concatenates those; each edge between them has the eight operations. Of the edges into a node the two
    strongest stay (`weak_edges`), and `none` is never selected. `prepare_evaluation` turns the space into the
    network that is trained from scratch.

    In the supernet, as in the authors' code, only the stem's normalization has a learned scale and shift by
    default. In their code all normalizations keep running statistics, which evaluation at mixed weights does
    not need; here only with `statistics`.

    Parameters
    ----------
    classes
        Classes of images, at least 2.
    channels
        Channels of a cell's node in the first stage.
    cells
        The number of all cells, at least 3.
    affine
        Whether every normalization has a learned scale and shift.
    statistics
        Whether normalization keeps running statistics.

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
        affine: bool = False,
        statistics: bool = False,
    ) -> None:
        super().__init__("DARTS")
        check_minimum(classes=(classes, 2), channels=(channels, 1), cells=(cells, 3))
        self._classes = classes
        norm = {"affine": affine, "statistics": statistics}
        templates = {NORMAL: _cell(NORMAL), REDUCTION: _cell(REDUCTION)}

        def build_cell(kind: Kind, c: int) -> Graph:
            cell = templates[kind].copy().set_scope(kind)
            for source, target, edge in cell.edges(data=True):
                if target <= _INPUTS + _NODES:
                    stride = 2 if kind == REDUCTION and source <= _INPUTS else 1
                    edge.set("op", _candidates(c, stride, **norm))
            return cell

        _add_network(self, classes, channels, cells, build_cell, norm)

    def weak_edges(self, strength: Callable[[EdgeData], float]) -> list[EdgeData]:
        """Return the edges beyond the two strongest into each node of a cell of each kind.

        Other cells of the kind are its copies, with which its edges share alphas and deletion.
        """
        weak: list[EdgeData] = []
        first: dict[str | None, Graph] = {}
        for cell in cells_in(self):
            first.setdefault(cell.scope, cell)
        for cell in first.values():
            for node in range(_INPUTS + 1, _INPUTS + _NODES + 1):
                edges = [edge for _, edge in cell.dag.arriving(node)]
                weak += sorted(edges, key=strength, reverse=True)[_KEPT:]
        return weak

    def prepare_evaluation(self, channels: int = 36, cells: int = 20, auxiliary: bool = True) -> None:
        """Become the network of the discretized cells that is trained from scratch, with new weights.

        Section 3.2: 36 channels, 20 cells, a second classifier. Drop path has rate 0 until it is set.
        """
        genotype = read_genotype(self)
        self.dag.clear()
        _add_evaluation_network(self, genotype, self._classes, channels, cells, auxiliary)


def _cell(kind: Kind) -> Graph:
    """Return a cell without operations."""
    cell = Graph(f"{kind} cell", scope=kind)
    last = _INPUTS + _NODES
    cell.add_nodes_from(range(1, last + 1))
    for target in range(_INPUTS + 1, last + 1):
        cell.add_edges_from((source, target) for source in range(1, target))
    for node in range(_INPUTS + 1, last + 1):
        cell.add_edge(node, last + 1)
        cell.edges[node, last + 1].finalize()  # nothing to search
    cell.nodes[last + 1]["comb_op"] = ops.Concat()
    return cell


def _candidates(c: int, stride: int, affine: bool, statistics: bool) -> list[nn.Module]:
    """Return the operations in the order of `genotype.OPERATIONS`."""
    norm = {"affine": affine, "statistics": statistics}
    return [
        ops.Zero(stride),
        ops.Normalized(ops.MaxPool(stride), c, **norm),
        ops.Normalized(ops.AvgPool(stride), c, **norm),
        ops.Identity() if stride == 1 else ops.FactorizedReduce(c, c, **norm),
        ops.SepConv(c, c, 3, stride, **norm),
        ops.SepConv(c, c, 5, stride, **norm),
        ops.DilConv(c, c, 3, stride, **norm),
        ops.DilConv(c, c, 5, stride, **norm),
    ]


def _add_network(
    graph: Graph,
    classes: int,
    channels: int,
    cells: int,
    build_cell: Callable[[Kind, int], Graph],
    norm: dict[str, bool],
    auxiliary: bool = False,
) -> None:
    """Add stem, cells and classifier to a graph without nodes; `build_cell(kind, channels)` returns a cell.

    Node 1 is the image, 2 the stem's output, 3 the same again, because the first cell takes it twice. A cell
    is the `comb_op` of the next node; the preprocessing of its two inputs is at the edges to that node.
    """
    last = cells + 3
    if auxiliary and 2 * cells // 3 == cells - 1:
        raise ConfigError(
            f"an auxiliary head stands before the last cell, so cells are 4 or more, got {cells}"
        )
    graph.add_edge(1, 2, op=ops.Stem(_STEM * channels, **(norm | {"affine": True})))
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
        output = max(cell.nodes)
        width[node] = c * cell.dag.in_degree(output)
        reduced = kind == REDUCTION
        if auxiliary and number == 2 * cells // 3:
            graph.add_edge(node, last + 1, op=ops.AuxiliaryHead(width[node], classes))
    graph.add_edge(last, last + 1, op=ops.PooledLinear(width[last], classes))
    if auxiliary:
        graph.nodes[last + 1]["comb_op"] = ops.WithAuxiliary()


def build_network(
    genotype: Genotype, classes: int = 10, channels: int = 36, cells: int = 20, auxiliary: bool = False
) -> Graph:
    """Return the network of a genotype that is trained from scratch, parsed.

    >>> from oneshot.spaces.published import DARTS_V2
    >>> sum(parameter.numel() for parameter in build_network(DARTS_V2).parameters())
    3349342

    Parameters
    ----------
    genotype
        The cells.
    classes, channels, cells
        As in `DARTSSearchSpace`.
    auxiliary
        Whether it returns (logits, auxiliary logits) in training; images must be 32×32 then.

    Raises
    ------
    GenotypeError
        If `genotype` is no Genotype.
    ConfigError
        If a size is too small.

    References
    ----------
    Liu et al. 2019, arXiv:1806.09055, section 3.2.
    """
    if not isinstance(genotype, Genotype):
        raise GenotypeError(f"a network of the space of DARTS is of a Genotype, got {genotype!r}")
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
            stride = 2 if kind == REDUCTION and source < _INPUTS else 1
            cell.add_edge(source + 1, _INPUTS + 1 + number // _KEPT, op=_operation(name, c, stride))
        output = max(cell.nodes) + 1
        cell.add_edges_from((node + 1, output) for node in concat)
        cell.nodes[output]["comb_op"] = ops.Concat()
        return cell

    norm = {"affine": True, "statistics": True}
    _add_network(graph, classes, channels, cells, build_cell, norm, auxiliary)


def _operation(name: str, c: int, stride: int) -> nn.Module:
    """Return an operation for training from scratch: no normalized pools; drop path unless it is idle."""
    if name == "none":
        return ops.Zero(stride)
    if name == "skip_connect" and stride == 1:
        return ops.Identity()
    operations: dict[str, Callable[[], nn.Module]] = {
        "max_pool_3x3": lambda: ops.MaxPool(stride),
        "avg_pool_3x3": lambda: ops.AvgPool(stride),
        "skip_connect": lambda: ops.FactorizedReduce(c, c),
        "sep_conv_3x3": lambda: ops.SepConv(c, c, 3, stride),
        "sep_conv_5x5": lambda: ops.SepConv(c, c, 5, stride),
        "dil_conv_3x3": lambda: ops.DilConv(c, c, 3, stride),
        "dil_conv_5x5": lambda: ops.DilConv(c, c, 5, stride),
    }
    return ops.Sequential(operations[name](), ops.DropPath())


# From a graph to its genotype, and back to a path


def cells_in(graph: Graph) -> list[Graph]:
    """Return the cells in a graph."""
    return [each for each in graph.graphs() if each.scope in (NORMAL, REDUCTION)]


def read_genotype(graph: Graph) -> Genotype:
    """Return the Genotype of a graph with one operation, or a `choice`, at each edge; its cells must agree.

    The edges into a node are in the order of their sources. If there are more than two, those with `none` do
    not count; GraphError unless two are left.
    """
    halves: dict[str | None, set[_Half]] = {NORMAL: set(), REDUCTION: set()}
    for cell in cells_in(graph):
        halves[cell.scope].add(_read(cell))
    for kind, cells in halves.items():
        if len(cells) != 1:
            raise GraphError(
                f"{graph.name} has {'no' if not cells else 'different'} {kind} cells; a genotype has one"
            )
    (normal, normal_concat), (reduce, reduce_concat) = (cells.pop() for cells in halves.values())
    return Genotype(normal, normal_concat, reduce, reduce_concat)


_Half = tuple[
    tuple[tuple[str, int], ...], tuple[int, ...]
]  # edges, and nodes of the concatenation, of a cell


def _read(cell: Graph) -> _Half:
    output, edges = max(cell.nodes), []
    for node in range(_INPUTS + 1, output):
        arriving = [
            (_named(edge, f"edge {source}-{node} of a {cell.name}"), source - 1)
            for source, edge in cell.dag.arriving(node)
        ]
        if len(arriving) > _KEPT:
            arriving = [(name, source) for name, source in arriving if name != "none"]
        if len(arriving) != _KEPT:
            raise GraphError(
                f"node {node} of a {cell.name} has {len(arriving)} edges, not {_KEPT};"
                " get_final_architecture() chooses"
            )
        edges += arriving
    return tuple(edges), tuple(source - 1 for source in sorted(cell.dag.pred[output]))


def _named(edge: EdgeData, where: str) -> str:
    op = selected(edge, where)
    name = _name(op)
    if name is None:
        raise GraphError(f"{where} has {one_line(op)}, which is no operation of the space of DARTS")
    return name


def _name(op: nn.Module) -> str | None:
    """Return the name of an operation; None for another."""
    match op:
        case ops.Zero():
            return "none"
        case ops.Identity() | ops.FactorizedReduce():
            return "skip_connect"
        case ops.MaxPool() | ops.Normalized(op=ops.MaxPool()):
            return "max_pool_3x3"
        case ops.AvgPool() | ops.Normalized(op=ops.AvgPool()):
            return "avg_pool_3x3"
        case ops.SepConv() if isinstance(op[0], ops.DilConv):
            return f"sep_conv_{_size(op[0].depthwise)}"
        case ops.DilConv():
            return f"dil_conv_{_size(op.depthwise)}"
        case ops.Sequential() if len(op) == 2 and isinstance(op[1], ops.DropPath):
            return _name(op[0])
    return None


def _size(conv: nn.Conv2d) -> str:
    return "x".join(map(str, conv.kernel_size))


@contextmanager
def fixed_path(graph: Graph, genotype: Genotype) -> Iterator[Graph]:
    """Let a supernet compute only the path of a genotype, with its shared weights, within the block.

    All nodes go into a cell's output, as in the supernet. GraphError if an edge of its cells has no
    candidates, or lacks the genotype's; GenotypeError for a genotype with more or fewer nodes.
    """
    choices = []
    for cell in cells_in(graph):
        edges = genotype.normal if cell.scope == NORMAL else genotype.reduce
        wanted = {(source + 1, _INPUTS + 1 + k // _KEPT): name for k, (name, source) in enumerate(edges)}
        output = max(cell.nodes)
        if len(edges) != _KEPT * (output - _INPUTS - 1):
            nodes = output - _INPUTS - 1
            raise GenotypeError(
                f"the {cell.name} of a supernet has {nodes} nodes, the genotype's {len(edges) // _KEPT}"
            )
        for source, target, edge in cell.edges(data=True):
            if target < output:
                name = wanted.get((source, target), "none")
                choices.append(
                    (edge, candidate_number(edge, name, _name, f"edge {source}-{target} of a {cell.name}"))
                )
    if not choices:
        raise GraphError(f"{graph.name} has no cells of the space of DARTS")
    with choosing(choices):
        yield graph
