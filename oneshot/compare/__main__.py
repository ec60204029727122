"""Compare methods: `python -m oneshot.compare darts gdas --seeds 4 --dataset cifar10 --out runs/methods`."""

import argparse
import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from data.errors import DataError
from nasbench.errors import NASBenchError
from nasbench.runs.command import Command, ListFormatter, Outcome, Parser, add_folder_flags, resume_text
from nasbench.runs.command import main as run
from nasbench.runs.folder import RunFolder, check_new
from nasbench.runs.record import present
from nasbench.runs.settings import Settings
from oneshot.compare.pictures import draw_all
from oneshot.compare.result import CompareResult, collect_result
from oneshot.compare.settings import CompareSettings
from oneshot.compare.spec import SHARED, MethodSpec
from oneshot.compare.study import COMPARE, Study
from oneshot.compare.text import format_result
from oneshot.errors import ConfigError, FolderRemovedError, MissingDependencyError, OneShotError
from oneshot.methods.config import AlphaConfig
from oneshot.methods.published import PUBLISHED_METHODS
from oneshot.methods.registry import METHODS
from oneshot.parts.registry import part_classes
from oneshot.pipeline.settings import PipelineEnvironment
from oneshot.search.settings import SearchSettings
from oneshot.search.table import open_nb201
from oneshot.spaces.registry import get_space
from oneshot.training.checkpoints import refusing
from oneshot.training.command import shortened

_PROG = "python -m oneshot.compare"


@dataclass
class CompareActivity:
    """A running comparison and its folder."""

    #: searches of the comparison
    study: Study
    #: open run folder
    folder: RunFolder
    #: names of the devices
    devices: list[str]
    #: whether all work is complete
    is_complete: bool = False

    @property
    def path(self) -> Path:
        """The folder of all runs and the report."""
        return self.study.path

    def run(self, stop: Callable[[], bool]) -> None:
        """Run the remaining work until all is complete or `stop()` is true."""

        def stops() -> bool:
            self.folder.log.check_in_place()
            return stop()

        try:
            self.is_complete = self.study.run(self.folder, self.devices, stops)
        except FolderRemovedError:
            raise
        except (OneShotError, NASBenchError) as error:
            raise type(error)(f"{error}; {resume_text(_PROG, self.path)}") from None

    def finish(self, interrupted: bool) -> Outcome:
        """Draw, save and return the report if all work is complete."""
        if not self.is_complete:
            return Outcome(False)
        result = self._draw(collect_result(self.study))
        summary = result.to_json()
        self.folder.write_summary(summary)
        notes = [] if result.note is None else [result.note]
        return Outcome(True, format_result(result), summary, pictures=result.pictures, notes=notes)

    def _draw(self, result: CompareResult) -> CompareResult:
        """Draw the pictures; return the result with their names."""
        try:
            figures = draw_all(self.study, result)
        except MissingDependencyError as error:
            return replace(result, note=f"no pictures: {error}")
        for name, figure in figures.items():
            data = io.BytesIO()
            figure.savefig(data, format="png", dpi=150)
            self.folder.write_bytes(name, data.getbuffer())
        return replace(result, pictures=tuple(sorted(figures)))


