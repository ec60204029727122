"""Methods with their settings as text: `darts`, `darts:epochs=10,order=2`, `module:Class:rate=2`."""

from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from typing import Any, Self

from nasbench.runs.settings import Settings, format_flag
from nasbench.runs.spec import format_setting, parse_settings
from oneshot.errors import ConfigError
from oneshot.methods.published import PUBLISHED_METHODS
from oneshot.methods.registry import METHODS, get_method
from oneshot.parts.registry import build_parts, part_classes
from oneshot.search.settings import SMOKE_CONFIG, SearchSettings, build_config, build_part_settings

#: Settings of a search that are the comparison's.
SHARED = ("space", "method", "dataset", "seed")


@dataclass(frozen=True)
class MethodSpec:
    """A method and the settings that are its own.

    >>> MethodSpec.parse("darts:order=2,epochs=10").label
    'darts:epochs=10,order=2'
    """

    #: As `get_method` takes it.
    name: str
    #: Settings of its searches, of the method and of parts.
    own: dict[str, Any]  # each setting has its own type

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the spec of a text; ConfigError says what is wrong with it."""
        name, _, settings = text.partition(":")
        if name not in METHODS and name not in PUBLISHED_METHODS and settings:
            attribute, _, settings = settings.partition(":")
            name = f"{name}:{attribute}"
        own = parse_settings(settings, _options(name), name, text)
        return cls(name, dict(sorted(own.items())))

    @property
    def label(self) -> str:
        """A text that gives it."""
        settings = ",".join(format_setting(name, value) for name, value in self.own.items())
        return f"{self.name}:{settings}" if settings else self.name

    def options(self, common: Mapping[str, Any]) -> dict[str, Any]:  # each setting has its own type
        """Return the settings of its searches: its own before the common ones, without those it lacks."""
        known = _options(self.name)
        return {name: value for name, value in (dict(common) | self.own).items() if name in known}

    def check(self, space: str, dataset: str, common: Mapping[str, Any], smoke: bool) -> None:
        """Raise a ConfigError if its searches could not begin with these settings."""
        options = self.options(common) | (SMOKE_CONFIG if smoke else {})
        own = {f.name: options[f.name] for f in fields(SearchSettings) if f.name in options}
        kind = get_method(self.name)
        of_method = {f.name: options[f.name] for f in fields(kind.config_class) if f.name in options}
        of_parts = {name: value for name, value in options.items() if name not in own | of_method}
        try:
            settings = SearchSettings(space=space, method=self.name, dataset=dataset, **own)
            parts = build_parts(build_part_settings(settings, **of_parts))
            for part in kind(build_config(settings, **of_method), parts=parts).parts:
                part.check(settings)
        except ConfigError as error:
            raise ConfigError(f"{self.label}: {error}") from None

    def words(self, common: Mapping[str, Any]) -> list[str]:
        """Return the flags of its searches."""
        words = ["--method", self.name]
        for name, value in self.options(common).items():
            if isinstance(value, bool):
                words.append(format_flag(name if value else f"no_{name}"))
            else:
                words += [format_flag(name), str(value)]
        return words


def _options(name: str) -> dict[str, Field[Any]]:
    """Return the settings of searches with a method, by name, without those of the comparison."""
    parts = [part.config_class for part in part_classes()]
    classes: list[type[Settings]] = [SearchSettings, get_method(name).config_class, *parts]
    return {f.name: f for kind in classes for f in fields(kind) if f.name not in SHARED}
