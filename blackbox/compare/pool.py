"""The processes of a comparison: tasks handed out, what came of them, progress, and an orderly end."""

import sys
from collections import deque
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context

from blackbox.compare.study import Part, Whole
from blackbox.compare.work import Watch, Worker
from blackbox.errors import WorkersError
from blackbox.results.anytime import Trajectories
from nasbench.runs.command import HeldInterrupt
from nasbench.runs.processes import blocked_interrupts, end_with_parent, environment

_INTERVAL = 0.2  # seconds between looks at the progress
_ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


def carry_out(study, processes):
    """The Trajectories of each algorithm of a Study, a list; None where Ctrl-C came first.

    They are the same whatever the number of processes. What is saved is saved in any event, and gone on with.
    WorkersError where a process ended before its time.
    """
    return _Pool(study, processes).run()


class _Pool:
    def __init__(self, study, processes):
        self._study = study
        self._places = {part[:2]: place for place, part in enumerate(study.parts)}
        self._done = [{} for _ in study.specs]  # what came of each algorithm's parts, by their first trial
        self._found = [None] * len(study.specs)
        context = get_context("spawn")
        self._shares = context.RawArray("d", len(study.parts))
        self._stop = context.RawArray("b", 1)
        self._processes = max(1, min(processes, len(study.parts)))
        self._executor = ProcessPoolExecutor(
            self._processes,
            mp_context=context,
            initializer=_start,
            initargs=(study, self._shares, self._stop),
        )

    def run(self):
        waiting = deque(self._first_tasks())
        running = {}
        # Patient, as a pool that is interrupted while it ends never does.
        with HeldInterrupt(patient=True) as interrupt, self._bar() as show:
            try:
                while (waiting or running) and not interrupt.came:
                    while waiting and len(running) < 2 * self._processes:
                        task = waiting.popleft()
                        running[self._submit(task)] = task
                    finished, _ = wait(running, _INTERVAL, FIRST_COMPLETED)
                    for future in finished:
                        waiting.extendleft(self._take(running.pop(future), future.result()))
                    show()
            except BrokenProcessPool:
                again = " The same command goes on." if self._study.folder else ""
                raise WorkersError(
                    "a process ended before its time: there was too little memory, or it was killed;"
                    f" fewer --workers need less.{again}"
                ) from None
            finally:
                self._stop[0] = 1
                self._executor.shutdown(cancel_futures=True)
        return None if interrupt.came else self._found

    def _first_tasks(self):
        """Parts of the algorithms that have no run yet; others are read."""
        study = self._study
        made = [study.folder is not None and study.run_folder(n).exists() for n in range(len(study.specs))]
        for place, part in enumerate(study.parts):
            if made[part.number]:
                self._shares[place] = 1.0
        yield from (part for part in study.parts if not made[part.number])
        yield from (Whole(number) for number in range(len(made)) if made[number])

    def _submit(self, task):
        place = self._places[task[:2]] if isinstance(task, Part) else None
        with blocked_interrupts(), environment(**_ONE_THREAD):  # which a process that starts now inherits
            return self._executor.submit(_work, task, place)

    def _take(self, task, result):
        """Take what came of a task; the tasks that follow from it."""
        if isinstance(task, Whole):
            self._found[task.number] = result
            return []
        if result is None:  # it was stopped
            return []
        done = self._done[task.number]
        done[task.first] = (task, *result)
        parts = [part for part in self._study.parts if part.number == task.number]
        if len(done) < len(parts):
            return []
        if self._study.folder is None:
            self._found[task.number] = Trajectories.joined([done[part.first][2] for part in parts])
            return []
        # In the log of a run, trials that have spent their budget go on for as long as the slowest does.
        steps = max(steps for _, steps, _ in done.values())
        in_lockstep = self._study.specs[task.number].kind.in_lockstep
        short = [t for t, n, _ in done.values() if n < steps] if in_lockstep else []
        for part in short:
            del done[part.first]
        return [part._replace(steps=steps) for part in short] or [Whole(task.number)]

    @contextmanager
    def _bar(self):
        """A function that moves the progress bar, on stderr if that is a terminal."""
        from tqdm import tqdm

        hidden = None if sys.stderr else True  # None: hidden unless it is a terminal
        sizes = [len(part.trials) for part in self._study.parts]
        with tqdm(total=sum(sizes), desc="comparison", unit=" trials", disable=hidden) as bar:

            def show():
                done = sum(size * min(share, 1.0) for size, share in zip(sizes, self._shares, strict=True))
                bar.update(int(done) - bar.n)

            yield show


_worker = _shares = _stop = None  # of a process of the pool


def _start(study, shares, stop):
    global _worker, _shares, _stop
    _worker, _shares, _stop = Worker(study), shares, stop
    end_with_parent()


def _work(task, place):
    if isinstance(task, Whole):
        return _worker.whole(task.number)
    return _worker.part(task, Watch(_shares, _stop, place))
