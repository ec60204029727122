"""Stores as sources: one that exists already, and several merged into one."""

import os
import re

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import SourceError, StoreError
from nasbench.sources.source import UNKNOWN_SEED, Source
from nasbench.spaces import space_named
from nasbench.store import Store
from nasbench.writer import Batch

_SAME = 1e-9  # relative: sums of times, added up in another order, are still the same
_SAME_MEAN = 1e-6  # relative: published means have up to nine digits
_BATCH = 64  # cells that are read and written together
_FINAL = re.compile("/(?:final|curve|per_epoch)/")
_PROVENANCE = ("source", "source_version", "source_sha256", "licence", "citation")


class Stored(Source):
    """A store of this toolkit, read row by row."""

    kind = "store"

    def __init__(self, path):
        self.store = store = Store(path)
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
        self.checks.append("the store against its checksum")

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
        data = os.pread(self.store.descriptor, count * size, self._places[name] + start * size)
        if len(data) != count * size:
            raise StoreError(f"{self.path} is truncated within {name}")
        return np.frombuffer(data, np.float64).reshape(shape)


class Merged(Source):
    """Several stores of one space as one: an earlier one wins, and where a later one differs is noted.

    Which one wins is decided for each cell, seed and metric by the value after the last epoch; a curve or the
    seconds of an epoch come from a store that has that value.
    """

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
        self._left_out = set()  # arrays
        self._differences = {}  # (name, number of the winner, of the other) -> [how many, largest, an index]

    @property
    def tasks(self):
        return self._stored[0].tasks

    def cells(self, task):
        return self._stored[0].cells(task)

    def read(self, task):
        count = self.cells(task)
        rows = {name: np.full((count, *shape), np.nan) for name, shape in self.layout.items()}
        for name, merged in rows.items():
            final = _FINAL.sub("/final/", name)
            if final == name or final not in self.layout:
                self._merge(merged, name, task)
        for name, merged in rows.items():
            final = _FINAL.sub("/final/", name)
            if final != name and final in self.layout:
                self._follow(merged, name, rows[final], final, task)
        for name in rows:
            if "/final/" in name:
                self._leave_out_means(name, rows)
        for name, merged in rows.items():
            self._check_unknown_seed(name, merged)
        yield Batch(task, rows)

    def differences(self):
        """What sources disagree on: a list of (array, source that wins, other, how many, largest, index)."""
        return [
            (name, str(self._stored[winner].path), str(self._stored[number].path), *found)
            for (name, winner, number), found in sorted(self._differences.items())
        ]

    def left_out(self) -> list[str]:
        """Return the arrays of which means that equal the mean of the runs were left out."""
        return sorted(self._left_out)

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

    def _merge(self, merged, name, start):
        """Take of each source what no earlier one has, and note where they differ."""
        owner = np.full(merged.shape, -1)  # number of the source that a value is from
        for number, source in enumerate(self._stored):
            if name not in source.layout:
                continue
            given = self._in_columns(name, source, start, len(merged))
            known = ~np.isnan(given)
            self._note(merged, given, number, name, start, owner, known & (owner >= 0) & (merged != given))
            new = known & (owner < 0)
            merged[new] = given[new]
            owner[new] = number

    def _follow(self, merged, name, last, final, start):
        """Take what belongs to a final value, such as its curve, from the first source with that value."""
        axes = tuple(range(2, merged.ndim))
        for source in self._stored:
            if name not in source.layout:
                continue
            given = self._in_columns(name, source, start, len(merged))
            same = np.isnan(last)
            if final in source.layout:
                theirs = self._in_columns(final, source, start, len(merged))
                same = np.isclose(theirs, last, rtol=_SAME, atol=0.0)
            taken = same & np.isnan(merged).all(axis=axes) & ~np.isnan(given).all(axis=axes)
            merged[taken] = given[taken]

    def _note(self, merged, given, number, name, start, owner, differ):
        for winner in np.unique(owner[differ]):
            sizes = np.where(differ & (owner == winner), np.abs(merged - given), 0.0)
            worst = np.unravel_index(sizes.argmax(), sizes.shape)
            found = self._differences.setdefault((name, int(winner), number), [0, 0.0, None])
            found[0] += int(np.count_nonzero(sizes))
            if sizes[worst] > found[1]:
                found[1:] = [float(sizes[worst]), int(self.space.official_index()[start + worst[0]])]

    def _leave_out_means(self, name: str, rows: dict[str, NDArray[np.float64]]) -> None:
        """Remove values without a seed that equal the mean of the cell's runs by seed."""
        seeds = self.seeds[_group(name)]
        if UNKNOWN_SEED not in seeds:
            return
        column = seeds.index(UNKNOWN_SEED)
        runs = np.delete(rows[name], column, axis=1)
        known = ~np.isnan(runs)
        mean = np.where(known, runs, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        same = known.any(axis=1) & np.isclose(rows[name][:, column], mean, rtol=_SAME_MEAN, atol=0.0)
        if same.any():
            self._left_out.add(name)
        for kind in ("final", "curve", "per_epoch"):
            of_kind = rows.get(name.replace("/final/", f"/{kind}/"))
            if of_kind is not None:
                of_kind[same, column] = np.nan

    def _check_unknown_seed(self, name, merged):
        """Raise SourceError if a cell has runs by seed and a value without a seed, which may be a mean."""
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


def _group(name):
    """The (data set, protocol) whose seeds an array's columns are, None for what belongs to the network."""
    parts = name.split("/")
    return (parts[0], int(parts[1])) if len(parts) == 4 else None


def _joined(stored):
    joined = {}
    for name in _PROVENANCE:
        texts = [source.provenance.get(name, "") for source in stored]
        if name in ("licence", "citation"):
            joined[name] = "; ".join(dict.fromkeys(filter(None, texts)))
        else:
            joined[name] = " + ".join(texts)  # as many as sources, so that they can be told apart
    return joined
