"""Settings as frozen dataclasses: checks, command line, JSON, and rules for resuming a run."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any, Literal, Self, TypeVar, Unpack

from nasbench.errors import ConfigError, InvalidArgumentError, one_line, shown
from nasbench.runs.checks import SEEDS, Bounds, bounded, bounds_text, whole

T = TypeVar("T")
OnResume = Literal["fixed", "raise", "free"]


def option(
    default: T,
    help: str,
    *,
    type: Callable[[str], object] | None = None,
    choices: Sequence[object] | None = None,
    metavar: str | None = None,
    repeat: bool = False,
    on_resume: OnResume = "fixed",
    **bounds: Unpack[Bounds],
) -> T:
    """Define a dataclass field that is also a command-line flag, `--name`.

    Parameters
    ----------
    default
        Default value.
    help
        Help text of the flag; bounds and default are appended to it.
    type
        Function that parses the flag's text; by default the type of `default`.
    choices
        Allowed values.
    metavar
        Name of the value in the help; by default N for an integer, else the field's name.
    repeat
        Whether the flag can be repeated; the value is then a list.
    on_resume
        Whether the option of a resumed run is fixed, can only be increased ("raise"), or is free.
    **bounds
        Bounds of a number, which `Settings` checks.
    """
    metadata = {
        "help": help,
        "type": type or default.__class__,
        "choices": choices,
        "metavar": metavar,
        "repeat": repeat,
        "bounds": bounds,
        "on_resume": on_resume,
    }
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """Base class of settings: a frozen dataclass of options, which are checked on creation.

    >>> @dataclass(frozen=True)
    ... class Tournament(Settings):
    ...     sample: int = option(10, "cells per tournament", at_least=1)
    ...     trials: int = option(1, "independent trials", at_least=1, on_resume="raise")
    >>> Tournament(sample=0)
    Traceback (most recent call last):
        ...
    nasbench.errors.ConfigError: sample must be an integer >= 1, got 0
    >>> Tournament.from_json({"sample": 5, "trials": 1}, "search").resumed({"trials": 3})
    Tournament(sample=5, trials=3)

    An option is checked by its type: an integer or a number with bounds, a boolean, a string, or one of its
    choices. None is allowed if it is the default. A subclass checks conditions on several options in its own
    `__post_init__`, which must call this one.

    Raises
    ------
    ConfigError
        If an option has the wrong type or is out of bounds.
    """

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if f.metadata and (value is not None or f.default is not None):
                try:
                    checked = _checked(f, value)
                except InvalidArgumentError as error:
                    raise ConfigError(*error.args) from None
                object.__setattr__(self, f.name, checked)

    @classmethod
    def add_flags(cls, parser: argparse._ActionsContainer, leave_out: Sequence[str] = ()) -> None:
        """Add a flag for each option to a parser; flags that are not given are absent from the result.

        Parameters
        ----------
        parser
            The parser, or an argument group.
        leave_out
            Names of options that get no flag.
        """
        for f in (f for f in fields(cls) if f.name not in leave_out):
            kind, choices = f.metadata["type"], f.metadata["choices"]
            flag: dict[str, Any] = {"action": argparse.BooleanOptionalAction}  # keywords of any type
            if kind is not bool:
                usual = None if choices else "N" if kind is int else f.name.upper()
                flag = {"type": kind, "choices": choices, "metavar": f.metadata["metavar"] or usual}
                flag["action"] = "append" if f.metadata["repeat"] else "store"
            parser.add_argument(format_flag(f.name), default=argparse.SUPPRESS, help=_help(f), **flag)

    @classmethod
    def given(cls, args: argparse.Namespace) -> dict[str, Any]:
        """Return the options that were given on the command line.

        Parameters
        ----------
        args
            Result of a parser with the flags of `add_flags`.

        Returns
        -------
        dict[str, Any]
            Values by name.
        """
        return {f.name: vars(args)[f.name] for f in fields(cls) if f.name in vars(args)}

    @classmethod
    def raisable(cls) -> tuple[str, ...]:
        """Return the options that can be increased when a run is resumed.

        Returns
        -------
        tuple[str, ...]
            Names of options.
        """
        return tuple(f.name for f in fields(cls) if f.metadata["on_resume"] == "raise")

    @classmethod
    def from_flags(cls, args: argparse.Namespace) -> Self:
        """Return the settings from the command line, with defaults for options that were not given.

        Parameters
        ----------
        args
            Result of a parser with the flags of `add_flags`.

        Returns
        -------
        Self
            The settings.

        Raises
        ------
        ConfigError
            If an option has the wrong type or is out of bounds.
        """
        return cls(**cls.given(args))

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain values.

        Returns
        -------
        dict[str, Any]
            Values by name.
        """
        return asdict(self)

    @classmethod
    def from_json(cls, value: object, where: str, *, complete: bool = False) -> Self:
        """Return recorded settings.

        Parameters
        ----------
        value
            Part of a record, as `to_json` returns it.
        where
            Name of that part in errors.
        complete
            Whether all options must be recorded, because a missing one does not mean the default.

        Returns
        -------
        Self
            The settings.

        Raises
        ------
        ConfigError
            If `value` does not hold settings of this class.
        """
        if not isinstance(value, dict):
            raise ConfigError(f"{where} is {shown(value)}")
        names = [f.name for f in fields(cls)]
        unknown = sorted(value.keys() - set(names))
        if unknown:
            raise ConfigError(f"{where} has an unknown option {shown(unknown[0])}")
        missing = sorted(set(names) - value.keys())
        if complete and missing:
            raise ConfigError(f"{where} has no {', '.join(missing)}")
        try:
            return cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in value.items()})
        except (TypeError, ValueError, AttributeError, LookupError) as error:
            raise ConfigError(one_line(error)) from None

    def resumed(self, given: Mapping[str, Any], *others: type["Settings"]) -> Self:
        """Return the settings of a resumed run.

        Parameters
        ----------
        given
            Options that are given on resume.
        *others
            Further settings classes of the command, whose changeable options errors also list.

        Returns
        -------
        Self
            New settings.

        Raises
        ------
        ConfigError
            If an option that cannot change differs.
        """
        changed = {}
        rules = {f.name: f.metadata["on_resume"] for f in fields(self)}
        for name, value in given.items():
            before = getattr(self, name)
            is_raised = rules[name] == "raise" and before is not None and value > before
            if is_raised or rules[name] == "free":
                changed[name] = value
            elif value != before:
                unset = f", which was started without {format_flag(name)}"
                recorded = unset if before in (None, ()) else f"'s {_flag_text(name, before)}"
                raise ConfigError(
                    f"{_flag_text(name, value)} differs from the run{recorded}"
                    f"{_changeable([type(self), *others])}"
                )
        return type(self)(**{f.name: changed.get(f.name, getattr(self, f.name)) for f in fields(self)})


