"""Pickled arrays read without running the pickle: our own stand-ins for the few globals they need.

The twin of `nasbench.build.sources.safe_pickle`, which this package does not import.
"""

import io
import pickle
import reprlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from data.errors import DamagedFileError, UnsafePickleError, said


class _DType:
    """The stand-in for numpy.dtype: a plain number's type and byte order."""

    _CODES = frozenset({"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"})

    def __init__(self, code: object, align: object = False, copy: object = False) -> None:
        if type(code) is not str or code not in self._CODES:
            raise ValueError(f"the dtype {reprlib.repr(code)} is not that of a plain number")
        self._code = code
        self._order = "="

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "=", "|"):
            raise ValueError(f"the state {reprlib.repr(state)} is not that of a plain number's dtype")
        self._order = state[1]

    def read(
        self, data: bytes | str, shape: tuple[int, ...], order: Literal["C", "F"]
    ) -> NDArray[Any]:  # of any plain number
        """Return the array in `data`, which is text if Python 2 wrote it."""
        buffer = data.encode("latin-1") if isinstance(data, str) else data
        return np.frombuffer(buffer, np.dtype(self._order + self._code)).reshape(shape, order=order)


class _Array:
    """The stand-in for numpy.ndarray: `value` is the array once its state is set."""

    value: NDArray[Any] | None = None  # of any plain number

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: Any) -> None:  # anything; what is no state raises, and is then damaged
        _, shape, dtype, fortran, data = state
        self.value = dtype.read(data, shape, "F" if fortran else "C")


def _from_buffer(data: bytes, dtype: _DType, shape: tuple[int, ...], order: Literal["C", "F"]) -> _Array:
    """Stand in for numpy's _frombuffer, by which protocol 5 writes arrays."""
    array = _Array()
    array.value = dtype.read(data, shape, order)
    return array


def _scalar(dtype: _DType, data: bytes) -> float | bool:
    """Stand in for numpy's scalar: a plain Python number."""
    number: float | bool = dtype.read(data, (), "C").item()
    return number


def _encode(text: str, encoding: object) -> bytes:
    """Stand in for _codecs.encode, by which old protocols write bytes."""
    if encoding != "latin1":
        raise ValueError(f"bytes written as {reprlib.repr(encoding)}")
    return text.encode("latin-1")


_ALLOWED: dict[tuple[str, str], object] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    ("_codecs", "encode"): _encode,
}
for _core in ("numpy.core", "numpy._core"):  # its name before and since numpy 2
    _ALLOWED[f"{_core}.multiarray", "_reconstruct"] = _Array
    _ALLOWED[f"{_core}.multiarray", "scalar"] = _scalar
    _ALLOWED[f"{_core}.numeric", "_frombuffer"] = _from_buffer


def read(path: Path) -> dict[object, Any]:  # values of any kind; the callers check them
    """Return the dictionary pickled in a file, its arrays as numpy arrays that cannot be written to.

    The file's digest must be known: no pickle can run code this way, but one made for it can exhaust memory
    or crash the interpreter.

    Raises UnsafePickleError with the name of any global that arrays do not need, and DamagedFileError if the
    pickle is cut short or damaged, or holds no dictionary.
    """
    data = path.read_bytes()
    try:
        entry = _Unpickler(data, path).load()
    except UnsafePickleError:
        raise
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise DamagedFileError(
            f"{path} is cut short or damaged ({type(error).__name__}: {said(error)})"
        ) from error
    if not isinstance(entry, dict):
        raise DamagedFileError(f"{path} holds a {type(entry).__name__}, not the dictionary of a batch")
    return {key: item.value if isinstance(item, _Array) else item for key, item in entry.items()}


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, path: Path) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self._path = path

    def find_class(self, module: object, name: object) -> object:
        if type(module) is str and type(name) is str and (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        raise UnsafePickleError(
            f"{self._path} asks for the global {said(f'{module}.{name}')}; refused, as it could run code"
        )
