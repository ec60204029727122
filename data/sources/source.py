"""Interface of the readers of data sets, and their common errors."""

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
    """The training or test images of a data set, in the order of its files."""

    #: images, uint8, shape ``(N, H, W, 3)``
    pixels: Pixels
    #: class numbers, positions in `classes`, int64, shape ``(N,)``
    labels: Labels
    #: names of the classes
    classes: tuple[str, ...]


class Source(ABC):
    """Base class of the readers of data sets."""

    #: whether a flipped image still belongs to its class
    mirrors: ClassVar[bool] = True

    @abstractmethod
    def read(self, train: bool) -> Part:
        """Read the training images if `train`, else the test images."""


@contextmanager
def accessing(path: Path) -> Iterator[None]:
    """Convert errors of the operating system in the block, which accesses `path`, to UnreadableFileError."""
    try:
        yield
    except OSError as error:
        if error.strerror is None:  # not raised by the operating system
            raise
        raise UnreadableFileError(
            f"cannot read or write {error.filename or path}: {error.strerror}"
        ) from None


def check_md5(path: Path, md5: str, advice: str, size: str = "") -> None:
    """Raise DamagedFileError unless a file has the published md5; `size` is text about its published size."""
    with open(path, "rb") as file:
        actual = hashlib.file_digest(file, "md5").hexdigest()
    if actual != md5:
        raise DamagedFileError(
            f"{path} is damaged: its md5 is {actual}, but {md5} is published (it has "
            f"{path.stat().st_size:,} bytes{size}); {advice}"
        )


@contextmanager
def needing(package: str) -> Iterator[None]:
    """Raise MissingDependencyError, with the pip command, if an import of `package` in the block fails."""
    try:
        yield
    except ImportError as error:
        raise MissingDependencyError(
            f"these images need {package}, which is not installed ({error}); pip install '.[oneshot]'"
        ) from error
