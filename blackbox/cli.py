"""The command of every search on a table: flags, progress, the run's folder, the report."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from blackbox.errors import BlackboxError, ConfigError, RunFolderError
from blackbox.folder import RunFolder
from blackbox.kinds.base import Experiment
from blackbox.kinds.registry import kind_of
from blackbox.results import plots
from blackbox.table.settings import setting_text, short_names
from blackbox.table.signal import Signal
from nasbench import __version__
from nasbench.benchmark import open_benchmark
from nasbench.errors import InvalidArgumentError, NASBenchError, StoreError, said
from nasbench.runs.command import INTERRUPTED, HeldInterrupt, Parser, call, complain, print_json
from nasbench.runs.files import quoted, utc_now
from nasbench.runs.settings import add_flags, given
from nasbench.spaces import space_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Mapping, Sequence

    from matplotlib.figure import Figure
    from tqdm import tqdm

    from blackbox.kinds.base import Driver
    from blackbox.kinds.registry import Kind
    from blackbox.results.base import SearchResult
    from blackbox.table.settings import TableConfig
    from nasbench.benchmark import Benchmark

_INTERVAL = 1.0  # seconds between looks at the log and the progress bar


def main(search_class: Any, argv: Sequence[str] | None = None) -> int:
    """Run the command line of a search on a published table; return the exit code.

    `search_class`: a `Search` with one or two objectives, or a `MultiFidelitySearch`.
    """
    parser = _parser(search_class, kind_of(search_class))
    args = parser.parse_args(argv)
    errors = (BlackboxError, NASBenchError)
    return call(lambda: _Command(parser.prog, search_class, args).run(), parser.prog, errors)


def _parser(search_class: Any, kind: Kind) -> Parser:
    """Return the parser of a search's command: its own settings, those of its kind, and its files."""
    spec = sys.modules[search_class.__module__].__spec__
    parser = Parser(
        prog=f"python -m {spec.name}" if spec else f"python {quoted(sys.argv[0])}",
        description=f"{search_class.name[0].upper()}{search_class.name[1:]} on a published table:"
        " NAS-Bench-201, or with --space sss the size space of NATS-Bench.",
    )
    add_flags(parser.add_argument_group(search_class.name), search_class.config_class)
    add_flags(parser.add_argument_group("run"), kind.settings_class)
    files = parser.add_argument_group("files")
    files.add_argument("--store", metavar="FILE", help="a store that `python -m nasbench build` made")
    where = files.add_mutually_exclusive_group()
    where.add_argument("--out", metavar="FOLDER", help="a new folder for settings, log and summary")
    limits = " or ".join(f"--{name}" for name in kind.settings_class.limits)
    where.add_argument("--resume", metavar="FOLDER", help=f"go on with a run; may raise {limits}")
    files.add_argument("--plot", metavar="FILE", help=f"draw {kind.picture} (.png, .svg, .pdf)")
    files.add_argument("--json", action="store_true", help="print the summary as JSON")
    files.add_argument("--all", action="store_true", help="print the hardware metrics of the best cell, too")
    return parser


