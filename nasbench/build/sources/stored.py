"""A store of this toolkit as a source."""

import os
from collections.abc import Iterator, Sequence

import numpy as np

from nasbench.arrays import Values
from nasbench.build.sources.source import PROVENANCE, Group, Source, StrPath
from nasbench.build.writer import Batch
from nasbench.errors import SourceError, StoreError
from nasbench.spaces import space_named
from nasbench.store import Store

_BATCH = 64  # cells read and written at a time


class Stored(Source):
    """A store, read row by row."""

    kind = "store"

    def __init__(self, path: StrPath, original: Source | None = None) -> None:
        """Open a store; messages name the source `original`, from which it was built, if given."""
        self.store = store = Store(path)
        store.verify()
        space = space_named(store.attributes["space"])
        if space is None:
            raise SourceError(f"{path} is a store of an unknown space {store.attributes['space']!r}")
        layout: dict[str, tuple[int, ...]] = {}
        seeds: dict[Group, tuple[int, ...]] = {}
        for name in store.names:
            dtype, shape = store[name].dtype, store[name].shape
            if name.endswith("/seeds"):
                dataset, protocol, _ = name.split("/")
                seeds[dataset, int(protocol)] = tuple(store[name].tolist())
            elif dtype == np.float64 and shape[:1] == (space.cells,):
                layout[name] = shape[1:]
        provenance = {name: str(store.attributes[name]) for name in PROVENANCE if name in store.attributes}
        super().__init__(path, space, layout, seeds, provenance)
        self.origins = store.origins()
        self._offsets = {name: store.offset(name) for name in layout}
        self.checks.append("the store against its checksum")
        if original is not None:
            self.path, self.label = original.path, original.label
            self.checks, self.notes = original.checks, original.notes

    @property
    def tasks(self) -> Sequence[range]:
        cells = range(self.space.cells)
        return [cells[start : start + _BATCH] for start in cells[::_BATCH]]

    def read(self, task: range) -> Iterator[Batch]:
        yield Batch(task.start, {name: self.rows(name, task) for name in self.layout})

    def rows(self, name: str, task: range) -> Values:
        """Return the rows of an array for a range of codes, without memory mapping, in constant memory."""
        shape = self.layout[name]
        size = 8 * int(np.prod(shape, dtype=np.int64))
        count, offset = len(task) * size, self._offsets[name] + task.start * size
        data = os.pread(self.store.descriptor, count, offset)
        if len(data) != count:
            raise StoreError(f"{self.path} is truncated within {name}")
        return np.frombuffer(data, np.float64).reshape(len(task), *shape)
