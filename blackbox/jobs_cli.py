"""The command of every multi-fidelity search: flags, progress, the run's folder, the report."""

import math
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict

import numpy as np

from blackbox.cli import has_picture, parser_of, record_of, report, resumed
from blackbox.errors import BlackboxError, ConfigError, RunFolderError
from blackbox.folder import RunFolder
from blackbox.kinds.jobs import print_jobs_summary, regret_at, summarize_jobs
from blackbox.results import plots as plot
from blackbox.search.jobs import HEADER, JOB, JobHistory, log_rows, parse_jobs
from blackbox.search.space import space_of_table
from blackbox.table.settings import SimulationConfig
from blackbox.table.simulator import simulate_trial
from nasbench.benchmark import open_benchmark
from nasbench.errors import NASBenchError
from nasbench.runs.command import INTERRUPTED, HeldInterrupt, call
from nasbench.runs.settings import given

_INTERVAL = 1.0  # seconds between looks at the log and the progress bar
_POINTS = 400  # of time, in a picture


def main(search_class, argv=None):
    """The command line of a `MultiFidelitySearch` on a published table; returns the exit code."""
    parser = parser_of(search_class, SimulationConfig, "regret against simulated time")
    args = parser.parse_args(argv)
    errors = (BlackboxError, NASBenchError)
    return call(lambda: _search(parser.prog, search_class, args), parser.prog, errors)


def _search(prog, search_class, args):
    if args.plot is not None:
        plot.check(args.plot)
    with ExitStack() as stack:
        interrupt = stack.enter_context(HeldInterrupt())
        if args.resume is None:
            folder = None
            config = search_class.config_class(**given(args, search_class.config_class))
            settings = SimulationConfig(**given(args, SimulationConfig))
            bench = open_benchmark(args.store, settings.space)
            settings = settings.on(bench)
        else:
            folder = stack.enter_context(RunFolder.reopen(args.resume))
            config, settings, bench, record = resumed(folder, search_class, SimulationConfig, args)
        curves = settings.curves(bench)

        def search_of(trial):
            return search_class(space_of_table(bench.space), curves.fidelities, config, trial, settings.seed)

        check_curves(curves, search_of(0).rungs, settings.budget)
        if args.out is not None:
            record = record_of(search_class.name, config, settings, args.store, bench)
            folder = stack.enter_context(RunFolder.create(args.out, record, header=HEADER))
        log = None if folder is None else _Log(folder, record, bench.space, settings.trials)
        watch = stack.enter_context(_Watch(search_class.name, settings, log, interrupt))
        limits = settings.workers, settings.jobs, settings.budget
        for trial in range(settings.trials):
            watch.end_of_trial(simulate_trial(search_of(trial), curves, *limits, watch.look))
            if watch.stopped:
                break
        watch.save()
        history = JobHistory(range(len(watch.ended)), np.concatenate(watch.ended))
        complete = len(history.trials) == settings.trials and not watch.stopped
        summary = summary_of_jobs(search_class, config, settings, history, curves, bench, complete)
        if folder is not None:
            folder.write_summary(summary)
        done = summary["jobs"]["most"]
        report(prog, args, summary, folder, print_jobs_summary, f"{done:,} job{'' if done == 1 else 's'}")
        if args.plot is not None and has_picture(summary):
            _plot(args.plot, history, curves, search_class.name, settings)
            if not args.json:
                print(f"picture in {args.plot}")
    return 0 if summary["complete"] else INTERRUPTED


def summary_of_jobs(search_class, config, settings, history, curves, bench, complete):
    """What a run's summary.json holds."""
    rungs = search_class(space_of_table(bench.space), curves.fidelities, config).rungs
    return {
        "algorithm": search_class.name,
        "settings": asdict(config) | asdict(settings),
        "complete": complete,
        **summarize_jobs(history, curves, bench, rungs, settings.workers, settings.budget),
    }


def check_curves(curves, rungs, budget):
    """Raise before a search what the table lacks for it."""
    curves.scores(0, rungs)
    for done, epochs in zip((0, *rungs), rungs, strict=False):
        curves.seconds(0, epochs)
        curves.seconds(done, epochs)
    cheapest = np.asarray(curves.seconds(0, rungs[0])).min()
    if budget is not None and budget < cheapest:
        raise ConfigError(
            f"a budget of {budget:g} s ends before any job can; the cheapest takes:"
            f" --budget {math.ceil(cheapest)}s"
        )


