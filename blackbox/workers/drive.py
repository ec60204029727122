"""The loop that keeps workers busy: it asks the search for a task as soon as a worker is free."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from blackbox.errors import ObjectiveError
from blackbox.workers.pool import PATIENCE, Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from blackbox.workers.evaluation import Outcome
    from blackbox.workers.pool import TaskPool
    from blackbox.workers.record import Record
    from blackbox.workers.tasks import Task, Tasks

_POLL_SECONDS = 0.5  # maximum time between updates


def drive(
    tasks: Tasks,
    pool: TaskPool[Outcome],
    evals: int,
    cell: Callable[[int], object],
    record: Record | None = None,
    unfinished: Iterable[Task] = (),
    *,
    keep_going: bool = False,
    patience: float = PATIENCE,
    look: Callable[[int, int], bool] = lambda pending, workers: False,
) -> bool:
    """Ask for tasks, submit them and tell their scores until `evals` are completed or the search ends.

    Parameters
    ----------
    tasks
        Tasks of the search.
    pool
        Workers.
    evals
        Total number of evaluations.
    cell
        Function from a code to a cell, whose text is the objective's argument.
    record
        Run folder, to which tasks and results are written immediately.
    unfinished
        Tasks that were pending when an earlier run ended.
    keep_going
        Whether failed evaluations get the score -inf instead of ending the loop.
    patience
        Seconds to wait while there are no workers.
    look
        Function called regularly with the numbers of pending evaluations and of workers; the loop ends if it
        returns true.

    Returns
    -------
    bool
        Whether the search has ended or reached `evals`.

    Raises
    ------
    ObjectiveError
        If an evaluation fails and `keep_going` is false.
    WorkersError
        If there is no worker for `patience` seconds.
    """
    again = deque(unfinished)
    pending: dict[int, Task] = {}  # by number
    waiting = Patience(patience)
    begin = time.monotonic() - tasks.end
    while True:
        workers = pool.size()
        while len(pending) < workers and len(tasks) + len(pending) < evals:
            task = again.popleft() if again else _ask(tasks, len(pending), record)
            if task is None:
                break
            pending[task.number] = task
            text = str(cell(task.code))
            pool.submit(task.number, *((text,) if task.epochs is None else (text, task.epochs)))
        if not pending and (workers or len(tasks) >= evals):
            return True
        completed = pool.next(_POLL_SECONDS)
        if completed is not None:
            number, outcome = completed
            task = pending.pop(number)
            if outcome.error is not None:
                if record is not None:
                    record.write_failure(task, outcome)
                if not keep_going:
                    raise ObjectiveError(f"the evaluation of {cell(task.code)} failed: {outcome.error}")
            tasks.tell(task, outcome, time.monotonic() - begin)
            if record is not None:
                record.write_results(tasks)
        waiting.check(workers > 0 or completed is not None)
        if look(len(pending), workers):
            return len(tasks) >= evals


def _ask(tasks: Tasks, pending: int, record: Record | None) -> Task | None:
    """Record and return the next task of the search; None if there is none until another one is told."""
    task = tasks.ask(pending)
    if task is not None and record is not None:
        record.write_task(task, len(tasks))
    return task
