"""The command of a search whose cells are evaluated by many workers: python -m blackbox.workers."""

import sys
from contextlib import ExitStack
from dataclasses import asdict, replace

from blackbox.algorithms import ALGORITHMS, algorithm
from blackbox.cli import agreed, present
from blackbox.errors import BlackboxError, ConfigError, ObjectiveError, RunFolderError, WorkersError
from blackbox.folder import RunFolder
from blackbox.search.fidelity import MultiFidelitySearch
from blackbox.search.space import space_of_table
from blackbox.workers.drive import drive
from blackbox.workers.pool import Pool, local, remote
from blackbox.workers.record import Record
from blackbox.workers.settings import Places, WorkersConfig
from blackbox.workers.tasks import Cells, Jobs
from blackbox.workers.watch import Watch
from nasbench.errors import InvalidArgumentError, NASBenchError, said
from nasbench.runs.command import INTERRUPTED, HeldInterrupt, Parser, call, complain, print_json, print_table
from nasbench.runs.files import quoted
from nasbench.runs.settings import add_flags, given
from nasbench.spaces import space_of

_PROG = "python -m blackbox.workers"


def main(argv=None):
    """The command line; returns the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    errors = (BlackboxError, NASBenchError)
    search_class = None
    if argv and not argv[0].startswith("-"):
        try:
            search_class = algorithm(argv[0])
        except (BlackboxError, NASBenchError) as error:
            complain(f"{_PROG}: error: {error}")
            return 2
    parser = _parser(argv, search_class)
    args = parser.parse_args(argv)
    if search_class is None:
        parser.error("the algorithm comes first, then its settings")
    return call(lambda: _search(f"{_PROG} {argv[0]}", search_class, args), _PROG, errors)


def _parser(argv, search_class):
    parser = Parser(
        prog=_PROG if search_class is None else f"{_PROG} {argv[0]}",
        usage=None if search_class is not None else f"{_PROG} ALGORITHM --objective MODULE:FUNCTION ...",
        description="One trial of a search, on an objective of your own that many workers evaluate at once:"
        " processes of this machine, or those of a Dask scheduler, on which the package and the"
        " objective's module are to be there.",
    )
    parser.add_argument(
        "algorithm",
        metavar="ALGORITHM",
        help=f"{', '.join(ALGORITHMS)}, or module:Class; comes first, and with --help says what it takes",
    )
    if search_class is not None:
        add_flags(parser.add_argument_group(search_class.name), search_class.config_class)
    add_flags(parser.add_argument_group("run"), WorkersConfig)
    places = parser.add_argument_group("workers (may differ when a run goes on)")
    add_flags(places, Places)
    places.add_argument(
        "--upload",
        metavar="FILE",
        action="append",
        default=[],
        help="a file of Python, such as the objective's module, that the scheduler's workers are to have",
    )
    places.add_argument(
        "--keep-going",
        action="store_true",
        help="an evaluation that fails has the score -inf (default: it ends the run; --resume repeats it)",
    )
    files = parser.add_argument_group("files")
    where = files.add_mutually_exclusive_group()
    where.add_argument("--out", metavar="FOLDER", help="a new folder for settings, log, failures, summary")
    where.add_argument("--resume", metavar="FOLDER", help="go on with a run; may raise --evals")
    files.add_argument("--json", action="store_true", help="print the summary as JSON")
    return parser


def _search(prog, search_class, args):
    places = Places(**given(args, Places))
    if args.upload and places.scheduler is None:
        raise ConfigError(
            "--upload is for the workers of a --scheduler; those of this machine have its files"
        )
    with ExitStack() as stack:
        if args.resume is None:
            config = search_class.config_class(**given(args, search_class.config_class))
            settings = WorkersConfig(**given(args, WorkersConfig))
            folder = None
        else:
            folder = stack.enter_context(RunFolder.reopen(args.resume))
            config, settings = _resumed(folder, search_class, args)
        space = space_of(settings.space)
        record, tasks, unfinished = None, _tasks(search_class, config, settings), ()
        if folder is not None:
            record = stack.enter_context(Record.reopen(folder, space))
            tasks = _tasks(search_class, config, settings, record)
            unfinished = record.resume(tasks)
            folder.write_config(folder.read_config() | {"run": asdict(settings)})
        client = stack.enter_context(
            local(places.workers) if places.scheduler is None else remote(places.scheduler, args.upload)
        )
        pool = Pool(client, settings.objective, places.workers, places.timeout)
        interrupt = stack.enter_context(HeldInterrupt())
        pool.check(places.patience, lambda: interrupt.came)
        if args.out is not None and not interrupt.came:
            what = {"algorithm": search_class.name, "search": asdict(config), "run": asdict(settings)}
            what |= {"table": None, **present()}
            jobs = issubclass(search_class, MultiFidelitySearch)
            record = stack.enter_context(Record.create(args.out, what, space, jobs))
        watch = stack.enter_context(Watch(search_class.name, tasks, settings.evals, interrupt))
        go_on = "" if record is None else f"; go on with: {prog} --resume {quoted(record.folder.path)}"
        try:
            complete = not interrupt.came and drive(
                tasks,
                pool,
                settings.evals,
                space.cell,
                record,
                unfinished,
                keep_going=args.keep_going,
                patience=places.patience,
                look=watch.look,
            )
        except ObjectiveError as error:
            where = "" if record is None else f"; {record.folder.path}/failures.csv has its traceback"
            raise ObjectiveError(f"{error}{where}; --keep-going would go on without it{go_on}") from None
        except WorkersError as error:
            raise WorkersError(f"{error}; {len(tasks):,} evaluations are done{go_on}") from None
        summary = _summary(search_class, config, settings, tasks, space, complete)
        if record is not None:
            record.folder.write_summary(summary)
        watch.close()
        _report(args, summary, record)
        if not complete:
            complain(f"interrupted after {len(tasks):,} of {settings.evals:,} evaluations{go_on}")
    return 0 if complete else INTERRUPTED


def _tasks(search_class, config, settings, record=None):
    """The Tasks of a search; with a Record, those that it has are the search's."""
    space, seed = space_of_table(space_of(settings.space)), settings.seed
    if issubclass(search_class, MultiFidelitySearch):
        if settings.fidelities is None:
            raise ConfigError(f"{search_class.name} needs --fidelities, such as 9 or 1,3,9")
        fidelities = settings.fidelities if len(settings.fidelities) > 1 else settings.fidelities[0]
        rows = () if record is None else record.rows()
        return Jobs(search_class(space, fidelities, config, 0, seed), rows)
    if settings.fidelities is not None:
        raise ConfigError(f"{search_class.name} evaluates cells whole; leave --fidelities out")
    if search_class.objectives != 1:
        raise ConfigError(
            f"workers evaluate one objective, and {search_class.name} has {search_class.objectives}"
        )
    history = None if record is None else record.history()
    return Cells(search_class(space, config, 1, seed, history))


