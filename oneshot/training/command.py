"""The command of a training: one process, or several that torchrun starts, of which the main one reports."""

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
from nasbench.runs.text import counted
from oneshot.errors import OneShotError
from oneshot.training.distributed import joined
from oneshot.training.environment import Environment
from oneshot.training.session import TrainingResult, TrainingSession

_R = TypeVar("_R", bound=TrainingResult)


@dataclass
class TrainingActivity(Generic[_R]):
    """A session as a command carries it out."""

    session: TrainingSession[Any, _R]
    #: Returns a result as text for people, given the number of processes.
    format: Callable[[_R, int], str]
    #: Does what else was asked for; returns lines for stderr.
    remark: Callable[[_R], Iterable[str]]

    @property
    def path(self) -> Path | None:
        """The run's folder; None if it is not saved."""
        return self.session.path

    def run(self, stop: Callable[[], bool]) -> None:
        """Say what is not as it would be by default, and train."""
        for note in self.session.job.notes:
            complain(f"note: {note}")
        self.session.train(stop, progress=True)

    def finish(self, interrupted: bool) -> Outcome:
        """Conclude, unless the training was interrupted, and report."""
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
        """Exit with an error of the parser if the flags do not belong together."""

    def add_run_flags(self, parser: Parser, smoke: Mapping[str, object]) -> argparse._ArgumentGroup:
        """Add the flags of machine, folder and output; `smoke`: the settings of `--smoke`."""
        Environment.add_flags(parser.add_argument_group("machine and data (may differ when a run goes on)"))
        files = parser.add_argument_group("files")
        add_folder_flags(files, f"a new folder for {self.keeps}")
        files.add_argument(
            "--tensorboard", action="store_true", help="write the log for TensorBoard too, in the folder"
        )
        settings = ", ".join(f"{name} {value}" for name, value in smoke.items())
        files.add_argument(
            "--smoke", action="store_true", help=f"a trial of the whole way in seconds: {settings}"
        )
        return files


def main(command: TrainingCommand[_R], argv: Sequence[str] | None = None) -> int:
    """Carry out a command that trains, alone or in one of several processes; return its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    with ExitStack() as stack:
        if int(os.environ.get("RANK", "0")):  # the main process says it
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
    """Do as the main process does, but silently."""
    try:
        with _silence():
            return carry_out(command, args, [])
    except command.errors:  # the main process has the same, or said by this one
        return 2


@contextmanager
def _silence() -> Iterator[None]:
    with redirect_stderr(StringIO()), redirect_stdout(StringIO()):
        yield
