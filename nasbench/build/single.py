"""Building of a store from one source, in this process or in workers; resumable and atomic."""

import hashlib
import json
import resource
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nasbench.arrays import Array, Mask
from nasbench.build.sources.source import Source, any_known
from nasbench.build.writer import ArrayOffsets, Writer
from nasbench.cell import isomorphism_classes
from nasbench.errors import SourceError, StoreError
from nasbench.metrics import DATASETS
from nasbench.runs.interrupts import HeldInterrupt
from nasbench.runs.processes import blocked_interrupts, end_with_parent
from nasbench.runs.progress import Progress
from nasbench.runs.text import counted
from nasbench.spaces import TOPOLOGY
from nasbench.store import ORIGINS, Attributes, Store

_WORKER_MEMORY = 1 << 30  # bytes that a worker may allocate after its start
Check = Callable[[Store], None]  # raises if a new store must not replace the old one


class How(NamedTuple):
    """Options of a build."""

    #: number of processes
    workers: int
    #: whether to continue an interrupted build
    resume: bool
    #: whether to show a progress bar
    progress: bool


class Runs(NamedTuple):
    """Numbers of cells with a training run, by seed."""

    #: name of the data set
    dataset: str
    #: epochs of the training protocol
    protocol: int
    #: number of cells by seed
    cells: dict[int, int]


class Difference(NamedTuple):
    """Difference between two merged sources in one array."""

    #: name of the array
    array: str
    #: label of the source whose values are in the store
    winner: str
    #: label of the other source
    other: str
    #: number of values that differ
    values: int
    #: largest absolute difference
    largest: float
    #: official index of the cell with the largest difference
    cell: int


@dataclass
class Summary:
    """Result of a build."""

    #: path of the store
    path: Path
    #: provenance and schema of the store
    attributes: Attributes
    #: number of cells of the space
    cells: int
    #: official indices of the cells that no source has, shape ``(n,)``
    missing: Array
    #: training runs by data set and protocol
    runs: list[Runs]
    #: lines on what was checked
    checked: list[str]
    #: further notes, such as left out data
    notes: list[str]
    #: differences between merged sources
    differences: list[Difference] = field(default_factory=list)
    #: number of cells read by an earlier, interrupted build
    resumed: int = 0
    #: duration of the build
    seconds: float = 0.0


def build_one(
    source: Source, out: Path, how: How, check: Check | None = None, extra: Mapping[str, str] | None = None
) -> Summary:
    """Build a store from one source.

    Parameters
    ----------
    source
        Source to read.
    out
        File of the store.
    how
        Options of the build.
    check
        Function that is called with the new store before it is moved into place.
    extra
        Further attributes of the store.
    """
    writer = Writer(
        out, source.space.cells, source.layout, constant_arrays(source), source.identity(), how.resume
    )
    total = sum(map(source.cells, source.tasks))
    with closing(writer):
        done = writer.done()
        resumed = int(done.sum())
        # A source that is read in order is read completely, because it can collect notes.
        tasks = [task for task in source.tasks if not source.parallel or not _is_done(task, done)]
        with Progress(source.name, "cells", total, done=min(resumed, total), shown=how.progress) as bar:
            try:
                if source.parallel:
                    _read_in_processes(source, tasks, writer, how.workers, bar)
                    resumed = total - sum(map(source.cells, tasks))
                else:
                    _read_here(source, tasks, writer, done, bar)
            except (SourceError, MemoryError):
                writer.discard()  # a retry would fail in the same way
                raise
            bar.finish()
        sha256 = source.provenance.get("source_sha256")
        writer.finish(lambda digests: provenance(source, sha256 or _combined(digests), extra), check)
    return _summary(source, out, resumed)


def constant_arrays(source: Source) -> dict[str, Array]:
    """Return the arrays of a store that do not depend on the data of the source."""
    space = source.space
    constants: dict[str, Array] = {"index": space.official_index()}
    if space is TOPOLOGY:
        constants["isomorphism_class"] = isomorphism_classes()
    for (dataset, protocol), seeds in source.seeds.items():
        constants[f"{dataset}/{protocol}/seeds"] = np.array(seeds, dtype=np.int64)
    return constants


