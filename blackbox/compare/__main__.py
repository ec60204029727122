"""The command that compares algorithms: `python -m blackbox.compare re rs ls --trials 500 --out FOLDER`."""

from __future__ import annotations

import sys
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from blackbox.algorithms import ALGORITHMS
from blackbox.compare.chosen import Chosen, agreed, begun
from blackbox.compare.pool import carry_out
from blackbox.compare.record import open_comparison, read_comparison, write_findings
from blackbox.compare.study import Study
from blackbox.compare.text import format_comparison
from blackbox.errors import BlackboxError, ConfigError, MissingDependencyError
from blackbox.kinds.base import conditions
from blackbox.kinds.reader import open_table
from blackbox.results import plots
from blackbox.results.comparison import ComparisonResult, Entry, compare
from blackbox.table.settings import STORE_HELP, RunConfig
from blackbox.workers.settings import SCHEDULER_HELP, checked_scheduler
from nasbench.benchmark import Benchmark, open_benchmark
from nasbench.errors import NASBenchError
from nasbench.runs import command
from nasbench.runs.checks import whole
from nasbench.runs.command import Command, Outcome, Parser, add_folder_flags
from nasbench.runs.notes import complain
from nasbench.runs.settings import option

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from matplotlib.figure import Figure

    from blackbox.results.anytime import Trajectories
    from blackbox.table.objective import TableObjective
    from nasbench.runs.folder import RunFolder


@dataclass(frozen=True)
class ComparisonConfig(RunConfig):
    """Settings shared by all algorithms: the settings of a search, with more trials by default."""

    #: Number of independent trials per algorithm.
    trials: int = option(100, "number of independent trials per algorithm")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return command.main(CompareCommand(), argv)


class CompareCommand(Command["Comparison"]):
    """The command of comparisons."""

    prog = "python -m blackbox.compare"
    errors = (BlackboxError, NASBenchError)
    keeps = "all trials"
    unsaved = "; use --out FOLDER to keep completed work"
    patient = True  # a pool interrupted during shutdown never terminates

    def parser(self, argv: Sequence[str]) -> Parser:
        parser = Parser(
            prog=self.prog,
            description="Comparison of searches on one table with many trials: regret with confidence"
            " intervals, time to come close to the optimum, tests of each pair, average ranks.",
        )
        parser.add_argument(
            "algorithms",
            metavar="ALGORITHM",
            nargs="*",
            help=f"{', '.join(ALGORITHMS)} or MODULE:CLASS, optionally with settings after a colon, such as"
            " re:population=10,sample=3; or a run folder, such as runs/evolution",
        )
        ComparisonConfig.add_flags(parser.add_argument_group("settings of all algorithms"))
        files = parser.add_argument_group("files and processes")
        files.add_argument("--store", metavar="FILE", help=STORE_HELP)
        add_folder_flags(
            files,
            "folder for one run per algorithm, the results and plots; an unfinished comparison in it is"
            " continued",
            "folder of a comparison to resume; it has all settings",
        )
        files.add_argument(
            "--workers",
            metavar="N",
            type=int,
            help="number of processes (default: one per core; with --scheduler, all workers)",
        )
        files.add_argument("--scheduler", metavar="ADDRESS|FILE", help=SCHEDULER_HELP)
        files.add_argument(
            "--plot", metavar="FILE", help="plot regret with confidence bands (.png, .svg, .pdf)"
        )
        files.add_argument(
            "--plot-ranks", metavar="FILE", help="plot average ranks and the critical difference"
        )
        return parser

    @contextmanager
    def open(self, args: argparse.Namespace) -> Iterator[Comparison]:
        workers = None if args.workers is None else whole("workers", args.workers, 1)
        scheduler = None if args.scheduler is None else checked_scheduler(args.scheduler)
        for path, flag in ((args.plot, "--plot"), (args.plot_ranks, "--plot-ranks")):
            if path is not None:
                plots.check(path, flag)
        chosen, settings, store = self._asked(args)
        runs = chosen.runs
        bench = open_table(runs[0], store) if runs else open_benchmark(store, settings.space)
        settings, objective = begun(chosen, settings, bench)
        out = args.resume if args.out is None else args.out
        record = {"algorithms": chosen.texts, **conditions(settings, bench, store)}
        with nullcontext() if out is None else open_comparison(out, record, bench) as folder:
            study = Study(chosen.specs, settings, store and str(Path(store).absolute()))
            if folder is not None:
                study = replace(study, folder=folder.path, created=folder.record["created"])
            yield Comparison(chosen, study, objective, bench, folder, (workers, scheduler))

    def _asked(self, args: argparse.Namespace) -> tuple[Chosen, RunConfig, str | None]:
        """Return what to compare, the settings and the store's path, from the flags or a folder to resume."""
        flags = ComparisonConfig.given(args)
        if args.resume is None:
            if not args.algorithms:
                raise ConfigError(f"algorithms are missing; try {self.prog} re rs --trials 500")
            chosen = Chosen.parse(args.algorithms)
            asked = flags if chosen.runs else ComparisonConfig(**flags).to_json()
            return chosen, chosen.settings(asked), args.store
        record = read_comparison(args.resume)
        if args.algorithms:
            raise ConfigError(
                f"algorithms cannot be given with --resume; {args.resume} has"
                f" {' '.join(record['algorithms'])}"
            )
        settings = agreed(RunConfig.from_json(record["run"], "run"), flags, args.resume)
        store = record["table"]["store"] if args.store is None else args.store
        return Chosen.parse(record["algorithms"]), settings, store

    def afterwards(self, args: argparse.Namespace, activity: Comparison, outcome: Outcome) -> str:
        if not outcome.complete:
            return ""
        drawn = activity.draw(args.plot, args.plot_ranks)
        return f"plot{'' if len(drawn) == 1 else 's'} in {', '.join(drawn)}" if drawn else ""


