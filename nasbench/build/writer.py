"""A store under construction: rows go straight to their places in its file; a journal says which."""

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
from nasbench.runs.files import leads_to, make_folder_of, open_locked
from nasbench.store import (
    Store,
    TypeAndShape,
    allocate,
    bytes_of,
    digest,
    read_chunks,
    seal,
    write_at,
    writing,
)


class Batch(NamedTuple):
    """The rows of some cells whose codes follow one another."""

    start: int  # code of the first cell
    rows: Mapping[str, Values]  # by name in the store, (n, ...), with the same n for all
    digest: bytes = b""  # sha256 of what it was read from; empty if the source is hashed as a whole

    @property
    def cells(self) -> int:
        """The number of cells."""
        return len(next(iter(self.rows.values())))


Layout = Mapping[str, tuple[int, ...]]  # shape of a cell's row in each array
_RECORD = Struct("<III32s")  # of a batch: first code, cells, length of the checksums that follow, digest
_READ = 4 << 20  # bytes read at once


def locked(path: Path, out: Path) -> FileIO:
    """Return the file at a path, created if need be and locked; StoreError if another process has it.

    `out`: the store that it is for.
    """
    while True:
        try:
            file = open_locked(path, "a+b")
        except BlockingIOError:
            raise StoreError(f"another process is building {out}") from None
        if leads_to(path, file):
            return file
        file.close()  # another process has finished meanwhile, and removed it


class ArrayOffsets:
    """Where the rows of a store under construction go: what a process needs to write some."""

    def __init__(self, path: Path, layout: Layout, offsets: Mapping[str, int]) -> None:
        """`layout`: {name: shape of a row}; `offsets`: {name: byte at which the array begins}."""
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
        """Write a Batch of rows and return the journal's record of it."""
        if self._file is None:
            self._file = open(self.path, "r+b", buffering=0)  # noqa: SIM115 - `close` closes it
        checksums = []
        for name, size, offset in zip(self.names, self.sizes, self.offsets, strict=True):
            rows = np.ascontiguousarray(batch.rows[name], dtype=np.float64)
            data = bytes_of(rows)
            if data.nbytes != size * batch.cells:
                raise ValueError(f"{name} has rows of {rows.shape[1:]}, which the layout does not foresee")
            write_at(self._file.fileno(), data, offset + batch.start * size)
            checksums.append(zlib.crc32(data))
        packed = np.array(checksums, dtype="<u4").tobytes()
        record = _RECORD.pack(batch.start, batch.cells, len(packed), batch.digest) + packed
        return record + zlib.crc32(record).to_bytes(4, "little")


class _Record(NamedTuple):
    """What the journal says of a batch."""

    cells: int
    digest: bytes
    checksums: NDArray[np.uint32]  # of the rows of each array, (arrays,)


