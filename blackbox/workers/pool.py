"""Workers through Dask (Rocklin 2015, doi:10.25080/Majora-7b98e3ed-013): evaluations out, outcomes in.

Dask is Python alone, the same on a laptop, on SLURM (dask-jobqueue) and on Kubernetes, and its scheduler runs
again what a lost worker had; Ray would be a daemon of its own in a wheel of 70 MB.
"""

import logging
import os
import queue
import signal
import time
import uuid
from contextlib import contextmanager
from multiprocessing import resource_tracker
from tempfile import TemporaryDirectory

from blackbox.errors import ConfigError, WorkersError
from blackbox.search.scores import FAILED
from blackbox.workers.evaluation import Outcome, evaluate, load
from nasbench.runs.dependencies import required
from nasbench.runs.processes import blocked_interrupts, environment

_CONNECTING = 10.0  # seconds that a scheduler may take to answer
_FRESH = 0.5  # seconds for which the number of workers is taken as it was
_LOCAL = {
    "distributed.worker.daemon": False,  # an objective may have processes of its own
    "distributed.scheduler.worker-ttl": None,  # nor is a worker dead that is busy
    "distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED": "critical",
}


class Pool:
    """The workers of a Dask client, each of which evaluates one cell at a time.

    >>> with local(1) as client:
    ...     pool = Pool(client, "operator:neg")
    ...     pool.submit(0, 5)
    ...     number, outcome = pool.next(60)
    >>> number, outcome.score, outcome.error
    (0, -5.0, None)

    An evaluation whose worker is lost is made again by another; when four were lost with it, it has failed.
    With a `timeout` in seconds, one that takes longer has failed, and its worker is started anew.
    """

    def __init__(self, client, objective, most=None, timeout=None):
        """`objective`: module:function; `most`: evaluations at a time, at most."""
        self._client = client
        self._objective = objective
        self._most = float("inf") if most is None else most
        self._timeout = timeout
        self._run = uuid.uuid4().hex
        self._futures = {}
        self._deadlines = {}  # of those that have begun: (moment, the worker's address and name)
        self._events = queue.SimpleQueue()
        self._size = (0, float("-inf"))  # how many, when
        if timeout is not None:
            client.subscribe_topic(
                self._run, lambda event: self._events.put((*event[1], None))
            )  # at_worker's

    def check(self, patience, look=lambda: False):
        """Have one worker import the objective: ConfigError where it cannot.

        WorkersError where there is no worker in `patience` seconds; `look()`: true to stop waiting.
        """
        with _reaching():
            future = self._client.submit(load_only, self._objective, key=f"load-{self._run}")
            end = time.monotonic() + patience
            while not (future.done() or look()):
                if time.monotonic() > end and not self.size():
                    raise WorkersError(f"there is no worker, for {patience:g} s")
                time.sleep(0.02)
            if future.done():
                future.result()

    def size(self):
        """How many evaluations can be made at the same time."""
        size, when = self._size
        now = time.monotonic()
        if now - when > _FRESH:
            with _reaching():
                size = len(self._client.nthreads())
            self._size = size, now
        return min(size, self._most)

    def submit(self, number, *arguments):
        """Have the objective called with arguments; the number names it."""
        with _reaching():
            future = self._client.submit(
                at_worker,
                self._objective,
                number,
                self._run if self._timeout is not None else None,
                *arguments,
                key=f"evaluate-{self._run}-{number}",
                pure=False,
            )
        self._futures[number] = future
        future.add_done_callback(lambda done: self._events.put((number, None, done)))

    def next(self, wait):
        """The next (number, Outcome) to come within so many seconds, or None."""
        end = time.monotonic() + wait
        while True:
            late = self._next_late()
            if late is not None:
                return late
            left = min([end, *(moment for moment, _ in self._deadlines.values())]) - time.monotonic()
            try:
                number, worker, future = self._events.get(timeout=max(left, 0))
            except queue.Empty:
                if time.monotonic() >= end:
                    return None
                continue
            if number not in self._futures:  # given up
                continue
            if future is None:
                self._deadlines[number] = time.monotonic() + self._timeout, worker
            else:
                self._forget(number)
                return number, self._outcome(future)

    def _outcome(self, future):
        if future.status == "finished":
            with _reaching():
                return future.result()
        if future.status == "error":
            from distributed import KilledWorker

            error = future.exception()
            said = "its worker was lost each time" if isinstance(error, KilledWorker) else str(error)
            return Outcome(FAILED, 0.0, "", f"{type(error).__name__}: {said}".splitlines()[0], str(error))
        raise WorkersError("the scheduler is lost")

    def _next_late(self):
        now = time.monotonic()
        for number, (moment, (address, name)) in self._deadlines.items():
            if now >= moment:
                self._give_up(number, address)
                error = f"TimeoutError: it took longer than {self._timeout:g} s"
                return number, Outcome(FAILED, self._timeout, name, error)
        return None

    def _give_up(self, number, address):
        """Have no one evaluate it any more: its worker, which cannot be stopped in it, is started anew."""
        future = self._futures[number]
        self._forget(number)
        with _reaching():
            future.cancel(force=True)
            while any(future.key in keys for keys in self._client.processing().values()):
                time.sleep(0.005)  # else the scheduler may hear of the worker first, and have it made again
            if address in self._client.nthreads() and not self._client.run(
                kill_worker, workers=[address], nanny=True, on_error="ignore"
            ):
                raise WorkersError(
                    f"the worker {address} has no nanny that could stop it, which a timeout needs"
                )
            while address in self._client.nthreads():
                time.sleep(0.005)  # else it may be given the next evaluation
        self._size = (0, float("-inf"))

    def _forget(self, number):
        del self._futures[number]
        self._deadlines.pop(number, None)


