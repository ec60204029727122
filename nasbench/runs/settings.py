"""Settings as frozen dataclasses: checks, command line, JSON, and what may change when a run is resumed."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any, Literal, Self, TypeVar, Unpack

from nasbench.errors import ConfigError, InvalidArgumentError, said, shown
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
    """Define a dataclass field that is also a flag: `--name`, with its help text.

    `type`: makes the value from a flag's text (default: the type of `default`); `choices`: the values
    allowed; `metavar`: the value's name in the help (default: N for an integer, else the field's name);
    `repeat`: the flag can be given several times, and the value is a list; `on_resume`: whether the option of
    a run that is resumed must stay as it is, can only be raised, or is free; `bounds`: of a number, which
    `Settings` checks.
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
    """Base of all settings, frozen dataclasses of options; checks the options when it is created.

    >>> @dataclass(frozen=True)
    ... class Tournament(Settings):
    ...     sample: int = option(10, "cells per tournament", at_least=1)
    ...     trials: int = option(1, "independent trials", at_least=1, on_resume="raise")
    >>> Tournament(sample=0)
    Traceback (most recent call last):
        ...
    nasbench.errors.ConfigError: sample is a whole number of at least 1, got 0
    >>> Tournament.from_json({"sample": 5, "trials": 1}, "search").resumed({"trials": 3})
    Tournament(sample=5, trials=3)

    An option is checked by its type: an integer with bounds, a number with bounds, a boolean, a string, a
    choice; None is allowed where it is the default. A subclass checks the rest, such as what two options have
    to do with each other, in its own `__post_init__`, which calls this one's.
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
        """Add a flag for each option to a parser; one that is not given is absent from the result.

        `leave_out`: options that get no flag.
        """
        for f in (f for f in fields(cls) if f.name not in leave_out):
            kind, choices = f.metadata["type"], f.metadata["choices"]
            flag: dict[str, Any] = {"action": argparse.BooleanOptionalAction}  # keywords of any type
            if kind is not bool:
                usual = None if choices else "N" if kind is int else f.name.upper()
                flag = {"type": kind, "choices": choices, "metavar": f.metadata["metavar"] or usual}
                flag["action"] = "append" if f.metadata["repeat"] else "store"
            text = f.metadata["help"] + _notes(f)
            parser.add_argument(flag_of(f.name), default=argparse.SUPPRESS, help=text, **flag)

    @classmethod
    def given(cls, args: argparse.Namespace) -> dict[str, Any]:
        """Return the options that were given on the command line."""
        return {f.name: vars(args)[f.name] for f in fields(cls) if f.name in vars(args)}

    @classmethod
    def raisable(cls) -> tuple[str, ...]:
        """Return the options that may be raised when a run is resumed."""
        return tuple(f.name for f in fields(cls) if f.metadata["on_resume"] == "raise")

    @classmethod
    def from_flags(cls, args: argparse.Namespace) -> Self:
        """Return the settings that the command line gives, defaults elsewhere."""
        return cls(**cls.given(args))

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: object, where: str, *, complete: bool = False) -> Self:
        """Return recorded settings; ConfigError if they are not settings of this class.

        `where`: the name of their part of the file; `complete`: whether all options must be recorded, because
        a default is not what the run had.
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
            raise ConfigError(said(error)) from None

    def resumed(self, given: Mapping[str, Any], *others: type["Settings"]) -> Self:
        """Return the settings of a run that is resumed with the options `given` now.

        ConfigError if one differs that must not. `others`: further classes whose options the command has,
        for what the error says may differ.
        """
        changed = {}
        rules = {f.name: f.metadata["on_resume"] for f in fields(self)}
        for name, value in given.items():
            before = getattr(self, name)
            is_raised = rules[name] == "raise" and before is not None and value > before
            if is_raised or rules[name] == "free":
                changed[name] = value
            elif value != before:
                flag = flag_of(f"no_{name}" if value is False else name)
                shown_value = "" if isinstance(value, bool) else f" {setting_text(value)}"
                raise ConfigError(
                    f"{flag}{shown_value} is not the run's, {setting_text(before)}"
                    f"{_changeable([type(self), *others])}"
                )
        return type(self)(**{f.name: changed.get(f.name, getattr(self, f.name)) for f in fields(self)})


def _changeable(classes: Sequence[type[Settings]]) -> str:
    """Return which options of a resumed run may change, as the end of a message."""
    rules: dict[str, list[str]] = {"raise": [], "free": [], "fixed": []}
    for f in dict.fromkeys(f for cls in classes for f in fields(cls)):
        rules[f.metadata["on_resume"]].append(flag_of(f.name))
    can = {"raise": "be raised", "free": "differ"}
    texts = [f"only {listed(rules[rule])} may {can[rule]}" for rule in can if rules[rule]]
    return f"; {', '.join(texts)}" if texts else ""


def setting_text(value: object) -> str:
    """Return the value of an option as text; a tuple as its items."""
    return (",".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value)


def listed(words: Sequence[str], last: str = "and") -> str:
    """Return words as a list in a sentence: `a, b and c`."""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def flag_of(name: str) -> str:
    """Return the flag of an option."""
    return f"--{name.replace('_', '-')}"


def _checked(option: Field[Any], value: object) -> object:
    """Return the value of an option as plain int, float, bool or str; an error if it is not allowed."""
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


def _notes(option: Field[Any]) -> str:
    """Return the bounds and the default of an option, in brackets."""
    bounds = {name: bound for name, bound in option.metadata["bounds"].items() if bound != SEEDS}
    default = "" if option.default in (None, ()) else f"default: {option.default}"
    notes = "; ".join(filter(None, (bounds_text(**bounds), default)))
    return f" ({notes})" if notes else ""
