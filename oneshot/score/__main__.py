"""Score a finished search: `python -m oneshot.score runs/digits`."""

import argparse
import sys
from collections.abc import Sequence

from data.errors import DataError
from nasbench.errors import NASBenchError
from nasbench.runs.command import Parser, call
from nasbench.runs.files import to_json
from nasbench.runs.notes import complain
from oneshot.errors import OneShotError
from oneshot.score.result import format_result
from oneshot.score.scoring import SCORE, score
from oneshot.score.settings import ScoreConfig

_PROG = "python -m oneshot.score"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = Parser(
        prog=_PROG,
        description="Score a finished search: how its supernet ranks cells, where the cell that it found"
        " stands in the benchmark, and what black-box search finds for the same cost.",
    )
    parser.add_argument(
        "run", metavar="FOLDER", help="of the search, which python -m oneshot.search --out made"
    )
    ScoreConfig.add_flags(parser)
    parser.add_argument(
        "--against",
        metavar="FOLDER",
        help="of a black-box search to compare with (default: blackbox.rs and blackbox.re are run)",
    )
    parser.add_argument(
        "--no-blackbox", action="store_true", help="run no black-box searches to compare with"
    )
    parser.add_argument("--device", help="cpu, cuda or cuda:N (default: cuda where there is one, else cpu)")
    parser.add_argument(
        "--store", metavar="FILE", help="the table (default: the one that the run was scored by)"
    )
    parser.add_argument(
        "--folder", help="where the data sets' archives are (default: where the run found them)"
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    args = parser.parse_args(argv)
    return call(lambda: _score(args), _PROG, (OneShotError, NASBenchError, DataError))


def _score(args: argparse.Namespace) -> str:
    """Score the run and return the text to print."""
    result = score(
        args.run,
        ScoreConfig.from_flags(args),
        device=args.device,
        store=args.store,
        folder=args.folder,
        against=args.against,
        blackbox=not args.no_blackbox,
        progress=True,
    )
    if result.picture is None:
        complain("no picture: it needs matplotlib: pip install matplotlib")
    if args.json:
        return to_json(result.to_json())
    saved = SCORE if result.picture is None else f"{SCORE}, {result.picture}"
    return f"{format_result(result)}\n\nsaved in {args.run}: {saved}"


if __name__ == "__main__":
    sys.exit(main())
