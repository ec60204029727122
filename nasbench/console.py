"""What every command shares: errors in one line, exit codes, tables for people and JSON for programs."""

import argparse
import io
import os
import sys

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
        _silence()
        message, code = f"error: cannot write the output: {error.strerror}", 2
    except KeyboardInterrupt:
        message, code = "interrupted", INTERRUPTED
    print(f"{name}: {message}", file=sys.stderr)
    return code


def _silence():
    """Send what stdout still holds nowhere, so that the interpreter does not fail over it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