def _flag_text(name: str, value: object) -> str:
    """Return an option as it is typed, such as `--seed 3` or `--no-aging`."""
    if isinstance(value, bool):
        return format_flag(name if value else f"no_{name}")
    return f"{format_flag(name)} {setting_text(value)}"


def _changeable(classes: Sequence[type[Settings]]) -> str:
    """Return which options can change when a run is resumed, as the end of a message."""
    rules: dict[str, list[str]] = {"raise": [], "free": [], "fixed": []}
    for f in dict.fromkeys(f for cls in classes for f in fields(cls)):
        rules[f.metadata["on_resume"]].append(format_flag(f.name))
    verbs = {"raise": "increase", "free": "change"}
    texts = [f"{verb} {listed(rules[rule])}" for rule, verb in verbs.items() if rules[rule]]
    return f"; on resume you can only {', and '.join(texts)}" if texts else ""


def setting_text(value: object) -> str:
    """Return the value of an option as text; a tuple as its items, separated by commas."""
    return (",".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value)


def listed(words: Sequence[str], last: str = "and") -> str:
    """Return words as a list in a sentence, such as `a, b and c`."""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def format_flag(name: str) -> str:
    """Return the flag of an option, such as `--min-epochs`."""
    return f"--{name.replace('_', '-')}"


def _checked(option: Field[Any], value: object) -> object:
    """Return the value of an option as a plain int, float, bool or str; raise if it is not allowed."""
    kind, bounds, choices = (option.metadata[name] for name in ("type", "bounds", "choices"))
    if option.metadata["repeat"]:
        return value
    if kind is bool and not isinstance(value, bool):
        expected = "true or false"
    elif choices is not None and value not in choices:
        expected = listed([*map(str, choices)], "or")
    elif kind is str and choices is None and not isinstance(value, str):
        expected = "a string"
    elif not bounds:
        return value
    elif kind is int:
        return whole(option.name, value, bounds.get("at_least", 0), bounds.get("at_most"))
    else:
        number = bounded(option.name, value, **bounds)
        return value if type(value) in (int, float) else number
    raise ConfigError(f"{option.name} must be {expected}, got {shown(value)}")


def _help(option: Field[Any]) -> str:
    """Return the help of an option, with its bounds and its default in parentheses at the end."""
    bounds = {name: bound for name, bound in option.metadata["bounds"].items() if bound != SEEDS}
    text, _, default = option.metadata["help"].partition(" (default: ")  # a default in words
    if not default and option.default not in (None, (), ""):
        default = f"{option.default})"
    notes = "; ".join(filter(None, (bounds_text(**bounds), default and f"default: {default[:-1]}")))
    return f"{text} ({notes})" if notes else text
