"""Artificial sources for tests: small, and fast or deliberately slow."""

import hashlib
import os
import signal
import time

import numpy as np

from nasbench.build.sources.source import Source
from nasbench.build.writer import Batch
from nasbench.errors import SourceError
from nasbench.spaces import TOPOLOGY

LAYOUT = {
    "cifar10/params": (),
    "cifar10/200/final/val_accuracy": (2,),
    "cifar10/200/curve/val_accuracy": (2, 20),
}
SEEDS = {("cifar10", 200): (777, 888)}
BATCH = 125  # cells


class MadeSource(Source):
    """A source with numbers computed from the cell, for the cells of some tasks.

    `wait` is the number of seconds before each task. `fail` is the first code of the task that raises an
    error or, with `kill`, kills its process.
    """

    kind = "made"
    parallel = True

    def __init__(self, tasks=range(0, TOPOLOGY.cells, BATCH), wait=0.0, fail=None, kill=False, version="1"):
        provenance = {"source": "made up", "source_version": version, "licence": "none", "citation": "none"}
        super().__init__("made", TOPOLOGY, LAYOUT, SEEDS, provenance)
        self._starts = list(tasks)
        self._wait = wait
        self._fail = fail
        self._kill = kill

    @property
    def tasks(self):
        return [range(start, start + BATCH) for start in self._starts]

    def read(self, task):
        start, count = task.start, len(task)
        time.sleep(self._wait)
        if start == self._fail:
            if self._kill:
                os.kill(os.getpid(), signal.SIGKILL)
            raise SourceError(f"made: the file of cell {start} is damaged")
        rows = {name: rows_of(name, start, count) for name in self.layout}
        yield Batch(start, rows, hashlib.sha256(str(start).encode()).digest())


def rows_of(name, start, count):
    """Return the rows of an array of a MadeSource."""
    codes = np.arange(start, start + count, dtype=np.float64)
    shape = LAYOUT[name]
    places = np.arange(int(np.prod(shape, dtype=int)), dtype=np.float64)
    return (codes[:, None] + places / 64 + len(name) / 4096).reshape(count, *shape)
