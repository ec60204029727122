"""Architectures of the spaces of DARTS and of motifs, as values, text, JSON and diagrams."""

import math
from dataclasses import dataclass, field
from typing import Any

from nasbench.errors import shown
from nasbench.pictured import Pictured
from nasbench.runs.checks import integer
from nasbench.svg import Svg
from oneshot.errors import GenotypeError
from oneshot.layout.svg import draw_diagrams
from oneshot.spaces import notation
from oneshot.spaces.base import Diagram
from oneshot.spaces.notation import CONNECTIONS, EDGES_PER_NODE, Notation

OPERATIONS = (  # operations of the space of DARTS (Liu et al. 2019, arXiv:1806.09055, section 3.1.1)
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
NOISE = "noise"  # operation of the space S4 (Zela et al. 2020, arXiv:1909.09656, section 3)
PRIMITIVES = (  # operations of a motif (Liu et al. 2018, arXiv:1711.00436, section 4.1) and none
    "none",
    "skip_connect",
    "max_pool_3x3",
    "avg_pool_3x3",
    "sep_conv_3x3",
    "depthwise_conv_3x3",
    "conv_1x1",
)


@dataclass(frozen=True)
class Genotype(Pictured):
    """A normal and a reduction cell of the space of DARTS.

    >>> from oneshot.spaces.published import DARTS_V2
    >>> genotype = Genotype.from_text(str(DARTS_V2))
    >>> genotype == DARTS_V2, genotype.normal[:2], genotype.normal_concat
    (True, (('sep_conv_3x3', 0), ('sep_conv_3x3', 1)), (2, 3, 4, 5))

    Nodes 0 and 1 are the inputs of a cell, the outputs of the cell before the previous one and of the
    previous one; intermediate nodes are numbered from 2.

    Parameters
    ----------
    normal
        (operation, source) of each edge of the normal cell, two per node, node by node; tuples or lists.
    normal_concat
        Nodes that the output of the normal cell concatenates, as a tuple, list or range.
    reduce
        Edges of the reduction cell.
    reduce_concat
        Nodes that the output of the reduction cell concatenates.

    Raises
    ------
    GenotypeError
        If an edge or node is invalid; the message names it.

    References
    ----------
    Liu et al. 2019, arXiv:1806.09055.
    """

    #: (operation, source) of each edge of the normal cell, two per node, node by node
    normal: tuple[tuple[str, int], ...]
    #: nodes that the output of the normal cell concatenates
    normal_concat: tuple[int, ...]
    #: edges of the reduction cell
    reduce: tuple[tuple[str, int], ...]
    #: nodes that the output of the reduction cell concatenates
    reduce_concat: tuple[int, ...]

    def __post_init__(self) -> None:
        for name in ("normal", "reduce"):
            edges = _checked_edges(name, getattr(self, name))
            count = len(edges) // EDGES_PER_NODE
            concat = _checked_nodes(f"{name}_concat", getattr(self, f"{name}_concat"), count)
            object.__setattr__(self, name, edges)
            object.__setattr__(self, f"{name}_concat", concat)

    def __str__(self) -> str:
        """Return the text in the form that the authors' code prints."""
        return (
            f"Genotype(normal={list(self.normal)}, normal_concat={list(self.normal_concat)},"
            f" reduce={list(self.reduce)}, reduce_concat={list(self.reduce_concat)})"
        )

    @classmethod
    def from_text(cls, text: str) -> "Genotype":
        """Return the genotype in a text: a `Genotype(...)` or a dictionary of its fields.

        >>> cell = "[[('skip_connect', 0), ('none', 1)]]"  # one node, as pt.darts prints it
        >>> Genotype.from_text(f"Genotype({cell}, range(2, 3), {cell}, range(2, 3))").normal
        (('skip_connect', 0), ('none', 1))

        Nothing in the text is executed.

        Parameters
        ----------
        text
            Text that Liu et al. or other tools print, in any notation that `from_json` reads.

        Returns
        -------
        Genotype
            The genotype.

        Raises
        ------
        GenotypeError
            If the text is not a genotype.
        """
        return cls.from_json(
            notation.read_call(text, cls.__name__, (*_FIELDS, *CONNECTIONS), or_dictionary=True)
        )

    def to_json(self) -> dict[str, list[object]]:
        """Return the fields as a dictionary of lists."""
        return {
            name: [list(each) if isinstance(each, tuple) else each for each in getattr(self, name)]
            for name in _FIELDS
        }

    @classmethod
    def from_json(cls, value: object) -> "Genotype":
        """Return the genotype in a dictionary of its fields, in one of four notations.

        Edges are (operation, source) or (operation, source, weight), in one list or nested by node, the same
        in both cells. Weights must be finite numbers; they are dropped.

        Parameters
        ----------
        value
            Dictionary of the fields. Operations can also have the names of AutoDL-Projects, such as
            `dua_sepc_3x3`; its fields `connectN` and `connects` are allowed if they are None.

        Returns
        -------
        Genotype
            The genotype.

        Raises
        ------
        GenotypeError
            If the value is not a genotype; the message names its notation, or the notations that it mixes.
        """
        # Any: __post_init__ checks the types
        fields: dict[str, Any] = notation.complete_fields(
            notation.without_connections(value), cls.__name__, _FIELDS
        )
        cells = {name: notation.as_list(name, fields[name]) for name in ("normal", "reduce")}
        kind = Notation.detect(cells)
        try:
            return cls(**fields | {name: kind.read(name, cell) for name, cell in cells.items()})
        except GenotypeError as error:
            raise GenotypeError(f"read as {kind}: {error}") from None

    @property
    def operations(self) -> tuple[str, ...]:
        """Operations at the edges of both cells."""
        return tuple(op for op, _ in self.normal + self.reduce)

    def diagrams(self) -> list[Diagram]:
        """Return the diagrams of both cells, "normal" and "reduction"."""
        normal = _cell_diagram("normal", self.normal, self.normal_concat)
        return [normal, _cell_diagram("reduction", self.reduce, self.reduce_concat)]

    def picture(self) -> Svg:
        """Return the diagrams as a picture, which notebooks display."""
        return draw_diagrams(self.diagrams(), str(self))


_FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")  # fields of a Genotype, in order


@dataclass(frozen=True)
class Hierarchy(Pictured):
    """Level-2 motifs of primitives and a level-3 cell of these motifs.

    >>> from oneshot.spaces.published import LIU2018
    >>> hierarchy = Hierarchy.from_text(str(LIU2018))
    >>> hierarchy == LIU2018, hierarchy.motif_nodes, hierarchy.cell_nodes, hierarchy.cell[:2]
    (True, 4, 5, (4, 2))

    A motif or cell has an edge from each node to every later one, in the order 0-1, 0-2, 1-2, 0-3, ...

    Parameters
    ----------
    motifs
        Operations of each motif, one per edge, as tuples or lists.
    cell
        Number of the motif at each edge of the cell, from 0, as a tuple or list.

    Raises
    ------
    GenotypeError
        If a motif or edge is invalid; the message names it.

    References
    ----------
    Liu et al. 2018, arXiv:1711.00436.
    """

    #: operations of each motif, one per edge
    motifs: tuple[tuple[str, ...], ...]
    #: number of the motif at each edge of the cell, from 0
    cell: tuple[int, ...]
    #: number of nodes of each motif
    motif_nodes: int = field(init=False, repr=False, compare=False)
    #: number of nodes of the cell
    cell_nodes: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        motifs = [
            notation.as_list(f"motif {k}", motif)
            for k, motif in enumerate(notation.as_list("motifs", self.motifs))
        ]
        cell = notation.as_list("cell", self.cell)
        if not motifs:
            raise GenotypeError("a hierarchy must have at least one motif, got none")
        counts = {_node_count(f"motif {k}", len(motif)) for k, motif in enumerate(motifs)}
        if len(counts) > 1:
            raise GenotypeError(
                f"motifs must have the same number of nodes, got {', '.join(map(str, sorted(counts)))}"
            )
        motif_nodes = counts.pop()
        for k, motif in enumerate(motifs):
            for (source, target), op in zip(dense_edges(motif_nodes), motif, strict=True):
                _check_operation(op, PRIMITIVES, f"motif {k}, edge {source}-{target}")
        cell_nodes = _node_count("cell", len(cell))
        numbers = []
        for (source, target), given in zip(dense_edges(cell_nodes), cell, strict=True):
            number = integer(given)
            if number is None or not 0 <= number < len(motifs):
                where, last = f"cell, edge {source}-{target}", len(motifs) - 1
                raise GenotypeError(f"{where}: a motif must be an integer in [0, {last}], got {shown(given)}")
            numbers.append(number)
        object.__setattr__(self, "motifs", tuple(map(tuple, motifs)))
        object.__setattr__(self, "cell", tuple(numbers))
        object.__setattr__(self, "motif_nodes", motif_nodes)
        object.__setattr__(self, "cell_nodes", cell_nodes)

    def __str__(self) -> str:
        return f"Hierarchy(motifs={[list(motif) for motif in self.motifs]}, cell={list(self.cell)})"

    @classmethod
    def from_text(cls, text: str) -> "Hierarchy":
        """Return the hierarchy in `text`, its `str`; nothing in it is executed.

        Parameters
        ----------
        text
            `Hierarchy(motifs=..., cell=...)`.

        Returns
        -------
        Hierarchy
            The hierarchy.

        Raises
        ------
        GenotypeError
            If the text is not a hierarchy.
        """
        return cls.from_json(notation.read_call(text, cls.__name__, ("motifs", "cell")))

    def to_json(self) -> dict[str, list[object]]:
        """Return the fields as a dictionary of lists."""
        return {"motifs": [list(motif) for motif in self.motifs], "cell": list(self.cell)}

    @classmethod
    def from_json(cls, value: object) -> "Hierarchy":
        """Return the hierarchy in `value`, a dictionary of its fields; GenotypeError if it is invalid."""
        # Any: __post_init__ checks the types
        fields: dict[str, Any] = notation.complete_fields(value, cls.__name__, ("motifs", "cell"))
        return cls(**fields)

    @property
    def operations(self) -> tuple[str, ...]:
        """Primitives of the motif at each edge of the cell, repeated if a motif is."""
        return tuple(op for motif in self.cell for op in self.motifs[motif])

    def diagrams(self) -> list[Diagram]:
        """Return the diagrams of the cell, "cell", and of the motifs in it, "motif 0" and so on."""
        cell = dense_diagram("cell", self.cell_nodes, tuple(f"motif {motif}" for motif in self.cell))
        motifs = sorted(set(self.cell))
        return [cell, *(dense_diagram(f"motif {k}", self.motif_nodes, self.motifs[k]) for k in motifs)]

    def picture(self) -> Svg:
        """Return the diagrams as a picture, which notebooks display."""
        return draw_diagrams(self.diagrams(), str(self))


def dense_edges(nodes: int) -> list[tuple[int, int]]:
    """Return the edges (source, target) from each node to every later one, sorted by target and source."""
    return [(source, target) for target in range(1, nodes) for source in range(target)]


# Checks


def _check_operation(op: object, operations: tuple[str, ...], where: str) -> None:
    if op not in operations:
        raise GenotypeError(
            f"{where}: unknown operation {shown(op)}; the operations are {', '.join(operations)}"
        )


def _checked_edges(name: str, value: object) -> tuple[tuple[object, int], ...]:
    """Return the edges of a cell as tuples; raise GenotypeError unless each node has two distinct sources."""
    edges = notation.as_list(name, value)
    if not edges or len(edges) % EDGES_PER_NODE:
        raise GenotypeError(f"{name} must have two edges per node, got {len(edges)} edges")
    checked: list[tuple[object, int]] = []
    for number, edge in enumerate(edges):
        where, node = notation.edge_name(name, number), EDGES_PER_NODE + number // EDGES_PER_NODE
        op, given = notation.checked_edge(where, edge, 2)
        source = integer(given)
        _check_operation(op, (*OPERATIONS, NOISE), where)
        if source is None or not 0 <= source < node:
            raise GenotypeError(f"{where}: a source must be a node in [0, {node - 1}], got {shown(given)}")
        if number % EDGES_PER_NODE and checked[-1][1] == source:
            raise GenotypeError(f"{where}: both edges of the node come from node {source}, but must differ")
        checked.append((op, source))
    return tuple(checked)


def _checked_nodes(name: str, value: object, between: int) -> tuple[int, ...]:
    """Return the nodes of a concatenation; raise GenotypeError unless they are distinct and intermediate."""
    nodes = notation.as_list(name, value)
    first, last = EDGES_PER_NODE, EDGES_PER_NODE + between - 1
    numbers = [n for n in map(integer, nodes) if n is not None and first <= n <= last]
    if not nodes or len(set(numbers)) < len(nodes):
        raise GenotypeError(f"{name} must have distinct nodes in [{first}, {last}], got {shown(nodes)}")
    return tuple(numbers)


def _node_count(name: str, edges: int) -> int:
    nodes = (1 + math.isqrt(1 + 8 * edges)) // 2
    if edges == 0 or nodes * (nodes - 1) // 2 != edges:
        raise GenotypeError(
            f"{name} must have 1, 3, 6, 10, 15, ... edges, one per pair of nodes; got {edges}"
        )
    return nodes


# Diagrams


def _cell_diagram(title: str, edges: tuple[tuple[str, int], ...], concat: tuple[int, ...]) -> Diagram:
    output = EDGES_PER_NODE + len(edges) // EDGES_PER_NODE
    between = [(node, str(node - EDGES_PER_NODE), "node") for node in range(EDGES_PER_NODE, output)]
    nodes = ((0, "c_{k-2}", "input"), (1, "c_{k-1}", "input"), *between, (output, "c_{k}", "output"))
    arrows = [(s, EDGES_PER_NODE + number // EDGES_PER_NODE, op) for number, (op, s) in enumerate(edges)]
    return Diagram(title, nodes, (*arrows, *((node, output, "") for node in concat)))


def dense_diagram(title: str, count: int, names: tuple[str, ...]) -> Diagram:
    """Return the diagram of `count` nodes with the edges of `dense_edges`; `names` are its operations."""
    ends = {0: ("in", "input"), count - 1: ("out", "output")}
    nodes = tuple((node, *ends.get(node, (str(node), "node"))) for node in range(count))
    edges = zip(dense_edges(count), names, strict=True)
    return Diagram(title, nodes, tuple((source, target, name) for (source, target), name in edges))
