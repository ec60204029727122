"""The ask-and-tell contract of multi-fidelity searches: jobs that train a cell for a number of epochs."""

from __future__ import annotations  # numpy.random is loaded when it is used

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, NamedTuple, TypeVar

import numpy as np

from blackbox.errors import ConfigError, ObjectiveError
from blackbox.search.scores import FAILED, invalid_score_name
from blackbox.search.space import SearchSpace
from nasbench.runs.checks import SEEDS, whole
from nasbench.runs.settings import Settings, option

_NEW_CELLS = 0  # the purpose of the stream; subclasses number theirs from 1
_BLOCK = 128  # cells that are drawn at once


class Job(NamedTuple):
    """A cell to train up to a number of epochs and then to score."""

    number: int  #: from 0, in the order of asking
    code: int
    epochs: int  #: of training in all
    done: int  #: of these in an earlier job; 0: a new cell
    bracket: int  #: of the search, from 0


@dataclass(frozen=True)
class RungsConfig(Settings):
    """How the fidelities of a search follow from the longest one."""

    eta: int = option(
        3, "reduction factor: 1 in eta cells is promoted and trained for eta times as many epochs", at_least=2
    )
    min_epochs: int = option(1, "epochs of the lowest rung, at least", at_least=1)


R = TypeVar("R", bound=RungsConfig)


class MultiFidelitySearch(ABC, Generic[R]):
    """One trial of an algorithm that decides which cell to train for how many epochs.

    >>> from blackbox.asha import ASHA
    >>> from blackbox import NB201_SPACE
    >>> search = ASHA(NB201_SPACE, 9, seed=1)
    >>> search.rungs
    (1, 3, 9)
    >>> jobs = [search.ask() for _ in range(3)]  # three workers train these
    >>> for job, score in zip(jobs, (10.0, 30.0, 20.0)):
    ...     search.tell(job, score)
    >>> search.ask() == (3, jobs[1].code, 3, 1, 0)  # the best of three goes on from 1 epoch to 3
    True

    It knows nothing of time and workers: jobs may run on any number of workers and be told in any order. Its
    jobs are a function of its settings, its seed, its trial and the order of asking and telling. No cell is
    drawn twice, because training it again would tell nothing new; the search ends once it has drawn the whole
    space. A subclass implements `next_job` and `observe`, and `setup` if it has a state.

    Parameters
    ----------
    space
        The search space.
    fidelities
        The longest training in epochs, from which the rungs go down by factors of eta (rounded to whole
        epochs, as in Hyperband: R, R / eta, R / eta^2, ...), or the rungs themselves.
    config
        Settings, of the class `config_class`; None for the defaults.
    trial
        Number of the trial; each has its own random streams.
    seed
        Random seed.

    Raises
    ------
    ConfigError
        If the fidelities are not different numbers, or the longest is below ``config.min_epochs``.
    InvalidArgumentError
        If fidelities, trial or seed is outside its range.
    """

    name: ClassVar[str]  #: the algorithm's name in reports
    #: `RungsConfig` or a subclass
    config_class: ClassVar[type[R]] = RungsConfig  # type: ignore[assignment]  # R if a subclass sets none

    def __init__(
        self,
        space: SearchSpace,
        fidelities: int | Sequence[int],
        config: R | None = None,
        trial: int = 0,
        seed: int = 0,
    ) -> None:
        self.space = space
        self.config = self.config_class() if config is None else config
        self.trial = whole("a trial", trial, 0)
        self.seed = whole("seed", seed, 0, SEEDS)
        self.rungs = rungs(fidelities, self.config.eta, self.config.min_epochs)
        self._running: dict[int, Job] = {}  # by number
        self._lost: list[Job] = []
        self._asked = 0
        self._drawn: set[int] = set()
        self._new_cells = self._draw_new_cells()
        self.setup()

    def setup(self) -> None:  # noqa: B027  # some searches have no further state
        """Create the state of the algorithm; called at the end of `__init__`, after all that it sets."""

    @abstractmethod
    def next_job(self, number: int) -> Job | None:
        """Return the job of that number, or None as `ask` does."""

    @abstractmethod
    def observe(self, job: Job, score: float) -> None:
        """Update the state of the algorithm with the score of a job."""

    def ask(self) -> Job | None:
        """Return the next job; after `lose`, the lost job again.

        None if there is no job before another one is told; with no job running, the search is over.
        """
        job = self._lost.pop(0) if self._lost else self.next_job(self._asked)
        if job is not None:
            self._asked += job.number == self._asked  # a lost job is not counted again
            self._running[job.number] = job
        return job

    def tell(self, job: Job, score: float) -> None:
        """Take the score of a job that was asked for.

        Parameters
        ----------
        job
            A job of `ask`.
        score
            Higher is better, -inf if the job failed.

        Raises
        ------
        ObjectiveError
            If the score is NaN or inf, or the job was not asked for or already told or lost.
        """
        score = float(score)
        if not score < -FAILED:
            raise ObjectiveError(
                f"the objective gave {invalid_score_name(score)} for {job}; -inf is for a job that failed"
            )
        self._end(job)
        self.observe(job, score)

    def lose(self, job: Job) -> None:
        """Take back a job without a result, for example of a lost worker; `ask` returns it again."""
        self._end(job)
        self._lost.append(job)

    def generator(self, purpose: int) -> np.random.Generator:
        """Return a separate random generator for each trial and purpose (from 1)."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(self.trial, purpose)))

    def draw(self) -> int | None:
        """Return the code of a cell that was not drawn yet, uniformly; None if all were."""
        return next(self._new_cells, None)

    def take(self, code: int) -> bool:
        """Count a code as drawn; return whether it was new."""
        if code in self._drawn:
            return False
        self._drawn.add(code)
        return True

    def _draw_new_cells(self) -> Iterator[int]:
        generator = self.generator(_NEW_CELLS)
        while len(self._drawn) < self.space.size:
            yield from filter(self.take, generator.integers(self.space.size, size=_BLOCK).tolist())

    def _end(self, job: Job) -> None:
        if self._running.get(job.number) != job:
            raise ObjectiveError(f"a job that is told or lost was asked for and is out; got {job}")
        del self._running[job.number]


def rungs(fidelities: int | Sequence[int], eta: int, min_epochs: int = 1) -> tuple[int, ...]:
    """Return the epochs of the rungs, ascending: `fidelities` themselves, or down from the longest.

    >>> rungs(81, eta=3), rungs(200, eta=3), rungs(200, eta=4, min_epochs=5), rungs([200, 12], eta=3)
    ((1, 3, 9, 27, 81), (2, 7, 22, 67, 200), (12, 50, 200), (12, 200))

    Li et al. 2018, arXiv:1603.06560, algorithm 1.
    """
    if isinstance(fidelities, Iterable):  # an array is no Sequence
        given = [whole("a fidelity", epochs, 1) for epochs in fidelities]
        if not given or len(set(given)) < len(given):
            raise ConfigError(f"fidelities are different numbers of epochs, one at least; got {given}")
        return tuple(sorted(given))
    longest = whole("the longest fidelity", fidelities, 1)
    if min_epochs > longest:
        raise ConfigError(f"min_epochs is at most the longest fidelity, {longest}, got {min_epochs}")
    count = 1
    while longest >= min_epochs * eta**count:
        count += 1
    return tuple(round(longest / eta**k) for k in reversed(range(count)))
