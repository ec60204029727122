"""A store under construction: rows go straight to their places in its file; a journal says which."""

import errno
import json
import os
import sys
import zlib
from contextlib import ExitStack, suppress
from pathlib import Path
from struct import Struct
from typing import NamedTuple

import h5py
import numpy as np

from nasbench.errors import StoreError
from nasbench.runs.files import leads_to, lock, make_folder_of
from nasbench.store import Store, allocate, bytes_of, digest, read_chunks, seal, write_at, writing


class Batch(NamedTuple):
    """The rows of some cells whose codes follow one another."""

    start: int  # code of the first cell
    rows: dict  # {name in the store: float64 (n, ...)}, the same n for all
    digest: bytes = b""  # sha256 of what it was read from; empty where the source is hashed as a whole

    @property
    def cells(self):
        return len(next(iter(self.rows.values())))


_RECORD = Struct("<III32s")  # of a batch: first code, cells, length of the checksums that follow, digest
_READ = 4 << 20  # bytes read at once


def locked(path, out):
    """The file at a path, made if need be, open for this process alone; StoreError if another has it.

    `out`: the store that it is for.
    """
    while True:
        file = open(path, "a+b", buffering=0)  # noqa: SIM115 - returned
        try:
            lock(file)
        except BlockingIOError:
            file.close()
            raise StoreError(f"another process is building {out}") from None
        if leads_to(path, file):
            return file
        file.close()  # another process has finished meanwhile, and removed it


class Places:
    """Where the rows of a store under construction go; what a process needs to write some."""

    def __init__(self, path, rows, places):
        """`rows`: {name: shape of a row}; `places`: {name: byte at which the array begins}."""
        self.path = str(path)
        self.names = sorted(rows)
        self.sizes = [8 * int(np.prod(rows[name], dtype=np.int64)) for name in self.names]
        self.places = [places[name] for name in self.names]
        self._file = None  # opened when it is first written to

    def __getstate__(self):
        return self.__dict__ | {"_file": None}

    def close(self):
        """Close the file; `write` opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def write(self, batch):
        """Write a Batch of rows; returns the journal's record of it."""
        if self._file is None:
            self._file = open(self.path, "r+b", buffering=0)  # noqa: SIM115 - `close` closes it
        checksums = []
        for name, size, place in zip(self.names, self.sizes, self.places, strict=True):
            rows = np.ascontiguousarray(batch.rows[name], dtype=np.float64)
            data = memoryview(rows).cast("B")
            if data.nbytes != size * batch.cells:
                raise ValueError(f"{name} has rows of {rows.shape[1:]}, which the layout does not foresee")
            write_at(self._file.fileno(), data, place + batch.start * size)
            checksums.append(zlib.crc32(data))
        checksums = np.array(checksums, dtype="<u4").tobytes()
        record = _RECORD.pack(batch.start, batch.cells, len(checksums), batch.digest) + checksums
        return record + zlib.crc32(record).to_bytes(4, "little")