class CompareCommand(Command[CompareActivity]):
    """Command that compares methods."""

    prog = _PROG
    errors = (OneShotError, NASBenchError, DataError)
    keeps = "all runs, the table and pictures"
    patient = True

    def parser(self, argv: Sequence[str]) -> Parser:
        """Build the parser of all flags."""
        parser = Parser(
            prog=self.prog,
            allow_abbrev=False,
            formatter_class=ListFormatter,
            description="Search with several methods and several seeds each, and print tables as in papers:"
            " cells, accuracies, ranks, costs, collapsed searches, rank correlations, pairwise tests, and"
            " black-box search at equal cost.",
        )
        parser.add_argument(
            "methods",
            nargs="*",
            metavar="METHOD",
            help=f"{', '.join([*METHODS, *PUBLISHED_METHODS])}, or MODULE:CLASS; settings of one method are"
            " given as in darts:epochs=10,order=2",
        )
        CompareSettings.add_flags(parser.add_argument_group("comparison"))
        common = parser.add_argument_group("settings of all methods that have them")
        for kind in _common_classes():
            kind.add_flags(common, leave_out=SHARED)
        PipelineEnvironment.add_flags(parser.add_argument_group("machine and data (may differ on resume)"))
        files = parser.add_argument_group("files")
        add_folder_flags(files, f"new folder for {self.keeps}", "comparison to resume", required=True)
        return parser

    @contextmanager
    def open(self, args: argparse.Namespace) -> Iterator[CompareActivity]:
        """Start or resume a comparison."""
        given, environment = CompareSettings.given(args), PipelineEnvironment.from_flags(args)
        common = {k: v for kind in _common_classes() for k, v in kind.given(args).items() if k not in SHARED}
        devices = environment.device_names()
        specs = _parse_specs(args.methods)
        if args.resume is None:
            if given.get("smoke"):
                given = shortened(given, {"dataset": "digits"})
            settings = CompareSettings(**given)
            if not specs:
                raise ConfigError(f"a comparison needs at least one method; try {_PROG} darts gdas")
            check_new(args.out, COMPARE)
            for spec in specs:
                spec.check(settings.space, settings.dataset, common, settings.smoke)
            if get_space(settings.space).in_benchmark:
                open_nb201(environment.store)  # raises its error before a folder exists
            record = {
                "compare": settings.to_json(),
                "methods": [spec.label for spec in specs],
                "common": common,
                "store": environment.store,
                **present(torch),
            }
            opened = RunFolder.create(args.out, COMPARE, record)
        else:
            opened = RunFolder.resume(args.resume, COMPARE)
        with opened as folder:
            study = parse_record(folder.record, folder.path, environment)
            if args.resume is not None:
                study = _resumed(study, given, specs, common)
                folder.write_record(folder.record | {"compare": study.settings.to_json()})
            yield CompareActivity(study, folder, devices)


def _common_classes() -> list[type[Settings]]:
    """Return the classes of settings that can be given for all methods at once."""
    return [SearchSettings, AlphaConfig, *(part.config_class for part in part_classes())]


def _parse_specs(texts: Sequence[str]) -> tuple[MethodSpec, ...]:
    specs = tuple(map(MethodSpec.parse, texts))
    labels = [spec.label for spec in specs]
    for label in labels:
        if labels.count(label) > 1:
            raise ConfigError(f"{label} is listed twice; give one of them different settings")
    return specs


def parse_record(record: Mapping[str, Any], path: Path, environment: PipelineEnvironment) -> Study:
    """Return the study in a comparison's config.json."""
    with refusing(f"{path}/config.json is damaged, of another version or not of a comparison of methods"):
        settings = CompareSettings.from_json(record["compare"], "compare", complete=True)
        store = PipelineEnvironment(store=record.get("store")).store
        specs = _parse_specs(record["methods"])
        environment = replace(environment, store=environment.store or store)
        return Study(path, settings, specs, dict(record["common"]), environment)


def _resumed(
    study: Study, given: Mapping[str, Any], specs: tuple[MethodSpec, ...], common: Mapping[str, Any]
) -> Study:
    """Return the study, perhaps with more seeds; raise a ConfigError if anything else differs."""
    if specs and specs != study.specs:
        raise ConfigError(
            f"the methods differ from the comparison's, {' '.join(spec.label for spec in study.specs)};"
            f" omit them to resume {study.path}, or start another comparison with --out"
        )
    for name, value in common.items():
        if name not in study.common or study.common[name] != value:
            raise ConfigError(
                f"{name}={value} differs from the comparison's value; start another one with --out"
            )
    return replace(study, settings=study.settings.resumed(given, PipelineEnvironment))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return run(CompareCommand(), argv)


if __name__ == "__main__":
    sys.exit(main())
