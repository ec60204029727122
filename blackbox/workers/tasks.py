"""Tasks of a search for workers, handed out one by one; results can arrive in any order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from blackbox.search.jobs import JOB, JobRow, incumbent_steps
from blackbox.search.scores import FAILED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blackbox.search.base import Search
    from blackbox.search.fidelity import Job, MultiFidelitySearch
    from blackbox.search.jobs import JobRows
    from blackbox.workers.evaluation import Outcome


class Task(NamedTuple):
    """An evaluation for a worker."""

    number: int  #: number of the task in the order of asking, from 0
    code: int  #: code of the cell
    epochs: int | None = None  #: epochs to train for; None if the search has no fidelities


class SubmittedTask(NamedTuple):
    """A task that an earlier run asked for."""

    number: int  #: number of the task in the order of asking, from 0
    code: int  #: code of the cell
    told: int  #: number of scores that the search knew then


class Incumbent(NamedTuple):
    """The best cell so far."""

    code: int  #: code of the cell
    score: float  #: score of the cell
    evaluation: int  #: number of the evaluation in the order of completion, from 1
    epochs: int | None  #: epochs that the cell was trained for; None if the search has no fidelities


class MismatchError(Exception):
    """A record that does not match the search."""


class Tasks(ABC):
    """The tasks of one trial of a search."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of completed tasks."""

    @property
    @abstractmethod
    def seconds(self) -> float:
        """The total time of completed tasks on their workers."""

    @property
    def end(self) -> float:
        """The time at which the last task was completed, in seconds from the start; 0 if not recorded."""
        return 0.0

    @property
    @abstractmethod
    def failures(self) -> int:
        """The number of completed tasks with the score -inf."""

    @abstractmethod
    def ask(self, pending: int) -> Task | None:
        """Return the next Task while `pending` are running; None if there is none until another is told."""

    @abstractmethod
    def tell(self, task: Task, outcome: Outcome, end: float) -> None:
        """Add the Outcome of a task that was completed `end` seconds after the start."""

    @abstractmethod
    def resume(self, submitted: Sequence[SubmittedTask]) -> list[Task]:
        """Restore the state of the search from an earlier run; return the tasks that were pending.

        `submitted` are all tasks of the earlier run in order. Raise MismatchError if the search would not
        have asked for them.
        """

    @abstractmethod
    def best(self) -> Incumbent | None:
        """Return the incumbent; None if all tasks failed."""


class Cells(Tasks):
    """The tasks of a `Search`: cells to evaluate.

    >>> from blackbox.rs import RandomSearch
    >>> from blackbox.search.space import NB201_SPACE
    >>> tasks = Cells(RandomSearch(NB201_SPACE))
    >>> [tasks.ask(pending).number for pending in range(3)], len(tasks)
    ([0, 1, 2], 0)

    To resume, the search must have its history. Among tasks with equal cells, the first ones count as
    completed.
    """

    def __init__(self, search: Search[Any]) -> None:
        self.search = search
        self._asked = 0

    def __len__(self) -> int:
        return len(self.search.history)

    @property
    def seconds(self) -> float:
        return float(self.search.history.costs.sum())

    @property
    def failures(self) -> int:
        return int((self.search.history.scores == FAILED).sum())

    def ask(self, pending: int) -> Task:
        task = Task(self._asked, int(self.search.ask(pending)[0]))
        self._asked += 1
        return task

    def tell(self, task: Task, outcome: Outcome, end: float) -> None:
        self.search.tell(np.array([task.code]), np.array([outcome.score]), outcome.seconds)

    def resume(self, submitted: Sequence[SubmittedTask]) -> list[Task]:
        told = Counter(self.search.history.codes[0].tolist())
        unfinished = []
        for number, code, _ in submitted:
            if told[code]:
                told[code] -= 1
            else:
                unfinished.append(Task(number, code))
                self.search.expect(np.array([code]))
        if told.total():
            raise MismatchError("its log has cells that the search did not ask for")
        self._asked = len(submitted)
        return unfinished

    def best(self) -> Incumbent | None:
        history = self.search.history
        if len(history) == self.failures:
            return None
        step = int(history.incumbent_steps()[0, -1])
        return Incumbent(int(history.codes[0, step]), float(history.scores[0, step]), step + 1, None)


class Jobs(Tasks):
    """The tasks of a `MultiFidelitySearch`: cells to train up to a number of epochs.

    To resume, all calls of `ask` and `tell` are repeated in the same order; `earlier` are the rows of the
    log, of dtype JOB.
    """

    def __init__(self, search: MultiFidelitySearch[Any], earlier: JobRows | Sequence[Any] = ()) -> None:
        self.search = search
        self.rows: list[JobRow] = []  # completed jobs
        self._earlier = earlier
        self._jobs: dict[int, Job] = {}  # running jobs, by number
        self._workers: dict[str, int] = {}  # numbers of workers, by name

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def seconds(self) -> float:
        return sum(row.end - row.start for row in self.rows)

    @property
    def end(self) -> float:
        return self.rows[-1].end if self.rows else 0.0

    @property
    def failures(self) -> int:
        return sum(row.score == FAILED for row in self.rows)

    def ask(self, pending: int) -> Task | None:
        job = self.search.ask()
        if job is None:
            return None
        self._jobs[job.number] = job
        return Task(job.number, job.code, job.epochs)

    def tell(self, task: Task, outcome: Outcome, end: float) -> None:
        worker = self._workers.setdefault(outcome.worker, len(self._workers))
        start = max(end - outcome.seconds, 0.0)
        epochs = self._jobs[task.number].epochs
        self._take(JobRow(task.number, 0, task.code, epochs, outcome.score, start, end, worker))

    def _take(self, row: JobRow) -> None:
        self.search.tell(self._jobs.pop(row.job), row.score)
        self.rows.append(row)

    def resume(self, submitted: Sequence[SubmittedTask]) -> list[Task]:
        rows = [JobRow(*row.item()) for row in self._earlier]
        for number, code, told in submitted:
            self._repeat(rows, told)
            task = self.ask(0)
            if task is None or task[:2] != (number, code):
                raise MismatchError("its jobs do not match its settings")
        self._repeat(rows, len(rows))
        return [Task(job.number, job.code, job.epochs) for job in self._jobs.values()]

    def _repeat(self, rows: Sequence[JobRow], told: int) -> None:
        if told > len(rows):
            raise MismatchError("its log lacks completed jobs")
        for row in rows[len(self.rows) : told]:
            job = self._jobs.get(row.job)
            if job is None or (job.code, job.epochs) != (row.code, row.epochs):
                raise MismatchError("its log has jobs that the search did not ask for")
            self._take(row)

    def best(self) -> Incumbent | None:
        if len(self) == self.failures:
            return None
        step = int(incumbent_steps(np.array(self.rows, dtype=JOB))[-1])
        row = self.rows[step]
        return Incumbent(row.code, row.score, step + 1, row.epochs)
