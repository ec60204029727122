"""The jobs of a pipeline, their folders, and what they found."""

import shlex
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from nasbench.runs.folder import SUMMARY, RunFolder, RunKind, read_object
from nasbench.runs.log import Columns, Row, read_log
from nasbench.runs.notes import complain
from nasbench.runs.text import counted
from oneshot.errors import RunFolderError
from oneshot.pipeline.jobs import Job, run_jobs
from oneshot.pipeline.settings import PipelineEnvironment, PipelineSettings
from oneshot.retrain.weights import RETRAINING_LOG
from oneshot.search.record import SEARCH_LOG

PIPELINE_LOG = Columns({"job": str, "architecture": str, "accuracy": float, "seconds": float})
PIPELINE = RunKind(PIPELINE_LOG.header, stage="pipeline", sync=True)


@dataclass(frozen=True)
class Finished(ABC):
    """The summary of a job that is finished, as far as a pipeline uses it."""

    #: Space, text and parts of the architecture.
    architecture: Mapping[str, Any]  # plain values, nested
    #: Top-1 accuracy in percent on the images that are held out; of a search, along its path in the supernet.
    accuracy: float

    log_format: ClassVar[Columns]

    @classmethod
    @abstractmethod
    def parse(cls, summary: Mapping[str, Any]) -> Self | None:
        """Return the job of a summary.json; None unless it is finished."""


@dataclass(frozen=True)
class FinishedSearch(Finished):
    """The summary of a search."""

    #: Scores of the benchmark, None in a space without one; they have an index.
    benchmark: Mapping[str, Any] | None  # plain values, nested

    log_format = SEARCH_LOG

    @classmethod
    def parse(cls, summary: Mapping[str, Any]) -> Self | None:
        match summary:
            case {
                "complete": True,
                "architecture": {"text": str()} as architecture,
                "supernet": {"path": {"accuracy": int() | float() as accuracy}},
                "benchmark": None | {"index": int()} as benchmark,
            }:
                return cls(architecture, accuracy, benchmark)
        return None


@dataclass(frozen=True)
class FinishedTraining(Finished):
    """The summary of a training."""

    #: The whole summary.
    summary: Mapping[str, Any]  # plain values, nested
    #: Number of epochs.
    epochs: int
    #: Number of training images, and of images that are tested.
    images: tuple[int, int]
    #: Number of parameters, without those of a second classifier.
    parameters: int

    log_format = RETRAINING_LOG

    @classmethod
    def parse(cls, summary: Mapping[str, Any]) -> Self | None:
        match summary:
            case {
                "complete": True,
                "architecture": {"text": str()} as architecture,
                "result": {"top1": int() | float() as accuracy},
                "epochs": int() as epochs,
                "images": {"train": int() as train, "test": int() as test},
                "cost": {"params_without_auxiliary": int() as parameters},
            }:
                return cls(architecture, accuracy, summary, epochs, (train, test), parameters)
        return None


_F = TypeVar("_F", bound=Finished)


class Pipeline:
    """The jobs of a pipeline in its folder: searches, then short trainings, then the final one."""

    def __init__(
        self,
        path: str | Path,
        settings: PipelineSettings,
        environment: PipelineEnvironment | None = None,
    ) -> None:
        self.path, self.settings = Path(path), settings
        self._environment = PipelineEnvironment() if environment is None else environment

    def searches(self) -> list[Job]:
        """Return the searches."""
        s = self.settings
        return [
            self._job(
                f"search-{k}",
                "oneshot.search",
                ["--space", s.space, "--method", s.method, "--seed", str(s.seed + k)],
                s.search_options,
            )
            for k in range(s.searches)
        ]

    def shorts(self) -> list[Job]:
        """Return the short trainings of the architectures that the searches found."""
        return [
            self._training(f"short-{k}", f"search-{k}", "half", self.settings.short_options)
            for k in range(self.settings.searches)
        ]

    def final(self) -> list[Job]:
        """Return the training of the best architecture, as a list."""
        return [self._training("final", f"search-{self.best()}", "full", self.settings.final_options)]

    def _training(self, name: str, source: str, split: str, options: str) -> Job:
        arguments = [str(self.path / source), "--split", split, "--seed", str(self.settings.seed)]
        return self._job(name, "oneshot.retrain", arguments, options)

    def _job(self, name: str, module: str, arguments: Sequence[str], options: str) -> Job:
        path = self.path / name
        if (path / "config.json").exists():
            words = ["--resume", str(path)]
        else:
            dataset = ["--dataset", self.settings.dataset]
            words = [*arguments, *dataset, *shlex.split(options), "--out", str(path)]
            words += ["--smoke"] if self.settings.smoke else []
        log = self.path / "output" / f"{name}.json"
        return Job(name, module, (*words, *self._environment.arguments(), "--json"), log)

    def search(self, number: int) -> FinishedSearch:
        """Return a search that is finished; RunFolderError if it is not, or its summary is damaged."""
        return self._finished(f"search-{number}", FinishedSearch)

    def short(self, number: int) -> FinishedTraining:
        """Return a short training that is finished; RunFolderError as `search`."""
        return self._finished(f"short-{number}", FinishedTraining)

    def trained(self) -> FinishedTraining:
        """Return the final training when it is finished; RunFolderError as `search`."""
        return self._finished("final", FinishedTraining)

    def _finished(self, name: str, kind: type[_F]) -> _F:
        found = self._parse(name, kind)
        if found is None:
            raise RunFolderError(f"{self.path / name} has no {SUMMARY} of a finished run")
        return found

    def _parse(self, name: str, kind: type[_F]) -> _F | None:
        with suppress(RunFolderError):
            summary = read_object(self.path / name / SUMMARY)
            return None if summary is None else kind.parse(summary)
        return None

    def is_finished(self, job: Job) -> bool:
        """Return whether a job has the summary of a finished run."""
        return self._parse(job.name, _kind(job)) is not None

    def best(self) -> int:
        """Return the number of the search whose architecture was best after its short training."""
        accuracies = [self.short(k).accuracy for k in range(self.settings.searches)]
        return accuracies.index(max(accuracies))

    def row(self, job: Job) -> Row:
        """Return the row of the log of a job that is finished."""
        found = self._finished(job.name, _kind(job))
        return {
            "job": job.name,
            "architecture": found.architecture["text"],
            "accuracy": found.accuracy,
            "seconds": sum(row["seconds"] for row in read_log(self.path / job.name, found.log_format)),
        }

    def run(self, folder: RunFolder, devices: Sequence[str], stop: Callable[[], bool]) -> bool:
        """Run the jobs that are left on devices, and log each; return whether all were run.

        `folder`: the pipeline's own.
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


def _kind(job: Job) -> type[Finished]:
    return FinishedSearch if job.module == "oneshot.search" else FinishedTraining
