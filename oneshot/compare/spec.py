"""Methods with settings, written as text: `darts`, `darts:epochs=10,order=2`, `module:Class:rate=2`."""

from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from typing import Any, Self

from nasbench.runs.settings import Settings, format_flag, setting_text
from nasbench.runs.spec import format_setting, parse_settings
from oneshot.errors import ConfigError
from oneshot.methods.published import PUBLISHED_METHODS
from oneshot.methods.registry import METHODS, get_method
from oneshot.parts.registry import build_parts, part_classes
from oneshot.search.settings import (
    SMOKE_CONFIG,
    SMOKE_PARTS,
    SearchSettings,
    build_config,
    build_part_settings,
)

#: settings of searches that all methods of a comparison share
SHARED = ("space", "method", "dataset", "seed")


@dataclass(frozen=True)
class MethodSpec:
    """A method and the settings given for it alone.

    >>> MethodSpec.parse("darts:order=2,epochs=10").label
    'darts:epochs=10,order=2'
    """

    #: name for `get_method`
    name: str
    #: settings of its searches, of the method and of parts
    own: dict[str, Any]  # each setting has its own type

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a text; raise a ConfigError if it is invalid."""
        name, _, settings = text.partition(":")
        if name not in METHODS and name not in PUBLISHED_METHODS and settings:
            attribute, _, settings = settings.partition(":")
            name = f"{name}:{attribute}"
        parsed = parse_settings(settings, _options(name), name, text)
        return cls(name, dict(sorted(parsed.items())))

    @property
    def label(self) -> str:
        """The text that `parse` turns into this spec."""
        settings = ",".join(format_setting(name, value) for name, value in self.own.items())
        return f"{self.name}:{settings}" if settings else self.name

    def options(self, common: Mapping[str, Any]) -> dict[str, Any]:  # each setting has its own type
        """Return the settings of its searches; its own override the common ones, unknown ones are dropped."""
        known = _options(self.name)
        return {name: value for name, value in (dict(common) | self.own).items() if name in known}

    def check(self, space: str, dataset: str, common: Mapping[str, Any], smoke: bool) -> None:
        """Raise a ConfigError if its searches cannot start with these settings."""
        options = self.options(common) | (SMOKE_CONFIG | SMOKE_PARTS if smoke else {})
        search = {f.name: options[f.name] for f in fields(SearchSettings) if f.name in options}
        kind = get_method(self.name)
        config = {f.name: options[f.name] for f in fields(kind.config_class) if f.name in options}
        other = {name: value for name, value in options.items() if name not in search | config}
        try:
            settings = SearchSettings(space=space, method=self.name, dataset=dataset, **search)
            parts = build_parts(build_part_settings(settings, **other))
            for part in kind(build_config(settings, **config), parts=parts).parts:
                part.check(settings)
        except ConfigError as error:
            raise ConfigError(f"{self.label}: {error}") from None

    def words(self, common: Mapping[str, Any]) -> list[str]:
        """Return the command-line flags of its searches."""
        words = ["--method", self.name]
        for name, value in self.options(common).items():
            if isinstance(value, bool):
                words.append(format_flag(name if value else f"no_{name}"))
            else:
                words += [format_flag(name), setting_text(value)]
        return words


def _options(name: str) -> dict[str, Field[Any]]:
    """Return the settings of searches with a method by name, without the shared ones."""
    parts = [part.config_class for part in part_classes()]
    classes: list[type[Settings]] = [SearchSettings, get_method(name).config_class, *parts]
    return {f.name: f for kind in classes for f in fields(kind) if f.name not in SHARED}
