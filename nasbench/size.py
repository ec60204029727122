"""A cell of the NATS-Bench size space: five widths, and all notations for it."""

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
    from nasbench.svg import Svg

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
    """A network of the size space, one of 32,768; its code has the five widths as base-8 digits.

    The official index equals the code, because networks are published in the order of their widths.

    >>> cell = SizeCell.from_string("8:8:8:16:32")
    >>> cell.index, cell.widths, len(cell.neighbours())
    (11, (8, 8, 8, 16, 32), 35)

    Parameters
    ----------
    code
        Code of the cell, 0..32767, of any integer type.

    Raises
    ------
    InvalidCellError
        If ``code`` is not the code of a cell.

    References
    ----------
    Dong et al. 2021, NATS-Bench, arXiv:2009.00437, section 3.
    """

    __slots__ = ()

    @classmethod
    def from_widths(cls, widths: Iterable[SupportsIndex]) -> Self:
        """Return the cell with the given widths.

        Parameters
        ----------
        widths
            Five numbers of channels, 8 to 64 in steps of 8; first layer first.

        Raises
        ------
        InvalidCellError
            If they are not five such numbers.
        """
        return cls(cls._parse_choices(widths))

    @property
    def widths(self) -> tuple[int, ...]:
        """Numbers of channels of the five layers."""
        return tuple(WIDTHS[digit] for digit in self.digits)

    @property
    def index(self) -> int:
        """Official index, 0..32767."""
        return self.code

    def __str__(self) -> str:
        return ":".join(map(str, self.widths))

    def picture(self) -> Svg:
        """Return the cell as a picture, which notebooks show."""
        from nasbench.svg import draw_widths

        return draw_widths(str(self), self.index, self.widths)

    @classmethod
    def _parse_string(cls, arch: object) -> int:
        if not isinstance(arch, str):
            raise InvalidCellError(f"a size's string must be a str, got {type(arch).__name__}")
        parts = arch.split(":")
        if len(parts) != LAYERS or not all(part in map(str, WIDTHS) for part in parts):
            raise InvalidCellError(
                f"a size's string must be five widths from {WIDTHS[0]} to {WIDTHS[-1]} in steps of 8, such as"
                f" 8:8:8:16:32; got {arch!r}"
            )
        return cls._parse_choices(list(map(int, parts)))

    @classmethod
    def _parse_choices(cls, choices: object) -> int:
        given = [integer(width) for width in members(choices) or ()]
        digits = [_NUMBER[width] for width in given if width in _NUMBER]
        if len(given) != LAYERS or len(digits) != LAYERS:
            raise InvalidCellError(
                f"a size must have five widths from {WIDTHS[0]} to {WIDTHS[-1]} in steps of 8,"
                f" got {reprlib.repr(choices)}"
            )
        return sum(digit * weight for digit, weight in zip(digits, cls._WEIGHTS, strict=True))
