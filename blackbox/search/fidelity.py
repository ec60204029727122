"""The ask/tell contract of multi-fidelity searches: jobs that train a cell for a number of epochs."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from blackbox.errors import ConfigError, ObjectiveError
from blackbox.search.base import no_score
from nasbench.runs.settings import SEEDS, option, whole

_NEW_CELLS = 0  # the purpose of the stream; subclasses number theirs from 1
_BLOCK = 128  # cells that are drawn at once


class Job(NamedTuple):
    """A cell that is to be trained up to a number of epochs, and then scored."""

    number: int  # from 0, in the order of asking
    code: int
    epochs: int  # of training in all
    done: int  # of these in an earlier job; 0: a new cell
    bracket: int  # of the search, from 0


@dataclass(frozen=True)
class RungsConfig:
    """How the fidelities of a search follow from the longest one."""

    eta: int = option(3, "of this many cells one is promoted, and trained for as many times the epochs")
    min_epochs: int = option(1, "the least epochs of a rung")

    def __post_init__(self):
        whole("eta", self.eta, 2)
        whole("min_epochs", self.min_epochs, 1)


class MultiFidelitySearch(ABC):
    """One trial of an algorithm that says which cell to train for how many epochs.

    >>> from blackbox.asha import ASHA
    >>> from blackbox.search.space import NB201
    >>> search = ASHA(NB201, 9, seed=1)
    >>> search.rungs
    (1, 3, 9)
    >>> jobs = [search.ask() for _ in range(3)]  # three workers train these
    >>> for job, score in zip(jobs, (10.0, 30.0, 20.0)):
    ...     search.tell(job, score)
    >>> search.ask() == (3, jobs[1].code, 3, 1, 0)  # the best of three goes on from 1 epoch to 3
    True

    It knows nothing of time and workers: jobs may be out at any number of workers, and be told in any order.
    What it asks for is a function of its settings, its seed, its trial and the order of asking and telling.
    No cell is drawn twice, as training it again would tell nothing new; a search that has drawn the whole
    space ends.

    `fidelities`: the longest training in epochs, from which the rungs go down by factors of eta (rounded to
    whole epochs, as in Hyperband: R, R / eta, R / eta^2, ...), or the rungs themselves.
    """

    name = None  # the algorithm's, as reports print it
    config_class = RungsConfig  # it, or a subclass

    def __init__(self, space, fidelities, config=None, trial=0, seed=0):
        self.space = space
        self.config = self.config_class() if config is None else config
        self.trial = whole("a trial", trial, 0)
        self.seed = whole("seed", seed, 0, SEEDS)
        self.rungs = rungs(fidelities, self.config.eta, self.config.min_epochs)
        self._out = {}  # the jobs at workers, by number
        self._lost = []
        self._asked = 0
        self._drawn = set()
        self._block = []
        self._cells = self.generator(_NEW_CELLS)

    @abstractmethod
    def _next(self):
        """What the next job is to be, (code, epochs, epochs done, bracket); None as in `ask`."""

    @abstractmethod
    def _told(self, job, score):
        """Take the score of a job."""

    def ask(self):
        """The next Job; None where there is none before another one is told.

        None while no job is out means that the search is over. After `lose`, the lost job once more.
        """
        if self._lost:
            job = self._lost.pop(0)
        else:
            asked = self._next()
            if asked is None:
                return None
            job = Job(self._asked, *asked)
            self._asked += 1
        self._out[job.number] = job
        return job

    def tell(self, job, score):
        """Take the score of a job that was asked for: higher is better, -inf where it failed."""
        score = float(score)
        if not score < np.inf:
            raise ObjectiveError(
                f"the objective gave {no_score(score)} for {job}; -inf is for a job that failed"
            )
        self._take_back(job)
        self._told(job, score)

    def lose(self, job):
        """Say that a job came to nothing, such as when its worker was lost: it is asked for again."""
        self._take_back(job)
        self._lost.append(job)

    def generator(self, purpose):
        """A random generator of its own for each trial and purpose (from 1)."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(self.trial, purpose)))

    def draw(self):
        """The code of a cell that was not drawn yet, uniformly; None when all were."""
        while len(self._drawn) < self.space.size:
            if not self._block:
                self._block = self._cells.integers(self.space.size, size=_BLOCK).tolist()
                self._block.reverse()
            code = self._block.pop()
            if self.take(code):
                return code
        return None

    def take(self, code):
        """Count a code as drawn; whether it had not been."""
        if code in self._drawn:
            return False
        self._drawn.add(code)
        return True

    def _take_back(self, job):
        if self._out.get(job.number) != job:
            raise ObjectiveError(f"a job that is told or lost was asked for and is out; got {job}")
        del self._out[job.number]


def rungs(fidelities, eta, min_epochs=1):
    """The epochs of the rungs, ascending, a tuple: `fidelities` themselves, or down from the longest.

    >>> rungs(81, eta=3), rungs(200, eta=3), rungs(200, eta=4, min_epochs=5), rungs([200, 12], eta=3)
    ((1, 3, 9, 27, 81), (2, 7, 22, 67, 200), (12, 50, 200), (12, 200))

    Li et al. 2018, arXiv:1603.06560, algorithm 1.
    """
    try:
        given = [whole("a fidelity", epochs, 1) for epochs in fidelities]
    except TypeError:  # not the rungs, but the longest of them
        longest = whole("the longest fidelity", fidelities, 1)
        if min_epochs > longest:
            raise ConfigError(
                f"min_epochs is at most the longest fidelity, {longest}, got {min_epochs}"
            ) from None
        count = 1
        while longest >= min_epochs * eta**count:
            count += 1
        return tuple(round(longest / eta**k) for k in reversed(range(count)))
    if not given or len(set(given)) < len(given):
        raise ConfigError(f"fidelities are different numbers of epochs, one at least; got {given}")
    return tuple(sorted(given))
