"""NATS-Bench: the folder with one file per cell, its tar archive, and the single file of all cells."""

import bz2
import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np

from nasbench.arrays import Mask, Values
from nasbench.build.sources import pickle_stream, safe_pickle
from nasbench.build.sources.pickle_stream import Read
from nasbench.build.sources.results import PROTOCOLS, Results
from nasbench.build.sources.safe_pickle import Allowed
from nasbench.build.sources.source import (
    NAS_BENCH_201_PAPER,
    Source,
    StrPath,
    digest_file,
    name_provenance,
    read_stamp,
    reading,
)
from nasbench.build.sources.template import Templates
from nasbench.build.writer import Batch
from nasbench.errors import SourceError, one_line, shown
from nasbench.runs.text import counted
from nasbench.spaces import SPACES, TOPOLOGY, Space

META = "meta.pickle.pbz2"
_PAPER = "Dong et al., NATS-Bench, TPAMI 2021, arXiv:2009.00437"
_CELL_FILE = re.compile(r"(\d{6})\.pickle\.pbz2")
_SUFFIX = re.compile(r"-([0-9a-f]{5})\.pickle\.pbz2$")
_BATCH = 25  # cells read and written at a time
_LARGEST_FILE = 256 << 20  # bytes; files are smaller even with weights
_LARGEST_RATIO = 16  # unpacked to packed bytes; 2 to 4 in genuine files
_LARGEST_REST = 16 << 20  # bytes in addition; the meta file unpacks 39-fold, to 1.4 MB
_DAMAGED_FILE_ERRORS = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError)


class _Folder:
    """The files in a folder."""

    def __init__(self, path: StrPath) -> None:
        self.path = Path(path)
        self.name = self.path.resolve().name
        self.sizes: dict[str, int] = {}
        self.stamps: list[tuple[str, int, int]] = []  # name, size and date detect changed files
        with reading(path), os.scandir(path) as entries:
            for entry in entries:
                if _CELL_FILE.fullmatch(entry.name) or entry.name == META:
                    state = entry.stat()
                    self.sizes[entry.name] = state.st_size
                    self.stamps.append((entry.name, state.st_size, state.st_mtime_ns))

    def where(self, name: str) -> str:
        """Return the path of a file for messages."""
        return str(self.path / name)

    def read(self, name: str) -> bytes:
        """Return the bytes of a file."""
        with reading(self.where(name)):
            return (self.path / name).read_bytes()


class _Tar:
    """The files in an uncompressed tar archive of a folder, read at their offsets."""

    def __init__(self, path: StrPath) -> None:
        self.path = Path(path)
        self.name = self.path.stem  # or the folder in the archive
        self.sizes: dict[str, int] = {}
        self._offsets: dict[str, int] = {}
        with reading(path):
            state = os.stat(path)
            self.stamps = [(self.path.name, state.st_size, state.st_mtime_ns)]
            try:
                with tarfile.open(path, "r:") as archive:
                    for member in archive:
                        self._add(member)
                    end = archive.offset
            except (tarfile.TarError, ValueError, EOFError) as error:
                raise SourceError(f"{path} is truncated or damaged ({one_line(error)})") from None
            with open(path, "rb") as file:
                file.seek(end)
                if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                    raise SourceError(
                        f"{path} is truncated or damaged: no end of the archive at byte {end:,}"
                    )

    def _add(self, member: tarfile.TarInfo) -> None:
        folder, _, name = member.name.rpartition("/")
        if not member.isfile() or not (_CELL_FILE.fullmatch(name) or name == META):
            return
        if name in self.sizes:
            raise SourceError(f"{self.path} has {name} twice")
        self.name = folder.rpartition("/")[2] or self.name
        self.sizes[name] = member.size
        self._offsets[name] = member.offset_data

    def where(self, name: str) -> str:
        """Return the path of a file for messages."""
        return f"{self.path}: {name}"

    def read(self, name: str) -> bytes:
        """Return the bytes of a file."""
        size = self.sizes[name]
        with reading(self.path), open(self.path, "rb") as file:
            file.seek(self._offsets[name])
            data = file.read(size)
        if len(data) != size:
            raise SourceError(f"{self.path} is truncated within {name}")
        return data


