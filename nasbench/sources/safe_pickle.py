"""Pickles read without running them: the few globals that formats need, and stand-ins of our own for them."""

import io
import pickle

import numpy as np

from nasbench.errors import SourceError, UnsafePickleError


class _DType:
    """What stands for numpy.dtype: a plain number's type and byte order."""

    _CODES = frozenset({"f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"})

    def __init__(self, code, align=False, copy=False):
        if code not in self._CODES:
            raise ValueError(f"the dtype {code!r} is not that of a plain number")
        self.code = code
        self.order = "="

    def __setstate__(self, state):
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "=", "|"):
            raise ValueError(f"the state {state!r} is not that of a plain number's dtype")
        self.order = state[1]


def _scalar(dtype, data):
    """What stands for numpy's scalar: a plain Python number."""
    (number,) = np.frombuffer(data, np.dtype(dtype.order + dtype.code))
    return number.item()


def _encode(text, encoding):
    """What stands for _codecs.encode, by which old protocols write bytes."""
    if encoding != "latin1":
        raise ValueError(f"bytes written as {encoding!r}")
    return text.encode("latin-1")


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
    """What stands for a numpy array of one axis: `numbers`, a list."""

    def __init__(self, *_):
        self.numbers = []

    def __setstate__(self, state):
        _, shape, dtype, _, data = state
        numbers = np.frombuffer(data, np.dtype(dtype.order + dtype.code))
        if shape != numbers.shape:
            raise ValueError(f"an array of shape {shape} where one of {numbers.shape} is expected")
        self.numbers = numbers.tolist()


STATEFUL = (_DType, Skipped, Array)  # what a pickle may give a state

# {(module, name): what stands for it}. Dictionaries keep their order, so OrderedDict is one.
NUMBERS = {
    ("collections", "OrderedDict"): dict,
    ("builtins", "set"): set,
    ("__builtin__", "set"): set,
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
    """The object in the pickle `data`; `name` is the file's, for errors.

    `allowed`: {(module, global): what stands for it} of all that the format needs. Raises UnsafePickleError
    with the name of any other global that the pickle asks for, and SourceError where the pickle is damaged.
    No pickle can run code this way; one made for it can still exhaust memory, so what is not known to be
    whole is read where memory is limited, or by `pickle_stream`.
    """
    try:
        return _Unpickler(io.BytesIO(data), name, allowed or {}).load()
    except UnsafePickleError:
        raise
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise SourceError(f"{name} is truncated or damaged ({type(error).__name__}: {error})") from error


def found(module, name, file, allowed):
    """What stands for a global; UnsafePickleError if the format does not need it."""
    try:
        return allowed[module, name]
    except KeyError:
        raise UnsafePickleError(
            f"{file} asks for the global {module}.{name}; refused, as it could run code"
        ) from None


class _Unpickler(pickle.Unpickler):
    def __init__(self, file, name, allowed):
        super().__init__(file)
        self._name = name
        self._allowed = allowed

    def find_class(self, module, name):
        return found(module, name, self._name, self._allowed)
