"""Published methods that are a method of ours with parts: their settings, each with its source."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PublishedMethod:
    """A published combination: {setting of the method or of a part: (value, source)}."""

    title: str
    paper: str
    method: str
    settings: dict[str, tuple[Any, str]]  # each setting has its own type

    @property
    def values(self) -> dict[str, Any]:  # so have their values
        """The settings without their sources."""
        return {name: value for name, (value, _) in self.settings.items()}


#: The published methods, by the names that commands know them by.
PUBLISHED_METHODS: dict[str, PublishedMethod] = {}
