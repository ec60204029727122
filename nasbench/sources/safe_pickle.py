"""Pickles read without running them: no global beyond those that a format needs."""

import io
import pickle

from nasbench.errors import SourceError, UnsafePickleError


def loads(data, name, allowed=frozenset()):
    """The object in the pickle `data`; `name` is the file's, for errors.

    `allowed`: {(module, global)} that the format needs. Raises UnsafePickleError with the name of any other
    global that the pickle asks for, and SourceError where the pickle is damaged. No pickle can run code this
    way; one made for it can still exhaust memory or the stack.
    """
    try:
        return _Unpickler(data, name, allowed).load()
    except UnsafePickleError:
        raise
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise SourceError(f"{name} is truncated or damaged ({type(error).__name__}: {error})") from error


class _Unpickler(pickle.Unpickler):
    def __init__(self, data, name, allowed):
        super().__init__(io.BytesIO(data))
        self._name = name
        self._allowed = allowed

    def find_class(self, module, name):
        if (module, name) not in self._allowed:
            raise UnsafePickleError(
                f"{self._name} asks for the global {module}.{name}; refused, as it could run code"
            )
        return super().find_class(module, name)
