"""Deep copies of graphs with thousands of modules, several times as fast as `copy.deepcopy`."""

from copy import deepcopy
from functools import lru_cache
from typing import Any, TypeVar

from torch import nn

M = TypeVar("M", bound=nn.Module)

_PLAIN = (bool, int, float, str, type(None))


def copied(module: M, memo: dict[int, Any]) -> M:  # deepcopy's
    """Return a deep copy of a module, equal to the result of `copy.deepcopy`; `memo` has the same meaning.

    It is faster because it does not copy the dozen dictionaries of hooks of each module if they are empty.
    """
    plain_modules = [
        part
        for part in module.modules()
        if id(part) not in memo and _has_plain_state(type(part))  # type: ignore[arg-type]  # classes are hashable
    ]
    for part in plain_modules:
        memo[id(part)] = type(part).__new__(type(part))
    for part in plain_modules:
        state = memo[id(part)].__dict__  # bypasses nn.Module.__setattr__
        for name, value in part.__getstate__().items():  # type: ignore[no-untyped-call]  # torch's
            state[name] = _value(value, memo)
    return deepcopy(module, memo)


def _value(value: Any, memo: dict[int, Any]) -> Any:  # an attribute
    if isinstance(value, (dict, set)) and not value:
        return type(value)()
    if isinstance(value, _PLAIN) or (type(value) is tuple and all(isinstance(v, _PLAIN) for v in value)):
        return value
    return deepcopy(value, memo)


@lru_cache(maxsize=1024)
def _has_plain_state(kind: type[nn.Module]) -> bool:
    """Return whether modules of a class can be copied attribute by attribute."""
    defined = {name: base for base in reversed(kind.__mro__) for name in base.__dict__}
    if "__deepcopy__" in defined or {defined["__reduce_ex__"], defined["__reduce__"]} != {object}:
        return False
    return defined["__setstate__"].__module__.startswith("torch.nn.")  # torch's convert older files
