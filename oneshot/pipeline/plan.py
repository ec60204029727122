"""The jobs of a pipeline, their folders and results."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasbench.runs.folder import SUMMARY, RunFolder, RunKind, read_object
from nasbench.runs.log import Columns, Row, read_log
from nasbench.runs.notes import complain
from nasbench.runs.text import counted
from oneshot.errors import RunFolderError
from oneshot.pipeline.jobs import Job, run_jobs, run_words
from oneshot.pipeline.settings import PipelineEnvironment, PipelineSettings
from oneshot.retrain.weights import RETRAINING_LOG
from oneshot.search.record import SEARCH_LOG

PIPELINE_LOG = Columns({"job": str, "architecture": str, "accuracy": float, "seconds": float})
PIPELINE = RunKind(PIPELINE_LOG.header, stage="pipeline", sync=True)


@dataclass(frozen=True)
class Finished:
    """Result of a finished job."""

    #: summary.json
    summary: Mapping[str, Any]  # plain values, nested
    #: top-1 accuracy on the held-out images in percent; for a search, along its path in the supernet
    accuracy: float

    @property
    def architecture(self) -> str:
        """The architecture as text."""
        return str(self.summary["architecture"]["text"])


def _parse(summary: Mapping[str, Any], is_search: bool) -> Finished | None:
    """Return the result in a summary.json; None if it is unfinished or lacks a value that a pipeline uses."""
    match summary:
        case {
            "complete": True,
            "architecture": {"text": str()},
            "supernet": {"path": {"accuracy": int() | float() as accuracy}},
            "benchmark": None | {"index": int()},
        } if is_search:
            return Finished(summary, accuracy)
        case {
            "complete": True,
            "architecture": {"text": str()},
            "result": {"top1": int() | float() as accuracy},
            "epochs": int(),
            "images": {"train": int(), "test": int()},
            "cost": {"params_without_auxiliary": int()},
        } if not is_search:
            return Finished(summary, accuracy)
    return None


def read_finished(path: Path, is_search: bool) -> Finished | None:
    """Return the result of the job in a folder; None if it is unfinished or its summary is damaged."""
    with suppress(RunFolderError):
        return _parse(read_object(path / SUMMARY) or {}, is_search)
    return None


class Pipeline:
    """The jobs of a pipeline in its folder: searches, short training runs and the final training."""

    def __init__(
        self, path: str | Path, settings: PipelineSettings, environment: PipelineEnvironment | None = None
    ) -> None:
        self.path, self.settings = Path(path), settings
        self._environment = environment or PipelineEnvironment()

    def searches(self) -> list[Job]:
        """Return the jobs of the searches."""
        s = self.settings
        arguments = ["--space", s.space, "--method", s.method, "--seed"]
        return [
            self._job(f"search-{k}", "oneshot.search", [*arguments, str(s.seed + k)], s.search_options)
            for k in range(s.searches)
        ]

    def shorts(self) -> list[Job]:
        """Return the jobs of the short training runs of the architectures found."""
        return [
            self._training(f"short-{k}", f"search-{k}", "half", self.settings.short_options)
            for k in range(self.settings.searches)
        ]

    def final(self) -> list[Job]:
        """Return a list with the job of the final training of the best architecture."""
        return [self._training("final", f"search-{self.best()}", "full", self.settings.final_options)]

    def _training(self, name: str, source: str, split: str, options: str) -> Job:
        arguments = [str(self.path / source), "--split", split, "--seed", str(self.settings.seed)]
        return self._job(name, "oneshot.retrain", arguments, options)

    def _job(self, name: str, module: str, arguments: Sequence[str], options: str) -> Job:
        path = self.path / name
        words = [*arguments, "--dataset", self.settings.dataset, *shlex.split(options)]
        words += ["--smoke"] if self.settings.smoke else []
        words = [*run_words(path, words), *self._environment.arguments(), "--json"]
        return Job(name, module, tuple(words), self.path / "output" / f"{name}.json")

    def finished(self, name: str) -> Finished:
        """Return the result of the job `name`; raise a RunFolderError if it is unfinished or damaged."""
        job = self._read(name)
        if job is None:
            raise RunFolderError(f"{self.path / name} has no {SUMMARY} of a finished run")
        return job

    def _read(self, name: str) -> Finished | None:
        return read_finished(self.path / name, name.startswith("search"))

    def is_finished(self, job: Job) -> bool:
        """Return whether a job has the summary of a finished run."""
        return self._read(job.name) is not None

    def best(self) -> int:
        """Return the number of the search whose architecture was best after its short training."""
        accuracies = [self.finished(f"short-{k}").accuracy for k in range(self.settings.searches)]
        return accuracies.index(max(accuracies))

    def row(self, job: Job) -> Row:
        """Return the row of the log for a finished job."""
        result = self.finished(job.name)
        log_format = SEARCH_LOG if job.module == "oneshot.search" else RETRAINING_LOG
        return {
            "job": job.name,
            "architecture": result.architecture,
            "accuracy": result.accuracy,
            "seconds": sum(row["seconds"] for row in read_log(self.path / job.name, log_format)),
        }

    def run(self, folder: RunFolder, devices: Sequence[str], stop: Callable[[], bool]) -> bool:
        """Run and log the remaining jobs; return whether all are complete.

        `folder` is the pipeline's run folder; `stop` is polled as in `run_jobs`.
        """
        folder.log.truncate(None)

        def write(job: Job) -> None:
            folder.log.append(PIPELINE_LOG.encode([self.row(job)]))

        for jobs in (self.searches, self.shorts, self.final):
            left = []
            for job in jobs():
                if self.is_finished(job):
                    write(job)
                else:
                    left.append(job)
            if left:
                names = f"{counted(len(left), 'job')} on {', '.join(devices)}"
                complain(f"{left[0].name.split('-')[0]}: {names}")
                if not run_jobs(left, devices, stop, write):
                    return False
        return True
