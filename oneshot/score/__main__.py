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
        description="Score a finished search: how its supernet ranks cells, how the cell found ranks in the"
        " benchmark, and what black-box search finds at the same cost.",
    )
    parser.add_argument("run", metavar="FOLDER", help="run folder of python -m oneshot.search --out")
    ScoreConfig.add_flags(parser)
    parser.add_argument(
        "--against",
        metavar="FOLDER",
        help="run folder of a black-box search to compare with (default: run blackbox.rs and blackbox.re)",
    )
    parser.add_argument(
        "--no-blackbox", action="store_true", help="do not run black-box searches to compare with"
    )
    parser.add_argument("--device", help="device: cpu, cuda or cuda:N (default: cuda if available, else cpu)")
    parser.add_argument("--store", metavar="FILE", help="table (default: the table that scored the run)")
    parser.add_argument("--folder", help="folder of the data sets' archives (default: the run's)")
    parser.add_argument(
        "--download", action="store_true", help="download a missing data set, if no login is needed"
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
        download=args.download,
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
