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
    """What searches need of a space: points are codes from 0 to ``size - 1``.

    Random search needs `size` alone; evolution and local search also need neighbours, and models digits.
    """

    @property
    def size(self) -> int:
        """Number of points."""

    @property
    def choices(self) -> tuple[int, ...]:
        """How many values each variable has, (D,)."""

    @property
    def edits(self) -> int:
        """Number of neighbours of a point."""

    @property
    def neighbours(self) -> Codes:
        """The neighbours of each point, (size, edits)."""

    def digits(self, codes: ArrayLike, /) -> Digits:
        """Return the values of the variables of codes (...), integers (..., D)."""

    def mutate(self, codes: Codes, edits: Codes, /) -> Codes:
        """Return the neighbour number `edits` (T,) of each of `codes` (T,)."""


class CategoricalSpace:
    """D variables with ``choices[d]`` values each; a point's code is the mixed-radix number of its digits.

    >>> space = CategoricalSpace((2, 3))
    >>> space.size, space.digits([5]).tolist(), space.neighbours[0].tolist()
    (6, [[1, 2]], [3, 1, 2])

    Parameters
    ----------
    choices
        How many values each variable has.

    Raises
    ------
    ConfigError
        If a variable has no value, or the space fewer than two points.
    """

    def __init__(self, choices: Iterable[int]) -> None:
        self.choices = tuple(choices)
        self.size = math.prod(self.choices)
        if min(self.choices, default=0) < 1 or self.size < 2:
            raise ConfigError(f"a space has variables with one choice or more, and two points; got {choices}")
        self.edits = sum(self.choices) - len(self.choices)  # neighbours of a point

    def digits(self, codes: ArrayLike) -> Digits:
        """Return the digits of codes (...), integers (..., D); the first is the most significant."""
        # numpy's stubs take fewer kinds of codes than numpy
        return np.stack(np.unravel_index(np.asarray(codes), self.choices), axis=-1)

    @cached_property
    def neighbours(self) -> Codes:
        """The codes that differ in one digit, (size, edits), by digit, then by its value."""
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
        """Return the neighbour number `edits` (T,) of each of `codes` (T,): one digit changed."""
        return self.neighbours.take(codes * self.edits + edits)


#: NAS-Bench-201; codes as in `nasbench.cell`.
NB201_SPACE = CategoricalSpace((5,) * 6)
#: The size space of NATS-Bench; codes as in `nasbench.size`.
SSS_SPACE = CategoricalSpace((8,) * 5)
_OF_TABLES = {TOPOLOGY.flag: NB201_SPACE, SIZE.flag: SSS_SPACE}


def space_of_table(space: Space) -> CategoricalSpace:
    """Return the categorical space whose codes are those of a `nasbench.spaces.Space`."""
    return _OF_TABLES[space.flag]
