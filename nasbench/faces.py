"""Public names of a package that are imported when they are first used, so that a command starts fast."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path


def lazy(init: str) -> tuple[list[str], Callable[[str], object]]:
    """Return the `__all__` and the `__getattr__` of the package whose `__file__` is given.

    The stub beside it, `__init__.pyi`, lists the public names for type checkers and for this function, one
    per line: `from MODULE import NAME as NAME`.
    """
    stub = Path(init).with_suffix(".pyi").read_text()
    lines = (line.split() for line in stub.splitlines() if line.startswith("from "))
    modules = {name: module for _, module, _, name, *_ in sorted(lines, key=lambda line: line[3])}

    def get(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"there is no {name}; public names: {', '.join(modules)}")
        return getattr(import_module(modules[name]), name)

    return list(modules), get
