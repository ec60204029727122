"""Packages that only some steps need."""

from contextlib import contextmanager

from blackbox.errors import MissingDependencyError


@contextmanager
def required(package, what, extra):
    """Imports in this block must not fail: MissingDependencyError names what mends it.

    `what` needs the `package`, which the `extra` of this one's installation brings.
    """
    try:
        yield
    except ImportError:
        raise MissingDependencyError(
            f"{what} needs {package}: pip install {package}, or 'nas-toolkit[{extra}]'"
        ) from None
