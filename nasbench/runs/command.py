"""Every command: flags, one run or one answer, output once at the end, errors in one line, exit codes."""

from __future__ import annotations

import argparse
import io
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, NoReturn, Protocol, TypeVar

from nasbench.errors import printable
from nasbench.runs.files import quoted, to_json
from nasbench.runs.interrupts import HeldInterrupt, ignoring_interrupts
from nasbench.runs.notes import complain

INTERRUPTED = 130
_LONGEST = 200  # characters of a library's message
_NO_MEMORY = {  # messages of torch and NumPy that raise no MemoryError
    RuntimeError: (
        "out of memory",
        "can't allocate memory",
        "DefaultCPUAllocator",
        "not enough memory",
        "Storage size calculation overflowed",
        "integer multiplication overflow",
    ),
    ValueError: ("array is too big", "Maximum allowed dimension exceeded"),
}
Errors = type[Exception] | tuple[type[Exception], ...]


# Flags


class _Formatter(argparse.HelpFormatter):
    """Help as wide as the terminal; asked here because argparse loads compression libraries to ask."""

    def __init__(self, prog: str) -> None:
        width = 0
        with suppress(AttributeError, ValueError, OSError):
            width = os.get_terminal_size(sys.__stdout__.fileno()).columns  # type: ignore[union-attr]  # suppressed
        super().__init__(prog, width=(int(os.environ.get("COLUMNS", "0") or 0) or width or 80) - 2)


class ListFormatter(_Formatter, argparse.RawDescriptionHelpFormatter):
    """Help that keeps the lines of its epilog."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line on stderr and exit code 2."""

    def __init__(self, **options: Any) -> None:  # those of argparse.ArgumentParser
        super().__init__(**{"formatter_class": _Formatter} | options)

    def error(self, message: str) -> NoReturn:
        self.exit(2, printable(f"{self.prog}: error: {message} (--help says more)") + "\n")


def add_folder_flags(
    parser: argparse._ActionsContainer,
    out: str,
    resume: str = "folder of a run to resume",
    *,
    required: bool = False,
) -> None:
    """Add `--out`, `--resume` and `--json`, the flags of a command that makes a run.

    `out`, `resume`: their help; `required`: whether one of them must be given.
    """
    where = parser.add_mutually_exclusive_group(required=required)
    where.add_argument("--out", metavar="FOLDER", help=out)
    where.add_argument("--resume", metavar="FOLDER", help=resume)
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


class Subcommand(NamedTuple):
    """One of several commands that a program has, with its own flags."""

    add_flags: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], str]  # what it prints
    short: str  # in the list of commands
    description: str


# A run


@dataclass(frozen=True)
class Outcome:
    """What a run gave when it ended or was interrupted."""

    #: whether the run came to its end
    complete: bool
    #: the summary for people; empty if an interrupted run has none
    text: str = ""
    #: the same as plain values, for --json
    summary: object = None
    #: how much an interrupted run has done, such as `5 evaluations`
    done: str = ""
    #: pictures that were drawn in its folder
    pictures: Sequence[str] = ()
    #: lines for stderr
    notes: Sequence[str] = ()


class Activity(Protocol):
    """A run that a command has begun or resumed; all is saved and closed at the end of its `with`."""

    @property
    def path(self) -> Path | None:
        """The run's folder; None if it is not saved."""

    def run(self, stop: Callable[[], bool]) -> None:
        """Work until all is done or `stop()` is true; then save what was reached."""

    def finish(self, interrupted: bool) -> Outcome:
        """Evaluate, save the summary, and return it."""


A = TypeVar("A", bound=Activity)


class Command(ABC, Generic[A]):
    """A command that makes one run, which can be interrupted and resumed; `main` carries it out."""

    #: the command as one types it, such as `python -m blackbox.re`
    prog: str
    #: exceptions that are errors of the user or of the machine: one line, exit code 2
    errors: Errors
    #: what `--out` keeps, as in `settings, log and summary`
    keeps: str
    #: what an interrupted run that is not saved says
    unsaved: str = "; not saved"
    #: whether a second Ctrl-C is deferred, too
    patient: bool = False

    @abstractmethod
    def parser(self, argv: Sequence[str]) -> argparse.ArgumentParser:
        """Build the parser of all flags, with `out`, `resume` and `json`."""

    @abstractmethod
    def open(self, args: argparse.Namespace) -> AbstractContextManager[A]:
        """Begin a run, or resume one, in a `with`."""

    def afterwards(self, args: argparse.Namespace, activity: A, outcome: Outcome) -> str:
        """Do what flags ask for once the run is reported, such as a picture; return what to say of it."""
        return ""


