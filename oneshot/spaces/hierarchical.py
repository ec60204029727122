"""The hierarchical space: its supernet, the network of any hierarchy, and the way back to the hierarchy."""

from contextlib import contextmanager

from oneshot import ops
from oneshot.errors import GenotypeError, GraphError
from oneshot.graph.graph import Graph
from oneshot.mixed import choosing
from oneshot.spaces.genotype import PRIMITIVES, Hierarchy, dense_edges
from oneshot.spaces.reading import candidate, candidates, chosen, line
from oneshot.spaces.sizes import checked

_STAGES = ("stage_1", "stage_2", "stage_3")


class HierarchicalSearchSpace(Graph):
    """A stem, three stages of a cell of motifs of primitives, joined by separable convolutions, a classifier.

    >>> space = HierarchicalSearchSpace(channels=2)
    >>> cell = space.edges[2, 3].op
    >>> motif = cell.edges[1, 2].op[0]
    >>> len(cell.edges), len(cell.edges[1, 2].op), motif.name, len(motif.edges), len(motif.edges[1, 2].op)
    (10, 6, 'motif 0', 6, 7)

    Each edge of the cell, a level-3 motif of 5 nodes, has the 6 level-2 motifs of 4 nodes as candidates, each
    edge of a motif the level-1 primitives. A motif is the same wherever it stands: its instances have weights
    of their own and alphas in common; so have the three instances of the cell.

    Liu et al. 2018, arXiv:1711.00436, sections 2 and 4.1, with alphas as NASLib searches it (Ruchte et al.
    2020): nodes add up what arrives, the output of a motif concatenates it before a 1×1 convolution, where
    the former concatenate at each node. NASLib's appendix prints motifs of 5 nodes and cells of 6, which
    `motif_nodes` and `cell_nodes` give; Liu et al. and NASLib's code have 4 and 5.
    """

    OPTIMIZER_SCOPE = _STAGES

    def __init__(
        self,
        classes=10,
        channels=16,
        cells=1,
        motifs=6,
        motif_nodes=4,
        cell_nodes=5,
        affine=False,
        statistics=False,
    ):
        """`channels`: of the first stage, doubled by each further one; `cells`: a stage."""
        super().__init__("hierarchical")
        checked(classes=(classes, 2), channels=(channels, 1), cells=(cells, 1), motifs=(motifs, 1))
        checked(motif_nodes=(motif_nodes, 2), cell_nodes=(cell_nodes, 2))
        self._classes = classes
        norm = {"affine": affine, "statistics": statistics}
        templates = [_dense(f"motif {number}", motif_nodes) for number in range(motifs)]
        cell = _dense("cell", cell_nodes)

        def instance(stage, c):
            made = cell.copy()
            for *_, edge in made.edges(data=True):
                edge.set("op", [motif.copy() for motif in templates])
            for graph in made.graphs():
                if graph is not made:
                    for *_, edge in graph.edges(data=True):
                        edge.set("op", [_primitive(name, c, **norm) for name in PRIMITIVES])
                    _combine(graph, c, norm)
            return made.set_scope(stage)

        _network(self, classes, channels, cells, instance, norm)

    def prepare_evaluation(self, channels=64, cells=2):
        """Become the network of the discretized motifs that is trained from scratch; weights are new.

        Liu et al. 2018, section 4.1: 64 channels, two cells a stage. Drop path has rate 0 until it is set.
        """
        hierarchy = hierarchy_of(self)
        self.dag.clear()
        _evaluation(self, hierarchy, self._classes, channels, cells)


def _dense(name, nodes):
    graph = Graph(name)
    graph.add_nodes_from(range(1, nodes + 1))
    graph.add_edges_densely()
    return graph


def _combine(motif, c, norm):
    """Let the output of a motif concatenate what arrives."""
    output = max(motif.nodes)
    motif.nodes[output]["comb_op"] = ops.Concat1x1(motif.dag.in_degree(output), c, c, **norm)


