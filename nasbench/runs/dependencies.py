"""Packages that only some steps need."""

from collections.abc import Iterator
from contextlib import contextmanager

from nasbench.errors import MissingDependencyError


@contextmanager
def required(package: str, purpose: str, extra: str) -> Iterator[None]:
    """Raise a MissingDependencyError that says how to install a `package` if an import in the block fails.

    `purpose`: what needs it; `extra`: the extra of nas-toolkit that brings it.
    """
    try:
        yield
    except ImportError:
        raise MissingDependencyError(
            f"{purpose} needs {package}: pip install {package}, or 'nas-toolkit[{extra}]'"
        ) from None
