"""A cell of NAS-Bench-201: six operations, and all notations for it."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Self, SupportsIndex, TypeVar

import numpy as np

from nasbench.coded import CodedCell, members
from nasbench.errors import InvalidCellError, MissingDependencyError
from nasbench.runs.checks import integer

if TYPE_CHECKING:
    import networkx
    from numpy.typing import ArrayLike, NDArray

    from nasbench.arrays import Numbering
    from nasbench.svg import Svg

#: operations of an edge, numbered as in the published files
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
#: edges (source, target), in the order of the arch string
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
#: number of cells, 15,625
CELLS = len(OPERATIONS) ** len(EDGES)

_NUMBER = {name: number for number, name in enumerate(OPERATIONS)}
_FORM = "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|"

# NASLib numbers the same operations and edges in a different order.
_NASLIB_OPERATIONS = tuple(
    _NUMBER[op] for op in ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
)
_NASLIB_EDGES = tuple(map(EDGES.index, ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))))

# The network that the cell is part of (Dong & Yang 2020, arXiv:2001.00326, section 2.1).
_CHANNELS = (16, 32, 64)
_CELLS_PER_STAGE = 5


@cache
def official_order() -> Numbering:
    """Return the code of each official index, uint16 (15625,).

    The authors shuffled all cells, in code order, with `random.Random(88)`, so no file is needed.
    """
    import random  # imported here because lookups do not need it

    codes = list(range(CELLS))
    random.Random(88).shuffle(codes)
    return _frozen(np.array(codes, dtype=np.uint16))


def _frozen(array: Numbering) -> Numbering:
    array.flags.writeable = False
    return array


class Cell(
    CodedCell,
    digits=len(EDGES),
    choices=len(OPERATIONS),
    noun="cell",
    names="an official index, an arch string, six operations or a Cell",
    order=official_order,
):
    """A cell of NAS-Bench-201, one of 15,625; its code has the six operations as base-5 digits.

    >>> cell = Cell.from_index(6111)
    >>> print(cell)
    |nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|
    >>> cell.params(classes=10), len(cell.neighbours()), cell == Cell.from_string(str(cell))
    (1073466, 24, True)

    Parameters
    ----------
    code
        Code of the cell, 0..15624, of any integer type.

    Raises
    ------
    InvalidCellError
        If ``code`` is not the code of a cell.

    References
    ----------
    Dong & Yang 2020, arXiv:2001.00326.
    """

    __slots__ = ()

    # Notations

    @classmethod
    def from_ops(cls, ops: Iterable[str]) -> Self:
        """Return the cell with the given operations.

        Parameters
        ----------
        ops
            Six names of `OPERATIONS`, in the order of `EDGES`.

        Raises
        ------
        InvalidCellError
            If they are not six known names.
        """
        return cls(cls._parse_choices(ops))

    @classmethod
    def from_naslib(cls, numbers: Iterable[SupportsIndex]) -> Self:
        """Return the cell with the given NASLib tuple.

        Parameters
        ----------
        numbers
            Six operation numbers in [0, 4], in NASLib's order of operations and edges.

        Raises
        ------
        InvalidCellError
            If they are not six such numbers.
        """
        given = [integer(number) for number in members(numbers) or ()]
        known = [number for number in given if number is not None and 0 <= number < len(OPERATIONS)]
        if len(given) != len(EDGES) or len(known) != len(EDGES):
            raise InvalidCellError(
                f"NASLib's tuple must be six integers in [0, 4], got {reprlib.repr(numbers)}"
            )
        by_edge = dict(zip(_NASLIB_EDGES, known, strict=True))
        return cls.from_ops(OPERATIONS[_NASLIB_OPERATIONS[by_edge[edge]]] for edge in range(len(EDGES)))

    @classmethod
    def from_matrix(cls, matrix: ArrayLike | Sequence[Sequence[object]]) -> Self:
        """Return the cell with the given matrix of operation numbers.

        Parameters
        ----------
        matrix
            Shape ``(4, 4)``; row: target node, column: source node; zero on and above the diagonal.

        Raises
        ------
        InvalidCellError
            If the matrix has another shape or other entries.
        """
        array = np.array(matrix, dtype=object)
        integers = all(integer(number) is not None for number in array.flat)
        if array.shape != (4, 4) or not integers or np.triu(array).any():
            raise InvalidCellError(
                "a cell's matrix must be (4, 4), of integers, and zero on and above the diagonal"
                f" (row: target node, column: source node); got {array.tolist()}"
            )
        numbers = [int(array[target, source]) for source, target in EDGES]
        if not all(0 <= number < len(OPERATIONS) for number in numbers):
            raise InvalidCellError(f"operation numbers must be in [0, 4], got {numbers}")
        return cls.from_ops(OPERATIONS[number] for number in numbers)

    @property
    def ops(self) -> tuple[str, ...]:
        """Names of the six operations, in the order of `EDGES`."""
        return tuple(OPERATIONS[digit] for digit in self.digits)

    @property
    def index(self) -> int:
        """Official index, 0..15624."""
        return int(official_index()[self.code])

    @property
    def naslib(self) -> tuple[int, ...]:
        """Six operation numbers in NASLib's order of operations and edges."""
        digits = self.digits
        return tuple(_NASLIB_OPERATIONS.index(digits[edge]) for edge in _NASLIB_EDGES)

    @property
    def matrix(self) -> NDArray[np.int64]:
        """Operation numbers, int64 (4, 4); row: target node, column: source node; zero elsewhere."""
        matrix = np.zeros((4, 4), dtype=np.int64)
        for (source, target), digit in zip(EDGES, self.digits, strict=True):
            matrix[target, source] = digit
        return matrix

    def __str__(self) -> str:
        return _FORM.format(*self.ops)

    def picture(self) -> Svg:
        """Return the cell as a picture, which notebooks show."""
        from nasbench.svg import draw_topology

        return draw_topology(str(self), self.index, EDGES, self.ops)

    def to_networkx(self) -> networkx.DiGraph[int]:
        """Return the cell as a graph.

        Returns
        -------
        networkx.DiGraph
            Nodes 0 (input) to 3 (output); the attribute ``op`` of an edge is its operation.

        Raises
        ------
        MissingDependencyError
            If networkx is not installed.
        """
        try:
            import networkx
        except ImportError:
            raise MissingDependencyError(
                "converting a cell to a graph needs networkx: pip install networkx"
            ) from None
        graph: networkx.DiGraph[int] = networkx.DiGraph()
        graph.add_nodes_from(range(4))
        graph.add_edges_from((*edge, {"op": op}) for edge, op in zip(EDGES, self.ops, strict=True))
        return graph

    @classmethod
    def _parse_string(cls, arch: object) -> int:
        if not isinstance(arch, str):
            raise InvalidCellError(f"an arch string must be a str, got {type(arch).__name__}")
        ops = [edge.split("~")[0] for edge in arch.strip("|").replace("|+|", "|").split("|")]
        if len(ops) != len(EDGES) or _FORM.format(*ops) != arch:
            raise InvalidCellError(
                f"an arch string must have the form {_FORM.format(*'abcdef')}, got {arch!r}"
            )
        return cls._parse_choices(ops)

    @classmethod
    def _parse_choices(cls, choices: object) -> int:
        try:
            ops: tuple[object, ...] = tuple(choices)  # type: ignore[arg-type]  # may be of any type
        except TypeError:
            raise InvalidCellError(f"a cell must have six operations, got {reprlib.repr(choices)}") from None
        if len(ops) != len(EDGES):
            raise InvalidCellError(f"a cell must have six operations, got {len(ops)}: {reprlib.repr(ops)}")
        code = 0
        for op, (source, target) in zip(ops, EDGES, strict=True):
            if not isinstance(op, str) or op not in _NUMBER:
                raise InvalidCellError(
                    f"unknown operation {op!r} at edge {source}->{target};"
                    f" the operations are {', '.join(OPERATIONS)}"
                )
            code = code * len(OPERATIONS) + _NUMBER[op]
        return code

    # Isomorphism

    @property
    def canonical_form(self) -> str:
        """String that is equal for isomorphic cells, by the convention of the benchmark's authors.

        `skip_connect` is written as its source; `none`, and any edge from an empty node, as `#`; a node as
        the sorted sum of its edges. There are 6,466 distinct strings (arXiv:2001.00326, section 2.1).
        """
        nodes = ["0"]
        ops = iter(self.ops)
        for target in range(1, 4):
            terms = []
            for source in range(target):
                op = next(ops)
                if op == "none" or nodes[source] == "#":
                    terms.append("#")
                elif op == "skip_connect":
                    terms.append(nodes[source])
                else:
                    terms.append(f"({nodes[source]})@{op}")
            nodes.append("+".join(sorted(terms)))
        return nodes[-1]

    @property
    def isomorphism_class(self) -> int:
        """Number of the cell's isomorphism class, 0..6465, by first appearance in code order."""
        return int(isomorphism_classes()[self.code])

    # Costs

    def params(self, classes: int = 10) -> int:
        """Return the number of trainable parameters of the benchmark's network.

        Parameters
        ----------
        classes
            Number of classes of the data set.

        Returns
        -------
        int
            Number of parameters, not in millions.
        """
        return count_params(*self._convolutions(), classes)

    def flops(self, classes: int = 10, image_size: int = 32) -> int:
        """Return the number of multiply-adds of the benchmark's network for one image.

        As in the benchmark, only convolutions and the classifier are counted; normalization, pooling and
        additions are not.

        Parameters
        ----------
        classes
            Number of classes of the data set.
        image_size
            Height and width of an image, in pixels.

        Returns
        -------
        int
            Number of multiply-adds, not in millions.
        """
        return count_flops(*self._convolutions(), classes, image_size)

    def _convolutions(self) -> tuple[int, int]:
        digits = self.digits
        return digits.count(_NUMBER["nor_conv_1x1"]), digits.count(_NUMBER["nor_conv_3x3"])


