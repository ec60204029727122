"""The settings of a search by workers: what is searched, and where cells are evaluated."""

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
from nasbench.spaces import SPACES, space_of

SCHEDULER_HELP = "Dask scheduler whose workers to use: tcp://host:8786, or its file (default: this machine)"
_MOST_LOCAL = 1_000  # workers of this machine, each a process
_ADDRESS = r"((tcp|tls|ws|wss)://)?[^\s/]+:\d+"


@dataclass(frozen=True)
class WorkersConfig(Settings):
    """One trial of a search on the user's objective."""

    objective: str | None = option(
        None,
        "a function from an arch string (and epochs, where a search gives them) to a score, higher is better",
        type=str,
        metavar="MODULE:FUNCTION",
    )
    evals: int = option(100, "evaluations in all", at_least=1, on_resume="raise")
    space: str = option(
        next(iter(SPACES)),
        "; ".join(f"{flag}: {space.summary}" for flag, space in SPACES.items()),
        choices=tuple(SPACES),
    )
    fidelities: tuple[int, ...] | None = option(
        None,
        "of a multi-fidelity search: the longest training in epochs, or the rungs, such as 1,3,9",
        type=parse_epochs,
        metavar="EPOCHS,EPOCHS",
    )
    seed: int = option(0, "random seed", at_least=0, at_most=SEEDS)

    def __post_init__(self) -> None:
        if self.objective is None:
            raise ConfigError("an objective is needed: --objective MODULE:FUNCTION")
        split_name(self.objective)
        space_of(self.space)
        super().__post_init__()
        if self.fidelities is not None:
            object.__setattr__(self, "fidelities", checked_fidelities(self.fidelities))


@dataclass(frozen=True)
class PoolConfig(Settings):
    """Where cells are evaluated; it may differ when a run is resumed."""

    workers: int | None = option(
        None,
        "evaluations at the same time, a thread each (default: one a core; with --scheduler, one a worker)",
        type=int,
        on_resume="free",
    )
    scheduler: str | None = option(None, SCHEDULER_HELP, type=str, metavar="ADDRESS|FILE", on_resume="free")
    timeout: float | None = option(
        None,
        "after which an evaluation has failed: 90m, 2h (default: none)",
        type=parse_seconds,
        on_resume="free",
    )
    patience: float = option(
        PATIENCE, "seconds to wait while there are no workers at all", type=parse_seconds, on_resume="free"
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
    """Return the address of a Dask scheduler or the path of its file; ConfigError if it is neither."""
    if not (re.fullmatch(_ADDRESS, place) or os.path.isfile(place)):
        raise ConfigError(
            f"a scheduler's address is such as tcp://host:8786, got {place!r}, which is no file either"
        )
    return place
