"""A cell named by its code: choices as digits, neighbours, and the names that every space has for a cell."""

from __future__ import annotations

import reprlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self, SupportsIndex

from nasbench.errors import InvalidCellError
from nasbench.runs.checks import integer

if TYPE_CHECKING:
    from nasbench.arrays import Numbering


@dataclass(frozen=True, slots=True)
class CodedCell(ABC):
    """A cell of a search space, named by its code: its choices as the digits of a number."""

    code: int

    _CELLS: ClassVar[int]  # of the space
    _BASE: ClassVar[int]  # choices for each digit
    _WEIGHTS: ClassVar[tuple[int, ...]]  # of each digit in the code
    _NOUN: ClassVar[str]
    _NAMES: ClassVar[str]
    _official_order: ClassVar[Callable[[], Numbering]]  # the code of each official index, (N,)

    def __init_subclass__(
        cls, *, digits: int, choices: int, noun: str, names: str, order: Callable[[], Numbering]
    ) -> None:
        """Define the cells of a space; `noun`, `names`: a cell and all forms of its names, for errors.

        `order`: gives the code of each official index, (N,).
        """
        cls._CELLS, cls._BASE = choices**digits, choices
        cls._WEIGHTS = tuple(choices**k for k in reversed(range(digits)))
        cls._NOUN, cls._NAMES, cls._official_order = noun, names, staticmethod(order)

    def __post_init__(self) -> None:
        code = integer(self.code)
        if code is None or not 0 <= code < self._CELLS:
            raise InvalidCellError(
                f"a {self._NOUN}'s code is an integer in [0, {self._CELLS - 1}], got {self.code!r}"
            )
        object.__setattr__(self, "code", code)  # a plain int, whatever integer type was given

    @classmethod
    def parse(cls, cell: AnyCell) -> Self:
        """Return the cell of any name for it: official index, string, sequence of choices, or cell.

        The choices may be in a tuple, list, NumPy array or pandas Series. InvalidCellError names the forms.
        """
        return cell if isinstance(cell, cls) else cls(cls.parse_code(cell))

    @classmethod
    def from_string(cls, arch: str) -> Self:
        """Return the cell of its string."""
        return cls(cls._parse_string(arch))

    @classmethod
    def from_index(cls, index: SupportsIndex) -> Self:
        """Return the cell of an official index, counted from 0."""
        return cls(cls._parse_index(index))

    @classmethod
    def parse_code(cls, cell: AnyCell) -> int:
        """Return the code of a cell; names as for `parse`."""
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
        """The choices by number."""
        return tuple(self.code // weight % self._BASE for weight in self._WEIGHTS)

    @property
    @abstractmethod
    def index(self) -> int:
        """The official index."""

    def neighbours(self) -> list[Self]:
        """Return the cells that differ in one choice: by the digit that differs, then by choice."""
        return [
            type(self)(self.code + (other - digit) * weight)
            for digit, weight in zip(self.digits, self._WEIGHTS, strict=True)
            for other in range(self._BASE)
            if other != digit
        ]

    @classmethod
    @abstractmethod
    def _parse_string(cls, arch: object) -> int:
        """Return the code of a cell's string."""

    @classmethod
    @abstractmethod
    def _parse_choices(cls, choices: object) -> int:
        """Return the code of the choices in a sequence."""

    @classmethod
    def _parse_index(cls, index: object) -> int:
        number = integer(index)
        if number is None:
            raise InvalidCellError(
                f"a {cls._NOUN} is {cls._NAMES}; got {reprlib.repr(index)} ({type(index).__name__})"
            )
        if not 0 <= number < cls._CELLS:
            raise InvalidCellError(f"an official index is in [0, {cls._CELLS - 1}], got {number}")
        return int(cls._official_order()[number])


AnyCell = CodedCell | SupportsIndex | str | Iterable[str] | Iterable[SupportsIndex]


def members(values: object) -> tuple[object, ...] | None:
    """Return the members of a tuple, list, NumPy array, pandas Series or tensor; None for anything else."""
    if isinstance(values, (str, bytes, Mapping, Set)):
        return None
    try:
        return tuple(values)  # type: ignore[arg-type]  # an object of any type may be iterable
    except TypeError:
        return None
