"""ImageNet16-120: the first 120 classes of ImageNet, downsampled to 16x16, in published batches."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.arrays import Labels, Pixels
from data.errors import DamagedFileError, DownloadError, MissingFileError, one_line
from data.sources import safe_pickle
from data.sources.source import Part, Source, accessing, check_md5

CLASSES = 120  # of 1,000 (Dong & Yang 2020, arXiv:2001.00326)
_SIDE = 16
_WHERE = (
    "Imagenet16_train.zip and Imagenet16_val.zip of https://image-net.org/download-images (after logging in)"
)


@dataclass(frozen=True)
class Release:
    """The files of a release, with md5 digests and numbers of images of the first 120 classes."""

    #: (name, md5) of each file of training images, in order
    train: tuple[tuple[str, str], ...]
    #: (name, md5) of each file of test images
    test: tuple[tuple[str, str], ...]
    #: number of training images
    train_images: int
    #: number of test images
    test_images: int


# Chrabaszcz et al. 2017, arXiv:1707.08819; digests and counts as verified by NAS-Bench-201
PUBLISHED = Release(
    train=(
        ("train_data_batch_1", "27846dcaa50de8e21a7d1a35f30f0e91"),
        ("train_data_batch_2", "c7254a054e0e795c69120a5727050e3f"),
        ("train_data_batch_3", "4333d3df2e5ffb114b05d2ffc19b1e87"),
        ("train_data_batch_4", "1620cdf193304f4a92677b695d70d10f"),
        ("train_data_batch_5", "348b3c2fdbb3940c4e9e834affd3b18d"),
        ("train_data_batch_6", "6e765307c242a1b3d7d5ef9139b48945"),
        ("train_data_batch_7", "564926d8cbf8fc4818ba23d2faac7564"),
        ("train_data_batch_8", "f4755871f718ccb653440b9dd0ebac66"),
        ("train_data_batch_9", "bb6dd660c38c58552125b1a92f86b5d4"),
        ("train_data_batch_10", "8f03f34ac4b42271a294f91bf480f29b"),
    ),
    test=(("val_data", "3410e3017fdaefba8d5073aaa65e4bd6"),),
    train_images=151_700,
    test_images=6_000,
)


class ImageNet16(Source):
    """Reader of ImageNet16-120, in the order of the batches; the test images are ImageNet's validation set.

    `folder`, or its subfolder `ImageNet16`, must contain the batches. They have classes 1 to 1,000, of which
    the first 120 become labels 0 to 119. The files have no names of classes, so the numbers are used.
    """

    def __init__(self, folder: Path, download: bool = False, release: Release = PUBLISHED) -> None:
        self._folder = folder
        self._download = download
        self._release = release

    def read(self, train: bool) -> Part:
        files = self._release.train if train else self._release.test
        expected = self._release.train_images if train else self._release.test_images
        with accessing(self._folder):
            batches = [self._batch(self._find(name, md5), md5) for name, md5 in files]
        pixels = np.concatenate([pixels for pixels, _ in batches])
        labels = np.concatenate([labels for _, labels in batches])
        if len(labels) != expected:
            raise DamagedFileError(
                f"the batches must hold {expected:,} images of the first {CLASSES} classes,"
                f" got {len(labels):,}"
            )
        return Part(pixels, labels, tuple(str(number) for number in range(1, CLASSES + 1)))

    def _find(self, name: str, md5: str) -> Path:
        for folder in (self._folder, self._folder / "ImageNet16"):
            if (folder / name).exists():
                return folder / name
        missing = f"{self._folder / 'ImageNet16' / name} (md5 {md5}) is missing"
        if self._download:
            raise DownloadError(
                f"{missing}, and it cannot be downloaded without a login; unpack {_WHERE} there"
            )
        raise MissingFileError(f"{missing}; unpack {_WHERE} there")

    @staticmethod
    def _batch(path: Path, md5: str) -> tuple[Pixels, Labels]:
        """Return the images, 16×16 pixels, and the labels of the first 120 classes in a file."""
        check_md5(path, md5, f"unpack {_WHERE} again")
        entry = safe_pickle.read(path)  # its digest is known
        try:
            data, labels = np.asarray(entry["data"]), np.asarray(entry["labels"], np.int64)
            if data.dtype != np.uint8 or data.shape != (len(labels), 3 * _SIDE * _SIDE):
                raise ValueError(f"the data is {data.dtype} {data.shape} for {len(labels)} labels")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DamagedFileError(
                f"{path} is not a batch of {_SIDE}x{_SIDE} images ({type(error).__name__}: {one_line(error)})"
            ) from error
        chosen = np.flatnonzero((labels >= 1) & (labels <= CLASSES))
        pixels = data[chosen].reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)
        return np.ascontiguousarray(pixels), labels[chosen] - 1
