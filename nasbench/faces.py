"""Public names of a package that are imported when they are first used, so that a command starts fast."""

from collections.abc import Callable, Mapping
from importlib import import_module


def public_names(file: str) -> dict[str, str]:
    """Return the module of each public name; `file`: the package's, whose imports for type checkers count."""
    import re  # imported here because lookups do not need it

    with open(file, encoding="utf-8") as source:
        return {
            name: module for module, name in re.findall(r"(?m)^    from (\S+) import (\w+) as", source.read())
        }


def lazy(names: Mapping[str, str]) -> Callable[[str], object]:
    """Return a package's `__getattr__`; `names`: the module of each public name."""

    def get(name: str) -> object:
        if name not in names:
            raise AttributeError(f"there is no {name}; public names: {', '.join(names)}")
        return getattr(import_module(names[name]), name)

    return get
