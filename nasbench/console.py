"""What every command shares: errors in one line, exit codes, tables for people and JSON for programs."""

import argparse
import io
import os
import signal
import sys
import threading

INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line on stderr and exit code 2."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message} (--help says more)\n")


def call(main, name, errors):
    """Run a command's `main()` and return its exit code; `errors` become one line and code 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a character gets a question mark
    try:
        code = main()
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except errors as error:
        message, code = f"error: {error}", 2
    except MemoryError as error:
        message, code = f"error: not enough memory ({error})", 2
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        _silence()
        return 1
    except OSError as error:
        if error.filename is None:
            _silence()
        what = error.filename or "cannot write the output"
        message, code = f"error: {what}: {error.strerror or error}", 2
    except KeyboardInterrupt:
        message, code = "interrupted", INTERRUPTED
    print(f"{name}: {message}", file=sys.stderr)
    return code


def _silence():
    """Send what stdout still holds nowhere, so that the interpreter does not fail over it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class HeldInterrupt:
    """Holds a first Ctrl-C back, so that what was found is saved and reported; a second ends all at once."""

    def __init__(self):
        self.came = False
        self._before = None

    def __enter__(self):
        mine = threading.current_thread() is threading.main_thread()
        if mine and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._hold)
        return self

    def __exit__(self, *_):
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _hold(self, *_):
        if self.came:
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
