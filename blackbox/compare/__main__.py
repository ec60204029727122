"""Algorithms side by side on one table: `python -m blackbox.compare re rs ls --trials 500 --out FOLDER`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from blackbox.algorithms import ALGORITHMS
from blackbox.cli import conditions_of
from blackbox.compare.chosen import Chosen, agreed, begun
from blackbox.compare.folder import ComparisonFolder, read_record
from blackbox.compare.pool import carry_out
from blackbox.compare.study import Study
from blackbox.compare.text import format_comparison
from blackbox.errors import BlackboxError, ConfigError, MissingDependencyError
from blackbox.kinds.reader import open_table
from blackbox.results import plots
from blackbox.results.comparison import compare
from blackbox.table.settings import RunConfig
from blackbox.workers.settings import SCHEDULER_HELP, checked_scheduler
from nasbench.benchmark import open_benchmark
from nasbench.errors import NASBenchError
from nasbench.runs.command import INTERRUPTED, Parser, call, complain, print_json
from nasbench.runs.files import quoted
from nasbench.runs.settings import add_flags, given, option, whole

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from blackbox.results.comparison import ComparisonResult, Entry
    from blackbox.table.objective import TableObjective

_PROG = "python -m blackbox.compare"
_REGRET, _RANKS = "regret.png", "ranks.png"  # in the folder of a comparison


@dataclass(frozen=True)
class ComparisonConfig(RunConfig):
    """What is common to all algorithms: as a single one is told it, but with more trials."""

    trials: int = option(100, "independent trials of each algorithm")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = Parser(
        prog=_PROG,
        description="Searches on one table, many trials of each: regret with confidence intervals, how long"
        " it takes to come close to the optimum, tests of each pair, average ranks.",
    )
    parser.add_argument(
        "algorithms",
        metavar="ALGORITHM",
        nargs="*",
        help=f"of {', '.join(ALGORITHMS)}, or MODULE:CLASS; settings follow after a colon, as in"
        " re:population=10,sample=3; or the folder of a run, such as runs/evolution",
    )
    add_flags(parser.add_argument_group("common to all"), ComparisonConfig)
    files = parser.add_argument_group("files and processes")
    files.add_argument("--store", metavar="FILE", help="a store that `python -m nasbench build` made")
    where = files.add_mutually_exclusive_group()
    where.add_argument(
        "--out",
        metavar="FOLDER",
        help="a folder for a run of each algorithm, what was found, and pictures; where the same comparison"
        " was begun in it, that goes on",
    )
    where.add_argument("--resume", metavar="FOLDER", help="go on with a comparison; it knows all settings")
    files.add_argument(
        "--workers",
        metavar="N",
        type=int,
        help="processes (default: one per core; with --scheduler, all workers)",
    )
    files.add_argument("--scheduler", metavar="ADDRESS|FILE", help=SCHEDULER_HELP)
    files.add_argument("--plot", metavar="FILE", help="draw regret with confidence bands (.png, .svg, .pdf)")
    files.add_argument("--plot-ranks", metavar="FILE", help="draw average ranks and the critical difference")
    files.add_argument("--json", action="store_true", help="print the findings as JSON")
    args = parser.parse_args(argv)
    return call(lambda: _command(args), _PROG, (BlackboxError, NASBenchError))


def _command(args: argparse.Namespace) -> int:
    workers = None if args.workers is None else whole("workers", args.workers, 1)
    scheduler = None if args.scheduler is None else checked_scheduler(args.scheduler)
    for path, flag in ((args.plot, "--plot"), (args.plot_ranks, "--plot-ranks")):
        if path is not None:
            plots.check(path, flag)
    chosen, settings, store = _asked(args)
    runs = chosen.runs
    bench = open_table(runs[0], store) if runs else open_benchmark(store, settings.space)
    settings, objective = begun(chosen, settings, bench)
    with ExitStack() as stack:
        study = Study(chosen.specs, settings, store and str(Path(store).absolute()))
        folder, out = None, args.resume if args.out is None else args.out
        if out is not None:
            record = {"algorithms": chosen.texts, **conditions_of(settings, store, bench)}
            folder = stack.enter_context(ComparisonFolder(out, record, bench))
            study = replace(study, folder=folder.path, created=folder.record["created"])
        found = carry_out(study, workers, scheduler) if study.specs else []
        if found is None:
            again = "--out FOLDER would have kept what was done"
            if folder is not None:
                again = f"go on with: {_PROG} --resume {quoted(folder.path)}"
            complain(f"interrupted; {again}")
            return INTERRUPTED
        entries = list(chosen.entries(study, found))
        result = compare(entries, objective, bench, settings)
        if folder is not None:
            folder.finish(result.to_json())
        if args.json:
            print_json(result.to_json())
        else:
            print(format_comparison(result))
            kept = "not saved; --out FOLDER keeps all trials" if folder is None else f"saved in {folder.path}"
            print(f"\n{kept}")
        _draw(args, folder, entries, objective, result)
    return 0


def _asked(args: argparse.Namespace) -> tuple[Chosen, RunConfig, str | None]:
    """Return what to compare, the settings, and the store's path: from flags, or from a folder to resume."""
    flags = given(args, ComparisonConfig)
    if args.resume is None:
        if not args.algorithms:
            raise ConfigError(f"name the algorithms to compare, such as: {_PROG} re rs --trials 500")
        chosen = Chosen.of(args.algorithms)
        return (
            chosen,
            chosen.settings(flags if chosen.runs else asdict(ComparisonConfig(**flags))),
            args.store,
        )
    record = read_record(args.resume)
    if args.algorithms:
        raise ConfigError(
            f"{args.resume} knows its algorithms, {' '.join(record['algorithms'])}; leave them out"
        )
    settings = agreed(RunConfig(**record["run"]), flags, args.resume)
    store = record["table"]["store"] if args.store is None else args.store
    return Chosen.of(record["algorithms"]), settings, store


def _draw(
    args: argparse.Namespace,
    folder: ComparisonFolder | None,
    entries: Sequence[Entry],
    objective: TableObjective,
    result: ComparisonResult,
) -> None:
    """Draw what was asked for, and if there is a folder, what belongs into it."""
    settings = result.settings
    regret, ranks = [(args.plot, "--plot")], [(args.plot_ranks, "--plot-ranks")]
    if folder is not None:
        try:
            plots.check(str(folder.path / _REGRET), "a picture in --out")
            regret.append((str(folder.path / _REGRET), "--out"))
            ranks.append((str(folder.path / _RANKS), "--out"))
        except MissingDependencyError as error:
            complain(f"note: the folder has no pictures: {error}")
    title = f"{objective.dataset} {objective.metric}"
    title += "" if objective.sees_the_metric else f", signal {objective.signal}"
    unit, drawn = objective.target.unit, []
    for path, flag in regret:
        if path is not None:
            limits = settings.evals, settings.budget
            plots.save(plots.comparison_figure(entries, objective.targets, title, unit, *limits), path, flag)
            drawn.append(path)
    for path, flag in ranks:
        if path is not None and result.ranks is not None:
            over = f"{title}: average ranks over {settings.trials:,} trials"
            plots.save(plots.ranks_figure(result.ranks, over), path, flag)
            drawn.append(path)
    if args.plot_ranks is not None and result.ranks is None:
        complain("note: no picture of ranks, which need two algorithms and two trials or more")
    if drawn and not args.json:
        print(f"picture{'' if len(drawn) == 1 else 's'} in {', '.join(drawn)}")


if __name__ == "__main__":
    sys.exit(main())
