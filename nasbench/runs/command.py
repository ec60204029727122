"""Base of all commands: flags, runs, output, one-line errors, exit codes."""

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
_LONGEST = 200  # characters shown of a library's message
_NO_MEMORY = {  # messages of torch and NumPy, which do not raise MemoryError
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
    """Help formatter as wide as the terminal; it avoids the slow imports of argparse's own check."""

    def __init__(self, prog: str) -> None:
        width = 0
        with suppress(AttributeError, ValueError, OSError):
            width = os.get_terminal_size(sys.__stdout__.fileno()).columns  # type: ignore[union-attr]  # suppressed
        super().__init__(prog, width=(int(os.environ.get("COLUMNS", "0") or 0) or width or 80) - 2)


class ListFormatter(_Formatter, argparse.RawDescriptionHelpFormatter):
    """Help formatter that keeps the line breaks of the epilog."""


class Parser(argparse.ArgumentParser):
    """Argument parser whose errors are one line on stderr, with exit code 2."""

    def __init__(self, **options: Any) -> None:  # as for argparse.ArgumentParser
        super().__init__(**{"formatter_class": _Formatter} | options)

    def error(self, message: str) -> NoReturn:
        """Print an error in one line and exit."""
        self.exit(2, printable(f"{self.prog}: error: {message} (see --help)") + "\n")


def add_folder_flags(
    parser: argparse._ActionsContainer,
    out: str,
    resume: str = "folder of a run to resume",
    *,
    required: bool = False,
) -> None:
    """Add the flags `--out`, `--resume` and `--json` to the parser of a command that starts a run.

    Parameters
    ----------
    parser
        Parser or group of flags.
    out, resume
        Help texts of the two flags.
    required
        Whether `--out` or `--resume` must be given.
    """
    where = parser.add_mutually_exclusive_group(required=required)
    where.add_argument("--out", metavar="FOLDER", help=out)
    where.add_argument("--resume", metavar="FOLDER", help=resume)
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


class Subcommand(NamedTuple):
    """One of several commands of a program, with its own flags."""

    #: function that adds the flags to a parser
    add_flags: Callable[[argparse.ArgumentParser], None]
    #: function that runs the command and returns its output
    run: Callable[[argparse.Namespace], str]
    #: description in the list of commands
    short: str
    #: description in the help of the command
    description: str


# A run


@dataclass(frozen=True)
class Outcome:
    """Result of a run that ended or was interrupted."""

    #: whether the run is complete
    complete: bool
    #: summary as text; empty if an interrupted run has none
    text: str = ""
    #: summary as plain values, for --json
    summary: object = None
    #: amount of work done by an interrupted run, such as `5 evaluations`
    done: str = ""
    #: names of plots that were saved in the run folder
    pictures: Sequence[str] = ()
    #: lines for stderr
    notes: Sequence[str] = ()


class Activity(Protocol):
    """A run that a command has started or resumed; it is saved and closed at the end of its `with`."""

    @property
    def path(self) -> Path | None:
        """Folder of the run; None if it is not saved."""

    def run(self, stop: Callable[[], bool]) -> None:
        """Work until the run is complete or `stop()` is true, then save the results so far."""

    def finish(self, interrupted: bool) -> Outcome:
        """Evaluate, save and return the result."""


A = TypeVar("A", bound=Activity)


class Command(ABC, Generic[A]):
    """Base class of commands that carry out one run, which can be interrupted and resumed."""

    #: the command as it is typed, such as `python -m blackbox.re`
    prog: str
    #: exceptions that are reported in one line, with exit code 2
    errors: Errors
    #: contents of `--out`, such as `settings, log and summary`
    keeps: str
    #: end of the message of an interrupted run that is not saved
    unsaved: str = "; not saved"
    #: whether a second Ctrl-C is also deferred
    patient: bool = False

    @abstractmethod
    def parser(self, argv: Sequence[str]) -> argparse.ArgumentParser:
        """Build the parser of all flags, including `out`, `resume` and `json`."""

    @abstractmethod
    def open(self, args: argparse.Namespace) -> AbstractContextManager[A]:
        """Start or resume a run, for use in a `with`."""

    def afterwards(self, args: argparse.Namespace, activity: A, outcome: Outcome) -> str:
        """Do further work that flags ask for, such as a plot; return a line to print."""
        return ""


def main(command: Command[A], argv: Sequence[str] | None = None) -> int:
    """Run the command with the command line `argv`, by default `sys.argv`; return the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    args = command.parser(argv).parse_args(argv)
    return guarded(lambda output: carry_out(command, args, output), command.prog, command.errors)


def carry_out(command: Command[A], args: argparse.Namespace, output: list[str]) -> int:
    """Carry out the command's run, append its report to `output`, and return the exit code."""
    with command.open(args) as activity:
        path = activity.path
        advice = command.unsaved if path is None else f"; {resume_text(command.prog, path)}"
        try:
            with HeldInterrupt(command.patient) as interrupt:
                activity.run(lambda: interrupt.came)
            outcome = activity.finish(interrupt.came)
        except KeyboardInterrupt:  # a second one, or one after the run; saved files are intact
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
        return f"not saved; use --out FOLDER to save {command.keeps}"
    pictures = f", with {', '.join(outcome.pictures)}" if outcome.pictures else ""
    return f"saved in {path}{pictures}"


def resume_text(prog: str, path: str | Path) -> str:
    """Return the command that resumes the run in a folder, for the end of a message."""
    return f"continue with: {prog} --resume {quoted(path)}"


# Output and errors


def call(main: Callable[[], str], name: str, errors: Errors) -> int:
    """Run `main()`, print the text it returns, and return the exit code; errors as for `guarded`."""

    def collect(output: list[str]) -> int:
        output.append(main() + "\n")
        return 0

    return guarded(collect, name, errors)


def guarded(main: Callable[[list[str]], int], name: str, errors: Errors) -> int:
    """Run `main(output)`, print the texts it appended to `output`, and return the exit code.

    The exceptions in `errors`, lack of memory, Ctrl-C and output that cannot be written are reported in one
    line on stderr. Other exceptions are bugs and propagate.

    Parameters
    ----------
    main
        Function that appends texts to a list and returns the exit code.
    name
        Name of the command in messages.
    errors
        Exceptions to report in one line.
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
    with ignoring_interrupts():  # nothing is left to stop
        return _end("".join(output), message, code, name)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that an array or a tensor does not fit in memory."""
    texts = [text for kind, messages in _NO_MEMORY.items() if isinstance(error, kind) for text in messages]
    return isinstance(error, MemoryError) or any(text in str(error) for text in texts)


def _end(text: str, message: str | None, code: int, name: str) -> int:
    """Print the output of a command and its message; return the exit code."""
    try:
        _print(text)
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
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
        sys.stdout.reconfigure(errors="replace")  # characters that the terminal lacks become question marks
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        # Discard the rest, so that the interpreter does not fail to flush it at exit.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise
