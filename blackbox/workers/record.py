"""The run folder of a search with workers; tasks and results are written immediately."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Self

import numpy as np

from blackbox.errors import RunFolderError
from blackbox.kinds.logs import EvaluationLog, evaluations_header
from blackbox.kinds.simulation import JobLog
from blackbox.search.jobs import JOB
from blackbox.workers.tasks import Cells, Jobs, MismatchError, SubmittedTask
from nasbench.errors import one_line
from nasbench.runs.folder import RunFolder, RunKind
from nasbench.runs.log import Columns, first_line_text

if TYPE_CHECKING:
    from blackbox.search.history import History
    from blackbox.search.jobs import JobRows
    from blackbox.workers.evaluation import Outcome
    from blackbox.workers.tasks import Task, Tasks
    from nasbench.arrays import Numbering
    from nasbench.runs.log import AppendLog
    from nasbench.spaces import Space

_ASKED = "asked.csv"
_TASKS = Columns({"evaluation": int, "index": int, "told": int})
_FAILURES = Columns(
    dict(evaluation=int, index=int, cell=str, epochs=int, worker=str, error=str, traceback=str)
)


def run_kind(by_jobs: bool) -> RunKind:
    """Return the kind of folder; `by_jobs` is true for multi-fidelity searches."""
    return RunKind(JobLog.header if by_jobs else evaluations_header(1))


class Record:
    """An open RunFolder with two more logs.

    `asked.csv` has a row for each task, written before a worker gets it, so a run that was killed resumes
    with its pending tasks, without losing or repeating any. `failures.csv` has the reason of each failed
    evaluation. Data is in the folder when a method returns.
    """

    def __init__(self, folder: RunFolder, space: Space) -> None:
        self.folder = folder
        self._space = space
        self._evaluations, self._jobs = EvaluationLog(space, [0]), JobLog(space, [0])
        self._index: Numbering = space.official_index()
        self._asked = folder.open_log(_ASKED, _TASKS.header)
        self._failures: AppendLog | None = None  # opened for the first failure
        self._saved = 0  # evaluations of a search without fidelities

    @classmethod
    def resume(cls, folder: RunFolder, space: Space) -> Self:
        """Return the Record in the folder of an earlier run."""
        if not (folder.path / _ASKED).is_file():
            raise _damaged(folder, first_line_text(_TASKS.header))
        return cls(folder, space)

    # An earlier run

    def history(self) -> History:
        """Return the evaluations in the log of a search without fidelities."""
        history = self._evaluations.decode(self.folder.log.read(), self.folder.log.path)
        self._saved = len(history)
        return history

    def rows(self) -> JobRows:
        """Return the jobs in the log of a multi-fidelity search, of dtype JOB."""
        return self._jobs.decode(self.folder.log.read(), self.folder.log.path).rows

    def restore(self, tasks: Tasks) -> list[Task]:
        """Restore the state of Tasks from the earlier run; return the tasks that were pending."""
        try:
            return tasks.resume(self._read_asked())
        except MismatchError as error:
            raise RunFolderError(f"{self.folder.path} is damaged: {one_line(error)}") from None

    def _read_asked(self) -> list[SubmittedTask]:
        data = self._asked.read()
        if not data.startswith(_TASKS.header):
            raise _damaged(self.folder, first_line_text(_TASKS.header))
        self._asked.truncate(len(data))  # a truncated row was not submitted
        order = self._space.official_order()
        tasks: list[SubmittedTask] = []
        with suppress(ValueError):
            for line in data.splitlines()[1:]:
                number, index, told = map(int, line.split(b","))
                if number != len(tasks) or not 0 <= index < len(order) or not 0 <= told <= number:
                    break
                tasks.append(SubmittedTask(number, int(order[index]), told))
            else:
                return tasks
        raise _damaged(self.folder, f"its row {len(tasks) + 1} is not a task")

    # The current run

    def write_task(self, task: Task, told: int) -> None:
        """Write a task that the search asked for; `told` is the number of results it knew."""
        row = {"evaluation": task.number, "index": self._index[task.code], "told": told}
        self._asked.append(_TASKS.encode([row]))

    def write_results(self, tasks: Tasks) -> None:
        """Append new results to the log."""
        match tasks:
            case Cells():
                history = tasks.search.history
                for block in self._evaluations.blocks(history, self._saved):
                    self.folder.log.append(block)
                self._saved = len(history)
            case Jobs():
                rows = np.array(tasks.rows[-1:], dtype=JOB)
                self.folder.log.append(self._jobs.lines(rows))

    def write_failure(self, task: Task, outcome: Outcome) -> None:
        """Write the reason of a failed evaluation."""
        if self._failures is None:
            self._failures = self.folder.open_log("failures.csv", _FAILURES.header)
        cell = self._space.cell(task.code)
        row = {
            "evaluation": task.number,
            "index": cell.index,
            "cell": cell,
            "epochs": task.epochs,
            "worker": outcome.worker,
            "error": outcome.error,
            "traceback": outcome.traceback.strip(),
        }
        self._failures.append(_FAILURES.encode([row]))


def _damaged(folder: RunFolder, reason: str) -> RunFolderError:
    return RunFolderError(f"{folder.path / _ASKED} is damaged: {reason}")
