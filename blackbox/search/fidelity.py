"""The ask-and-tell interface of multi-fidelity searches: jobs that train a cell for a number of epochs."""

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
_BLOCK = 128  # cells that are sampled at once


class Job(NamedTuple):
    """A task for a worker: train a cell up to a number of epochs, then score it."""

    number: int  #: number of the job in the order of asking, from 0
    code: int  #: code of the cell
    epochs: int  #: epochs that the cell has been trained for at the end of the job
    done: int  #: epochs that earlier jobs have trained the cell for; 0 for a new cell
    bracket: int  #: number of the search's bracket, from 0


@dataclass(frozen=True)
class RungsConfig(Settings):
    """Settings of the rungs, the fidelities of a multi-fidelity search."""

    #: Reduction factor: 1 in eta cells is promoted and trained for eta times as many epochs.
    eta: int = option(
        3, "reduction factor: 1 in eta cells is promoted and trained for eta times as many epochs", at_least=2
    )
    #: Minimum number of epochs of the lowest rung.
    min_epochs: int = option(1, "minimum number of epochs of the lowest rung", at_least=1)


R = TypeVar("R", bound=RungsConfig)


class MultiFidelitySearch(ABC, Generic[R]):
    """One trial of an algorithm that decides which cells to train, and for how many epochs.

    >>> from blackbox.asha import ASHA
    >>> from blackbox import NB201_SPACE
    >>> search = ASHA(NB201_SPACE, 9, seed=1)
    >>> search.rungs
    (1, 3, 9)
    >>> jobs = [search.ask() for _ in range(3)]  # three workers train these
    >>> for job, score in zip(jobs, (10.0, 30.0, 20.0)):
    ...     search.tell(job, score)
    >>> search.ask() == (3, jobs[1].code, 3, 1, 0)  # the best of three continues from 1 epoch to 3
    True

    A search does not depend on time or workers: jobs can run on any number of workers and be told in any
    order. Its jobs are a function of its settings, seed, trial and the order of `ask` and `tell`. No cell is
    sampled twice, because training it again would give no new information; the search ends once it has
    sampled the whole space. A subclass implements `next_job` and `observe`, and `setup` if it has state.

    Parameters
    ----------
    space
        The search space.
    fidelities
        Maximum number of epochs R, from which the rungs follow as in Hyperband (R, R / eta, R / eta^2, ...,
        rounded to integers), or a sequence of rungs in epochs.
    config
        Settings, an instance of `config_class`; None for the defaults.
    trial
        Number of the trial; each has its own random streams.
    seed
        Random seed.

    Raises
    ------
    ConfigError
        If there are no or repeated fidelities, or if a given one, or the maximum, is below
        ``config.min_epochs``.
    InvalidArgumentError
        If `fidelities`, `trial` or `seed` is out of range.
    """

    name: ClassVar[str]  #: name of the algorithm in reports
    #: class of the settings, `RungsConfig` or a subclass
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
        """Create the state of the algorithm; called at the end of `__init__`."""

    @abstractmethod
    def next_job(self, number: int) -> Job | None:
        """Return a new job.

        Parameters
        ----------
        number
            Number of the job.

        Returns
        -------
        Job or None
            None if there is no job until another one is told.
        """

    @abstractmethod
    def observe(self, job: Job, score: float) -> None:
        """Update the state of the algorithm with the score of a job.

        Parameters
        ----------
        job
            The completed job.
        score
            Higher is better, -inf if the job failed.
        """

    def ask(self) -> Job | None:
        """Return the next job; after `lose`, return the lost job again.

        Returns
        -------
        Job or None
            None if there is no job until another one is told. If no job is running either, the search is
            over.
        """
        job = self._lost.pop(0) if self._lost else self.next_job(self._asked)
        if job is not None:
            self._asked += job.number == self._asked  # a lost job is not counted again
            self._running[job.number] = job
        return job

    def tell(self, job: Job, score: float) -> None:
        """Report the score of a running job.

        Parameters
        ----------
        job
            A job that `ask` returned.
        score
            Higher is better, -inf if the job failed.

        Raises
        ------
        ObjectiveError
            If the score is NaN or inf, or if the job is not running.
        """
        score = float(score)
        if not score < -FAILED:
            raise ObjectiveError(
                f"the objective returned {invalid_score_name(score)} for {job};"
                " it must return -inf if the job failed"
            )
        self._end(job)
        self.observe(job, score)

    def lose(self, job: Job) -> None:
        """Give up a running job without a result, such as one of a lost worker; `ask` returns it again.

        Parameters
        ----------
        job
            A job that `ask` returned.

        Raises
        ------
        ObjectiveError
            If the job is not running.
        """
        self._end(job)
        self._lost.append(job)

    def generator(self, purpose: int) -> np.random.Generator:
        """Return the trial's random generator for a purpose.

        Parameters
        ----------
        purpose
            Number of the stream, from 1.

        Returns
        -------
        np.random.Generator
            A generator that depends on the seed, the trial and `purpose` alone.
        """
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(self.trial, purpose)))

    def draw(self) -> int | None:
        """Sample a new cell uniformly.

        Returns
        -------
        int or None
            Its code; None if all cells were sampled before.
        """
        return next(self._new_cells, None)

    def take(self, code: int) -> bool:
        """Mark a code as sampled.

        Parameters
        ----------
        code
            Code of the cell.

        Returns
        -------
        bool
            Whether the code is new.
        """
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
            raise ObjectiveError(f"a job must be running to be told or lost, got {job}")
        del self._running[job.number]


def rungs(fidelities: int | Sequence[int], eta: int, min_epochs: int = 1) -> tuple[int, ...]:
    """Return the epochs of the rungs, ascending: as given, or derived from a maximum number of epochs.

    >>> rungs(81, eta=3), rungs(200, eta=3), rungs(200, eta=4, min_epochs=5), rungs([200, 12], eta=3)
    ((1, 3, 9, 27, 81), (2, 7, 22, 67, 200), (12, 50, 200), (12, 200))

    Li et al. 2018, arXiv:1603.06560, algorithm 1.
    """
    if isinstance(fidelities, Iterable):  # an array is not a Sequence
        given = [whole("a fidelity", epochs, 1) for epochs in fidelities]
        if not given or len(set(given)) < len(given):
            raise ConfigError(f"fidelities must be one or more different numbers of epochs, got {given}")
        if min_epochs > min(given):
            raise ConfigError(f"min_epochs must be <= the shortest fidelity, {min(given)}; got {min_epochs}")
        return tuple(sorted(given))
    longest = whole("the longest fidelity", fidelities, 1)
    if min_epochs > longest:
        raise ConfigError(f"min_epochs must be <= the longest fidelity, {longest}; got {min_epochs}")
    count = 1
    while longest >= min_epochs * eta**count:
        count += 1
    return tuple(round(longest / eta**k) for k in reversed(range(count)))
