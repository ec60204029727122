"""Safe unpickling of arrays: the few globals they need are replaced by stand-ins.

The counterpart of `nasbench.build.sources.safe_pickle`, which this package does not import.
"""

import io
import pickle
import reprlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from data.errors import DamagedFileError, UnsafePickleError, one_line


class _DType:
    """Stand-in for numpy.dtype: type and byte order of a plain number."""

    _CODES = frozenset({"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"})

    def __init__(self, code: object, align: object = False, copy: object = False) -> None:
        if type(code) is not str or code not in self._CODES:
            raise ValueError(f"the dtype {reprlib.repr(code)} is not a plain number")
        self._code = code
        self._order = "="

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "=", "|"):
            raise ValueError(f"the dtype state {reprlib.repr(state)} is not a plain number")
        self._order = state[1]

    def read(
        self, data: bytes | str, shape: tuple[int, ...], order: Literal["C", "F"]
    ) -> NDArray[Any]:  # any plain number
        """Return the array in `data`, which is text if Python 2 wrote it."""
        buffer = data.encode("latin-1") if isinstance(data, str) else data
        return np.frombuffer(buffer, np.dtype(self._order + self._code)).reshape(shape, order=order)


class _Array:
    """Stand-in for numpy.ndarray; `value` is the array after its state has been set."""

    value: NDArray[Any] | None = None  # any plain number

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: Any) -> None:  # any type; an invalid state raises
        _, shape, dtype, fortran, data = state
        self.value = dtype.read(data, shape, "F" if fortran else "C")


def _from_buffer(data: bytes, dtype: _DType, shape: tuple[int, ...], order: Literal["C", "F"]) -> _Array:
    """Stand in for numpy's _frombuffer, with which protocol 5 writes arrays."""
    array = _Array()
    array.value = dtype.read(data, shape, order)
    return array


def _scalar(dtype: _DType, data: bytes) -> float | bool:
    """Stand in for numpy's scalar: a plain Python number."""
    number: float | bool = dtype.read(data, (), "C").item()
    return number


def _encode(text: str, encoding: object) -> bytes:
    """Stand in for _codecs.encode, with which old protocols write bytes."""
    if encoding != "latin1":
        raise ValueError(f"bytes written as {reprlib.repr(encoding)}")
    return text.encode("latin-1")


_ALLOWED: dict[tuple[str, str], object] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    ("_codecs", "encode"): _encode,
}
for _core in ("numpy.core", "numpy._core"):  # before and since numpy 2
    _ALLOWED[f"{_core}.multiarray", "_reconstruct"] = _Array
    _ALLOWED[f"{_core}.multiarray", "scalar"] = _scalar
    _ALLOWED[f"{_core}.numeric", "_frombuffer"] = _from_buffer


def read(path: Path) -> dict[object, Any]:  # any type; callers check values
    """Return the dictionary in a pickle, with read-only numpy arrays.

    The digest of the file must be known: no pickle can run code this way, but a malicious one can exhaust
    memory or crash the interpreter.

    Raise UnsafePickleError if the pickle needs a global that arrays do not need, and DamagedFileError if it
    is damaged or does not hold a dictionary.
    """
    data = path.read_bytes()
    try:
        entry = _Unpickler(data, path).load()
    except UnsafePickleError:
        raise
    except Exception as error:  # damaged pickles can raise almost any exception
        raise DamagedFileError(
            f"{path} is truncated or damaged ({type(error).__name__}: {one_line(error)})"
        ) from error
    if not isinstance(entry, dict):
        raise DamagedFileError(f"{path} holds a {type(entry).__name__}, not the dictionary of a batch")
    return {key: item.value if isinstance(item, _Array) else item for key, item in entry.items()}


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, path: Path) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self._path = path

    def find_class(self, module: object, name: object) -> object:
        """Return the stand-in for a global."""
        if type(module) is str and type(name) is str and (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        raise UnsafePickleError(
            f"{self._path} needs the global {one_line(f'{module}.{name}')}; refused because it could run code"
        )