@dataclass
class Comparison:
    """A comparison of algorithms and runs, saved in a folder or not."""

    #: The selected algorithms and runs.
    chosen: Chosen
    #: The algorithms to run.
    study: Study
    #: The objective.
    objective: TableObjective
    #: The table.
    bench: Benchmark
    #: Folder of the comparison; None if it is not saved.
    folder: RunFolder | None
    #: Number of workers, and their scheduler, as for `carry_out`.
    pool: tuple[int | None, str | None]
    #: Trajectories of the algorithms, available after `run`; None if it was stopped.
    trajectories: list[Trajectories] | None = field(default_factory=list)

    @property
    def path(self) -> Path | None:
        return None if self.folder is None else self.folder.path

    def run(self, stop: Callable[[], bool]) -> None:
        if self.study.specs:
            self.trajectories = carry_out(self.study, *self.pool, stop)

    def finish(self, interrupted: bool) -> Outcome:
        if self.trajectories is None:
            return Outcome(complete=False)
        summary = self.result.to_json()
        if self.folder is not None:
            write_findings(self.folder, summary)
        return Outcome(True, format_comparison(self.result), summary)

    @cached_property
    def entries(self) -> list[Entry]:
        """The entries of algorithms and runs, available after `run`."""
        return list(self.chosen.entries(self.study, self.trajectories or []))

    @cached_property
    def result(self) -> ComparisonResult:
        """The result, available after `run`."""
        return compare(self.entries, self.objective, self.bench, self.study.settings)

    def draw(self, regret: str | None, ranks: str | None) -> list[str]:
        """Write plots to the given files and to the folder, if any; return the paths of all plots."""
        places: list[tuple[Callable[[], Figure | None], str | None, str]] = [
            (self._regret_figure, regret, "--plot"),
            (self._ranks_figure, ranks, "--plot-ranks"),
        ]
        if self.path is not None:
            in_folder = [str(self.path / name) for name in ("regret.png", "ranks.png")]
            try:
                plots.check(in_folder[0], "a plot in --out")
                places.insert(1, (self._regret_figure, in_folder[0], "--out"))
                places.append((self._ranks_figure, in_folder[1], "--out"))
            except MissingDependencyError as error:
                complain(f"note: no plots in the folder: {error}")
        drawn = []
        for draw, path, flag in places:
            figure = None if path is None else draw()
            if path is not None and figure is not None:
                plots.save(figure, path, flag)
                drawn.append(path)
        if ranks is not None and self.result.ranks is None:
            complain("note: no plot of ranks, because they need two algorithms and two trials or more")
        return drawn

    @property
    def _title(self) -> str:
        objective = self.objective
        signal = "" if objective.sees_the_metric else f", signal {objective.signal}"
        return f"{objective.dataset} {objective.metric}{signal}"

    def _regret_figure(self) -> Figure:
        objective, settings = self.objective, self.study.settings
        limits, unit = (settings.evals, settings.budget), objective.target.unit
        return plots.comparison_figure(self.entries, objective.targets, self._title, unit, *limits)

    def _ranks_figure(self) -> Figure | None:
        ranks, trials = self.result.ranks, self.study.settings.trials
        title = f"{self._title}: average ranks over {trials:,} trials"
        return None if ranks is None else plots.ranks_figure(ranks, title)


if __name__ == "__main__":
    sys.exit(main())
