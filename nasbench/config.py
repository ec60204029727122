"""Settings as frozen dataclasses, their checks, and their command line."""

import argparse
from dataclasses import field, fields

from nasbench.cell import integer
from nasbench.errors import InvalidArgumentError


def option(default, help, type=None, choices=None, metavar=None, repeat=False):
    """A dataclass field that is also a flag: `--name`, with its help text.

    `type`: what makes the value of a flag's text (default: the type of `default`); `choices`: those allowed;
    `metavar`: the value's name in the help (default: the field's); `repeat`: the flag can be given several
    times, and the value is a list.
    """
    metadata = {
        "help": help,
        "type": type or default.__class__,
        "choices": choices,
        "metavar": metavar,
        "action": "append" if repeat else "store",
    }
    return field(default=default, metadata=metadata)


def whole(name, value, least, most=None):
    """The value as an int; InvalidArgumentError unless it is a whole number within the bounds,
    of any integer type."""
    number = integer(value)
    if number is None or number < least or (most is not None and number > most):
        bounds = f"of at least {least:,}" if most is None else f"in [{least:,}, {most:,}]"
        raise InvalidArgumentError(f"{name} is a whole number {bounds}, got {value!r}")
    return number


def add_flags(parser, config_class):
    """Add a flag for each option, without a value for a truth; one not given is absent from the result."""
    for f in fields(config_class):
        flag = f"--{f.name.replace('_', '-')}"
        if f.metadata["type"] is bool:
            parser.add_argument(flag, action="store_true", default=argparse.SUPPRESS, help=f.metadata["help"])
            continue
        default = "" if f.default in (None, ()) else f" (default: {f.default})"
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
