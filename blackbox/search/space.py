"""Categorical search spaces, on whole arrays of codes."""

import math
from functools import cached_property

import numpy as np

from blackbox.errors import ConfigError
from nasbench.spaces import SIZE, TOPOLOGY


class CategoricalSpace:
    """D variables with `choices[d]` values each; a point is its code, the mixed-radix number of its digits.

    >>> space = CategoricalSpace((2, 3))
    >>> space.size, space.digits([5]).tolist(), space.neighbours[0].tolist()
    (6, [[1, 2]], [3, 1, 2])
    """

    def __init__(self, choices):
        self.choices = tuple(choices)
        self.size = math.prod(self.choices)
        if min(self.choices, default=0) < 1 or self.size < 2:
            raise ConfigError(f"a space has variables with one choice or more, and two points; got {choices}")
        self.edits = sum(self.choices) - len(self.choices)  # neighbours of a point

    def digits(self, codes):
        """The digits of codes (...), int64 (..., D); the first is the most significant."""
        return np.stack(np.unravel_index(codes, self.choices), axis=-1)

    @cached_property
    def neighbours(self):
        """The codes that differ in one digit: intp (size, edits), by digit, then by its value."""
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

    def mutate(self, codes, edits):
        """The neighbour number `edits` (T,) of each of `codes` (T,): one digit changed to another value."""
        return self.neighbours.take(codes * self.edits + edits)


NB201 = CategoricalSpace((5,) * 6)  # codes as in `nasbench.cell`
SSS = CategoricalSpace((8,) * 5)  # codes as in `nasbench.size`
_OF_TABLES = {TOPOLOGY.flag: NB201, SIZE.flag: SSS}


def space_of_table(space):
    """The categorical space whose codes are those of a `nasbench.spaces.Space`."""
    return _OF_TABLES[space.flag]
