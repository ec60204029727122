"""CIFAR-10 and CIFAR-100: the official Python archives, as torchvision reads them."""

from pathlib import Path
from typing import Any, Literal

import numpy as np

from data.errors import DownloadError, MissingFileError
from data.sources.source import NETWORK_ERRORS, Part, Source, accessing, check_md5, needing

_ARCHIVE_BYTES = {"CIFAR10": 170_498_071, "CIFAR100": 169_001_437}  # as the server states them


class Cifar(Source):
    """The reader of CIFAR-10 or CIFAR-100 (Krizhevsky 2009), in the official order of the images.

    `folder` holds the unpacked archive or the archive itself, which is then unpacked beside itself; with
    `download` it is fetched first if need be. torchvision compares the md5 of each file.
    """

    def __init__(
        self, torchvision_name: Literal["CIFAR10", "CIFAR100"], folder: Path, download: bool = False
    ) -> None:
        with needing("torchvision"):
            from torchvision import datasets
        # Any: torchvision publishes no types
        self._reader: Any = {"CIFAR10": datasets.CIFAR10, "CIFAR100": datasets.CIFAR100}[torchvision_name]
        self._bytes = _ARCHIVE_BYTES[torchvision_name]
        self._folder = folder
        self._download = download

    def read(self, train: bool) -> Part:
        with accessing(self._folder):
            try:
                read = self._attempt(train, self._download)
            except RuntimeError:  # torchvision's word for a file that is missing or not the published one
                if not self._has_archive():
                    self._check_files()
                    raise
                read = self._attempt(train, True)  # which unpacks it, and fetches nothing
        return Part(read.data, np.array(read.targets, np.int64), tuple(read.classes))

    def _attempt(self, train: bool, download: bool) -> Any:  # a data set of torchvision, without types
        try:
            return self._reader(self._folder, train=train, download=download)
        except NETWORK_ERRORS as error:
            raise DownloadError(f"cannot download {self._reader.url} ({error}); {self._advice()}") from error

    def _has_archive(self) -> bool:
        """Return whether the archive is there; DamagedFileError if it is not the published one."""
        archive = self._folder / self._reader.filename
        if not archive.exists():
            return False
        size = f", and the published one is of {self._bytes:,} bytes"
        check_md5(archive, self._reader.tgz_md5, f"remove it, then {self._advice()}", size)
        return True

    def _check_files(self) -> None:
        """Raise MissingFileError or DamagedFileError at the first file that is not as published."""
        files = self._folder / self._reader.base_folder
        meta = (self._reader.meta["filename"], self._reader.meta["md5"])
        for name, md5 in [*self._reader.train_list, *self._reader.test_list, meta]:
            path = files / name
            if not path.exists():
                raise MissingFileError(f"{path} (md5 {md5}) is missing; {self._advice()}")
            check_md5(path, md5, f"remove it, then {self._advice()}")

    def _advice(self) -> str:
        return (
            f"put {self._reader.filename} ({self._bytes:,} bytes, md5 {self._reader.tgz_md5}) from "
            f"{self._reader.url} into {self._folder}, or --download"
        )
