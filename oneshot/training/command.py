"""Base class of commands that train, in one process or in several started by torchrun."""

import argparse
import os
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Generic, TypeVar

from data.errors import DataError
from nasbench.errors import NASBenchError
from nasbench.runs.command import Command, Outcome, Parser, add_folder_flags, carry_out, guarded
from nasbench.runs.notes import complain
from nasbench.runs.settings import format_flag, listed
from nasbench.runs.text import counted
from oneshot.errors import OneShotError
from oneshot.training.distributed import joined
from oneshot.training.environment import Environment
from oneshot.training.session import TrainingResult, TrainingSession

_R = TypeVar("_R", bound=TrainingResult)


@dataclass
class TrainingActivity(Generic[_R]):
    """A training session that a command runs."""

    #: the session
    session: TrainingSession[Any, _R]
    #: formats a result as text, given the number of processes
    format: Callable[[_R, int], str]
    #: handles further requests, and returns lines for stderr
    remark: Callable[[_R], Iterable[str]]

    @property
    def path(self) -> Path | None:
        """Folder of the run; None if it is not saved."""
        return self.session.path

    def run(self, stop: Callable[[], bool]) -> None:
        """Print the notes of the job, and train."""
        for note in self.session.job.notes:
            complain(f"note: {note}")
        self.session.train(stop, progress=True)

    def finish(self, interrupted: bool) -> Outcome:
        """Conclude the training, unless it was interrupted, and return the report."""
        result = self.session.finish(conclude=not interrupted, progress=True)
        group, trainer = self.session.task.group, self.session.trainer
        if not group.is_main:
            return Outcome(result.complete)
        steps = f" and {counted(trainer.batch, 'step')}" if trainer.batch else ""
        return Outcome(
            result.complete,
            self.format(result, group.size),
            result.to_json(),
            f"{trainer.epoch:,} of {trainer.task.epochs:,} epochs{steps}",
            result.pictures,
            [*self.remark(result)],
        )


class TrainingCommand(Command[TrainingActivity[_R]]):
    """A command that trains."""

    errors = (OneShotError, NASBenchError, DataError)

    @abstractmethod
    def parser(self, argv: Sequence[str]) -> Parser:
        """Build the parser of all flags."""

    def check(self, parser: Parser, args: argparse.Namespace) -> None:
        """Exit with an error of the parser if flags contradict each other."""

    def add_run_flags(self, parser: Parser, smoke: Mapping[str, object]) -> argparse._ArgumentGroup:
        """Add the flags of machine, folder and output; `smoke` are the settings of `--smoke`."""
        Environment.add_flags(parser.add_argument_group("machine and data (may differ on resume)"))
        files = parser.add_argument_group("files")
        add_folder_flags(files, f"new folder for {self.keeps}")
        files.add_argument(
            "--tensorboard", action="store_true", help="also write a TensorBoard log to the folder"
        )
        settings = ", ".join(f"{name} {value}" for name, value in smoke.items())
        files.add_argument(
            "--smoke", action="store_true", help=f"quick trial of all steps in seconds: {settings}"
        )
        return files


def shortened(given: Mapping[str, Any], smoke: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of `--smoke` and the other given ones; name the given ones that they override."""
    flags = [format_flag(name) for name, value in smoke.items() if given.get(name, value) != value]
    if flags:
        complain(f"note: --smoke overrides {listed(flags)}")
    return {**given, **smoke}


def main(command: TrainingCommand[_R], argv: Sequence[str] | None = None) -> int:
    """Run a command that trains, in the only process or one of several; return its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    with ExitStack() as stack:
        if int(os.environ.get("RANK", "0")):  # the main process prints help and errors
            stack.enter_context(_silence())
        parser = command.parser(argv)
        args = parser.parse_args(argv)
        command.check(parser, args)
    with ExitStack() as stack:
        try:
            group = stack.enter_context(joined())
        except (RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            complain(f"{command.prog}: error: cannot join the other processes: {reason}")
            return 2
        if group.is_main:
            return guarded(lambda output: carry_out(command, args, output), command.prog, command.errors)
        name = f"{command.prog} (process {group.rank} of {group.size})"
        return guarded(lambda _: _follow(command, args), name, ())


def _follow(command: TrainingCommand[_R], args: argparse.Namespace) -> int:
    """Do the same as the main process, but silently."""
    try:
        with _silence():
            return carry_out(command, args, [])
    except command.errors:  # the main process raises and reports it, too
        return 2


@contextmanager
def _silence() -> Iterator[None]:
    with redirect_stderr(StringIO()), redirect_stdout(StringIO()):
        yield
