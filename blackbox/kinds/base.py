"""What a kind of search is: how it begins, runs, logs, summarizes and plots one; and all kinds by name."""

from __future__ import annotations

import importlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

import numpy as np

from blackbox.errors import ConfigError
from blackbox.kinds.logs import H, SearchLog
from blackbox.results.base import SearchResult
from blackbox.search.base import Search
from blackbox.search.space import CategoricalSpace, space_of_table
from blackbox.table.settings import RunConfig, TableConfig, short_names
from blackbox.table.signal import Signal
from nasbench.errors import shown
from nasbench.runs.record import identity, present

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from blackbox.results.anytime import Trajectories
    from nasbench.arrays import Codes, Seconds
    from nasbench.benchmark import Benchmark
    from nasbench.runs.folder import RunKind
    from nasbench.runs.log import AppendLog
    from nasbench.runs.settings import Settings
    from nasbench.spaces import Space

Trials = Sequence[int] | None  # their numbers; None for all
S = TypeVar("S", bound=TableConfig)
P = TypeVar("P")
R = TypeVar("R", bound=SearchResult[Any])


@dataclass(frozen=True)
class Experiment(Generic[S, P]):
    """A search that is to run on a table; all settings are complete."""

    kind: SearchKind[S, P, Any, SearchResult[Any]]
    #: A `Search` or a `MultiFidelitySearch`, as the kind has it.
    search_class: Any
    #: The algorithm's own settings, of its `config_class`.
    config: Settings
    settings: S
    bench: Benchmark

    @cached_property
    def problem(self) -> P:
        """What all trials see of the table."""
        return self.kind.problem(self.settings, self.bench)

    @property
    def space(self) -> CategoricalSpace:
        """The space that the algorithm searches."""
        return space_of_table(self.bench.space)

    def introduction(self, complete: bool) -> tuple[str, Settings, S, bool]:
        """Return the first fields of a result; `complete`: whether it reached its limits."""
        return self.search_class.name, self.config, self.settings, complete

    def record(self, store: str | None) -> dict[str, Any]:
        """Return the content of a new run's config.json; `store`: the path of the table."""
        return {
            "algorithm": self.search_class.name,
            "kind": self.kind.name,
            "search": self.config.to_json(),
            **conditions(self.settings, self.bench, store),
        }


def conditions(settings: TableConfig, bench: Benchmark, store: str | None) -> dict[str, Any]:
    """Return the part of a record that does not depend on the algorithm; `store`: the path of the table."""
    return {"run": settings.to_json(), "table": table_record(bench, store), **present()}


def check_budget(budget: float, seconds: Seconds | Sequence[float], unit: str, cheapest: str) -> None:
    """Raise ConfigError if a budget ends before any evaluation or job can, which take so many seconds."""
    least = np.min(seconds)
    if budget < least:
        raise ConfigError(
            f"a budget of {budget:g} s ends before any {unit} can;"
            f" {cheapest} takes: --budget {math.ceil(least)}s"
        )


