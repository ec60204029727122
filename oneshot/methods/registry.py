"""The methods by their names on the command line; a method, and torch, is imported only when requested."""

from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from oneshot.errors import ConfigError
from oneshot.methods.published import PUBLISHED_METHODS

if TYPE_CHECKING:
    from oneshot.methods.base import MetaOptimizer

#: names of the methods
MethodName = Literal["darts", "gdas", "drnas", "rsws", "snas", "reinmax", "fairdarts", "spos", "fairnas"]
METHODS: dict[str, str] = {
    "darts": "oneshot.methods.darts:DARTS",
    "gdas": "oneshot.methods.gdas:GDAS",
    "drnas": "oneshot.methods.drnas:DrNAS",
    "rsws": "oneshot.methods.rsws:RSWS",
    "snas": "oneshot.methods.snas:SNAS",
    "reinmax": "oneshot.methods.reinmax:ReinMax",
    "fairdarts": "oneshot.methods.fairdarts:FairDARTS",
    "spos": "oneshot.methods.spos:SPOS",
    "fairnas": "oneshot.methods.fairnas:FairNAS",
}


def get_method(name: MethodName | str) -> "type[MetaOptimizer[Any]]":  # Any: each method has its own settings
    """Return the class of a method.

    >>> get_method("gdas").config_class().tau_max
    10.0

    Parameters
    ----------
    name
        Name of a method or a published method, or MODULE:CLASS of a custom one.

    Raises
    ------
    ConfigError
        If there is no such method; the error lists the names.
    """
    from oneshot.methods.base import MetaOptimizer  # imported here because names alone need no torch

    known = f"the methods are {', '.join([*METHODS, *PUBLISHED_METHODS])}, and MODULE:CLASS of a custom one"
    if isinstance(name, str) and name in PUBLISHED_METHODS:
        name = PUBLISHED_METHODS[name].method
    if not isinstance(name, str) or (name not in METHODS and ":" not in name):
        close = get_close_matches(str(name), [*METHODS, *PUBLISHED_METHODS])
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise ConfigError(f"unknown method {name!r}; {hint}{known}")
    module, attribute = METHODS.get(name, name).split(":", 1)
    try:
        method = getattr(import_module(module), attribute)
    except (ImportError, ValueError, AttributeError) as error:
        raise ConfigError(f"cannot load the method {name!r}: {error}; {known}") from None
    if not isinstance(method, type) or not issubclass(method, MetaOptimizer):
        raise ConfigError(f"{name} is not a subclass of oneshot.methods.base.MetaOptimizer; {known}")
    return method
