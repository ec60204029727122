"""Loaded by the kernel that runs tutorials: cells that begin with %%sh show their whole output at once."""

import subprocess
import sys

from IPython.core.magic import register_cell_magic


@register_cell_magic
def sh(line: str, cell: str) -> None:
    """Run a cell as shell commands; a command that fails fails the build."""
    result = subprocess.run(["sh", "-e"], input=cell, capture_output=True, text=True)
    for text, stream in ((result.stdout, sys.stdout), (result.stderr, sys.stderr)):
        if text:
            print(text, end="", file=stream, flush=True)
    result.check_returncode()