Count = TypeVar("Count", int, "NDArray[np.int64]")  # convolutions of one cell, or of many, (N,)


def count_params(ones: Count, threes: Count, classes: int) -> Count:
    """Return the parameters of networks from the numbers of 1×1 and 3×3 convolutions in their cells."""
    first, last = _CHANNELS[0], _CHANNELS[-1]
    rest = 3 * first * 9 + 2 * first  # stem: convolution, normalization
    for before, after in zip(_CHANNELS, _CHANNELS[1:], strict=False):  # residual blocks between the stages
        rest += before * after * 9 + 2 * after + after * after * 9 + 2 * after + before * after
    rest += 2 * last + (last + 1) * classes
    one = _CELLS_PER_STAGE * sum(c * c + 2 * c for c in _CHANNELS)
    three = _CELLS_PER_STAGE * sum(9 * c * c + 2 * c for c in _CHANNELS)
    return ones * one + threes * three + rest


def count_flops(ones: Count, threes: Count, classes: int, image_size: int) -> Count:
    """Return the multiply-adds of networks from the numbers of 1×1 and 3×3 convolutions in their cells."""
    size, one = image_size, 0
    rest = 3 * _CHANNELS[0] * 9 * size**2
    for stage, c in enumerate(_CHANNELS):
        if stage:
            size //= 2
            before = _CHANNELS[stage - 1]
            rest += (before * c * 9 + c * c * 9 + before * c) * size**2
        one += _CELLS_PER_STAGE * c * c * size**2
    return (ones + threes * 9) * one + rest + (_CHANNELS[-1] + 1) * classes


# All cells of the space


@cache
def official_index() -> Numbering:
    """Return the official index of each code, uint16 (15625,)."""
    index = np.empty(CELLS, dtype=np.uint16)
    index[official_order()] = np.arange(CELLS, dtype=np.uint16)
    return _frozen(index)


@cache
def isomorphism_classes() -> Numbering:
    """Return the isomorphism class of each code, uint16 (15625,), numbered 0..6465 by first appearance."""
    numbers: dict[str, int] = {}
    classes = [numbers.setdefault(Cell(code).canonical_form, len(numbers)) for code in range(CELLS)]
    return _frozen(np.array(classes, dtype=np.uint16))


def all_digits() -> NDArray[np.uint8]:
    """Return the operation numbers of each code, uint8 (15625, 6)."""
    return np.indices((len(OPERATIONS),) * len(EDGES), dtype=np.uint8).reshape(len(EDGES), CELLS).T


def count_convolutions() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of 1×1 and of 3×3 convolutions of each code, two arrays (15625,)."""
    digits = all_digits()
    ones, threes = ((digits == _NUMBER[op]).sum(axis=1) for op in ("nor_conv_1x1", "nor_conv_3x3"))
    return ones, threes
