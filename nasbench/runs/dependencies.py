"""Optional packages."""

from collections.abc import Iterator
from contextlib import contextmanager

from nasbench.errors import MissingDependencyError


@contextmanager
def required(package: str, purpose: str, extra: str) -> Iterator[None]:
    """Raise MissingDependencyError, with the pip command, if an import in the block fails.

    Parameters
    ----------
    package
        Name of the package.
    purpose
        Feature that needs the package, as the subject of the message.
    extra
        Extra of nas-toolkit that installs the package.
    """
    try:
        yield
    except ImportError:
        raise MissingDependencyError(
            f"{purpose} needs {package}: pip install {package}, or 'nas-toolkit[{extra}]'"
        ) from None
