"""Draw the cells of an architecture: `python -m oneshot.draw DARTS_V2 --out cells.svg`."""

import argparse
import sys
from collections.abc import Sequence

from nasbench.errors import NASBenchError
from nasbench.runs.checks import whole
from nasbench.runs.command import Parser, call
from oneshot.draw.render import DPI, LAYOUTS, checked_suffix, figure, save
from oneshot.errors import ConfigError, OneShotError
from oneshot.spaces.architectures import Architecture
from oneshot.spaces.registry import SPACES

_PROG = "python -m oneshot.draw"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = Parser(prog=_PROG, description="Draw the cells of an architecture as a picture for a paper.")
    parser.add_argument(
        "architecture",
        metavar="ARCHITECTURE",
        help="genotype as printed by Liu et al. 2019, pt.darts or AutoDL-Projects; hierarchy; arch string or"
        " index of NAS-Bench-201; JSON of these; published name such as DARTS_V2; or folder of a finished"
        " run",
    )
    parser.add_argument("--out", metavar="FILE", required=True, help="picture to write: .svg, .png or .pdf")
    parser.add_argument("--cell", metavar="TITLE", help="title of the only diagram to draw (default: all)")
    parser.add_argument("--title", help="heading of the picture (default: none)")
    parser.add_argument(
        "--layout",
        choices=LAYOUTS,
        default="auto",
        help="layout: dot uses Graphviz, own needs no program, auto is dot if installed (default: auto)",
    )
    parser.add_argument(
        "--dpi",
        type=int,
        default=DPI,
        metavar="N",
        help=f"pixels per inch of a .png, 20 to 1,200 (default: {DPI})",
    )
    parser.add_argument(
        "--space", choices=sorted(SPACES), help="space that the architecture must belong to (default: any)"
    )
    args = parser.parse_args(argv)
    return call(lambda: _draw(args), _PROG, (OneShotError, NASBenchError))


def _draw(args: argparse.Namespace) -> str:
    """Write the picture and return the text to print."""
    checked_suffix(args.out)
    dpi = whole("dpi", args.dpi, 20, 1_200)
    diagrams = Architecture.parse(args.architecture, args.space, stage=None).diagrams(args.cell)
    drawn = figure(diagrams, args.title, args.layout)
    try:
        save(drawn, args.out, dpi)
    except OSError as error:
        raise ConfigError(f"cannot write {args.out}: {error.strerror}") from None
    titles = ", ".join(diagram.title for diagram in diagrams)
    width, height = drawn.get_size_inches()
    return f"{args.out}: {titles}; {width:.1f} x {height:.1f} inches"


if __name__ == "__main__":
    sys.exit(main())
