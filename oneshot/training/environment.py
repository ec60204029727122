"""The machine and the data of a run: what may differ when it goes on."""

import os
from dataclasses import dataclass, replace
from typing import Any, Self

import torch

from data.images import FOLDER, NAMES
from nasbench.runs.settings import Settings, option
from oneshot.errors import DeviceError
from oneshot.spaces.registry import SPACES


def space_option(default: str) -> str:
    """Return the option that names the space that is searched."""
    help = "; ".join(f"{name}: {space.summary}" for name, space in SPACES.items())
    return option(default, help, choices=tuple(SPACES))


def dataset_option() -> str:
    """Return the option that names the data set."""
    tree = f"{FOLDER}PATH for a tree of images, train/<class>/* and test/<class>/*"
    return option("digits", f"{', '.join(NAMES)}, or {tree}")


def split_list_option(only: str = "") -> str | None:
    """Return the option that names the file with the published halves of test images."""
    help = "published halves of the test images of cifar100 or imagenet16-120, a file of AutoDL-Projects"
    return option(None, f"{help}{only} (default: our own halves)", type=str, metavar="FILE")


def folder_option() -> str | None:
    """Return the option that names the folder of the data sets' archives."""
    return option(
        None,
        "folder of the data sets' archives (default: images in $NASBENCH_HOME)",
        type=str,
        on_resume="free",
    )


def download_option() -> bool:
    """Return the option to download a data set that is missing."""
    return option(False, "download a data set that is missing, if that needs no login", on_resume="free")


def store_option() -> str | None:
    """Return the option that names the table that scores architectures."""
    return option(
        None,
        "table made by `python -m nasbench build`, to score architectures (default: NAS-Bench-201's)",
        type=str,
        metavar="FILE",
        on_resume="free",
    )


def absolute(path: str) -> str:
    """Return a path that is the same from another folder."""
    return os.path.abspath(os.path.expanduser(path))


@dataclass(frozen=True)
class Environment(Settings):
    """Where a run computes and finds its files; these may differ when it goes on."""

    #: cpu, cuda or cuda:N; None for cuda if there is one, else cpu.
    device: str | None = option(
        None, "cpu, cuda or cuda:N (default: cuda if there is one, else cpu)", type=str, on_resume="free"
    )
    #: Folder of the data sets' archives; None for the default one.
    folder: str | None = folder_option()
    #: Whether to download a data set that is missing.
    download: bool = download_option()
    #: Path of the table that scores architectures; None for the default one.
    store: str | None = store_option()

    def __post_init__(self) -> None:
        for name in ("folder", "store"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, absolute(getattr(self, name)))
        super().__post_init__()

    def updated(self, **given: Any) -> Self:  # values of fields, checked by __post_init__
        """Return a copy with the given values that are not None."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    def record(self) -> dict[str, str | None]:
        """Return the part of config.json on the environment: all but whether to download."""
        return {"device": self.device, "folder": self.folder, "store": self.store}


def get_device(name: str | None = None) -> torch.device:
    """Return the device of a name, or the default one; DeviceError lists the devices of this machine."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name is None:
        name = "cuda" if count else "cpu"
    kind, _, number = str(name).partition(":")
    if kind == "cpu" and not number:
        return torch.device("cpu")
    if kind != "cuda" or (":" in str(name) and not number.isdecimal()):
        raise DeviceError(f"a device is cpu, cuda or cuda:N, got {name!r}")
    if not count:
        raise DeviceError(f"there is no CUDA device here for {name}; --device cpu would do")
    if int(number or 0) >= count:
        raise DeviceError(
            f"there is no {name}; the CUDA devices here are cuda:0 to cuda:{count - 1}; --device cpu would do"
        )
    return torch.device("cuda", int(number) if number else torch.cuda.current_device())
