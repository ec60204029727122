"""A tree of image files, one folder a class: `train/<class>/*` and `test/<class>/*`."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from data.errors import DamagedFileError, MissingFileError, said
from data.sources.source import Part, Source, accessing, needing

_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})  # of 8 bits


class ImageFolder(Source):
    """The reader of a tree of images in any format that PIL reads, all of one size.

    Classes are the folders of `train`, sorted by name; images are in the order of classes, then of file
    names. Grey images become three equal channels; transparency is dropped. Names that begin with a dot are
    passed over.
    """

    def __init__(self, folder):
        self._folder = folder

    def read(self, train):
        with needing("pillow"):
            from PIL import Image  # noqa: F401, asked for before the files are looked at
        with accessing(self._folder):
            classes = self._classes("train")
            if not train:
                self._same_classes(classes)
            part = self._folder / ("train" if train else "test")
            paths, labels = [], []
            for label, name in enumerate(classes):
                found = _visible(part / name)
                if not found:
                    raise MissingFileError(f"{part / name} holds no images; put some there, or remove it")
                paths += found
                labels += [label] * len(found)
            return Part(_decode(paths), np.array(labels, np.int64), classes)

    def _classes(self, part):
        """The sorted names of the classes of a part."""
        folder = self._folder / part
        if not folder.is_dir():
            there = (
                f"it holds {_some(_visible(self._folder))}" if self._folder.is_dir() else "it is not there"
            )
            raise MissingFileError(
                f"{self._folder} has no folder {part!r} ({there}); a tree of images is train/<class>/* and "
                "test/<class>/*"
            )
        classes = tuple(path.name for path in _visible(folder) if path.is_dir())
        if len(classes) < 2:
            raise MissingFileError(
                f"{folder} has {len(classes)} folders, and two classes at least are needed; a tree of images "
                "is train/<class>/* and test/<class>/*"
            )
        return classes

    def _same_classes(self, classes):
        test = self._classes("test")
        if test != classes:
            raise DamagedFileError(
                f"{self._folder} has other classes in test than in train: "
                f"{', '.join(sorted(set(test) ^ set(classes)))} are in one of them only"
            )


def _visible(folder):
    """What a folder holds, sorted by name."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _some(paths):
    """A few names, for a message."""
    names = ", ".join(path.name for path in paths[:3]) or "nothing"
    return names + ", ..." if len(paths) > 3 else names


def _decode(paths):
    """The images in files, uint8 (N, H, W, 3), read by a thread a core: PIL decodes without the GIL."""
    from tqdm import tqdm

    width, height = _size(paths[0])
    pixels = np.empty((len(paths), height, width, 3), np.uint8)

    def one(position):
        pixels[position] = _image(paths[position], (width, height), paths[0])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        work = pool.map(one, range(len(paths)))
        try:
            for _ in tqdm(work, "images", len(paths), unit=" images", disable=None, leave=False):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return pixels


def _size(path):
    """Width and height of the image in a file."""
    return _opened(path, lambda image: image.size)


def _image(path, size, first):
    """The image in a file, uint8 (H, W, 3); `first` is the file whose size it is to have."""

    def convert(image):
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


def _opened(path, use):
    """What `use` makes of the image in a file; DamagedFileError with its name if PIL cannot read it."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return use(image)
    except (DamagedFileError, PermissionError):
        raise
    except Exception as error:  # PIL raises nearly anything at damaged images
        raise DamagedFileError(
            f"{path} is no image that can be read ({said(error)}); mend or remove it"
        ) from error
