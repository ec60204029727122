"""The command of a training: its flags for folder and machine, its processes, and its end."""

import argparse
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any, ClassVar, Generic, TypeVar

from data.errors import DataError
from nasbench.errors import NASBenchError
from nasbench.runs.command import INTERRUPTED, HeldInterrupt, Parser, call, complain, print_json
from nasbench.runs.files import quoted
from nasbench.runs.settings import add_flags
from oneshot.errors import OneShotError
from oneshot.training.distributed import ProcessGroup, joined
from oneshot.training.environment import Environment
from oneshot.training.session import TrainingResult, TrainingSession

_ERRORS = (OneShotError, NASBenchError, DataError)
_R = TypeVar("_R", bound=TrainingResult)


class TrainingCommand(ABC, Generic[_R]):
    """A command that trains, in one process or in several that torchrun starts; the main one prints."""

    prog: ClassVar[str]
    kept: ClassVar[str]  # what a folder keeps

    @abstractmethod
    def parse(self, argv: Sequence[str] | None) -> argparse.Namespace:
        """Return the arguments, or exit."""

    @abstractmethod
    def open(self, args: argparse.Namespace) -> AbstractContextManager[TrainingSession[Any, _R]]:
        """Begin or resume the training that was asked for."""

    @abstractmethod
    def format(self, result: _R, group: ProcessGroup) -> str:
        """Return a result as text for people."""

    @abstractmethod
    def remarks(
        self, args: argparse.Namespace, session: TrainingSession[Any, _R], result: _R
    ) -> Iterable[str]:
        """Do what else was asked for; yield lines for stderr."""

    def run(self, argv: Sequence[str] | None = None) -> int:
        """Run the command line; return the exit code."""
        with ExitStack() as quiet:
            if int(os.environ.get("RANK", "0")):  # the main process says it
                quiet.enter_context(redirect_stderr(StringIO()))
                quiet.enter_context(redirect_stdout(StringIO()))
            args = self.parse(argv)
        with ExitStack() as stack:
            try:
                group = stack.enter_context(joined())
            except (RuntimeError, ValueError) as error:
                reason = str(error).splitlines()[0]
                complain(f"{self.prog}: error: cannot join the other processes: {reason}")
                return 2
            if group.is_main:
                return call(lambda: self._train(args, group), self.prog, _ERRORS)
            name = f"{self.prog} (process {group.rank} of {group.size})"
            return call(lambda: self._follow(args, group), name, ())

    def _follow(self, args: argparse.Namespace, group: ProcessGroup) -> int:
        """Do as the main process does, but silently."""
        try:
            with redirect_stdout(StringIO()):
                return self._train(args, group)
        except KeyboardInterrupt:
            return INTERRUPTED
        except _ERRORS:  # the main process has the same, or said by this one
            return 2

    def _train(self, args: argparse.Namespace, group: ProcessGroup) -> int:
        with self.open(args) as session:
            if group.is_main:
                for note in session.job.notes:
                    complain(f"note: {note}")
            try:
                with HeldInterrupt() as interrupt:
                    session.train(lambda: interrupt.came, progress=True)
                result = session.finish(conclude=not interrupt.came, progress=True)
            except KeyboardInterrupt:  # a second one, or one after the last epoch; what was saved is whole
                if group.is_main:
                    complain(f"interrupted{self._how_to_go_on(session)}")
                return INTERRUPTED
            if group.is_main:
                self._report(args, session, result, group)
        return 0 if result.complete else INTERRUPTED

    def _report(
        self,
        args: argparse.Namespace,
        session: TrainingSession[Any, _R],
        result: _R,
        group: ProcessGroup,
    ) -> None:
        if args.json:
            print_json(result.to_json())
        else:
            drawn = f", with {', '.join(result.pictures)}" if result.pictures else ""
            saved = f"saved in {session.path}{drawn}"
            if session.path is None:
                saved = f"not saved; --out FOLDER keeps {self.kept}"
            print(f"{self.format(result, group)}\n\n{saved}")
        for line in self.remarks(args, session, result):
            complain(line)
        if not result.complete:
            trainer = session.trainer
            steps = f" and {trainer.batch:,} step{'s' * (trainer.batch != 1)}" if trainer.batch else ""
            complain(
                f"interrupted after {trainer.epoch:,} of {trainer.task.epochs:,} epochs{steps}"
                f"{self._how_to_go_on(session)}"
            )

    def _how_to_go_on(self, session: TrainingSession[Any, _R]) -> str:
        if session.path is None:
            return "; not saved"
        return f"; go on with: {self.prog} --resume {quoted(session.path)}"

    def add_environment(self, parser: Parser) -> None:
        """Add the flags of the environment."""
        add_flags(parser.add_argument_group("machine and data (may differ when a run goes on)"), Environment)

    def add_files(self, parser: Parser, smoke: Mapping[str, object]) -> argparse._ArgumentGroup:
        """Add the flags of the folder and the output, and `--smoke` with its settings."""
        files = parser.add_argument_group("files")
        where = files.add_mutually_exclusive_group()
        where.add_argument("--out", metavar="FOLDER", help=f"a new folder for {self.kept}")
        where.add_argument(
            "--resume", metavar="FOLDER", help="go on with a run, to the end that it would have had"
        )
        files.add_argument(
            "--tensorboard", action="store_true", help="write the log for TensorBoard too, in the folder"
        )
        files.add_argument("--json", action="store_true", help="print the summary as JSON")
        files.add_argument(
            "--smoke",
            action="store_true",
            help="a trial of the whole way in seconds:"
            f" {', '.join(f'{name} {value}' for name, value in smoke.items())}",
        )
        return files
