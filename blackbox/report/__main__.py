"""The command that shows runs as one HTML file: `python -m blackbox.report runs/* --out report.html`."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from blackbox.compare.record import read_comparison
from blackbox.errors import BlackboxError, ConfigError, RunFolderError
from blackbox.kinds.reader import Run, open_table, read_run
from blackbox.report.gather import gather
from blackbox.report.page import KIND, page
from nasbench.benchmark import Benchmark
from nasbench.errors import NASBenchError
from nasbench.pages.output import check, write
from nasbench.runs.command import Parser, call
from nasbench.runs.notes import complain
from nasbench.runs.text import counted

_PROG = "python -m blackbox.report"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = Parser(
        prog=_PROG,
        description="Runs of searches as one HTML page that works offline: regret, final table, cells,"
        " accuracy against cost. Runs on the same table, data set and metric are compared, others are shown"
        " separately.",
    )
    parser.add_argument("runs", metavar="FOLDER", nargs="+", help="run folder, or folder of run folders")
    parser.add_argument("--out", metavar="FILE", required=True, help="file of the page, .html")
    parser.add_argument("--store", metavar="FILE", help="table, if it was moved since the runs")
    parser.add_argument("--title", help="heading of the page (default: the data sets)")
    parser.add_argument("--force", action="store_true", help="overwrite a file that is not a report")
    args = parser.parse_args(argv)
    return call(lambda: _report(args), _PROG, (BlackboxError, NASBenchError))


def _report(args: argparse.Namespace) -> str:
    """Write the page; return a message for the user."""
    out = Path(args.out)
    check(out, KIND, args.force)
    groups: dict[tuple[Any, ...], tuple[list[Run], Benchmark]] = {}
    for folder in expanded(args.runs):
        try:
            run = read_run(folder)
            bench = open_run_table(run, args.store)
        except RunFolderError as error:
            complain(f"note: skipped {folder}: {error}")
            continue
        settings = run.settings
        limits = settings.at_most, settings.at_least
        key = (bench.store.attributes["checksum"], settings.dataset, settings.metric, *limits)
        groups.setdefault(key, ([], bench))[0].append(run)
    if not groups:
        raise ConfigError(
            "none of the folders is a run folder; python -m blackbox.re --out FOLDER creates one"
        )
    text = page(gather(list(groups.values())), args.title).encode("utf-8", "replace")
    write(out, text)
    runs = sum(len(runs) for runs, _ in groups.values())
    return f"{counted(runs, 'run')} in {out} ({len(text) / 1e6:.1f} MB)"


def open_run_table(run: Run, store: str | None) -> Benchmark:
    """Return the table of a run, from the file `store` or from its recorded path, else RunFolderError."""
    try:
        return open_table(run, store)
    except RunFolderError:
        if store is not None:
            with suppress(RunFolderError):
                return open_table(run)
        raise


def expanded(folders: Iterable[str | Path]) -> list[Path]:
    """Return run folders, each once: the given folders, or the run folders inside of them."""
    by_path: dict[str, Path] = {}
    for folder in map(Path, folders):
        inside: list[Path] = []
        if not os.path.exists(folder / "config.json") and os.path.isdir(folder):
            with suppress(OSError):  # a folder that cannot be listed is returned itself
                inside = sorted(filter(_may_be_a_run, folder.iterdir()), key=_order_in(folder))
        for path in inside or [folder]:
            by_path.setdefault(os.path.realpath(path), path)
    return list(by_path.values())


def _may_be_a_run(folder: Path) -> bool:
    """Return whether a folder is a run folder, or is not readable, which a note reports."""
    return os.path.exists(folder / "config.json") or (
        os.path.isdir(folder) and not os.access(folder, os.X_OK)
    )


def _order_in(folder: Path) -> Callable[[Path], tuple[int, str]]:
    """Return the sort key for the runs in a folder: by name, or in the order of a comparison."""
    names: list[object] = []
    with suppress(RunFolderError, LookupError, TypeError):
        names = [entry["folder"] for entry in read_comparison(folder)["findings"]["algorithms"]]
    return lambda path: (names.index(path.name) if path.name in names else len(names), path.name)


if __name__ == "__main__":
    sys.exit(main())
