"""The settings of a search with workers."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from blackbox.errors import ConfigError
from blackbox.search.loop import check_seconds
from blackbox.table.settings import checked_fidelities, parse_epochs, parse_seconds
from blackbox.workers.evaluation import split_name
from blackbox.workers.pool import PATIENCE
from nasbench.runs.checks import SEEDS, whole
from nasbench.runs.processes import cores
from nasbench.runs.settings import Settings, option
from nasbench.spaces import SPACES, get_space

SCHEDULER_HELP = "Dask scheduler whose workers to use: tcp://host:8786, or its file (default: this machine)"
_MOST_LOCAL = 1_000  # maximum number of workers on this machine, each a process
_ADDRESS = r"((tcp|tls|ws|wss)://)?[^\s/]+:\d+"


@dataclass(frozen=True)
class WorkersConfig(Settings):
    """The settings of one trial of a search on a custom objective."""

    #: Objective, MODULE:FUNCTION; required.
    objective: str | None = option(
        None,
        "function from an arch string (and epochs in multi-fidelity searches) to a score, higher is better",
        type=str,
        metavar="MODULE:FUNCTION",
    )
    #: Total number of evaluations.
    evals: int = option(100, "total number of evaluations", at_least=1, on_resume="raise")
    #: Flag of the search space.
    space: str = option(
        next(iter(SPACES)),
        "; ".join(f"{flag}: {space.summary}" for flag, space in SPACES.items()),
        choices=tuple(SPACES),
    )
    #: Maximum number of epochs, or the rungs; None for searches without fidelities.
    fidelities: tuple[int, ...] | None = option(
        None,
        "maximum number of epochs of a multi-fidelity search, or its rungs, such as 1,3,9",
        type=parse_epochs,
        metavar="EPOCHS,EPOCHS",
    )
    #: Random seed.
    seed: int = option(0, "random seed", at_least=0, at_most=SEEDS)

    def __post_init__(self) -> None:
        if self.objective is None:
            raise ConfigError("an objective is required; give --objective MODULE:FUNCTION")
        split_name(self.objective)
        get_space(self.space)
        super().__post_init__()
        if self.fidelities is not None:
            object.__setattr__(self, "fidelities", checked_fidelities(self.fidelities))


@dataclass(frozen=True)
class PoolConfig(Settings):
    """The workers that evaluate cells; these settings can differ when a run is resumed."""

    #: Number of simultaneous evaluations; None for all workers of the scheduler.
    workers: int | None = option(
        None,
        "number of simultaneous evaluations, with one thread each (default: one per core; with --scheduler,"
        " one per worker)",
        type=int,
        on_resume="free",
    )
    #: Address or file of a Dask scheduler; None for this machine.
    scheduler: str | None = option(None, SCHEDULER_HELP, type=str, metavar="ADDRESS|FILE", on_resume="free")
    #: Seconds after which an evaluation counts as failed; None for no limit.
    timeout: float | None = option(
        None,
        "time after which an evaluation counts as failed, such as 90m or 2h (default: no limit)",
        type=parse_seconds,
        on_resume="free",
    )
    #: Seconds to wait while there are no workers.
    patience: float = option(
        PATIENCE, "seconds to wait while there are no workers", type=parse_seconds, on_resume="free"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scheduler is not None:
            checked_scheduler(self.scheduler)
        if self.workers is None and self.scheduler is None:
            object.__setattr__(self, "workers", cores())
        if self.workers is not None:
            whole("workers", self.workers, 1, _MOST_LOCAL if self.scheduler is None else None)
        for name, value in (("timeout", self.timeout), ("patience", self.patience)):
            if value is not None:
                check_seconds(name, value)


def checked_scheduler(place: str) -> str:
    """Return the address of a Dask scheduler or the path of its file; raise ConfigError if it is neither."""
    if not (re.fullmatch(_ADDRESS, place) or os.path.isfile(place)):
        raise ConfigError(f"scheduler must be an address like tcp://host:8786 or a file, got {place!r}")
    return place
