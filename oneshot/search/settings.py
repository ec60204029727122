"""The settings of every search by gradient, and their defaults by data set."""

from dataclasses import dataclass, fields
from typing import Any, cast

from nasbench.runs.checks import SEEDS, whole
from nasbench.runs.settings import Settings, option
from oneshot.errors import ConfigError
from oneshot.methods.base import SearchConfig
from oneshot.methods.published import PUBLISHED_METHODS
from oneshot.methods.recipes import RECIPES, check_recipe, recipe_settings
from oneshot.methods.registry import METHODS, get_method
from oneshot.parts.base import PartSettings
from oneshot.parts.registry import select_parts
from oneshot.spaces.base import MAXIMUM, Sizes
from oneshot.spaces.registry import SPACES, get_space
from oneshot.training.environment import absolute, dataset_option, space_option, split_list_option
from oneshot.training.images import SMALL, absolute_dataset


def _sized(name: str, help: str) -> int:
    """Return an option whose default is the size of the space's supernet."""
    usual = ", ".join(f"{space}: {getattr(found.searched, name)}" for space, found in SPACES.items())
    small = ", ".join(f"{getattr(found.smaller, name)}" for found in SPACES.values())
    default = f"(default: {usual}; on {' and '.join(SMALL)}: {small})"
    return cast(int, option(None, f"{help} {default}", type=int))  # __post_init__ replaces None


@dataclass(frozen=True)
class SearchSettings(Settings):
    """What a search is, whatever its method.

    >>> SearchSettings().channels, SearchSettings(dataset="cifar10").channels
    (8, 16)
    """

    #: Space that is searched.
    space: str = space_option("nb201")
    #: Method that searches it.
    method: str = option(
        "darts", f"method: {', '.join([*METHODS, *PUBLISHED_METHODS])}, or MODULE:CLASS of a custom one"
    )
    #: Published settings of the optimizers.
    recipe: str = option(
        "naslib",
        "published settings of the optimizers of weights and alphas, listed below; a given option wins"
        " over the recipe",
        choices=tuple(RECIPES),
    )
    #: Data set.
    dataset: str = dataset_option()
    #: Channels of the first stage.
    channels: int = _sized("channels", "channels of the supernet's first stage")
    #: Cells of the supernet, as the space counts them.
    cells: int = _sized("cells", "cells of each stage, in darts and s1 to s4 of the whole supernet")
    #: Random seed.
    seed: int = option(0, "random seed", at_least=0, at_most=SEEDS)
    #: Whether to compute in bfloat16.
    amp: bool = option(False, "compute in bfloat16 where that is safe; weights stay float32")
    #: Whether to use torch.compile.
    compile: bool = option(
        False, "run the supernet through torch.compile, which takes minutes before the first step; not tested on CUDA"
    )
    #: File with the published halves of test images.
    split_list: str | None = split_list_option()

    def __post_init__(self) -> None:
        space = get_space(self.space)
        get_method(self.method)
        check_recipe(self.recipe)
        super().__post_init__()
        object.__setattr__(self, "dataset", absolute_dataset(self.dataset))
        usual = space.smaller if self.dataset in SMALL else space.searched
        for name, default, least, most in zip(Sizes._fields, usual, space.minimum, MAXIMUM, strict=True):
            value = default if getattr(self, name) is None else getattr(self, name)
            object.__setattr__(self, name, whole(name, value, least, most))
        if self.split_list is not None:
            if self.dataset not in ("cifar100", "imagenet16-120"):
                raise ConfigError(
                    "split_list names halves of cifar100's or imagenet16-120's test images, got"
                    f" {self.dataset}"
                )
            object.__setattr__(self, "split_list", absolute(self.split_list))


SMOKE = {"dataset": SMALL[0], "channels": 2}  # of a search that is a trial of the whole way
SMOKE_CONFIG = {"epochs": 1, "batch": 240}  # three steps
SMOKE_PARTS = {"warm_up": 0}  # which would leave no epoch for the alphas


def build_config(settings: SearchSettings, **given: Any) -> SearchConfig:  # values of its fields
    """Return the config of the settings' method.

    Given values win over those of a published method, and these over the recipe's and the space's.
    """
    space, kind = get_space(settings.space), get_method(settings.method).config_class
    published = _published(settings)
    own = {f.name: published[f.name] for f in fields(kind) if f.name in published}
    recipe = recipe_settings(settings.recipe, kind, (own | given).get("order", 1))
    config: SearchConfig = kind(**(space.defaults | recipe | own | given))
    return config


def build_part_settings(
    settings: SearchSettings, **given: Any
) -> tuple[PartSettings, ...]:  # of their fields
    """Return the settings of the parts that a search has; given values win over a published method's."""
    return select_parts(_published(settings) | given)


def _published(settings: SearchSettings) -> dict[str, Any]:  # each setting has its own type
    method = PUBLISHED_METHODS.get(settings.method)
    return {} if method is None else method.values
