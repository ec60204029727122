"""What a command shows on a terminal."""

import os
import subprocess
import termios
from contextlib import suppress


def shown_on_terminal(program):
    """The bytes that a program, which must succeed, writes to stderr if that is a terminal."""
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
