"""A cell of NAS-Bench-201: six operations, and every name the field has for it."""

import reprlib
from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cache

import numpy as np

from nasbench.errors import InvalidCellError, MissingDependencyError
from nasbench.runs.checks import integer

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))  # (source, target), in the order of the arch string
CELLS = len(OPERATIONS) ** len(EDGES)  # 15,625

_NUMBER = {name: number for number, name in enumerate(OPERATIONS)}
_WEIGHTS = tuple(len(OPERATIONS) ** k for k in reversed(range(len(EDGES))))  # of an edge's digit in the code
_FORM = "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|"

# NASLib counts the same operations and edges in another order.
_NASLIB_OPERATIONS = tuple(
    map(_NUMBER.get, ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3"))
)
_NASLIB_EDGES = tuple(map(EDGES.index, ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))))

# The network around the cell (Dong & Yang 2020, arXiv:2001.00326, section 2.1).
_CHANNELS = (16, 32, 64)
_CELLS_A_STAGE = 5


@dataclass(frozen=True, slots=True)
class Cell:
    """One of the 15,625 cells, named by its code: the six operations as base-5 digits in arch string order.

    >>> cell = Cell.from_index(6111)
    >>> print(cell)
    |nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|
    >>> cell.params(classes=10), len(cell.neighbours()), cell == Cell.from_string(str(cell))
    (1073466, 24, True)

    Space: Dong & Yang 2020, arXiv:2001.00326.
    """

    code: int

    def __post_init__(self):
        code = integer(self.code)
        if code is None or not 0 <= code < CELLS:
            raise InvalidCellError(f"a cell's code is an integer in [0, {CELLS - 1}], got {self.code!r}")
        object.__setattr__(self, "code", code)  # a plain int, whatever integer type came

    # Names that others give a cell

    @classmethod
    def of(cls, cell):
        """Return the cell named by an official index, an arch string, six operations or a Cell.

        The operations may be in a tuple, list, NumPy array or pandas Series.
        """
        return cell if type(cell) is cls else cls(code_of(cell))

    @classmethod
    def from_ops(cls, ops):
        """The cell of six operation names in arch string order."""
        return cls(_code_of_ops(ops))

    @classmethod
    def from_string(cls, arch):
        """The cell of an arch string `|a~0|+|b~0|c~1|+|d~0|e~1|f~2|`."""
        return cls(_code_of_string(arch))

    @classmethod
    def from_index(cls, index):
        """The cell of an official index, 0..15624."""
        return cls(_code_of_index(index))

    @classmethod
    def from_naslib(cls, numbers):
        """The cell of NASLib's tuple of six operation numbers, in NASLib's order of both."""
        found = [integer(number) for number in members(numbers) or ()]
        if len(found) != len(EDGES) or not all(number in range(len(OPERATIONS)) for number in found):
            raise InvalidCellError(f"NASLib's tuple is six numbers in [0, 4], got {reprlib.repr(numbers)}")
        edge_of = dict(zip(_NASLIB_EDGES, found, strict=True))
        return cls.from_ops(OPERATIONS[_NASLIB_OPERATIONS[edge_of[edge]]] for edge in range(len(EDGES)))

    @classmethod
    def from_matrix(cls, matrix):
        """The cell of a (4, 4) matrix of operation numbers; row: target node, column: source node."""
        matrix = np.array(matrix, dtype=object)
        integers = all(integer(number) is not None for number in matrix.flat)
        if matrix.shape != (4, 4) or not integers or np.triu(matrix).any():
            raise InvalidCellError(
                "a cell's matrix is (4, 4), of integers, and zero on and above the diagonal"
                f" (row: target node, column: source node); got {matrix.tolist()}"
            )
        numbers = [int(matrix[target, source]) for source, target in EDGES]
        if not all(0 <= number < len(OPERATIONS) for number in numbers):
            raise InvalidCellError(f"operation numbers are in [0, 4], got {numbers}")
        return cls.from_ops(OPERATIONS[number] for number in numbers)

    @property
    def digits(self):
        """The six operation numbers in arch string order, a tuple."""
        return tuple(self.code // weight % len(OPERATIONS) for weight in _WEIGHTS)

    @property
    def ops(self):
        """The six operation names in arch string order, a tuple."""
        return tuple(OPERATIONS[digit] for digit in self.digits)

    @property
    def index(self):
        """The official index, 0..15624."""
        return int(official_index()[self.code])

    @property
    def naslib(self):
        """NASLib's tuple of six operation numbers, in NASLib's order of both."""
        digits = self.digits
        return tuple(_NASLIB_OPERATIONS.index(digits[edge]) for edge in _NASLIB_EDGES)

    @property
    def matrix(self):
        """Operation numbers, int64 (4, 4); row: target node, column: source node, zero elsewhere."""
        matrix = np.zeros((4, 4), dtype=np.int64)
        for (source, target), digit in zip(EDGES, self.digits, strict=True):
            matrix[target, source] = digit
        return matrix

    def __str__(self):
        return _FORM.format(*self.ops)

    def to_networkx(self):
        """A DiGraph on nodes 0 (input) to 3 (output); all six edges, each with its operation as `op`."""
        try:
            import networkx
        except ImportError:
            raise MissingDependencyError("a cell as a graph needs networkx: pip install networkx") from None
        graph = networkx.DiGraph()
        graph.add_nodes_from(range(4))
        graph.add_edges_from((*edge, {"op": op}) for edge, op in zip(EDGES, self.ops, strict=True))
        return graph

    # What is alike and what is near

    @property
    def canonical_form(self):
        """A string that is equal for isomorphic cells, by the convention of the benchmark's authors.

        `skip_connect` passes its source on; `none`, or any edge from a node that is nothing, is `#`; a node
        is the sorted sum of its edges. 6,466 distinct strings (arXiv:2001.00326, section 2.1).
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
    def isomorphism_class(self):
        """The number of the cell's isomorphism class, 0..6465, by first appearance in the order of codes."""
        return int(isomorphism_classes()[self.code])

    def neighbours(self):
        """The 24 cells that differ in one operation, by edge, then by operation."""
        return [
            Cell(self.code + (other - digit) * weight)
            for digit, weight in zip(self.digits, _WEIGHTS, strict=True)
            for other in range(len(OPERATIONS))
            if other != digit
        ]

    # What it costs

    def params(self, classes=10):
        """Trainable parameters of the benchmark's network with so many classes, a count."""
        return count_params(*self._convolutions(), classes)

    def flops(self, classes=10, image_size=32):
        """Multiply-adds of the benchmark's network for one image, a count as the benchmark counts.

        Convolutions and the classifier; normalization, pooling and additions are free.
        """
        return count_flops(*self._convolutions(), classes, image_size)

    def _convolutions(self):
        digits = self.digits
        return digits.count(_NUMBER["nor_conv_1x1"]), digits.count(_NUMBER["nor_conv_3x3"])


def count_params(ones, threes, classes):
    """Parameters of networks whose cells have so many 1×1 and 3×3 convolutions; numbers or arrays."""
    first, last = _CHANNELS[0], _CHANNELS[-1]
    total = 3 * first * 9 + 2 * first  # stem: convolution, normalization
    for before, after in zip(_CHANNELS, _CHANNELS[1:], strict=False):  # residual blocks between the stages
        total += before * after * 9 + 2 * after + after * after * 9 + 2 * after + before * after
    total += 2 * last + (last + 1) * classes
    for c in _CHANNELS:
        total = total + _CELLS_A_STAGE * (ones * (c * c + 2 * c) + threes * (9 * c * c + 2 * c))
    return total


def count_flops(ones, threes, classes, image_size):
    """Multiply-adds of networks whose cells have so many 1×1 and 3×3 convolutions; numbers or arrays."""
    size = image_size
    total = 3 * _CHANNELS[0] * 9 * size**2
    for stage, c in enumerate(_CHANNELS):
        if stage:
            size //= 2
            before = _CHANNELS[stage - 1]
            total += (before * c * 9 + c * c * 9 + before * c) * size**2
        total = total + _CELLS_A_STAGE * (ones + 9 * threes) * c * c * size**2
    return total + (_CHANNELS[-1] + 1) * classes


def code_of(cell):
    """Return the code of a cell named by an official index, an arch string, six operations or a Cell.

    >>> code_of(6111) == code_of(Cell.from_index(6111)) == code_of(Cell.from_index(6111).ops)
    True
    """
    if isinstance(cell, Cell):
        return cell.code
    if isinstance(cell, str):
        return _code_of_string(cell)
    ops = cell if isinstance(cell, (tuple, list)) else members(cell)
    return _code_of_index(cell) if ops is None else _code_of_ops(ops)


def _code_of_string(arch):
    if not isinstance(arch, str):
        raise InvalidCellError(f"an arch string is a string, got {type(arch).__name__}")
    ops = [edge.split("~")[0] for edge in arch.strip("|").replace("|+|", "|").split("|")]
    if len(ops) != len(EDGES) or _FORM.format(*ops) != arch:
        raise InvalidCellError(f"an arch string has the form {_FORM.format(*'abcdef')}, got {arch!r}")
    return _code_of_ops(ops)


def _code_of_ops(ops):
    try:
        ops = tuple(ops)
    except TypeError:
        raise InvalidCellError(f"a cell has six operations, got {reprlib.repr(ops)}") from None
    if len(ops) != len(EDGES):
        raise InvalidCellError(f"a cell has six operations, got {len(ops)}: {reprlib.repr(ops)}")
    code = 0
    for op, (source, target) in zip(ops, EDGES, strict=True):
        if not isinstance(op, str) or op not in _NUMBER:
            raise InvalidCellError(
                f"unknown operation {op!r} at edge {source}->{target};"
                f" the operations are {', '.join(OPERATIONS)}"
            )
        code = code * len(OPERATIONS) + _NUMBER[op]
    return code


def _code_of_index(index):
    number = integer(index)
    if number is None:
        raise InvalidCellError(
            "a cell is an official index, an arch string, six operations or a Cell;"
            f" got {reprlib.repr(index)} ({type(index).__name__})"
        )
    if not 0 <= number < CELLS:
        raise InvalidCellError(f"an official index is in [0, {CELLS - 1}], got {number}")
    return int(official_order()[number])


def members(values: object) -> tuple[object, ...] | None:
    """Return the members of a tuple, list, NumPy array, pandas Series or tensor; None for anything else."""
    if isinstance(values, (str, bytes, Mapping, Set)):
        return None
    try:
        return tuple(values)
    except TypeError:
        return None


# The whole space at once, in code order where not said otherwise


@cache
def official_order():
    """The code of each official index, uint16 (15625,).

    The authors shuffled all cells, in code order, by `random.Random(88)`; no file is needed to repeat that.
    """
    import random  # here, as a lookup does not need it

    codes = list(range(CELLS))
    random.Random(88).shuffle(codes)
    return _frozen(np.array(codes, dtype=np.uint16))


@cache
def official_index():
    """The official index of each code, uint16 (15625,)."""
    index = np.empty(CELLS, dtype=np.uint16)
    index[official_order()] = np.arange(CELLS, dtype=np.uint16)
    return _frozen(index)


@cache
def isomorphism_classes():
    """The isomorphism class of each code, uint16 (15625,), numbered 0..6465 by first appearance."""
    numbers = {}
    classes = [numbers.setdefault(Cell(code).canonical_form, len(numbers)) for code in range(CELLS)]
    return _frozen(np.array(classes, dtype=np.uint16))


def all_digits():
    """The operation numbers of each code, uint8 (15625, 6)."""
    return np.indices((len(OPERATIONS),) * len(EDGES), dtype=np.uint8).reshape(len(EDGES), CELLS).T


def count_convolutions():
    """How many 1×1 and how many 3×3 convolutions each code has, two int64 arrays (15625,)."""
    digits = all_digits()
    return tuple((digits == _NUMBER[op]).sum(axis=1) for op in ("nor_conv_1x1", "nor_conv_3x3"))


def _frozen(array):
    array.flags.writeable = False
    return array
