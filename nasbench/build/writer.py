"""A store under construction: rows are written in place, and a journal records which are complete."""

import errno
import json
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from io import FileIO
from pathlib import Path
from struct import Struct
from typing import NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from nasbench.arrays import Array, Mask, Values
from nasbench.errors import StoreError
from nasbench.runs.files import leads_to, make_parent, open_locked
from nasbench.runs.text import counted
from nasbench.store import (
    Store,
    TypeAndShape,
    allocate,
    digest,
    read_chunks,
    seal,
    view_bytes,
    write_at,
    writing,
)


class Batch(NamedTuple):
    """Rows of cells with consecutive codes."""

    #: code of the first cell
    start: int
    #: rows by name of the array, each of shape ``(n, ...)`` with the same n
    rows: Mapping[str, Values]
    #: sha256 of the file it was read from; empty if the source is hashed as a whole
    digest: bytes = b""

    @property
    def cells(self) -> int:
        """Number of cells."""
        return len(next(iter(self.rows.values())))


Layout = Mapping[str, tuple[int, ...]]  # shape of a cell's row in each array
_RECORD = Struct("<III32s")  # a batch: first code, cells, length of the following checksums, digest
_READ = 4 << 20  # bytes read at a time


def locked(path: Path, out: Path) -> FileIO:
    """Open or create the file `path`, locked, for a build of the store `out`.

    Raise StoreError if another process is building it.
    """
    while True:
        try:
            file = open_locked(path, "a+b")
        except BlockingIOError:
            raise StoreError(f"another process is building {out}") from None
        if leads_to(path, file):
            return file
        file.close()  # another process has just finished and removed it


