"""The space of NAS-Bench-201: its supernet, networks of cells, and cells of graphs."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Unpack

from torch import nn

from nasbench.cell import EDGES, Cell
from oneshot import ops
from oneshot.errors import GraphError
from oneshot.graph.edge import EdgeData
from oneshot.graph.graph import Graph
from oneshot.spaces.base import Graphs, check_minimum
from oneshot.spaces.edges import choice, choosing_in, operation_name

AnyCell = int | str | Sequence[str] | Cell
_EDGES = [(source + 1, target + 1) for source, target in EDGES]  # nodes of graphs are numbered from 1


class NasBench201SearchSpace(Graph):
    """The space of NAS-Bench-201: a stem, three stages of cells joined by residual blocks, and a classifier.

    >>> from nasbench import OPERATIONS
    >>> space = NasBench201SearchSpace(channels=4, cells=1)
    >>> space.edges[2, 3].op.edges[1, 2].op[OPERATIONS.index("skip_connect")]
    Identity()

    Each edge of a cell has a list of the five operations, in the benchmark's order. As in the authors' code,
    normalizations in cells have no learned scale and shift by default, but the normalizations of other layers
    always have. In the authors' code, the other layers also keep running statistics; here they do so only
    with `statistics`.

    Parameters
    ----------
    classes
        Classes of the images, >= 2.
    channels
        Channels of the first stage; each later stage has twice as many as the previous one.
    cells
        Cells per stage.
    cell
        Cell whose operations are on the edges, without the other candidates; by default all candidates.
    **options
        `affine`: whether normalizations in cells have a learned scale and shift; `statistics`: whether all
        normalizations keep running statistics. Both are False by default.

    Raises
    ------
    ConfigError
        If a size is too small.

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
        cell: AnyCell | None = None,
        **options: Unpack[ops.Norm],
    ) -> None:
        super().__init__("NAS-Bench-201")
        check_minimum(classes=(classes, 2), channels=(channels, 1), cells=(cells, 1))
        inner: ops.Norm = {"affine": False, "statistics": False, **options}
        norm: ops.Norm = {**inner, "affine": True}
        graph = Graph("cell")
        graph.add_nodes_from([1, 2, 3, 4])  # input, two intermediate nodes, output
        graph.add_edges_densely()

        layers: list[nn.Module] = [ops.Stem(channels, **norm)]
        for stage, scope in enumerate(self.OPTIMIZER_SCOPE):
            c = channels * 2**stage
            if stage:
                layers.append(ops.ResNetBasicblock(c // 2, c, stride=2, **norm))
            layers += [graph.copy().set_scope(scope) for _ in range(cells)]
        layers.append(ops.Classifier(c, classes, **norm))
        for node, layer in enumerate(layers, 1):
            self.add_edge(node, node + 1, op=layer)
        digits = {} if cell is None else dict(zip(_EDGES, Cell.parse(cell).digits, strict=True))
        for each in cells_in(self):
            stage = self.OPTIMIZER_SCOPE.index(str(each.scope))
            for source, target, edge in each.edges(data=True):
                builders = _builders(channels * 2**stage, **inner)
                whole = cell is None
                edge.set(
                    "op", [build() for build in builders] if whole else builders[digits[source, target]]()
                )

    def query(
        self, metric: str = "val_accuracy", dataset: str = "cifar10", path: str | None = None, **options: Any
    ) -> float:
        """Return a value of the benchmark for the cell of this graph.

        Parameters
        ----------
        metric, dataset
            As for `nasbench.NB201.query`.
        path
            Path of a store; by default the default store.
        **options
            Further arguments of `nasbench.NB201.query`.

        Returns
        -------
        float
            Value of the metric, in its unit.

        Raises
        ------
        GraphError
            If an edge has several candidates, or if cells differ.
        """
        from nasbench import NB201

        return NB201(path).query(read_cell(self), dataset, metric, **options)


def _builders(c: int, **norm: Unpack[ops.Norm]) -> list[Callable[[], nn.Module]]:
    """Return functions that build the operations, in the order of `nasbench.cell.OPERATIONS`."""
    return [
        ops.Zero,
        ops.Identity,
        partial(ops.ReLUConvBN, c, c, kernel_size=1, **norm),
        partial(ops.ReLUConvBN, c, c, kernel_size=3, **norm),
        partial(ops.AvgPool1x1, kernel_size=3),
    ]


def build_network(
    cell: AnyCell, classes: int = 10, channels: int = 16, cells: int = 5, **options: Unpack[ops.Norm]
) -> Graph:
    """Return the benchmark's network of a cell, with exactly the benchmark's parameters.

    >>> network = build_network(6111)
    >>> sum(parameter.numel() for parameter in network.parameters()), Cell.from_index(6111).params(classes=10)
    (1073466, 1073466)

    Parameters
    ----------
    cell
        Official index, arch string, six operations or a Cell.
    classes, channels, cells, **options
        As for `NasBench201SearchSpace`, but `affine` and `statistics` are True by default.

    Returns
    -------
    Graph
        The network, parsed.

    References
    ----------
    Dong & Yang 2020, arXiv:2001.00326, section 2.1.
    """
    norm: ops.Norm = {"affine": True, "statistics": True, **options}
    return NasBench201SearchSpace(classes, channels, cells, cell, **norm).parse()


def fixed_path(graph: Graph, cell: AnyCell) -> AbstractContextManager[Graph]:
    """Let a supernet run only the path of a cell, with the shared weights, within the block.

    Raise GraphError if an edge does not have the candidate that the cell needs.
    """
    operations = dict(zip(_EDGES, Cell.parse(cell).ops, strict=True))
    cells = cells_in(graph)
    choices = [choice(each, *edge, operations[edge], _name) for each in cells for edge in each.edges]
    return choosing_in(graph, choices, "cells of NAS-Bench-201")


def read_cell(graph: Graph) -> Cell:
    """Return the Cell of a graph with one operation or a `choice` per edge; GraphError if cells differ."""
    cells = {_read(cell) for cell in cells_in(graph)}
    if len(cells) != 1:
        raise GraphError(
            f"{graph.name} has {'no cells of NAS-Bench-201' if not cells else 'different cells'};"
            " all cells must be equal"
        )
    return cells.pop()


def cells_in(graph: Graph) -> list[Graph]:
    """Return the cells in a graph."""
    return [each for each in graph.graphs() if set(each.edges) == set(_EDGES)]


def _edges(graph: Graph) -> dict[str, EdgeData]:
    cell = cells_in(graph)[0]  # all other cells are copies
    return {f"{source - 1}→{target - 1}": cell.edges[source, target] for source, target in _EDGES}


def _read(cell: Graph) -> Cell:
    return Cell.from_ops(
        operation_name(cell, *edge, _name, "an operation of NAS-Bench-201") for edge in _EDGES
    )


def _name(op: nn.Module) -> str | None:
    """Return the benchmark's name of an operation; None if it is not in the space."""
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


GRAPHS: Graphs[Cell] = Graphs(NasBench201SearchSpace, _edges, read_cell, fixed_path, build_network)
