import csv
from dataclasses import dataclass
from pathlib import Path

import pytest

from nasbench.runs.settings import option
from oneshot.errors import ConfigError
from oneshot.methods.base import AlphaConfig
from oneshot.methods.recipes import RECIPES, contradictions, recipe_settings, recipe_table
from oneshot.methods.registry import METHODS, get_method
from oneshot.search.settings import SearchSettings, build_config

EXPECTED = Path(__file__).parents[2] / "expected" / "recipes.csv"


def published():
    with EXPECTED.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "row", published(), ids=lambda row: f"{row['recipe']}-{row['method']}-{row['setting']}"
)
def test_every_published_setting(row):
    config = build_config(SearchSettings(recipe=row["recipe"], method=row["method"]))
    assert str(getattr(config, row["setting"])) == row["value"]
    assert row["source"]


def test_every_setting_of_a_recipe_is_in_the_table_of_sources():
    for name, recipe in RECIPES.items():
        for method in ("darts", "gdas"):
            expected = {r["setting"] for r in published() if (r["recipe"], r["method"]) == (name, method)}
            assert set(recipe.settings) <= expected
    assert {row["recipe"] for row in published()} == set(RECIPES)


def test_the_default_recipe_is_the_default_of_every_method():
    assert SearchSettings().recipe == "naslib"
    for name in METHODS:
        kind = get_method(name).config_class
        assert build_config(SearchSettings(method=name)) == kind()


def test_recipes_have_the_same_settings():
    assert len({tuple(recipe.settings) for recipe in RECIPES.values()}) == 1


def test_a_setting_that_a_method_lacks_is_left_out():
    kind = get_method("rsws").config_class
    assert recipe_settings("nas-bench-201", kind) == {"weight_decay": 5e-4, "nesterov": True}


def test_the_second_order_updates_alphas_first():
    settings = SearchSettings(recipe="nas-bench-201", method="darts")
    assert build_config(settings).first == "weights"
    assert build_config(settings, order=2).first == "alphas"
    assert contradictions("nas-bench-201", build_config(settings, order=2), build_config(settings)) == []


def test_a_given_setting_wins_and_is_reported():
    settings = SearchSettings(recipe="nas-bench-201", method="gdas")
    config = build_config(settings, weight_decay=1e-3, nesterov=False)
    assert (config.weight_decay, config.nesterov, config.first) == (1e-3, False, "weights")
    assert contradictions("nas-bench-201", config, build_config(settings)) == [
        "weight_decay is 0.001 as given; the recipe nas-bench-201 has 0.0005",
        "nesterov is False as given; the recipe nas-bench-201 has True",
    ]
    assert contradictions("nas-bench-201", build_config(settings), build_config(settings)) == []


def test_the_settings_of_a_published_method_contradict_no_recipe():
    settings = SearchSettings(method="pc-darts")
    usual = build_config(settings)
    assert not usual.clip_alphas
    assert contradictions("naslib", usual, usual) == []
    assert contradictions("naslib", build_config(settings, nesterov=True), usual) == [
        "nesterov is True as given; the recipe naslib has False"
    ]


def test_a_recipe_wins_over_the_defaults_of_a_space():
    settings = SearchSettings(recipe="nas-bench-201", space="hierarchical")
    config = build_config(settings)
    assert (config.epochs, config.batch, config.weight_decay) == (10, 10, 5e-4)


@pytest.mark.parametrize("name", ["nasbench201", "", None, 3, ["naslib"]])
def test_unknown_recipes(name):
    for call in (lambda: recipe_settings(name, AlphaConfig), lambda: SearchSettings(recipe=name)):
        with pytest.raises(ConfigError, match="unknown recipe .*; the recipes are naslib, nas-bench-201"):
            call()


def test_a_method_of_ones_own():
    @dataclass(frozen=True)
    class Own(AlphaConfig):
        strength: float = option(1.0, "of nothing")

    assert Own(**recipe_settings("nas-bench-201", Own)).strength == 1.0


def test_the_table_of_the_help():
    lines = recipe_table().splitlines()
    assert max(map(len, lines)) <= 110
    for recipe in RECIPES.values():
        for key, (value, source) in recipe.settings.items():
            assert [key, str(value), source.split()[0]] in [line.split()[:3] for line in lines]
