"""Pools of processes that run tasks: the interface, and a pool of processes on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import current_process, get_context
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, Self, TypeVar, cast

from blackbox.errors import WorkersError
from nasbench.runs.notes import complain
from nasbench.runs.processes import blocked_interrupts, end_with_parent, environment

if TYPE_CHECKING:
    from collections.abc import MutableSequence

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
PATIENCE = 600.0  # seconds without a worker
_ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


class TaskContext(Protocol):
    """The interface of a task to its pool."""

    @property
    def worker(self) -> str:
        """The name of the process that runs the task."""

    @property
    def stopped(self) -> bool:
        """Whether the task must stop now, because its result is not needed."""

    def report(self, share: float) -> None:
        """Report the completed share of the task, in [0, 1]."""


TaskFunction = Callable[Concatenate[TaskContext, P], R]


class TaskPool(Protocol[R_co]):
    """Processes that call a function for each task; results arrive in any order."""

    def size(self) -> int:
        """Return how many tasks can run at the same time."""

    def submit(self, number: int, /, *arguments: object) -> None:
        """Submit task `number`, which calls the function with a TaskContext and `arguments`."""

    def next(self, seconds: float) -> tuple[int, R_co] | None:
        """Return the number and the result of a completed task; None if there is none within `seconds`.

        An error of the function is raised. Raise WorkersError if the task or the pool is lost.
        """

    def share(self, number: int) -> float:
        """Return the completed share of a task, as last reported."""

    def stop(self) -> None:
        """Stop all tasks and wait until they have ended."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Patience:
    """A limit on the time without workers; notes once on stderr that there are none.

    >>> patience = Patience(60)
    >>> patience.check(True)
    """

    def __init__(self, seconds: float = PATIENCE, error: str = "no worker for {:g} s") -> None:
        self._seconds = seconds
        self._error = error.format(seconds)
        self._seen = time.monotonic()  # when there was a worker
        self._is_waiting = False

    def check(self, has_workers: bool, *, noted: bool = True) -> None:
        """Raise WorkersError if there has been no worker for too long; `noted` enables the note."""
        now = time.monotonic()
        if has_workers:
            self._seen, self._is_waiting = now, False
        elif now - self._seen > self._seconds:
            raise WorkersError(self._error)
        elif noted and not self._is_waiting:
            complain("note: waiting for workers, because there are none")
            self._is_waiting = True


class ProcessPool(TaskPool[R]):
    """A TaskPool of processes on this machine; use it in a `with` block, which stops its tasks at the end.

    Spawned processes must be able to import `function`; numbers of tasks must be below `tasks`.
    """

    def __init__(self, function: TaskFunction[..., R], processes: int, tasks: int) -> None:
        context = get_context("spawn")
        self._processes = max(1, min(processes, tasks))
        self._shares = context.RawArray("d", tasks)
        self._stop = context.RawArray("b", 1)
        self._numbers: dict[Future[R], int] = {}
        self._executor = ProcessPoolExecutor(
            self._processes,
            mp_context=context,
            initializer=_start,
            initargs=(function, self._shares, self._stop),
        )

    def size(self) -> int:
        return self._processes

    def submit(self, number: int, /, *arguments: object) -> None:
        # A process that starts now inherits both; `_run` returns an R, because it calls the function.
        with blocked_interrupts(), environment(**_ONE_THREAD), _unbroken():
            future = self._executor.submit(_run, number, *arguments)
        self._numbers[cast("Future[R]", future)] = number

    def next(self, seconds: float) -> tuple[int, R] | None:
        finished, _ = wait(self._numbers, seconds, FIRST_COMPLETED)
        for future in finished:
            with _unbroken():
                return self._numbers.pop(future), future.result()
        return None

    def share(self, number: int) -> float:
        return float(self._shares[number])

    def stop(self) -> None:
        self._stop[0] = 1
        self._executor.shutdown(cancel_futures=True)


@contextmanager
def _unbroken() -> Iterator[None]:
    """Convert the error of a lost process to a WorkersError."""
    try:
        yield
    except BrokenProcessPool:
        raise WorkersError(
            "a process died: it ran out of memory or was killed; try fewer --workers"
        ) from None


class _LocalTask:
    """A TaskContext in a process on this machine."""

    def __init__(self, number: int) -> None:
        self._number = number

    @property
    def worker(self) -> str:
        return current_process().name

    @property
    def stopped(self) -> bool:
        return bool(_stop[0])

    def report(self, share: float) -> None:
        _shares[self._number] = share


# State of a process in the pool
_function: TaskFunction[..., object]
_shares: MutableSequence[float]
_stop: MutableSequence[int]


def _start(
    function: TaskFunction[..., object], shares: MutableSequence[float], stop: MutableSequence[int]
) -> None:
    global _function, _shares, _stop
    _function, _shares, _stop = function, shares, stop
    end_with_parent()


def _run(number: int, *arguments: object) -> object:
    return _function(_LocalTask(number), *arguments)
