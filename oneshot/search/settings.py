"""The settings of every search by gradient, and their defaults by data set."""

from dataclasses import dataclass
from typing import Any, cast

from data.images import FOLDER, NAMES
from nasbench.runs.checks import SEEDS, whole
from nasbench.runs.settings import Settings, option
from oneshot.errors import ConfigError
from oneshot.methods.base import SearchConfig
from oneshot.methods.recipes import RECIPES, check_recipe, recipe_settings
from oneshot.methods.registry import METHODS, method_of
from oneshot.spaces.base import MAXIMUM, Sizes
from oneshot.spaces.registry import SPACES, space_of
from oneshot.training.environment import absolute
from oneshot.training.images import SMALL, absolute_dataset


def default_sizes(space: str, dataset: str) -> Sizes:
    """Return the published sizes of a space's supernet, or smaller ones for a data set of small images."""
    return space_of(space).smaller if dataset in SMALL else space_of(space).searched


def _by_space(name: str) -> str:
    usual = ", ".join(f"{space}: {getattr(found.searched, name)}" for space, found in SPACES.items())
    small = ", ".join(f"{getattr(found.smaller, name)}" for found in SPACES.values())
    return f"(default: {usual}; on {' and '.join(SMALL)}: {small})"


def _sized(name: str, help: str) -> int:
    """Return an option whose default is the size of the space's supernet."""
    return cast(int, option(None, f"{help} {_by_space(name)}", type=int))  # __post_init__ replaces None


@dataclass(frozen=True)
class SearchSettings(Settings):
    """What a search is, whatever its method.

    >>> SearchSettings().channels, SearchSettings(dataset="cifar10").channels
    (8, 16)
    """

    #: Space that is searched.
    space: str = option(
        "nb201",
        "; ".join(f"{name}: {space.summary}" for name, space in SPACES.items()),
        choices=tuple(SPACES),
    )
    #: Method that searches it.
    method: str = option("darts", f"method: {', '.join(METHODS)}, or MODULE:CLASS of a custom one")
    #: Published settings of the optimizers.
    recipe: str = option(
        "naslib",
        "published settings of the optimizers of weights and alphas, listed below; a given option wins"
        " over the recipe",
        choices=tuple(RECIPES),
    )
    #: Data set.
    dataset: str = option(
        "digits",
        f"{', '.join(NAMES)}, or {FOLDER}PATH for a tree of images, train/<class>/* and test/<class>/*",
    )
    #: Channels of the first stage.
    channels: int = _sized("channels", "channels of the supernet's first stage")
    #: Cells of the supernet, as the space counts them.
    cells: int = _sized("cells", "cells of each stage, in darts of the whole supernet")
    #: Random seed.
    seed: int = option(0, "random seed", at_least=0, at_most=SEEDS)
    #: Whether to compute in bfloat16.
    amp: bool = option(False, "compute in bfloat16 where that is safe; weights stay float32")
    #: Whether to use torch.compile.
    compile: bool = option(
        False, "run the supernet through torch.compile; worth its minutes for a long search"
    )
    #: File with the published halves of test images.
    split_list: str | None = option(
        None,
        "published halves of the test images of cifar100 or imagenet16-120, a file of AutoDL-Projects"
        " (default: our own halves)",
        type=str,
        metavar="FILE",
    )

    def __post_init__(self) -> None:
        space_of(self.space)  # an error for one that is unknown, before its sizes are asked for
        method_of(self.method)
        check_recipe(self.recipe)
        super().__post_init__()
        object.__setattr__(self, "dataset", absolute_dataset(self.dataset))
        for name in ("channels", "cells"):
            value = getattr(self, name)
            value = getattr(default_sizes(self.space, self.dataset), name) if value is None else value
            least = getattr(space_of(self.space).minimum, name)
            object.__setattr__(self, name, whole(name, value, least, getattr(MAXIMUM, name)))
        if self.split_list is not None and self.dataset not in ("cifar100", "imagenet16-120"):
            raise ConfigError(
                f"split_list names halves of cifar100's or imagenet16-120's test images, got {self.dataset}"
            )
        if self.split_list is not None:
            object.__setattr__(self, "split_list", absolute(self.split_list))


SMOKE = {"dataset": SMALL[0], "channels": 2}  # of a search that is a trial of the whole way
SMOKE_CONFIG = {"epochs": 1, "batch": 240}  # three steps


def build_config(settings: SearchSettings, **given: Any) -> SearchConfig:  # values of its fields
    """Return the config of the settings' method: given values win over the recipe's and the space's."""
    space, kind = space_of(settings.space), method_of(settings.method).config_class
    recipe = recipe_settings(settings.recipe, kind, given.get("order", 1))
    config: SearchConfig = kind(**(space.defaults | recipe | given))
    return config
