import os
import pty
import subprocess
import sys
import termios

import pytest

from nasbench.runs.progress import Progress, tracked

WORK = """
import sys
from nasbench.runs.progress import Progress
with Progress("work", "steps", 4, interval=0, shown={shown}) as progress:
    for step in (1, 2, 3):
        progress.update(step, lambda: "step " + str(step))
    progress.finish(4)
print("tqdm" in sys.modules)
"""


def in_a_terminal(code):
    """What a process says on a stderr that is a terminal, and what it prints."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, 80))
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=follower, text=True)
    os.close(follower)
    said = b""
    try:
        while part := os.read(leader, 4096):
            said += part
    except OSError:  # the end of a terminal
        pass
    os.close(leader)
    assert done.returncode == 0, said
    return said.decode(), done.stdout


def test_a_bar_is_shown_in_a_terminal():
    said, printed = in_a_terminal(WORK.format(shown=True))
    assert "work: " in said
    assert "2/4" in said
    assert "step 3" in said
    assert "4/4" in said.splitlines()[-1]
    assert printed == "True\n"


def test_no_bar_is_shown_elsewhere_nor_if_it_is_not_wanted():
    assert in_a_terminal(WORK.format(shown=False)) == ("", "False\n")
    done = subprocess.run([sys.executable, "-c", WORK.format(shown=True)], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\n", "")
    done = subprocess.run([sys.executable, "-c", "import sys; sys.stderr = None\n" + WORK.format(shown=True)])
    assert done.returncode == 0


def test_a_bar_of_a_resumed_run_starts_where_the_earlier_one_ended():
    said, _ = in_a_terminal(WORK.replace("interval=0", "interval=0, done=2").format(shown=True))
    assert "3/4" in said


def test_ticks_come_once_an_interval_and_at_the_end():
    ticks = []
    with Progress("work", "steps", on_tick=[lambda: ticks.append(progress.done)]) as progress:
        for step in range(1000):
            progress.update(step)
        assert ticks == []
        progress.finish()
        assert ticks == [999]
    with Progress("work", "steps", on_tick=[lambda: ticks.append(progress.done)], interval=0) as progress:
        progress.advance(2)
        progress.advance()
    assert ticks == [999, 2, 3]


def test_it_says_when_to_stop():
    stopped = []
    with Progress("work", "steps", stop=lambda: bool(stopped)) as progress:
        assert not progress.update(1)
        stopped.append(True)
        assert progress.update(2)
        assert progress.advance()
        assert progress.done == 3


def test_an_error_of_a_tick_ends_the_work():
    def fail():
        raise ZeroDivisionError

    with Progress("work", "steps", on_tick=[fail], interval=0) as progress:
        with pytest.raises(ZeroDivisionError):
            progress.update(1)
        with pytest.raises(ZeroDivisionError):
            progress.finish()


def test_items_are_tracked():
    assert list(tracked("abc", "work", "letters", 3)) == ["a", "b", "c"]
    code = "from nasbench.runs.progress import tracked; print(*tracked('abc', 'work', 'letters', 3))"
    assert in_a_terminal(code)[1] == "a b c\n"