class ArrayOffsets:
    """Offsets of the arrays of a store under construction, with which a process writes rows."""

    def __init__(self, path: Path, layout: Layout, offsets: Mapping[str, int]) -> None:
        """Initialize from the shape of a row and the offset in bytes of each array."""
        self.path = str(path)
        self.names = sorted(layout)
        self.sizes = [8 * int(np.prod(layout[name], dtype=np.int64)) for name in self.names]
        self.offsets = [offsets[name] for name in self.names]
        self._file: FileIO | None = None  # opened when it is first written to

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_file": None}

    def close(self) -> None:
        """Close the file; `write` opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def write(self, batch: Batch) -> bytes:
        """Write a batch of rows and return its journal record."""
        if self._file is None:
            self._file = open(self.path, "r+b", buffering=0)  # noqa: SIM115 - `close` closes it
        checksums = []
        for name, size, offset in zip(self.names, self.sizes, self.offsets, strict=True):
            rows = np.ascontiguousarray(batch.rows[name], dtype=np.float64)
            data = view_bytes(rows)
            if data.nbytes != size * batch.cells:
                raise ValueError(
                    f"{name} has rows of shape {rows.shape[1:]}, which the layout does not allow"
                )
            write_at(self._file.fileno(), data, offset + batch.start * size)
            checksums.append(zlib.crc32(data))
        packed = np.array(checksums, dtype="<u4").tobytes()
        record = _RECORD.pack(batch.start, batch.cells, len(packed), batch.digest) + packed
        return record + zlib.crc32(record).to_bytes(4, "little")


class _Record(NamedTuple):
    """Journal record of a batch."""

    cells: int
    digest: bytes
    checksums: NDArray[np.uint32]  # of the rows of each array, (arrays,)


class Writer:
    """Writer of a store, row by row into a temporary file with a journal, which is then moved into place.

    Parameters
    ----------
    out
        File of the store.
    cells
        Number of cells.
    layout
        Shape of a cell's row in each float64 array.
    constants
        Arrays that are known from the start.
    identity
        Plain values that identify the source.
    resume
        Whether to continue an interrupted build with the same identity; else it is restarted.

    Raises
    ------
    StoreError
        If another process is building the store, or it cannot be written.
    """

    def __init__(
        self,
        out: str | Path,
        cells: int,
        layout: Layout,
        constants: Mapping[str, Array],
        identity: Mapping[str, object],
        resume: bool = False,
    ) -> None:
        self.out = Path(out)
        self.part = self.out.with_name(self.out.name + ".part")
        self._journal_path = self.out.with_name(self.out.name + ".part.journal")
        self._cells = cells
        self._constants = constants
        self._shapes: dict[str, TypeAndShape] = {
            name: (np.dtype(np.float64), (cells, *shape)) for name, shape in layout.items()
        }
        self._shapes |= {name: (array.dtype, array.shape) for name, array in constants.items()}
        self._layout = layout
        self._header = json.dumps(
            {"identity": identity, "layout": {k: [str(d), *s] for k, (d, s) in sorted(self._shapes.items())}}
        )
        self._records: dict[int, _Record] = {}  # by first code
        self._closing = ExitStack()
        with writing(self.out):
            make_parent(self.out)
            self._journal = self._closing.enter_context(locked(self._journal_path, self.out))
            try:
                offsets = self._resume() if resume else None
                self.resumed = offsets is not None
                self.offsets = offsets or self._begin()
            except BaseException:
                self._closing.close()
                raise
        self._closing.callback(self.offsets.close)

    def close(self) -> None:
        """Close the files; the build can be resumed."""
        self._closing.close()

    def done(self) -> Mask:
        """Return a mask (cells,) of the written cells."""
        done = np.zeros(self._cells, dtype=bool)
        for start, record in self._records.items():
            done[start : start + record.cells] = True
        return done

    def log(self, record: bytes) -> None:
        """Append the record of a written batch, as `ArrayOffsets.write` returns it, to the journal."""
        with writing(self.out):
            self._append(record)
        self._add(record)

    def write(self, batch: Batch) -> None:
        """Write a batch and append its record to the journal."""
        with writing(self.out):
            record = self.offsets.write(batch)
        self.log(record)

    def finish(
        self,
        provenance: Mapping[str, str] | Callable[[Sequence[bytes]], Mapping[str, str]],
        check: Callable[[Store], None] | None = None,
    ) -> None:
        """Fill missing rows with NaN, verify the file against the journal, and move it into place.

        Parameters
        ----------
        provenance
            Texts by name, or a function that returns them from the digests of the batches in code order.
        check
            Function that is called with the new store before it is moved into place; if it raises, the build
            can be resumed.
        """
        for start, cells in _gaps(self.done()):
            while cells:
                n = min(cells, max(1, _READ // max(self.offsets.sizes)))
                rows = {name: np.full((n, *shape), np.nan) for name, shape in self._layout.items()}
                self.write(Batch(start, rows))
                start, cells = start + n, cells - n
        with writing(self.out):
            digests = self._digests()
            if callable(provenance):
                provenance = provenance([self._records[start].digest for start in sorted(self._records)])
            seal(self.part, provenance, digests)
            with open(self.part, "rb") as file:
                os.fsync(file.fileno())
            if check is not None:
                check(Store(self.part))
            os.replace(self.part, self.out)
            self._journal_path.unlink()

    def discard(self) -> None:
        """Remove the files of the build."""
        for path in (self.part, self._journal_path):
            with suppress(OSError):
                path.unlink()

    def _begin(self) -> ArrayOffsets:
        """Allocate all arrays; leave no files on failure."""
        with ExitStack() as undo:
            undo.callback(self.discard)
            self._journal.truncate(0)
            self.part.unlink(missing_ok=True)
            offsets = allocate(self.part, self._shapes)
            with open(self.part, "r+b", buffering=0) as file:
                if sys.platform != "darwin":  # detect a full disk now, not after hours
                    os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
                for name, array in self._constants.items():
                    write_at(file.fileno(), view_bytes(np.ascontiguousarray(array)), offsets[name])
            crc = _header_checksum(self._header, offsets)
            header = {"header": self._header, "places": offsets, "crc": crc}
            self._append(json.dumps(header).encode() + b"\n")
            undo.pop_all()
        return ArrayOffsets(self.part, self._layout, offsets)

    def _append(self, data: bytes) -> None:
        if self._journal.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _resume(self) -> ArrayOffsets | None:
        """Continue an interrupted build; return None if there is none that can be used."""
        self._journal.seek(0)
        line = self._journal.readline()
        if not line.endswith(b"\n") or not self.part.exists():
            return None
        try:
            first = json.loads(line)
            header, offsets = first["header"], first["places"]
            intact = _header_checksum(header, offsets) == first["crc"] and set(offsets) == set(self._shapes)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        if not intact or not _opens(self.part):
            return None
        if header != self._header:
            raise StoreError(
                f"{self.part} was started from another source, or the source has changed since;"
                " restart it without --resume"
            )
        end = self._journal.tell()
        data = self._journal.read()
        position = 0
        while (length := _record_length(data, position)) is not None:
            self._add(data[position : position + length])
            position += length
        self._journal.truncate(end + position)
        self._journal.seek(0, os.SEEK_END)
        resumed = ArrayOffsets(self.part, self._layout, offsets)
        for start in self._damaged(resumed):
            del self._records[start]
        return resumed

    def _add(self, data: bytes) -> None:
        start, cells, length, digest = _RECORD.unpack_from(data)
        checksums = np.frombuffer(data, "<u4", length // 4, _RECORD.size)
        self._records[start] = _Record(cells, digest, checksums)

    def _damaged(self, offsets: ArrayOffsets) -> set[int]:
        """Return the first codes of batches whose rows were not written correctly, as after a power cut."""
        damaged: set[int] = set()
        with open(self.part, "rb", buffering=0) as file:
            for number in range(len(offsets.names)):
                for _ in self._checked(file.fileno(), offsets, number, damaged):
                    pass
        return damaged

    def _digests(self) -> dict[str, str]:
        """Return the digest of each array, read back from the file and verified against the journal."""
        from concurrent.futures import ThreadPoolExecutor

        damaged: set[int] = set()
        numbers = {name: number for number, name in enumerate(self.offsets.names)}
        with open(self.part, "rb", buffering=0) as file, ThreadPoolExecutor(os.cpu_count()) as threads:

            def compute_digest(name: str) -> str:
                dtype, shape = self._shapes[name]
                if name not in numbers:
                    return digest(dtype, shape, [view_bytes(np.ascontiguousarray(self._constants[name]))])
                chunks = self._checked(file.fileno(), self.offsets, numbers[name], damaged)
                return digest(dtype, shape, chunks)

            digests = dict(zip(self._shapes, threads.map(compute_digest, self._shapes), strict=True))
        if damaged:
            raise StoreError(
                f"{self.part} differs from the written data in {counted(len(damaged), 'place')};"
                " the disk may be failing"
            )
        return digests

    def _checked(
        self, descriptor: int, offsets: ArrayOffsets, number: int, damaged: set[int]
    ) -> Iterator[memoryview]:
        """Yield the bytes of an array in order; add the first codes of damaged batches to `damaged`."""
        size, offset = offsets.sizes[number], offsets.offsets[number]
        for group in self._groups(_READ // size):
            first, last = group[0], group[-1]
            count = (last + self._records[last].cells - first) * size
            data = memoryview(b"".join(read_chunks(descriptor, offset + first * size, count)))
            for start in group:
                record = self._records[start]
                rows = data[(start - first) * size : (start - first + record.cells) * size]
                if zlib.crc32(rows) != record.checksums[number]:
                    damaged.add(start)
            yield data

    def _groups(self, cells: int) -> Iterator[list[int]]:
        """Yield the first codes of adjacent batches, in groups of about `cells` cells."""
        group: list[int] = []
        end = 0
        for start in sorted(self._records):
            if group and (start != end or end - group[0] >= cells):
                yield group
                group = []
            group.append(start)
            end = start + self._records[start].cells
        if group:
            yield group


def _header_checksum(header: object, offsets: object) -> int:
    return zlib.crc32(json.dumps([header, offsets], sort_keys=True).encode())


def _opens(path: Path) -> bool:
    """Return whether a file is an HDF5 file that was closed properly, which a kill may have prevented."""
    try:
        with h5py.File(path, "r+", locking=False):
            return True
    except OSError:
        return False


def _gaps(done: Mask) -> list[tuple[int, int]]:
    """Return the ranges of cells that are not done, as (first, count)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], done, [True]]).astype(np.int8)))
    return [(int(start), int(end - start)) for start, end in edges.reshape(-1, 2)]


def _record_length(data: bytes, position: int) -> int | None:
    """Return the length of the journal record at a position; None if it is incomplete."""
    if position + _RECORD.size > len(data):
        return None
    length: int = _RECORD.size + _RECORD.unpack_from(data, position)[2] + 4
    record = data[position : position + length]
    if len(record) < length or zlib.crc32(record[:-4]) != int.from_bytes(record[-4:], "little"):
        return None
    return length
