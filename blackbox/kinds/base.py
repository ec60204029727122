"""The base class of kinds of searches, which run, log, summarize and plot them; and all kinds by name."""

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

Trials = Sequence[int] | None  # numbers of trials; None for all
S = TypeVar("S", bound=TableConfig)
P = TypeVar("P")
R = TypeVar("R", bound=SearchResult[Any])


@dataclass(frozen=True)
class Experiment(Generic[S, P]):
    """A search on a table with complete settings."""

    #: Kind of the search.
    kind: SearchKind[S, P, Any, SearchResult[Any]]
    #: A subclass of `Search` or `MultiFidelitySearch`, depending on the kind.
    search_class: Any
    #: Settings of the algorithm, an instance of its `config_class`.
    config: Settings
    #: Settings of the run.
    settings: S
    #: The table.
    bench: Benchmark

    @cached_property
    def problem(self) -> P:
        """The objective of all trials."""
        return self.kind.problem(self.settings, self.bench)

    @property
    def space(self) -> CategoricalSpace:
        """The search space."""
        return space_of_table(self.bench.space)

    def introduction(self, complete: bool) -> tuple[str, Settings, S, bool]:
        """Return the first fields of a result; `complete` says whether the search reached its limits."""
        return self.search_class.name, self.config, self.settings, complete

    def record(self, store: str | None) -> dict[str, Any]:
        """Return the content of config.json for a new run; `store` is the path of the table."""
        return {
            "algorithm": self.search_class.name,
            "kind": self.kind.name,
            "search": self.config.to_json(),
            **conditions(self.settings, self.bench, store),
        }


def conditions(settings: TableConfig, bench: Benchmark, store: str | None) -> dict[str, Any]:
    """Return the part of a record that does not depend on the algorithm; `store` is the table's path."""
    return {"run": settings.to_json(), "table": table_record(bench, store), **present()}


def check_budget(budget: float, seconds: Seconds | Sequence[float], unit: str, cheapest: str) -> None:
    """Raise ConfigError if a budget is too short for any evaluation or job; `seconds` are their times."""
    least = np.min(seconds)
    if budget < least:
        raise ConfigError(
            f"--budget {budget:g}s is too short for any {unit}; {cheapest} needs --budget {math.ceil(least)}s"
        )


