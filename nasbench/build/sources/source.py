"""The interface of published sources to the builder: a layout, and rows of cells read in batches."""

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from nasbench.arrays import Mask, Values
from nasbench.build.writer import Batch, Layout
from nasbench.errors import NASBenchError, SourceError
from nasbench.metrics import UNKNOWN_SEED
from nasbench.spaces import Space

StrPath = str | Path
Group = tuple[str, int]  # a data set and a protocol, whose arrays have a column per seed
Seeds = Mapping[Group, tuple[int, ...]]


@contextmanager
def reading(path: StrPath) -> Iterator[None]:
    """Turn an error of the system in reading a source's file into a SourceError that names it."""
    try:
        yield
    except NASBenchError:
        raise
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from None
    except MemoryError:
        raise SourceError(f"{path} needs more memory than there is: damaged, or made for it") from None


def read_stamp(path: StrPath) -> dict[str, int]:
    """Return size and date of a file, which show that it has changed."""
    with reading(path):
        state = os.stat(path)
    return {"size": state.st_size, "changed": state.st_mtime_ns}


def digest_file(path: StrPath, kind: str = "sha256") -> str:
    """Return the digest of a source's file."""
    with reading(path), open(path, "rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


NAS_BENCH_201_PAPER = "Dong & Yang, NAS-Bench-201, ICLR 2020, arXiv:2001.00326"
PROVENANCE = ("source", "source_version", "source_sha256", "licence", "citation")


def name_provenance(*texts: str) -> dict[str, str]:
    """Return the texts of `PROVENANCE`, in its order, by name; empty ones are left out."""
    return {name: text for name, text in zip(PROVENANCE, texts, strict=True) if text}


class Source(ABC):
    """A published file or folder that has been recognised and checked, and is ready to be read.

    `layout` has the shape of a cell's row in all arrays that the source fills; names as in
    `nasbench.answers.Answers`. `read(task)` yields the Batches of some codes; a cell that the source lacks is
    left out, or is NaN. With `parallel`, tasks are read in worker processes, to which the source is sent;
    else one after the other, in order. Errors are SourceErrors that name the file.
    """

    kind: ClassVar[str]  # as --kind has it
    parallel: ClassVar[bool] = False

    def __init__(
        self,
        path: StrPath | None,
        space: Space,
        layout: Layout,
        seeds: Seeds,
        provenance: Mapping[str, str],
    ) -> None:
        """`seeds`: of each group, as the rows have columns; `provenance`: the texts of `PROVENANCE`."""
        self.path = path
        self.space = space
        self.layout = layout
        self.seeds = seeds
        self.provenance = provenance
        self.origins = {provenance["source"]: set(layout)}  # the arrays that each source fills
        self.checks: list[str] = []  # lines for the summary: what was compared or tested
        self.notes: list[str] = []  # what else to know, such as what was left out

    @property
    def name(self) -> str:
        """The name of the file, for messages and the progress bar; without one the kind."""
        return Path(self.path).name if self.path else self.kind

    @property
    def tasks(self) -> Sequence[range]:
        """The codes to read, in parts that can be sent to a process; by default one part with all."""
        return [range(self.space.cells)]

    def cells(self, task: range) -> int:
        """Return how many cells a task has, for the progress bar; by default all."""
        return len(task)

    def foreseen(self, name: str) -> Mask:
        """Return which cells may have values of an array, bool (N,), before any is read; by default all."""
        return np.ones(self.space.cells, dtype=bool)

    @abstractmethod
    def read(self, task: range) -> Iterator[Batch]:
        """Yield the Batches of a task."""

    def identity(self) -> dict[str, object]:
        """Return plain values that must be the same if an interrupted build is to be resumed."""
        return {"kind": self.kind, "source": self.provenance.get("source_version"), "path": str(self.path)}


class Table(Source):
    """A source that is small enough to be held in memory: all cells at once."""

    def __init__(
        self,
        path: StrPath | None,
        space: Space,
        arrays: Mapping[str, Values],
        seeds: Seeds,
        provenance: Mapping[str, str],
    ) -> None:
        """`arrays`: by name, (N, ...)."""
        layout = {name: array.shape[1:] for name, array in arrays.items()}
        super().__init__(path, space, layout, seeds, provenance)
        self.arrays = arrays

    def identity(self) -> dict[str, object]:
        return super().identity() | {"sha256": self.provenance.get("source_sha256")}

    def foreseen(self, name: str) -> Mask:
        return any_known(self.arrays[name])

    def read(self, task: range) -> Iterator[Batch]:
        yield Batch(0, {name: np.asarray(array, np.float64) for name, array in self.arrays.items()})


class Column(NamedTuple):
    """Where the values of one seed, or of the network, go in a store."""

    array: str
    seed: int = UNKNOWN_SEED  # of a mean, and of what belongs to the network


def assemble(columns: Mapping[Column, Values]) -> tuple[dict[str, Values], dict[Group, tuple[int, ...]]]:
    """Return arrays of columns by code, (N,), each with an axis of seeds if it has a group; and the seeds."""
    numbers: dict[Group, set[int]] = {}
    for array, seed in columns:
        group = group_of(array)
        if group is not None:
            numbers.setdefault(group, set()).add(seed)
    seeds = {group: tuple(sorted(of_group)) for group, of_group in numbers.items()}
    arrays: dict[str, Values] = {}
    for (array, seed), values in columns.items():
        group = group_of(array)
        if group is None:
            arrays[array] = values
            continue
        empty = np.full((len(values), len(seeds[group])), np.nan)
        arrays.setdefault(array, empty)[:, seeds[group].index(seed)] = values
    return arrays, seeds


def group_of(name: str) -> Group | None:
    """Return the group whose seeds an array's columns are, None for what belongs to the network."""
    parts = name.split("/")
    return (parts[0], int(parts[1])) if len(parts) == 4 else None


def any_known(rows: Values) -> Mask:
    """Return which rows of an array (n, ...) have a value, bool (n,)."""
    known: Mask = np.logical_or.reduce(~np.isnan(rows.reshape(len(rows), -1)), axis=1)
    return known


def in_columns(rows: Values, name: str, seeds: Seeds, joined: Seeds) -> Values:
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
