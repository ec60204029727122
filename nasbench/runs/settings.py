"""Settings as frozen dataclasses, their checks, and their command line."""

import argparse
import numbers
from dataclasses import field, fields

from nasbench.cell import integer
from nasbench.errors import InvalidArgumentError, shown

LARGEST = 10_000_000  # of how many there may be; more would only take memory and time without end
MANY = 100_000  # of how many there may be at once, each in memory
SEEDS = 2**63 - 1


def option(default, help, type=None, choices=None, metavar=None, repeat=False, negatable=False):
    """A dataclass field that is also a flag: `--name`, with its help text.

    `type`: what makes the value of a flag's text (default: the type of `default`); `choices`: those allowed;
    `metavar`: the value's name in the help (default: the field's); `repeat`: the flag can be given several
    times, and the value is a list; `negatable`: a truth also has the flag `--no-name`.
    """
    metadata = {
        "help": help,
        "type": type or default.__class__,
        "choices": choices,
        "metavar": metavar,
        "action": argparse.BooleanOptionalAction if negatable else "append" if repeat else "store",
    }
    return field(default=default, metadata=metadata)


def whole(name, value, least, most=None):
    """Return the value as an int; InvalidArgumentError unless it is an integer within the bounds.

    `most`: None for `LARGEST`.
    """
    number = integer(value)
    if most is None and number is not None and number > LARGEST:
        most = LARGEST
    if number is None or number < least or (most is not None and number > most):
        bounds = f"of at least {least:,}" if most is None else f"in [{least:,}, {most:,}]"
        raise InvalidArgumentError(f"{name} is a whole number {bounds}, got {shown(value)}")
    return number


def finite(value: object) -> float | None:
    """Return a number of any real type as a float; None if it is infinite, NaN or no number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        number = float(value)
    except OverflowError:  # an int of more than 308 digits
        return None
    return number if abs(number) < float("inf") else None


def add_flags(parser, config_class):
    """Add a flag for each option, without a value for a truth; one not given is absent from the result."""
    for f in fields(config_class):
        flag = f"--{f.name.replace('_', '-')}"
        default = "" if f.default in (None, ()) else f" (default: {f.default})"
        if f.metadata["type"] is bool:
            negatable = f.metadata["action"] is argparse.BooleanOptionalAction
            action, default = (f.metadata["action"], default) if negatable else ("store_true", "")
            text = f.metadata["help"] + default
            parser.add_argument(flag, action=action, default=argparse.SUPPRESS, help=text)
            continue
        parser.add_argument(
            flag,
            action=f.metadata["action"],
            type=f.metadata["type"],
            choices=f.metadata["choices"],
            default=argparse.SUPPRESS,
            metavar=f.metadata["metavar"] or (None if f.metadata["choices"] else f.name.upper()),
            help=f.metadata["help"] + default,
        )


def given(args, config_class):
    """The options that were given on the command line, a dict."""
    return {f.name: vars(args)[f.name] for f in fields(config_class) if f.name in vars(args)}
