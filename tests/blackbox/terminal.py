"""The output of a command on a terminal."""

import os
import subprocess
import termios
from contextlib import suppress


def shown_on_terminal(program):
    """Return the bytes that a program writes to stderr on a terminal; the program must succeed."""
    main, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=terminal)
    os.close(terminal)
    shown = b""
    with suppress(OSError):  # the terminal's other end is closed
        while block := os.read(main, 4096):
            shown += block
    os.close(main)
    assert process.wait() == 0
    return shown
