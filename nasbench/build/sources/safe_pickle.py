"""Safe unpickling: the few globals that formats need are replaced by stand-ins.

`data.sources.safe_pickle` is the counterpart for pickled images, because `data` does not import this package.
"""

import io
import pickle
from collections.abc import Callable, Collection, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import SourceError, UnsafePickleError, one_line, shown

_LARGEST_KEY = 1 << 31  # smaller integers have distinct hashes
_LONGEST_KEY = 1 << 17  # characters or bytes of a key
_MOST_PARTS = 8  # parts of a tuple that is a key
_KEYS = {float, bool, type(None)}  # types of keys that are always fast
_MOST_NUMBERS = 1 << 16  # numbers per array


Allowed = Mapping[tuple[str, str], Callable[..., object]]  # {(module, name): stand-in for the global}


class _DType:
    """Stand-in for numpy.dtype: type and byte order of a plain number."""

    _CODES = frozenset({"f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"})

    def __init__(self, code: object, align: object = False, copy: object = False) -> None:
        if type(code) is not str or code not in self._CODES:
            raise ValueError(f"the dtype {shown(code)} is not a plain number")
        self.code = code
        self.order = "="

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "=", "|"):
            raise ValueError(f"the dtype state {shown(state)} is not a plain number")
        self.order = state[1]

    def read(self, data: bytes) -> NDArray[Any]:  # any plain number
        """Return the numbers in `data`, (n,)."""
        return np.frombuffer(data, np.dtype(self.order + self.code))


def _scalar(dtype: _DType, data: bytes) -> float | bool:
    """Stand in for numpy's scalar: a plain Python number."""
    number: float | bool
    (number,) = dtype.read(data).tolist()
    return number


def _encode(text: str, encoding: object) -> bytes:
    """Stand in for _codecs.encode, with which old protocols write bytes."""
    if encoding != "latin1":
        raise ValueError(f"bytes written as {shown(encoding)}")
    return text.encode("latin-1")


def _dictionary(pairs: object = ()) -> dict[Any, Any]:
    """Stand in for OrderedDict, because dictionaries keep their order."""
    listed = _listed(pairs)
    check_keys([key for key, _ in listed])
    return dict(listed)


def _set(items: object = ()) -> set[Any]:
    """Stand in for set."""
    listed = _listed(items)
    check_keys(listed)
    return set(listed)


def _listed(values: object) -> list[Any]:
    """Return the values of a container; raise ValueError unless they are a list, as in pickles, or ()."""
    if values == ():
        return []
    if type(values) is not list:
        raise ValueError(f"a container must be made of a list, got {shown(values)}")
    return values


class Skipped:
    """Stand-in for a network's weights, which are not unpickled."""

    _one: Self | None = None

    def __new__(cls, *_: object) -> Self:
        if cls._one is None:
            cls._one = super().__new__(cls)
        return cls._one

    def __setstate__(self, _: object) -> None:
        pass


class Array:
    """Stand-in for a numpy array with one axis."""

    def __init__(self, *_: object) -> None:
        self._values: NDArray[Any] = np.empty(0)

    def __setstate__(self, state: Any) -> None:  # any type; a state of another form raises
        _, shape, dtype, _, data = state
        values = dtype.read(data)
        if len(values) > _MOST_NUMBERS:
            raise ValueError(f"an array can have at most {_MOST_NUMBERS:,} numbers, got {len(values):,}")
        if shape != values.shape:
            raise ValueError(f"expected an array of shape {values.shape}, got {shown(shape)}")
        self._values = values

    @property
    def numbers(self) -> list[float]:
        """Numbers as a list, created on use because it needs more memory."""
        numbers: list[float] = self._values.tolist()
        return numbers


SHARED = (_DType, Skipped)  # small objects that items of a pickle share
STATEFUL = (_DType, Skipped, Array)  # objects with a state

NUMBERS: dict[tuple[str, str], Callable[..., object]] = {
    ("collections", "OrderedDict"): _dictionary,
    ("builtins", "set"): _set,
    ("__builtin__", "set"): _set,
    ("_codecs", "encode"): _encode,
    ("numpy", "dtype"): _DType,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
}
ARRAYS: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy.core.multiarray", "_reconstruct"): Array,
    ("numpy._core.multiarray", "_reconstruct"): Array,
    ("numpy", "ndarray"): Array,
}
WEIGHTS = NUMBERS | {
    (module, name): Skipped
    for module, names in {
        "torch._utils": ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter"),
        "torch.storage": ("_load_from_bytes", "TypedStorage", "UntypedStorage"),
        "torch": ("Size", "device", "FloatStorage", "DoubleStorage", "HalfStorage", "LongStorage"),
        "torch.serialization": ("_get_layout",),
    }.items()
    for name in names
}


def loads(data: bytes, name: object, allowed: Allowed | None = None) -> Any:  # any type
    """Return the object in a pickle whose digest is known.

    No pickle can run code this way, but a malicious one can exhaust memory or crash the interpreter. Use
    `pickle_stream` for files with an unknown digest.

    Parameters
    ----------
    data
        The pickle.
    name
        Name of the file in errors.
    allowed
        Stand-ins for the globals that the format needs.

    Raises
    ------
    UnsafePickleError
        If the pickle needs any other global.
    SourceError
        If the pickle is damaged.
    """
    try:
        return _Unpickler(io.BytesIO(data), name, allowed or {}).load()
    except UnsafePickleError:
        raise
    except Exception as error:  # damaged pickles can raise almost any exception
        raise SourceError(
            f"{name} is truncated or damaged ({type(error).__name__}: {one_line(error)})"
        ) from error


def find_global(module: object, name: object, file: object, allowed: Allowed) -> Callable[..., object]:
    """Return the stand-in for a global; raise UnsafePickleError if it is not allowed."""
    if type(module) is str and type(name) is str and (module, name) in allowed:
        return allowed[module, name]
    wanted = one_line(f"{module}.{name}") if type(module) is str and type(name) is str else shown(name)
    raise UnsafePickleError(f"{file} needs the global {wanted[:100]}; refused because it could run code")


def check_keys(keys: Collection[Any]) -> int:  # any type
    """Return the estimated size in bytes of keys of a dictionary or items of a set.

    Raise ValueError unless they are fast to hash and compare.
    """
    types = set(map(type, keys))
    if types == {str}:
        length = sum(map(len, keys))
        if length <= _LONGEST_KEY or max(map(len, keys)) <= _LONGEST_KEY:
            return length
    elif types == {int}:
        if max(map(abs, keys)) < _LARGEST_KEY:
            return 0
    elif all(map(_is_quick, keys)):
        return sum(len(key) for key in keys if type(key) in (str, bytes))
    raise ValueError(f"a key must be a short plain value, got one of {shown(keys)}")


def _is_quick(key: object, within: bool = False) -> bool:
    if type(key) is tuple:
        return not within and len(key) <= _MOST_PARTS and all(_is_quick(part, True) for part in key)
    if type(key) is int:
        return abs(key) < _LARGEST_KEY
    if type(key) is str or type(key) is bytes:
        return len(key) <= _LONGEST_KEY
    return type(key) in _KEYS


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, name: object, allowed: Allowed) -> None:
        super().__init__(file)
        self._name = name
        self._allowed = allowed

    def find_class(self, module: object, name: object) -> Callable[..., object]:
        """Return the stand-in for a global."""
        return find_global(module, name, self._name, self._allowed)
