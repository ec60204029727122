"""Score networks by zero-cost proxies: `python -m oneshot.proxies --out runs/proxies`."""

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from data.errors import DataError
from nasbench.errors import NASBenchError
from nasbench.runs.command import Command, Parser, add_folder_flags
from nasbench.runs.command import main as run
from oneshot.errors import OneShotError
from oneshot.proxies.session import ProxyRun
from oneshot.proxies.settings import ProxyEnvironment, ProxySettings


class ProxyCommand(Command[ProxyRun]):
    """The command that scores networks by zero-cost proxies."""

    prog = "python -m oneshot.proxies"
    errors = (OneShotError, NASBenchError, DataError)
    keeps = "settings, log, the table of scores and the evaluation"

    def parser(self, argv: Sequence[str]) -> Parser:
        """Return the parser of all flags."""
        parser = Parser(
            prog=self.prog,
            description="Score networks by zero-cost proxies, without training, and compare the scores with"
            " the accuracies in the benchmark. python -m nasbench build can read the table of scores.",
        )
        ProxySettings.add_flags(parser)
        ProxyEnvironment.add_flags(parser.add_argument_group("may differ when a run is resumed"))
        add_folder_flags(
            parser.add_argument_group("files"),
            "a new folder for settings, log, table and evaluation",
            required=True,
        )
        return parser

    @contextmanager
    def open(self, args: argparse.Namespace) -> Iterator[ProxyRun]:
        """Start or resume a run."""
        if args.resume is not None:
            activity = ProxyRun.resume(args.resume, ProxySettings.given(args), ProxyEnvironment.given(args))
        else:
            activity = ProxyRun.create(
                args.out, ProxySettings.from_flags(args), ProxyEnvironment.from_flags(args)
            )
        with activity.folder:
            try:
                yield activity
            except Exception:
                if args.resume is None and not activity.has_scores:
                    shutil.rmtree(activity.path)  # so that the corrected command can use it
                raise


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return run(ProxyCommand(), argv)


if __name__ == "__main__":
    sys.exit(main())
