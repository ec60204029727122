"""What a search by workers is told: what is searched, and where it is evaluated."""

import os
import re
from dataclasses import dataclass

from blackbox.errors import ConfigError
from blackbox.search.loop import check_seconds
from blackbox.table.settings import checked_fidelities, parse_epochs, parse_seconds
from blackbox.workers.evaluation import parts
from nasbench.runs.settings import SEEDS, option, whole
from nasbench.spaces import SPACES, space_of

_PATIENCE = 600.0
_MOST_LOCAL = 1_000  # workers of this machine, each a process
_ADDRESS = r"((tcp|tls|ws|wss)://)?[^\s/]+:\d+"


@dataclass(frozen=True)
class WorkersConfig:
    """What is searched: one trial, on an objective of one's own."""

    limits = ("evals",)  # what a run that goes on may raise

    objective: str | None = option(
        None,
        "a function from an arch string (and epochs, where a search gives them) to a score, higher is better",
        type=str,
        metavar="MODULE:FUNCTION",
    )
    evals: int = option(100, "evaluations in all")
    space: str = option(
        next(iter(SPACES)),
        "; ".join(f"{flag}: {space.summary}" for flag, space in SPACES.items()),
        choices=tuple(SPACES),
    )
    fidelities: tuple | None = option(
        None,
        "of a multi-fidelity search: the longest training in epochs, or the rungs, such as 1,3,9",
        type=parse_epochs,
        metavar="EPOCHS,EPOCHS",
    )
    seed: int = option(0, "of all that the search draws")

    def __post_init__(self):
        if self.objective is None:
            raise ConfigError("an objective is needed: --objective MODULE:FUNCTION")
        parts(self.objective)
        whole("evals", self.evals, 1)
        whole("seed", self.seed, 0, SEEDS)
        space_of(self.space)
        if self.fidelities is not None:
            object.__setattr__(self, "fidelities", checked_fidelities(self.fidelities))


@dataclass(frozen=True)
class Places:
    """Where evaluations are made; it may differ when a run goes on."""

    workers: int | None = option(
        None,
        "evaluations at the same time, a thread each (default: one a core; with --scheduler, one a worker)",
        type=int,
    )
    scheduler: str | None = option(
        None, "of Dask, whose workers evaluate: tcp://host:8786 (default: this machine)", type=str
    )
    timeout: float | None = option(
        None, "after which an evaluation has failed: 90m, 2h (default: none)", type=parse_seconds
    )
    patience: float = option(
        _PATIENCE, "seconds to wait while there are no workers at all", type=parse_seconds
    )

    def __post_init__(self):
        if self.workers is None and self.scheduler is None:
            object.__setattr__(self, "workers", _cores())
        if self.workers is not None:
            whole("workers", self.workers, 1, _MOST_LOCAL if self.scheduler is None else None)
        if self.scheduler is not None and not re.fullmatch(_ADDRESS, self.scheduler):
            raise ConfigError(f"a scheduler's address is such as tcp://host:8786, got {self.scheduler!r}")
        for name in ("timeout", "patience"):
            value = getattr(self, name)
            if value is not None:
                check_seconds(name, value)


def _cores():
    """Those that this process may use; all, where the system does not say."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
