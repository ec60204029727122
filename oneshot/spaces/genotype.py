"""Architectures as values: genotypes of the space of DARTS, hierarchies; as text, JSON, and as published."""

import ast
import math
import warnings
from dataclasses import dataclass, field

from nasbench.errors import shown
from nasbench.runs.checks import integer
from nasbench.runs.settings import finite
from oneshot.errors import GenotypeError
from oneshot.spaces.diagram import Diagram

OPERATIONS = (  # of an edge in the space of DARTS (Liu et al. 2019, arXiv:1806.09055, section 3.1.1)
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
PRIMITIVES = (  # of an edge in a motif (Liu et al. 2018, arXiv:1711.00436, section 4.1), and none
    "none",
    "skip_connect",
    "max_pool_3x3",
    "avg_pool_3x3",
    "sep_conv_3x3",
    "depthwise_conv_3x3",
    "conv_1x1",
)
# Names in the space of DARTS in AutoDL-Projects. Its DualSepConv is ReLU, depthwise convolution, pointwise
# convolution and batch norm, all twice, like SepConv of Liu et al.; its SepConv has these once, and with its
# dilation of 2 it is their DilConv. Strides and paddings are the same.
_RENAMED = {
    "dua_sepc_3x3": "sep_conv_3x3",
    "dua_sepc_5x5": "sep_conv_5x5",
    "dil_sepc_3x3": "dil_conv_3x3",
    "dil_sepc_5x5": "dil_conv_5x5",
}
_NOTATIONS = {  # by (whether edges are nested by node, length of an edge)
    (False, 2): "pairs in one list (Liu et al. 2019)",
    (True, 2): "pairs nested by node (pt.darts, AutoDL-Projects)",
    (False, 3): "triples in one list",
    (True, 3): "triples nested by node (AutoDL-Projects)",
}
_CONNECTIONS = ("connectN", "connects")  # further fields in AutoDL-Projects, None in the space of DARTS
_EDGE = ("operation", "source", "weight")
_LONGEST = 20_000  # characters of a text; the longest published ones have some 700
_SEVERAL = 2  # edges into a node of a DARTS cell, and inputs of the cell


@dataclass(frozen=True)
class Genotype:
    """A normal and a reduction cell of the space of DARTS (Liu et al. 2019, arXiv:1806.09055).

    >>> genotype = Genotype.from_text(str(DARTS_V2))
    >>> genotype == DARTS_V2, genotype.normal[:2], genotype.normal_concat
    (True, (('sep_conv_3x3', 0), ('sep_conv_3x3', 1)), (2, 3, 4, 5))

    Nodes 0 and 1 are a cell's inputs, the outputs of the last cell but one and of the last; 2 and up are in
    between. `normal`, `reduce`: (operation, source), two a node, node by node; `*_concat`: the nodes whose
    outputs together are the cell's. GenotypeError names the node and the edge of what is wrong.
    """

    normal: tuple
    normal_concat: tuple
    reduce: tuple
    reduce_concat: tuple

    def __post_init__(self):
        for name in ("normal", "reduce"):
            edges = _edges(name, getattr(self, name))
            concat = _nodes(f"{name}_concat", getattr(self, f"{name}_concat"), len(edges) // _SEVERAL)
            object.__setattr__(self, name, edges)
            object.__setattr__(self, f"{name}_concat", concat)

    def __str__(self):
        """As the authors' code prints it."""
        return (
            f"Genotype(normal={list(self.normal)}, normal_concat={list(self.normal_concat)},"
            f" reduce={list(self.reduce)}, reduce_concat={list(self.reduce_concat)})"
        )

    @classmethod
    def from_text(cls, text):
        """Read a `Genotype(...)`, or a dictionary of its fields, as Liu et al. and other tools print them.

        >>> cell = "[[('skip_connect', 0), ('none', 1)]]"  # of one node, as pt.darts prints it
        >>> Genotype.from_text(f"Genotype({cell}, range(2, 3), {cell}, range(2, 3))").normal
        (('skip_connect', 0), ('none', 1))

        Takes the same notations as `from_json`. Nothing in the text is executed.
        """
        return _genotype(_arguments(text, cls, _CONNECTIONS))

    def to_json(self):
        """A dict of lists."""
        return _plain(self)

    @classmethod
    def from_json(cls, value):
        """Read a dict of the fields, in any of four notations, the same for both cells.

        Edges are (operation, source) or (operation, source, weight), in one list or nested by node. A weight
        must be a finite number; it is dropped. Operations can have AutoDL-Projects' names, such as
        `dua_sepc_3x3`, and its fields `connectN` and `connects` can be None. GenotypeError names the notation
        that the value was read in, or those that it mixes.
        """
        return _genotype(value)

    @property
    def operations(self):
        """The operations at the edges of both cells, a tuple."""
        return tuple(op for op, _ in self.normal + self.reduce)

    def diagrams(self):
        """The two cells to be drawn, a list of Diagrams."""
        return [
            _cell_diagram("normal", self.normal, self.normal_concat),
            _cell_diagram("reduction", self.reduce, self.reduce_concat),
        ]


@dataclass(frozen=True)
class Hierarchy:
    """Motifs of primitives, level 2, and a cell of those, level 3 (Liu et al. 2018, arXiv:1711.00436).

    >>> hierarchy = Hierarchy.from_text(str(LIU2018))
    >>> hierarchy == LIU2018, hierarchy.motif_nodes, hierarchy.cell_nodes, hierarchy.cell[:2]
    (True, 4, 5, (4, 2))

    `motifs`: of each its operations, one an edge; `cell`: at each edge the number of a motif, from 0. The
    edges of n nodes are those from each to all later ones, in the order 0-1, 0-2, 1-2, 0-3, ...
    GenotypeError names the motif and the edge of what is wrong.
    """

    motifs: tuple
    cell: tuple
    motif_nodes: int = field(init=False, repr=False, compare=False)
    cell_nodes: int = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        motifs = tuple(
            tuple(_listed(f"motif {k}", motif)) for k, motif in enumerate(_listed("motifs", self.motifs))
        )
        cell = tuple(_listed("cell", self.cell))
        if not motifs:
            raise GenotypeError("a hierarchy has one motif or more, got none")
        nodes = {_node_count(f"motif {k}", len(motif)) for k, motif in enumerate(motifs)}
        if len(nodes) > 1:
            raise GenotypeError(f"motifs have equally many nodes, got {', '.join(map(str, sorted(nodes)))}")
        for k, motif in enumerate(motifs):
            for (source, target), op in zip(dense_edges(*nodes), motif, strict=True):
                _known(op, PRIMITIVES, f"motif {k}, edge {source}-{target}")
        cell_nodes = _node_count("cell", len(cell))
        numbers = []
        for (source, target), motif in zip(dense_edges(cell_nodes), cell, strict=True):
            number = integer(motif)
            if number is None or not 0 <= number < len(motifs):
                where, most = f"cell, edge {source}-{target}", len(motifs) - 1
                raise GenotypeError(f"{where}: a motif is a number in [0, {most}], got {shown(motif)}")
            numbers.append(number)
        object.__setattr__(self, "motifs", motifs)
        object.__setattr__(self, "cell", tuple(numbers))
        object.__setattr__(self, "motif_nodes", *nodes)
        object.__setattr__(self, "cell_nodes", cell_nodes)

    def __str__(self):
        return f"Hierarchy(motifs={[list(motif) for motif in self.motifs]}, cell={list(self.cell)})"

    @classmethod
    def from_text(cls, text):
        """From what `str` gives."""
        return cls(**_complete(_arguments(text, cls), cls))

    def to_json(self):
        """A dict of lists."""
        return {"motifs": [list(motif) for motif in self.motifs], "cell": list(self.cell)}

    @classmethod
    def from_json(cls, value):
        return cls(**_complete(value, cls))

    @property
    def operations(self):
        """The primitives at the edges of the motifs that the cell has, as often as it has them, a tuple."""
        return tuple(op for motif in self.cell for op in self.motifs[motif])

    def diagrams(self):
        """The cell and the motifs in it to be drawn, a list of Diagrams."""
        motifs = [
            _dense_diagram(f"motif {k}", self.motif_nodes, motif)
            for k, motif in enumerate(self.motifs)
            if k in self.cell
        ]
        names = [f"motif {motif}" for motif in self.cell]
        return [_dense_diagram("cell", self.cell_nodes, names), *motifs]


def dense_edges(nodes):
    """The edges from each of so many nodes to all later ones, (source, target), by target and source."""
    return [(source, target) for target in range(1, nodes) for source in range(target)]


# What is wrong with an architecture


def _listed(where, value):
    if isinstance(value, (str, bytes)) or not isinstance(value, (list, tuple, range)):
        raise GenotypeError(f"{where} is a list, got {shown(value)}")
    return list(value)


def _known(op, operations, where):
    if op not in operations:
        raise GenotypeError(f"{where}: unknown operation {shown(op)}; there are {', '.join(operations)}")
    return op


def _edges(name, edges):
    edges = _listed(name, edges)
    if not edges or len(edges) % _SEVERAL:
        raise GenotypeError(f"{name} has two edges a node, got {len(edges)} edges")
    found = []
    for number, edge in enumerate(edges):
        where, node = _place(name, number), _SEVERAL + number // _SEVERAL
        op, given = _edge(where, edge, 2)
        source = integer(given)
        _known(op, OPERATIONS, where)
        if source is None or not 0 <= source < node:
            raise GenotypeError(f"{where}: a source is a node in [0, {node - 1}], got {shown(given)}")
        if number % _SEVERAL and found[-1][1] == source:
            raise GenotypeError(f"{where}: both edges of the node come from node {source}, but must differ")
        found.append((op, source))
    return tuple(found)


def _place(name: str, number: int) -> str:
    return f"{name}, node {_SEVERAL + number // _SEVERAL}, edge {1 + number % _SEVERAL}"


def _edge(where: str, edge: object, length: int) -> list | tuple:
    if not isinstance(edge, (list, tuple)) or len(edge) != length:
        raise GenotypeError(f"{where}: an edge is ({', '.join(_EDGE[:length])}), got {shown(edge)}")
    return edge


def _nodes(name, nodes, between):
    nodes, least = _listed(name, nodes), _SEVERAL
    numbers = [integer(node) for node in nodes]
    most = least + between - 1
    if (
        not nodes
        or any(n is None or not least <= n <= most for n in numbers)
        or len(set(numbers)) < len(nodes)
    ):
        raise GenotypeError(f"{name} has different nodes in [{least}, {most}], got {shown(nodes)}")
    return tuple(numbers)


def _node_count(name, edges):
    nodes = (1 + math.isqrt(1 + 8 * edges)) // 2
    if edges == 0 or nodes * (nodes - 1) // 2 != edges:
        raise GenotypeError(
            f"{name} has an edge between any two nodes, so 1, 3, 6, 10, 15, ... edges; got {edges}"
        )
    return nodes


# Notations of genotypes


def _genotype(fields: object) -> Genotype:
    """Build a Genotype from its fields in any notation."""
    if isinstance(fields, dict):
        for name in _CONNECTIONS:
            if fields.get(name) is not None:
                raise GenotypeError(
                    f"{name} must be None or left out, got {shown(fields[name])}; a genotype with {name} is"
                    " not of the space of DARTS"
                )
        fields = {name: value for name, value in fields.items() if name not in _CONNECTIONS}
    fields = _complete(fields, Genotype)
    cells = {name: _listed(name, fields[name]) for name in ("normal", "reduce")}
    nested, length = _notation(cells)
    try:
        return Genotype(**fields | {name: _pairs(name, cells[name], nested, length) for name in cells})
    except GenotypeError as error:
        raise GenotypeError(f"read as {_NOTATIONS[nested, length]}: {error}") from None


def _notation(cells: dict[str, list]) -> tuple[bool, int]:
    """Return whether edges are nested by node, and the length of an edge; a mixture is a GenotypeError."""
    first: dict[tuple[bool, int], str] = {}  # places of the first edges in each notation
    for name, cell in cells.items():
        for number, element in enumerate(cell):
            nested = _is_node(element)
            for edge in element if nested else [element]:
                if isinstance(edge, (list, tuple)) and len(edge) in (2, 3):
                    first.setdefault((nested, len(edge)), f"{name}[{number}]")
    if len(first) > 1:
        mixed = ", ".join(f"{place} has {_NOTATIONS[notation]}" for notation, place in first.items())
        remedy = " or all like ".join(first.values())
        raise GenotypeError(f"a genotype cannot mix notations: {mixed}; write all edges like {remedy}")
    return next(iter(first), (False, 2))


def _is_node(element: object) -> bool:
    """Return whether an element of a cell is a node's list of edges; an edge begins with a string instead."""
    return (
        isinstance(element, (list, tuple))
        and any(isinstance(edge, (list, tuple)) for edge in element)
        and not isinstance(element[0], str)
    )


def _pairs(name: str, cell: list, nested: bool, length: int) -> list[tuple[object, object]]:
    """Return a cell's edges in one list, without weights, their operations with the names in OPERATIONS."""
    if nested:
        for node, edges in enumerate(cell, _SEVERAL):
            if not isinstance(edges, (list, tuple)) or len(edges) != _SEVERAL:
                raise GenotypeError(
                    f"{name}, node {node}: a node has a list of two edges, got {shown(edges)}"
                )
        cell = [edge for edges in cell for edge in edges]
    pairs = []
    for number, edge in enumerate(cell):
        where = _place(name, number)
        op, source, *weight = _edge(where, edge, length)
        if weight and finite(*weight) is None:
            raise GenotypeError(f"{where}: a weight must be a finite number, got {shown(*weight)}")
        pairs.append((_RENAMED.get(op, op) if isinstance(op, str) else op, source))
    return pairs


# Text and JSON


def _arguments(text: object, cls: type, optional: tuple[str, ...] = ()) -> dict[object, object]:
    """Return the fields in the text of a call of a class, or of a Genotype's dictionary, as a dict.

    Nothing of the text is run.
    """
    name = cls.__name__
    if not isinstance(text, str):
        raise GenotypeError(f"a {name} is read from a text, got {shown(text)}")
    try:
        if len(text) > _LONGEST:
            raise ValueError(f"it has {len(text):,} characters")
        with warnings.catch_warnings(action="ignore"):  # of escapes that mean nothing
            body = ast.parse(text.strip(), mode="eval").body
        names = [*_fields(cls), *optional]
        match body:
            case ast.Call(func=ast.Name(id=called), args=args, keywords=keywords) if called == name:
                given = names[: len(args)] + [keyword.arg for keyword in keywords]
                values = args + [keyword.value for keyword in keywords]
            case ast.Dict(keys=keys, values=values) if cls is Genotype:
                given = [key.value if isinstance(key, ast.Constant) else None for key in keys]
            case _:
                raise ValueError(f"it is no {name}(...)")
        if len(given) < len(values) or None in given or len(set(given)) < len(given):
            raise ValueError("each field must be given once, by position or name")
        return dict(zip(given, map(_value, values), strict=True))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        said = error.msg if isinstance(error, SyntaxError) else str(error) or "it is nested too deeply"
        raise GenotypeError(f"cannot read the text of a {name}: {said}; got {shown(text)}") from None


def _value(node: ast.expr) -> object:
    if (number := _number(node)) is not None:
        return number
    match node:
        case ast.Call(func=ast.Name(id="range"), args=args, keywords=[]) if 1 <= len(args) <= 2:
            bounds = [_value(arg) for arg in args]
            if not all(isinstance(bound, int) and 0 <= bound <= 100 for bound in bounds):
                raise ValueError(f"a range has small whole numbers, got {shown(bounds)}")
            return list(range(*bounds))
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return [_value(element) for element in elements]
        case ast.Constant(value=str() | None as value):
            return value
        case ast.Name(id="null"):  # None in JSON
            return None
    raise ValueError(
        f"it can have lists, strings, None and numbers, integers up to {_LONGEST:,}; got"
        f" {shown(ast.unparse(node))}"
    )


def _number(node: ast.expr) -> float | None:
    """Return the number that a node writes, None if it writes none."""
    match node:
        case ast.Constant(value=int() as number) if number <= _LONGEST:
            return number
        case ast.Constant(value=float() as number):
            return number
        case ast.Name(id="nan" | "inf" as name):  # weights of a search that diverged
            return float(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand) if (number := _number(operand)) is not None:
            return -number
        case ast.Call(  # as NumPy 2 prints its scalars
            func=ast.Attribute(value=ast.Name(id="np"), attr="float16" | "float32" | "float64"),
            args=[argument],
            keywords=[],
        ):
            return _number(argument)
    return None


def _complete(fields: object, cls: type) -> dict[str, object]:
    """Return the fields of a class as they are; GenotypeError unless there are all and no others."""
    names = set(_fields(cls))
    if not isinstance(fields, dict) or set(fields) != names:
        got = ", ".join(map(shown, fields)) if isinstance(fields, dict) else shown(fields)
        raise GenotypeError(f"a {cls.__name__} has {', '.join(sorted(names))}; got {got or 'nothing'}")
    return fields


def _fields(cls):
    return [f.name for f in cls.__dataclass_fields__.values() if f.init]


def _plain(genotype):
    return {
        name: [list(each) if isinstance(each, tuple) else each for each in vars(genotype)[name]]
        for name in _fields(Genotype)
    }


# Pictures


def _cell_diagram(title, edges, concat):
    count = len(edges) // _SEVERAL
    between = [(node, str(node - _SEVERAL), "node") for node in range(_SEVERAL, _SEVERAL + count)]
    out = _SEVERAL + count
    nodes = [(0, "c_{k-2}", "input"), (1, "c_{k-1}", "input"), *between, (out, "c_{k}", "output")]
    arrows = [(source, _SEVERAL + number // _SEVERAL, op) for number, (op, source) in enumerate(edges)]
    return Diagram(title, tuple(nodes), tuple(arrows + [(node, out, "") for node in concat]))


def _dense_diagram(title, count, names):
    kinds = {0: ("in", "input"), count - 1: ("out", "output")}
    nodes = tuple((node, *kinds.get(node, (str(node), "node"))) for node in range(count))
    edges = zip(dense_edges(count), names, strict=True)
    return Diagram(title, nodes, tuple((source, target, name) for (source, target), name in edges))


# Published architectures

# Liu et al. 2019, arXiv:1806.09055: first order, second order; in their code, cnn/genotypes.py
DARTS_V1 = Genotype.from_text(
    """
    Genotype(
        normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0), ('sep_conv_3x3', 1),
                ('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 2)],
        normal_concat=range(2, 6),
        reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 0),
                ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('avg_pool_3x3', 0)],
        reduce_concat=range(2, 6))
    """
)
DARTS_V2 = Genotype.from_text(
    """
    Genotype(
        normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1),
                ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)],
        normal_concat=range(2, 6),
        reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1),
                ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)],
        reduce_concat=range(2, 6))
    """
)
DARTS = DARTS_V2  # as in the authors' code
# Dong & Yang 2019, arXiv:1910.04465; in their code, AutoDL-Projects, as GDAS_V1
GDAS_V1 = Genotype.from_text(
    """
    Genotype(
        normal=[('skip_connect', 0), ('skip_connect', 1), ('skip_connect', 0), ('sep_conv_5x5', 2),
                ('sep_conv_3x3', 3), ('skip_connect', 0), ('sep_conv_5x5', 4), ('sep_conv_3x3', 3)],
        normal_concat=range(2, 6),
        reduce=[('sep_conv_5x5', 0), ('sep_conv_3x3', 1), ('sep_conv_5x5', 2), ('sep_conv_5x5', 1),
                ('dil_conv_5x5', 2), ('sep_conv_3x3', 1), ('sep_conv_5x5', 0), ('sep_conv_5x5', 1)],
        reduce_concat=range(2, 6))
    """
)
# Xu et al. 2020, arXiv:1907.05737, on CIFAR-10 and on ImageNet; in their code as PC_DARTS_cifar, _image
PC_DARTS_CIFAR = Genotype.from_text(
    """
    Genotype(
        normal=[('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 0), ('dil_conv_3x3', 1),
                ('sep_conv_5x5', 0), ('sep_conv_3x3', 1), ('avg_pool_3x3', 0), ('dil_conv_3x3', 1)],
        normal_concat=range(2, 6),
        reduce=[('sep_conv_5x5', 1), ('max_pool_3x3', 0), ('sep_conv_5x5', 1), ('sep_conv_5x5', 2),
                ('sep_conv_3x3', 0), ('sep_conv_3x3', 3), ('sep_conv_3x3', 1), ('sep_conv_3x3', 2)],
        reduce_concat=range(2, 6))
    """
)
PC_DARTS_IMAGE = Genotype.from_text(
    """
    Genotype(
        normal=[('skip_connect', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 0), ('skip_connect', 1),
                ('sep_conv_3x3', 1), ('sep_conv_3x3', 3), ('sep_conv_3x3', 1), ('dil_conv_5x5', 4)],
        normal_concat=range(2, 6),
        reduce=[('sep_conv_3x3', 0), ('skip_connect', 1), ('dil_conv_5x5', 2), ('max_pool_3x3', 1),
                ('sep_conv_3x3', 2), ('sep_conv_3x3', 1), ('sep_conv_5x5', 0), ('sep_conv_3x3', 3)],
        reduce_concat=range(2, 6))
    """
)
# Chen et al. 2019, arXiv:1904.12760; in their code as PDARTS
PDARTS = Genotype.from_text(
    """
    Genotype(
        normal=[('skip_connect', 0), ('dil_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 1),
                ('sep_conv_3x3', 1), ('sep_conv_3x3', 3), ('sep_conv_3x3', 0), ('dil_conv_5x5', 4)],
        normal_concat=range(2, 6),
        reduce=[('avg_pool_3x3', 0), ('sep_conv_5x5', 1), ('sep_conv_3x3', 0), ('dil_conv_5x5', 2),
                ('max_pool_3x3', 0), ('dil_conv_3x3', 1), ('dil_conv_3x3', 1), ('dil_conv_5x5', 3)],
        reduce_concat=range(2, 6))
    """
)
# Chen et al. 2021, arXiv:2006.10355; in their code as DrNAS_cifar10
DRNAS_CIFAR10 = Genotype.from_text(
    """
    Genotype(
        normal=[('sep_conv_3x3', 0), ('sep_conv_5x5', 1), ('sep_conv_3x3', 1), ('sep_conv_3x3', 2),
                ('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 2), ('dil_conv_5x5', 3)],
        normal_concat=range(2, 6),
        reduce=[('max_pool_3x3', 0), ('sep_conv_5x5', 1), ('dil_conv_5x5', 2), ('sep_conv_5x5', 1),
                ('sep_conv_5x5', 1), ('dil_conv_5x5', 3), ('skip_connect', 4), ('sep_conv_5x5', 1)],
        reduce_concat=range(2, 6))
    """
)
# Liu et al. 2018, arXiv:1711.00436, the picture in its appendix as NASLib reads it: what has no label there
# is taken for an identity. Motifs are numbered from 0, in the paper from 1.
LIU2018 = Hierarchy(
    motifs=(
        ("max_pool_3x3", "conv_1x1", "depthwise_conv_3x3", "sep_conv_3x3", "conv_1x1", "max_pool_3x3"),
        (
            "max_pool_3x3",
            "depthwise_conv_3x3",
            "depthwise_conv_3x3",
            "conv_1x1",
            "sep_conv_3x3",
            "sep_conv_3x3",
        ),
        (
            "sep_conv_3x3",
            "depthwise_conv_3x3",
            "sep_conv_3x3",
            "sep_conv_3x3",
            "skip_connect",
            "avg_pool_3x3",
        ),
        ("avg_pool_3x3", "sep_conv_3x3", "sep_conv_3x3", "skip_connect", "max_pool_3x3", "avg_pool_3x3"),
        ("skip_connect", "sep_conv_3x3", "skip_connect", "sep_conv_3x3", "skip_connect", "sep_conv_3x3"),
        (
            "depthwise_conv_3x3",
            "max_pool_3x3",
            "max_pool_3x3",
            "sep_conv_3x3",
            "skip_connect",
            "avg_pool_3x3",
        ),
    ),
    cell=(4, 2, 2, 2, 0, 2, 3, 4, 4, 4),
)
PUBLISHED = {
    "DARTS_V1": DARTS_V1,
    "DARTS_V2": DARTS_V2,
    "DARTS": DARTS,
    "GDAS_V1": GDAS_V1,
    "PC_DARTS_CIFAR": PC_DARTS_CIFAR,
    "PC_DARTS_IMAGE": PC_DARTS_IMAGE,
    "PDARTS": PDARTS,
    "DRNAS_CIFAR10": DRNAS_CIFAR10,
    "LIU2018": LIU2018,
}


def published_names() -> str:
    """Return the names in PUBLISHED for a message, each other name of an architecture behind its first one.

    >>> published_names()
    'DARTS_V1, DARTS_V2 (or DARTS), GDAS_V1, PC_DARTS_CIFAR, PC_DARTS_IMAGE, PDARTS, DRNAS_CIFAR10, LIU2018'
    """
    names: dict[Genotype | Hierarchy, list[str]] = {}
    for name, architecture in PUBLISHED.items():
        names.setdefault(architecture, []).append(name)
    return ", ".join(
        first + "".join(f" (or {alias})" for alias in others) for first, *others in names.values()
    )
