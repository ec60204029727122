"""Parsing of architectures: calls and dictionaries in text, and notations of genotypes."""

import ast
import warnings
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from nasbench.errors import shown
from nasbench.runs.checks import finite
from oneshot.errors import GenotypeError

EDGES_PER_NODE = 2  # in a cell of DARTS, which also has two inputs
# AutoDL-Projects' names of operations of the space of DARTS. Its DualSepConv is ReLU, depthwise convolution,
# pointwise convolution and batch norm, all twice, like SepConv of Liu et al. Its SepConv has these layers
# once; with dilation 2, it equals their DilConv. Strides and paddings are the same.
_RENAMED = {
    "dua_sepc_3x3": "sep_conv_3x3",
    "dua_sepc_5x5": "sep_conv_5x5",
    "dil_sepc_3x3": "dil_conv_3x3",
    "dil_sepc_5x5": "dil_conv_5x5",
}
CONNECTIONS = ("connectN", "connects")  # fields of AutoDL-Projects, None in the space of DARTS
_EDGE = ("operation", "source", "weight")
_LONGEST = 20_000  # maximum characters of a text; published ones have up to about 700


# Text


def read_call(text: object, name: str, names: Sequence[str], or_dictionary: bool = False) -> object:
    """Return the fields in the text of a call `name(...)`, or of a dictionary if `or_dictionary`.

    `names` are the fields in the order of positional arguments. Nothing is executed. Raise GenotypeError if
    the text is something else.
    """
    if not isinstance(text, str):
        raise GenotypeError(f"a {name} must be given as text, got {shown(text)}")
    try:
        if len(text) > _LONGEST:
            raise ValueError(f"it has {len(text):,} characters")
        with warnings.catch_warnings(action="ignore"):  # about invalid escapes
            body = ast.parse(text.strip(), mode="eval").body
        fields: list[object]
        match body:
            case ast.Call(func=ast.Name(id=called), args=args, keywords=keywords) if called == name:
                fields = [*names[: len(args)], *(keyword.arg for keyword in keywords)]
                values = args + [keyword.value for keyword in keywords]
            case ast.Dict(keys=keys, values=values) if or_dictionary:
                fields = [key.value if isinstance(key, ast.Constant) else None for key in keys]
            case _:
                raise ValueError(f"it is not a {name}(...)")
        if len(fields) < len(values) or None in fields or len(set(fields)) < len(fields):
            raise ValueError("each field must be given once, by position or name")
        return dict(zip(fields, map(_value, values), strict=True))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error) or "it is nested too deeply"
        raise GenotypeError(f"cannot read the text of a {name}: {reason}; got {shown(text)}") from None


def _value(node: ast.expr) -> object:
    """Return the value of a node: a list, a string, None or a number."""
    if (number := _number(node)) is not None:
        return number
    match node:
        case ast.Call(func=ast.Name(id="range"), args=args, keywords=[]) if 1 <= len(args) <= 2:
            bounds = [_value(arg) for arg in args]
            valid = [bound for bound in bounds if isinstance(bound, int) and 0 <= bound <= 100]
            if len(valid) < len(bounds):
                raise ValueError(f"the bounds of a range must be integers in [0, 100], got {shown(bounds)}")
            return list(range(*valid))
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return [_value(element) for element in elements]
        case ast.Constant(value=str() | None as value):
            return value
        case ast.Name(id="null"):  # None in JSON
            return None
    raise ValueError(
        f"it can contain lists, strings, None and numbers (integers up to {_LONGEST:,}); got"
        f" {shown(ast.unparse(node))}"
    )


def _number(node: ast.expr) -> float | None:
    """Return the number of a node; None if it is not a number."""
    match node:
        case ast.Constant(value=int() as integer) if integer <= _LONGEST:
            return integer
        case ast.Constant(value=float() as number):
            return number
        case ast.Name(id="nan" | "inf" as name):  # weights of a search that diverged
            return float(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand) if (positive := _number(operand)) is not None:
            return -positive
        case ast.Call(  # as NumPy 2 prints its scalars
            func=ast.Attribute(value=ast.Name(id="np"), attr="float16" | "float32" | "float64"),
            args=[argument],
            keywords=[],
        ):
            return _number(argument)
    return None


# Fields


def complete_fields(fields: object, name: str, names: Sequence[str]) -> dict[str, object]:
    """Return the fields of a `name` unchanged; raise GenotypeError unless they are exactly `names`."""
    if not isinstance(fields, dict) or set(fields) != set(names):
        given_names = ", ".join(map(shown, fields)) if isinstance(fields, dict) else shown(fields)
        raise GenotypeError(
            f"a {name} must have the fields {', '.join(sorted(names))}; got {given_names or 'nothing'}"
        )
    return fields