class Writer:
    """A store that is built row by row, in a file beside it with a journal, put in place when it is whole.

    `out`: the store. `layout`: {name: shape of a row} of float64 arrays with a row a cell. `constants`:
    {name: array} that are known from the start. `identity`: plain values that say what it is built from.

    With `resume`, a construction of the same identity goes on; without, one that was left behind is begun
    anew. One process at a time: StoreError if another has it.
    """

    def __init__(self, out, cells, layout, constants, identity, resume=False):
        self.out = Path(out)
        self.part = self.out.with_name(self.out.name + ".part")
        self._journal_path = self.out.with_name(self.out.name + ".part.journal")
        self._cells = cells
        self._constants = constants
        self._shapes = {name: (np.dtype(np.float64), (cells, *shape)) for name, shape in layout.items()}
        self._shapes |= {name: (array.dtype, array.shape) for name, array in constants.items()}
        self._layout = layout
        self._header = json.dumps(
            {"identity": identity, "layout": {k: [str(d), *s] for k, (d, s) in sorted(self._shapes.items())}}
        )
        self._records = {}  # first code -> (cells, digest, checksums)
        self.places = None
        self._closing = ExitStack()
        with writing(self.out):
            make_folder_of(self.out)
            self._journal = self._closing.enter_context(locked(self._journal_path, self.out))
            try:
                self.resumed = resume and self._go_on()
                if not self.resumed:
                    self._begin_or_leave_nothing()
            except BaseException:
                self.close()
                raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Leave the construction as it is; it can be resumed."""
        if self.places is not None:
            self.places.close()
        self._closing.close()

    def done(self):
        """Which cells are written, bool (cells,)."""
        done = np.zeros(self._cells, dtype=bool)
        for start, (cells, _, _) in self._records.items():
            done[start : start + cells] = True
        return done

    def log(self, record):
        """Note that a batch has been written: what `Places.write` returned."""
        with writing(self.out):
            self._append(record)
        self._add(record)

    def write(self, batch):
        """Write a Batch and note it."""
        with writing(self.out):
            record = self.places.write(batch)
        self.log(record)

    def finish(self, provenance, check=None):
        """Fill the rows of cells that were not read with NaN, compare all with the journal, put it in place.

        `provenance`: {name: text}, or a function that makes it of the batches' digests in order of codes.
        `check`: called with the Store before it is moved into place; if it raises, the build can be resumed.
        """
        for start, cells in _gaps(self.done()):
            while cells:
                n = min(cells, max(1, _READ // max(self.places.sizes)))
                rows = {name: np.full((n, *shape), np.nan) for name, shape in self._layout.items()}
                self.write(Batch(start, rows))
                start, cells = start + n, cells - n
        with writing(self.out):
            digests = self._digests()
            if callable(provenance):
                provenance = provenance([self._records[start][1] for start in sorted(self._records)])
            seal(self.part, provenance, digests)
            with open(self.part, "rb") as file:
                os.fsync(file.fileno())
            if check is not None:
                check(Store(self.part))
            os.replace(self.part, self.out)
            self._journal_path.unlink()

    def discard(self):
        """Remove the construction."""
        for path in (self.part, self._journal_path):
            with suppress(OSError):
                path.unlink()

    def _begin_or_leave_nothing(self):
        try:
            self._begin()
        except BaseException:
            self.discard()
            raise

    def _begin(self):
        self._journal.truncate(0)
        with suppress(FileNotFoundError):
            self.part.unlink()
        places = allocate(self.part, self._shapes)
        self.places = Places(self.part, self._layout, {name: places[name] for name in self._layout})
        with open(self.part, "r+b", buffering=0) as file:
            if sys.platform != "darwin":  # a full disk shows now, not after hours
                os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
            for name, array in self._constants.items():
                write_at(file.fileno(), bytes_of(np.ascontiguousarray(array)), places[name])
        header = {"header": self._header, "places": places, "crc": _crc_of(self._header, places)}
        self._append(json.dumps(header).encode() + b"\n")

    def _append(self, data):
        if self._journal.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _go_on(self):
        """Take up what another run left; False where there is nothing that can be used."""
        self._journal.seek(0)
        line = self._journal.readline()
        if not line.endswith(b"\n") or not self.part.exists():
            return False
        try:
            found = json.loads(line)
            header, places = found["header"], found["places"]
            whole = _crc_of(header, places) == found["crc"] and set(places) == set(self._shapes)
        except (ValueError, KeyError, TypeError, AttributeError):
            return False
        if not whole or not _opens(self.part):
            return False
        if header != self._header:
            raise StoreError(
                f"{self.part} was begun from another source, or the source has changed since;"
                " without --resume it is begun anew"
            )
        self.places = Places(self.part, self._layout, {name: places[name] for name in self._layout})
        end = self._journal.tell()
        data = self._journal.read()
        position = 0
        while (length := _whole_record(data, position)) is not None:
            self._add(data[position : position + length])
            position += length
        self._journal.truncate(end + position)
        self._journal.seek(0, os.SEEK_END)
        for start in self._damaged():
            del self._records[start]
        return True

    def _add(self, record):
        start, cells, length, digest = _RECORD.unpack_from(record)
        checksums = np.frombuffer(record, "<u4", length // 4, _RECORD.size)
        self._records[start] = (cells, digest, checksums)

    def _damaged(self):
        """The first codes of batches whose rows are not as they were written, as after a power failure."""
        damaged = set()
        with open(self.part, "rb", buffering=0) as file:
            for number, (size, place) in enumerate(zip(self.places.sizes, self.places.places, strict=True)):
                for _ in self._checked(file.fileno(), number, size, place, damaged):
                    pass
        return damaged

    def _digests(self):
        """The digest of each array, read back from the file and compared with the journal on the way."""
        from concurrent.futures import ThreadPoolExecutor

        damaged = set()
        numbers = {name: number for number, name in enumerate(self.places.names)}
        with open(self.part, "rb", buffering=0) as file, ThreadPoolExecutor(os.cpu_count()) as threads:
            descriptor = file.fileno()

            def of(name):
                dtype, shape = self._shapes[name]
                if name not in numbers:
                    return digest(dtype, shape, [bytes_of(np.ascontiguousarray(self._constants[name]))])
                size, place = self.places.sizes[numbers[name]], self.places.places[numbers[name]]
                return digest(dtype, shape, self._checked(descriptor, numbers[name], size, place, damaged))

            digests = dict(zip(self._shapes, threads.map(of, self._shapes), strict=True))
        if damaged:
            raise StoreError(
                f"{self.part} does not hold what was written to it, at {len(damaged):,} places;"
                " the disk may be failing"
            )
        return digests

    def _checked(self, descriptor, number, size, place, damaged):
        """Yield the bytes of an array in order; the first codes of batches that differ go to `damaged`."""
        group, end = [], 0
        for start in sorted(self._records):
            if group and (start != end or (end - group[0]) * size >= _READ):
                yield self._group(descriptor, number, size, place, group, damaged)
                group = []
            group.append(start)
            end = start + self._records[start][0]
        if group:
            yield self._group(descriptor, number, size, place, group, damaged)

    def _group(self, descriptor, number, size, place, group, damaged):
        first = group[0]
        end = group[-1] + self._records[group[-1]][0]
        data = memoryview(b"".join(read_chunks(descriptor, place + first * size, (end - first) * size)))
        for start in group:
            cells, _, checksums = self._records[start]
            if zlib.crc32(data[(start - first) * size : (start - first + cells) * size]) != checksums[number]:
                damaged.add(start)
        return data


def _crc_of(header, places):
    return zlib.crc32(json.dumps([header, places], sort_keys=True).encode())


def _opens(path):
    """Whether it is an HDF5 file that was closed properly; it is not after a kill at the very end."""
    try:
        with h5py.File(path, "r+", locking=False):
            return True
    except OSError:
        return False


def _gaps(done):
    """The runs of cells that are not done: (first, how many)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], done, [True]]).astype(np.int8)))
    return [(int(start), int(end - start)) for start, end in edges.reshape(-1, 2)]


def _whole_record(data, position):
    """The length of the record that begins at a byte of the journal; None where none is whole."""
    if position + _RECORD.size > len(data):
        return None
    length = _RECORD.size + _RECORD.unpack_from(data, position)[2] + 4
    record = data[position : position + length]
    if len(record) < length or zlib.crc32(record[:-4]) != int.from_bytes(record[-4:], "little"):
        return None
    return length