class Writer:
    """A store that is built row by row in a file beside it, with a journal, and then moved into place.

    With `resume`, a construction of the same identity is continued; without, one that was left behind is
    restarted. One process at a time: StoreError if another has it.
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
        """Begin or resume the construction of the store `out`.

        `layout`: float64 arrays with a row per cell; `constants`: arrays known from the start; `identity`:
        plain values that say what it is built from.
        """
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
            make_folder_of(self.out)
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
        """Leave the construction as it is; it can be resumed."""
        self._closing.close()

    def done(self) -> Mask:
        """Return which cells are written, bool (cells,)."""
        done = np.zeros(self._cells, dtype=bool)
        for start, record in self._records.items():
            done[start : start + record.cells] = True
        return done

    def log(self, record: bytes) -> None:
        """Note that a batch has been written; `record`: what `ArrayOffsets.write` returned."""
        with writing(self.out):
            self._append(record)
        self._add(record)

    def write(self, batch: Batch) -> None:
        """Write a Batch and note it."""
        with writing(self.out):
            record = self.offsets.write(batch)
        self.log(record)

    def finish(
        self,
        provenance: Mapping[str, str] | Callable[[Sequence[bytes]], Mapping[str, str]],
        check: Callable[[Store], None] | None = None,
    ) -> None:
        """Fill the rows of missing cells with NaN, compare all with the journal, and move it into place.

        `provenance`: {name: text}, or a function that makes it from the batches' digests in order of codes.
        `check`: called with the Store before it is moved into place; if it raises, the build can be resumed.
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
        """Remove the construction."""
        for path in (self.part, self._journal_path):
            with suppress(OSError):
                path.unlink()

    def _begin(self) -> ArrayOffsets:
        """Allocate all arrays, or leave nothing."""
        with ExitStack() as undo:
            undo.callback(self.discard)
            self._journal.truncate(0)
            self.part.unlink(missing_ok=True)
            offsets = allocate(self.part, self._shapes)
            with open(self.part, "r+b", buffering=0) as file:
                if sys.platform != "darwin":  # a full disk shows now, not after hours
                    os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
                for name, array in self._constants.items():
                    write_at(file.fileno(), bytes_of(np.ascontiguousarray(array)), offsets[name])
            crc = _header_checksum(self._header, offsets)
            header = {"header": self._header, "places": offsets, "crc": crc}
            self._append(json.dumps(header).encode() + b"\n")
            undo.pop_all()
        return ArrayOffsets(self.part, self._layout, offsets)

    def _append(self, data: bytes) -> None:
        if self._journal.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _resume(self) -> ArrayOffsets | None:
        """Take up what another run left; None if there is nothing that can be used."""
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
                f"{self.part} was begun from another source, or the source has changed since;"
                " without --resume it is begun anew"
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
        """Return the first codes of batches whose rows differ from what was written, as after a power cut."""
        damaged: set[int] = set()
        with open(self.part, "rb", buffering=0) as file:
            for number in range(len(offsets.names)):
                for _ in self._checked(file.fileno(), offsets, number, damaged):
                    pass
        return damaged

    def _digests(self) -> dict[str, str]:
        """Return the digest of each array, read back from the file and compared with the journal."""
        from concurrent.futures import ThreadPoolExecutor

        damaged: set[int] = set()
        numbers = {name: number for number, name in enumerate(self.offsets.names)}
        with open(self.part, "rb", buffering=0) as file, ThreadPoolExecutor(os.cpu_count()) as threads:

            def digest_of(name: str) -> str:
                dtype, shape = self._shapes[name]
                if name not in numbers:
                    return digest(dtype, shape, [bytes_of(np.ascontiguousarray(self._constants[name]))])
                chunks = self._checked(file.fileno(), self.offsets, numbers[name], damaged)
                return digest(dtype, shape, chunks)

            digests = dict(zip(self._shapes, threads.map(digest_of, self._shapes), strict=True))
        if damaged:
            raise StoreError(
                f"{self.part} does not hold what was written to it, at {len(damaged):,} places;"
                " the disk may be failing"
            )
        return digests

    def _checked(
        self, descriptor: int, offsets: ArrayOffsets, number: int, damaged: set[int]
    ) -> Iterator[memoryview]:
        """Yield the bytes of an array in order; add the first codes of batches that differ to `damaged`."""
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
        """Yield the first codes of batches that follow one another, in groups of about so many cells."""
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
    """Return whether it is an HDF5 file that was closed properly; it is not after a kill at the very end."""
    try:
        with h5py.File(path, "r+", locking=False):
            return True
    except OSError:
        return False


def _gaps(done: Mask) -> list[tuple[int, int]]:
    """Return the runs of cells that are not done, as (first, count)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], done, [True]]).astype(np.int8)))
    return [(int(start), int(end - start)) for start, end in edges.reshape(-1, 2)]


def _record_length(data: bytes, position: int) -> int | None:
    """Return the length of the record that begins at a byte of the journal; None if none is complete."""
    if position + _RECORD.size > len(data):
        return None
    length: int = _RECORD.size + _RECORD.unpack_from(data, position)[2] + 4
    record = data[position : position + length]
    if len(record) < length or zlib.crc32(record[:-4]) != int.from_bytes(record[-4:], "little"):
        return None
    return length
