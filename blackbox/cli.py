"""The command of searches on a table: flags, progress, run folder, result."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from blackbox.errors import BlackboxError, ConfigError
from blackbox.kinds.base import Driver, Experiment, as_recorded, get_kind, table_record
from blackbox.table.settings import STORE_HELP
from nasbench.benchmark import open_benchmark
from nasbench.errors import NASBenchError, one_line
from nasbench.runs.command import Command, Outcome, Parser, add_folder_flags
from nasbench.runs.command import main as carry_out
from nasbench.runs.files import quoted
from nasbench.runs.folder import RunFolder
from nasbench.runs.notes import complain
from nasbench.runs.progress import Progress

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    from blackbox.results.base import SearchResult

    Record = dict[str, Any]  # the content of config.json


def main(search_class: Any, argv: Sequence[str] | None = None) -> int:
    """Run the command line of a search on a published table.

    Parameters
    ----------
    search_class
        A subclass of `Search` with one or two objectives, or of `MultiFidelitySearch`.
    argv
        Command-line arguments; None for `sys.argv`.

    Returns
    -------
    int
        The exit code.

    Raises
    ------
    ConfigError
        If the search has more than two objectives.
    """
    return carry_out(SearchCommand(search_class), argv)


class SearchCommand(Command["SearchRun"]):
    """The command of one search."""

    errors = (BlackboxError, NASBenchError)
    keeps = "settings, log and summary"
    unsaved = ""

    def __init__(self, search_class: Any) -> None:
        spec = sys.modules[search_class.__module__].__spec__
        self.prog = f"python -m {spec.name}" if spec else f"python {quoted(sys.argv[0])}"
        self._search_class = search_class
        self._kind = get_kind(search_class)

    def parser(self, argv: Sequence[str]) -> Parser:
        name, settings_class = self._search_class.name, self._kind.settings_class
        parser = Parser(
            prog=self.prog,
            description=f"{name[0].upper()}{name[1:]} on a published table:"
            " NAS-Bench-201, or the size space of NATS-Bench with --space sss.",
        )
        self._search_class.config_class.add_flags(parser.add_argument_group(name))
        settings_class.add_flags(parser.add_argument_group("run"))
        files = parser.add_argument_group("files")
        files.add_argument("--store", metavar="FILE", help=STORE_HELP)
        limits = " and ".join(f"--{limit}" for limit in settings_class.raisable())
        resume = f"folder of a run to resume; {limits} can be increased"
        add_folder_flags(files, "new folder for settings, log and summary", resume)
        files.add_argument("--plot", metavar="FILE", help=f"plot {self._kind.picture} (.png, .svg, .pdf)")
        files.add_argument("--all", action="store_true", help="print all hardware metrics of the best cell")
        return parser

    @contextmanager
    def open(self, args: argparse.Namespace) -> Iterator[SearchRun]:
        kind, folder, record = self._kind, None, None
        if args.plot is not None:
            from blackbox.results import plots  # imported here because few runs are plotted

            plots.check(args.plot)
        with ExitStack() as stack:
            if args.resume is None:
                experiment = self._begun(args)
            else:
                folder = stack.enter_context(RunFolder.resume(args.resume, kind.folders))
                experiment, record = self._resumed(args, folder)
            driver = kind.driver(experiment)
            if args.out is not None:
                new = RunFolder.create(args.out, kind.folders, experiment.record(args.store))
                folder = stack.enter_context(new)
            if folder is not None:
                driver.resume(folder.log)
            yield SearchRun(experiment, driver, folder, record, args.all)

    def _begun(self, args: argparse.Namespace) -> Experiment[Any, Any]:
        """Return a new experiment from the flags."""
        config = self._search_class.config_class.from_flags(args)
        settings = self._kind.settings_class.from_flags(args)
        bench = open_benchmark(args.store, settings.space)
        return Experiment(self._kind, self._search_class, config, settings.on(bench), bench)

    def _resumed(self, args: argparse.Namespace, folder: RunFolder) -> tuple[Experiment[Any, Any], Record]:
        """Return the experiment of an earlier run and its new record; raise an error if flags differ."""
        from blackbox.kinds.reader import Run, open_table, undamaged  # imported here because few runs resume

        kind, search_class = self._kind, self._search_class
        config_class, settings_class = search_class.config_class, kind.settings_class
        run = Run.parse(folder.path, folder.record)
        if run.algorithm != search_class.name:
            raise ConfigError(
                f"{folder.path} is a run of {one_line(run.algorithm)}, not of {search_class.name}"
            )
        with undamaged(folder.path):
            if run.kind is not kind:
                raise ConfigError(f"its kind must be {kind.name}, got {run.kind.name}")
            config = config_class.from_json(run.record["search"], "search")
        settings = run.settings.resumed(as_recorded(settings_class.given(args), run.space))
        config = config.resumed(config_class.given(args), settings_class)
        bench, table = open_table(run, args.store), run.record["table"]
        table = table | table_record(bench, table["store"] if args.store is None else args.store)
        record = run.record | {"run": settings.to_json(), "table": table}
        return Experiment(kind, search_class, config, settings, bench), record

    def afterwards(self, args: argparse.Namespace, activity: SearchRun, outcome: Outcome) -> str:
        if args.plot is None:
            return ""
        from blackbox.results import plots

        figure = activity.figure()
        if figure is None:
            complain("note: no plot, because no feasible cell was evaluated")
            return ""
        plots.save(figure, args.plot)
        return f"plot in {args.plot}"


@dataclass
class SearchRun:
    """One run of a search, saved in a folder or not."""

    #: The search and its settings.
    experiment: Experiment[Any, Any]
    #: Runs the trials.
    driver: Driver[Any]
    #: Run folder; None if the run is not saved.
    folder: RunFolder | None
    #: New record of a resumed run, to be written to its folder; None once it is written.
    record: Record | None
    #: As for `SearchResult.text`.
    all: bool
    #: Whether all trials have reached their limits.
    complete: bool = False

    @property
    def path(self) -> Path | None:
        return None if self.folder is None else self.folder.path

    def run(self, stop: Callable[[], bool]) -> None:
        driver, name = self.driver, self.experiment.search_class.name
        options: dict[str, Any] = {"done": driver.done, "stop": stop, "on_tick": [self._save]}
        with Progress(name, driver.unit, driver.total, **options) as progress:
            self._save()
            self.complete = driver.advance(lambda: progress.update(driver.done))
            progress.finish(driver.done)

    def finish(self, interrupted: bool) -> Outcome:
        result, summary = self._result, self._result.to_json()
        if self.folder is not None:
            self.folder.write_summary(summary)
        return Outcome(self.complete, result.text(all=self.all), summary, result.done)

    def figure(self) -> Figure | None:
        """Return the plot of the result; None without a feasible cell."""
        return self.experiment.kind.figure(self.experiment, self._result, self.driver.history)

    @cached_property
    def _result(self) -> SearchResult[Any]:
        """The result, available after `run`."""
        return self.experiment.kind.result(self.experiment, self.driver.history, self.complete)

    def _save(self) -> None:
        """Update the folder once its log is verified."""
        if self.folder is not None and self.driver.verify():
            if self.record is not None:
                self.folder.write_record(self.record)
                self.record = None
            self.driver.save()
