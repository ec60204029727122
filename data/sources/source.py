"""What every reader of a published format gives, and the words in which they say what is missing."""

from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import NamedTuple
from urllib.error import URLError

import numpy as np

from data.errors import MissingDependencyError, UnreadableFileError

NETWORK_ERRORS = (URLError, ConnectionError, TimeoutError)


class Part(NamedTuple):
    """The training or the test images of a data set, in the order of its files."""

    pixels: np.ndarray  # uint8 (N, H, W, 3)
    labels: np.ndarray  # int64 (N,)
    classes: tuple  # names; a label is a position in it


class Source(ABC):
    """The reader of one data set; `read` gives the training or the test images.

    `mirrors`: whether the mirror image of a picture is a picture of the same class.
    """

    mirrors = True

    @abstractmethod
    def read(self, train):
        """The training images if `train`, else the test images; a `Part`."""


@contextmanager
def accessing(path):
    """Turn what the system says against reading or writing in `path` into an UnreadableFileError."""
    try:
        yield
    except OSError as error:
        if error.strerror is None:  # one of ours, or a package's, not the system's
            raise
        raise UnreadableFileError(
            f"cannot read or write {error.filename or path}: {error.strerror}"
        ) from None


@contextmanager
def needing(package):
    """Turn the absence of a package into a MissingDependencyError that says how to install it."""
    try:
        yield
    except ImportError as error:
        raise MissingDependencyError(
            f"these images need {package}, which is not installed ({error}); pip install '.[oneshot]'"
        ) from error
