"""What every search by gradient is told beside its method's own settings, and its defaults by data set."""

import os
from dataclasses import dataclass, fields, replace

import torch

from data.images import FOLDER, NAMES
from nasbench.runs.settings import SEEDS, option, whole
from oneshot.errors import ConfigError, DeviceError
from oneshot.methods.recipes import RECIPES, check_recipe, recipe_settings
from oneshot.methods.registry import METHODS, method_of
from oneshot.spaces.base import MAXIMUM
from oneshot.spaces.registry import SPACES, space_of

SMALL = ("digits",)  # of 8×8 pixels, of which a crop would lose a part of the figure


def sizes_of(space, dataset):
    """The Sizes of a space's supernet on a data set: the published ones, or smaller ones for small images."""
    return space_of(space).smaller if dataset in SMALL else space_of(space).searched


def augments(dataset):
    """Whether training images are cropped and mirrored at random."""
    return dataset not in SMALL


def _by_space(name):
    usual = ", ".join(f"{space}: {getattr(found.searched, name)}" for space, found in SPACES.items())
    small = ", ".join(f"{getattr(found.smaller, name)}" for found in SPACES.values())
    return f"(default: {usual}; on {' and '.join(SMALL)}: {small})"


@dataclass(frozen=True)
class SearchSettings:
    """What a search is, whatever its method.

    >>> SearchSettings().channels, SearchSettings(dataset="cifar10").channels
    (8, 16)
    """

    space: str = option(
        "nb201",
        "; ".join(f"{name}: {space.summary}" for name, space in SPACES.items()),
        choices=tuple(SPACES),
    )
    method: str = option(
        "darts", f"how it is searched: {', '.join(METHODS)}, or MODULE:CLASS of a method of your own"
    )
    recipe: str = option(
        "naslib",
        "published settings of the optimizers of weights and alphas, listed below; a given option wins"
        " over the recipe",
        choices=tuple(RECIPES),
    )
    dataset: str = option(
        "digits",
        f"{', '.join(NAMES)}, or {FOLDER}PATH for a tree of images, train/<class>/* and test/<class>/*",
    )
    channels: int | None = option(None, f"of the supernet's first stage {_by_space('channels')}", type=int)
    cells: int | None = option(
        None, f"in the supernet; of each stage, in darts in all {_by_space('cells')}", type=int
    )
    seed: int = option(0, "of all that is drawn")
    amp: bool = option(False, "compute in bfloat16 where that is safe; weights stay float32")
    compile: bool = option(
        False, "run the supernet through torch.compile; worth its minutes for a long search"
    )
    split_list: str | None = option(
        None,
        "the published halves of the test images of cifar100 or imagenet16-120, a file of AutoDL-Projects"
        " (default: halves of our own)",
        type=str,
        metavar="FILE",
    )

    def __post_init__(self):
        space_of(self.space)  # an error for one that is unknown, before its sizes are asked for
        method_of(self.method)
        check_recipe(self.recipe)
        if not isinstance(self.dataset, str):
            raise ConfigError(f"a data set is named by a string, got {self.dataset!r}")
        if self.dataset.startswith(FOLDER) or os.sep in self.dataset:  # the same from another folder
            path = os.path.abspath(os.path.expanduser(self.dataset.removeprefix(FOLDER)))
            object.__setattr__(self, "dataset", FOLDER + path)
        for name in ("channels", "cells"):
            value = getattr(self, name)
            value = getattr(sizes_of(self.space, self.dataset), name) if value is None else value
            least = getattr(space_of(self.space).minimum, name)
            object.__setattr__(self, name, whole(name, value, least, getattr(MAXIMUM, name)))
        whole("seed", self.seed, 0, SEEDS)
        for name in ("amp", "compile"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"{name} is true or false, got {getattr(self, name)!r}")
        if self.split_list is not None and self.dataset not in ("cifar100", "imagenet16-120"):
            raise ConfigError(
                f"split_list names halves of cifar100's or imagenet16-120's test images, got {self.dataset}"
            )
        if self.split_list is not None:
            object.__setattr__(self, "split_list", os.path.abspath(os.path.expanduser(self.split_list)))


SMOKE = {"dataset": SMALL[0], "channels": 2}  # of a search that is a trial of the whole way
SMOKE_CONFIG = {"epochs": 1, "batch": 240}  # three steps


def config_of(settings, **given):
    """Return the config of a SearchSettings' method: given settings win over the recipe's and the space's."""
    space, kind = space_of(settings.space), method_of(settings.method).config_class
    recipe = recipe_settings(settings.recipe, kind, given.get("order", 1))
    return kind(**(space.defaults | recipe | given))


@dataclass(frozen=True)
class Places:
    """Where a search runs and finds its files: what may differ when a run goes on."""

    device: str | None = option(
        None, "cpu, cuda or cuda:N (default: cuda where there is one, else cpu)", type=str
    )
    folder: str | None = option(
        None, "where the data sets' archives are (default: images in $NASBENCH_HOME)", type=str
    )
    download: bool = option(False, "fetch a data set that is not there, where that needs no login")
    store: str | None = option(
        None,
        "a table that `python -m nasbench build` made, which scores what is found (default: NAS-Bench-201's)",
        type=str,
        metavar="FILE",
    )

    def __post_init__(self):
        for name in ("folder", "store"):
            if getattr(self, name) is not None:  # the same from another folder
                object.__setattr__(self, name, os.path.abspath(os.path.expanduser(getattr(self, name))))

    def updated(self, **given):
        """These, with others where they are given."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    def record(self):
        """What a run remembers of them, a dict: not whether to download."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "download"}

    def torch_device(self):
        """The device, a torch.device; DeviceError if it is not there."""
        return device_of(self.device)


def device_of(name=None):
    """The device of a name, or the default one; DeviceError says what there is."""
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name is None:
        name = "cuda" if there else "cpu"
    kind, _, number = str(name).partition(":")
    if kind == "cpu" and not number:
        return torch.device("cpu")
    if kind != "cuda" or (":" in str(name) and not number.isdecimal()):
        raise DeviceError(f"a device is cpu, cuda or cuda:N, got {name!r}")
    if not there:
        raise DeviceError(f"there is no CUDA device here for {name}; --device cpu would do")
    if int(number or 0) >= there:
        raise DeviceError(
            f"there is no {name}; the CUDA devices here are cuda:0 to cuda:{there - 1}; --device cpu would do"
        )
    return torch.device("cuda", int(number) if number else torch.cuda.current_device())
