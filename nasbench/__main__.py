"""The lookup command: `python -m nasbench query | curve | top | info | explore | build`."""

import sys
from collections.abc import Sequence

from nasbench.build.command import BUILD
from nasbench.errors import NASBenchError
from nasbench.explore.command import EXPLORE
from nasbench.lookup import CURVE, INFO, QUERY, TOP
from nasbench.runs.command import Parser, call

_COMMANDS = {
    "query": QUERY,
    "curve": CURVE,
    "top": TOP,
    "info": INFO,
    "explore": EXPLORE,
    "build": BUILD,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` and return the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    parser = Parser(
        prog="python -m nasbench",
        description="Look up cells in published tables of neural architecture search.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, command in _COMMANDS.items():
        flags = commands.add_parser(name, help=command.short, description=command.description)
        if name in argv:  # flags of other commands are not needed
            command.add_flags(flags)
        flags.set_defaults(run=command.run)
    args = parser.parse_args(argv)
    return call(lambda: args.run(args), parser.prog, NASBenchError)


if __name__ == "__main__":
    sys.exit(main())
