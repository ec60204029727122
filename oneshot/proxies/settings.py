"""Settings of a run that scores networks by proxies."""

from dataclasses import dataclass

from data.images import FOLDER, NAMES
from nasbench.metrics import DATASETS
from nasbench.runs.checks import LARGEST, MANY, SEEDS
from nasbench.runs.settings import Settings, option
from oneshot.errors import ConfigError
from oneshot.proxies.registry import FIXED, RANKED, all_names, get_proxy
from oneshot.spaces.base import MAXIMUM
from oneshot.training.environment import absolute, download_option, folder_option, store_option
from oneshot.training.images import absolute_dataset

ALL = "all"
NO_IMAGES = "none"


@dataclass(frozen=True)
class ProxySettings(Settings):
    """Networks, proxies and images of a run."""

    cells: str = option(
        "1000",
        "number of random cells of NAS-Bench-201, `all` for all cells, or a file with one architecture per"
        " line, of any space",
    )
    proxy: str = option(
        ",".join(all_names()), "proxies, separated by commas; MODULE:FUNCTION for your own", metavar="NAMES"
    )
    dataset: str = option(
        "cifar10",
        "data set in the table, which determines the number of classes and the image size",
        choices=tuple(DATASETS),
    )
    images: str | None = option(
        None,
        f"images: {', '.join(NAMES)}, {FOLDER}PATH for a tree of images, or none (default: the images of"
        " --dataset, or the digits if they are missing)",
        type=str,
    )
    batch: int = option(64, "images per network", at_least=2, at_most=MANY)
    seeds: int = option(3, "number of seeds, each with its own images and weights", at_least=1, at_most=1000)
    seed: int = option(0, "random seed for sampling cells", at_least=0, at_most=SEEDS)
    channels: int | None = option(
        None,
        "channels of the first stage (default: as for a search in the space)",
        type=int,
        at_least=1,
        at_most=MAXIMUM.channels,
    )
    depth: int | None = option(
        None,
        "number of cells, per stage or in total, depending on the space (default: as for its search)",
        type=int,
        at_least=1,
        at_most=MAXIMUM.cells,
    )
    threads: int = option(
        1, "threads per process; they affect the last digits of scores", at_least=1, at_most=1024
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.computed:
            get_proxy(name)
        if not self.named or len(set(self.named)) < len(self.named):
            raise ConfigError(f"proxy must be distinct names separated by commas, got {self.proxy!r}")
        if self.images not in (None, NO_IMAGES):
            object.__setattr__(self, "images", absolute_dataset(str(self.images)))
        if self.count is None and self.cells != ALL:
            object.__setattr__(self, "cells", absolute(self.cells))

    @property
    def count(self) -> int | None:
        """Number of cells to sample; None for all cells or a file."""
        return min(int(self.cells), LARGEST) if self.cells.isdecimal() else None

    @property
    def named(self) -> list[str]:
        """Names of the requested proxies."""
        return [name.strip() for name in self.proxy.split(",") if name.strip()]

    @property
    def computed(self) -> list[str]:
        """Names of the proxies to compute for each network; proxies that combine ranks become their parts."""
        needed = [part for name in self.named for part in RANKED.get(name, (name,))]
        return list(dict.fromkeys(needed))

    def list_seeds(self, name: str) -> range:
        """Return the seeds that a proxy is computed with; only the first one if it is in `FIXED`."""
        return range(1 if name in FIXED else self.seeds)


@dataclass(frozen=True)
class ProxyEnvironment(Settings):
    """Processes and paths, which may differ when a run is resumed."""

    workers: int = option(1, "processes on this machine", at_least=1, at_most=1024, on_resume="free")
    #: folder of images
    folder: str | None = folder_option()
    #: whether to download a missing data set
    download: bool = download_option()
    #: path of the store
    store: str | None = store_option()
