"""The methods by the names that commands know them by; each is loaded when it is asked for."""

from importlib import import_module

from oneshot.errors import ConfigError
from oneshot.methods.base import MetaOptimizer

METHODS = {
    "darts": "oneshot.methods.darts:DARTS",
    "gdas": "oneshot.methods.gdas:GDAS",
    "drnas": "oneshot.methods.drnas:DrNAS",
    "rsws": "oneshot.methods.rsws:RSWS",
}


def method_of(name):
    """The MetaOptimizer of a name, or of MODULE:CLASS; ConfigError lists the names.

    >>> method_of("gdas").config_class().tau_max
    10.0
    """
    known = f"the methods are {', '.join(METHODS)}, and MODULE:CLASS of your own"
    if not isinstance(name, str) or (name not in METHODS and ":" not in name):
        raise ConfigError(f"unknown method {name!r}; {known}")
    module, attribute = METHODS.get(name, name).split(":", 1)
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, ValueError, AttributeError) as error:
        raise ConfigError(f"cannot load the method {name!r}: {error}; {known}") from None
    if not isinstance(found, type) or not issubclass(found, MetaOptimizer):
        raise ConfigError(f"{name} is no subclass of oneshot.methods.base.MetaOptimizer; {known}")
    return found
