"""What every reader of a published format gives, and the words in which they say what is missing."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, NamedTuple
from urllib.error import URLError

from data.arrays import Labels, Pixels
from data.errors import DamagedFileError, MissingDependencyError, UnreadableFileError

NETWORK_ERRORS = (URLError, ConnectionError, TimeoutError)


class Part(NamedTuple):
    """The training or the test images of a data set, in the order of its files."""

    #: The images, uint8 ``(N, H, W, 3)``.
    pixels: Pixels
    #: The positions of their classes in `classes`, int64 ``(N,)``.
    labels: Labels
    #: The names of the classes.
    classes: tuple[str, ...]


class Source(ABC):
    """The reader of one data set."""

    #: Whether a flipped image still belongs to its class.
    mirrors: ClassVar[bool] = True

    @abstractmethod
    def read(self, train: bool) -> Part:
        """Return the training images if `train`, else the test images."""


@contextmanager
def accessing(path: Path) -> Iterator[None]:
    """Turn what the system says against reading or writing in `path` into an UnreadableFileError."""
    try:
        yield
    except OSError as error:
        if error.strerror is None:  # one of ours, or a package's, not the system's
            raise
        raise UnreadableFileError(
            f"cannot read or write {error.filename or path}: {error.strerror}"
        ) from None


def check_md5(path: Path, md5: str, advice: str, size: str = "") -> None:
    """Raise a DamagedFileError unless a file has the published md5; `size`: the published one."""
    with open(path, "rb") as file:
        actual = hashlib.file_digest(file, "md5").hexdigest()
    if actual != md5:
        raise DamagedFileError(
            f"{path} is damaged: its md5 is {actual} where {md5} is published (it is of "
            f"{path.stat().st_size:,} bytes{size}); {advice}"
        )


@contextmanager
def needing(package: str) -> Iterator[None]:
    """Turn the absence of a package into a MissingDependencyError that says how to install it."""
    try:
        yield
    except ImportError as error:
        raise MissingDependencyError(
            f"these images need {package}, which is not installed ({error}); pip install '.[oneshot]'"
        ) from error
