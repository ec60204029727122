"""Images in, batches out: data sets as arrays, published splits, augmentation, seeded batches."""

from importlib import import_module
from pathlib import Path

# The stub beside this file lists the public names, as for `nasbench.faces`, which this package cannot import.
_STUB = Path(__file__).with_suffix(".pyi").read_text()
_LINES = (line.split() for line in _STUB.splitlines() if line.startswith("from "))
_MODULES = {name: module for _, module, _, name, *_ in sorted(_LINES, key=lambda line: line[3])}
__all__ = list(_MODULES)


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that reading images loads no torch (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"data has no {name}; public names: {', '.join(_MODULES)}")
    return getattr(import_module(_MODULES[name]), name)
