"""How wide and how deep networks are: the settings, and their check."""

from typing import NamedTuple

from oneshot.errors import ConfigError


class Sizes(NamedTuple):
    """How wide and how deep a network of a space is."""

    channels: int  # of the first stage
    cells: int  # as the space counts them


MOST = Sizes(channels=65_536, cells=1_000)  # beyond all published ones; more take memory and time without end


def checked(**bounds):
    """ConfigError unless each is a whole number of at least its bound; `name=(value, least)`."""
    for name, (value, least) in bounds.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ConfigError(f"{name} is a whole number of at least {least}, got {value!r}")
