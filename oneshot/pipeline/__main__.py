"""Run several searches, compare their architectures by short training, and train the best from scratch."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from data.errors import DataError
from nasbench.errors import NASBenchError
from nasbench.runs.command import Command, Outcome, Parser, add_folder_flags, resume_text
from nasbench.runs.command import main as run
from nasbench.runs.folder import RunFolder, check_new
from nasbench.runs.log import read_log
from nasbench.runs.record import present
from oneshot.errors import FolderRemovedError, OneShotError
from oneshot.pipeline.plan import PIPELINE, PIPELINE_LOG, Pipeline
from oneshot.pipeline.report import collect_result, format_result
from oneshot.pipeline.settings import PipelineEnvironment, PipelineSettings
from oneshot.search.table import open_nb201
from oneshot.spaces.registry import get_space
from oneshot.training.checkpoints import refusing
from oneshot.training.command import shortened


@dataclass
class PipelineActivity:
    """A running pipeline and its folder."""

    #: jobs of the pipeline
    pipeline: Pipeline
    #: open run folder
    folder: RunFolder
    #: names of the devices
    devices: list[str]
    #: whether all jobs are complete
    is_complete: bool = False

    @property
    def path(self) -> Path:
        """The folder of all runs and the report."""
        return self.pipeline.path

    def run(self, stop: Callable[[], bool]) -> None:
        """Run the remaining jobs until all are complete or `stop()` is true."""

        def stops() -> bool:
            self.folder.log.check_in_place()
            return stop()

        try:
            self.is_complete = self.pipeline.run(self.folder, self.devices, stops)
        except FolderRemovedError:
            raise
        except (OneShotError, NASBenchError) as error:
            raise type(error)(f"{error}; {resume_text(PipelineCommand.prog, self.path)}") from None

    def finish(self, interrupted: bool) -> Outcome:
        """Save and return the report if all jobs are complete."""
        if not self.is_complete:
            return Outcome(False)
        result = collect_result(self.pipeline)
        summary = result.to_json()
        self.folder.write_summary(summary)
        seconds = sum(row["seconds"] for row in read_log(self.path, PIPELINE_LOG))
        return Outcome(True, format_result(result, seconds), summary)


class PipelineCommand(Command[PipelineActivity]):
    """Command that runs a pipeline."""

    prog = "python -m oneshot.pipeline"
    errors = (OneShotError, NASBenchError, DataError)
    keeps = "all runs and the report"
    patient = True

    def parser(self, argv: Sequence[str]) -> Parser:
        """Build the parser of all flags."""
        parser = Parser(
            prog=self.prog,
            allow_abbrev=False,
            description="Run several searches, train each architecture found briefly, and train the best one"
            " from scratch: the experiment of a paper as one command, which can be interrupted and resumed.",
        )
        PipelineSettings.add_flags(parser.add_argument_group("experiment"))
        PipelineEnvironment.add_flags(parser.add_argument_group("machine and data (may differ on resume)"))
        files = parser.add_argument_group("files")
        add_folder_flags(files, f"new folder for {self.keeps}", "pipeline to resume", required=True)
        return parser

    @contextmanager
    def open(self, args: argparse.Namespace) -> Iterator[PipelineActivity]:
        """Start or resume a pipeline."""
        given, environment = PipelineSettings.given(args), PipelineEnvironment.from_flags(args)
        devices = environment.device_names()
        if args.resume is None:
            if given.get("smoke"):
                given = shortened(given, {"dataset": "digits"})
            settings = PipelineSettings(**given)
            check_new(args.out, PIPELINE)
            if get_space(settings.space).in_benchmark:
                open_nb201(environment.store)  # raises its error before a folder exists
            record = {"pipeline": settings.to_json(), "store": environment.store, **present(torch)}
            opened = RunFolder.create(args.out, PIPELINE, record)
        else:
            opened = RunFolder.resume(args.resume, PIPELINE)
        with opened as folder:
            settings, store = parse_record(folder.record, folder.path)
            if args.resume is not None:
                settings.resumed(given, PipelineEnvironment)
            pipeline = Pipeline(folder.path, settings, replace(environment, store=environment.store or store))
            yield PipelineActivity(pipeline, folder, devices)


def parse_record(record: dict[str, Any], path: str | Path) -> tuple[PipelineSettings, str | None]:
    """Return the settings in a pipeline's config.json, and the path of its store, or None."""
    with refusing(f"{path}/config.json is damaged, of another version or not of a pipeline"):
        settings = PipelineSettings.from_json(record["pipeline"], "pipeline", complete=True)
        return settings, PipelineEnvironment(store=record.get("store")).store


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return run(PipelineCommand(), argv)


if __name__ == "__main__":
    sys.exit(main())
