"""Categorical search spaces, on whole arrays of codes."""

import math
from functools import cached_property

import numpy as np

from blackbox.errors import ConfigError


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
        codes = np.arange(self.size)
        columns = []
        weight = self.size
        for choices in self.choices:
            weight //= choices
            others = np.array([[v for v in range(choices) if v != digit] for digit in range(choices)])
            steps = (others - np.arange(choices)[:, None]) * weight  # (choices, choices - 1)
            columns.append(codes[:, None] + steps.astype(np.intp)[codes // weight % choices])
        return np.concatenate(columns, axis=1)

    def mutate(self, codes, edits):
        """The neighbour number `edits` (T,) of each of `codes` (T,): one digit changed to another value."""
        return self.neighbours.take(codes * self.edits + edits)


NB201 = CategoricalSpace((5,) * 6)  # codes as in `nasbench.cell`
