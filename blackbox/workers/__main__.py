"""The command of a search with many workers: `python -m blackbox.workers`."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from blackbox.algorithms import ALGORITHMS, algorithm
from blackbox.errors import BlackboxError, ConfigError, ObjectiveError, WorkersError
from blackbox.search.fidelity import MultiFidelitySearch
from blackbox.search.space import space_of_table
from blackbox.workers.cluster import local, remote
from blackbox.workers.drive import drive
from blackbox.workers.evaluation import check_objective, evaluation_pool
from blackbox.workers.record import Record, run_kind
from blackbox.workers.settings import PoolConfig, WorkersConfig
from blackbox.workers.tasks import Cells, Jobs
from nasbench.errors import NASBenchError, one_line
from nasbench.runs.command import (
    Command,
    Outcome,
    Parser,
    add_folder_flags,
    carry_out,
    guarded,
    resume_text,
)
from nasbench.runs.folder import RunFolder
from nasbench.runs.progress import Progress
from nasbench.runs.record import present
from nasbench.runs.text import counted, format_table
from nasbench.spaces import get_space

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from blackbox.workers.cluster import DaskPool
    from blackbox.workers.evaluation import Outcome as Evaluated
    from blackbox.workers.tasks import Task, Tasks
    from nasbench.runs.settings import Settings
    from nasbench.spaces import Space

_PROG = "python -m blackbox.workers"
SearchClass = type[Any]  # a Search or a MultiFidelitySearch


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    arguments = sys.argv[1:] if argv is None else argv

    def begin(output: list[str]) -> int:
        has_name = arguments and not arguments[0].startswith("-")
        search_class = algorithm(arguments[0]) if has_name else None
        parser = _parser(arguments, search_class)
        args = parser.parse_args(arguments)
        if search_class is None:
            parser.error("the first argument must be an algorithm, followed by its settings")
        return carry_out(WorkersCommand(parser, search_class), args, output)

    return guarded(begin, _PROG, WorkersCommand.errors)


def _parser(argv: Sequence[str], search_class: SearchClass | None) -> Parser:
    parser = Parser(
        prog=_PROG if search_class is None else f"{_PROG} {argv[0]}",
        usage=None if search_class is not None else f"{_PROG} ALGORITHM --objective MODULE:FUNCTION ...",
        description="One trial of a search on a custom objective, with many workers: processes on this"
        " machine, or the workers of a Dask scheduler, where the package and the objective's module must be"
        " installed.",
    )
    parser.add_argument(
        "algorithm",
        metavar="ALGORITHM",
        help=f"{', '.join(ALGORITHMS)} or module:Class, as the first argument; add --help for its settings",
    )
    if search_class is not None:
        search_class.config_class.add_flags(parser.add_argument_group(search_class.name))
    WorkersConfig.add_flags(parser.add_argument_group("run"))
    workers = parser.add_argument_group("workers (can differ when a run is resumed)")
    PoolConfig.add_flags(workers)
    workers.add_argument(
        "--upload",
        metavar="FILE",
        action="append",
        default=[],
        help="Python file to copy to the scheduler's workers, such as the objective's module",
    )
    workers.add_argument(
        "--keep-going",
        action="store_true",
        help="score failed evaluations -inf and continue (default: stop; --resume retries them)",
    )
    add_folder_flags(
        parser.add_argument_group("files"),
        "new folder for settings, log, failures and summary",
        "folder of a run to resume; --evals can be increased",
    )
    return parser


@dataclass(frozen=True)
class _Experiment:
    """A search and its settings."""

    search_class: SearchClass
    config: Settings
    settings: WorkersConfig

    @property
    def space(self) -> Space:
        return get_space(self.settings.space)

    def tasks(self, record: Record | None = None) -> Tasks:
        """Return the Tasks of the search; with a Record, including the completed ones."""
        settings, search_class, name = self.settings, self.search_class, self.search_class.name
        space, fidelities = space_of_table(self.space), settings.fidelities
        if issubclass(search_class, MultiFidelitySearch):
            if fidelities is None:
                raise ConfigError(f"{name} needs --fidelities, such as 9 or 1,3,9")
            longest = fidelities if len(fidelities) > 1 else fidelities[0]
            rows = () if record is None else record.rows()
            return Jobs(search_class(space, longest, self.config, 0, settings.seed), rows)
        if fidelities is not None:
            raise ConfigError(f"--fidelities cannot be used with {name}, which has no fidelities")
        if search_class.objectives != 1:
            raise ConfigError(
                f"a search with workers must have one objective, {name} has {search_class.objectives}"
            )
        history = None if record is None else record.history()
        return Cells(search_class(space, self.config, 1, settings.seed, history))

    def to_json(self) -> dict[str, Any]:
        """Return the content of config.json."""
        return {
            "algorithm": self.search_class.name,
            "search": self.config.to_json(),
            "run": self.settings.to_json(),
            "table": None,
            **present(),
        }


class WorkersCommand(Command["_Activity"]):
    """The command of one algorithm."""

    errors = (BlackboxError, NASBenchError)
    keeps = "it"
    unsaved = ""

    def __init__(self, parser: Parser, search_class: SearchClass) -> None:
        self.prog = parser.prog
        self._parser = parser
        self._search_class = search_class

    def parser(self, argv: Sequence[str]) -> Parser:
        return self._parser

    @contextmanager
    def open(self, args: argparse.Namespace) -> Iterator[_Activity]:
        place = PoolConfig.from_flags(args)
        if args.upload and place.scheduler is None:
            raise ConfigError("--upload needs --scheduler; workers on this machine have its files already")
        kind = run_kind(issubclass(self._search_class, MultiFidelitySearch))
        with ExitStack() as stack:
            record, unfinished = None, []
            if args.resume is None:
                config = self._search_class.config_class.from_flags(args)
                experiment = _Experiment(self._search_class, config, WorkersConfig.from_flags(args))
                tasks = experiment.tasks()
            else:
                folder = stack.enter_context(RunFolder.resume(args.resume, kind))
                experiment = resumed(folder, self._search_class, args)
                record = Record.resume(folder, experiment.space)
                tasks = experiment.tasks(record)
                unfinished = record.restore(tasks)
                folder.write_record(folder.record | {"run": experiment.settings.to_json()})
            client = stack.enter_context(
                local(cast("int", place.workers))  # None only with a scheduler
                if place.scheduler is None
                else remote(place.scheduler, args.upload)
            )
            objective = str(experiment.settings.objective)  # never None
            pool = evaluation_pool(client, objective, place.workers, place.timeout)
            pool.check(place.patience, check_objective, objective)
            if args.out is not None:
                folder = stack.enter_context(RunFolder.create(args.out, kind, experiment.to_json()))
                record = Record(folder, experiment.space)
            yield _Activity(self.prog, experiment, tasks, pool, record, unfinished, place, args.keep_going)


def resumed(folder: RunFolder, search_class: SearchClass, args: argparse.Namespace) -> _Experiment:
    """Return the search in a folder; raise ConfigError if the flags differ from its settings."""
    from blackbox.kinds.reader import undamaged  # imported here because few runs resume

    with undamaged(folder.path):
        name, table, own, run = (folder.record[part] for part in ("algorithm", "table", "search", "run"))
    if table is not None:
        raise ConfigError(f"{folder.path} is a run on a table; resume it with the algorithm's own command")
    if name != search_class.name:
        raise ConfigError(f"{folder.path} is a run of {one_line(name)}, not of {search_class.name}")
    with undamaged(folder.path):
        config = search_class.config_class.from_json(own, "search")
        settings = WorkersConfig.from_json(run, "run")
    config = config.resumed(search_class.config_class.given(args), WorkersConfig)
    return _Experiment(search_class, config, settings.resumed(WorkersConfig.given(args)))


@dataclass
class _Activity:
    """One search with workers."""

    prog: str
    experiment: _Experiment
    tasks: Tasks
    pool: DaskPool[Evaluated]
    record: Record | None
    unfinished: Sequence[Task]
    place: PoolConfig
    keep_going: bool
    complete: bool = False

    @property
    def path(self) -> Path | None:
        return None if self.record is None else self.record.folder.path

    def run(self, stop: Callable[[], bool]) -> None:
        experiment, tasks, path = self.experiment, self.tasks, self.path
        evals, name = experiment.settings.evals, experiment.search_class.name
        resume = "" if path is None else f"; {resume_text(self.prog, path)}"
        try:
            with Progress(name, "evaluations", evals, done=len(tasks), stop=stop) as progress:
                self.complete = drive(
                    tasks,
                    self.pool,
                    evals,
                    experiment.space.cell,
                    self.record,
                    self.unfinished,
                    keep_going=self.keep_going,
                    patience=self.place.patience,
                    look=lambda *busy: progress.update(len(tasks), lambda: self._detail(*busy)),
                )
                progress.finish()
        except ObjectiveError as error:
            where = "" if path is None else f"; its traceback is in {path}/failures.csv"
            raise ObjectiveError(
                f"{error}{where}; use --keep-going to continue despite failures{resume}"
            ) from None
        except WorkersError as error:
            done = counted(len(tasks), "evaluation")
            raise WorkersError(f"{error}; {done} completed{resume}") from None

    def _detail(self, pending: int, workers: int) -> str:
        best = self.tasks.best() if len(self.tasks) else None
        score = "" if best is None else f", best {best.score:.4g}"
        return f"{pending} pending, {counted(workers, 'worker')}{score}"

    def finish(self, interrupted: bool) -> Outcome:
        experiment, tasks, best = self.experiment, self.tasks, self.tasks.best()
        settings, name = experiment.settings, experiment.search_class.name
        failures = f", {tasks.failures:,} failed" if tasks.failures else ""
        lines = [f"{name} on {settings.objective}: {counted(len(tasks), 'evaluation')}{failures}"]
        rows: list[tuple[str, object]] = [("time on workers [s]", tasks.seconds)]
        incumbent = None
        if best is not None:
            cell = experiment.space.cell(best.code)
            lines.append(f"\nbest: {cell}")
            epochs = [] if best.epochs is None else [("epochs", best.epochs)]
            evaluation = ("found by evaluation", best.evaluation)
            rows = [("index", cell.index), ("score", best.score), *epochs, evaluation, *rows]
            incumbent = {"arch": str(cell), "index": cell.index, **best._asdict()}
            del incumbent["code"]
        summary = {
            "algorithm": name,
            "settings": experiment.config.to_json() | settings.to_json(),
            "complete": self.complete,
            "evaluations": len(tasks),
            "failures": tasks.failures,
            "seconds": tasks.seconds,
            "best": incumbent,
        }
        if self.record is not None:
            self.record.folder.write_summary(summary)
        text = "\n".join([*lines, format_table(("", ""), rows)])
        done = f"{len(tasks):,} of {counted(settings.evals, 'evaluation')}"
        return Outcome(self.complete, text, summary, done)


if __name__ == "__main__":
    sys.exit(main())
