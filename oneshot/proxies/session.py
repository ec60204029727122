"""Runs that score networks by proxies: folder, processes and results."""

import gc
import hashlib
import io
import pickle
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Self

import torch

from nasbench.benchmark import NB201, Benchmark
from nasbench.errors import NotRecordedError, RunFolderError
from nasbench.runs.command import Outcome
from nasbench.runs.folder import RunFolder, RunKind, read_record
from nasbench.runs.log import Row
from nasbench.runs.notes import complain
from nasbench.runs.processes import blocked_interrupts, end_with_parent
from nasbench.runs.progress import Progress
from nasbench.runs.record import present
from nasbench.runs.settings import listed
from nasbench.runs.text import counted, join_blocks
from oneshot.errors import ConfigError, GroupError, MissingDependencyError
from oneshot.proxies.cells import read_architectures
from oneshot.proxies.evaluation import evaluate
from oneshot.proxies.pictures import SCATTER, draw_scatter
from oneshot.proxies.scorer import Scorer, Scores, read_batches
from oneshot.proxies.settings import ProxyEnvironment, ProxySettings
from oneshot.proxies.table import CSV, ScoreTable, log_format, log_rows
from oneshot.score.settings import MINIMUM_CELLS
from oneshot.spaces.architectures import Architecture

_STAGE = "run of proxies"
_AHEAD = 2  # tasks per process


def run_kind(settings: ProxySettings) -> RunKind:
    """Return the kind of run folder for these settings."""
    return RunKind(log_format(settings).header, stage=_STAGE)


@dataclass
class ProxyRun:
    """A run in progress."""

    #: run folder, locked
    folder: RunFolder
    #: settings of the run
    settings: ProxySettings
    #: settings that may differ when the run is resumed
    environment: ProxyEnvironment
    #: architectures to score, in order
    architectures: Sequence[Architecture]
    #: table with their accuracies; None if their space has none
    bench: Benchmark | None

    @property
    def path(self) -> Path:
        """Path of the run folder."""
        return self.folder.path

    @property
    def has_scores(self) -> bool:
        """Whether a network has been scored."""
        return bool(self._rows())

    @classmethod
    def create(cls, path: str, settings: ProxySettings, environment: ProxyEnvironment) -> Self:
        """Start a run in a new folder."""
        architectures = read_architectures(settings)
        bench = _open_table(architectures, environment)
        record = {
            "settings": settings.to_json(),
            "environment": environment.to_json(),
            "architectures": _digest(architectures),
            **present(torch),
        }
        folder = RunFolder.create(path, run_kind(settings), record)
        return cls(folder, settings, environment, architectures, bench)

    @classmethod
    def resume(cls, path: str, given: dict[str, object], elsewhere: dict[str, object]) -> Self:
        """Resume a run with the options `given`; `elsewhere` has the options of its environment."""
        record = read_record(path, RunKind(stage=_STAGE))
        settings = ProxySettings.from_json(record.get("settings"), "settings").resumed(given)
        before = ProxyEnvironment.from_json(record.get("environment"), "environment")
        environment = before.resumed(elsewhere)
        architectures = read_architectures(settings)
        if _digest(architectures) != record.get("architectures"):
            raise ConfigError(f"the architectures in {settings.cells} have changed since {path} was started")
        bench = _open_table(architectures, environment)
        folder = RunFolder.resume(path, run_kind(settings))
        return cls(folder, settings, environment, architectures, bench)

    def run(self, stop: Callable[[], bool]) -> None:
        """Score the remaining architectures, or stop when `stop()` returns True."""
        seeds, rows = self.settings.seeds, len(self._rows())
        done = rows // seeds
        self.folder.log.keep(done * seeds)  # removes an architecture with missing seeds, after a kill
        remaining = self.architectures[done:]
        if not remaining:
            return
        batches, notes = read_batches(self.settings, self.environment)
        for note in notes:
            complain(f"note: {note}")
        log = log_format(self.settings)
        progress = Progress("proxies", "networks", len(self.architectures), done=done, stop=stop)
        with progress, scored(Scorer(self.settings, batches), remaining, self.environment.workers) as results:
            for number, scores in enumerate(results, done):
                self.folder.log.append(log.encode(log_rows(number, scores, self.settings)))
                if progress.advance():
                    break
            progress.finish()

    def finish(self, interrupted: bool) -> Outcome:
        """Write and evaluate the table if all architectures are scored."""
        table = ScoreTable.from_rows(self._rows(), self.architectures, self.settings)
        if len(table.architectures) < len(self.architectures):
            return Outcome(False, done=counted(len(table.architectures), "network"))
        self.folder.write_bytes(CSV, table.to_csv())
        evaluation = None if self.bench is None else evaluate(table, self.bench)
        pictures = []
        if self.bench is not None and evaluation is not None:
            try:
                figure = draw_scatter(table, self.bench)
            except (MissingDependencyError, NotRecordedError) as error:
                complain(f"note: no {SCATTER}: {error}")
            else:
                picture = io.BytesIO()
                figure.savefig(picture, format="png", dpi=150, metadata={"Software": None})
                self.folder.write_bytes(SCATTER, picture.getbuffer())
                pictures.append(SCATTER)
        summary = {
            "complete": True,
            "networks": len(table.architectures),
            "missing": table.missing,
            "evaluation": None if evaluation is None else evaluation.to_json(),
        }
        self.folder.write_summary(summary)
        texts = [f"{counted(len(table.architectures), 'network')}, {counted(self.settings.seeds, 'seed')}"]
        if table.missing:
            counts = [f"{name} {count:,}" for name, count in table.missing.items()]
            texts.append(f"scores that are NaN or infinite, left empty in the table: {listed(counts)}")
        if evaluation is not None:
            texts.append(evaluation.text())
        elif self.bench is not None:
            texts.append(
                "no correlations with accuracies: they need scores and accuracies of"
                f" {MINIMUM_CELLS} cells or more"
            )
        return Outcome(True, join_blocks(*texts), summary, pictures=[CSV, *pictures])

    def _rows(self) -> list[Row]:
        path, seeds = self.folder.log.path, self.settings.seeds
        rows = log_format(self.settings).decode(self.folder.log.read(), path)
        for place, row in enumerate(rows):
            if (row["number"], row["seed"]) != divmod(place, seeds) or place >= seeds * len(
                self.architectures
            ):
                raise RunFolderError(f"{path} is damaged: row {place + 1} has the scores of another network")
        return rows


