"""Messages on stderr."""

import sys
from contextlib import suppress

from nasbench.errors import printable


def complain(line: str) -> None:
    """Print a line on stderr, with control characters escaped, if stderr can be written."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(printable(line), file=sys.stderr, flush=True)
