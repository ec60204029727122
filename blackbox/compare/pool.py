"""The execution of a comparison: a pool computes parts of runs, which are joined to complete runs."""

from __future__ import annotations

import json
import pickle
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache, cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from blackbox.compare.study import Part, Study, Whole
from blackbox.errors import ConfigError, RunFolderError, WorkersError
from blackbox.kinds.base import Experiment
from blackbox.kinds.reader import gives, read_run
from blackbox.results.anytime import Trajectories
from blackbox.workers.pool import Patience, ProcessPool, TaskContext, TaskPool
from nasbench.benchmark import Benchmark, open_benchmark
from nasbench.runs.files import open_locked
from nasbench.runs.folder import RunFolder
from nasbench.runs.log import AppendLog
from nasbench.runs.processes import cores
from nasbench.runs.progress import Progress
from nasbench.runs.record import versions

_INTERVAL = 0.2  # seconds between updates of the progress
_SAVING = 1.0  # seconds between updates of a log
_UNLOCKING = 20.0  # seconds that a closing worker may hold the log of a part


class PartResult(NamedTuple):
    """The result of a completed Part."""

    #: Number of evaluations of each trial, or of jobs of all trials.
    steps: int
    #: Trajectories of the trials; None if the trials are saved.
    trajectories: Trajectories | None


Task = Part | Whole
Result = PartResult | Trajectories | None  # of a Part, of a Whole; None if it was stopped


def carry_out(
    study: Study, workers: int | None, scheduler: str | None = None, stop: Callable[[], bool] = lambda: False
) -> list[Trajectories] | None:
    """Run a Study and return the Trajectories of each algorithm; None if `stop()` is true before the end.

    The results do not depend on the workers. These are `workers` processes of this machine (None for one per
    core), or `workers` workers of the Dask scheduler at an address (None for all). In a study with a folder,
    the completed work is saved even after an error, and resumed. Raise WorkersError if a process dies, or if
    the scheduler or all workers are lost.
    """
    try:
        with _pool(study, workers, scheduler) as pool:
            return _Comparison(study, pool).run(stop)
    except WorkersError as error:
        resume = "; run the same command again to continue" if study.folder else ""
        raise WorkersError(f"{error}{resume}") from None


@contextmanager
def _pool(study: Study, workers: int | None, scheduler: str | None) -> Iterator[TaskPool[Result]]:
    if scheduler is None:
        function, parts = partial(carry_out_task, pickle.dumps(study), None), len(study.parts)
        with ProcessPool(function, min(workers or cores(), parts), parts + len(study.specs)) as processes:
            yield processes
        return
    from blackbox.workers.cluster import DaskPool, remote  # imported here because it is rarely needed

    bench = open_benchmark(study.store, study.settings.space)
    origin = Origin(versions(), str(bench.store.attributes["checksum"]))
    study = study if study.folder is None else replace(study, folder=study.folder.absolute())
    function = partial(carry_out_task, pickle.dumps(study), origin)
    with remote(scheduler) as client, DaskPool(client, function, most=workers) as pool:
        yield pool