def _primitive(name, c, affine=True, statistics=True):
    """A level-1 primitive of `genotype.PRIMITIVES`."""
    norm = {"affine": affine, "statistics": statistics}
    return {
        "none": lambda: ops.Zero(),
        "skip_connect": lambda: ops.Identity(),
        "max_pool_3x3": lambda: ops.MaxPool(),
        "avg_pool_3x3": lambda: ops.AvgPool(),
        "sep_conv_3x3": lambda: ops.SepConvBNReLU(c, c, **norm),
        "depthwise_conv_3x3": lambda: ops.ConvBNReLU(c, c, 3, alone=True, **norm),
        "conv_1x1": lambda: ops.ConvBNReLU(c, c, 1, **norm),
    }[name]()


def _network(graph, classes, channels, cells, cell, norm):
    """Add stem, cells and classifier to a graph without nodes; `cell(stage, channels)` makes a cell.

    Between any two cells stands a separable convolution, which to a new stage has stride 2 and twice the
    channels; the last one is followed by another (Liu et al. 2018, section 4.1).
    """
    layers = [ops.Stem(channels, **norm)]
    for number, stage in enumerate(_STAGES):
        c = channels * 2**number
        for place in range(cells):
            if place:
                layers.append(ops.SepConvBNReLU(c, c, **norm))
            elif number:
                layers.append(ops.SepConvBNReLU(c // 2, c, stride=2, **norm))
            layers.append(cell(stage, c))
    layers += [ops.SepConvBNReLU(c, c, **norm), ops.PooledLinear(c, classes)]
    for node, layer in enumerate(layers, 1):
        graph.add_edge(node, node + 1, op=layer)


def network_of(hierarchy, classes=10, channels=64, cells=2):
    """The network of a Hierarchy, parsed, as it is trained from scratch (Liu et al. 2018, section 4.1).

    >>> from oneshot.spaces.genotype import LIU2018
    >>> hierarchy_of(network_of(LIU2018, channels=4)).cell == LIU2018.cell
    True

    LIU2018 has 10.69 M parameters here; its authors report 15.7 M. Two readings of their merge, depthwise
    concatenation, give that with all else as it is here: concatenation alone at every node of motifs and
    cells, with a 1×1 convolution to the cell's channels after each motif (15.73 M), and a 1×1 convolution
    after each concatenation (15.71 M). The first is nearer to their text, in which a 1×1 convolution follows
    each motif. Here nodes add up, and just a motif's output concatenates, as in NASLib.
    """
    if not isinstance(hierarchy, Hierarchy):
        raise GenotypeError(f"a network of the hierarchical space is of a Hierarchy, got {hierarchy!r}")
    checked(classes=(classes, 2), channels=(channels, 1), cells=(cells, 1))
    graph = Graph("hierarchical network")
    _evaluation(graph, hierarchy, classes, channels, cells)
    return graph.parse()


def _evaluation(graph, hierarchy, classes, channels, cells):
    norm = {"affine": True, "statistics": True}

    def motif(number, c):
        made = Graph(f"motif {number}")
        edges = zip(dense_edges(hierarchy.motif_nodes), hierarchy.motifs[number], strict=True)
        for (source, target), name in edges:
            op = _primitive(name, c, **norm)
            idle = isinstance(op, (ops.Zero, ops.Identity))
            made.add_edge(source + 1, target + 1, op=op if idle else ops.Sequential(op, ops.DropPath()))
        _combine(made, c, norm)
        return made

    def cell(stage, c):
        made = Graph("cell")
        for (source, target), number in zip(dense_edges(hierarchy.cell_nodes), hierarchy.cell, strict=True):
            made.add_edge(source + 1, target + 1, op=motif(number, c))
        return made.set_scope(stage)

    _network(graph, classes, channels, cells, cell, norm)


# From a graph to its hierarchy, and back to a path


def cells_in(graph):
    """The cells in a graph, a list of Graphs."""
    return [each for each in graph.graphs() if each.name == "cell" and each.scope in _STAGES]


def hierarchy_of(graph):
    """The Hierarchy of a graph with one operation, or a `choice`, at each edge; its cells must agree.

    A motif that no cell has any more, as another was chosen everywhere, has `none` at all its edges.
    """
    found = {_read(cell) for cell in cells_in(graph)}
    if len({numbers for numbers, _ in found}) != 1:
        raise GraphError(
            f"{graph.name} has {'no' if not found else 'different'} cells of motifs; a hierarchy has one cell"
        )
    motifs = {}
    for _, read in found:
        for number, names in read:
            if motifs.setdefault(number, names) != names:
                raise GraphError(f"{graph.name} has different instances of motif {number}")
    count = max(motifs) + 1
    none = ("none",) * len(next(iter(motifs.values())))
    (numbers,) = {numbers for numbers, _ in found}
    return Hierarchy(tuple(motifs.get(number, none) for number in range(count)), numbers)


def _read(cell):
    """(the numbers of the motifs at a cell's edges, of each edge (number, names of its operations))."""
    motifs = []
    for source, target in dense_edges(len(cell.nodes)):
        edge = cell.edges[source + 1, target + 1]
        where = f"edge {source + 1}-{target + 1} of a cell"
        motif = chosen(edge, where)
        if not isinstance(motif, Graph) or not motif.name.startswith("motif "):
            raise GraphError(f"{where} has {line(motif)}, which is no motif")
        number = int(motif.name.removeprefix("motif "))
        names = tuple(
            _named(motif.edges[s + 1, t + 1], f"edge {s + 1}-{t + 1} of {motif.name}")
            for s, t in dense_edges(len(motif.nodes))
        )
        motifs.append((number, names))
    return tuple(number for number, _ in motifs), tuple(motifs)


def _named(edge, where):
    op = chosen(edge, where)
    name = "none" if edge.is_deleted else _name(op)
    if name is None:
        raise GraphError(f"{where} has {line(op)}, which is no primitive of the hierarchical space")
    return name


def _name(op):
    """The name of a primitive; None for another operation."""
    match op:
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
            return {(3, 3): "depthwise_conv_3x3", (1, 1): "conv_1x1"}.get(conv.kernel_size)
        case ops.Sequential() if len(op) == 2 and isinstance(op[1], ops.DropPath):
            return _name(op[0])
    return None


@contextmanager
def as_hierarchy(graph, hierarchy):
    """Within the block, a supernet computes the path of a hierarchy alone, with its shared weights.

    GraphError where an edge has no candidates, or lacks the hierarchy's; GenotypeError for another number of
    motifs or nodes than the supernet's.
    """
    choices = []
    for cell in cells_in(graph):
        _as_many("cell", cell, hierarchy.cell_nodes)
        for (source, target), number in zip(dense_edges(hierarchy.cell_nodes), hierarchy.cell, strict=True):
            edge, where = cell.edges[source + 1, target + 1], f"edge {source + 1}-{target + 1} of a cell"
            motifs = candidates(edge, where)
            if not all(isinstance(motif, Graph) for motif in motifs):
                raise GraphError(f"{where} has candidates that are no motifs")
            if number >= len(motifs):
                raise GenotypeError(
                    f"the supernet has {len(motifs)} motifs, the hierarchy has motif {number}"
                )
            choices.append((edge, number))
            choices += _choices_in(motifs, hierarchy)
    if not choices:
        raise GraphError(f"{graph.name} has no cells of motifs")
    with choosing(choices):
        yield graph


def _choices_in(motifs, hierarchy):
    """The choices of the edges of motifs; all of them, as instances have them in common."""
    for motif, names in zip(motifs, hierarchy.motifs, strict=False):
        _as_many(motif.name, motif, hierarchy.motif_nodes)
        for (source, target), name in zip(dense_edges(hierarchy.motif_nodes), names, strict=True):
            edge, where = (
                motif.edges[source + 1, target + 1],
                f"edge {source + 1}-{target + 1} of {motif.name}",
            )
            yield edge, candidate(edge, name, _name, where)


def _as_many(name, graph, nodes):
    if len(graph.nodes) != nodes:
        raise GenotypeError(f"{name} has {len(graph.nodes)} nodes in the supernet, {nodes} in the hierarchy")
