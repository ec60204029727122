"""Public names of a package that are imported when they are first used, so that a command starts fast."""

from collections.abc import Callable, Mapping
from importlib import import_module


def lazy(names: Mapping[str, str]) -> Callable[[str], object]:
    """Return a package's `__getattr__`; `names`: the module of each public name."""

    def get(name: str) -> object:
        if name not in names:
            raise AttributeError(f"there is no {name}; public names: {', '.join(names)}")
        return getattr(import_module(names[name]), name)

    return get
