"""Interface of sources to the builder: a layout, and rows of cells in batches."""

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
Group = tuple[str, int]  # data set and protocol, whose arrays have one column per seed
Seeds = Mapping[Group, tuple[int, ...]]


@contextmanager
def reading(path: StrPath) -> Iterator[None]:
    """Raise errors of the system in the block, which reads `path`, as SourceError."""
    try:
        yield
    except NASBenchError:
        raise
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from None
    except MemoryError:
        raise SourceError(f"{path} needs more memory than available: it is damaged or malicious") from None


def read_stamp(path: StrPath) -> dict[str, int]:
    """Return size and date of a file, to detect changes."""
    with reading(path):
        state = os.stat(path)
    return {"size": state.st_size, "changed": state.st_mtime_ns}


def digest_file(path: StrPath, kind: str = "sha256") -> str:
    """Return the digest of a file."""
    with reading(path), open(path, "rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


NAS_BENCH_201_PAPER = "Dong & Yang, NAS-Bench-201, ICLR 2020, arXiv:2001.00326"
PROVENANCE = ("source", "source_version", "source_sha256", "licence", "citation")


def name_provenance(*texts: str) -> dict[str, str]:
    """Return the non-empty `texts`, given in the order of `PROVENANCE`, by name."""
    return {name: text for name, text in zip(PROVENANCE, texts, strict=True) if text}


class Source(ABC):
    """Base class of published files or folders, recognized and checked, that are ready to be read.

    `read(task)` yields batches of cells; missing cells are left out or NaN. Errors are SourceErrors that name
    the file.

    Parameters
    ----------
    path
        File or folder; None if there is none.
    space
        Space of the cells.
    layout
        Shape of a cell's row in each array; the names are listed in `nasbench.answers.Answers`.
    seeds
        Seeds of each group, in the order of the columns.
    provenance
        Texts by the names in `PROVENANCE`.
    """

    #: name of the kind for `--kind`
    kind: ClassVar[str]
    #: whether tasks can be read in worker processes, to which the source is sent
    parallel: ClassVar[bool] = False

    def __init__(
        self,
        path: StrPath | None,
        space: Space,
        layout: Layout,
        seeds: Seeds,
        provenance: Mapping[str, str],
    ) -> None:
        self.path = path
        #: the path, or the kind if there is none, as on the command line
        self.label = self.kind if path is None else str(path)
        self.space = space
        self.layout = layout
        self.seeds = seeds
        self.provenance = provenance
        #: names of the arrays by source
        self.origins = {provenance["source"]: set(layout)}
        #: lines for the summary on what was checked
        self.checks: list[str] = []
        #: further lines for the summary, such as left out data
        self.notes: list[str] = []

    @property
    def name(self) -> str:
        """Name of the file, or the kind if there is none, for messages and the progress bar."""
        return Path(self.path).name if self.path else self.kind

    @property
    def tasks(self) -> Sequence[range]:
        """Ranges of codes to read, each by one process; by default a single range."""
        return [range(self.space.cells)]

    def cells(self, task: range) -> int:
        """Return the number of cells in a task, for the progress bar; by default all."""
        return len(task)

    def foreseen(self, name: str) -> Mask:
        """Return a mask (N,) of cells that may have values of an array, before reading; by default all."""
        return np.ones(self.space.cells, dtype=bool)

    @abstractmethod
    def read(self, task: range) -> Iterator[Batch]:
        """Yield the batches of a task."""

    def identity(self) -> dict[str, object]:
        """Return plain values that must be equal to continue an interrupted build."""
        return {"kind": self.kind, "source": self.provenance.get("source_version"), "path": str(self.path)}


class Table(Source):
    """A source that is small enough for memory; all cells are one batch."""

    def __init__(
        self,
        path: StrPath | None,
        space: Space,
        arrays: Mapping[str, Values],
        seeds: Seeds,
        provenance: Mapping[str, str],
    ) -> None:
        """Initialize from arrays by name, each of shape (N, ...)."""
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
    """Place in a store of the values of one seed, or of a metric of the network."""

    #: name of the array
    array: str
    #: seed; -1 for means and metrics of the network
    seed: int = UNKNOWN_SEED


def assemble(columns: Mapping[Column, Values]) -> tuple[dict[str, Values], dict[Group, tuple[int, ...]]]:
    """Return the arrays that consist of columns (N,), with an axis of seeds in groups; and the seeds."""
    numbers: dict[Group, set[int]] = {}
    for array, seed in columns:
        group = find_group(array)
        if group is not None:
            numbers.setdefault(group, set()).add(seed)
    seeds = {group: tuple(sorted(of_group)) for group, of_group in numbers.items()}
    arrays: dict[str, Values] = {}
    for (array, seed), values in columns.items():
        group = find_group(array)
        if group is None:
            arrays[array] = values
            continue
        empty = np.full((len(values), len(seeds[group])), np.nan)
        arrays.setdefault(array, empty)[:, seeds[group].index(seed)] = values
    return arrays, seeds


def find_group(name: str) -> Group | None:
    """Return the group whose seeds are the columns of an array; None for metrics of the network."""
    parts = name.split("/")
    return (parts[0], int(parts[1])) if len(parts) == 4 else None


def any_known(rows: Values) -> Mask:
    """Return a mask (n,) of the rows (n, ...) that have a value."""
    known: Mask = np.logical_or.reduce(~np.isnan(rows.reshape(len(rows), -1)), axis=1)
    return known


def in_columns(rows: Values, name: str, seeds: Seeds, joined: Seeds) -> Values:
    """Return the rows (n, S, ...) of a source's array with one column per joined seed."""
    group = find_group(name)
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
    """Return the names of the arrays by source, for all sources together."""
    joined: dict[str, set[str]] = {}
    for source in sources:
        for origin, arrays in source.origins.items():
            joined.setdefault(origin, set()).update(arrays)
    return joined


def join_provenance(sources: Sequence[Source]) -> dict[str, str]:
    """Return the joined provenance of several sources, without repeated licences and citations."""
    joined = {}
    for name in PROVENANCE:
        texts = [source.provenance.get(name, "") for source in sources]
        if name in ("licence", "citation"):
            joined[name] = "; ".join(dict.fromkeys(filter(None, texts)))
        else:
            joined[name] = " + ".join(texts)  # one per source, in order
    return joined
