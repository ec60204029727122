"""The methods by the names that commands know them by; a method is loaded when it is asked for."""

from importlib import import_module

from oneshot.errors import ConfigError

METHODS = {
    "darts": "oneshot.optimizers.darts:DARTS",
    "gdas": "oneshot.optimizers.gdas:GDAS",
    "drnas": "oneshot.optimizers.drnas:DrNAS",
    "rsws": "oneshot.optimizers.rsws:RSWS",
}


def method_of(name):
    """The MetaOptimizer of a name; ConfigError lists the names.

    >>> method_of("gdas").config_class().tau_max
    10.0
    """
    if not isinstance(name, str) or name not in METHODS:
        raise ConfigError(f"unknown method {name!r}; the methods are {', '.join(METHODS)}")
    module, attribute = METHODS[name].split(":")
    return getattr(import_module(module), attribute)