def _resumed(folder, search_class, args):
    """The settings of a run to go on with, once they agree with the flags."""
    record = folder.read_config()
    damaged = f"{folder.path}/config.json is damaged or of another version"
    try:
        name, table, own, run = (record[part] for part in ("algorithm", "table", "search", "run"))
    except KeyError as error:
        raise RunFolderError(f"{damaged}: {said(error)}") from None
    if table is not None:
        raise ConfigError(f"{folder.path} is a run on a table; the algorithm's own command goes on with it")
    if name != search_class.name:
        raise ConfigError(f"{folder.path} is a run of {said(name)}, not of {search_class.name}")
    try:
        config, settings = search_class.config_class(**own), WorkersConfig(**run)
    except (TypeError, ConfigError, InvalidArgumentError) as error:
        raise RunFolderError(f"{damaged}: {said(error)}") from None
    asked = given(args, search_class.config_class) | given(args, WorkersConfig)
    raised = agreed(asked, asdict(config) | asdict(settings), settings.limits)
    return config, replace(settings, **raised)


def _summary(search_class, config, settings, tasks, space, complete):
    best = tasks.best()
    found = None
    if best is not None:
        cell = space.cell(best.code)
        found = {"arch": str(cell), "index": cell.index, **best._asdict()}
        del found["code"]
    return {
        "algorithm": search_class.name,
        "settings": asdict(config) | asdict(settings),
        "complete": complete,
        "evaluations": len(tasks),
        "failures": tasks.failures,
        "seconds": tasks.seconds,
        "best": found,
    }


def _report(args, summary, record):
    if args.json:
        print_json(summary)
        return
    objective, best = summary["settings"]["objective"], summary["best"]
    failures = f", {summary['failures']:,} failed" if summary["failures"] else ""
    print(f"{summary['algorithm']} on {objective}: {summary['evaluations']:,} evaluations{failures}")
    rows = [("time at the workers [s]", summary["seconds"])]
    if best is not None:
        print(f"\nbest: {best['arch']}")
        epochs = [] if best["epochs"] is None else [("epochs", best["epochs"])]
        rows = [
            ("index", best["index"]),
            ("score", best["score"]),
            *epochs,
            ("found by evaluation", best["evaluation"]),
            *rows,
        ]
    print_table(("", ""), rows)
    print(f"\n{'not saved; --out FOLDER keeps it' if record is None else f'saved in {record.folder.path}'}")


if __name__ == "__main__":
    sys.exit(main())
