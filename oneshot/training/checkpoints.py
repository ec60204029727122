"""Files of tensors, which are read without executing code in them."""

import io
import math
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch

from nasbench.build.sources import pickle_stream
from nasbench.build.sources.safe_pickle import NUMBERS, Allowed, Skipped
from nasbench.errors import UnsafePickleError, one_line
from oneshot.errors import RunFolderError

CHECKPOINT = "checkpoint.pt"


def encode_tensors(state: Mapping[str, Any]) -> memoryview:  # tensors and plain values
    """Return `state` as the bytes of a file for `read_tensors`."""
    data = io.BytesIO()
    torch.save(state, data)
    return data.getbuffer()


def read_checkpoint(path: str | Path) -> dict[str, Any] | None:
    """Return the state in a run's checkpoint, as `read_tensors`; None without a checkpoint."""
    return read_tensors(Path(path) / CHECKPOINT)


def read_tensors(path: str | Path) -> dict[str, Any] | None:  # tensors and plain values
    """Return the contents of a file of tensors, on the CPU; None if the file does not exist.

    torch reads the file only after it has been checked.

    Raises
    ------
    RunFolderError
        If the file is truncated or modified, or contains anything that could execute code or need more
        memory than the file's size.
    """
    try:
        data = io.BytesIO(Path(path).read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunFolderError(f"cannot read {path}: {error.strerror}") from None
    damaged = RunFolderError(f"{path} is damaged: it was truncated or modified")
    try:
        with zipfile.ZipFile(data) as archive:
            _check(archive, len(data.getbuffer()))
        data.seek(0)
        with warnings.catch_warnings(action="ignore"):
            state = torch.load(data, map_location="cpu", weights_only=True)
    except UnsafePickleError:
        raise RunFolderError(
            f"{path} must contain only tensors and plain values, but has objects that could execute code"
        ) from None
    except Exception:  # zipfile and torch raise many exceptions for damaged archives
        raise damaged from None
    if not isinstance(state, dict):
        raise damaged
    return state


class _Storage(NamedTuple):
    """Placeholder for the memory of tensors."""

    length: int


_BYTES = {"Double": 8, "Float": 4, "Half": 2, "BFloat16": 2, "Long": 8, "Int": 4, "Short": 2, "Char": 1}
# Bytes per number of each type of storage
_STORAGES = {("torch", f"{name}Storage"): size for name, size in (_BYTES | {"Byte": 1, "Bool": 1}).items()}


def _check(archive: zipfile.ZipFile, size: int) -> None:
    """Raise an error unless torch can safely read an archive, a file of `size` bytes.

    torch does not compress: a compressed member, or one larger than the file, could exhaust the memory.
    """
    members = {member.filename: member for member in archive.infolist()}
    stored = sum(member.file_size for member in archive.infolist())
    if stored > size or len(members) < len(archive.infolist()):
        raise ValueError("members that share bytes or names")
    if any(member.compress_type != zipfile.ZIP_STORED for member in members.values()):
        raise ValueError("a compressed member")
    if archive.testzip() is not None:  # torch does not verify checksums
        raise ValueError("a damaged member")
    (name,) = [name for name in members if name.endswith("/data.pkl")]

    def storage(key: tuple[str, int, str, str, int]) -> _Storage:
        kind, itemsize, number, _, count = key
        member = members[f"{name.removesuffix('.pkl')}/{number}"]
        if kind != "storage" or member.file_size != count * itemsize:
            raise ValueError("a storage of another length")
        return _Storage(count)

    # Storage types are represented by their sizes, which are passed to `storage` and never called.
    globals_: dict[tuple[str, str], object] = {
        ("collections", "OrderedDict"): NUMBERS["collections", "OrderedDict"],
        ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        ("torch._utils", "_rebuild_parameter"): lambda *_: Skipped(),
    }
    with archive.open(name) as file:
        pickle_stream.load(file.read, name, cast(Allowed, globals_ | _STORAGES), storage)


def _tensor(
    storage: _Storage, offset: int, shape: Sequence[int], strides: Sequence[int], *_: object
) -> Skipped:
    """Return a placeholder for a tensor; raise a ValueError if it exceeds its storage."""
    count = math.prod(shape)
    last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if min((offset, *shape, *strides)) < 0 or count > storage.length or (count and last >= storage.length):
        raise ValueError("a tensor that exceeds its storage")
    return Skipped()


@contextmanager
def refusing(description: str) -> Iterator[None]:
    """Convert an error about the contents of a file into a RunFolderError that starts with a description."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise RunFolderError(f"{description}: {one_line(error)}") from None
