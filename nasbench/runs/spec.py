"""Settings as text, such as `population=10,sample=3` in `re:population=10,sample=3`."""

from argparse import ArgumentTypeError
from collections.abc import Mapping
from dataclasses import Field
from typing import Any

from nasbench.errors import ConfigError

_TRUTHS = {"true": True, "false": False}
_RULES = {int: "an integer", float: "a number"}
Options = Mapping[str, Field[Any]]


def parse_settings(text: str, options: Options, name: str, whole: str) -> dict[str, Any]:  # of options' types
    """Return the values of comma-separated settings; raise ConfigError if they are invalid.

    The name of a boolean alone means true. A piece without a name continues the previous value, as in
    `fidelities=12,200`. `options` are the possible settings by name; errors mention their owner `name` and
    the complete text `whole`.
    """
    given: dict[str, str] = {}
    for piece in text.split(",") if text else ():
        key, is_set, value = piece.partition("=")
        if not is_set and key not in options and given:
            last = next(reversed(given))
            given[last] += f",{piece}"
            continue
        if key not in options:
            known = ", ".join(options) or "none"
            raise ConfigError(f"{name} has no setting {key!r}; its settings are: {known}")
        if key in given:
            raise ConfigError(f"{whole} has {key} twice")
        if not is_set and options[key].metadata["type"] is not bool:
            raise ConfigError(f"{key} needs a value, {key}=..., in {whole}")
        given[key] = value if is_set else "true"
    return {key: _value(options[key], value, name) for key, value in given.items()}


def _value(option: Field[Any], text: str, name: str) -> Any:  # of the option's type
    """Return the value of a setting from its text."""
    kind, choices = option.metadata["type"], option.metadata["choices"]
    allowed = choices or (_TRUTHS if kind is bool else None)
    rule = " or ".join(map(str, allowed)) if allowed else _RULES.get(kind, "of another type")
    try:
        value = _TRUTHS[text] if kind is bool else kind(text)
    except ArgumentTypeError as error:
        raise ConfigError(f"{option.name} of {name}: {error}") from None
    except (ValueError, TypeError, KeyError):
        value = None
    if value is None or (choices is not None and value not in choices):
        raise ConfigError(f"{option.name} of {name} must be {rule}, got {text!r}")
    return value


def format_setting(name: str, value: object) -> str:
    """Return a setting as text in the form that `parse_settings` reads."""
    if isinstance(value, bool):
        return name if value else f"{name}=false"
    return f"{name}={','.join(map(str, value)) if isinstance(value, (tuple, list)) else value}"
