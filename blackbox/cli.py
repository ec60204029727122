"""The command of every search: flags, progress, the run's folder, the report."""

import math
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from blackbox.errors import BlackboxError, ConfigError, RunFolderError
from blackbox.folder import RunFolder
from blackbox.kinds.evaluations import print_summary, regrets, summarize
from blackbox.kinds.fronts import print_fronts, summarize_fronts
from blackbox.results import plots as plot
from blackbox.search.loop import is_finished, run
from blackbox.search.pareto import nondominated
from blackbox.search.space import space_of_table
from blackbox.table.objective import agrees
from blackbox.table.settings import OF_OBJECTIVES, setting_text, short_names
from blackbox.table.signal import Signal
from nasbench import __version__
from nasbench.benchmark import Benchmark, open_benchmark
from nasbench.errors import InvalidArgumentError, NASBenchError, StoreError, said
from nasbench.runs.command import INTERRUPTED, HeldInterrupt, Parser, call, complain, print_json
from nasbench.runs.files import quoted, utc_now
from nasbench.runs.settings import add_flags, given
from nasbench.spaces import space_of

_INTERVAL = 1.0  # seconds between looks at the log and the progress bar


class _Findings(NamedTuple):
    """How a search of so many objectives says what it found."""

    picture: str
    summarize: Callable  # (history, objective, bench, budget) -> dict
    print: Callable  # (summary, all)
    plot: Callable  # (path, summary, history, objective)


def main(search_class, argv=None):
    """The command line of a `Search` on a published table; returns the exit code."""
    objectives = search_class.objectives
    if objectives not in OF_OBJECTIVES:
        raise ConfigError(f"a command is of searches with one or two objectives, got {objectives}")
    parser = parser_of(search_class, OF_OBJECTIVES[objectives], _FINDINGS[objectives].picture)
    args = parser.parse_args(argv)
    errors = (BlackboxError, NASBenchError)
    return call(lambda: _search(parser.prog, search_class, args), parser.prog, errors)


def parser_of(search_class, settings_class, picture):
    """The parser of a search's command: its own settings, those of `settings_class`, and its files."""
    spec = sys.modules[search_class.__module__].__spec__
    parser = Parser(
        prog=f"python -m {spec.name}" if spec else f"python {quoted(sys.argv[0])}",
        description=f"{search_class.name[0].upper()}{search_class.name[1:]} on a published table:"
        " NAS-Bench-201, or with --space sss the size space of NATS-Bench.",
    )
    add_flags(parser.add_argument_group(search_class.name), search_class.config_class)
    add_flags(parser.add_argument_group("run"), settings_class)
    files = parser.add_argument_group("files")
    files.add_argument("--store", metavar="FILE", help="a store that `python -m nasbench build` made")
    where = files.add_mutually_exclusive_group()
    where.add_argument("--out", metavar="FOLDER", help="a new folder for settings, log and summary")
    limits = " or ".join(f"--{name}" for name in settings_class.limits)
    where.add_argument("--resume", metavar="FOLDER", help=f"go on with a run; may raise {limits}")
    files.add_argument("--plot", metavar="FILE", help=f"draw {picture} (.png, .svg, .pdf)")
    files.add_argument("--json", action="store_true", help="print the summary as JSON")
    files.add_argument("--all", action="store_true", help="print the hardware metrics of the best cell, too")
    return parser


def _search(prog, search_class, args):
    settings_class, findings = OF_OBJECTIVES[search_class.objectives], _FINDINGS[search_class.objectives]
    if args.plot is not None:
        plot.check(args.plot)
    with ExitStack() as stack:
        interrupt = stack.enter_context(HeldInterrupt())
        if args.resume is None:
            folder = None
            config = search_class.config_class(**given(args, search_class.config_class))
            settings = settings_class(**given(args, settings_class))
            bench = open_benchmark(args.store, settings.space)
            settings = settings.on(bench)
        else:
            folder = stack.enter_context(RunFolder.reopen(args.resume))
            config, settings, bench, record = resumed(folder, search_class, settings_class, args)
        objective, search = begin(search_class, config, settings, bench)
        if args.out is not None:
            record = record_of(search.name, config, settings, args.store, bench)
            folder = stack.enter_context(RunFolder.create(args.out, record, search.objectives))
        elif folder is not None:
            history = folder.read_history(
                range(settings.trials), bench.space.official_order(), search.objectives
            )
            check_history(folder.path, history, search, objective, settings)
            folder.write_config(record)
            objective.skip(len(history))
            search = search_class(search.space, config, search.trials, search.seed, history)
        history = search.history
        watch = stack.enter_context(_Watch(search, bench.space, folder, settings.evals, interrupt))
        cost = objective.cost if objective.has_cost else None
        run(search, objective, settings.evals, cost=cost, budget=settings.budget, after_step=watch.look)
        watch.save()
        summary = summary_of(search_class, config, settings, history, objective, bench)
        if folder is not None:
            folder.write_summary(summary)
        done = summary["evaluations"]["most"]
        report(prog, args, summary, folder, findings.print, f"{done:,} evaluation{'' if done == 1 else 's'}")
        if args.plot is not None and has_picture(summary):
            findings.plot(args.plot, summary, history, objective)
            if not args.json:
                print(f"picture in {args.plot}")
    return 0 if summary["complete"] else INTERRUPTED


