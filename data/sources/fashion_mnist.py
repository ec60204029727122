"""Fashion-MNIST: four idx files, plain or packed by gzip."""

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.errors import DamagedFileError, DownloadError, MissingFileError, one_line
from data.sources.source import NETWORK_ERRORS, Part, Source, accessing, needing

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # folder of Debian's package dataset-fashion-mnist
_AXES = {"images": 3, "labels": 1}
_LARGEST = 64 << 20  # bytes of an unpacked file; 60,000 images have 47 million


class FashionMNIST(Source):
    """Reader of Fashion-MNIST (Xiao et al. 2017, arXiv:1708.07747); all channels have the grey value.

    Files are searched in `folder`, in `FashionMNIST/raw` below it, where torchvision stores them, then in
    `elsewhere`. Digests are not verified, because mirrors repack the files. Instead, the sizes in the idx
    headers and gzip's checksums are verified.
    """

    def __init__(self, folder: Path, download: bool = False, elsewhere: tuple[Path, ...] = (DEBIAN,)) -> None:
        self._folder = folder
        self._download = download
        self._folders = (folder, folder / "FashionMNIST" / "raw", *elsewhere)

    def read(self, train: bool) -> Part:
        with accessing(self._folder):
            part = "train" if train else "t10k"
            paths = self._find(part)
            if len(paths) < len(_AXES):
                self._fetch(part)
                paths = self._find(part)
            images, labels = (read_idx(path, axes) for path, axes in zip(paths, _AXES.values(), strict=True))
        if len(images) != len(labels):
            raise DamagedFileError(
                f"{paths[0]} holds {len(images):,} images, but {paths[1]} holds {len(labels):,} labels"
            )
        return Part(np.repeat(images[..., None], 3, axis=-1), labels.astype(np.int64), CLASSES)

    def _find(self, part: str) -> list[Path]:
        """Return the existing files of images and labels of a part."""
        paths = []
        for kind, axes in _AXES.items():
            name = f"{part}-{kind}-idx{axes}-ubyte"
            files = (folder / file for folder in self._folders for file in (f"{name}.gz", name))
            paths += [path for path in files if path.exists()][:1]
        return paths

    def _fetch(self, part: str) -> None:
        """Download all files with torchvision; raise MissingFileError if this is not allowed."""
        if not self._download:
            raise MissingFileError(
                f"{part}-images-idx3-ubyte.gz and {part}-labels-idx1-ubyte.gz are not both in any of "
                f"{', '.join(map(str, self._folders))}; put them there (from "
                "https://github.com/zalandoresearch/fashion-mnist), install Debian's package "
                "dataset-fashion-mnist, or use --download"
            )
        with needing("torchvision"):
            from torchvision import datasets
        try:
            datasets.FashionMNIST(self._folder, download=True)
        except (*NETWORK_ERRORS, RuntimeError) as error:
            raise DownloadError(f"cannot download Fashion-MNIST: {one_line(error)}") from error


def read_idx(path: Path, axes: int) -> NDArray[np.uint8]:
    """Return the values of an idx file, uint8 with `axes` axes; raise DamagedFileError if it is damaged.

    Format: two zero bytes, 8 for unsigned bytes, the number of axes, the length of each as a big-endian
    32-bit integer, then the values (http://yann.lecun.com/exdb/mnist/).
    """
    with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
        try:
            data = file.read(_LARGEST + 1)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DamagedFileError(f"{path} is truncated or damaged: {one_line(error)}") from error
    if len(data) > _LARGEST:
        raise DamagedFileError(f"{path} holds more than {_LARGEST:,} bytes, the maximum for a file of images")
    start = 4 + 4 * axes
    if len(data) < start or data[:4] != bytes((0, 0, 8, axes)):
        raise DamagedFileError(
            f"{path} is not an idx file of bytes with {axes} axes: it starts with {data[:4].hex()}"
        )
    shape = np.frombuffer(data[4:start], ">u4").tolist()
    values = np.frombuffer(data, np.uint8, offset=start)
    if len(values) != np.prod(shape, dtype=object):
        raise DamagedFileError(
            f"{path} has the shape {shape}, but {len(values):,} bytes; it is truncated or damaged"
        )
    return values.reshape(shape)
