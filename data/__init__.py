"""Image data sets as arrays, published splits, augmentation, and seeded batches."""

from importlib import import_module
from pathlib import Path

# The stub next to this file lists the public names, as in `nasbench.faces`, which `data` cannot import.
_STUB = Path(__file__).with_suffix(".pyi").read_text()
_LINES = (line.split() for line in _STUB.splitlines() if line.startswith("from "))
_MODULES = {name: module for _, module, _, name, *_ in sorted(_LINES, key=lambda line: line[3])}
__all__ = list(_MODULES)


def __getattr__(name: str) -> object:
    """Import a public name on first use (PEP 562), so that reading images does not import torch."""
    if name not in _MODULES:
        raise AttributeError(f"data has no {name}; public names: {', '.join(_MODULES)}")
    return getattr(import_module(_MODULES[name]), name)