def as_recorded(asked: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Return settings that flags ask for as runs on a space record them, {name: value}."""
    longest = space.full_protocol
    signal = {"signal": str(Signal.parse(asked["signal"], longest))} if "signal" in asked else {}
    return {**asked, **short_names(asked, longest), **signal}


def table_record(bench: Benchmark, store: str | None) -> dict[str, str | None]:
    """Return what a run records of its table; `store`: its path, None for the default store."""
    return {"store": None if store is None else str(Path(store).absolute()), **identity(bench)}


class Driver(ABC, Generic[H]):
    """Trials of an experiment on their way to the limits."""

    #: The format of their log.
    log_format: SearchLog[H]
    #: What they do, on a progress bar.
    unit: ClassVar[str]

    @property
    @abstractmethod
    def total(self) -> int | None:
        """How many units there are to do; None if that is not known."""

    @property
    @abstractmethod
    def history(self) -> H:
        """What was done so far."""

    @property
    @abstractmethod
    def done(self) -> float:
        """How many units are done, of all trials together."""

    @property
    @abstractmethod
    def share(self) -> float:
        """Which part of all is done, in [0, 1]."""

    @abstractmethod
    def resume(self, log: AppendLog) -> None:
        """Continue a log, which may have no rows; RunFolderError if it is damaged."""

    @abstractmethod
    def advance(self, stop: Callable[[], bool]) -> bool:
        """Drive the trials to their limits, or until `stop()`, which is called after each step, is true.

        Return whether all reached them. RunFolderError if the log is not what the settings lead to.
        """

    @abstractmethod
    def verify(self) -> bool:
        """Return whether the trials have come as far as the log that they continue."""

    @abstractmethod
    def save(self) -> None:
        """Write to the log what it lacks, once it is verified."""


class SearchKind(ABC, Generic[S, P, H, R]):
    """One kind of search on a table."""

    #: In config.json.
    name: ClassVar[str]
    #: The settings of its searches.
    settings_class: type[S]
    #: The folders that its searches are saved in.
    folders: ClassVar[RunKind]
    #: What its figure shows.
    picture: ClassVar[str]
    #: Scores per evaluation; with several there is no incumbent.
    objectives: ClassVar[int] = 1
    #: What a trial does. Evaluations are made in lockstep: the log has a row of each trial at each step,
    #: even of trials beyond their budget. Jobs are not, and are compared by simulated time alone.
    counts: ClassVar[Literal["evaluations", "jobs"]]
    #: The settings that algorithms choose for themselves in a comparison.
    own_settings: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def problem(self, settings: S, bench: Benchmark, trials: Trials = None) -> P:
        """Return what trials see of a table; errors say what the table lacks."""

    @abstractmethod
    def log_format(self, settings: S, space: Space, trials: Trials = None) -> SearchLog[H]:
        """Return the format of a log of trials."""

    @abstractmethod
    def driver(
        self, experiment: Experiment[S, P], trials: Trials = None, steps: int | None = None
    ) -> Driver[H]:
        """Return what drives the trials of an experiment.

        `steps`: evaluations per trial to go to instead of the limits, which only trials in lockstep are asked
        for. ConfigError if the table or the budget rules out a first step.
        """

    @abstractmethod
    def result(self, experiment: Experiment[S, P], history: H, complete: bool) -> R:
        """Return what a search found; ConfigError if no trial has done anything within the budget."""

    @abstractmethod
    def figure(self, experiment: Experiment[S, P], result: R, history: H) -> Figure | None:
        """Return the picture of what a search found; None without a feasible cell."""

    @abstractmethod
    def trajectories(self, history: H, budget: float | None) -> Trajectories:
        """Return how the trials' incumbents changed; ConfigError with several objectives, which have none."""

    @abstractmethod
    def evaluated(self, settings: S, history: H) -> list[Codes]:
        """Return the codes that each trial evaluated within its budget, in order."""

    @abstractmethod
    def agrees(self, settings: S, bench: Benchmark, history: H) -> bool:
        """Return whether a history could have been made on a table."""

    @abstractmethod
    def is_complete(self, settings: S, history: H, summary: Mapping[str, Any]) -> bool:
        """Return whether a run reached its limits; `summary`: what its summary.json says, perhaps nothing."""

    @abstractmethod
    def compared(self, name: str, common: RunConfig, own: Mapping[str, Any]) -> S:
        """Return the settings of an algorithm in a comparison.

        `common`: of all algorithms; `own`: those of `own_settings` that it has. ConfigError, which names the
        algorithm, if the common settings are not for this kind.
        """


Kind = SearchKind[Any, Any, Any, Any]  # settings, problem, history and result depend on which
_EVALUATIONS, _FRONTS, _JOBS = KINDS = ("evaluations", "fronts", "jobs")  # each a module of this package
_OF_OBJECTIVES = {1: _EVALUATIONS, 2: _FRONTS}
_ADDED = {"at_most", "at_least", "warm_start"}  # settings that a record can lack


def kind_of(search_class: Any) -> Kind:
    """Return the kind of a `Search` or a `MultiFidelitySearch`; ConfigError if there is none."""
    if not issubclass(search_class, Search):
        return kind_named(_JOBS)
    if search_class.objectives not in _OF_OBJECTIVES:
        raise ConfigError(
            f"a command is of searches with one or two objectives, got {search_class.objectives}"
        )
    return kind_named(_OF_OBJECTIVES[search_class.objectives])


def kind_named(name: object) -> Kind:
    """Return the kind of that name, the field `kind` of a config.json; ConfigError if there is none.

    Its module is imported then: a command needs one kind only.
    """
    if name not in KINDS:
        raise ConfigError(f"kind must be {' or '.join(KINDS)}, got {shown(name)}")
    kind: Kind = vars(importlib.import_module(f"blackbox.kinds.{name}"))[str(name).upper()]
    return kind


def kind_of_record(record: Mapping[str, Any]) -> Kind:
    """Return the kind of a run by its config.json; ConfigError if there is none.

    Runs of earlier releases do not name it: the names of their settings tell the kinds apart.
    """
    for kind in map(kind_named, [record["kind"]] if "kind" in record else KINDS):
        if {field.name for field in fields(kind.settings_class)} - _ADDED == set(record["run"]) - _ADDED:
            return kind
    raise ConfigError(f"its settings are {', '.join(map(str, record['run']))}")