def summary_of(search_class, config, settings, history, objective, bench):
    """What a run's summary.json holds."""
    found = _FINDINGS[search_class.objectives].summarize(history, objective, bench, settings.budget)
    return {
        "algorithm": search_class.name,
        "settings": asdict(config) | asdict(settings),
        "complete": is_finished(history, settings.evals, settings.budget),
        **found,
    }


def begin(search_class, config, settings, bench):
    """The objective, and the search before its first evaluation."""
    objective = settings.objective(bench)
    if settings.budget is not None and settings.budget < (cheapest := objective.seconds.min()):
        raise ConfigError(
            f"a budget of {settings.budget:g} s ends before any evaluation can;"
            f" the cheapest cell takes: --budget {math.ceil(cheapest)}s"
        )
    return objective, search_class(space_of_table(bench.space), config, settings.trials, settings.seed)


def has_picture(summary: Mapping[str, Any]) -> bool:
    """Return whether a run found a feasible cell, whose regret can be drawn; if not, say so on stderr."""
    found = summary.get("best", summary.get("front")) is not None
    if not found:
        complain("note: no picture, because no feasible cell was evaluated")
    return found


def _plot_regret(path, summary, history, objective):
    budget = summary["settings"]["budget"]
    regret = regrets(history.incumbents(budget), objective)[:, : history.counted(budget).max()]
    title = f"{summary['algorithm']} on {objective.dataset} {objective.metric}{_sees(objective)}"
    plot.plot_regret(path, regret, title, objective.target.unit, budget)


def _plot_fronts(path, summary, history, objective):
    metrics, front, trials = objective.metrics, summary["front"], summary["settings"]["trials"]
    signs = [1 if Signal.parse(metric).higher_is_better else -1 for metric in metrics]
    targets = objective.targets[objective.feasible]
    values = targets * signs
    true = values[nondominated(targets)]
    found = np.array([[cell[metric] for metric in metrics] for cell in front["cells"]]).reshape(-1, 2)
    one = "" if trials == 1 else f", trial {front['trial']} of {trials:,}"
    title = f"{summary['algorithm']} on {objective.dataset}{one}{_sees(objective)}"
    labels = [f"{metric} [{Signal.parse(metric).unit}]" for metric in metrics]
    plot.plot_fronts(path, values, true, found, title, labels)


def _sees(objective):
    return "" if objective.sees_the_metric else f"\nsignal {objective.signal}"


_FINDINGS = {
    1: _Findings("regret against evaluations", summarize, print_summary, _plot_regret),
    2: _Findings("the front that was found, among all cells", summarize_fronts, print_fronts, _plot_fronts),
}


def report(prog, args, summary, folder, print_summary, done):
    """Print what a run found, and where it is; `done`: how much an interrupted one has, such as `5 jobs`."""
    if args.json:
        print_json(summary)
    else:
        print_summary(summary, args.all)
        kept = "not saved; --out FOLDER keeps settings, log and summary"
        print(f"\n{kept if folder is None else f'saved in {folder.path}'}")
    if not summary["complete"]:
        resume = "" if folder is None else f"; go on with: {prog} --resume {quoted(folder.path)}"
        complain(f"interrupted after {done}{resume}")


def record_of(algorithm, config, settings, store, bench):
    """What a run's config.json holds."""
    return {"algorithm": algorithm, "search": asdict(config), **conditions_of(settings, store, bench)}


