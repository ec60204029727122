"""What a kind of search is: it knows how to begin, run, log, summarize and plot a search on a table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from blackbox.kinds.logs import H
from blackbox.results.base import SearchResult
from blackbox.search.space import space_of_table
from blackbox.table.settings import TableConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from _typeshed import DataclassInstance
    from matplotlib.figure import Figure

    from blackbox.folder import RunFolder
    from blackbox.kinds.logs import SearchLog
    from blackbox.results.anytime import Trajectories
    from blackbox.search.space import CategoricalSpace
    from blackbox.table.settings import RunConfig
    from nasbench.arrays import Codes
    from nasbench.benchmark import Benchmark
    from nasbench.spaces import Space

S = TypeVar("S", bound=TableConfig)
P = TypeVar("P")
R = TypeVar("R", bound=SearchResult[Any])


@dataclass(frozen=True)
class Experiment(Generic[S, P]):
    """A search that is to run on a table; all settings are complete."""

    kind: SearchKind[S, P, Any, Any]
    #: A `Search` or a `MultiFidelitySearch`, as the kind has it.
    search_class: Any
    #: The algorithm's own settings, of its `config_class`.
    config: DataclassInstance
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


class Driver(ABC, Generic[H]):
    """Trials of an experiment on their way to the limits.

    `log`: the format of their log; `unit`: of what they do, on a progress bar; `total`: how many, None if
    that is not known.
    """

    log: SearchLog[H]
    unit: ClassVar[str]
    total: int | None

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
    def resume(self, folder: RunFolder) -> None:
        """Continue the log in a folder, which may be empty; RunFolderError if it is damaged."""

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
    """One kind of search on a table.

    `name`: in config.json; `settings_class`: the settings of its searches; `picture`: what its figure shows;
    `objectives`: how many a search has, only with one there are incumbents; `counts`: what a trial does;
    `in_lockstep`: whether the log has a row of every trial at each step, even of those beyond their budget;
    `own_settings`: the settings that algorithms choose for themselves in a comparison; `by_time_only`:
    whether algorithms are compared by simulated time alone.
    """

    name: ClassVar[str]
    settings_class: type[S]
    picture: ClassVar[str]
    objectives: ClassVar[int] = 1
    counts: ClassVar[Literal["evaluations", "jobs"]]
    in_lockstep: ClassVar[bool]
    own_settings: ClassVar[tuple[str, ...]] = ()
    by_time_only: ClassVar[bool] = False

    @abstractmethod
    def accepts(self, search_class: type) -> bool:
        """Return whether a search is of this kind."""

    @abstractmethod
    def problem(self, settings: S, bench: Benchmark, trials: Sequence[int] | None = None) -> P:
        """Return what trials see of a table, by default all; errors say what the table lacks."""

    @abstractmethod
    def log(self, settings: S, space: Space, trials: Sequence[int] | None = None) -> SearchLog[H]:
        """Return the format of a log of trials, by default of all."""

    @abstractmethod
    def driver(
        self,
        experiment: Experiment[S, P],
        trials: Sequence[int] | None = None,
        steps: int | None = None,
    ) -> Driver[H]:
        """Return what drives the trials of an experiment, by default all of them.

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
