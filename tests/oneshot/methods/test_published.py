"""Published methods: what they are made of, and that their settings exist."""

from dataclasses import fields

import pytest

from oneshot.errors import ConfigError
from oneshot.methods.published import PUBLISHED_METHODS
from oneshot.methods.registry import METHODS, get_method
from oneshot.parts.registry import build_parts, part_classes
from oneshot.search import pictures, resume, search
from oneshot.search.settings import (
    SMOKE,
    SMOKE_CONFIG,
    SMOKE_PARTS,
    SearchSettings,
    build_config,
    build_part_settings,
)
from oneshot.spaces.registry import SPACES
from oneshot.testing import same, snapshot
from tests.oneshot.training.contract import after


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
    check(name, "nb201")


def check(name, space):
    """Raise a ConfigError if `--smoke` cannot try out a method in a space."""
    settings = SearchSettings(method=name, space=space, **SMOKE)
    parts = build_parts(build_part_settings(settings, **SMOKE_PARTS))
    for part in get_method(name)(build_config(settings, **SMOKE_CONFIG), parts=parts).parts:
        part.check(settings)


def is_defined(name, space):
    """Whether a method can be searched with in a space."""
    try:
        check(name, space)
    except ConfigError:
        return False
    return True


def test_published_methods_are_defined_for_all_spaces_but_for_limits_of_skips_without_a_normal_cell():
    undefined = {
        (name, space) for name in PUBLISHED_METHODS for space in SPACES if not is_defined(name, space)
    }
    assert undefined == {("darts+", "hierarchical"), ("p-darts", "hierarchical")}


@pytest.mark.contract
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("name", PUBLISHED_METHODS)
def test_a_search_by_it_is_repeatable_and_goes_on_exactly(name, space, home, tmp_path, monkeypatch):
    """Stopped within the first epoch, and after the second."""
    if not is_defined(name, space):
        pytest.skip("it is not defined in this space")
    monkeypatch.setattr(pictures, "draw_all", lambda *args: {})
    settings = SearchSettings(method=name, space=space, seed=1, **SMOKE)
    config = build_config(settings, **SMOKE_CONFIG | {"epochs": 3})
    parts = build_part_settings(settings, **SMOKE_PARTS | {"tune_epochs": 1})
    whole = search(settings, config, parts=parts)
    assert whole.complete
    path = tmp_path / "run"
    stopped = search(settings, config, path, parts=parts, stop=after(2))
    assert not stopped.complete
    stopped = resume(path, stop=after(5))
    if not stopped.complete:  # skip connections may end the search before
        stopped = resume(path)
    assert stopped.complete
    assert stopped.to_json() == whole.to_json()
    assert same(snapshot(stopped.optimizer), snapshot(whole.optimizer))