class NATSFolder(Source):
    """One file per cell, `000000.pickle.pbz2` and so on, in a folder or its tar archive.

    Weights of the networks, which files of the `full` release have, are not unpickled.
    """

    kind = "nats"
    parallel = True

    def __init__(self, path: StrPath) -> None:
        files = _Folder(path) if os.path.isdir(path) else _Tar(path)
        for name, size in files.sizes.items():
            if size > _LARGEST_FILE:
                raise SourceError(
                    f"{files.where(name)} has {size:,} bytes, more than a file of a cell can have"
                )
        indices = sorted(int(match[1]) for match in map(_CELL_FILE.fullmatch, files.sizes) if match)
        if not indices:
            raise SourceError(f"{path} has no file such as 000000.pickle.pbz2")
        space = _read_space(files, indices)
        if indices[-1] >= space.cells:
            raise SourceError(
                f"{files.where(_file_name(indices[-1]))}: indices of the {space.name} end at"
                f" {space.cells - 1}"
            )
        self._files = files
        self._results = Results(space, PROTOCOLS[space.flag])
        self._templates = Templates(self._results.vector, safe_pickle.WEIGHTS, len(PROTOCOLS[space.flag]))
        codes = space.official_order()[indices]
        self._index_of = dict(zip(codes.tolist(), indices, strict=True))
        super().__init__(
            path, space, self._results.layout, self._results.seeds, _provenance(space, files.name)
        )
        meta = " and in the meta file" if META in files.sizes else " (there is no meta file)"
        self.checks += [
            f"indices and strings against the official order, in each file{meta}",
            "trials, seeds, lengths, names of sets; no value that is NaN, negative or above 100 %",
        ]
        if space is TOPOLOGY:
            self.checks.append("parameters and multiply-adds against the formula of the network")

    @property
    def tasks(self) -> Sequence[range]:
        starts = np.unique(np.array(list(self._index_of)) // _BATCH * _BATCH).tolist()
        return [range(start, min(start + _BATCH, self.space.cells)) for start in starts]

    def cells(self, task: range) -> int:
        return sum(code in self._index_of for code in task)

    def foreseen(self, name: str) -> Mask:
        cells = np.zeros(self.space.cells, dtype=bool)
        cells[list(self._index_of)] = True
        return cells

    def read(self, task: range) -> Iterator[Batch]:
        vectors: list[Values] = []
        codes: list[int] = []
        names: list[str] = []
        digest = hashlib.sha256()
        for code in task:
            index = self._index_of.get(code)
            if index is None:
                continue
            name = _file_name(index)
            data = self._files.read(name)
            digest.update(data)
            where = self._files.where(name)
            arch = str(self.space.cell(code))
            try:
                vectors.append(self._templates.vector(_unpacked(data, where), index, arch, where))
            except SourceError:
                raise
            except _DAMAGED_FILE_ERRORS as error:
                raise SourceError(f"{where}: {one_line(error)}") from None
            codes.append(code)
            names.append(where)
        rows = self._results.rows(vectors, np.array(codes), names)
        if len(codes) < len(task):
            places = np.array(codes) - task.start
            for name, part in rows.items():
                rows[name] = np.full((len(task), *part.shape[1:]), np.nan)
                rows[name][places] = part
        yield Batch(task.start, rows, digest.digest())

    def identity(self) -> dict[str, object]:
        listing = hashlib.sha256(repr(sorted(self._files.stamps)).encode()).hexdigest()
        return super().identity() | {"files": listing}


class CellStream(Source):
    """Base class of files with all cells in one pickle.

    The pickle is `{"arch2infos": {index: results}, "meta_archs": [strings], ...}`. It is read as a stream, in
    the order of its cells, in constant memory.
    """

    path: StrPath

    def __init__(
        self, path: StrPath, space: Space, results: Results, version: str, source: str | None = None
    ) -> None:
        provenance = _provenance(space, version, source, digest_file(path))
        super().__init__(path, space, results.layout, results.seeds, provenance)
        self._results = results
        self.checks += [
            "indices and strings against the official order, in each cell and in the list of cells",
            "trials, seeds, lengths; no value that is NaN, negative or above 100 %",
        ]

    def identity(self) -> dict[str, object]:
        return super().identity() | read_stamp(self.path)

    def read_stream(self, read: Read, whole: bool = True) -> Iterator[Batch]:
        """Yield the batches of a pickle that `read(n)` returns; with `whole`, nothing may follow it."""
        met: set[int] = set()
        allowed = safe_pickle.WEIGHTS
        for index, results in pickle_stream.items(read, str(self.path), allowed, "arch2infos", whole):
            if index is pickle_stream.END:
                self._check_list(results)
                continue
            where = f"{self.path}, cell {shown(index)}"
            if type(index) is not int or not 0 <= index < self.space.cells or index in met:
                again = "occurs twice" if type(index) is int and index in met else "is not an official index"
                raise SourceError(f"{where}: {again}")
            met.add(index)
            try:
                vector = self._results.vector(results, index)
            except _DAMAGED_FILE_ERRORS as error:
                raise SourceError(f"{where}: {one_line(error)}") from None
            code = int(self.space.official_order()[index])
            yield Batch(code, self._results.rows([vector], np.array([code]), [where]))
        if self._results.curves_left_out:
            self.notes.append(
                f"left out {counted(self._results.curves_left_out, 'evaluation')}"
                " at epochs that the benchmark does not record"
            )

    def _check_list(self, rest: object) -> None:
        archs = rest.get("meta_archs") if type(rest) is dict else None
        if archs != _official_strings(self.space):
            raise SourceError(f"{self.path}: its list of cells is not the official one")


class NATSFile(CellStream):
    """The single file `NATS-tss-v1_0-3ffb9.pickle.pbz2`, which unpickles to 28 GB of Python objects."""

    kind = "nats-file"

    def __init__(self, path: StrPath) -> None:
        path = Path(path)
        expected = _SUFFIX.search(path.name)
        if expected:
            end = digest_file(path, "md5")[-5:]
            if end != expected[1]:
                raise SourceError(
                    f"{path} is truncated or damaged: its md5 ends in {end}, its name says {expected[1]}"
                )
        space = _read_space_of_file(path)
        super().__init__(path, space, Results(space, PROTOCOLS[space.flag]), path.name)
        if expected:
            self.checks.append("the file against the md5 in its name")

    def read(self, task: range) -> Iterator[Batch]:
        with reading(self.path), open(self.path, "rb") as file:
            yield from self.read_stream(_Unpacking(file, self.path).read)


class _Unpacking:
    """Reader of a bz2 stream in pieces, which raises SourceError if it unpacks to too many bytes."""

    def __init__(self, file: BinaryIO, path: StrPath) -> None:
        self._file = file
        self._path = path
        self._bz2 = bz2.BZ2Decompressor()
        self._left = _LARGEST_REST  # bytes it may still unpack to

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end."""
        while not self._bz2.eof:
            packed = self._file.read(1 << 18) if self._bz2.needs_input else b""
            self._left += _LARGEST_RATIO * len(packed)
            if self._bz2.needs_input and not packed:
                raise SourceError(f"{self._path} is truncated: it ends within its bz2 stream")
            try:
                data = self._bz2.decompress(packed, size)
            except OSError as error:
                raise SourceError(f"{self._path} is damaged ({error})") from None
            self._left -= len(data)
            if self._left < 0:
                raise SourceError(
                    f"{self._path} unpacks to more than {_LARGEST_RATIO} times its size; refused"
                )
            if data:
                return data
        if self._bz2.unused_data or self._file.read(1):
            raise SourceError(f"{self._path} is damaged: there are bytes after its end")
        return b""


def _unpacked(packed: bytes, where: str) -> bytes:
    """Return the unpacked bytes of a bz2 file; raise SourceError, before allocating them, if too many."""
    limit = _LARGEST_RATIO * len(packed) + _LARGEST_REST
    unpacking = bz2.BZ2Decompressor()
    try:
        data = unpacking.decompress(packed, limit)
    except (OSError, ValueError, EOFError) as error:
        raise SourceError(f"{where} is damaged ({error})") from None
    if not unpacking.eof:
        reason = "is truncated" if unpacking.needs_input else f"unpacks to more than {limit:,} bytes; refused"
        raise SourceError(f"{where} {reason}")
    if unpacking.unused_data:
        raise SourceError(f"{where} is damaged: there are bytes after its end")
    return data


def _read_space(files: _Folder | _Tar, indices: Sequence[int]) -> Space:
    """Return the space of a folder's files, from the meta file if there is one."""
    if META in files.sizes:
        where = files.where(META)
        meta = _load(files, META, safe_pickle.NUMBERS)
        archs = meta.get("meta_archs") if type(meta) is dict else None
        for space in SPACES.values():
            if archs == _official_strings(space):
                return space
        raise SourceError(f"{where}: its list of cells matches no known space")
    name = _file_name(indices[0])
    return _space_by_protocols(_load(files, name, safe_pickle.WEIGHTS), f"{files.where(name)}: its protocols")


def _load(files: _Folder | _Tar, name: str, allowed: Allowed) -> object:
    """Return the object in a packed pickle."""
    where = files.where(name)
    return pickle_stream.load(io.BytesIO(_unpacked(files.read(name), where)).read, where, allowed)


def _read_space_of_file(path: Path) -> Space:
    """Return the space of a single file, from its first cell."""
    with reading(path), open(path, "rb") as file:
        read = _Unpacking(file, path).read
        index, results = next(pickle_stream.items(read, str(path), safe_pickle.WEIGHTS, "arch2infos"))
    if index is pickle_stream.END:
        raise SourceError(f"{path} has no cell")
    return _space_by_protocols(results, f"{path}: the protocols of its first cell")


def _space_by_protocols(results: object, subject: str) -> Space:
    for flag, protocols in PROTOCOLS.items():
        if type(results) is dict and set(results) == set(protocols):
            return SPACES[flag]
    raise SourceError(f"{subject} match no known space")


@cache
def _official_strings(space: Space) -> list[str]:
    return [str(space.cell(code)) for code in space.official_order().tolist()]


def _file_name(index: int) -> str:
    return f"{index:06d}.pickle.pbz2"


def _provenance(space: Space, version: str, source: str | None = None, sha256: str = "") -> dict[str, str]:
    source = source or f"NATS-Bench ({'topology' if space is TOPOLOGY else 'size'} space)"
    citation = f"{NAS_BENCH_201_PAPER}; {_PAPER}" if space is TOPOLOGY else _PAPER
    return name_provenance(source, version, sha256, "MIT", citation)
