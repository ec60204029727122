"""The command that builds stores from published sources: `python -m nasbench build`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nasbench.runs.command import ListFormatter, Subcommand
from nasbench.runs.notes import complain
from nasbench.runs.text import counted
from nasbench.spaces import add_space_flag

if TYPE_CHECKING:
    from nasbench.build.single import Summary

_SHOWN = 10  # listed missing cells


def _add_flags(parser: argparse.ArgumentParser) -> None:
    from nasbench.build.sources.registry import KINDS  # imported here because lookups do not need it

    parser.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="files or folders, or `default` for the default table; earlier ones take precedence (default:"
        " the default table)",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="store to write (default: the default store in $NASBENCH_HOME, unless data would be lost)",
    )
    parser.add_argument("--force", action="store_true", help="replace an existing store")
    parser.add_argument("--resume", action="store_true", help="continue an interrupted build")
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="number of processes, at least 1 (default: one per processor)",
    )
    parser.add_argument(
        "--kind",
        metavar="KIND",
        choices=KINDS,
        help="format of SOURCE (default: recognized from its content)",
    )
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="COLUMN=...",
        help="meaning of a table column: DATASET:PROTOCOL:METRIC[:SEED]; DATASET:METRIC for metrics of the"
        " network; arch, index, code, naslib (NASLib's tuple) or ops (a key such as 421211) for the cell."
        " Repeat for each column",
    )
    parser.add_argument(
        "--scale",
        type=float,
        metavar="FACTOR",
        help="factor for all accuracies of a table, such as 100 for fractions (default: accuracies must be"
        " percentages)",
    )
    add_space_flag(parser)
    parser.formatter_class = ListFormatter
    parser.epilog = "kinds of sources:\n" + "\n".join(f"  {kind:<14}{text}" for kind, text in KINDS.items())


def _build(args: argparse.Namespace) -> str:
    from nasbench.build import build  # imported here because lookups do not need it

    try:
        summary = build(
            [None if name == "default" and not os.path.exists(name) else name for name in args.sources],
            args.out,
            kind=args.kind,
            workers=args.workers,
            resume=args.resume,
            force=args.force,
            maps=args.map,
            scale=args.scale,
            space=args.space,
            progress=True,
        )
    except KeyboardInterrupt:
        complain(
            "the data read so far is kept next to the store; run the same command with --resume to continue"
        )
        raise
    return "\n".join(f"{label:<10}{text}" for label, text in _rows(summary))


def _rows(summary: Summary) -> Iterator[tuple[str, str]]:
    """Yield the rows of a build's report, each a label and a text."""
    size, seconds = summary.path.stat().st_size / 1e6, summary.seconds
    yield "built", f"{summary.path} ({size:,.1f} MB) in {seconds:,.1f} s"
    yield "from", f"{summary.attributes['source']} {summary.attributes['source_version']}"
    read, missing = summary.cells - len(summary.missing), len(summary.missing)
    before = f", {summary.resumed:,} of them by the interrupted build" if summary.resumed else ""
    yield "read", f"{read:,} of {summary.cells:,} cells{before}"
    if missing:
        some = ", ".join(map(str, summary.missing[:_SHOWN]))
        yield "missing", f"{counted(missing, 'cell')}, by index: {some}{', ...' if missing > _SHOWN else ''}"
    for dataset, protocol, seeds in summary.runs:
        counts = ", ".join(f"{count:,} with seed {seed}" for seed, count in seeds.items())
        yield "runs", f"{dataset}, {counted(protocol, 'epoch')}: {counts}"
    yield from (("checked", line) for line in summary.checked)
    yield from (("note", line) for line in summary.notes)
    for name, first, other, count, largest, index in summary.differences:
        yield "differs", f"{name}: {counted(count, 'value')}, by up to {largest:.6g} (cell {index})"
        yield "", f"{first} takes precedence over {other}"
    yield "checksum", str(summary.attributes["checksum"])


BUILD = Subcommand(
    _add_flags,
    _build,
    "build a store from published sources",
    "Build a store from published sources; it is moved into place atomically.",
)
