"""Images in, batches out: data sets as arrays, published splits, augmentation, seeded batches."""

import re
from importlib import import_module
from pathlib import Path

# as in nasbench.faces, which this package does not import
_STUB = Path(__file__).with_suffix(".pyi").read_text()
_MODULES = {name: module for module, name in re.findall(r"^from (\S+) import (\w+)", _STUB, re.MULTILINE)}
__all__ = sorted(_MODULES)


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that reading images loads no torch (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"data has no {name}; public names: {', '.join(__all__)}")
    return getattr(import_module(_MODULES[name]), name)
