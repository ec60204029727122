"""Merging of several sources, each built into its own store first; earlier ones take precedence."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from nasbench.arrays import Values
from nasbench.build.single import Check, Difference, How, Summary, build_one, known_cells
from nasbench.build.sources.columns import shorten
from nasbench.build.sources.source import (
    Source,
    any_known,
    find_group,
    in_columns,
    join_origins,
    join_provenance,
    join_seeds,
)
from nasbench.build.sources.stored import Stored
from nasbench.build.writer import Batch, locked
from nasbench.errors import SourceError, StoreError
from nasbench.metrics import UNKNOWN_SEED
from nasbench.runs.files import make_parent
from nasbench.runs.text import counted
from nasbench.store import Store, writing

_IDENTITY = "built_from"  # attribute of a store that will be merged
_SAME = 1e-9  # relative; sums of times in another order count as equal
_FINAL = re.compile("/(?:final|curve|per_epoch)/")


def build_merged(sources: Sequence[Source], out: Path, how: How, check: Check | None = None) -> Summary:
    """Build a store per source next to `out`, and merge them into `out`; one process at a time."""
    with writing(out), ExitStack() as removing:
        make_parent(out)
        path = out.with_name(f"{out.name}.merging")
        removing.enter_context(locked(path, out))
        removing.callback(path.unlink)
        built: list[Path] = []
        stored: list[Stored] = []
        for number, source in enumerate(sources, 1):
            if isinstance(source, Stored):
                stored.append(source)
                continue
            path = out.with_name(f"{out.name}.source{number}")
            identity = json.dumps(source.identity(), sort_keys=True)
            if not (how.resume and _is_built_from(path, identity)):
                build_one(source, path, how, extra={_IDENTITY: identity})
            built.append(path)
            stored.append(Stored(path, source))
        try:
            merged = Merged(out, stored)
            summary = build_one(merged, out, how._replace(resume=False), check)
        except (SourceError, MemoryError):
            _remove(built)  # a retry would fail in the same way
            raise
        summary.differences = merged.differences()
        summary.notes += merged.left_out()
        _remove(built)
    return summary


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _is_built_from(path: Path, identity: str) -> bool:
    try:
        return Store(path).attributes.get(_IDENTITY) == identity
    except StoreError:
        return False


class Merged(Source):
    """Several stores of one space as a single source; earlier ones take precedence.

    Precedence is decided per cell, seed and metric by the value after the last epoch; a learning curve, or
    the seconds per epoch, are taken from a store with that value. Differences are recorded.
    """

    kind = "merged"

    def __init__(self, path: Path, stored: Sequence[Stored]) -> None:
        """Initialize from stored sources, in order of precedence."""
        space = stored[0].space
        seeds = join_seeds(stored)
        layout: dict[str, tuple[int, ...]] = {}
        for source in stored:
            for name, shape in source.layout.items():
                group = find_group(name)
                shape = shape if group is None else (len(seeds[group]), *shape[1:])
                if layout.setdefault(name, shape) != shape:
                    raise SourceError(
                        f"{source.label}: {name} has rows of shape {shape}, other sources {layout[name]}"
                    )
        super().__init__(path, space, layout, seeds, join_provenance(stored))
        self.origins = join_origins(stored)
        for source in stored:
            self.checks += [f"{source.name}: {line}" for line in source.checks]
            self.notes += [f"{source.name}: {line}" for line in source.notes]
            lacking = int(np.count_nonzero(~known_cells(source.store, source)))
            if lacking:
                self.notes.append(f"{source.name}: lacks {lacking:,} of {space.cells:,} cells")
        self._stored = stored
        # by (number of the source, is a mean, name)
        self._left_out: dict[tuple[int, bool, str], int] = {}
        # by (name, number of the preferred source, number of the other source)
        self._differences: dict[tuple[str, int, int], Difference] = {}

    @property
    def tasks(self) -> Sequence[range]:
        return self._stored[0].tasks

    def read(self, task: range) -> Iterator[Batch]:
        rows = {name: np.full((len(task), *shape), np.nan) for name, shape in self.layout.items()}
        finals = {name: _FINAL.sub("/final/", name) for name in rows}
        following = {name: final for name, final in finals.items() if final != name and final in rows}
        for name in rows.keys() - following.keys():
            self._merge(rows[name], name, task)
        for name, final in following.items():
            self._follow(rows[name], name, rows[final], final, task)
        yield Batch(task.start, rows)

    def differences(self) -> list[Difference]:
        """Return the differences between sources by array, then in the order of the sources."""
        return [difference for _, difference in sorted(self._differences.items())]

    def left_out(self) -> list[str]:
        """Return lines on means or runs that were left out because an earlier source has the other form."""
        forms = ("runs because an earlier source has their mean", "means because an earlier source has runs")
        lines: dict[str, list[str]] = {}
        for (number, is_mean, name), cells in sorted(self._left_out.items()):
            line = f"{self._stored[number].label}: left out {forms[is_mean]}"
            lines.setdefault(line, []).append(f"{name} ({counted(cells, 'cell')})")
        return [f"{line}: {shorten(arrays)}" for line, arrays in lines.items()]

    def _in_columns(self, name: str, source: Stored, task: range) -> Values:
        """Return a source's rows with one column per seed of all sources."""
        return in_columns(source.rows(name, task), name, source.seeds, self.seeds)

    def _merge(self, merged: Values, name: str, task: range) -> None:
        """Copy the values that no earlier source has, and record differences."""
        owner = np.full(merged.shape, -1)  # number of the source of each value
        for number, source in enumerate(self._stored):
            if name not in source.layout:
                continue
            given = self._in_columns(name, source, task)
            given = self._without_other_form(merged, given, number, name)
            known = ~np.isnan(given)
            differ = known & (owner >= 0) & (merged != given)
            for winner in np.unique(owner[differ]).tolist():
                sizes = np.where(differ & (owner == winner), np.abs(merged - given), 0.0)
                self._note(name, winner, number, sizes, task)
            new = known & (owner < 0)
            merged[new] = given[new]
            owner[new] = number

    def _follow(self, merged: Values, name: str, last: Values, final: str, task: range) -> None:
        """Copy the curve, or seconds per epoch, of a final value from the first source with that value."""
        axes = tuple(range(2, merged.ndim))
        for source in self._stored:
            if name not in source.layout:
                continue
            given = self._in_columns(name, source, task)
            same = np.isnan(last)
            if final in source.layout:
                theirs = self._in_columns(final, source, task)
                same = np.isclose(theirs, last, rtol=_SAME, atol=0.0)
            taken = same & np.isnan(merged).all(axis=axes) & ~np.isnan(given).all(axis=axes)
            merged[taken] = given[taken]

    def _note(self, name: str, winner: int, number: int, sizes: Values, task: range) -> None:
        """Record the differences of an array; `sizes` has shape (n, ...) and is 0 if sources agree."""
        row, *_ = np.unravel_index(sizes.argmax(), sizes.shape)
        labels = self._stored[winner].label, self._stored[number].label
        index = int(self.space.official_index()[task.start + int(row)])
        new = Difference(name, *labels, int(np.count_nonzero(sizes)), float(sizes.max()), index)
        old = self._differences.get((name, winner, number), new._replace(values=0))
        worst = new if new.largest > old.largest else old
        self._differences[name, winner, number] = worst._replace(values=old.values + new.values)

    def _without_other_form(self, merged: Values, given: Values, number: int, name: str) -> Values:
        """Return the rows without means of cells that have per-seed runs, and vice versa.

        Averaging both would give a wrong mean over seeds.
        """
        group = find_group(name)
        seeds = () if group is None else self.seeds[group]
        if UNKNOWN_SEED not in seeds:
            return given
        given = given.copy()
        is_mean = np.array(seeds) == UNKNOWN_SEED
        for columns in (is_mean, ~is_mean):
            clash = any_known(merged[:, ~columns]) & any_known(given[:, columns])
            if clash.any():
                given[np.ix_(clash, columns)] = np.nan
                key = (number, columns is is_mean, name)
                self._left_out[key] = self._left_out.get(key, 0) + int(clash.sum())
        return given
