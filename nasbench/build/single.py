"""One source into a store: read here or in worker processes, resumable, moved into place when complete."""

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
from nasbench.spaces import TOPOLOGY
from nasbench.store import ORIGINS, Attributes, Store

_WORKER_MEMORY = 1 << 30  # bytes that a worker may take in addition to what it has at its start
Check = Callable[[Store], None]  # raises if a new store must not replace the old one


class How(NamedTuple):
    """How a store is built."""

    workers: int  # processes
    resume: bool  # continue what an interrupted build left
    progress: bool  # show a bar on stderr if that is a terminal


class Runs(NamedTuple):
    """How many cells have a training run with each seed."""

    dataset: str
    protocol: int
    cells: dict[int, int]  # by seed


class Difference(NamedTuple):
    """Values of an array in which two merged sources differ."""

    array: str
    winner: str  # path of the source whose values are in the store
    other: str
    values: int  # how many
    largest: float
    cell: int  # official index of the cell with the largest difference


@dataclass
class Summary:
    """What a build has written, and from what."""

    path: Path
    attributes: Attributes
    #: number of cells of the space
    cells: int
    #: official indices of the cells that no source has, (n,)
    missing: Array
    runs: list[Runs]
    #: what was compared or tested, a line each
    checked: list[str]
    #: what else to know, such as what was left out
    notes: list[str]
    #: differences of merged sources
    differences: list[Difference] = field(default_factory=list)
    #: number of cells that an earlier, interrupted build had read
    resumed: int = 0
    seconds: float = 0.0


def build_one(
    source: Source, out: Path, how: How, check: Check | None = None, extra: Mapping[str, str] | None = None
) -> Summary:
    """Build the store `out` from one source, and return a Summary.

    `check`: called with the store before it is moved into place; `extra`: attributes for its provenance.
    """
    writer = Writer(
        out, source.space.cells, source.layout, constant_arrays(source), source.identity(), how.resume
    )
    total = sum(map(source.cells, source.tasks))
    with closing(writer):
        done = writer.done()
        resumed = int(done.sum())
        # A source that is read in order is read to its end: it can have notes on what it has read.
        tasks = [task for task in source.tasks if not source.parallel or not _is_done(task, done)]
        with Progress(source.name, "cells", total, done=min(resumed, total), shown=how.progress) as bar:
            try:
                if source.parallel:
                    _read_in_processes(source, tasks, writer, how.workers, bar)
                    resumed = total - sum(map(source.cells, tasks))
                else:
                    _read_here(source, tasks, writer, done, bar)
            except (SourceError, MemoryError):
                writer.discard()  # it would fail in the same way again
                raise
            bar.finish()
        sha256 = source.provenance.get("source_sha256")
        writer.finish(lambda digests: provenance(source, sha256 or _combined(digests), extra), check)
    return _summary(source, out, resumed)


def constant_arrays(source: Source) -> dict[str, Array]:
    """Return the arrays of a store that are known before anything is read."""
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
    """Return the provenance that a store of a source records."""
    texts = {"space": source.space.name, **source.provenance, **(extra or {})}
    if sha256:
        texts["source_sha256"] = sha256
    if len(source.origins) > 1:
        origins = {name: sorted(arrays) for name, arrays in sorted(source.origins.items())}
        texts[ORIGINS] = json.dumps(origins)
    # Names of files may hold bytes that are no text.
    return {name: text.encode("utf-8", "backslashreplace").decode() for name, text in texts.items()}


def known_cells(store: Store, source: Source) -> Mask:
    """Return which cells have any value in a store that was built from a source, bool (N,)."""
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
    """Return one sha256 for all batches, in the order of codes; None if they have no digests."""
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
    with HeldInterrupt(patient=True) as interrupt:  # a pool that is interrupted at its shutdown never ends
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
                "a worker process ended before its time: there was too little memory, or it was killed;"
                " --resume goes on, --workers 1 needs less. In a script, build under"
                " `if __name__ == '__main__':`"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)
    if interrupt.came:
        raise KeyboardInterrupt


_worker: tuple[Source, ArrayOffsets]  # what a worker process reads, and where it writes the rows


def _start_worker(source: Source, offsets: ArrayOffsets) -> None:
    global _worker
    _worker = source, offsets
    end_with_parent()
    # A limit, so that a file which needs too much memory is an error and not a danger.
    with suppress(OSError, ValueError):  # a system without /proc, or a lower limit already
        with open("/proc/self/statm") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        _, limit = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (size + _WORKER_MEMORY, limit))


def _work(task: range) -> list[tuple[int, bytes]]:
    """Read a task, write its rows, and return (cells, record for the journal) of each batch."""
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
    checked = [*source.checks, "the store, read back, against what was written"]
    notes = [*source.notes, *_varying_times(store)]
    return Summary(out, store.attributes, space.cells, missing, runs, checked, notes, resumed=resumed)


def _varying_times(store: Store) -> Iterator[str]:
    """Yield a line for each time that is recorded at the last epoch only because epochs differ."""
    for name in sorted(store.names):
        final = name.replace("/per_epoch/", "/final/")
        if final != name and final in store.names:
            count = np.count_nonzero(np.isnan(store[name]) & ~np.isnan(store[final]))
            if count:
                yield f"{final}: of {count:,} runs only at the last epoch, as it differs between epochs"


def _count_cells(store: Store, dataset: str, protocol: int, seeds: Sequence[int]) -> dict[int, int]:
    """Return how many cells have a value with each seed, in any metric."""
    known = np.zeros((1, len(seeds)), dtype=bool)
    for name in store.names:
        if name.startswith(f"{dataset}/{protocol}/final/"):
            known = known | ~np.isnan(store[name])
    return dict(zip(seeds, known.sum(axis=0).tolist(), strict=True))
