"""Pickles read without running them: the few globals that formats need, and our own stand-ins for them.

`data.sources.safe_pickle` is the twin for pickled arrays of images; `data` does not import this package.
"""

import io
import pickle

import numpy as np

from nasbench.errors import SourceError, UnsafePickleError, said, shown

_LARGEST_KEY = 1 << 31  # numbers below it do not share their hashes
_LONGEST_KEY = 1 << 17  # characters or bytes of a key
_MOST_PARTS = 8  # of a key that is a tuple
_KEYS = {str, bytes, int, float, bool, type(None)}
_MOST_NUMBERS = 1 << 16  # of an array


class _DType:
    """What stands for numpy.dtype: a plain number's type and byte order."""

    _CODES = frozenset({"f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"})

    def __init__(self, code, align=False, copy=False):
        if type(code) is not str or code not in self._CODES:
            raise ValueError(f"the dtype {shown(code)} is not that of a plain number")
        self.code = code
        self.order = "="

    def __setstate__(self, state):
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "=", "|"):
            raise ValueError(f"the state {shown(state)} is not that of a plain number's dtype")
        self.order = state[1]


def _scalar(dtype, data):
    """What stands for numpy's scalar: a plain Python number."""
    (number,) = np.frombuffer(data, np.dtype(dtype.order + dtype.code))
    return number.item()


def _encode(text, encoding):
    """What stands for _codecs.encode, by which old protocols write bytes."""
    if encoding != "latin1":
        raise ValueError(f"bytes written as {shown(encoding)}")
    return text.encode("latin-1")


def _dictionary(pairs=()):
    """What stands for OrderedDict, as dictionaries keep their order."""
    check_keys([key for key, _ in _listed(pairs)])
    return dict(pairs)


def _set(items=()):
    """What stands for set."""
    check_keys(_listed(items))
    return set(items)


def _listed(values):
    """Values that a container is made of, once they are a list, as picklers have it, or left out."""
    if type(values) is not list and values != ():
        raise ValueError(f"a container must be made of a list, got {shown(values)}")
    return values


class Skipped:
    """What stands for a network's weights: nothing is built of them."""

    _one = None

    def __new__(cls, *_):
        if cls._one is None:
            cls._one = super().__new__(cls)
        return cls._one

    def __setstate__(self, _):
        pass


class Array:
    """What stands for a numpy array of one axis."""

    def __init__(self, *_):
        self._values = np.empty(0)

    def __setstate__(self, state):
        _, shape, dtype, _, data = state
        values = np.frombuffer(data, np.dtype(dtype.order + dtype.code))
        if len(values) > _MOST_NUMBERS:
            raise ValueError(f"an array can have {_MOST_NUMBERS:,} numbers, got {len(values):,}")
        if shape != values.shape:
            raise ValueError(f"an array of shape {shown(shape)} where one of {values.shape} is expected")
        self._values = values

    @property
    def numbers(self):
        """Its numbers, a list; made when they are asked for, as they take more memory."""
        return self._values.tolist()


SHARED = (_DType, Skipped)  # what items of a pickle share, and is small
STATEFUL = (*SHARED, Array)  # what a pickle may give a state

# {(module, name): what stands for it}
NUMBERS = {
    ("collections", "OrderedDict"): _dictionary,
    ("builtins", "set"): _set,
    ("__builtin__", "set"): _set,
    ("_codecs", "encode"): _encode,
    ("numpy", "dtype"): _DType,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
}
ARRAYS = {
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


def loads(data, name, allowed=None):
    """Return the object in the pickle `data`, whose digest is that of a known file; `name` is for errors.

    `allowed`: {(module, global): what stands for it} of all that the format needs. Raises UnsafePickleError
    with the name of any other global that the pickle asks for, and SourceError where the pickle is damaged.
    No pickle can run code this way, but one made for it can exhaust memory or crash the interpreter: all that
    is not known byte by byte is read by `pickle_stream`.
    """
    try:
        return _Unpickler(io.BytesIO(data), name, allowed or {}).load()
    except UnsafePickleError:
        raise
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise SourceError(
            f"{name} is truncated or damaged ({type(error).__name__}: {said(error)})"
        ) from error


def found(module, name, file, allowed):
    """Return what stands for a global; UnsafePickleError if the format does not need it."""
    if type(module) is str and type(name) is str and (module, name) in allowed:
        return allowed[module, name]
    wanted = said(f"{module}.{name}") if type(module) is str and type(name) is str else shown(name)
    raise UnsafePickleError(f"{file} asks for the global {wanted[:100]}; refused, as it could run code")


def check_keys(keys):
    """Raise ValueError unless keys of a dictionary, or items of a set, are quick to hash and to compare.

    Returns their estimated cost, in bytes.
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


def _is_quick(key, within=False):
    if type(key) is tuple:
        return not within and len(key) <= _MOST_PARTS and all(_is_quick(part, True) for part in key)
    if type(key) is int:
        return abs(key) < _LARGEST_KEY
    return type(key) in _KEYS and (type(key) not in (str, bytes) or len(key) <= _LONGEST_KEY)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file, name, allowed):
        super().__init__(file)
        self._name = name
        self._allowed = allowed

    def find_class(self, module, name):
        return found(module, name, self._name, self._allowed)