def provenance(
    source: Source, sha256: str | None = None, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the provenance of a store that is built from a source."""
    texts = {"space": source.space.name, **source.provenance, **(extra or {})}
    if sha256:
        texts["source_sha256"] = sha256
    if len(source.origins) > 1:
        origins = {name: sorted(arrays) for name, arrays in sorted(source.origins.items())}
        texts[ORIGINS] = json.dumps(origins)
    # File names can contain bytes that are not text.
    return {name: text.encode("utf-8", "backslashreplace").decode() for name, text in texts.items()}


def known_cells(store: Store, source: Source) -> Mask:
    """Return a mask (N,) of the cells with any value in a store that was built from `source`."""
    known = np.zeros(source.space.cells, dtype=bool)
    for name in source.layout:
        if "/curve/" not in name:
            known |= any_known(store[name])
    return known


def _is_done(task: range, done: Mask) -> bool:
    return bool(done[task.start : task.stop].all())


def _read_here(source: Source, tasks: Sequence[range], writer: Writer, done: Mask, bar: Progress) -> None:
    for task in tasks:
        for batch in source.read(task):
            if not _is_done(range(batch.start, batch.start + batch.cells), done):
                writer.write(batch)
            bar.advance(batch.cells)


def _combined(digests: Sequence[bytes]) -> str | None:
    """Return one sha256 for all batches in code order; None if they have no digests."""
    digests = [digest for digest in digests if digest.strip(b"\0")]
    return hashlib.sha256(b"".join(digests)).hexdigest() if digests else None


# Processes


def _read_in_processes(
    source: Source, tasks: Sequence[range], writer: Writer, workers: int, bar: Progress
) -> None:
    """Read tasks in worker processes, which write the rows themselves; the journal is kept here."""
    pool = ProcessPoolExecutor(
        max(1, min(workers, len(tasks))),
        mp_context=get_context("spawn"),
        initializer=_start_worker,
        initargs=(source, writer.offsets),
    )
    waiting = iter(tasks)
    with HeldInterrupt(
        patient=True
    ) as interrupt:  # a pool that is interrupted during shutdown never terminates
        try:
            with blocked_interrupts():  # the workers inherit this when they start
                running = {pool.submit(_work, task) for task in islice(waiting, 3 * workers)}
            while running and not interrupt.came:
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    for cells, record in future.result():
                        writer.log(record)
                        bar.advance(cells)
                    running |= {pool.submit(_work, task) for task in islice(waiting, 1)}
        except BrokenProcessPool:
            raise StoreError(
                "a worker process ended unexpectedly: it ran out of memory or was killed;"
                " continue with --resume, or with --workers 1 to use less memory. In a script, build under"
                " `if __name__ == '__main__':`"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)
    if interrupt.came:
        raise KeyboardInterrupt


_worker: tuple[Source, ArrayOffsets]  # source and output of a worker process


def _start_worker(source: Source, offsets: ArrayOffsets) -> None:
    global _worker
    _worker = source, offsets
    end_with_parent()
    # Limit the memory, so that a malicious file is an error and does not exhaust the machine.
    with suppress(OSError, ValueError):  # no /proc, or a lower limit is already set
        with open("/proc/self/statm") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        _, limit = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (size + _WORKER_MEMORY, limit))


def _work(task: range) -> list[tuple[int, bytes]]:
    """Read a task and write its rows; return (cells, journal record) of each batch."""
    source, offsets = _worker
    done = []
    for batch in source.read(task):
        try:
            done.append((source.cells(task), offsets.write(batch)))
        except OSError as error:
            raise StoreError(f"cannot write {offsets.path}: {error.strerror}") from None
    return done


# The summary


def _summary(source: Source, out: Path, resumed: int) -> Summary:
    store = Store(out)
    space = source.space
    runs = [
        Runs(dataset, protocol, _count_cells(store, dataset, protocol, seeds))
        for dataset in DATASETS
        for (name, protocol), seeds in sorted(source.seeds.items(), key=lambda item: item[0][1])
        if name == dataset
    ]
    missing = np.sort(space.official_index()[~known_cells(store, source)])
    checked = [*source.checks, "the store, read back, against the written data"]
    notes = [*source.notes, *_varying_times(store)]
    return Summary(out, store.attributes, space.cells, missing, runs, checked, notes, resumed=resumed)


def _varying_times(store: Store) -> Iterator[str]:
    """Yield a line per time that is recorded only at the last epoch, because its epochs differ."""
    for name in sorted(store.names):
        final = name.replace("/per_epoch/", "/final/")
        if final != name and final in store.names:
            count = int(np.count_nonzero(np.isnan(store[name]) & ~np.isnan(store[final])))
            if count:
                runs = counted(count, "run")
                yield f"{final}: recorded only at the last epoch for {runs}, because epochs differ"


def _count_cells(store: Store, dataset: str, protocol: int, seeds: Sequence[int]) -> dict[int, int]:
    """Return the number of cells with a value of any metric, by seed."""
    known = np.zeros((1, len(seeds)), dtype=bool)
    for name in store.names:
        if name.startswith(f"{dataset}/{protocol}/final/"):
            known = known | ~np.isnan(store[name])
    return dict(zip(seeds, known.sum(axis=0).tolist(), strict=True))