def conditions_of(settings, store, bench):
    """The part of a config.json that does not depend on the algorithm."""
    return {
        "run": asdict(settings),
        "table": {
            "store": store and str(Path(store).absolute()),
            **identity(bench),
        },
        **present(),
    }


def identity(bench: Benchmark) -> dict[str, str]:
    """Return what tells a table apart in a config.json."""
    return {name: bench.store.attributes[name] for name in ("source", "source_version", "checksum")}


def present():
    """The part of a config.json that says when it was made, and by what."""
    return {
        "versions": {
            "nas-toolkit": __version__,
            "numpy": np.__version__,
            "python": sys.version.split()[0],
        },
        "created": utc_now(),
    }


def resumed(folder, search_class, settings_class, args):
    """The settings, the table and the record of a run to go on with, once they agree with the flags."""
    config_class = search_class.config_class
    record = folder.read_config()
    try:
        algorithm, table = record["algorithm"], record["table"]
    except KeyError as error:
        raise _damaged(folder, error) from None
    if algorithm != search_class.name:
        raise ConfigError(f"{folder.path} is a run of {said(algorithm)}, not of {search_class.name}")
    try:
        config, settings = config_class(**record["search"]), settings_class(**record["run"])
        longest = space_of(settings.space).full_protocol
        store, checksum = table["store"], table["checksum"]
        if not isinstance(store, (str, type(None))):
            raise TypeError(f"table.store is a path or null, got {store!r}")
    except (KeyError, TypeError, AttributeError, InvalidArgumentError) as error:
        raise _damaged(folder, error) from None
    asked = given(args, settings_class)
    if "signal" in asked:
        asked["signal"] = str(Signal.parse(asked["signal"], longest))
    asked |= short_names(asked, longest) | given(args, config_class)
    raised = agreed(asked, asdict(config) | asdict(settings), settings_class.limits)
    settings = replace(settings, **raised)
    if args.store is not None:
        store = str(Path(args.store).absolute())
    try:
        bench = open_benchmark(store, settings.space)
    except StoreError as error:
        raise RunFolderError(
            f"the table of {folder.path} cannot be opened; --store names it: {said(error)}"
        ) from None
    if bench.store.attributes["checksum"] != checksum:
        from blackbox.kinds.reader import gives, read_run  # imported here because few runs change their table

        if not gives(bench, read_run(folder.path, empty=True)):
            raise ConfigError(
                f"{folder.path} was made on another table than {bench.store.path}; name it with --store"
            )
    record |= {"run": asdict(settings), "table": {**table, "store": store, **identity(bench)}}
    return config, settings, bench, record


def _damaged(folder, error):
    return RunFolderError(f"{folder.path}/config.json is damaged or of another version: {said(error)}")


def agreed(asked, recorded, limits):
    """The limits that are raised by what is asked for now, {name: value}.

    ConfigError where anything else is not as recorded.
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


def check_history(path, history, search, objective, settings):
    """Raise RunFolderError unless the log at `path` is of this search, that has no history, on this table."""
    if not agrees(objective, history):
        raise RunFolderError(f"{path} is damaged: its scores or costs are not those of the table")
    if len(history) and (history.codes[:, 0] != search.ask()).any():
        raise RunFolderError(f"{path} is damaged: its settings do not lead to the first cells in its log")
    if settings.evals is not None and len(history) > settings.evals:
        raise RunFolderError(f"{path} is damaged: its log has more evaluations than its settings allow")


class _Watch:
    """Looks in after each step; once in a while it saves the log and moves the progress bar."""

    def __init__(self, search, space, folder, evals, interrupt):
        self._search = search
        self._space = space
        self._folder = folder
        self._evals = evals
        self._interrupt = interrupt
        self._bar = None
        self._next = time.monotonic() + _INTERVAL

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._bar is not None:
            self._bar.close()

    def look(self):
        """Whether to stop."""
        if time.monotonic() >= self._next:
            self.save()
            self._show()
            self._next = time.monotonic() + _INTERVAL
        return self._interrupt.came

    def save(self):
        """Bring the log and the bar up to date."""
        if self._folder is not None:
            self._folder.append(self._search.history, self._space.official_index())
        if self._bar is not None:
            self._show()

    def _show(self):
        if self._bar is None:
            from tqdm import tqdm

            hidden = None if sys.stderr else True  # None: hidden unless it is a terminal
            self._bar = tqdm(total=self._evals, desc=self._search.name, unit=" evaluations", disable=hidden)
        self._bar.update(len(self._search.history) - self._bar.n)
