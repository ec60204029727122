"""A pool of the workers of a Dask scheduler (Rocklin 2015, doi:10.25080/Majora-7b98e3ed-013).

Dask is pure Python, works the same on a laptop, on SLURM (dask-jobqueue) and on Kubernetes, and its scheduler
repeats the tasks of a lost worker. Ray would be a separate daemon in a wheel of 70 MB.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import time
import uuid
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import resource_tracker
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from blackbox.errors import ConfigError, WorkersError
from blackbox.workers.pool import Patience, R, TaskPool
from nasbench.errors import one_line
from nasbench.runs.dependencies import required
from nasbench.runs.files import read_json
from nasbench.runs.processes import blocked_interrupts, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType

    from blackbox.workers.pool import TaskFunction

# distributed has no types, so its objects are Any here
Client = Any
DaskFuture = Any
DaskWorker = Any

_PACKAGES = ("blackbox", "nasbench")
_CONNECTING = 10.0  # seconds that a scheduler may take to answer
_FRESH = 0.5  # seconds for which the number of workers is cached
_STOPPING = 60.0  # seconds that tasks may take to stop
_LOOK = 0.02  # seconds between checks
_LOCAL = {
    "distributed.worker.daemon": False,  # an objective may start its own processes
    "distributed.scheduler.worker-ttl": None,  # a busy worker is not dead
    "distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED": "critical",
}


class Failure(NamedTuple):
    """The failure of a task."""

    error: Exception  #: the error
    reason: str  #: message of the error
    seconds: float = 0.0  #: duration of the task, if known
    worker: str = ""  #: name of the worker, if known


def raise_failure(failure: Failure) -> NoReturn:
    """Raise the error of a task; raise WorkersError if each of its workers was lost."""
    from distributed import KilledWorker

    if isinstance(failure.error, KilledWorker):
        raise WorkersError(
            "a task lost its worker each time, because it ran out of memory or was killed"
        ) from None
    raise failure.error


class _Address(NamedTuple):
    """A worker."""

    url: str
    name: str


class DaskPool(TaskPool[R]):
    """A TaskPool of the workers of a Dask client, which run one task each; use it in a `with` block.

    >>> def negative(task, number):
    ...     return -number
    >>> with local(1) as client, DaskPool(client, negative) as pool:
    ...     pool.submit(0, 5)
    ...     pool.next(60)
    (0, -5)

    If a worker is lost, another one repeats its task; a task fails once it has lost four workers.

    Parameters
    ----------
    client
        Dask client.
    function
        Function that tasks call.
    most
        Maximum number of simultaneous tasks; None for the number of workers.
    timeout
        Seconds after which a task counts as failed and its worker is restarted; None for no limit.
    on_failure
        Function from a Failure to the result of the task; by default, it raises the error.
    """

    def __init__(
        self,
        client: Client,
        function: TaskFunction[..., R],
        *,
        most: int | None = None,
        timeout: float | None = None,
        on_failure: Callable[[Failure], R] = raise_failure,
    ) -> None:
        self._client = client
        self._function = function
        self._most = float("inf") if most is None else most
        self._timeout = timeout
        self._on_failure = on_failure
        self._run = uuid.uuid4().hex
        self._submitted = 0
        self._futures: dict[int, DaskFuture] = {}
        self._deadlines: dict[int, tuple[float, _Address]] = {}  # running tasks: time, worker
        self._shares: dict[int, float] = {}
        # The number of a task and its news: the _Address of its worker, its completed share, or its future.
        self._events: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self._size = (0, float("-inf"))  # number of workers, time
        client.subscribe_topic(self._run, lambda event: self._events.put(event[1]))

    def check(
        self,
        patience: float,
        function: Callable[..., object],
        *arguments: object,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Call a function on one worker and raise its error, if any.

        Raise WorkersError if no worker connects within `patience` seconds; waiting ends if `stop()` is true.
        """
        with _reaching():
            future = self._client.submit(function, *arguments, key=f"check-{self._run}")
            waiting = Patience(patience, "no worker connected within {:g} s")
            while not (future.done() or stop()):
                waiting.check(self.size() > 0, noted=False)
                time.sleep(_LOOK)
            if future.done() and (error := future.exception()) is not None:
                raise _explained(error)

    def size(self) -> int:
        size, when = self._size
        now = time.monotonic()
        if now - when > _FRESH:
            with _reaching():
                size = len(self._client.nthreads())
            self._size = size, now
        return int(min(size, self._most))

    def submit(self, number: int, /, *arguments: object) -> None:
        key = f"task-{self._run}-{self._submitted}"
        self._submitted += 1
        begins = self._timeout is not None
        with _reaching():
            future = self._client.submit(
                at_worker, self._function, (self._run, number, key, begins), *arguments, key=key, pure=False
            )
        self._futures[number] = future
        future.add_done_callback(lambda done: self._events.put((number, done)))

    def next(self, seconds: float) -> tuple[int, R] | None:
        end = time.monotonic() + seconds
        while True:
            late = self._next_late()
            if late is not None:
                return late
            left = min([end, *(moment for moment, _ in self._deadlines.values())]) - time.monotonic()
            try:
                number, news = self._events.get(timeout=max(left, 0))
            except queue.Empty:
                if time.monotonic() >= end:
                    return None
                continue
            if number not in self._futures:  # the task was given up
                continue
            if isinstance(news, float):
                self._shares[number] = news
            elif not isinstance(news, (tuple, list)):
                self._forget(number)
                return number, self._result(news)
            elif self._timeout is not None:
                self._deadlines[number] = time.monotonic() + self._timeout, _Address(*news)

    def share(self, number: int) -> float:
        return self._shares.get(number, 0.0)

    def stop(self) -> None:
        if not self._futures or self._client.status != "running":
            return
        with suppress(WorkersError), _reaching():
            self._client.cancel(list(self._futures.values()), force=True)
            end = time.monotonic() + _STOPPING
            while time.monotonic() < end and any(
                self._client.run(count_tasks, self._run, on_error="ignore").values()
            ):
                time.sleep(_LOOK)
        self._futures = {}

    def _result(self, future: DaskFuture) -> R:
        if future.status == "finished":
            with _reaching():
                result: R = future.result()
            return result
        if future.status == "error":
            from distributed import KilledWorker

            error = _explained(future.exception())
            reason = "each of its workers was lost" if isinstance(error, KilledWorker) else str(error)
            return self._on_failure(Failure(error, reason))
        raise WorkersError("the scheduler is lost")

    def _next_late(self) -> tuple[int, R] | None:
        now = time.monotonic()
        for number, (moment, worker) in self._deadlines.items():
            if now >= moment and self._timeout is not None:
                self._give_up(number, worker.url)
                reason = f"it took longer than {self._timeout:g} s"
                return number, self._on_failure(Failure(TimeoutError(), reason, self._timeout, worker.name))
        return None

    def _give_up(self, number: int, url: str) -> None:
        """Cancel a task and restart its worker, because a running task cannot be stopped."""
        future = self._futures[number]
        self._forget(number)
        with _reaching():
            future.cancel(force=True)
            while any(future.key in keys for keys in self._client.processing().values()):
                time.sleep(0.005)  # else the scheduler could notice the lost worker first and repeat the task
            if url in self._client.nthreads() and not self._client.run(
                kill_worker, workers=[url], nanny=True, on_error="ignore"
            ):
                raise WorkersError(f"the worker {url} must have a nanny that can restart it after a timeout")
            while url in self._client.nthreads():
                time.sleep(0.005)  # else it could get the next task
        self._size = (0, float("-inf"))

    def _forget(self, number: int) -> None:
        del self._futures[number]
        self._deadlines.pop(number, None)


