"""Categorical search spaces, on whole arrays of codes."""

import math
from collections.abc import Iterable
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from blackbox.errors import ConfigError
from nasbench.arrays import Codes, Digits
from nasbench.spaces import SIZE, TOPOLOGY, Space


class SearchSpace(Protocol):
    """The interface of a search space, whose points are codes from 0 to ``size - 1``.

    Random search only needs `size`; evolution and local search also need neighbours, and models need digits.
    """

    @property
    def size(self) -> int:
        """Number of points."""

    @property
    def choices(self) -> tuple[int, ...]:
        """Number of values of each variable, (D,)."""

    @property
    def edits(self) -> int:
        """Number of neighbours of a point."""

    @property
    def neighbours(self) -> Codes:
        """The neighbours of each point, (size, edits)."""

    def digits(self, codes: ArrayLike, /) -> Digits:
        """Return the values of the variables at codes (...), integers (..., D)."""

    def mutate(self, codes: Codes, edits: Codes, /) -> Codes:
        """Return the neighbours numbered `edits` (T,) of `codes` (T,)."""


class CategoricalSpace:
    """A categorical space of D variables; the code of a point is the mixed-radix number of its digits.

    >>> space = CategoricalSpace((2, 3))
    >>> space.size, space.digits([5]).tolist(), space.neighbours[0].tolist()
    (6, [[1, 2]], [3, 1, 2])

    Parameters
    ----------
    choices
        Number of values of each variable, (D,).

    Raises
    ------
    ConfigError
        If a variable has no values, or the space has fewer than two points.
    """

    choices: tuple[int, ...]  #: number of values of each variable, (D,)
    size: int  #: number of points
    edits: int  #: number of neighbours of a point

    def __init__(self, choices: Iterable[int]) -> None:
        self.choices = tuple(choices)
        self.size = math.prod(self.choices)
        if min(self.choices, default=0) < 1 or self.size < 2:
            raise ConfigError(
                f"choices must be at least 1 for each variable, with two points or more in all; got {choices}"
            )
        self.edits = sum(self.choices) - len(self.choices)

    def digits(self, codes: ArrayLike) -> Digits:
        """Return the digits of codes.

        Parameters
        ----------
        codes
            Integers, shape ``(...)``.

        Returns
        -------
        Digits
            Integers, shape ``(..., D)``; the first digit is the most significant.
        """
        # numpy's stubs accept fewer types of codes than numpy
        return np.stack(np.unravel_index(np.asarray(codes), self.choices), axis=-1)

    @cached_property
    def neighbours(self) -> Codes:
        """The codes that differ from each code in one digit, shape (size, edits), by digit, then by value."""
        codes = np.arange(self.size).reshape(*self.choices, 1)
        table = np.empty((*self.choices, self.edits), dtype=np.intp)
        weight = self.size
        column = 0
        for axis, choices in enumerate(self.choices):
            weight //= choices
            others = [[value for value in range(choices) if value != digit] for digit in range(choices)]
            steps = (np.array(others, dtype=np.intp) - np.arange(choices)[:, None]) * weight
            steps = steps.reshape([choices if d == axis else 1 for d in range(len(self.choices))] + [-1])
            np.add(codes, steps, out=table[..., column : column + choices - 1])
            column += choices - 1
        return table.reshape(self.size, self.edits)

    def mutate(self, codes: Codes, edits: Codes) -> Codes:
        """Return one neighbour of each code.

        Parameters
        ----------
        codes
            Integers, shape ``(T,)``.
        edits
            Numbers of the neighbours, in ``[0, self.edits)``, shape ``(T,)``.

        Returns
        -------
        Codes
            Shape ``(T,)``; each differs from its code in one digit.
        """
        return self.neighbours.take(codes * self.edits + edits)


#: NAS-Bench-201; codes as in `nasbench.cell`.
NB201_SPACE = CategoricalSpace((5,) * 6)
#: The size space of NATS-Bench; codes as in `nasbench.size`.
SSS_SPACE = CategoricalSpace((8,) * 5)
_OF_TABLES = {TOPOLOGY.flag: NB201_SPACE, SIZE.flag: SSS_SPACE}


def space_of_table(space: Space) -> CategoricalSpace:
    """Return the categorical space with the same codes as a `nasbench.spaces.Space`."""
    return _OF_TABLES[space.flag]
