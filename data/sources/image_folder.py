"""Trees of image files with one folder per class: `train/<class>/*` and `test/<class>/*`."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from data.arrays import Pixels
from data.errors import DamagedFileError, MissingFileError, one_line
from data.sources.source import Part, Source, accessing, needing

if TYPE_CHECKING:
    from PIL.Image import Image

T = TypeVar("T")

_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})  # 8 bits per channel


class ImageFolder(Source):
    """Reader of a tree of images of the same size, in any format that PIL can read.

    Classes are the folders in `train`, sorted by name; images are ordered by class, then by file name. Grey
    images get three equal channels; transparency is dropped. Names that start with a dot are ignored.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, train: bool) -> Part:
        with needing("pillow"):
            import PIL.Image  # noqa: F401, checked before reading files
        with accessing(self._folder):
            classes = self._classes("train")
            if not train:
                self._check_same_classes(classes)
            part = self._folder / ("train" if train else "test")
            paths: list[Path] = []
            labels: list[int] = []
            for label, name in enumerate(classes):
                files = _visible(part / name)
                if not files:
                    raise MissingFileError(f"{part / name} holds no images; add some or remove it")
                paths += files
                labels += [label] * len(files)
            return Part(_decode(paths), np.array(labels, np.int64), classes)

    def _classes(self, part: str) -> tuple[str, ...]:
        """Return the sorted names of the classes in a part."""
        folder = self._folder / part
        if not folder.is_dir():
            state = (
                f"it holds {_some(_visible(self._folder))}" if self._folder.is_dir() else "it does not exist"
            )
            raise MissingFileError(
                f"{self._folder} has no folder {part!r} ({state}); a tree of images must have "
                "train/<class>/* and test/<class>/*"
            )
        classes = tuple(path.name for path in _visible(folder) if path.is_dir())
        if len(classes) < 2:
            raise MissingFileError(
                f"{folder} must have at least two folders, one per class, got {len(classes)}; a tree of "
                "images must have train/<class>/* and test/<class>/*"
            )
        return classes

    def _check_same_classes(self, classes: tuple[str, ...]) -> None:
        test = self._classes("test")
        if test != classes:
            raise DamagedFileError(
                f"{self._folder} has different classes in train and test; only in one of them: "
                f"{', '.join(sorted(set(test) ^ set(classes)))}"
            )


def _visible(folder: Path) -> list[Path]:
    """Return the entries of a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _some(paths: Sequence[Path]) -> str:
    """Return the first names for a message."""
    names = ", ".join(path.name for path in paths[:3]) or "nothing"
    return names + ", ..." if len(paths) > 3 else names


def _decode(paths: Sequence[Path]) -> Pixels:
    """Return the images in files, read by one thread per core, because PIL releases the GIL."""
    from tqdm import tqdm

    width, height = _opened(paths[0], lambda image: image.size)
    pixels = np.empty((len(paths), height, width, 3), np.uint8)

    def decode(position: int) -> None:
        pixels[position] = _image(paths[position], (width, height), paths[0])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        work = pool.map(decode, range(len(paths)))
        try:
            for _ in tqdm(work, "images", len(paths), unit=" images", disable=None, leave=False):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return pixels


def _image(path: Path, size: tuple[int, int], first: Path) -> NDArray[np.uint8]:
    """Return the image in a file, uint8 (H, W, 3), which must have the `size` of the file `first`."""

    def convert(image: "Image") -> NDArray[np.uint8]:
        if image.size != size:
            raise DamagedFileError(
                f"{path} has {image.size[0]}x{image.size[1]} pixels, but {first} has {size[0]}x{size[1]}; "
                "all images must have the same size"
            )
        if image.mode not in _MODES:
            raise DamagedFileError(
                f"{path} has mode {image.mode!r}, but pixels must have 8 bits per channel; convert it first"
            )
        return np.asarray(image.convert("RGB"))

    return _opened(path, convert)


def _opened(path: Path, use: "Callable[[Image], T]") -> T:
    """Return `use(image)` for the image in a file; raise DamagedFileError if PIL cannot read it."""
    import PIL.Image

    try:
        with PIL.Image.open(path) as image:
            return use(image)
    except (DamagedFileError, PermissionError):
        raise
    except Exception as error:  # PIL raises almost any exception for damaged images
        raise DamagedFileError(
            f"{path} cannot be read as an image ({one_line(error)}); fix or remove it"
        ) from error