def _explained(error: Exception) -> Exception:
    """Return the error of a task; return a WorkersError if this package is missing on the worker."""
    lacks_module = isinstance(error, ModuleNotFoundError) and str(error.name).split(".")[0] in _PACKAGES
    if lacks_module or (isinstance(error, RuntimeError) and "deserialization" in str(error)):
        return WorkersError("the scheduler or a worker cannot import nas-toolkit; install it there")
    return error


# On a worker


class _DaskTask:
    """A TaskContext on a Dask worker, which sends its news to `topic`."""

    def __init__(self, topic: str, number: int, key: str) -> None:
        from distributed import get_worker

        self._worker = get_worker()
        self._topic, self._number, self._key = topic, number, key

    @property
    def worker(self) -> str:
        return str(self._worker.name)

    @property
    def stopped(self) -> bool:
        """Whether the task was cancelled, its command is gone, or the worker is being closed."""
        task = self._worker.state.tasks.get(self._key)
        is_open = self._worker.status.name in ("running", "paused")
        return task is None or task.state != "executing" or not is_open

    def report(self, share: float) -> None:
        self._worker.log_event(self._topic, (self._number, float(share)))

    def begin(self) -> None:
        """Report the start of the task, and wait until the scheduler has received the report.

        The task's function may block all other threads.
        """
        from distributed.utils import sync

        news = self._number, (self._worker.address, self.worker)
        sync(self._worker.loop, self._worker.scheduler.log_event, topic=self._topic, msg=news)


