import os
import signal
import sys
import threading

import numpy as np
import pytest

from nasbench.runs.command import HeldInterrupt, Parser, call, complain, print_table


def test_numbers_stand_to_the_right_and_text_to_the_left(capsys):
    print_table(("name", "value"), [("a", 1.5), ("long name", 123456789)])
    print_table(("empty", "table"), [])
    assert capsys.readouterr().out.splitlines() == [
        "name           value",
        "a                1.5",
        "long name  123456789",
        "empty  table",
    ]


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ValueError("three\tis wrong"), 2, "tool: error: three\tis wrong\n"),
        (MemoryError("4 GiB"), 2, "tool: error: not enough memory (4 GiB)\n"),
        (
            RuntimeError("DefaultCPUAllocator:\n x"),
            2,
            "tool: error: not enough memory (DefaultCPUAllocator: x)\n",
        ),
        (KeyboardInterrupt(), 130, "tool: interrupted\n"),
    ],
)
def test_exit_codes(capsys, error, code, line):
    def fail():
        raise error

    assert call(fail, "tool", ValueError) == code
    assert capsys.readouterr().err == line
    assert call(lambda: 0, "tool", ValueError) == 0


def test_an_error_of_another_kind_is_not_hidden():
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        call(fail, "tool", ValueError)


def test_a_second_interrupt_ends_at_once():
    with HeldInterrupt() as interrupt:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.came
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_that_is_ignored_or_another_thread_stays_as_it_is():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    with HeldInterrupt() as interrupt:
        os.kill(os.getpid(), signal.SIGINT)
    assert not interrupt.came
    signal.signal(signal.SIGINT, before)
    thread = threading.Thread(target=HeldInterrupt().__enter__)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before


def test_what_was_printed_before_an_error_is_printed(capsys):
    def report_then_fail():
        print("found")
        raise ValueError("no picture")

    assert call(report_then_fail, "tool", ValueError) == 2
    assert capsys.readouterr() == ("found\n", "tool: error: no picture\n")


@pytest.mark.parametrize(
    "error", [TimeoutError("worker 3"), ConnectionRefusedError(111, "refused"), BrokenPipeError()]
)
def test_an_error_of_the_system_that_is_not_of_the_output_passes(capsys, error):
    def fail():
        print("found")
        raise error

    with pytest.raises(type(error)):
        call(fail, "tool", ValueError)
    assert capsys.readouterr() == ("found\n", "")


def test_without_a_standard_error(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    complain("lost")
    assert call(lambda: print("found") or 0, "tool", ValueError) == 0
    assert capsys.readouterr().out == "found\n"


def test_control_characters_of_a_message_do_not_reach_the_terminal(capsys):
    def fail():
        raise ValueError("a\nb\x1b[31mc\x07\u202ed é")

    call(fail, "tool", ValueError)
    complain("note:\r\x9bx")
    with pytest.raises(SystemExit):
        Parser(prog="tool").parse_args(["--x\n\x1b[1m"])
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == r"tool: error: a\nb\x1b[31mc\x07\u202ed é"
    assert lines[1] == r"note:\r\x9bx"
    assert lines[2].startswith(r"tool: error: unrecognized arguments: --x\n\x1b[1m")
    assert len(lines) == 3


def test_libraries_without_memory_are_one_line(capsys):
    import torch

    for allocate in (
        lambda: np.empty((2**62, 4)),
        lambda: np.empty(2**60),
        lambda: np.zeros(10).repeat(2**57),
        lambda: torch.empty(2**60),
        lambda: torch.empty(2**62, 2**62),
        lambda: torch.empty(2**50),
    ):
        assert call(allocate, "tool", LookupError) == 2
        err = capsys.readouterr().err
        assert err.startswith("tool: error: not enough memory (")
        assert err.count("\n") == 1
    with pytest.raises(RuntimeError):
        call(lambda: torch.zeros(2) @ torch.zeros(3), "tool", LookupError)