class _Comparison:
    """The coordinator of a Study, which submits its tasks and collects their results."""

    def __init__(self, study: Study, pool: TaskPool[Result]) -> None:
        self._study = study
        self._pool = pool
        self._parts = study.parts
        self._places = {part[:2]: place for place, part in enumerate(self._parts)}
        self._ended = [False] * len(self._parts)
        # parts of each algorithm and their results, by first trial
        self._results: list[dict[int, tuple[Part, PartResult]]] = [{} for _ in study.specs]
        self._trajectories: dict[int, Trajectories] = {}  # of completed algorithms

    def run(self, stop: Callable[[], bool]) -> list[Trajectories] | None:
        """Return the Trajectories of each algorithm; None if `stop()` is true before the end."""
        waiting = deque(self._first_tasks())
        running: dict[int, Task] = {}
        patience = Patience()
        total, stopped = self._study.settings.trials * len(self._study.specs), False
        with Progress("comparison", "trials", total, interval=_INTERVAL) as progress:
            while (waiting or running) and not (stopped := stop()):
                workers = self._pool.size()
                while waiting and len(running) < 2 * workers:
                    task = waiting.popleft()
                    number = self._number(task)
                    running[number] = task
                    self._pool.submit(number, task)
                ended = self._pool.next(_INTERVAL)
                if ended is not None:
                    number, result = ended
                    waiting.extendleft(self._take(running.pop(number), result))
                patience.check(workers > 0)
                progress.update(self._done())
            progress.finish(self._done())
        return None if stopped else [self._trajectories[n] for n in range(len(self._study.specs))]

    def _first_tasks(self) -> Iterator[Task]:
        """Yield the parts of algorithms that have no run yet, and tasks that read the other runs."""
        study = self._study
        have_folder = [
            study.folder is not None and study.run_folder(n).exists() for n in range(len(study.specs))
        ]
        self._ended = [have_folder[part.number] for part in self._parts]
        yield from (part for part in self._parts if not have_folder[part.number])
        yield from (Whole(number) for number in range(len(have_folder)) if have_folder[number])

    def _number(self, task: Task) -> int:
        if isinstance(task, Whole):
            return len(self._parts) + task.number
        return self._places[task[:2]]

    def _done(self) -> int:
        """Return the number of completed trials."""
        done = 0.0
        for place, (part, ended) in enumerate(zip(self._parts, self._ended, strict=True)):
            done += len(part.trials) * (1.0 if ended else min(self._pool.share(place), 1.0))
        return int(done)

    def _take(self, task: Task, result: Result) -> list[Task]:
        """Store the result of a task; return the tasks that follow from it."""
        if isinstance(result, Trajectories):
            self._trajectories[task.number] = result
            return []
        if result is None or isinstance(
            task, Whole
        ):  # it was stopped, for example because its worker was closed
            return [task]
        self._ended[self._number(task)] = True
        results = self._results[task.number]
        results[task.first] = task, result
        if len(results) < sum(part.number == task.number for part in self._parts):
            return []
        if self._study.folder is None:
            parts = [results[first][1].trajectories for first in sorted(results)]
            self._trajectories[task.number] = Trajectories.joined(list(filter(None, parts)))
            return []
        # In the log of a run, trials that have spent their budget continue for as many steps as the slowest.
        steps = max(result.steps for _, result in results.values())
        in_lockstep = self._study.specs[task.number].kind.counts == "evaluations"
        short = [part for part, result in results.values() if in_lockstep and result.steps < steps]
        for part in short:
            del results[part.first]
        return [part._replace(steps=steps) for part in short] or [Whole(task.number)]


# In a process of the pool


class Origin(NamedTuple):
    """The properties of the command that a worker on another machine must share."""

    #: Versions of packages.
    versions: Mapping[str, str]
    #: Checksum of the table.
    checksum: str


def carry_out_task(study: bytes, origin: Origin | None, context: TaskContext, task: Task) -> Result:
    """Run a task of a pickled Study; `origin` is checked, and None on the same machine."""
    worker = _worker(study, None if origin is None else pickle.dumps(origin))
    return worker.whole(task.number) if isinstance(task, Whole) else worker.part(task, Watch(context))


@lru_cache(maxsize=1)
def _worker(study: bytes, origin: bytes | None) -> Worker:
    """Return the Worker of a study, which opens the table once."""
    try:
        worker = Worker(pickle.loads(study))
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"a worker cannot import an algorithm: {error}; it must be in the folder where workers were"
            " started, or on PYTHONPATH"
        ) from None
    if origin is not None:
        worker.check(pickle.loads(origin))
    return worker


class Watch:
    """The progress reports of a running task, and whether it must stop."""

    def __init__(self, context: TaskContext) -> None:
        self._context = context
        self._next = time.monotonic() + _SAVING

    @property
    def stopped(self) -> bool:
        """Whether the task must stop now."""
        return self._context.stopped

    def tell(self, share: float) -> None:
        """Report the completed share."""
        self._context.report(share)

    def is_time(self) -> bool:
        """Return whether it is time to save and to report."""
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + _SAVING
        return True


