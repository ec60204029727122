"""Runs as one HTML file that needs nothing else: `python -m blackbox.report runs/* --out report.html`."""

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
from blackbox.report.page import GENERATOR, page
from nasbench.benchmark import Benchmark
from nasbench.errors import NASBenchError
from nasbench.runs.command import Parser, call
from nasbench.runs.files import make_folder_of, replacing
from nasbench.runs.notes import complain

_PROG = "python -m blackbox.report"
_HEAD = 2000  # bytes of a file, in which a report says that it is one


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = Parser(
        prog=_PROG,
        description="Runs of searches as one HTML page: regret, final table, cells, accuracy against cost. It"
        " needs no network. Runs of one table, data set and metric are compared, others stand apart.",
    )
    parser.add_argument(
        "runs", metavar="FOLDER", nargs="+", help="a run's folder, or a folder of such folders"
    )
    parser.add_argument("--out", metavar="FILE", required=True, help="the page, .html")
    parser.add_argument("--store", metavar="FILE", help="the table, where it is not where the runs had it")
    parser.add_argument("--title", help="the page's heading (default: the data sets)")
    parser.add_argument("--force", action="store_true", help="overwrite a file that is no report")
    args = parser.parse_args(argv)
    return call(lambda: _report(args), _PROG, (BlackboxError, NASBenchError))


def _report(args: argparse.Namespace) -> str:
    """Write the page; return what to print about it."""
    out = Path(args.out)
    check(out, args.force)
    groups: dict[tuple[Any, ...], tuple[list[Run], Benchmark]] = {}
    for folder in expanded(args.runs):
        try:
            run = read_run(folder)
            bench = table_of(run, args.store)
        except RunFolderError as error:
            complain(f"note: skipped {folder}: {error}")
            continue
        settings = run.settings
        limits = settings.at_most, settings.at_least
        key = (bench.store.attributes["checksum"], settings.dataset, settings.metric, *limits)
        groups.setdefault(key, ([], bench))[0].append(run)
    if not groups:
        raise ConfigError(
            "none of the folders is that of a run; python -m blackbox.re --out FOLDER makes one"
        )
    text = page(gather(list(groups.values())), args.title).encode("utf-8", "replace")
    write(out, text)
    runs = sum(len(runs) for runs, _ in groups.values())
    return f"{runs} run{'' if runs == 1 else 's'} in {out} ({len(text) / 1e6:.1f} MB)"


def table_of(run: Run, store: str | None) -> Benchmark:
    """Return the table of a run: that of `--store`, or where the run had it; RunFolderError if neither is."""
    try:
        return open_table(run, store)
    except RunFolderError:
        if store is not None:
            with suppress(RunFolderError):
                return open_table(run)
        raise


def expanded(folders: Iterable[str | Path]) -> list[Path]:
    """Return the folders of runs, each once: those given, and those inside one that is not a run's."""
    found: dict[str, Path] = {}
    for folder in map(Path, folders):
        inside: list[Path] = []
        if not os.path.exists(folder / "config.json") and os.path.isdir(folder):
            with suppress(OSError):  # one that cannot be listed is named as it is
                inside = sorted(filter(_may_be_a_run, folder.iterdir()), key=_order_in(folder))
        for path in inside or [folder]:
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def _may_be_a_run(folder: Path) -> bool:
    """Return whether a folder is a run's, or cannot be looked into: then a note names it."""
    return os.path.exists(folder / "config.json") or (
        os.path.isdir(folder) and not os.access(folder, os.X_OK)
    )


def _order_in(folder: Path) -> Callable[[Path], tuple[int, str]]:
    """Return the key that sorts the runs in a folder: by name, in a comparison's as it lists them."""
    names: list[object] = []
    with suppress(RunFolderError, LookupError, TypeError):
        names = [entry["folder"] for entry in read_comparison(folder)["findings"]["algorithms"]]
    return lambda path: (names.index(path.name) if path.name in names else len(names), path.name)


def check(out: str | Path, force: bool = False) -> None:
    """Raise ConfigError before the work for a file that cannot be written, or is none of ours."""
    if os.path.isdir(out):
        raise ConfigError(f"--out names a file, got the folder {str(out)!r}")
    if os.path.exists(out) and not os.path.isfile(out):
        raise ConfigError(f"--out names a file, got the device or pipe {str(out)!r}")
    if force or not os.path.exists(out):
        return
    try:
        with open(out, "rb") as file:
            ours = GENERATOR.encode() in file.read(_HEAD)
    except OSError as error:
        raise ConfigError(f"--out cannot write {str(out)!r}: {error.strerror}") from None
    if not ours:
        raise ConfigError(f"{str(out)!r} exists and is not a report; --force overwrites it")


def write(out: Path, text: bytes) -> None:
    """Write a file of bytes, whole or not at all; ConfigError where that cannot be."""
    try:
        make_folder_of(out)
        with replacing(out) as temporary:
            temporary.write_bytes(text)
    except OSError as error:
        raise ConfigError(f"--out cannot write {str(out)!r}: {error.strerror}") from None


if __name__ == "__main__":
    sys.exit(main())
