"""Random numbers of trials, one stream per trial and purpose."""

from __future__ import annotations  # numpy.random is loaded when it is used

from collections.abc import Callable, Sequence
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from nasbench.arrays import Scalar

_BLOCK = 256  # steps whose random numbers are sampled at once


class Draws(Generic[Scalar]):
    """Random numbers of each trial at each step, a function of (seed, trial, purpose, step) alone.

    They are sampled in blocks of steps, so moving forward is fast and moving back by blocks is slow.
    """

    _rows: NDArray[Scalar]  # (_BLOCK, T, ...), starting at step `_start`; set by the first `at`

    def __init__(
        self,
        seed: int,
        trials: Sequence[int],
        purpose: int,
        draw: Callable[[np.random.Generator, int], NDArray[Scalar]],
        prepare: Callable[[NDArray[Scalar]], NDArray[Scalar]] | None = None,
    ) -> None:
        """Take the arguments of `blackbox.search.Search.draws`, and the numbers of the trials."""
        self._seeds = [np.random.SeedSequence(seed, spawn_key=(trial, purpose)) for trial in trials]
        self._draw = draw
        self._prepare = prepare
        self._restart()

    def at(self, step: int) -> NDArray[Scalar]:
        """Return the random numbers of all trials at a step, (T, ...)."""
        row = step - self._start
        if not 0 <= row < _BLOCK:
            self._move_to(step)
            row = step - self._start
        draws: NDArray[Scalar] = self._rows[row]
        return draws

    def _move_to(self, step: int) -> None:
        if step < self._start:
            self._restart()
        while step >= self._start + _BLOCK:
            rows = np.stack([self._draw(generator, _BLOCK) for generator in self._generators], axis=1)
            self._rows = rows if self._prepare is None else self._prepare(rows)
            self._rows.flags.writeable = False
            self._start += _BLOCK

    def _restart(self) -> None:
        self._generators = [np.random.default_rng(seed) for seed in self._seeds]
        self._start = -_BLOCK  # start of a block before the first
