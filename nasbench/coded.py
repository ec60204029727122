"""Base class of cells that are identified by a code: digits, neighbours, notations."""

from __future__ import annotations

import reprlib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self, SupportsIndex

from nasbench.errors import InvalidCellError
from nasbench.pictured import Pictured
from nasbench.runs.checks import integer

if TYPE_CHECKING:
    from nasbench.arrays import Numbering


@dataclass(frozen=True, slots=True)
class CodedCell(Pictured):
    """Base class of the cells of a search space; the digits of a cell's code are its choices."""

    #: code of the cell
    code: int

    _CELLS: ClassVar[int]  # number of cells of the space
    _BASE: ClassVar[int]  # choices per digit
    _WEIGHTS: ClassVar[tuple[int, ...]]  # weight of each digit in the code
    _NOUN: ClassVar[str]
    _NAMES: ClassVar[str]
    _official_order: ClassVar[Callable[[], Numbering]]  # the code of each official index, (N,)

    def __init_subclass__(
        cls, *, digits: int, choices: int, noun: str, names: str, order: Callable[[], Numbering]
    ) -> None:
        """Define the cells of a space.

        Parameters
        ----------
        digits, choices
            Number of choices that make up a cell, and number of options of each.
        noun, names
            A cell, and all notations for it, in errors.
        order
            Function that returns the code of each official index, shape ``(N,)``.
        """
        cls._CELLS, cls._BASE = choices**digits, choices
        cls._WEIGHTS = tuple(choices**k for k in reversed(range(digits)))
        cls._NOUN, cls._NAMES, cls._official_order = noun, names, staticmethod(order)

    def __post_init__(self) -> None:
        code = integer(self.code)
        if code is None or not 0 <= code < self._CELLS:
            raise InvalidCellError(
                f"a {self._NOUN}'s code must be an integer in [0, {self._CELLS - 1}], got {self.code!r}"
            )
        object.__setattr__(self, "code", code)  # a plain int for any integer type

    @classmethod
    def parse(cls, cell: AnyCell) -> Self:
        """Return the cell that is given in any notation.

        Parameters
        ----------
        cell
            Official index, string, choices as a tuple, list, NumPy array or pandas Series, or a cell.

        Raises
        ------
        InvalidCellError
            If `cell` is not a cell of the space.
        """
        return cell if isinstance(cell, cls) else cls(cls.parse_code(cell))

    @classmethod
    def from_string(cls, arch: str) -> Self:
        """Return the cell with the given string.

        Parameters
        ----------
        arch
            String as ``str(cell)`` returns it.

        Raises
        ------
        InvalidCellError
            If it is not the string of a cell.
        """
        return cls(cls._parse_string(arch))

    @classmethod
    def from_index(cls, index: SupportsIndex) -> Self:
        """Return the cell with the given official index.

        Parameters
        ----------
        index
            Official index, counted from 0, of any integer type.

        Raises
        ------
        InvalidCellError
            If `index` is out of range.
        """
        return cls(cls._parse_index(index))

    @classmethod
    def parse_code(cls, cell: AnyCell) -> int:
        """Return the code of `cell`, which is given in any notation, as for `parse`."""
        if isinstance(cell, str):
            return cls._parse_string(cell)
        if isinstance(cell, (tuple, list)):
            return cls._parse_choices(cell)
        if isinstance(cell, cls):
            return cell.code
        choices = members(cell)
        return cls._parse_index(cell) if choices is None else cls._parse_choices(choices)

    @property
    def digits(self) -> tuple[int, ...]:
        """Numbers of the choices."""
        return tuple(self.code // weight % self._BASE for weight in self._WEIGHTS)

    @property
    @abstractmethod
    def index(self) -> int:
        """Official index."""

    def neighbours(self) -> list[Self]:
        """Return the cells that differ in exactly one choice, ordered by digit, then by choice."""
        return [
            type(self)(self.code + (other - digit) * weight)
            for digit, weight in zip(self.digits, self._WEIGHTS, strict=True)
            for other in range(self._BASE)
            if other != digit
        ]

    @classmethod
    @abstractmethod
    def _parse_string(cls, arch: object) -> int:
        """Return the code of the cell with a string."""

    @classmethod
    @abstractmethod
    def _parse_choices(cls, choices: object) -> int:
        """Return the code of the cell with a sequence of choices."""

    @classmethod
    def _parse_index(cls, index: object) -> int:
        number = integer(index)
        if number is None:
            raise InvalidCellError(
                f"a {cls._NOUN} must be {cls._NAMES}; got {reprlib.repr(index)} ({type(index).__name__})"
            )
        if not 0 <= number < cls._CELLS:
            raise InvalidCellError(f"an official index must be in [0, {cls._CELLS - 1}], got {number}")
        return int(cls._official_order()[number])


AnyCell = CodedCell | SupportsIndex | str | Iterable[str] | Iterable[SupportsIndex]


def members(values: object) -> tuple[object, ...] | None:
    """Return the members of a tuple, list, NumPy array, pandas Series or tensor; None for anything else."""
    if isinstance(values, (str, bytes, Mapping, Set)):
        return None
    try:
        return tuple(values)  # type: ignore[arg-type]  # may be of any type
    except TypeError:
        return None