def as_recorded(asked: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Return settings from flags in the form in which runs on a space record them, {name: value}."""
    longest = space.full_protocol
    signal = {"signal": str(Signal.parse(asked["signal"], longest))} if "signal" in asked else {}
    return {**asked, **short_names(asked, longest), **signal}


def table_record(bench: Benchmark, store: str | None) -> dict[str, str | None]:
    """Return a run's record of its table; `store` is its path, None for the default store."""
    return {"store": None if store is None else str(Path(store).absolute()), **identity(bench)}


class Driver(ABC, Generic[H]):
    """The driver of an experiment's trials, which runs them to their limits."""

    #: Format of the log.
    log_format: SearchLog[H]
    #: Unit of progress, for the progress bar.
    unit: ClassVar[str]

    @property
    @abstractmethod
    def total(self) -> int | None:
        """The total number of units; None if it is not known."""

    @property
    @abstractmethod
    def history(self) -> H:
        """The evaluations or jobs so far."""

    @property
    @abstractmethod
    def done(self) -> float:
        """The number of completed units, of all trials together."""

    @property
    @abstractmethod
    def share(self) -> float:
        """The completed share of the work, in [0, 1]."""

    @abstractmethod
    def resume(self, log: AppendLog) -> None:
        """Continue from a log, which may have no rows; raise RunFolderError if it is damaged."""

    @abstractmethod
    def advance(self, stop: Callable[[], bool]) -> bool:
        """Run the trials to their limits, or until `stop()` is true; it is called after each step.

        Return whether all trials reached their limits. Raise RunFolderError if the log does not follow from
        the settings.
        """

    @abstractmethod
    def verify(self) -> bool:
        """Return whether the trials have caught up with the log that they continue."""

    @abstractmethod
    def save(self) -> None:
        """Append new rows to the log, once it is verified."""


class SearchKind(ABC, Generic[S, P, H, R]):
    """One kind of search on a table."""

    #: Name of the kind in config.json.
    name: ClassVar[str]
    #: Class of the settings of its searches.
    settings_class: type[S]
    #: Kind of its run folders.
    folders: ClassVar[RunKind]
    #: Content of its plot, for the help text.
    picture: ClassVar[str]
    #: Number of scores per evaluation; with several there is no incumbent.
    objectives: ClassVar[int] = 1
    #: Unit of a trial. Trials that count evaluations run in lockstep: the log has a row per trial and step,
    #: even beyond a trial's budget. Trials that count jobs do not, and are compared by simulated time only.
    counts: ClassVar[Literal["evaluations", "jobs"]]
    #: Settings that each algorithm can choose for itself in a comparison.
    own_settings: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def problem(self, settings: S, bench: Benchmark, trials: Trials = None) -> P:
        """Return the objective of trials on a table; raise an error if the table lacks something."""

    @abstractmethod
    def log_format(self, settings: S, space: Space, trials: Trials = None) -> SearchLog[H]:
        """Return the log format for trials."""

    @abstractmethod
    def driver(
        self, experiment: Experiment[S, P], trials: Trials = None, steps: int | None = None
    ) -> Driver[H]:
        """Return a driver for trials of an experiment.

        With `steps`, which only trials in lockstep support, each trial makes this number of evaluations
        instead of running to its limits. Raise ConfigError if the table or the budget rules out a first step.
        """

    @abstractmethod
    def result(self, experiment: Experiment[S, P], history: H, complete: bool) -> R:
        """Return the result of a search; raise ConfigError if the budget has excluded all evaluations."""

    @abstractmethod
    def figure(self, experiment: Experiment[S, P], result: R, history: H) -> Figure | None:
        """Return the plot of a result; None without a feasible cell."""

    @abstractmethod
    def trajectories(self, history: H, budget: float | None) -> Trajectories:
        """Return the trajectories of the trials; raise ConfigError with several objectives."""

    @abstractmethod
    def evaluated(self, settings: S, history: H) -> list[Codes]:
        """Return the codes that each trial evaluated within its budget, in order."""

    @abstractmethod
    def agrees(self, settings: S, bench: Benchmark, history: H) -> bool:
        """Return whether a history has the scores and costs of a table."""

    @abstractmethod
    def is_complete(self, settings: S, history: H, summary: Mapping[str, Any]) -> bool:
        """Return whether a run reached its limits; `summary` is its summary.json, empty if there is none."""

    @abstractmethod
    def compared(self, name: str, common: RunConfig, own: Mapping[str, Any]) -> S:
        """Return the settings of an algorithm in a comparison.

        `common` are the settings of all algorithms, and `own` its settings among `own_settings`. Raise
        ConfigError, which names the algorithm, if the common settings do not suit this kind.
        """


Kind = SearchKind[Any, Any, Any, Any]  # settings, problem, history and result depend on the kind
_EVALUATIONS, _FRONTS, _JOBS = KINDS = ("evaluations", "fronts", "jobs")  # each a module of this package
_OF_OBJECTIVES = {1: _EVALUATIONS, 2: _FRONTS}
_ADDED = {"at_most", "at_least", "warm_start"}  # settings that a record can lack


def get_kind(search_class: Any) -> Kind:
    """Return the kind of a `Search` or `MultiFidelitySearch` class; raise ConfigError if there is none."""
    if not issubclass(search_class, Search):
        return kind_named(_JOBS)
    if search_class.objectives not in _OF_OBJECTIVES:
        raise ConfigError(
            f"a search must have one or two objectives to run as a command, got {search_class.objectives}"
        )
    return kind_named(_OF_OBJECTIVES[search_class.objectives])


def kind_named(name: object) -> Kind:
    """Return the kind with a name, the field `kind` of config.json; raise ConfigError if there is none.

    Its module is imported on demand, because a command needs only one kind.
    """
    if name not in KINDS:
        raise ConfigError(f"kind must be {' or '.join(KINDS)}, got {shown(name)}")
    kind: Kind = vars(importlib.import_module(f"blackbox.kinds.{name}"))[str(name).upper()]
    return kind


def kind_of_record(record: Mapping[str, Any]) -> Kind:
    """Return the kind of a run from its config.json; raise ConfigError if there is none.

    Runs of earlier releases do not name their kind, so it is found by the names of their settings.
    """
    for kind in map(kind_named, [record["kind"]] if "kind" in record else KINDS):
        if {field.name for field in fields(kind.settings_class)} - _ADDED == set(record["run"]) - _ADDED:
            return kind
    raise ConfigError(f"its settings belong to no kind of search: {', '.join(map(str, record['run']))}")