def _plot(path, history, curves, name, settings):
    firsts = [history.anytime(trial)[1][:1] for trial in history.trials]
    first = np.concatenate(firsts).max()  # from here on, every trial has an incumbent
    last = history.end.max() if settings.budget is None else settings.budget
    times = np.geomspace(first, last, _POINTS)
    regret = regret_at(history, history.trials, times, curves.targets)
    sees = "" if curves.sees_the_metric else f"\nsignal {curves.signal}"
    workers = f"{settings.workers} worker{'' if settings.workers == 1 else 's'}"
    title = f"{name} on {curves.dataset} {curves.metric}, {workers}{sees}"
    plot.plot_regret(path, regret, title, curves.target.unit, hours=times / 3600)


class _Log:
    """The log of a run. What an earlier one has, the search, simulated anew, must lead to again."""

    def __init__(self, folder, record, space, trials):
        self._folder = folder
        self._record = record
        self._index = space.official_index()
        data = folder.read_log()
        self._earlier = parse_jobs(data, f"{folder.path}/log.csv", range(trials), space.official_order())
        self._data = data[: data.rfind(b"\n") + 1]
        self._new = [HEADER.encode()]  # what is to be written
        self._met = 0  # rows of the earlier log
        self._is_open = False  # once all of them were met: then there is nothing to lose

    def add(self, trial, start, rows, ended):
        """Take rows of dtype JOB of a trial, from its row `start` on; `ended`: there are no more."""
        earlier = self._earlier.of(trial)[start:]
        both = min(len(earlier), len(rows))
        if (rows[:both] != earlier[:both]).any() or (ended and both < len(earlier)):
            raise RunFolderError(
                f"{self._folder.path} is damaged: its log is not what its settings lead to on this table"
            )
        self._met += both
        if len(rows):
            self._new.append(log_rows(rows, self._index))

    def write(self):
        """Bring the file up to date; an earlier log stays as it is until all of its rows were met."""
        if self._met < len(self._earlier) or not self._new:
            return
        data = b"".join(self._new)
        if self._is_open:
            self._folder.append_rows(data)
        else:
            same = len(self._data) if data.startswith(self._data) else 0  # not with raised limits
            self._folder.append_rows(data[same:], after=same)
            self._folder.write_config(self._record)
            self._is_open = True
        self._new = []


class _Watch:
    """Looks in after each job; once in a while it saves the log and moves the progress bar."""

    def __init__(self, name, settings, log, interrupt):
        self.ended = []  # rows of dtype JOB of each trial
        self.stopped = False
        self._settings = settings
        self._log = log
        self._interrupt = interrupt
        self._logged = 0  # rows of the trial that goes on
        self._name = name
        self._bar = None
        self._next = time.monotonic() + _INTERVAL

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._bar is not None:
            self._bar.close()

    def look(self, rows):
        """Whether to stop."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _INTERVAL
            self._take(np.array(rows[self._logged :], dtype=JOB), ended=False)
            self.save()
            self._show(rows)
        self.stopped = self._interrupt.came
        return self.stopped

    def end_of_trial(self, rows):
        """Take the rows of a trial that has ended, or was stopped."""
        rows = np.array(rows, dtype=JOB)
        self._take(rows[self._logged :], ended=not self.stopped)
        self._logged = 0
        self.ended.append(rows)
        self.stopped = self.stopped or (self._interrupt.came and len(self.ended) < self._settings.trials)

    def save(self):
        if self._log is not None:
            self._log.write()

    def _take(self, rows, ended):
        if self._log is not None:
            self._log.add(len(self.ended), self._logged, rows, ended)
        self._logged += len(rows)

    def _show(self, rows):
        if self._bar is None:
            from tqdm import tqdm

            hidden = None if sys.stderr else True  # None: hidden unless it is a terminal
            self._bar = tqdm(total=self._settings.trials, desc=self._name, unit=" trials", disable=hidden)
        jobs, budget = self._settings.jobs, self._settings.budget
        part = max(len(rows) / jobs if jobs else 0.0, rows[-1][6] / budget if budget else 0.0)
        self._bar.update(round(len(self.ended) + part, 2) - self._bar.n)
