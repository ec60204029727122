"""Stores as sources: one that exists already, and several merged into one."""

import os

import numpy as np

from nasbench.errors import SourceError, StoreError
from nasbench.sources.source import UNKNOWN_SEED, Source
from nasbench.spaces import space_named
from nasbench.store import Store
from nasbench.writer import Batch

_BATCH = 64  # cells that are read and written together
_PROVENANCE = ("source", "source_version", "source_sha256", "licence", "citation")


class Stored(Source):
    """A store of this toolkit, read row by row."""

    kind = "store"

    def __init__(self, path):
        self._store = store = Store(path)
        store.verify()
        space = space_named(store.attributes["space"])
        if space is None:
            raise SourceError(f"{path} holds the {store.attributes['space']}, which is not known here")
        layout, seeds = {}, {}
        for name in store.names:
            dtype, shape = store[name].dtype, store[name].shape
            if name.endswith("/seeds"):
                dataset, protocol, _ = name.split("/")
                seeds[dataset, int(protocol)] = tuple(store[name].tolist())
            elif dtype == np.float64 and shape[:1] == (space.cells,):
                layout[name] = shape[1:]
        provenance = {name: store.attributes[name] for name in _PROVENANCE if name in store.attributes}
        super().__init__(path, space, layout, seeds, provenance)
        self._places = {name: store.place(name) for name in layout}
        self.notes.append(f"{path} against its checksum")

    @property
    def tasks(self):
        return list(range(0, self.space.cells, _BATCH))

    def cells(self, task):
        return min(_BATCH, self.space.cells - task)

    def read(self, task):
        yield Batch(task, {name: self.rows(name, task, self.cells(task)) for name in self.layout})

    def rows(self, name, start, count):
        """Rows of an array, (count, ...): read, not mapped, so that memory does not grow with the store."""
        shape = (count, *self.layout[name])
        size = 8 * int(np.prod(self.layout[name], dtype=np.int64))
        data = os.pread(self._store.descriptor, count * size, self._places[name] + start * size)
        if len(data) != count * size:
            raise StoreError(f"{self.path} is truncated within {name}")
        return np.frombuffer(data, np.float64).reshape(shape)


class Merged(Source):
    """Several stores of one space as one: an earlier one wins, and where a later one differs is noted."""

    kind = "merged"

    def __init__(self, path, stored):
        """`stored`: Stored sources, the one that wins first."""
        space = stored[0].space
        seeds = {}
        for source in stored:
            for key, values in source.seeds.items():
                seeds[key] = tuple(sorted({*seeds.get(key, ()), *values}))
        layout = {}
        for source in stored:
            for name, shape in source.layout.items():
                group = _group(name)
                shape = shape if group is None else (len(seeds[group]), *shape[1:])
                if layout.setdefault(name, shape) != shape:
                    raise SourceError(f"{source.path}: {name} has rows of {shape}, others of {layout[name]}")
        super().__init__(path, space, layout, seeds, _joined(stored))
        self._stored = stored
        self._differences = {}  # (name, place of the source) -> [how many, largest, a cell's index]

    @property
    def tasks(self):
        return self._stored[0].tasks

    def cells(self, task):
        return self._stored[0].cells(task)

    def read(self, task):
        count = self.cells(task)
        rows = {}
        for name, shape in self.layout.items():
            merged = np.full((count, *shape), np.nan)
            for number, source in enumerate(self._stored):
                if name in source.layout:
                    self._merge(merged, name, number, task, self._in_columns(name, source, task, count))
            self._check_unknown_seed(name, merged)
            rows[name] = merged
        yield Batch(task, rows)

    def differences(self):
        """What sources disagree on: a list of (array, source that wins, other, how many, largest, index)."""
        return [
            (name, str(self._stored[0].path), str(self._stored[number].path), *found)
            for (name, number), found in sorted(self._differences.items())
        ]

    def _in_columns(self, name, source, start, count):
        """A source's rows, with a column for each seed of all sources."""
        rows = source.rows(name, start, count)
        group = _group(name)
        if group is None or source.seeds[group] == self.seeds[group]:
            return rows
        columns = [self.seeds[group].index(seed) for seed in source.seeds[group]]
        wide = np.full((count, *self.layout[name]), np.nan)
        wide[:, columns] = rows
        return wide

    def _check_unknown_seed(self, name, merged):
        """Refuse a value by seed beside one whose seed is unknown, which may be their mean."""
        seeds = self.seeds.get(_group(name), ())
        if UNKNOWN_SEED not in seeds:
            return
        known = ~np.isnan(merged).reshape(len(merged), len(seeds), -1).all(axis=2)
        if (known[:, seeds.index(UNKNOWN_SEED)] & (known.sum(axis=1) > 1)).any():
            files = ", ".join(str(source.path) for source in self._stored if name in source.layout)
            raise SourceError(
                f"{name} is given by seed and without one, which may be a mean ({files}): the mean over seeds"
                " would be wrong; give the seed in --map, or leave the column out"
            )

    def _merge(self, merged, name, number, start, rows):
        known, given = ~np.isnan(merged), ~np.isnan(rows)
        differ = known & given & (merged != rows)
        if differ.any():
            sizes = np.where(differ, np.abs(merged - rows), 0.0)
            worst = np.unravel_index(sizes.argmax(), sizes.shape)
            found = self._differences.setdefault((name, number), [0, 0.0, None])
            found[0] += int(differ.sum())
            if sizes[worst] > found[1]:
                found[1:] = [float(sizes[worst]), int(self.space.official_index()[start + worst[0]])]
        np.copyto(merged, rows, where=~known)


def _group(name):
    """The (data set, protocol) whose seeds an array's columns are, None for what belongs to the network."""
    parts = name.split("/")
    return (parts[0], int(parts[1])) if len(parts) == 4 else None


def _joined(stored):
    joined = {}
    for name in _PROVENANCE:
        texts = [source.provenance[name] for source in stored if source.provenance.get(name)]
        if texts:
            joined[name] = ("; " if name in ("licence", "citation") else " + ").join(dict.fromkeys(texts))
    return joined
