"""Recipes: the settings behind published results that differ from each other, with their sources."""

from dataclasses import dataclass, fields
from typing import Any

from oneshot.errors import ConfigError
from oneshot.methods.config import SearchConfig


@dataclass(frozen=True)
class Recipe:
    """Published settings and their sources."""

    #: publication and code that the settings are from
    origin: str
    #: {setting: (value, place in `origin`)}
    settings: dict[str, tuple[Any, str]]  # Any: each setting has its own type


_CONFIGS, _SCRIPTS = "configs/nas-benchmark/algos/*.config", "exps/NAS-Bench-201-algos/*.py"
RECIPES = {
    "naslib": Recipe(
        "the NASLib paper (Ruchte et al. 2020)",
        {
            "weight_decay": (3e-4, "appendix A.1"),
            "nesterov": (False, "appendix A.1"),
            "first": ("alphas", "snippet 7"),
            "clip_alphas": (True, "snippet 7"),
        },
    ),
    "nas-bench-201": Recipe(
        "the code behind NAS-Bench-201's table (Dong & Yang 2020, arXiv:2001.00326), AutoDL-Projects",
        {
            "weight_decay": (5e-4, _CONFIGS),
            "nesterov": (True, _CONFIGS),
            "first": ("weights", _SCRIPTS),
            "clip_alphas": (False, _SCRIPTS),
        },
    ),
}


def recipe_settings(
    name: str, config_class: type[SearchConfig], order: int = 1
) -> dict[str, Any]:  # each setting has its own type
    """Return a recipe's settings of a method.

    >>> from oneshot.methods.gdas import GDASConfig
    >>> recipe_settings("nas-bench-201", GDASConfig)
    {'weight_decay': 0.0005, 'nesterov': True, 'first': 'weights', 'clip_alphas': False}

    Parameters
    ----------
    name
        Name of the recipe, a key of `RECIPES`.
    config_class
        Class of the method's settings; settings that it lacks are omitted.
    order
        Order of DARTS. With 2, alphas are first in both recipes (AutoDL-Projects, DARTS-V2.py).

    Returns
    -------
    dict
        Values by the names of settings.

    Raises
    ------
    ConfigError
        If there is no recipe of that name.
    """
    check_recipe(name)
    known = {field.name for field in fields(config_class)}
    if order == 2:
        known.discard("first")
    return {key: value for key, (value, _) in RECIPES[name].settings.items() if key in known}


def check_recipe(name: object) -> None:
    """Raise a ConfigError unless there is a recipe of that name."""
    if not isinstance(name, str) or name not in RECIPES:
        raise ConfigError(f"unknown recipe {name!r}; the recipes are {', '.join(RECIPES)}")


def contradictions(name: str, config: SearchConfig, usual: SearchConfig) -> list[str]:
    """Return a line for each setting in which `config` differs from a recipe, and from the settings `usual`.

    `usual` has the method's settings if no setting is given; they may differ from the recipe, too.
    """
    expected = recipe_settings(name, type(config), getattr(config, "order", 1))
    return [
        f"{key} is {getattr(config, key)} as given; the recipe {name} has {value}"
        for key, value in expected.items()
        if getattr(config, key) not in (value, getattr(usual, key))
    ]


def recipe_table() -> str:
    """Return the settings of the recipes and their sources as lines of text."""
    lines = ["settings in which the recipes differ:"]
    for name, recipe in RECIPES.items():
        lines.append(f"  {name}: {recipe.origin}")
        lines += [f"    {key:<14}{value!s:<10}{source}" for key, (value, source) in recipe.settings.items()]
    return "\n".join(lines)
