"""Search by gradient with one supernet: `python -m oneshot.search`."""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from nasbench.errors import NASBenchError
from nasbench.runs.command import ListFormatter, Parser
from nasbench.runs.folder import read_record
from oneshot.errors import ConfigError, OneShotError
from oneshot.methods.base import MetaOptimizer
from oneshot.methods.published import PUBLISHED_METHODS
from oneshot.methods.recipes import recipe_table
from oneshot.methods.registry import METHODS, get_method
from oneshot.parts.registry import part_classes
from oneshot.search.record import SEARCH
from oneshot.search.report import SearchResult, format_result
from oneshot.search.session import SearchSession
from oneshot.search.settings import (
    SMOKE,
    SMOKE_CONFIG,
    SMOKE_PARTS,
    SearchSettings,
    build_config,
    build_part_settings,
)
from oneshot.search.task import SearchJob
from oneshot.training.command import TrainingActivity, TrainingCommand, shortened
from oneshot.training.command import main as run
from oneshot.training.distributed import leave
from oneshot.training.environment import Environment
from oneshot.training.images import SMALL


class SearchCommand(TrainingCommand[SearchResult]):
    """Command that searches and reports the architecture found."""

    prog = "python -m oneshot.search"
    keeps = "settings, log, checkpoint, summary and pictures"

    def parser(self, argv: Sequence[str]) -> Parser:
        """Build the parser of all flags, including the method's flags."""
        method = self._method(argv)
        parser = Parser(
            prog=self.prog,
            allow_abbrev=False,
            formatter_class=ListFormatter,
            description="Search a space of architectures by gradient with one supernet, and score the"
            " architecture found by the published table. Without options: DARTS on scikit-learn's digits,"
            " which need no download. To use N processes with a GPU each:"
            " torchrun --nproc-per-node N -m oneshot.search ...",
            epilog=f"These are the options of {method.name}; --method NAME --help shows another method's"
            f" ({', '.join([*METHODS, *PUBLISHED_METHODS])}).\n"
            f"On {' and '.join(SMALL)}, networks are smaller and images are not augmented.\n\n"
            f"{recipe_table()}",
        )
        SearchSettings.add_flags(parser.add_argument_group("search"))
        method.config_class.add_flags(parser.add_argument_group(method.name))
        parts = parser.add_argument_group("parts, which can be added to any method that they support")
        for part in part_classes():
            part.config_class.add_flags(parts)
        self.add_run_flags(parser, SMOKE | SMOKE_CONFIG | {"parts over several epochs": "off"})
        parser.set_defaults(method_class=method)
        return parser

    def _method(self, argv: Sequence[str]) -> type[MetaOptimizer[Any]]:  # Any: its settings
        """Return the method whose options to offer: as given, else the resumed run's, else DARTS."""
        parser = Parser(prog=self.prog, allow_abbrev=False, add_help=False)
        parser.add_argument("--method")
        parser.add_argument("--resume")
        args, _ = parser.parse_known_args(argv)
        if args.method is None and args.resume is not None:
            try:
                return get_method(read_record(args.resume, SEARCH)["search"]["method"])
            except (NASBenchError, OneShotError, LookupError, TypeError):  # reported when the run is opened
                pass
        try:
            return get_method(args.method or SearchSettings.method)
        except ConfigError as error:
            return parser.error(str(error))

    @contextmanager
    def open(self, args: argparse.Namespace) -> Iterator[TrainingActivity[SearchResult]]:
        """Start or resume a search."""
        config, settings = args.method_class.config_class.given(args), SearchSettings.given(args)
        parts = {k: v for part in part_classes() for k, v in part.config_class.given(args).items()}
        if args.smoke:
            settings = shortened(settings, SMOKE)
            config = shortened(config, SMOKE_CONFIG)
            parts = shortened(parts, SMOKE_PARTS)
        new = SearchSettings(**settings)
        if args.resume is None:
            job = partial(
                SearchJob.create,
                new,
                build_config(new, **config),
                Environment.from_flags(args),
                parts=build_part_settings(new, **parts),
            )
            opened = SearchSession.begin(job, args.out, tensorboard=args.tensorboard)
        else:
            settings = {name: getattr(new, name) for name in settings}  # normalized, as in the record
            environment = Environment.given(args)
            recorded = {"settings": settings, "config": config, "parts": parts}
            job = partial(SearchJob.resume, environment=environment, **recorded)
            opened = SearchSession.resume(job, args.resume, tensorboard=args.tensorboard)
        with opened as session:
            yield TrainingActivity(session, format_result, _remark)


def _remark(result: SearchResult) -> Iterable[str]:
    """Yield why there are no pictures, and a warning if the search may have collapsed."""
    if result.note is not None:
        yield result.note
    if result.warning is not None:
        yield f"warning: {result.warning}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return run(SearchCommand(), argv)


if __name__ == "__main__":
    leave(main())
