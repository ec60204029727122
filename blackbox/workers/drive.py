"""The loop that keeps workers busy: as soon as one is free, the search is asked for what it is to do."""

import time
from collections import deque

from blackbox.errors import ObjectiveError, WorkersError

_LOOK = 0.5  # seconds between looks, while nothing comes


def drive(
    tasks, pool, evals, cell, record=None, unfinished=(), *, keep_going=False, patience=600.0, look=None
):
    """Ask, have evaluated, and tell in the order of ends, until `evals` are told or the search is over.

    `tasks`: Tasks; `pool`: a Pool; `cell(code)`: what has the text that the objective is given; `record`: a
    Record, into which all is written at once; `unfinished`: tasks that were out when an earlier run ended.
    `look(out, workers)` is called again and again, with how many evaluations are out at how many workers; a
    true answer ends it. Returns whether it came to its end.

    ObjectiveError where an evaluation fails, unless `keep_going`: then its score is -inf. WorkersError where
    there is no worker for `patience` seconds.
    """
    again = deque(unfinished)
    out = {}  # by number
    seen = time.monotonic()  # when there was a worker
    begin = seen - tasks.end
    while True:
        workers = pool.size()
        while len(out) < workers and len(tasks) + len(out) < evals:
            if again:
                task = again.popleft()
            else:
                task = tasks.ask(len(out))
                if task is None:
                    break
                if record is not None:
                    record.asked(task, len(tasks))
            out[task.number] = task
            text = str(cell(task.code))
            pool.submit(task.number, *((text,) if task.epochs is None else (text, task.epochs)))
        if not out and (workers or len(tasks) >= evals):
            return True
        came = pool.next(_LOOK)
        now = time.monotonic()
        if came is not None:
            number, outcome = came
            task = out.pop(number)
            if outcome.error is not None:
                if record is not None:
                    record.failed(task, outcome)
                if not keep_going:
                    raise ObjectiveError(f"the evaluation of {cell(task.code)} failed: {outcome.error}")
            tasks.tell(task, outcome, now - begin)
            if record is not None:
                record.told(tasks)
        if workers or came is not None:
            seen = now
        elif now - seen > patience:
            raise WorkersError(f"there has been no worker for {patience:g} s")
        if look is not None and look(len(out), workers):
            return len(tasks) >= evals
