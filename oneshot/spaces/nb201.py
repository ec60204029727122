"""The space of NAS-Bench-201: its supernet, the network of any cell, and the way back to the benchmark."""

from contextlib import contextmanager

from nasbench.cell import EDGES, Cell
from oneshot import ops
from oneshot.errors import GraphError
from oneshot.graph.graph import Graph
from oneshot.mixed import choosing
from oneshot.spaces.reading import candidate, chosen, line
from oneshot.spaces.sizes import checked


class NasBench201SearchSpace(Graph):
    """A stem, three stages of cells with a residual block before the second and the third, and a classifier.

    >>> from nasbench import OPERATIONS
    >>> space = NasBench201SearchSpace(channels=4, cells=1)
    >>> space.edges[2, 3].op.edges[1, 2].op[OPERATIONS.index("skip_connect")]
    Identity()

    Each edge of a cell has a list of the five operations, in the benchmark's order. As in the code of the
    benchmark's authors (Dong & Yang 2020, arXiv:2001.00326, section 5; sizes: section 2.1), the cells'
    normalization has no learned scale and shift unless `affine`, and the other layers' normalization always
    has. The authors' other layers also keep running statistics, which here only `statistics` adds.
    """

    OPTIMIZER_SCOPE = ("stage_1", "stage_2", "stage_3")
    QUERYABLE = True

    def __init__(self, classes=10, channels=16, cells=5, affine=False, statistics=False):
        """`channels`: of the first stage, doubled by each further one; `cells`: per stage."""
        super().__init__("NAS-Bench-201")
        checked(classes=(classes, 2), channels=(channels, 1), cells=(cells, 1))
        norm = {"affine": True, "statistics": statistics}
        cell = Graph("cell")
        cell.add_nodes_from([1, 2, 3, 4])  # the input, two in between, the output
        cell.add_edges_densely()

        layers = [ops.Stem(channels, **norm)]
        for stage, scope in enumerate(self.OPTIMIZER_SCOPE):
            c = channels * 2**stage
            if stage:
                layers.append(ops.ResNetBasicblock(c // 2, c, stride=2, **norm))
            layers += [cell.copy().set_scope(scope) for _ in range(cells)]
        layers.append(ops.Classifier(c, classes, **norm))
        for node, layer in enumerate(layers, 1):
            self.add_edge(node, node + 1, op=layer)

        for stage, scope in enumerate(self.OPTIMIZER_SCOPE):
            c = channels * 2**stage
            self.update_edges(
                lambda edge, c=c: edge.set("op", _candidates(c, affine=affine, statistics=statistics)), scope
            )

    def query(self, metric="val_accuracy", dataset="cifar10", path=None, **options):
        """What the benchmark has for this graph's cell; `path`: of a store, else the default one.

        `options` are those of `nasbench.NB201.query`. The graph has one operation at each edge.
        """
        from nasbench import NB201

        return NB201(path).query(cell_of(self), dataset, metric, **options)


def _candidates(c, affine, statistics):
    """The operations in the order of `nasbench.cell.OPERATIONS`."""
    norm = {"affine": affine, "statistics": statistics}
    return [
        ops.Zero(),
        ops.Identity(),
        ops.ReLUConvBN(c, c, kernel_size=1, **norm),
        ops.ReLUConvBN(c, c, kernel_size=3, **norm),
        ops.AvgPool1x1(kernel_size=3),
    ]


def network_of(cell, classes=10, channels=16, cells=5, affine=True, statistics=True):
    """The benchmark's network of a cell, parsed: at its sizes, with exactly the benchmark's parameters.

    >>> network = network_of(6111)
    >>> sum(parameter.numel() for parameter in network.parameters()), Cell.from_index(6111).params(classes=10)
    (1073466, 1073466)

    `cell`: an official index, an arch string, six operations or a Cell. Source: Dong & Yang 2020, section
    2.1.
    """
    digits = dict(zip(EDGES, Cell.of(cell).digits, strict=True))
    space = NasBench201SearchSpace(classes, channels, cells, affine, statistics)
    for graph in cells_in(space):
        for source, target, edge in graph.edges(data=True):
            edge.set("op", edge.op[digits[source - 1, target - 1]])
    return space.parse()


@contextmanager
def as_cell(graph, cell):
    """Within the block, a supernet computes the path of a cell alone, with its shared weights.

    GraphError where an edge of its cells has no candidates, or lacks the cell's.
    """
    operations = dict(zip(EDGES, Cell.of(cell).ops, strict=True))
    choices = [
        (
            edge,
            candidate(edge, operations[source - 1, target - 1], _name, f"edge {source}-{target} of a cell"),
        )
        for found in cells_in(graph)
        for source, target, edge in found.edges(data=True)
    ]
    if not choices:
        raise GraphError(f"{graph.name} has no cells of NAS-Bench-201")
    with choosing(choices):
        yield graph


def cell_of(graph):
    """The Cell of a graph with one operation, or a `choice`, at each edge of its cells; these must agree."""
    found = {_cell(each) for each in cells_in(graph)}
    if len(found) != 1:
        raise GraphError(
            f"{graph.name} has {'no cells of NAS-Bench-201' if not found else 'cells that differ'};"
            " a benchmark entry is of one cell"
        )
    return found.pop()


def cells_in(graph):
    """The cells in a graph, a list of Graphs."""
    return [each for each in graph.graphs() if {(s - 1, t - 1) for s, t in each.edges} == set(EDGES)]


def _cell(graph):
    return Cell.from_ops(
        _operation(graph.edges[source + 1, target + 1], f"edge {source + 1}-{target + 1} of a cell")
        for source, target in EDGES
    )


def _operation(edge, where):
    op = chosen(edge, where)
    name = "none" if edge.is_deleted else _name(op)
    if name is None:
        raise GraphError(f"{where} has {line(op)}, which is no operation of NAS-Bench-201")
    return name


def _name(op):
    """The benchmark's name of an operation; None for another."""
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
