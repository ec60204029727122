"""What every published source is to the builder: a layout, and rows of cells that are read in batches."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nasbench.build.writer import Batch
from nasbench.runs.files import reading

Group = tuple[str, int]  # a data set and a protocol, whose arrays have a column per seed
Seeds = Mapping[Group, tuple[int, ...]]


def stamp_of(path):
    """What shows that a file has changed, plain values by name."""
    with reading(path):
        state = os.stat(path)
    return {"size": state.st_size, "changed": state.st_mtime_ns}


PROVENANCE = ("source", "source_version", "source_sha256", "licence", "citation")


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
        self.origins = {provenance["source"]: set(layout)}  # {source: the arrays that it fills}
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
        self.arrays = arrays

    def identity(self):
        return super().identity() | {"sha256": self.provenance.get("source_sha256")}

    def foreseen(self, name: str) -> NDArray[np.bool_]:
        return ~np.isnan(self.arrays[name].reshape(self.space.cells, -1)).all(axis=1)

    def read(self, task):
        yield Batch(0, {name: np.asarray(array, np.float64) for name, array in self.arrays.items()})


def group_of(name: str) -> Group | None:
    """Return the group whose seeds an array's columns are, None for what belongs to the network."""
    parts = name.split("/")
    return (parts[0], int(parts[1])) if len(parts) == 4 else None


def in_columns(rows: np.ndarray, name: str, seeds: Seeds, joined: Seeds) -> np.ndarray:
    """Return the rows (n, S, ...) of an array of a source, with a column for each of the joined seeds."""
    group = group_of(name)
    if group is None or seeds[group] == joined[group]:
        return rows
    wide = np.full((len(rows), len(joined[group]), *rows.shape[2:]), np.nan)
    wide[:, [joined[group].index(seed) for seed in seeds[group]]] = rows
    return wide


def join_seeds(sources: Iterable[Source]) -> dict[Group, tuple[int, ...]]:
    """Return the seeds of all sources by group, ascending."""
    joined: dict[Group, set[int]] = {}
    for source in sources:
        for group, seeds in source.seeds.items():
            joined.setdefault(group, set()).update(seeds)
    return {group: tuple(sorted(seeds)) for group, seeds in joined.items()}


def join_origins(sources: Iterable[Source]) -> dict[str, set[str]]:
    """Return which arrays come from which source, for all sources together."""
    joined: dict[str, set[str]] = {}
    for source in sources:
        for origin, arrays in source.origins.items():
            joined.setdefault(origin, set()).update(arrays)
    return joined


def join_provenance(sources: Sequence[Source]) -> dict[str, str]:
    """Return the provenance of several sources as one: joined, licences and citations each once."""
    joined = {}
    for name in PROVENANCE:
        texts = [source.provenance.get(name, "") for source in sources]
        if name in ("licence", "citation"):
            joined[name] = "; ".join(dict.fromkeys(filter(None, texts)))
        else:
            joined[name] = " + ".join(texts)  # one per source, in their order
    return joined
