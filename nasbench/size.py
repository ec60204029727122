"""A cell of the NATS-Bench size space: five widths, and every name the field has for it."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Self, SupportsIndex

import numpy as np

from nasbench.coded import CodedCell, members
from nasbench.errors import InvalidCellError
from nasbench.runs.checks import integer

if TYPE_CHECKING:
    from nasbench.arrays import Numbering

WIDTHS = tuple(range(8, 65, 8))  # channels: 8, 16, ..., 64
LAYERS = 5
SIZES = len(WIDTHS) ** LAYERS  # 32,768

_NUMBER = {width: number for number, width in enumerate(WIDTHS)}


@cache
def size_order() -> Numbering:
    """Return the code of each official index, and the official index of each code, uint16 (32768,)."""
    order = np.arange(SIZES, dtype=np.uint16)
    order.flags.writeable = False
    return order


class SizeCell(
    CodedCell,
    digits=LAYERS,
    choices=len(WIDTHS),
    noun="size",
    names="an official index, a string, five widths or a SizeCell",
    order=size_order,
):
    """One of the 32,768 networks of the size space, named by its code: the five widths as base-8 digits.

    The official index is the code: the published order is the order of the widths.

    >>> cell = SizeCell.from_string("8:8:8:16:32")
    >>> cell.index, cell.widths, len(cell.neighbours())
    (11, (8, 8, 8, 16, 32), 35)

    Parameters
    ----------
    code
        Code of the cell, 0..32767; any integer type. InvalidCellError for any other value.

    References
    ----------
    Dong et al. 2021, NATS-Bench, arXiv:2009.00437, section 3.
    """

    __slots__ = ()

    @classmethod
    def from_widths(cls, widths: Iterable[SupportsIndex]) -> Self:
        """Return the cell of five numbers of channels, first layer first."""
        return cls(cls._parse_choices(widths))

    @property
    def widths(self) -> tuple[int, ...]:
        """The five numbers of channels."""
        return tuple(WIDTHS[digit] for digit in self.digits)

    @property
    def index(self) -> int:
        """The official index, 0..32767."""
        return self.code

    def __str__(self) -> str:
        return ":".join(map(str, self.widths))

    @classmethod
    def _parse_string(cls, arch: object) -> int:
        if not isinstance(arch, str):
            raise InvalidCellError(f"a size's string is a string, got {type(arch).__name__}")
        parts = arch.split(":")
        if len(parts) != LAYERS or not all(part in map(str, WIDTHS) for part in parts):
            raise InvalidCellError(
                f"a size's string is five widths of {WIDTHS[0]} to {WIDTHS[-1]} in steps of 8, such as"
                f" 8:8:8:16:32; got {arch!r}"
            )
        return cls._parse_choices(list(map(int, parts)))

    @classmethod
    def _parse_choices(cls, choices: object) -> int:
        given = [integer(width) for width in members(choices) or ()]
        digits = [_NUMBER[width] for width in given if width in _NUMBER]
        if len(given) != LAYERS or len(digits) != LAYERS:
            raise InvalidCellError(
                f"a size has five widths of {WIDTHS[0]} to {WIDTHS[-1]} in steps of 8,"
                f" got {reprlib.repr(choices)}"
            )
        return sum(digit * weight for digit, weight in zip(digits, cls._WEIGHTS, strict=True))
