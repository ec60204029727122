"""Files of tensors: written in memory first, and read without running code in them."""

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


def encode_tensors(state: Mapping[str, Any]) -> memoryview:  # tensors, and plain values of any kind
    """Return the bytes of a file for `read_tensors`."""
    data = io.BytesIO()
    torch.save(state, data)
    return data.getbuffer()


def read_checkpoint(path: str | Path) -> dict[str, Any] | None:
    """Return the state in a run's checkpoint, as `read_tensors` does; None if there is none."""
    return read_tensors(Path(path) / CHECKPOINT)


def read_tensors(path: str | Path) -> dict[str, Any] | None:  # tensors, and plain values of any kind
    """Return the contents of a file of tensors, on the CPU; None if there is no such file.

    RunFolderError if the file is cut short, has a byte changed, or holds anything that could run code or
    take more memory than the file; torch reads it only once that is ruled out.
    """
    try:
        data = io.BytesIO(Path(path).read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunFolderError(f"cannot read {path}: {error.strerror}") from None
    damaged = RunFolderError(f"{path} is damaged: it is cut short, or not as it was written")
    try:
        with zipfile.ZipFile(data) as archive:
            _check(archive, len(data.getbuffer()))
        data.seek(0)
        with warnings.catch_warnings(action="ignore"):
            state = torch.load(data, map_location="cpu", weights_only=True)
    except UnsafePickleError:
        raise RunFolderError(
            f"{path} holds more than tensors and plain values, which could run code; it is refused"
        ) from None
    except Exception:  # zipfile and torch raise nearly anything at damaged archives
        raise damaged from None
    if not isinstance(state, dict):
        raise damaged
    return state


class _Storage(NamedTuple):
    """A stand-in for the numbers of tensors."""

    length: int


_BYTES = {"Double": 8, "Float": 4, "Half": 2, "BFloat16": 2, "Long": 8, "Int": 4, "Short": 2, "Char": 1}
# {(module, name): bytes of a number} of storages
_STORAGES = {("torch", f"{name}Storage"): size for name, size in (_BYTES | {"Byte": 1, "Bool": 1}).items()}


def _check(archive: zipfile.ZipFile, size: int) -> None:
    """Raise an error for an archive, of a file of `size` bytes, that torch must not read.

    torch only stores: a member that is compressed, or larger than the file, is there to fill the memory.
    """
    members = {member.filename: member for member in archive.infolist()}
    stored = sum(member.file_size for member in archive.infolist())
    if stored > size or len(members) < len(archive.infolist()):
        raise ValueError("members that share bytes or names")
    if any(member.compress_type != zipfile.ZIP_STORED for member in members.values()):
        raise ValueError("a member that is compressed")
    if archive.testzip() is not None:  # torch does not look at the checksums
        raise ValueError("a member that is damaged")
    (name,) = [name for name in members if name.endswith("/data.pkl")]

    def storage(key: tuple[str, int, str, str, int]) -> _Storage:
        kind, itemsize, number, _, count = key
        member = members[f"{name.removesuffix('.pkl')}/{number}"]
        if kind != "storage" or member.file_size != count * itemsize:
            raise ValueError("a storage of another length")
        return _Storage(count)

    # Storages are sizes, which are passed to `storage` and never called.
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
    """Return a stand-in for a tensor; ValueError if its storage does not hold it."""
    count = math.prod(shape)
    last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if min((offset, *shape, *strides)) < 0 or count > storage.length or (count and last >= storage.length):
        raise ValueError("a tensor that its storage does not hold")
    return Skipped()


@contextmanager
def refusing(description: str) -> Iterator[None]:
    """Turn an error about what a file holds into a RunFolderError: the description, then the error."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise RunFolderError(f"{description}: {one_line(error)}") from None
