"""What every published source is to the builder: a layout, and rows of cells that are read in batches."""

import os
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from nasbench.files import reading
from nasbench.writer import Batch

UNKNOWN_SEED = -1  # of values that are means over seeds, or of a run whose seed is not known


def stamp_of(path):
    """What shows that a file has changed, plain values by name."""
    with reading(path):
        state = os.stat(path)
    return {"size": state.st_size, "changed": state.st_mtime_ns}


class Source(ABC):
    """A published file or folder that has been recognised and looked at, and is ready to be read.

    `layout` is {name: shape of a cell's row} of all arrays that it fills; names as in
    `nasbench.answers.Answers`. `read(task)` yields Batches; a cell that the source lacks is left out, or is
    NaN. With `parallel`, tasks are read in processes of their own, to which the source is sent; else one
    after the other, in order. Errors are SourceErrors that name the file.
    """

    kind = None  # as --kind has it
    parallel = False

    def __init__(self, path, space, layout, seeds, provenance):
        """`seeds`: {(data set, protocol): seeds, as the rows have columns}; `provenance`: {name: text}."""
        self.path = path
        self.space = space
        self.layout = layout
        self.seeds = seeds
        self.provenance = provenance
        self.checks = []  # lines for the summary: what was compared or tested
        self.notes = []  # what else one should know, such as what was left out

    @property
    def tasks(self):
        """What there is to read, a list; each is small, and can be sent to a process. By default one: all."""
        return [None]

    def cells(self, task):
        """How many cells a task is about, for the progress bar; by default all of the space."""
        return self.space.cells

    def foreseen(self, name: str) -> NDArray[np.bool_]:
        """Return which cells may have values of an array, bool (N,), before any is read; by default all."""
        return np.ones(self.space.cells, dtype=bool)

    @abstractmethod
    def read(self, task):
        """Yield the Batches of a task."""

    def identity(self):
        """What must be the same for an interrupted build to go on: plain values."""
        return {"kind": self.kind, "source": self.provenance.get("source_version"), "path": str(self.path)}


class Table(Source):
    """A source that is small enough to be held in memory: all cells at once."""

    def __init__(self, path, space, arrays, seeds, provenance):
        """`arrays`: {name: float64 (N, ...)}."""
        layout = {name: array.shape[1:] for name, array in arrays.items()}
        super().__init__(path, space, layout, seeds, provenance)
        self._arrays = arrays

    def identity(self):
        return super().identity() | {"sha256": self.provenance.get("source_sha256")}

    def foreseen(self, name: str) -> NDArray[np.bool_]:
        return ~np.isnan(self._arrays[name].reshape(self.space.cells, -1)).all(axis=1)

    def read(self, task):
        yield Batch(0, {name: np.asarray(array, np.float64) for name, array in self._arrays.items()})
