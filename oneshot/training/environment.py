"""Device and file locations of a run, which may differ when it is resumed."""

import os
from dataclasses import dataclass, replace
from typing import Any, Self

import torch

from data.images import FOLDER, NAMES
from nasbench.runs.settings import Settings, option
from oneshot.errors import DeviceError
from oneshot.spaces.registry import SPACES


def space_option(default: str) -> str:
    """Return the option for the search space."""
    summaries = "; ".join(f"{name}: {space.summary}" for name, space in SPACES.items())
    return option(default, f"search space. {summaries}", choices=tuple(SPACES))


def dataset_option() -> str:
    """Return the option for the data set."""
    tree = f"{FOLDER}PATH for a tree of images, train/<class>/* and test/<class>/*"
    return option("digits", f"data set: {', '.join(NAMES)}, or {tree}")


def split_list_option(only: str = "") -> str | None:
    """Return the option for the file with published halves of the test images."""
    help = "file of AutoDL-Projects with the published halves of cifar100's or imagenet16-120's test images"
    return option(None, f"{help}{only} (default: random halves)", type=str, metavar="FILE")


def folder_option() -> str | None:
    """Return the option for the folder of the data sets' archives."""
    return option(
        None,
        "folder of the data sets' archives (default: images in $NASBENCH_HOME)",
        type=str,
        on_resume="free",
    )


def download_option() -> bool:
    """Return the option to download a missing data set."""
    return option(False, "download a missing data set, if no login is needed", on_resume="free")


def store_option() -> str | None:
    """Return the option for the table that scores architectures."""
    return option(
        None,
        "table that scores architectures, from `python -m nasbench build` (default: NAS-Bench-201's)",
        type=str,
        metavar="FILE",
        on_resume="free",
    )


def absolute(path: str) -> str:
    """Return an absolute path, with `~` expanded."""
    return os.path.abspath(os.path.expanduser(path))


@dataclass(frozen=True)
class Environment(Settings):
    """Device and file locations of a run; these may differ when it is resumed."""

    #: cpu, cuda or cuda:N; None for cuda if available, else cpu
    device: str | None = option(
        None, "device: cpu, cuda or cuda:N (default: cuda if available, else cpu)", type=str, on_resume="free"
    )
    #: folder of the data sets' archives; None for the default one
    folder: str | None = folder_option()
    #: whether to download a missing data set
    download: bool = download_option()
    #: path of the table that scores architectures; None for the default one
    store: str | None = store_option()

    def __post_init__(self) -> None:
        for name in ("folder", "store"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, absolute(getattr(self, name)))
        super().__post_init__()

    def updated(self, **given: Any) -> Self:  # values of fields, checked by __post_init__
        """Return a copy with the `given` values, ignoring None."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    def record(self) -> dict[str, str | None]:
        """Return the values for config.json: all but `download`."""
        return {"device": self.device, "folder": self.folder, "store": self.store}


def get_device(name: str | None = None) -> torch.device:
    """Return the device of a name, or the default one; raise a DeviceError if it does not exist."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name is None:
        name = "cuda" if count else "cpu"
    kind, _, number = str(name).partition(":")
    if kind == "cpu" and not number:
        return torch.device("cpu")
    if kind != "cuda" or (":" in str(name) and not number.isdecimal()):
        raise DeviceError(f"device must be cpu, cuda or cuda:N, got {name!r}")
    if not count:
        raise DeviceError(f"{name} is not available: this machine has no CUDA device; try --device cpu")
    if int(number or 0) >= count:
        raise DeviceError(
            f"{name} is not available: the CUDA devices are cuda:0 to cuda:{count - 1}; try --device cpu"
        )
    return torch.device("cuda", int(number) if number else torch.cuda.current_device())
