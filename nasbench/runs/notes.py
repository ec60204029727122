"""Lines for people on stderr."""

import sys
from contextlib import suppress

from nasbench.errors import printable


def complain(line: str) -> None:
    """Print a line on stderr, its control characters escaped, if there is one that takes it."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(printable(line), file=sys.stderr, flush=True)
