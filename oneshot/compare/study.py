"""The searches of a comparison, their scores, and black-box searches at equal cost, in one folder."""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from nasbench.runs.folder import SUMMARY, RunFolder, RunKind, read_object
from nasbench.runs.log import Columns, read_log
from nasbench.runs.notes import complain
from nasbench.runs.text import counted
from oneshot.compare.settings import CompareSettings
from oneshot.compare.spec import MethodSpec
from oneshot.errors import RunFolderError
from oneshot.pipeline.jobs import Job, run_jobs, run_words
from oneshot.pipeline.plan import Finished, read_finished
from oneshot.pipeline.settings import PipelineEnvironment
from oneshot.score.equal_cost import (
    BLACKBOX,
    Trials,
    evaluation_seconds,
    read_trials,
    search_blackbox,
    why_not,
)
from oneshot.score.scoring import SCORE
from oneshot.search.record import SEARCH_LOG
from oneshot.search.scorer import Scorer
from oneshot.spaces.registry import get_space
from oneshot.training.checkpoints import read_checkpoint

COMPARE_LOG = Columns({"job": str, "architecture": str, "accuracy": float, "seconds": float})
COMPARE = RunKind(COMPARE_LOG.header, stage="comparison of methods", sync=True)


class BlackBox(NamedTuple):
    """Black-box searches at the mean cost of a method's searches."""

    #: cost in seconds
    cost: float
    #: number of evaluations that it buys; None if the table has no times
    evaluations: float | None
    #: trials of each search; empty if there are no searches
    trials: tuple[Trials, ...]
    #: why there are no searches; None if there are some
    note: str | None