class Worker:
    """The tasks of a Study, in a process of the pool."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._experiment = cache(self._make)

    def check(self, origin: Origin) -> None:
        """Raise ConfigError unless this process has the command's versions, table and folder."""
        own = versions()
        for name in ("nas-toolkit", "numpy"):
            if own[name] != origin.versions[name]:
                raise ConfigError(
                    f"a worker has {name} {own[name]}, but this command has {origin.versions[name]};"
                    " install the same version"
                )
        if self._bench.store.attributes["checksum"] != origin.checksum:
            raise ConfigError(
                f"a worker has a different table in {self._bench.store.path}; copy the command's table there"
            )
        folder = self._study.folder
        if folder is not None and not folder.is_dir():
            raise ConfigError(
                f"a worker cannot access {folder}; --out must be a folder that all workers share"
            )

    def part(self, part: Part, watch: Watch) -> PartResult | None:
        """Run a Part and save its trials if the Study has a folder; return None if it was stopped."""
        study, experiment = self._study, self._experiment(part.number)
        driver = experiment.kind.driver(experiment, part.trials, part.steps)

        def stop() -> bool:
            if watch.is_time():
                driver.save()
                watch.tell(driver.share)
            return watch.stopped

        with ExitStack() as stack:
            if study.folder is not None:
                path = study.part_folder(part)
                _await_unlocked(path / "log.csv", watch)
                header = driver.log_format.header
                log = AppendLog.create_or_resume(path / "log.csv", header, root=study.folder)
                driver.resume(stack.enter_context(log))
            complete = driver.advance(stop)
            driver.save()
        if not complete:
            return None
        watch.tell(1.0)
        history = driver.history
        kept = None if study.folder is not None else self._trajectories(part.number, history)
        return PartResult(len(history), kept)

    def whole(self, number: int) -> Trajectories:
        """Return the Trajectories of an algorithm; join its parts unless its run exists already."""
        study = self._study
        out, parts_folder = study.run_folder(number), study.parts_folder(number)
        try:
            history = self._made(out, number) if out.exists() else self._join(out, number)
            if parts_folder.exists():
                shutil.rmtree(parts_folder)
        except RunFolderError:
            raise
        except OSError as error:
            raise RunFolderError(f"cannot write {out}: {error.strerror}") from None
        return self._trajectories(number, history)

    @cached_property
    def _bench(self) -> Benchmark:
        return open_benchmark(self._study.store, self._study.settings.space)

    def _make(self, number: int) -> Experiment[Any, Any]:
        return self._study.specs[number].experiment(self._study.settings, self._bench)

    def _trajectories(self, number: int, history: Any) -> Trajectories:  # of the kind
        return self._experiment(number).kind.trajectories(history, self._study.settings.budget)

    def _record(self, number: int) -> dict[str, Any]:
        """Return the content of the run's config.json."""
        return self._experiment(number).record(self._study.store) | {"created": self._study.created}

    def _join(self, out: Path, number: int) -> Any:  # a history of the kind
        """Join the parts of a run, move it into place atomically and return its history."""
        study, experiment = self._study, self._experiment(number)
        kind, new = experiment.kind, study.parts_folder(number) / "whole"
        if new.exists():  # an earlier process was killed
            shutil.rmtree(new)
        parts = [part for part in study.parts if part.number == number]
        log_format = kind.log_format(experiment.settings, self._bench.space)
        with RunFolder.create(new, kind.folders, self._record(number), parents=False) as folder:
            logs = [study.part_folder(part) / "log.csv" for part in parts]
            for rows in log_format.join(logs, [len(part.trials) for part in parts]):
                folder.log.append(rows)
            history = log_format.decode(folder.log.read(), folder.log.path)
            folder.write_summary(kind.result(experiment, history, complete=True).to_json())
        new.rename(out)
        return history

    def _made(self, out: Path, number: int) -> Any:  # a history of the kind
        """Return the history of an existing run; raise RunFolderError if it is a different run."""
        run, record = read_run(out), json.loads(json.dumps(self._record(number)))
        same = all(run.record[name] == record[name] for name in ("algorithm", "search"))
        same = same and run.settings == self._experiment(number).settings
        same = same and gives(self._bench, run)
        if not (same and run.complete):
            raise RunFolderError(
                f"{out} is not a run of this comparison, or is not complete; move it to another folder"
            )
        return run.history


def _await_unlocked(log: Path, watch: Watch) -> None:
    """Wait while a closing worker, which had the part before, still holds its log."""
    end = time.monotonic() + _UNLOCKING
    while log.exists() and time.monotonic() < end and not watch.stopped:
        try:
            open_locked(log, "r+b").close()
        except BlockingIOError:
            time.sleep(_INTERVAL)
        except OSError:
            return  # opening it raises an error
        else:
            return