def _open_table(architectures: Sequence[Architecture], environment: ProxyEnvironment) -> Benchmark | None:
    """Open the table with the architectures' accuracies; return None if their space has none."""
    return NB201(environment.store) if architectures[0].space == "nb201" else None


def _digest(architectures: Sequence[Architecture]) -> dict[str, object]:
    """Return the number of architectures and a hash of them."""
    text = "\n".join(str(architecture.value) for architecture in architectures)
    return {"count": len(architectures), "sha256": hashlib.sha256(text.encode()).hexdigest()}


# Processes


@contextmanager
def scored(scorer: Scorer, architectures: Sequence[Architecture], workers: int) -> Iterator[Iterator[Scores]]:
    """Yield an iterator of scores, in order, computed by this process or by `workers` others."""
    workers = min(workers, len(architectures))
    if workers == 1:
        threads = torch.get_num_threads()
        _prepare(scorer)
        try:
            yield map(scorer.score, architectures)
        finally:
            torch.set_num_threads(threads)
            gc.unfreeze()
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin, (pickle.dumps(scorer),))
    with blocked_interrupts():
        first = [pool.submit(_score, each) for each in architectures[: _AHEAD * workers]]
    try:
        yield _in_order(pool, deque(first), architectures[_AHEAD * workers :])
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(
    pool: ProcessPoolExecutor, running: "deque[Future[Scores]]", waiting: Sequence[Architecture]
) -> Iterator[Scores]:
    remaining = iter(waiting)
    while running:
        try:
            yield running.popleft().result()
        except BrokenProcessPool:
            raise GroupError(
                "a worker process ended unexpectedly: it ran out of memory or was killed; try fewer --workers"
            ) from None
        for architecture in remaining:
            running.append(pool.submit(_score, architecture))
            break


_scorer: Scorer | None = None  # of this process


def _begin(scorer: bytes) -> None:
    global _scorer
    end_with_parent()
    _scorer = pickle.loads(scorer)
    _prepare(_scorer)


def _prepare(scorer: Scorer) -> None:
    """Set the number of threads, and exclude all existing objects from garbage collection."""
    torch.set_num_threads(scorer.settings.threads)
    gc.freeze()


def _score(architecture: Architecture) -> Scores:
    assert _scorer is not None
    return _scorer.score(architecture)
