"""Settings as frozen dataclasses, and their command line."""

import argparse
from dataclasses import MISSING, field, fields


def option(default, help, type=None, choices=None):
    """A dataclass field that is also a flag: `--name`, with its help text.

    `type`: what makes the value of a flag's text (default: the type of `default`); `choices`: those allowed.
    """
    type = type or default.__class__
    return field(default=default, metadata={"help": help, "type": type, "choices": choices})


def add_flags(parser, config_class):
    """Add a flag for each option; one that is not given is absent from the result."""
    for f in fields(config_class):
        default = "" if f.default is None or f.default is MISSING else f" (default: {f.default})"
        parser.add_argument(
            f"--{f.name.replace('_', '-')}",
            type=f.metadata["type"],
            choices=f.metadata["choices"],
            default=argparse.SUPPRESS,
            metavar=None if f.metadata["choices"] else f.name.upper(),
            help=f.metadata["help"] + default,
        )


def given(args, config_class):
    """The options that were given on the command line, a dict."""
    return {f.name: vars(args)[f.name] for f in fields(config_class) if f.name in vars(args)}
