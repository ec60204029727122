"""The space of NAS-Bench-201: its supernet, the network of any cell, and the way back to the benchmark."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn

from nasbench.cell import EDGES, Cell
from oneshot import ops
from oneshot.errors import GraphError
from oneshot.graph.edge import EdgeData
from oneshot.graph.graph import Graph
from oneshot.mixed import choosing
from oneshot.spaces.base import check_minimum
from oneshot.spaces.edges import candidate_number, one_line, selected


class NasBench201SearchSpace(Graph):
    """A stem, three stages of cells with a residual block before the second and the third, and a classifier.

    >>> from nasbench import OPERATIONS
    >>> space = NasBench201SearchSpace(channels=4, cells=1)
    >>> space.edges[2, 3].op.edges[1, 2].op[OPERATIONS.index("skip_connect")]
    Identity()

    Each edge of a cell has a list of the five operations, in the benchmark's order. As in the code of the
    benchmark's authors, the cells' normalization has no learned scale and shift by default, and the other
    layers' normalization always has. The authors' other layers also keep running statistics, which here only
    `statistics` adds.

    Parameters
    ----------
    classes
        Classes of images, at least 2.
    channels
        Channels of the first stage; each further one has twice as many.
    cells
        Cells per stage.
    affine
        Whether the cells' normalization has a learned scale and shift.
    statistics
        Whether normalization keeps running statistics.

    References
    ----------
    Dong & Yang 2020, arXiv:2001.00326, section 5; sizes: section 2.1.
    """

    OPTIMIZER_SCOPE = ("stage_1", "stage_2", "stage_3")
    QUERYABLE = True

    def __init__(
        self,
        classes: int = 10,
        channels: int = 16,
        cells: int = 5,
        affine: bool = False,
        statistics: bool = False,
    ) -> None:
        super().__init__("NAS-Bench-201")
        check_minimum(classes=(classes, 2), channels=(channels, 1), cells=(cells, 1))
        norm = {"affine": True, "statistics": statistics}
        cell = Graph("cell")
        cell.add_nodes_from([1, 2, 3, 4])  # the input, two in between, the output
        cell.add_edges_densely()

        layers: list[nn.Module] = [ops.Stem(channels, **norm)]
        for stage, scope in enumerate(self.OPTIMIZER_SCOPE):
            c = channels * 2**stage
            if stage:
                layers.append(ops.ResNetBasicblock(c // 2, c, stride=2, **norm))
            layers += [cell.copy().set_scope(scope) for _ in range(cells)]
        layers.append(ops.Classifier(c, classes, **norm))
        for node, layer in enumerate(layers, 1):
            self.add_edge(node, node + 1, op=layer)

        for stage, scope in enumerate(self.OPTIMIZER_SCOPE):
            self.update_edges(_set_candidates(channels * 2**stage, affine, statistics), scope)

    def query(
        self, metric: str = "val_accuracy", dataset: str = "cifar10", path: str | None = None, **options: Any
    ) -> float:
        """Return a value of the benchmark for this graph's cell.

        Parameters
        ----------
        metric, dataset
            As in `nasbench.NB201.query`.
        path
            The path of a store; None: the default one.
        **options
            Any of the other arguments of `nasbench.NB201.query`.

        Raises
        ------
        GraphError
            If an edge has several operations, or cells differ.
        """
        from nasbench import NB201

        return NB201(path).query(read_cell(self), dataset, metric, **options)


def _set_candidates(c: int, affine: bool, statistics: bool) -> Callable[[EdgeData], None]:
    return lambda edge: edge.set("op", _candidates(c, affine, statistics))


def _candidates(c: int, affine: bool, statistics: bool) -> list[nn.Module]:
    """Return the operations in the order of `nasbench.cell.OPERATIONS`."""
    norm = {"affine": affine, "statistics": statistics}
    return [
        ops.Zero(),
        ops.Identity(),
        ops.ReLUConvBN(c, c, kernel_size=1, **norm),
        ops.ReLUConvBN(c, c, kernel_size=3, **norm),
        ops.AvgPool1x1(kernel_size=3),
    ]


def build_network(
    cell: int | str | Sequence[str] | Cell,
    classes: int = 10,
    channels: int = 16,
    cells: int = 5,
    affine: bool = True,
    statistics: bool = True,
) -> Graph:
    """Return the benchmark's network of a cell, parsed, with exactly the benchmark's parameters.

    >>> network = build_network(6111)
    >>> sum(parameter.numel() for parameter in network.parameters()), Cell.from_index(6111).params(classes=10)
    (1073466, 1073466)

    Parameters
    ----------
    cell
        An official index, an arch string, six operations or a Cell.
    classes, channels, cells, affine, statistics
        As in `NasBench201SearchSpace`.

    References
    ----------
    Dong & Yang 2020, arXiv:2001.00326, section 2.1.
    """
    digits = dict(zip(EDGES, Cell.parse(cell).digits, strict=True))
    space = NasBench201SearchSpace(classes, channels, cells, affine, statistics)
    for graph in cells_in(space):
        for source, target, edge in graph.edges(data=True):
            edge.set("op", edge.op[digits[source - 1, target - 1]])
    return space.parse()


@contextmanager
def fixed_path(graph: Graph, cell: int | str | Sequence[str] | Cell) -> Iterator[Graph]:
    """Let a supernet compute only the path of a cell, with its shared weights, within the block.

    GraphError if an edge of its cells has no candidates, or lacks the cell's.
    """
    operations = dict(zip(EDGES, Cell.parse(cell).ops, strict=True))
    choices = [
        (edge, candidate_number(edge, operations[source - 1, target - 1], _name, _where(source, target)))
        for each in cells_in(graph)
        for source, target, edge in each.edges(data=True)
    ]
    if not choices:
        raise GraphError(f"{graph.name} has no cells of NAS-Bench-201")
    with choosing(choices):
        yield graph


def read_cell(graph: Graph) -> Cell:
    """Return the Cell of a graph with one operation, or a `choice`, at each edge; its cells must agree."""
    cells = {_cell(each) for each in cells_in(graph)}
    if len(cells) != 1:
        raise GraphError(
            f"{graph.name} has {'no cells of NAS-Bench-201' if not cells else 'cells that differ'};"
            " a benchmark entry is of one cell"
        )
    return cells.pop()


def cells_in(graph: Graph) -> list[Graph]:
    """Return the cells in a graph."""
    return [each for each in graph.graphs() if {(s - 1, t - 1) for s, t in each.edges} == set(EDGES)]


def _cell(graph: Graph) -> Cell:
    nodes = [(source + 1, target + 1) for source, target in EDGES]
    return Cell.from_ops(_operation(graph.edges[edge], _where(*edge)) for edge in nodes)


def _where(source: int, target: int) -> str:
    return f"edge {source}-{target} of a cell"


def _operation(edge: EdgeData, where: str) -> str:
    op = selected(edge, where)
    name = "none" if edge.is_deleted else _name(op)
    if name is None:
        raise GraphError(f"{where} has {one_line(op)}, which is no operation of NAS-Bench-201")
    return name


def _name(op: nn.Module) -> str | None:
    """Return the benchmark's name of an operation; None for another."""
    match op:
        case ops.Zero():
            return "none"
        case ops.Identity():
            return "skip_connect"
        case ops.ReLUConvBN(conv=conv) if conv.kernel_size in ((1, 1), (3, 3)):
            return f"nor_conv_{conv.kernel_size[0]}x{conv.kernel_size[0]}"
        case ops.AvgPool1x1():
            return "avg_pool_3x3"
    return None