def main(command: Command[A], argv: Sequence[str] | None = None) -> int:
    """Carry out a command that makes a run; return its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    args = command.parser(argv).parse_args(argv)
    return guarded(lambda output: carry_out(command, args, output), command.prog, command.errors)


def carry_out(command: Command[A], args: argparse.Namespace, output: list[str]) -> int:
    """Make a command's run, append its report to `output`, and return the exit code."""
    with command.open(args) as activity:
        path = activity.path
        advice = command.unsaved if path is None else f"; {resume_text(command.prog, path)}"
        try:
            with HeldInterrupt(command.patient) as interrupt:
                activity.run(lambda: interrupt.came)
            outcome = activity.finish(interrupt.came)
        except KeyboardInterrupt:  # a second one, or one after the run; what was saved is complete
            complain(f"interrupted{advice}")
            return INTERRUPTED
        if args.json and outcome.summary is not None:
            output.append(to_json(outcome.summary) + "\n")
        elif outcome.text:
            output.append(f"{outcome.text}\n\n{_saved_text(command, path, outcome)}\n")
        for note in outcome.notes:
            complain(note)
        if not outcome.complete:
            done = f" after {outcome.done}" if outcome.done else ""
            complain(f"interrupted{done}{advice}")
        more = command.afterwards(args, activity, outcome)
        if more and not args.json:
            output.append(more + "\n")
    return 0 if outcome.complete else INTERRUPTED


def _saved_text(command: Command[A], path: Path | None, outcome: Outcome) -> str:
    if path is None:
        return f"not saved; --out FOLDER keeps {command.keeps}"
    pictures = f", with {', '.join(outcome.pictures)}" if outcome.pictures else ""
    return f"saved in {path}{pictures}"


def resume_text(prog: str, path: str | Path) -> str:
    """Return how to resume the run in a folder, for the end of a message."""
    return f"go on with: {prog} --resume {quoted(path)}"


# Output and errors


def call(main: Callable[[], str], name: str, errors: Errors) -> int:
    """Run a command's `main()`, print the text that it returns, and return the exit code; see `guarded`."""

    def collect(output: list[str]) -> int:
        output.append(main() + "\n")
        return 0

    return guarded(collect, name, errors)


def guarded(main: Callable[[list[str]], int], name: str, errors: Errors) -> int:
    """Run `main(output)`, print the texts that it appended to `output`, and return the exit code.

    `errors`, too little memory, Ctrl-C and output that cannot be written become one line on stderr. Any
    other exception is not for the user to fix, and passes.
    """
    output: list[str] = []
    message = None
    try:
        code = main(output)
    except errors as error:
        message, code = f"error: {error}", 2
    except KeyboardInterrupt:
        message, code = "interrupted", INTERRUPTED
    except BaseException as error:
        if not is_out_of_memory(error):
            with suppress(OSError):
                _print("".join(output))
            raise
        message, code = f"error: not enough memory ({' '.join(str(error).split())[:_LONGEST]})", 2
    with ignoring_interrupts():  # there is nothing left to stop
        return _end("".join(output), message, code, name)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that an array or a tensor does not fit in memory."""
    texts = [text for kind, said in _NO_MEMORY.items() if isinstance(error, kind) for text in said]
    return isinstance(error, MemoryError) or any(text in str(error) for text in texts)


def _end(text: str, message: str | None, code: int, name: str) -> int:
    """Print the output of a command and its message; return the exit code."""
    try:
        _print(text)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        code = code or 1
    except OSError as error:
        message, code = f"error: cannot write the output: {error.strerror}", 2
    if message is not None:
        complain(f"{name}: {message}")
    return code


def _print(text: str) -> None:
    if sys.stdout is None or not text:
        return
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a character gets a question mark
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        # What is left goes nowhere, so that the interpreter does not fail over it at its end.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise
