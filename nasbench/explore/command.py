"""The command that writes a table as an interactive page: `python -m nasbench explore`."""

import argparse
from pathlib import Path

from nasbench.benchmark import open_benchmark
from nasbench.metrics import DATASETS
from nasbench.runs.command import Subcommand
from nasbench.runs.notes import complain
from nasbench.spaces import add_space_flag


def _add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", metavar="FILE", required=True, help="HTML file to write")
    parser.add_argument("--dataset", metavar="NAME", help=f"data set: {', '.join(DATASETS)} (default: all)")
    parser.add_argument(
        "--metrics",
        metavar="METRIC[@EPOCHS]",
        nargs="+",
        default=[],
        help="metrics of the page, such as val_accuracy val_accuracy@12 params (default: all that fit in"
        " 6 MB)",
    )
    parser.add_argument(
        "--store", metavar="FILE", help="store written by `build` (default: the default table)"
    )
    add_space_flag(parser)
    parser.add_argument("--title", help="heading of the page (default: name of the space)")
    parser.add_argument("--force", action="store_true", help="overwrite a file that is not an explorer page")


def _explore(args: argparse.Namespace) -> str:
    from nasbench.explore.columns import select  # imported here because lookups do not need them
    from nasbench.explore.page import KIND, left_text, page
    from nasbench.pages.output import check, write

    out = Path(args.out)
    check(out, KIND, args.force)
    bench = open_benchmark(args.store, args.space)
    columns = select(bench, args.dataset, args.metrics)
    text = page(bench, columns, args.title).encode("utf-8", "replace")
    write(out, text)
    if columns.left:
        complain(f"note: {left_text(columns)}")
    if not columns.accuracies:
        across, up = columns.start()
        complain(f"note: the page has no accuracy; it starts with {up.label} against {across.label}")
    metrics, size = len(columns.shown), len(text) / 1e6
    cells = f"{bench.space.cells:,} cells with {metrics} metrics"
    return f"{cells} in {out} ({size:.1f} MB)\nopen it: {out.resolve().as_uri()}"


EXPLORE = Subcommand(
    _add_flags,
    _explore,
    "write the table as an interactive page",
    "Write the table as one HTML page: any metric against any other, Pareto front, filters, cells with their"
    " neighbours. It needs no network.",
)
