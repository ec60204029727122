"""What work in several processes shares: their environment, no interrupts, an end with their parent."""

import os
import signal
import threading
from contextlib import contextmanager
from multiprocessing import connection, parent_process


@contextmanager
def blocked_interrupts():
    """Ctrl-C waits until the end of this; processes and threads that start in it are never interrupted."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def environment(**values):
    """Variables that processes which are started in this inherit; at its end all are as before."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def end_with_parent():
    """In a process that another one started: end when that one does."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent():
    connection.wait([parent_process().sentinel])
    os._exit(1)
