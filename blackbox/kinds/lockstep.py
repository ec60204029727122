"""Searches whose trials evaluate cells in lockstep: their driver, and the base class of their results."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from blackbox.errors import ConfigError, RunFolderError
from blackbox.kinds.base import Driver, Experiment, R, SearchKind, Trials, check_budget
from blackbox.kinds.logs import EvaluationLog
from blackbox.results.anytime import Trajectories
from blackbox.results.base import OPTIONAL, Result, SearchResult
from blackbox.results.regret import Counts, Feasible, feasible_rows
from blackbox.results.text import Rows
from blackbox.search.base import Search
from blackbox.search.history import History
from blackbox.search.loop import is_finished, run
from blackbox.table.objective import PairObjective, TableObjective, agrees
from blackbox.table.settings import EvaluationsConfig
from nasbench.arrays import Codes
from nasbench.benchmark import Benchmark
from nasbench.runs.log import AppendLog
from nasbench.runs.text import counted, duration
from nasbench.spaces import Space

S = TypeVar("S", bound=EvaluationsConfig)
S_co = TypeVar("S_co", bound=EvaluationsConfig, covariant=True)
P = TypeVar("P", TableObjective, PairObjective)


@dataclass(frozen=True)
class SpentSeconds(Result):
    """Simulated seconds that trials took."""

    #: Mean over trials.
    mean: float
    #: Sum over trials.
    total: float


@dataclass(frozen=True)
class LockstepResult(SearchResult[S_co]):
    """The result of a search whose trials evaluate cells in lockstep."""

    #: Number of evaluations per trial.
    evaluations: Counts
    #: Number of trials without an evaluation within the budget.
    trials_without_evaluation: int
    #: Simulated time; None if the table has no times.
    simulated_seconds: SpentSeconds | None
    #: Feasible cells; None without limits.
    feasible: Feasible | None = field(metadata=OPTIONAL)

    @property
    def done(self) -> str:
        return counted(self.evaluations.most, "evaluation")

    @property
    def rows(self) -> Rows:
        """The rows of a text about the whole search, in addition to the evaluations."""
        rows: Rows = []
        if self.simulated_seconds is not None:
            rows.append(("search time", f"{duration(self.simulated_seconds.mean)} per trial"))
        if without := self.trials_without_evaluation:
            rows.append(("no evaluation", f"{counted(without, 'trial')}, because of the budget"))
        return rows + feasible_rows(self.feasible)


def counted_in(history: History, budget: float | None) -> Codes:
    """Return how many evaluations of each trial ended within a budget, (T,); ConfigError if none did."""
    counted = history.counted(budget)
    if not counted.any():
        raise ConfigError(
            f"--budget {budget:g}s is too short for the first evaluation of any trial;"
            f" try --budget {math.ceil(history.costs[:, 0].min())}s"
        )
    return counted


def count_extent(
    history: History, objective: TableObjective | PairObjective, counted: Codes
) -> tuple[Counts, int, SpentSeconds | None]:
    """Return the extent of a search for its result; `counted` (T,) are the evaluations of each trial."""
    spent = history.costs.cumsum(axis=1)[np.arange(len(counted)), counted - 1][counted > 0]
    seconds = SpentSeconds(float(spent.mean()), float(spent.sum()))
    counts = Counts(int(counted.min()), int(counted.max()))
    return counts, int((counted == 0).sum()), seconds if objective.has_cost else None


@dataclass
class Lockstep(Driver[History]):
    """The driver of the trials of a `Search`, which make one evaluation each at every step."""

    unit = "evaluations"

    #: Format of the log.
    log_format: EvaluationLog
    #: The search, before its first evaluation.
    search: Search[Any]
    #: The objective.
    objective: TableObjective | PairObjective
    #: Number of evaluations per trial; None for no limit.
    evals: int | None
    #: Simulated seconds per trial; None for no limit.
    budget: float | None
    _log: AppendLog | None = field(default=None, init=False)
    _saved: int = field(default=0, init=False)  # steps

    @property
    def total(self) -> int | None:
        return self.evals

    @property
    def history(self) -> History:
        return self.search.history

    @property
    def done(self) -> float:
        return len(self.history)

    @property
    def share(self) -> float:
        of_budget = self.history.spent().mean() / self.budget if self.budget else 0.0
        return max(len(self.history) / self.evals if self.evals else 0.0, float(of_budget))

    def resume(self, log: AppendLog) -> None:
        data = log.read()
        history = self.log_format.decode(data, log.path)
        if len(history):  # only a new search can take over a history
            self._check(history, log.path.parent)
            self.objective.skip(len(history))
            search = self.search
            self.search = type(search)(search.space, search.config, search.trials, search.seed, history)
        log.truncate(self.log_format.whole(data))
        self._log, self._saved = log, len(history)

    def _check(self, history: History, path: Path) -> None:
        """Raise RunFolderError unless the history in the folder `path` is from this search on this table."""
        if not agrees(self.objective, history):
            raise RunFolderError(f"{path} is damaged: its scores or costs differ from the table")
        if (history.codes[:, 0] != self.search.ask()).any():
            raise RunFolderError(f"{path} is damaged: the first cells in its log do not match its settings")
        if self.evals is not None and len(history) > self.evals:
            raise RunFolderError(f"{path} is damaged: its log has more evaluations than its settings allow")

    def advance(self, stop: Callable[[], bool]) -> bool:
        cost = self.objective.cost if self.objective.has_cost else None
        run(self.search, self.objective, self.evals, cost=cost, budget=self.budget, after_step=stop)
        return is_finished(self.history, self.evals, self.budget)

    def verify(self) -> bool:
        return True

    def save(self) -> None:
        if self._log is not None:
            for rows in self.log_format.blocks(self.history, self._saved):
                self._log.append(rows)
            self._saved = len(self.history)


class LockstepKind(SearchKind[S, P, History, R]):
    """A kind of search whose trials evaluate cells in lockstep."""

    counts = "evaluations"

    def log_format(self, settings: S, space: Space, trials: Trials = None) -> EvaluationLog:
        numbers = range(settings.trials) if trials is None else trials
        return EvaluationLog(space, numbers, self.objectives)

    def driver(
        self, experiment: Experiment[S, P], trials: Trials = None, steps: int | None = None
    ) -> Lockstep:
        settings, bench = experiment.settings, experiment.bench
        objective = experiment.problem if trials is None else self.problem(settings, bench, trials)
        evals, budget = (settings.evals, settings.budget) if steps is None else (steps, None)
        if budget is not None:
            check_budget(budget, objective.seconds, "evaluation", "the cheapest cell")
        log, config = self.log_format(settings, bench.space, trials), experiment.config
        first = settings.first(bench)
        search = experiment.search_class(
            experiment.space, config, log.trials, settings.seed, **({"first": first} if first else {})
        )
        return Lockstep(log, search, objective, evals, budget)

    def trajectories(self, history: History, budget: float | None) -> Trajectories:
        return Trajectories.of_evaluations(history, budget)

    def evaluated(self, settings: S, history: History) -> list[Codes]:
        counted = history.counted(settings.budget).tolist()
        return [codes[:n] for codes, n in zip(history.codes, counted, strict=True)]

    def agrees(self, settings: S, bench: Benchmark, history: History) -> bool:
        return agrees(self.problem(settings, bench), history)

    def is_complete(self, settings: S, history: History, summary: Mapping[str, Any]) -> bool:
        return is_finished(history, settings.evals, settings.budget)
