"""Supernets that search by gradient: a graph language for spaces, its compiler, DARTS, GDAS and more."""

from importlib.util import find_spec
from os.path import dirname

# A package of the same name in the folder where a command runs, which is first on the path, would hide ours.
# The same check is in blackbox/__init__.py, because code that both could share may itself be hidden.
# With this `name`, `python -m` reports the error in one line.
for _name in ("nasbench", "data"):
    _spec = find_spec(_name)
    _origin = _spec.origin if _spec is not None else None
    if _origin is None or dirname(dirname(_origin)) != dirname(dirname(__file__)):
        raise ImportError(
            f"{_origin or 'nothing'} is imported as the package {_name}, instead of nas-toolkit's own;"
            " rename it, or run the command in another folder",
            name=__name__,
        )

from nasbench.faces import lazy  # noqa: E402, only after the check

__all__, __getattr__ = lazy(__file__)
