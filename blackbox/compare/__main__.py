"""Algorithms side by side on one table: `python -m blackbox.compare re rs ls --trials 500 --out FOLDER`."""

import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from blackbox.algorithms import ALGORITHMS
from blackbox.cli import conditions_of
from blackbox.compare.chosen import Chosen, agreed, begun
from blackbox.compare.folder import ComparisonFolder, read_record
from blackbox.compare.pictures import plot_ranks, plot_regret
from blackbox.compare.pool import carry_out
from blackbox.compare.study import Study
from blackbox.compare.text import print_findings
from blackbox.errors import BlackboxError, ConfigError, MissingDependencyError
from blackbox.kinds.reader import open_table
from blackbox.results import plots as plot
from blackbox.results.comparison import findings
from blackbox.table.settings import RunConfig
from blackbox.workers.settings import SCHEDULER_HELP, checked_scheduler
from nasbench.benchmark import open_benchmark
from nasbench.errors import NASBenchError
from nasbench.runs.command import INTERRUPTED, Parser, call, complain, print_json
from nasbench.runs.files import quoted
from nasbench.runs.settings import add_flags, given, option, whole

_PROG = "python -m blackbox.compare"
_REGRET, _RANKS = "regret.png", "ranks.png"  # in the folder of a comparison


@dataclass(frozen=True)
class ComparisonConfig(RunConfig):
    """What is common to all algorithms: as a single one is told it, but with more trials."""

    trials: int = option(100, "independent trials of each algorithm")


def main(argv=None):
    """The command; returns the exit code."""
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


def _command(args):
    workers = None if args.workers is None else whole("workers", args.workers, 1)
    scheduler = None if args.scheduler is None else checked_scheduler(args.scheduler)
    for path, flag in ((args.plot, "--plot"), (args.plot_ranks, "--plot-ranks")):
        if path is not None:
            plot.check(path, flag)
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
        common = {name: value for name, value in asdict(settings).items() if name != "seed"}
        shown = {"settings": common, **findings(entries, objective, bench, settings)}
        if folder is not None:
            folder.finish(shown)
        if args.json:
            print_json(shown)
        else:
            print_findings(shown)
            kept = "not saved; --out FOLDER keeps all trials" if folder is None else f"saved in {folder.path}"
            print(f"\n{kept}")
        _draw(args, folder, entries, objective, shown)
    return 0


def _asked(args):
    """What is to be compared, the settings, and the store's path: from flags, or a folder to go on with."""
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


def _draw(args, folder, entries, objective, shown):
    """Draw what was asked for, and where there is a folder, what belongs into it."""
    settings = shown["settings"]
    regret, ranks = [(args.plot, "--plot")], [(args.plot_ranks, "--plot-ranks")]
    if folder is not None:
        try:
            plot.check(str(folder.path / _REGRET), "a picture in --out")
            regret.append((str(folder.path / _REGRET), "--out"))
            ranks.append((str(folder.path / _RANKS), "--out"))
        except MissingDependencyError as error:
            complain(f"note: the folder has no pictures: {error}")
    title = f"{objective.dataset} {objective.metric}"
    title += "" if objective.sees_the_metric else f", signal {objective.signal}"
    drawn = []
    for path, flag in regret:
        if path is not None:
            limits = settings["evals"], settings["budget"]
            plot_regret(path, entries, objective.targets, title, objective.target.unit, *limits, flag)
            drawn.append(path)
    for path, flag in ranks:
        if path is not None and shown["ranks"] is not None:
            of = f"{title}: average ranks over {settings['trials']:,} trials"
            plot_ranks(path, shown["ranks"], of, flag)
            drawn.append(path)
    if args.plot_ranks is not None and shown["ranks"] is None:
        complain("note: no picture of ranks, which need two algorithms and two trials or more")
    if drawn and not args.json:
        print(f"picture{'' if len(drawn) == 1 else 's'} in {', '.join(drawn)}")


if __name__ == "__main__":
    sys.exit(main())
