"""Multi-fidelity searches on the learning curves of a table, on a simulated clock."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from blackbox.errors import ConfigError
from blackbox.kinds.base import Experiment, SearchKind, Trials, check_budget
from blackbox.kinds.simulation import JobLog, Simulation
from blackbox.results.anytime import Axis, Trajectories
from blackbox.results.base import INLINE, OPTIONAL, Result, SearchResult
from blackbox.results.regret import (
    Best,
    BestCell,
    Counts,
    Feasible,
    Incumbents,
    Row,
    Spread,
    best_cell,
    feasible_cells,
    feasible_rows,
)
from blackbox.results.text import Rows, over_text, parse_signals
from blackbox.search.fidelity import MultiFidelitySearch
from blackbox.search.jobs import JobHistory, JobRow
from blackbox.search.scores import FAILED
from blackbox.table.curves import Curves
from blackbox.table.settings import RunConfig, SimulationConfig, TableConfig
from nasbench.runs.folder import RunKind
from nasbench.runs.text import counted, duration, format_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from nasbench.arrays import Codes
    from nasbench.benchmark import Benchmark
    from nasbench.spaces import Space

    JobExperiment = Experiment[SimulationConfig, Curves]

_CHECKPOINTS = (1 / 64, 1 / 16, 1 / 4, 1)  # shares of the simulated time
_POINTS = 400  # points in time of a plot


@dataclass(frozen=True)
class Rung(Result):
    """The jobs on a rung."""

    #: Epochs of the rung.
    epochs: int
    #: Number of jobs, mean over trials.
    jobs: float


@dataclass(frozen=True)
class Duration(Result):
    """Simulated seconds of the trials."""

    #: Mean over trials.
    mean: float
    #: Maximum over trials.
    most: float


@dataclass(frozen=True)
class BestJob(Best):
    """The job of the best final incumbent, and its cell."""

    #: Number of the trial.
    trial: int
    #: Number of the job.
    job: int
    #: Epochs that the cell was trained for.
    epochs: int
    #: Simulated time at which it ended.
    simulated_seconds: float
    #: Score that the search has seen; higher is better.
    score: float
    #: The cell.
    cell: BestCell = field(metadata=INLINE)


@dataclass(frozen=True)
class TimeRow(Row):
    """The regret of the incumbents at a point of simulated time."""

    #: Simulated time.
    simulated_seconds: float
    #: Number of trials with an incumbent.
    trials_with_incumbent: int
    #: Regret over these trials.
    regret: Spread = field(metadata=INLINE)

    @property
    def point(self) -> str:
        return duration(self.simulated_seconds)

    def text(self, trials: int) -> str:
        """Return the row as text; `trials` is the number of trials."""
        having = self.trials_with_incumbent
        short = "" if having == trials else f"   ({counted(having, 'trial')} had one)"
        return f"after {duration(self.simulated_seconds):>12}  {self.regret.text()}{short}"


@dataclass(frozen=True)
class JobResult(SearchResult[SimulationConfig]):
    """The result of a multi-fidelity search."""

    #: Jobs of each rung.
    rungs: list[Rung]
    #: Number of jobs per trial.
    jobs: Counts
    #: Number of trials without an incumbent.
    trials_without_incumbent: int
    #: Simulated time.
    simulated_seconds: Duration
    #: Share of the simulated time in which workers trained, in [0, 1], mean over trials.
    workers_busy: float
    #: Feasible cells; None without limits.
    feasible: Feasible | None = field(metadata=OPTIONAL)
    #: Incumbents of the trials.
    incumbents: Incumbents[BestJob, TimeRow] = field(metadata=INLINE)

    @property
    def done(self) -> str:
        return counted(self.jobs.most, "job")

    def text(self, *, all: bool = False) -> str:
        """Return the result as text; with `all`, including the hardware metrics of the best cell."""
        settings, trials = self.settings, self.settings.trials
        over = over_text(trials, trials - self.trials_without_incumbent)
        lines = [self.head, format_rows(self.summary())]
        lines.append("\nJobs of each rung" + ("" if trials == 1 else ", mean over trials"))
        lines += [
            f"up to {rung.epochs:>3} {'epoch ' if rung.epochs == 1 else 'epochs'}  {rung.jobs:>9,.6g}"
            for rung in self.rungs
        ]
        return "\n".join([*lines, *self.incumbents.lines(settings, over, all=all)])

    @property
    def head(self) -> str:
        done = f"{self.jobs.text('job')} on {counted(self.settings.workers, 'worker')}"
        return self.heading(done, per="cell")

    @property
    def best_entry(self) -> tuple[str, dict[str, dict[str, float]]] | None:
        return self.incumbents.best_entry

    def tables(self) -> list[str]:
        return [self.incumbents.table(self.settings)]

    def summary(self) -> Rows:
        settings, best = self.settings, self.incumbents.best
        rows = self.incumbents.best_rows(settings)
        if best is not None:
            signal = parse_signals(settings)[1]
            score = best.score if signal.higher_is_better else -best.score
            seen = f"{signal.metric} {score:.4f} {signal.unit} after {counted(best.epochs, 'epoch')}"
            which = "" if settings.trials == 1 else f" of trial {best.trial}"
            place = f"by job {best.job:,}{which}, after {duration(best.simulated_seconds)}"
            rows += [("signal", f"{seen}, as seen by the search"), ("found", place)]
        rows += [
            ("search time", f"{duration(self.simulated_seconds.mean)} per trial"),
            ("workers busy", f"{100 * self.workers_busy:.1f} % of that time"),
        ]
        without = self.trials_without_incumbent - (self.feasible.trials_without if self.feasible else 0)
        if without:
            rows.append(("no job", f"{counted(without, 'trial')}, because of the budget"))
        return rows + feasible_rows(self.feasible) + self.incumbents.optimum_rows(settings)


class JobKind(SearchKind[SimulationConfig, Curves, JobHistory, JobResult]):
    """Multi-fidelity searches."""

    name = "jobs"
    settings_class = SimulationConfig
    folders = RunKind(JobLog.header)
    picture = "regret against simulated time"
    counts = "jobs"
    own_settings = ("workers", "fidelities", "from_scratch")

    def problem(self, settings: SimulationConfig, bench: Benchmark, trials: Trials = None) -> Curves:
        return settings.curves(bench)

    def log_format(self, settings: SimulationConfig, space: Space, trials: Trials = None) -> JobLog:
        return JobLog(space, range(settings.trials) if trials is None else trials)

    def driver(
        self, experiment: JobExperiment, trials: Trials = None, steps: int | None = None
    ) -> Simulation:
        settings, curves = experiment.settings, experiment.problem
        _check_curves(curves, _search(experiment, 0).rungs, settings.budget)
        log, is_part = self.log_format(settings, experiment.bench.space, trials), trials is not None
        return Simulation(log, partial(_search, experiment), curves, settings, is_part)

    def result(self, experiment: JobExperiment, history: JobHistory, complete: bool) -> JobResult:
        settings, curves, bench = experiment.settings, experiment.problem, experiment.bench
        rungs, trials = _search(experiment, 0).rungs, self.trajectories(history, settings.budget)
        codes = trials.last_codes
        jobs = [history.trial_jobs(trial) for trial in history.trials]
        ended = [rows for rows in jobs if len(rows)]
        if not len(codes) and not (len(history) and not curves.feasible[history.code].any()):
            raise ConfigError(_why_nothing(curves, rungs, settings.budget))
        lasts = np.array([rows["end"].max() for rows in ended])
        busy = [(rows["end"] - rows["start"]).sum() / rows["end"].max() for rows in ended]
        times = np.array(_CHECKPOINTS) * (lasts.max() if settings.budget is None else settings.budget)
        regret = trials.regret_curve(curves.targets, Axis.SECONDS, times)
        known = [values[~np.isnan(values)] for values in regret.T]
        rows = [
            TimeRow(float(time), len(values), Spread.over(values))
            for time, values in zip(times, known, strict=True)
            if len(values)
        ]
        best = _best(history, bench, curves) if len(codes) else None
        return JobResult(
            *experiment.introduction(complete),
            rungs=[Rung(epochs, float((history.epochs == epochs).sum() / len(jobs))) for epochs in rungs],
            jobs=Counts(min(map(len, jobs)), max(map(len, jobs))),
            trials_without_incumbent=len(jobs) - len(codes),
            simulated_seconds=Duration(float(lasts.mean()), float(lasts.max())),
            workers_busy=float(np.mean(busy) / settings.workers),
            feasible=feasible_cells(curves, len(ended) - len(codes)),
            incumbents=Incumbents.build(best, codes, bench, curves, rows),
        )

    def figure(self, experiment: JobExperiment, result: JobResult, history: JobHistory) -> Figure | None:
        from blackbox.results import plots  # imported here because few runs are plotted

        settings, curves = experiment.settings, experiment.problem
        trials = self.trajectories(history, settings.budget)
        first = trials.begin(Axis.SECONDS)
        if first is None:
            return None
        last = history.end.max() if settings.budget is None else settings.budget
        times = np.geomspace(first, last, _POINTS)
        regret = trials.regret_curve(curves.targets, Axis.SECONDS, times)
        workers = counted(settings.workers, "worker")
        title = (
            f"{result.algorithm} on {curves.dataset} {curves.metric}, {workers}{plots.signal_line(curves)}"
        )
        return plots.regret_figure(regret, title, curves.target.unit, hours=times / 3600)

    def trajectories(self, history: JobHistory, budget: float | None) -> Trajectories:
        return Trajectories.of_jobs(history, budget)

    def evaluated(self, settings: SimulationConfig, history: JobHistory) -> list[Codes]:
        return [history.trial_jobs(trial)["code"] for trial in history.trials]

    def agrees(self, settings: SimulationConfig, bench: Benchmark, history: JobHistory) -> bool:
        return self.problem(settings, bench).agrees(history)

    def is_complete(
        self, settings: SimulationConfig, history: JobHistory, summary: Mapping[str, Any]
    ) -> bool:
        limits = {name: vars(settings)[name] for name in settings.raisable()}
        recorded = summary.get("settings")
        return (
            summary.get("complete") is True
            and isinstance(recorded, dict)
            and limits.items() <= recorded.items()
        )

    def compared(self, name: str, common: RunConfig, own: Mapping[str, Any]) -> SimulationConfig:
        if common.evals is not None or common.budget is None:
            raise ConfigError(
                f"{name} trains cells for different numbers of epochs, so its evaluations cannot be counted;"
                " compare it with --budget, without --evals"
            )
        table = {f.name: vars(common)[f.name] for f in fields(TableConfig)}
        return SimulationConfig(budget=common.budget, **table, **own)


def _search(experiment: JobExperiment, trial: int) -> MultiFidelitySearch[Any]:
    """Return the search of a trial before its first job."""
    fidelities, seed = experiment.problem.fidelities, experiment.settings.seed
    search_class: type[MultiFidelitySearch[Any]] = experiment.search_class
    return search_class(experiment.space, fidelities, experiment.config, trial, seed)


def _check_curves(curves: Curves, rungs: Sequence[int], budget: float | None) -> None:
    """Raise an error if the table lacks something for a search, or if a budget is too short for any job."""
    curves.scores(0, rungs)
    for done, epochs in zip((0, *rungs), rungs, strict=False):
        curves.seconds(0, epochs)
        curves.seconds(done, epochs)
    if budget is not None:
        check_budget(budget, curves.seconds(0, rungs[0]), "job", "the cheapest one")


def _best(history: JobHistory, bench: Benchmark, curves: Curves) -> BestJob:
    """Return the best final incumbent of all trials: by epochs, then score, then time, then trial."""
    good = history.rows[history.score > FAILED]
    order = np.lexsort((good["trial"], good["end"], -good["score"], -good["epochs"]))
    row = JobRow._make(good[order[0]].item())
    return BestJob(row.trial, row.job, row.epochs, row.end, row.score, best_cell(row.code, bench, curves))


def _why_nothing(curves: Curves, rungs: Sequence[int], budget: float | None) -> str:
    """Return the reason why no trial has an incumbent."""
    if budget is None:
        return "there is no incumbent, because all jobs of all trials failed"
    least = math.ceil(min(np.asarray(curves.seconds(0, epochs)).max() for epochs in rungs))
    return f"--budget {budget:g}s is too short for the first job of any trial; try --budget {least}s"


JOBS = JobKind()
