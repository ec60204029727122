"""Helpers for several processes: number of cores, environment, blocked interrupts, exit with the parent."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import connection, parent_process


def cores() -> int:
    """Return the number of processors that this process can use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not available on this system
        return os.cpu_count() or 1


@contextmanager
def blocked_interrupts() -> Iterator[None]:
    """Delay Ctrl-C until the end of the block; processes and threads started in it never receive it.

    Create pools before the block, because their queues start multiprocessing's resource tracker, which ends
    the delay.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Set environment variables for processes started in the block; restore all variables afterwards."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def end_with_parent() -> None:
    """Exit this process when its parent process ends."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