@dataclass(frozen=True)
class Study:
    """The methods and seeds of a comparison, and the folder of all its runs."""

    #: folder of all runs
    path: Path
    #: settings of the comparison
    settings: CompareSettings
    #: methods with their settings
    specs: tuple[MethodSpec, ...]
    #: settings of all methods
    common: Mapping[str, Any]  # each has its own type
    #: devices and file locations
    environment: PipelineEnvironment

    @property
    def seeds(self) -> range:
        """The seeds of each method's searches."""
        return range(self.settings.seed, self.settings.seed + self.settings.seeds)

    @cached_property
    def scorer(self) -> Scorer | None:
        """The table that scores cells; None for a space without a benchmark."""
        if not get_space(self.settings.space).in_benchmark:
            return None
        return Scorer(self.settings.dataset, self.environment.store)

    def slug(self, number: int) -> str:
        """Return a method's name in file names."""
        return f"{number + 1}-{re.sub(r'[^A-Za-z0-9]+', '-', self.specs[number].label).strip('-')}"

    def folder(self, number: int, seed: int) -> Path:
        """Return the folder of a search."""
        return self.path / f"{self.slug(number)}-seed-{seed}"

    def folders(self) -> Iterator[tuple[int, int, Path]]:
        """Yield the method's number, the seed and the folder of each search, seed by seed."""
        for seed in self.seeds:
            for number in range(len(self.specs)):
                yield number, seed, self.folder(number, seed)

    def finished(self, path: Path) -> Finished:
        """Return the result of a search; raise a RunFolderError if it is unfinished or damaged."""
        search = read_finished(path, is_search=True)
        if search is None:
            raise RunFolderError(f"{path} has no {SUMMARY} of a finished search")
        return search

    def seconds(self, path: Path) -> float:
        """Return the cost of a search in seconds: the time of its epochs and of its final selection."""
        state = read_checkpoint(path) or {}
        epochs = sum(row["seconds"] for row in read_log(path, SEARCH_LOG))
        return float(epochs + state.get("concluding", 0))

    def score(self, path: Path) -> dict[str, Any] | None:  # as score.json has it
        """Return the score of a search; None if it was not scored with these settings."""
        with suppress(RunFolderError):
            score = read_object(path / SCORE) or {}
            match score:
                case {"settings": {"cells": cells, "images": images}, "ranking": {"kendall": dict()}}:
                    wanted = self.settings.score
                    return score if (cells, images) == (wanted.cells, wanted.images) else None
        return None

    # Work

    def run(self, folder: RunFolder, devices: Sequence[str], stop: Callable[[], bool]) -> bool:
        """Run the remaining work; return whether all is complete.

        `folder` is the comparison's run folder; `stop` is polled as in `run_jobs`.
        """
        folder.log.truncate(None)

        def write(path: Path) -> None:
            finished = self.finished(path)
            row = {
                "job": path.name,
                "architecture": finished.architecture,
                "accuracy": finished.accuracy,
                "seconds": self.seconds(path),
            }
            folder.log.append(COMPARE_LOG.encode([row]))

        searches, scores = [], []
        for number, seed, path in self.folders():
            if read_finished(path, is_search=True) is None:
                searches.append(self._search(number, seed, path))
            else:
                write(path)
            if self.scorer is not None and self.score(path) is None:
                scores.append(self._score(path))
        return (
            self._run("search", searches, devices, stop, lambda job: write(self.path / job.name))
            and self._run("score", scores, devices, stop, lambda job: None)
            and self._search_blackbox(stop)
        )

    def _run(
        self,
        title: str,
        jobs: list[Job],
        devices: Sequence[str],
        stop: Callable[[], bool],
        done: Callable[[Job], object],
    ) -> bool:
        if jobs:
            complain(f"{title}: {counted(len(jobs), 'job')} on {', '.join(devices)}")
        return run_jobs(jobs, devices, stop, done)

    def _search(self, number: int, seed: int, path: Path) -> Job:
        s = self.settings
        words = ["--space", s.space, "--dataset", s.dataset, "--seed", str(seed)]
        words += [*self.specs[number].words(self.common), *(["--smoke"] if s.smoke else [])]
        words = [*run_words(path, words), *self.environment.arguments(), "--json"]
        return Job(path.name, "oneshot.search", tuple(words), self.path / "output" / f"{path.name}.json")

    def _score(self, path: Path) -> Job:
        score, environment = self.settings.score, self.environment
        words = [
            str(path),
            "--cells",
            str(score.cells),
            "--images",
            str(score.images),
            "--no-blackbox",
            "--json",
        ]
        words += ["--folder", environment.folder] if environment.folder else []
        words += ["--store", environment.store] if environment.store else []
        name = f"{path.name}-score"
        return Job(name, "oneshot.score", tuple(words), self.path / "output" / f"{name}.json")

    # Black-box searches

    def blackbox(self, number: int, scorer: Scorer) -> BlackBox:
        """Return the results of the black-box searches at the cost of a method's searches."""
        bench, dataset = scorer.bench, scorer.dataset
        each, cost = evaluation_seconds(bench, dataset), self._cost(number)
        note = why_not(cost, each, bench, dataset)
        folders = [] if note else [self._blackbox_folder(number, name) for name in BLACKBOX]
        trials = tuple(read_trials(folder, bench, dataset, cost) for folder in folders)
        return BlackBox(cost, each and cost / each, trials, note)

    def _search_blackbox(self, stop: Callable[[], bool]) -> bool:
        """Run the remaining black-box searches; return whether all are complete."""
        if self.scorer is None:
            return True
        bench, dataset, settings = self.scorer.bench, self.scorer.dataset, self.settings
        each = evaluation_seconds(bench, dataset)
        for number in range(len(self.specs)):
            cost = self._cost(number)
            for name in BLACKBOX if why_not(cost, each, bench, dataset) is None else ():
                folder = self._blackbox_folder(number, name)
                if (folder / SUMMARY).exists():
                    continue
                if stop():
                    return False
                shutil.rmtree(folder, ignore_errors=True)  # left by a killed search
                search_blackbox(name, cost, bench, dataset, settings.trials, settings.seed, folder)
        return True

    def _cost(self, number: int) -> float:
        """Return the cost in seconds of the black-box searches that are compared with a method."""
        costs = [self.seconds(self.folder(number, seed)) for seed in self.seeds]
        return self.settings.cost or sum(costs) / len(costs)

    def _blackbox_folder(self, number: int, name: str) -> Path:
        # with the number of seeds, because the mean cost depends on it
        return self.path / f"{self.slug(number)}-{name}-{self.settings.seeds}"
