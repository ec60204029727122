"""The command of a search whose cells are evaluated by many workers: python -m blackbox.workers."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from blackbox.algorithms import ALGORITHMS, algorithm
from blackbox.errors import BlackboxError, ConfigError, ObjectiveError, RunFolderError, WorkersError
from blackbox.search.fidelity import MultiFidelitySearch
from blackbox.search.space import space_of_table
from blackbox.workers.cluster import local, remote
from blackbox.workers.drive import drive
from blackbox.workers.evaluation import check_objective, evaluation_pool
from blackbox.workers.record import Record, run_kind
from blackbox.workers.settings import PoolConfig, WorkersConfig
from blackbox.workers.tasks import Cells, Jobs
from nasbench.errors import NASBenchError, said
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
from nasbench.runs.notes import complain
from nasbench.runs.progress import Progress
from nasbench.runs.record import present
from nasbench.runs.text import format_table
from nasbench.spaces import space_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from blackbox.workers.cluster import DaskPool
    from blackbox.workers.evaluation import Outcome as Evaluated
    from blackbox.workers.tasks import Task, Tasks
    from nasbench.runs.settings import Settings

_PROG = "python -m blackbox.workers"
SearchClass = type[Any]  # a Search or a MultiFidelitySearch


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    argv = sys.argv[1:] if argv is None else argv
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
    command = WorkersCommand(f"{_PROG} {argv[0]}", search_class)
    return guarded(lambda output: carry_out(command, args, output), _PROG, command.errors)


def _parser(argv: Sequence[str], search_class: SearchClass | None) -> Parser:
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
        search_class.config_class.add_flags(parser.add_argument_group(search_class.name))
    WorkersConfig.add_flags(parser.add_argument_group("run"))
    workers = parser.add_argument_group("workers (may differ when a run is resumed)")
    PoolConfig.add_flags(workers)
    workers.add_argument(
        "--upload",
        metavar="FILE",
        action="append",
        default=[],
        help="a file of Python, such as the objective's module, that the scheduler's workers are to have",
    )
    workers.add_argument(
        "--keep-going",
        action="store_true",
        help="score failed evaluations -inf and continue (default: stop; --resume retries them)",
    )
    add_folder_flags(
        parser.add_argument_group("files"),
        "a new folder for settings, log, failures, summary",
        "folder of a run to resume; --evals may be raised",
    )
    return parser


@dataclass(frozen=True)
class _Experiment:
    """A search and its settings."""

    search_class: SearchClass
    config: Settings
    settings: WorkersConfig

    @property
    def by_jobs(self) -> bool:
        """Whether it is a multi-fidelity search."""
        return issubclass(self.search_class, MultiFidelitySearch)

    def tasks(self, record: Record | None = None) -> Tasks:
        """Return the Tasks of the search; with a Record, it has those that are done."""
        settings, name = self.settings, self.search_class.name
        space = space_of_table(space_of(settings.space))
        if self.by_jobs:
            if settings.fidelities is None:
                raise ConfigError(f"{name} needs --fidelities, such as 9 or 1,3,9")
            fidelities = settings.fidelities if len(settings.fidelities) > 1 else settings.fidelities[0]
            rows = () if record is None else record.rows()
            return Jobs(self.search_class(space, fidelities, self.config, 0, settings.seed), rows)
        if settings.fidelities is not None:
            raise ConfigError(f"{name} evaluates cells whole; leave --fidelities out")
        if self.search_class.objectives != 1:
            raise ConfigError(
                f"workers evaluate one objective, and {name} has {self.search_class.objectives}"
            )
        history = None if record is None else record.history()
        return Cells(self.search_class(space, self.config, 1, settings.seed, history))

    def to_json(self) -> dict[str, Any]:
        """Return what config.json holds."""
        return {
            "algorithm": self.search_class.name,
            "search": self.config.to_json(),
            "run": self.settings.to_json(),
            "table": None,
            **present(),
        }


class WorkersCommand(Command["_Activity"]):
    """The command for one algorithm."""

    errors = (BlackboxError, NASBenchError)
    keeps = "it"
    unsaved = ""

    def __init__(self, prog: str, search_class: SearchClass) -> None:
        self.prog = prog
        self._search_class = search_class

    def parser(self, argv: Sequence[str]) -> Parser:
        return _parser(argv, self._search_class)

    @contextmanager
    def open(self, args: argparse.Namespace) -> Iterator[_Activity]:
        place = PoolConfig.from_flags(args)
        if args.upload and place.scheduler is None:
            raise ConfigError(
                "--upload is for the workers of a --scheduler; those of this machine have its files"
            )
        with ExitStack() as stack:
            record, unfinished = None, []
            if args.resume is None:
                config = self._search_class.config_class.from_flags(args)
                experiment = _Experiment(self._search_class, config, WorkersConfig.from_flags(args))
                tasks = experiment.tasks()
            else:
                by_jobs = issubclass(self._search_class, MultiFidelitySearch)
                folder = stack.enter_context(RunFolder.resume(args.resume, run_kind(by_jobs)))
                experiment = resumed(folder, self._search_class, args)
                record = stack.enter_context(Record.resume(folder, space_of(experiment.settings.space)))
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
                space = space_of(experiment.settings.space)
                record = stack.enter_context(
                    Record.create(args.out, experiment.to_json(), space, experiment.by_jobs)
                )
            yield _Activity(self.prog, experiment, tasks, pool, record, unfinished, place, args.keep_going)


def resumed(folder: RunFolder, search_class: SearchClass, args: argparse.Namespace) -> _Experiment:
    """Return the search in a folder, once its settings agree with the flags."""
    damaged = f"{folder.path}/config.json is damaged or of another version"
    try:
        name, table, own, run = (folder.record[part] for part in ("algorithm", "table", "search", "run"))
    except KeyError as error:
        raise RunFolderError(f"{damaged}: {said(error)}") from None
    if table is not None:
        raise ConfigError(f"{folder.path} is a run on a table; the algorithm's own command goes on with it")
    if name != search_class.name:
        raise ConfigError(f"{folder.path} is a run of {said(name)}, not of {search_class.name}")
    try:
        config = search_class.config_class.from_json(own, "search")
        settings = WorkersConfig.from_json(run, "run")
    except ConfigError as error:
        raise RunFolderError(f"{damaged}: {said(error)}") from None
    config = config.resumed(search_class.config_class.given(args), WorkersConfig)
    return _Experiment(search_class, config, settings.resumed(WorkersConfig.given(args)))


@dataclass
class _Activity:
    """A search that workers evaluate."""

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
        settings, tasks = self.experiment.settings, self.tasks
        name, resume = self.experiment.search_class.name, ""
        if self.path is not None:
            resume = f"; {resume_text(self.prog, self.path)}"
        try:
            with Progress(name, "evaluations", settings.evals, done=len(tasks), stop=stop) as progress:

                def look(pending: int, workers: int) -> bool:
                    return progress.update(len(tasks), lambda: self._detail(pending, workers))

                self.complete = drive(
                    tasks,
                    self.pool,
                    settings.evals,
                    space_of(settings.space).cell,
                    self.record,
                    self.unfinished,
                    keep_going=self.keep_going,
                    patience=self.place.patience,
                    look=look,
                )
                progress.finish()
        except ObjectiveError as error:
            where = "" if self.path is None else f"; {self.path}/failures.csv has its traceback"
            raise ObjectiveError(f"{error}{where}; --keep-going would go on without it{resume}") from None
        except WorkersError as error:
            raise WorkersError(f"{error}; {len(tasks):,} evaluations are done{resume}") from None

    def _detail(self, pending: int, workers: int) -> str:
        best = self.tasks.best() if len(self.tasks) else None
        score = "" if best is None else f", best {best.score:.4g}"
        return f"{pending} at {workers} worker{'' if workers == 1 else 's'}{score}"

    def finish(self, interrupted: bool) -> Outcome:
        summary = self._summary()
        if self.record is not None:
            self.record.folder.write_summary(summary)
        done = f"{len(self.tasks):,} of {self.experiment.settings.evals:,} evaluations"
        return Outcome(self.complete, self._text(), summary, done)

    def _summary(self) -> dict[str, Any]:
        experiment, best = self.experiment, self.tasks.best()
        incumbent = None
        if best is not None:
            cell = space_of(experiment.settings.space).cell(best.code)
            incumbent = {"arch": str(cell), "index": cell.index, **best._asdict()}
            del incumbent["code"]
        return {
            "algorithm": experiment.search_class.name,
            "settings": experiment.config.to_json() | experiment.settings.to_json(),
            "complete": self.complete,
            "evaluations": len(self.tasks),
            "failures": self.tasks.failures,
            "seconds": self.tasks.seconds,
            "best": incumbent,
        }

    def _text(self) -> str:
        settings, tasks, best = self.experiment.settings, self.tasks, self.tasks.best()
        failures = f", {tasks.failures:,} failed" if tasks.failures else ""
        name = self.experiment.search_class.name
        lines = [f"{name} on {settings.objective}: {len(tasks):,} evaluations{failures}"]
        rows: list[tuple[str, object]] = [("time at the workers [s]", tasks.seconds)]
        if best is not None:
            cell = space_of(settings.space).cell(best.code)
            lines.append(f"\nbest: {cell}")
            epochs = [] if best.epochs is None else [("epochs", best.epochs)]
            rows = [
                ("index", cell.index),
                ("score", best.score),
                *epochs,
                ("found by evaluation", best.evaluation),
                *rows,
            ]
        return "\n".join([*lines, format_table(("", ""), rows)])


if __name__ == "__main__":
    sys.exit(main())