def as_list(where: str, value: object) -> list[object]:
    """Return a list, tuple or range as a list; raise GenotypeError for other types."""
    if isinstance(value, (str, bytes)) or not isinstance(value, (list, tuple, range)):
        raise GenotypeError(f"{where} must be a list, got {shown(value)}")
    return list(value)


def edge_name(cell: str, number: int) -> str:
    """Return the name of an edge in messages, from its number in the list of all edges of a cell."""
    return f"{cell}, node {EDGES_PER_NODE + number // EDGES_PER_NODE}, edge {1 + number % EDGES_PER_NODE}"


def checked_edge(where: str, edge: object, length: int) -> Sequence[object]:
    """Return an edge unchanged; raise GenotypeError unless it is a list or tuple of this length."""
    if not isinstance(edge, (list, tuple)) or len(edge) != length:
        raise GenotypeError(f"{where}: an edge must be ({', '.join(_EDGE[:length])}), got {shown(edge)}")
    return edge


# Notations of genotypes


def without_connections(fields: object) -> object:
    """Return a genotype's fields without AutoDL-Projects' `connectN` and `connects`, which must be None."""
    if not isinstance(fields, dict):
        return fields
    for name in CONNECTIONS:
        if fields.get(name) is not None:
            raise GenotypeError(
                f"{name} must be None or left out, got {shown(fields[name])}; a genotype with {name}"
                " does not belong to the space of DARTS"
            )
    return {name: value for name, value in fields.items() if name not in CONNECTIONS}


class Notation(NamedTuple):
    """Notation of the edges of a genotype."""

    #: whether each node has its own list of edges, instead of one list of all edges
    nested: bool
    #: elements of an edge: 2, or 3 with its weight
    length: int

    def __str__(self) -> str:
        return _NOTATIONS[self]

    @classmethod
    def detect(cls, cells: Mapping[str, list[object]]) -> "Notation":
        """Return the notation of cells; raise GenotypeError if they mix notations."""
        first: dict[Notation, str] = {}  # places of the first edges in each notation
        for name, cell in cells.items():
            for number, element in enumerate(cell):
                edges = _edges_of_node(element)
                for edge in [element] if edges is None else edges:
                    if isinstance(edge, (list, tuple)) and len(edge) in (2, 3):
                        first.setdefault(cls(edges is not None, len(edge)), f"{name}[{number}]")
        if len(first) > 1:
            mixed = ", ".join(f"{place} has {notation}" for notation, place in first.items())
            remedy = " or all like ".join(first.values())
            raise GenotypeError(f"a genotype cannot mix notations: {mixed}; write all edges like {remedy}")
        return next(iter(first), cls(nested=False, length=2))

    def read(self, name: str, cell: list[object]) -> list[tuple[object, object]]:
        """Return the edges of a cell as one list of (operation, source), with the names of Liu et al."""
        pairs: list[tuple[object, object]] = []
        for number, edge in enumerate(_flat(name, cell) if self.nested else cell):
            where = edge_name(name, number)
            op, source, *weight = checked_edge(where, edge, self.length)
            if weight and finite(*weight) is None:
                raise GenotypeError(f"{where}: a weight must be a finite number, got {shown(*weight)}")
            pairs.append((_RENAMED.get(op, op) if isinstance(op, str) else op, source))
        return pairs


_NOTATIONS = {
    Notation(nested=False, length=2): "pairs in one list (Liu et al. 2019)",
    Notation(nested=True, length=2): "pairs nested by node (pt.darts, AutoDL-Projects)",
    Notation(nested=False, length=3): "triples in one list",
    Notation(nested=True, length=3): "triples nested by node (AutoDL-Projects)",
}


def _edges_of_node(element: object) -> Sequence[object] | None:
    """Return an element of a cell if it is a node's list of edges; None if it is an edge."""
    if (
        isinstance(element, (list, tuple))
        and any(isinstance(edge, (list, tuple)) for edge in element)
        and not isinstance(element[0], str)
    ):
        return element
    return None


def _flat(name: str, cell: list[object]) -> list[object]:
    """Return the edges of a cell in nested notation as one list."""
    flat: list[object] = []
    for node, edges in enumerate(cell, EDGES_PER_NODE):
        if not isinstance(edges, (list, tuple)) or len(edges) != EDGES_PER_NODE:
            raise GenotypeError(
                f"{name}, node {node}: a node must have a list of two edges, got {shown(edges)}"
            )
        flat += edges
    return flat
