"""The command of all searches by gradient: python -m oneshot.search."""

import argparse
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields

from nasbench.errors import NASBenchError
from nasbench.runs.command import ListFormatter, Parser
from nasbench.runs.settings import add_flags, given
from oneshot.errors import ConfigError, OneShotError
from oneshot.methods.base import MetaOptimizer
from oneshot.methods.recipes import recipe_table
from oneshot.methods.registry import METHODS, method_of
from oneshot.search.record import SEARCH
from oneshot.search.report import SearchResult, format_result
from oneshot.search.session import SearchSession, begin_search, resume_search
from oneshot.search.settings import SMOKE, SMOKE_CONFIG, SearchSettings, build_config
from oneshot.training.command import TrainingCommand
from oneshot.training.distributed import ProcessGroup, leave
from oneshot.training.environment import Environment
from oneshot.training.folder import read_config
from oneshot.training.images import SMALL


class SearchCommand(TrainingCommand[SearchResult]):
    """Searches, and reports the architecture found."""

    prog = "python -m oneshot.search"
    kept = "settings, log, checkpoint, summary and pictures"

    def parse(self, argv: Sequence[str] | None) -> argparse.Namespace:
        """Return the arguments, among them the `method_class` whose options they may be."""
        method = self._method(argv)
        parser = Parser(
            prog=self.prog,
            allow_abbrev=False,
            description="Search a space of architectures by gradient with one supernet, and score what is"
            " found by the published table. Without options: DARTS on scikit-learn's digits, which need no"
            " download. Several processes, on a GPU each: torchrun --nproc-per-node N -m oneshot.search ...",
            epilog=f"The options of {method.name} are shown; --method NAME --help shows another's"
            f" ({', '.join(METHODS)}).\nOn {' and '.join(SMALL)}, networks are smaller and images not"
            f" augmented.\n\n{recipe_table()}",
        )
        parser.formatter_class = ListFormatter
        add_flags(parser.add_argument_group("search"), SearchSettings)
        add_flags(parser.add_argument_group(method.name), method.config_class)
        self.add_environment(parser)
        self.add_files(parser, SMOKE | SMOKE_CONFIG)
        return parser.parse_args(argv, argparse.Namespace(method_class=method))

    def _method(self, argv: Sequence[str] | None) -> type[MetaOptimizer]:
        """Return the method whose options there are: the one named, else the resumed run's, else DARTS."""
        parser = Parser(prog=self.prog, allow_abbrev=False, add_help=False)
        parser.add_argument("--method")
        parser.add_argument("--resume")
        args, _ = parser.parse_known_args(argv)
        if args.method is None and args.resume is not None:
            try:
                return method_of(read_config(args.resume, SEARCH)["search"]["method"])
            except (NASBenchError, OneShotError, LookupError, TypeError):  # said when the run is to go on
                pass
        try:
            return method_of(args.method or SearchSettings.method)
        except ConfigError as error:
            return parser.error(error)

    def open(self, args: argparse.Namespace) -> AbstractContextManager[SearchSession]:
        """Begin or resume a search."""
        config, settings = given(args, args.method_class.config_class), given(args, SearchSettings)
        environment = given(args, Environment)
        if args.smoke:
            settings |= SMOKE
            config |= SMOKE_CONFIG
        if args.resume is None:
            new = SearchSettings(**settings)
            return begin_search(
                new,
                build_config(new, **config),
                args.out,
                environment=Environment(**environment),
                tensorboard=args.tensorboard,
            )
        if "dataset" in settings or "split_list" in settings:  # as they are recorded
            named = SearchSettings(**settings)
            settings |= {f.name: getattr(named, f.name) for f in fields(named) if f.name in settings}
        return resume_search(
            args.resume,
            environment=environment,
            settings=settings,
            config=config,
            tensorboard=args.tensorboard,
        )

    def format(self, result: SearchResult, group: ProcessGroup) -> str:
        """Return a result as text for people."""
        return format_result(result, group.size)

    def remarks(
        self, args: argparse.Namespace, session: SearchSession, result: SearchResult
    ) -> Iterable[str]:
        """Yield why there are no pictures, and a warning about the architecture."""
        if result.note is not None:
            yield result.note
        if result.warning is not None:
            yield f"warning: {result.warning}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return SearchCommand().run(argv)


if __name__ == "__main__":
    leave(main())