def at_worker(function: TaskFunction[..., R], place: tuple[str, int, str, bool], /, *arguments: object) -> R:
    """Run a task on a worker; `place` is its topic, number, key, and whether to report its start."""
    topic, number, key, begins = place
    task = _DaskTask(topic, number, key)
    if begins:
        task.begin()
    return function(task, *arguments)


def count_tasks(run: str, dask_worker: DaskWorker) -> int:
    """Return the number of unfinished tasks of a pool on a worker, including cancelled ones.

    A task that raised an error stays on its worker for as long as the error refers to its future.
    """
    tasks = dask_worker.state.tasks.values()
    return sum(run in task.key and task.state not in ("memory", "error") for task in tasks)


def kill_worker(dask_worker: DaskWorker) -> None:
    """Kill the process of a nanny's worker; the nanny starts a new one."""
    os.kill(dask_worker.pid, signal.SIGKILL)


# Clients


@contextmanager
def local(workers: int) -> Iterator[Client]:
    """Yield a client with workers on this machine: processes with one thread, restarted if lost."""
    distributed, dask = _dask()
    with (
        TemporaryDirectory(prefix="workers-") as scratch,
        environment(),  # Dask limits threads of workers by variables that it sets here and does not unset
        dask.config.set(_LOCAL),
        _quiet(),
    ):
        resource_tracker.ensure_running()  # if it starts later, it unblocks the signals
        with blocked_interrupts():  # also in the threads that start here
            cluster = distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                memory_limit=None,
                dashboard_address="127.0.0.1:0",  # any free port, for several runs at once
                local_directory=scratch,
                silence_logs=logging.CRITICAL,
            )
        with cluster, distributed.Client(cluster, set_as_default=False) as client:
            yield client


@contextmanager
def remote(address: str, uploads: Sequence[str] = ()) -> Iterator[Client]:
    """Yield a client of a scheduler.

    `address` is an address such as `tcp://host:8786`, or the file that `dask scheduler --scheduler-file`
    wrote; `uploads` are Python files to copy to the workers. Raise WorkersError if the scheduler does not
    answer.
    """
    distributed, _ = _dask()
    if os.path.isfile(address):
        try:
            address = str(read_json(address)["address"])
        except (OSError, ValueError, TypeError, LookupError) as error:
            raise ConfigError(f"{address} is not the file of a Dask scheduler: {one_line(error)}") from None
    with _quiet():
        try:
            client = distributed.Client(address, timeout=_CONNECTING, set_as_default=False)
        except OSError as error:
            raise WorkersError(f"no scheduler answers at {address}: {error}") from None
        with client:
            for path in uploads:
                _upload(client, path)
            yield client


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Dask's log in this process; errors are raised."""
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "distributed"]
    with ExitStack() as stack:
        for logger in map(logging.getLogger, names):
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.CRITICAL + 1)
        yield


def _upload(client: Client, path: str) -> None:
    try:
        client.upload_file(str(path))
    except Exception as error:  # any error of the file or its content on any worker
        raise ConfigError(f"cannot copy {path} to the workers: {type(error).__name__}: {error}") from None


@contextmanager
def _reaching() -> Iterator[None]:
    """Convert the error of a client without a scheduler to a WorkersError."""
    try:
        yield
    except WorkersError:
        raise
    except OSError as error:
        raise WorkersError(f"the scheduler does not answer: {error}") from None


def _dask() -> tuple[ModuleType, ModuleType]:
    with required("distributed", "evaluation on workers", "workers"):
        import dask
        import distributed
    return distributed, dask
