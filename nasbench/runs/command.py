"""What every command shares: errors in one line, exit codes, tables for people and JSON for programs."""

import argparse
import io
import os
import signal
import sys
from contextlib import contextmanager, redirect_stdout, suppress

from nasbench.errors import printable

INTERRUPTED = 130
_LONGEST = 200  # characters of what a library says
_NO_MEMORY = {  # what torch and NumPy say where they raise no MemoryError
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


class _Formatter(argparse.HelpFormatter):
    """Help as wide as the terminal; asked here, as argparse loads compression libraries to ask."""

    def __init__(self, prog):
        try:
            width = os.get_terminal_size(sys.__stdout__.fileno()).columns
        except (AttributeError, ValueError, OSError):
            width = 0
        super().__init__(prog, width=(int(os.environ.get("COLUMNS", "0") or 0) or width or 80) - 2)


class ListFormatter(_Formatter, argparse.RawDescriptionHelpFormatter):
    """Help that keeps the lines of its epilog."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line on stderr and exit code 2."""

    def __init__(self, **options):
        super().__init__(formatter_class=_Formatter, **options)

    def error(self, message):
        self.exit(2, printable(f"{self.prog}: error: {message} (--help says more)") + "\n")


def call(main, name, errors):
    """Run a command's `main()`, print what it printed, and return its exit code.

    `errors`, too little memory, Ctrl-C and output that cannot be written become one line on stderr. Any
    other exception is not for the user to mend, and passes.
    """
    text = io.StringIO()
    message = None
    try:
        with redirect_stdout(text):
            code = main()
    except errors as error:
        message, code = f"error: {error}", 2
    except KeyboardInterrupt:
        message, code = "interrupted", INTERRUPTED
    except BaseException as error:
        if not is_out_of_memory(error):
            with suppress(OSError):
                _print(text.getvalue())
            raise
        message, code = f"error: not enough memory ({' '.join(str(error).split())[:_LONGEST]})", 2
    with ignoring_interrupts():  # there is no more to stop
        return _end(text.getvalue(), message, code, name)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that an array or a tensor does not fit in memory."""
    texts = [text for kind, said in _NO_MEMORY.items() if isinstance(error, kind) for text in said]
    return isinstance(error, MemoryError) or any(text in str(error) for text in texts)


def _end(text, message, code, name):
    """Print what a command printed, and its message; returns the exit code."""
    try:
        _print(text)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        code = code or 1
    except OSError as error:
        message, code = f"error: cannot write the output: {error.strerror}", 2
    if message is not None:
        complain(f"{name}: {message}")
    return code


def complain(line):
    """Print a line on stderr, its control characters escaped, if there is one that takes it."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(printable(line), file=sys.stderr, flush=True)


def _print(text):
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


@contextmanager
def ignoring_interrupts():
    """Without Ctrl-C for a moment; only the main thread may."""
    before = None
    with suppress(ValueError):
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)


class HeldInterrupt:
    """Holds a first Ctrl-C back, so that what was found is saved and reported; a second ends all at once.

    `patient`: a second one is held back too, where an end in between would do harm.
    """

    def __init__(self, patient=False):
        self.came = False
        self._patient = patient
        self._before = None

    def __enter__(self):
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            with suppress(ValueError):  # only the main thread may
                self._before = signal.signal(signal.SIGINT, self._hold)
        return self

    def __exit__(self, *_):
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _hold(self, *_):
        if self.came and not self._patient:
            raise KeyboardInterrupt
        self.came = True


def print_json(value):
    import json

    print(json.dumps(value, indent=2))


def print_table(header, rows):
    """Columns as wide as their widest entry: text to the left, numbers to the right."""
    cells = [[_text(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    numeric = [all(isinstance(value, (int, float)) for value in column) for column in zip(*rows, strict=True)]
    numeric = numeric or [False] * len(header)
    for line in [header, *cells]:
        padded = (
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        )
        print("  ".join(padded).rstrip())


def _text(value):
    return f"{value:.7g}" if isinstance(value, float) else str(value)
