"""Published methods: what they are made of, and that their settings exist."""

from dataclasses import fields

import pytest

from oneshot.methods.published import PUBLISHED_METHODS
from oneshot.methods.registry import METHODS, get_method
from oneshot.parts.registry import build_parts, part_classes
from oneshot.search.settings import (
    SMOKE,
    SMOKE_CONFIG,
    SMOKE_PARTS,
    SearchSettings,
    build_config,
    build_part_settings,
)


@pytest.mark.parametrize("name", PUBLISHED_METHODS)
def test_settings_are_those_of_the_method_and_its_parts(name):
    published, settings = PUBLISHED_METHODS[name], SearchSettings(method=name)
    assert published.method in METHODS
    config, parts = build_config(settings), build_part_settings(settings)
    used = {part.config_class for part in part_classes()} & set(map(type, parts))
    known = {f.name for kind in (*used, type(config)) for f in fields(kind)}
    assert published.values.keys() <= known
    values = {f.name: getattr(each, f.name) for each in (config, *parts) for f in fields(each)}
    assert published.values.items() <= values.items()
    assert parts
    assert get_method(name)(config, parts=build_parts(parts)).parts
    assert all(source for _, source in published.settings.values())
    for space, differing in published.in_spaces.items():
        assert differing.keys() <= published.settings.keys()
        assert published.values_in(space) == published.values | {k: v for k, (v, _) in differing.items()}
        assert all(source for _, source in differing.values())


@pytest.mark.parametrize("name", [*METHODS, *PUBLISHED_METHODS])
def test_smoke_tries_out_every_method(name):
    settings = SearchSettings(method=name, **SMOKE)
    parts = build_parts(build_part_settings(settings, **SMOKE_PARTS))
    for part in get_method(name)(build_config(settings, **SMOKE_CONFIG), parts=parts).parts:
        part.check(settings)