class _Command:
    """One call of a search's command: a new run or an earlier one, saved in a folder or not."""

    def __init__(self, prog: str, search_class: Any, args: argparse.Namespace) -> None:
        self._prog = prog
        self._search_class = search_class
        self._kind = kind_of(search_class)
        self._args = args

    def run(self) -> int:
        """Run the search to its limits or to Ctrl-C, report it, and return the exit code."""
        args, kind = self._args, self._kind
        if args.plot is not None:
            plots.check(args.plot)
        with ExitStack() as stack:
            interrupt = stack.enter_context(HeldInterrupt())
            folder = None if args.resume is None else stack.enter_context(RunFolder.reopen(args.resume))
            experiment, record = self._begin() if folder is None else self._resume(folder)
            driver = kind.driver(experiment)
            if args.out is not None:
                record = record_of(experiment, args.store)
                folder = stack.enter_context(RunFolder.create(args.out, record, driver.log.header))
            if folder is not None:
                driver.resume(folder)
            watch = stack.enter_context(_Watch(driver, self._search_class.name, folder, record, interrupt))
            watch.save()
            complete = driver.advance(watch.look)
            watch.save()
            result = kind.result(experiment, driver.history, complete)
            if folder is not None:
                folder.write_summary(result.to_json())
            self._report(result, folder)
            if args.plot is not None:
                self._plot(kind.figure(experiment, result, driver.history))
        return 0 if complete else INTERRUPTED

    def _begin(self) -> tuple[Experiment[Any, Any], None]:
        """Return a new experiment, by the flags."""
        args, kind = self._args, self._kind
        config = self._search_class.config_class(**given(args, self._search_class.config_class))
        settings = kind.settings_class(**given(args, kind.settings_class))
        bench = open_benchmark(args.store, settings.space)
        return Experiment(kind, self._search_class, config, settings.on(bench), bench), None

    def _resume(self, folder: RunFolder) -> tuple[Experiment[Any, Any], dict[str, Any]]:
        """Return the experiment of an earlier run and its record, once they agree with the flags."""
        args, kind = self._args, self._kind
        record, config_class = folder.read_config(), self._search_class.config_class
        try:
            algorithm, table = record["algorithm"], record["table"]
        except KeyError as error:
            raise _damaged(folder, error) from None
        if algorithm != self._search_class.name:
            raise ConfigError(
                f"{folder.path} is a run of {said(algorithm)}, not of {self._search_class.name}"
            )
        try:
            if record.get("kind", kind.name) != kind.name:
                raise TypeError(f"its kind is not {kind.name}")
            config, settings = config_class(**record["search"]), kind.settings_class(**record["run"])
            longest = space_of(settings.space).full_protocol
            store, checksum = table["store"], table["checksum"]
            if not isinstance(store, (str, type(None))):
                raise TypeError(f"table.store is a path or null, got {store!r}")
        except (KeyError, TypeError, AttributeError, InvalidArgumentError) as error:
            raise _damaged(folder, error) from None
        asked = given(args, kind.settings_class)
        if "signal" in asked:
            asked["signal"] = str(Signal.parse(asked["signal"], longest))
        asked |= short_names(asked, longest) | given(args, config_class)
        raised = agreed(asked, asdict(config) | asdict(settings), settings.limits)
        settings = replace(settings, **raised)
        if args.store is not None:
            store = str(Path(args.store).absolute())
        bench = _open_table(folder.path, store, settings, checksum)
        record |= {"run": asdict(settings), "table": {**table, "store": store, **identity(bench)}}
        return Experiment(kind, self._search_class, config, settings, bench), record

    def _report(self, result: SearchResult[Any], folder: RunFolder | None) -> None:
        """Print what a run found, and where it is."""
        if self._args.json:
            print_json(result.to_json())
        else:
            kept = "not saved; --out FOLDER keeps settings, log and summary"
            print(result.text(all=self._args.all))
            print(f"\n{kept if folder is None else f'saved in {folder.path}'}")
        if not result.complete:
            resume = "" if folder is None else f"; go on with: {self._prog} --resume {quoted(folder.path)}"
            complain(f"interrupted after {result.done}{resume}")

    def _plot(self, figure: Figure | None) -> None:
        """Write the picture, if there is one."""
        if figure is None:
            complain("note: no picture, because no feasible cell was evaluated")
            return
        plots.save(figure, self._args.plot)
        if not self._args.json:
            print(f"picture in {self._args.plot}")


def record_of(experiment: Experiment[Any, Any], store: str | None) -> dict[str, Any]:
    """Return what a run's config.json holds."""
    return {
        "algorithm": experiment.search_class.name,
        "kind": experiment.kind.name,
        "search": asdict(experiment.config),
        **conditions_of(experiment.settings, store, experiment.bench),
    }


