"""Settings of a pipeline."""

import shlex
from dataclasses import dataclass
from typing import cast

import torch

from nasbench.runs.checks import SEEDS, whole
from nasbench.runs.settings import Settings, option
from oneshot.errors import ConfigError
from oneshot.methods.registry import METHODS, get_method
from oneshot.spaces.registry import get_space
from oneshot.training import environment
from oneshot.training.environment import get_device

_MOST_SEARCHES = 1_000
SHORT_OPTIONS = {  # architectures are compared at the supernet's size, after a short training
    "nb201": "--protocol 12",  # the benchmark's low fidelity, at full size
    "darts": "--epochs 100 --channels 16 --cells 8 --auxiliary-weight 0",
    "hierarchical": "--epochs 100 --channels 16 --cells 1",
}
SHORT_OPTIONS |= dict.fromkeys(("s1", "s2", "s3", "s4"), SHORT_OPTIONS["darts"])
_RESERVED = (
    "--space",
    "--method",
    "--dataset",
    "--seed",
    "--out",
    "--resume",
    "--device",
    "--split",
    "--json",
)


@dataclass(frozen=True)
class PipelineSettings(Settings):
    """Settings of a pipeline, by default four searches as in Ruchte et al. 2020, NASLib, appendix A.1."""

    #: search space
    space: str = environment.space_option("darts")
    #: method of the searches
    method: str = option(
        "darts", f"method of the searches: {', '.join(METHODS)}, or MODULE:CLASS of a custom one"
    )
    #: data set
    dataset: str = environment.dataset_option()
    #: number of searches
    searches: int = option(
        4, "number of searches, with consecutive seeds", at_least=1, at_most=_MOST_SEARCHES
    )
    #: seed of the first search and of all training runs
    seed: int = option(0, "seed of the first search and of all training runs", at_least=0, at_most=SEEDS)
    #: additional options of each search
    search_options: str = option(
        "", 'additional options of each search, as in --search-options="--epochs 25 --amp"', metavar="OPTIONS"
    )
    #: additional options of each short training
    short_options: str = cast(  # __post_init__ replaces None
        str,
        option(
            None,
            "additional options of the short training of each architecture found, which is trained on the"
            " searches' training half and tested on their validation half (default:"
            f" {', '.join(f'{name}: {text}' for name, text in SHORT_OPTIONS.items())}; on digits: none)",
            type=str,
            metavar="OPTIONS",
        ),
    )
    #: additional options of the final training
    final_options: str = option(
        "", "additional options of the best architecture's training on all images", metavar="OPTIONS"
    )
    #: whether this is a quick trial
    smoke: bool = option(False, "quick trial of all steps on the digits, which takes a minute or two")

    def __post_init__(self) -> None:
        get_space(self.space)
        get_method(self.method)
        super().__post_init__()
        whole("seed", self.seed, 0, SEEDS - self.searches)
        if self.short_options is None:
            usual = "" if self.smoke or self.dataset == "digits" else SHORT_OPTIONS[self.space]
            object.__setattr__(self, "short_options", usual)
        for name in ("search_options", "short_options", "final_options"):
            flag = name.replace("_", "-")
            try:
                words = shlex.split(getattr(self, name))
            except ValueError as error:
                raise ConfigError(f"{flag} cannot be parsed: {error}") from None
            for word in words:
                if word.split("=")[0] in _RESERVED:
                    raise ConfigError(f"{word} cannot be in {flag}, because the pipeline sets it")


@dataclass(frozen=True)
class PipelineEnvironment(Settings):
    """Devices and file locations of the jobs of a pipeline; these may differ when it is resumed."""

    #: devices, each for one job at a time; None for all CUDA devices, else the CPU
    devices: str | None = option(
        None,
        "devices: cpu, or cuda:0,cuda:1,... to run one job on each (default: all CUDA devices, else cpu)",
        type=str,
        on_resume="free",
    )
    #: folder of the data sets' archives; None for the default one
    folder: str | None = environment.folder_option()
    #: whether to download a missing data set
    download: bool = environment.download_option()
    #: path of the table that scores architectures; None for the default one
    store: str | None = environment.store_option()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.store is not None:
            object.__setattr__(self, "store", environment.absolute(self.store))

    def device_names(self) -> list[str]:
        """Return the names of the devices; raise a DeviceError if one does not exist."""
        if self.devices is not None:
            return [str(get_device(name.strip())) for name in self.devices.split(",")]
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        return [f"cuda:{number}" for number in range(count)] or ["cpu"]

    def arguments(self) -> list[str]:
        """Return the flags of a job, without the device."""
        words = ["--folder", self.folder] if self.folder else []
        words += ["--download"] if self.download else []
        return words + (["--store", self.store] if self.store else [])
