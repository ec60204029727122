"""A cell of the NATS-Bench size space: five widths, and every name the field has for it."""

import reprlib
from dataclasses import dataclass
from functools import cache

import numpy as np

from nasbench.cell import members
from nasbench.errors import InvalidCellError
from nasbench.runs.checks import integer

WIDTHS = tuple(range(8, 65, 8))  # channels: 8, 16, ..., 64
LAYERS = 5
SIZES = len(WIDTHS) ** LAYERS  # 32,768

_NUMBER = {width: number for number, width in enumerate(WIDTHS)}
_WEIGHTS = tuple(len(WIDTHS) ** k for k in reversed(range(LAYERS)))  # of a layer's digit in the code


@dataclass(frozen=True, slots=True)
class SizeCell:
    """One of the 32,768 networks of the size space, named by its code: the five widths as base-8 digits.

    The official index is the code: the published order is that of the widths.

    >>> cell = SizeCell.from_string("8:8:8:16:32")
    >>> cell.index, cell.widths, len(cell.neighbours())
    (11, (8, 8, 8, 16, 32), 35)

    Space: Dong et al. 2021, NATS-Bench, arXiv:2009.00437, section 3.
    """

    code: int

    def __post_init__(self):
        code = integer(self.code)
        if code is None or not 0 <= code < SIZES:
            raise InvalidCellError(f"a size's code is an integer in [0, {SIZES - 1}], got {self.code!r}")
        object.__setattr__(self, "code", code)  # a plain int, whatever integer type came

    @classmethod
    def of(cls, cell):
        """Return the cell named by an official index, a string `8:8:8:16:32`, five widths or a SizeCell.

        The widths may be in a tuple, list, NumPy array or pandas Series.
        """
        return cell if type(cell) is cls else cls(size_code_of(cell))

    @classmethod
    def from_widths(cls, widths):
        """The cell of five numbers of channels, first layer first."""
        return cls(_code_of_widths(widths))

    @classmethod
    def from_string(cls, arch):
        """The cell of a string such as `8:8:8:16:32`."""
        return cls(_code_of_string(arch))

    @classmethod
    def from_index(cls, index):
        """The cell of an official index, 0..32767."""
        return cls(_code_of_index(index))

    @property
    def digits(self):
        """The five widths by number, 0 for 8 channels to 7 for 64, a tuple."""
        return tuple(self.code // weight % len(WIDTHS) for weight in _WEIGHTS)

    @property
    def widths(self):
        """The five numbers of channels, a tuple."""
        return tuple(WIDTHS[digit] for digit in self.digits)

    @property
    def index(self):
        """The official index, 0..32767."""
        return self.code

    def __str__(self):
        return ":".join(map(str, self.widths))

    def neighbours(self):
        """The 35 cells that differ in one width, by layer, then by width."""
        return [
            SizeCell(self.code + (other - digit) * weight)
            for digit, weight in zip(self.digits, _WEIGHTS, strict=True)
            for other in range(len(WIDTHS))
            if other != digit
        ]


def size_code_of(cell):
    """Return the code of a cell named by an official index, a string, five widths or a SizeCell."""
    if isinstance(cell, SizeCell):
        return cell.code
    if isinstance(cell, str):
        return _code_of_string(cell)
    widths = cell if isinstance(cell, (tuple, list)) else members(cell)
    return _code_of_index(cell) if widths is None else _code_of_widths(widths)


def _code_of_string(arch):
    if not isinstance(arch, str):
        raise InvalidCellError(f"a size's string is a string, got {type(arch).__name__}")
    parts = arch.split(":")
    if len(parts) != LAYERS or not all(part in map(str, WIDTHS) for part in parts):
        raise InvalidCellError(
            f"a size's string is five widths of {WIDTHS[0]} to {WIDTHS[-1]} in steps of 8, such as"
            f" 8:8:8:16:32; got {arch!r}"
        )
    return _code_of_widths(list(map(int, parts)))


def _code_of_widths(widths):
    found = list(map(integer, members(widths) or ()))
    if len(found) != LAYERS or not all(width in _NUMBER for width in found):
        raise InvalidCellError(
            f"a size has five widths of {WIDTHS[0]} to {WIDTHS[-1]} in steps of 8, got {reprlib.repr(widths)}"
        )
    return sum(_NUMBER[width] * weight for width, weight in zip(found, _WEIGHTS, strict=True))


def _code_of_index(index):
    number = integer(index)
    if number is None:
        raise InvalidCellError(
            "a size is an official index, a string, five widths or a SizeCell;"
            f" got {reprlib.repr(index)} ({type(index).__name__})"
        )
    if not 0 <= number < SIZES:
        raise InvalidCellError(f"an official index is in [0, {SIZES - 1}], got {number}")
    return number


@cache
def size_order():
    """The code of each official index, and the official index of each code, uint16 (32768,)."""
    order = np.arange(SIZES, dtype=np.uint16)
    order.flags.writeable = False
    return order
