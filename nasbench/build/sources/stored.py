"""Stores as sources: one that exists already, and several merged into one."""

import os
import re

import numpy as np

from nasbench.build.sources.columns import shorten
from nasbench.build.sources.source import (
    PROVENANCE,
    Source,
    group_of,
    in_columns,
    join_origins,
    join_provenance,
    join_seeds,
)
from nasbench.build.writer import Batch
from nasbench.errors import SourceError, StoreError
from nasbench.metrics import UNKNOWN_SEED
from nasbench.spaces import space_named
from nasbench.store import Store

_SAME = 1e-9  # relative: sums of times, added up in another order, are still the same
_BATCH = 64  # cells that are read and written together
_FINAL = re.compile("/(?:final|curve|per_epoch)/")


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
        provenance = {name: store.attributes[name] for name in PROVENANCE if name in store.attributes}
        super().__init__(path, space, layout, seeds, provenance)
        self.origins = store.origins()
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
        seeds = join_seeds(stored)
        layout = {}
        for source in stored:
            for name, shape in source.layout.items():
                group = group_of(name)
                shape = shape if group is None else (len(seeds[group]), *shape[1:])
                if layout.setdefault(name, shape) != shape:
                    raise SourceError(f"{source.path}: {name} has rows of {shape}, others of {layout[name]}")
        super().__init__(path, space, layout, seeds, join_provenance(stored))
        self.origins = join_origins(stored)
        self._stored = stored
        self._left_out: dict[
            tuple[int, bool, str], int
        ] = {}  # (number of the source, is a mean, name): cells
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
        yield Batch(task, rows)

    def differences(self):
        """What sources disagree on: a list of (array, source that wins, other, how many, largest, index)."""
        return [
            (name, str(self._stored[winner].path), str(self._stored[number].path), *found)
            for (name, winner, number), found in sorted(self._differences.items())
        ]

    def left_out(self) -> list[str]:
        """Return lines about values that were left out because an earlier source has the other form."""
        forms = ("runs where an earlier source has their mean", "means where an earlier source has runs")
        lines: dict[str, list[str]] = {}
        for (number, is_mean, name), cells in sorted(self._left_out.items()):
            line = f"{self._stored[number].path}: left out {forms[is_mean]}"
            lines.setdefault(line, []).append(f"{name} ({cells:,} cells)")
        return [f"{line}: {shorten(arrays)}" for line, arrays in lines.items()]

    def _in_columns(self, name, source, start, count):
        """A source's rows, with a column for each seed of all sources."""
        return in_columns(source.rows(name, start, count), name, source.seeds, self.seeds)

    def _merge(self, merged, name, start):
        """Take of each source what no earlier one has, and note where they differ."""
        owner = np.full(merged.shape, -1)  # number of the source that a value is from
        for number, source in enumerate(self._stored):
            if name not in source.layout:
                continue
            given = self._in_columns(name, source, start, len(merged))
            given = self._without_other_form(merged, given, number, name)
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

    def _without_other_form(
        self, merged: np.ndarray, given: np.ndarray, number: int, name: str
    ) -> np.ndarray:
        """Return given rows without means of cells that are merged by seed, and the reverse.

        The mean over seeds of both would be wrong.
        """
        seeds = self.seeds.get(group_of(name), ())
        if UNKNOWN_SEED not in seeds:
            return given
        given = given.copy()
        is_mean = np.array(seeds) == UNKNOWN_SEED
        for columns in (is_mean, ~is_mean):
            clash = _any_known(merged[:, ~columns]) & _any_known(given[:, columns])
            if clash.any():
                given[np.ix_(clash, columns)] = np.nan
                key = (number, columns is is_mean, name)
                self._left_out[key] = self._left_out.get(key, 0) + int(clash.sum())
        return given


def _any_known(rows: np.ndarray) -> np.ndarray:
    """Return which rows have a value, bool (n,)."""
    return (~np.isnan(rows)).reshape(len(rows), -1).any(axis=1)
