"""A tree of image files, one folder a class: `train/<class>/*` and `test/<class>/*`."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from data.arrays import Pixels
from data.errors import DamagedFileError, MissingFileError, said
from data.sources.source import Part, Source, accessing, needing

if TYPE_CHECKING:
    from PIL.Image import Image

T = TypeVar("T")

_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})  # of 8 bits


class ImageFolder(Source):
    """The reader of a tree of images in any format that PIL reads, all of one size.

    Classes are the folders of `train`, sorted by name; images are in the order of classes, then of file
    names. Grey images become three equal channels; transparency is dropped. Names that begin with a dot are
    passed over.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, train: bool) -> Part:
        with needing("pillow"):
            import PIL.Image  # noqa: F401, before the files are looked at
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
                    raise MissingFileError(f"{part / name} holds no images; put some there, or remove it")
                paths += files
                labels += [label] * len(files)
            return Part(_decode(paths), np.array(labels, np.int64), classes)

    def _classes(self, part: str) -> tuple[str, ...]:
        """Return the sorted names of the classes of a part."""
        folder = self._folder / part
        if not folder.is_dir():
            state = (
                f"it holds {_some(_visible(self._folder))}" if self._folder.is_dir() else "it is not there"
            )
            raise MissingFileError(
                f"{self._folder} has no folder {part!r} ({state}); a tree of images is train/<class>/* and "
                "test/<class>/*"
            )
        classes = tuple(path.name for path in _visible(folder) if path.is_dir())
        if len(classes) < 2:
            raise MissingFileError(
                f"{folder} has {len(classes)} folders, and two classes at least are needed; a tree of images "
                "is train/<class>/* and test/<class>/*"
            )
        return classes

    def _check_same_classes(self, classes: tuple[str, ...]) -> None:
        test = self._classes("test")
        if test != classes:
            raise DamagedFileError(
                f"{self._folder} has other classes in test than in train: "
                f"{', '.join(sorted(set(test) ^ set(classes)))} are in one of them only"
            )


def _visible(folder: Path) -> list[Path]:
    """Return the entries of a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _some(paths: Sequence[Path]) -> str:
    """Return a few names, for a message."""
    names = ", ".join(path.name for path in paths[:3]) or "nothing"
    return names + ", ..." if len(paths) > 3 else names


def _decode(paths: Sequence[Path]) -> Pixels:
    """Return the images in files, read by one thread per core: PIL decodes without the GIL."""
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
    """Return the image in a file, uint8 (H, W, 3); it must have the `size` of the `first` file."""

    def convert(image: "Image") -> NDArray[np.uint8]:
        if image.size != size:
            raise DamagedFileError(
                f"{path} is of {image.size[0]}x{image.size[1]} pixels, but {first} of {size[0]}x{size[1]}; "
                "all images are to be of one size"
            )
        if image.mode not in _MODES:
            raise DamagedFileError(
                f"{path} has pixels of mode {image.mode!r}, not of 8 bits; convert it first"
            )
        return np.asarray(image.convert("RGB"))

    return _opened(path, convert)


def _opened(path: Path, use: "Callable[[Image], T]") -> T:
    """Return `use(image)` of the image in a file; DamagedFileError with its name if PIL cannot read it."""
    import PIL.Image

    try:
        with PIL.Image.open(path) as image:
            return use(image)
    except (DamagedFileError, PermissionError):
        raise
    except Exception as error:  # PIL raises nearly anything at damaged images
        raise DamagedFileError(
            f"{path} is no image that can be read ({said(error)}); mend or remove it"
        ) from error
