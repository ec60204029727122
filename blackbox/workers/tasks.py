"""A search of either kind as what workers are handed one by one: tasks out, scores back in any order."""

from abc import ABC, abstractmethod
from collections import Counter
from typing import NamedTuple

import numpy as np

from blackbox.search.jobs import JOB, incumbent_steps
from blackbox.search.scores import FAILED


class Task(NamedTuple):
    """What a worker is to do."""

    number: int  # from 0, in the order of asking
    code: int
    epochs: int | None = None  # to train for, in a multi-fidelity search


class Asked(NamedTuple):
    """That a task was asked for."""

    number: int
    code: int
    told: int  # how many scores the search knew then


class Best(NamedTuple):
    """The incumbent."""

    code: int
    score: float
    evaluation: int  # from 1, in the order of ends
    epochs: int | None


class MismatchError(Exception):
    """What is recorded of a search is not what it does."""


class Tasks(ABC):
    """The tasks of one trial of a search, those asked for and those told."""

    @abstractmethod
    def __len__(self):
        """How many were told."""

    @property
    @abstractmethod
    def seconds(self):
        """What those told took at their workers, in all."""

    @property
    @abstractmethod
    def end(self):
        """The end of the last one told, where ends are kept: seconds from the beginning."""

    @property
    @abstractmethod
    def failures(self):
        """How many of those told have the score -inf."""

    @abstractmethod
    def ask(self, out):
        """The next Task, while so many are out; None where there is none before another one is told."""

    @abstractmethod
    def tell(self, task, outcome, end):
        """Take the Outcome of a task, which ended so many seconds after the beginning."""

    @abstractmethod
    def resume(self, asked):
        """Bring a search to where an earlier run left it; its tasks that were not told.

        `asked`: an Asked for each task, in their order. MismatchError where that cannot be what it did.
        """

    @abstractmethod
    def best(self):
        """The Best so far, None if all failed."""


class Cells(Tasks):
    """Those of a `Search`: cells to evaluate.

    >>> from blackbox.rs import RandomSearch
    >>> from blackbox.search.space import NB201
    >>> tasks = Cells(RandomSearch(NB201))
    >>> [tasks.ask(out).number for out in range(3)], len(tasks)
    ([0, 1, 2], 0)

    When it goes on, the search has its history. Of tasks of equal cells, the first ones count as those told.
    """

    def __init__(self, search):
        self.search = search
        self._asked = 0

    def __len__(self):
        return len(self.search.history)

    @property
    def seconds(self):
        return float(self.search.history.costs.sum())

    @property
    def end(self):
        return 0.0

    @property
    def failures(self):
        return int((self.search.history.scores == FAILED).sum())

    def ask(self, out):
        task = Task(self._asked, int(self.search.ask(out)[0]))
        self._asked += 1
        return task

    def tell(self, task, outcome, end):
        self.search.tell(np.array([task.code]), np.array([outcome.score]), outcome.seconds)

    def resume(self, asked):
        told = Counter(self.search.history.codes[0].tolist())
        unfinished = []
        for number, code, _ in asked:
            if told[code]:
                told[code] -= 1
            else:
                unfinished.append(Task(number, code))
                self.search.expect(np.array([code]))
        if told.total():
            raise MismatchError("its log has cells that were not asked for")
        self._asked = len(asked)
        return unfinished

    def best(self):
        history = self.search.history
        if len(history) == self.failures:
            return None
        step = int(history.incumbent_steps()[0, -1])
        return Best(int(history.codes[0, step]), float(history.scores[0, step]), step + 1, None)


class Jobs(Tasks):
    """Those of a `MultiFidelitySearch`: cells to train up to a number of epochs.

    When it goes on, all that it was asked and told is repeated in the same order.
    """

    def __init__(self, search, earlier=()):
        """`earlier`: the rows of a log, of dtype JOB."""
        self.search = search
        self.rows = []  # of what was told, as tuples
        self._earlier = earlier
        self._jobs = {}  # those out, by number
        self._workers = {}  # their numbers, by name

    def __len__(self):
        return len(self.rows)

    @property
    def seconds(self):
        return sum(end - start for *_, start, end, _ in self.rows)

    @property
    def end(self):
        return self.rows[-1][6] if self.rows else 0.0

    @property
    def failures(self):
        return sum(row[4] == FAILED for row in self.rows)

    def ask(self, out):
        job = self.search.ask()
        if job is None:
            return None
        self._jobs[job.number] = job
        return Task(job.number, job.code, job.epochs)

    def tell(self, task, outcome, end):
        worker = self._workers.setdefault(outcome.worker, len(self._workers))
        start = max(end - outcome.seconds, 0.0)
        self._take((task.number, 0, task.code, task.epochs, outcome.score, start, end, worker))

    def _take(self, row):
        self.search.tell(self._jobs.pop(row[0]), row[4])
        self.rows.append(row)

    def resume(self, asked):
        rows = [row.item() for row in self._earlier]
        for number, code, told in asked:
            self._repeat(rows, told)
            task = self.ask(0)
            if task is None or task[:2] != (number, code):
                raise MismatchError("its settings do not lead to the jobs that it asked for")
        self._repeat(rows, len(rows))
        return [Task(job.number, job.code, job.epochs) for job in self._jobs.values()]

    def _repeat(self, rows, told):
        if told > len(rows):
            raise MismatchError("its log lacks jobs that were told")
        for row in rows[len(self.rows) : told]:
            job = self._jobs.get(row[0])
            if job is None or (job.code, job.epochs) != (row[2], row[3]):
                raise MismatchError("its log has jobs that were not asked for")
            self._take(row)

    def best(self):
        if len(self) == self.failures:
            return None
        rows = np.array(self.rows, dtype=JOB)
        step = int(incumbent_steps(rows)[-1])
        return Best(int(rows["code"][step]), float(rows["score"][step]), step + 1, int(rows["epochs"][step]))