def conditions_of(settings: TableConfig, store: str | None, bench: Benchmark) -> dict[str, Any]:
    """Return the part of a config.json that does not depend on the algorithm."""
    return {
        "run": asdict(settings),
        "table": {"store": store and str(Path(store).absolute()), **identity(bench)},
        **present(),
    }


def identity(bench: Benchmark) -> dict[str, str]:
    """Return what tells a table apart in a config.json."""
    return {name: bench.store.attributes[name] for name in ("source", "source_version", "checksum")}


def present() -> dict[str, Any]:
    """Return the part of a config.json that says when it was made, and by what."""
    versions = {"nas-toolkit": __version__, "numpy": np.__version__, "python": sys.version.split()[0]}
    return {"versions": versions, "created": utc_now()}


def _open_table(path: Path, store: str | None, settings: TableConfig, checksum: str) -> Benchmark:
    """Return the table to go on with: that of the run at `path`, or one that gives the same log."""
    try:
        bench = open_benchmark(store, settings.space)
    except StoreError as error:
        raise RunFolderError(
            f"the table of {path} cannot be opened; --store names it: {said(error)}"
        ) from None
    if bench.store.attributes["checksum"] != checksum:
        from blackbox.kinds.reader import gives, read_run  # imported here because few runs change their table

        if not gives(bench, read_run(path, empty=True)):
            raise ConfigError(
                f"{path} was made on another table than {bench.store.path}; name it with --store"
            )
    return bench


def _damaged(folder: RunFolder, error: Exception) -> RunFolderError:
    return RunFolderError(f"{folder.path}/config.json is damaged or of another version: {said(error)}")


def agreed(asked: Mapping[str, Any], recorded: Mapping[str, Any], limits: Collection[str]) -> dict[str, Any]:
    """Return the limits that are raised by what is asked for now, {name: value}.

    ConfigError if anything else is not as recorded.
    """
    raised = {}
    for name, value in asked.items():
        before = recorded[name]
        if name in limits and before is not None and value > before:
            raised[name] = value
        elif value != before:
            flag, allowed = name.replace("_", "-"), " and ".join(f"--{limit}" for limit in limits)
            raise ConfigError(
                f"--{flag} {setting_text(value)} is not the run's, {setting_text(before)};"
                f" only {allowed} may be raised"
            )
    return raised


class _Watch:
    """Once in a while, saves the log and moves the progress bar; called after each step."""

    def __init__(
        self,
        driver: Driver[Any],
        name: str,
        folder: RunFolder | None,
        record: dict[str, Any] | None,
        interrupt: HeldInterrupt,
    ) -> None:
        """`record`: to be written to a folder once its log is verified; None if it is there."""
        self._driver = driver
        self._name = name
        self._folder = folder
        self._record = record
        self._interrupt = interrupt
        self._bar: tqdm[Any] | None = None
        self._next = time.monotonic() + _INTERVAL

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def look(self) -> bool:
        """Return whether to stop."""
        if time.monotonic() >= self._next:
            self.save()
            self._show()
            self._next = time.monotonic() + _INTERVAL
        return self._interrupt.came

    def save(self) -> None:
        """Bring the folder and the bar up to date."""
        if self._folder is not None and self._driver.verify():
            if self._record is not None:
                self._folder.write_config(self._record)
                self._record = None
            self._driver.save()
        if self._bar is not None:
            self._show()

    def _show(self) -> None:
        if self._bar is None:
            from tqdm import tqdm

            hidden = None if sys.stderr else True  # None: hidden unless it is a terminal
            total, unit = self._driver.total, self._driver.unit
            self._bar = tqdm(total=total, desc=self._name, unit=unit, disable=hidden)
        self._bar.update(round(self._driver.done, 2) - self._bar.n)
