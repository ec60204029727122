"""Settings of gradient-based searches, and their defaults by data set."""

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
    usual = ", ".join(f"{key}: {getattr(space.searched, name)}" for key, space in SPACES.items())
    small = ", ".join(f"{getattr(space.smaller, name)}" for space in SPACES.values())
    default = f"(default: {usual}; on {' and '.join(SMALL)}: {small})"
    return cast(int, option(None, f"{help} {default}", type=int))  # __post_init__ replaces None


@dataclass(frozen=True)
class SearchSettings(Settings):
    """Settings of a search that all methods share.

    >>> SearchSettings().channels, SearchSettings(dataset="cifar10").channels
    (8, 16)
    """

    #: search space
    space: str = space_option("nb201")
    #: name of the method, or ``MODULE:CLASS`` of a custom one
    method: str = option(
        "darts", f"method: {', '.join([*METHODS, *PUBLISHED_METHODS])}, or MODULE:CLASS of a custom one"
    )
    #: name of published settings of the optimizers
    recipe: str = option(
        "naslib",
        "published settings of the optimizers of weights and alphas, listed below; options that are given"
        " override the recipe",
        choices=tuple(RECIPES),
    )
    #: data set
    dataset: str = dataset_option()
    #: channels of the supernet's first stage
    channels: int = _sized("channels", "channels of the supernet's first stage")
    #: cells per stage; in darts and s1 to s4 in total
    cells: int = _sized("cells", "cells per stage of the supernet; in darts and s1 to s4, cells in total")
    #: random seed
    seed: int = option(0, "random seed", at_least=0, at_most=SEEDS)
    #: whether to compute in bfloat16
    amp: bool = option(False, "compute in bfloat16 where it is safe; weights stay float32")
    #: whether to use torch.compile
    compile: bool = option(
        False,
        "run the supernet through torch.compile, which takes minutes before the first step; not tested on"
        " CUDA",
    )
    #: file with published halves of the test images; None for random halves
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
                    "split_list needs the test images of cifar100 or imagenet16-120, got dataset"
                    f" {self.dataset}"
                )
            object.__setattr__(self, "split_list", absolute(self.split_list))


SMOKE = {"dataset": SMALL[0], "channels": 4}  # settings of --smoke; PC-DARTS needs a multiple of 4 channels
SMOKE_CONFIG = {"epochs": 1, "batch": 240}  # three steps
SMOKE_PARTS: dict[str, Any] = {  # disable the parts that need several epochs
    "warm_up": 0,
    "anneal_grace": 0.0,
    "eigenvalue_ratio": 0.0,
    "stage_warm_up": 0,
    "stage_candidates": (),
    "stage_cells": (),
    "stage_partial_channels": (),
    "stage_skip_dropout": (),
}


def build_config(settings: SearchSettings, **given: Any) -> SearchConfig:  # values of its fields
    """Return the settings of a search's method.

    Given values take precedence over a published method's, and these over the recipe's and the space's.
    """
    space, kind = get_space(settings.space), get_method(settings.method).config_class
    values = _published(settings)
    published = {f.name: values[f.name] for f in fields(kind) if f.name in values}
    recipe = recipe_settings(settings.recipe, kind, (published | given).get("order", 1))
    config: SearchConfig = kind(**(space.defaults | recipe | published | given))
    return config


def build_part_settings(
    settings: SearchSettings, **given: Any
) -> tuple[PartSettings, ...]:  # Any: values of their fields
    """Return the settings of a search's parts; given values take precedence over a published method's."""
    return select_parts(_published(settings) | given)


def _published(settings: SearchSettings) -> dict[str, Any]:  # each setting has its own type
    method = PUBLISHED_METHODS.get(settings.method)
    return {} if method is None else method.values_in(settings.space)