def load_only(objective):
    """Import an objective at a worker, and give nothing back, as it need not be what can be sent."""
    load(objective)


def at_worker(objective, number, topic, *arguments):
    """An evaluation at a worker; with a topic, its beginning is said there: (number, (address, name)).

    The scheduler has heard of it before the objective is called, which may let no other thread run.
    """
    from distributed import get_worker
    from distributed.utils import sync

    worker = get_worker()
    if topic is not None:
        begins = number, (worker.address, str(worker.name))
        sync(worker.loop, worker.scheduler.log_event, topic=topic, msg=begins)
    return evaluate(objective, str(worker.name), *arguments)


def kill_worker(dask_worker):
    """End the process of a nanny's worker; the nanny begins another."""
    os.kill(dask_worker.pid, signal.SIGKILL)


@contextmanager
def local(workers):
    """The client of so many workers on this machine: processes of one thread, started anew when lost."""
    distributed, dask = _dask()
    with (
        TemporaryDirectory(prefix="workers-") as scratch,
        environment(),  # Dask limits the threads of its workers by variables that it sets here, and leaves
        dask.config.set(_LOCAL),
        _quiet(),
    ):
        resource_tracker.ensure_running()  # when it begins later, it unblocks what is blocked
        with blocked_interrupts():  # in threads that begin here, too
            cluster = distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                memory_limit=None,
                dashboard_address="127.0.0.1:0",  # any free port: several runs at once
                local_directory=scratch,
                silence_logs=logging.CRITICAL,
            )
        with cluster, distributed.Client(cluster, set_as_default=False) as client:
            yield client


@contextmanager
def remote(address, uploads=()):
    """The client of a scheduler at an address; `uploads`: files of Python that its workers are to have.

    WorkersError where it does not answer.
    """
    distributed, _ = _dask()
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
def _quiet():
    """Without the log lines of Dask in this process: what is wrong is raised."""
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "distributed"]
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _upload(client, path):
    try:
        client.upload_file(str(path))
    except Exception as error:  # of the file, or of what is in it, at whichever worker
        raise ConfigError(f"cannot give {path} to the workers: {type(error).__name__}: {error}") from None


@contextmanager
def _reaching():
    """Turn what the client says where the scheduler is lost into a WorkersError."""
    try:
        yield
    except WorkersError:
        raise
    except OSError as error:
        raise WorkersError(f"the scheduler does not answer: {error}") from None


def _dask():
    with required("distributed", "evaluating at workers", "workers"):
        import dask
        import distributed
    return distributed, dask
