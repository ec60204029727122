import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest

from nasbench.errors import NASBenchError, RunFolderError
from nasbench.runs.command import Command, Outcome, Parser, add_folder_flags, call, guarded, main
from nasbench.runs.folder import RunFolder, RunKind
from nasbench.runs.notes import complain


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
    assert guarded(lambda output: 0, "tool", ValueError) == 0


def test_an_error_of_another_kind_is_not_hidden():
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        call(fail, "tool", ValueError)


def test_what_was_printed_before_an_error_is_printed(capsys):
    def report_then_fail(output):
        output.append("found\n")
        raise ValueError("no picture")

    assert guarded(report_then_fail, "tool", ValueError) == 2
    assert capsys.readouterr() == ("found\n", "tool: error: no picture\n")


@pytest.mark.parametrize(
    "error", [TimeoutError("worker 3"), ConnectionRefusedError(111, "refused"), BrokenPipeError()]
)
def test_an_error_of_the_system_that_is_not_of_the_output_passes(capsys, error):
    def fail(output):
        output.append("found\n")
        raise error

    with pytest.raises(type(error)):
        guarded(fail, "tool", ValueError)
    assert capsys.readouterr() == ("found\n", "")


def test_without_a_standard_error(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    complain("lost")
    assert call(lambda: "found", "tool", ValueError) == 0
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


def test_text_that_a_command_returns_is_printed_once_at_its_end(capsys):
    assert call(lambda: "found", "tool", ValueError) == 0
    assert guarded(lambda output: output.extend(["more\n", "text\n"]) or 0, "tool", ValueError) == 0
    assert capsys.readouterr() == ("found\nmore\ntext\n", "")


@pytest.mark.parametrize("target", ["full", "closed"])
def test_output_that_cannot_be_written(target):
    code = "from nasbench.runs.command import call; raise SystemExit(call(lambda: 'x' * 100_000, 'tool', ()))"
    command = f'{sys.executable} -c "{code}"'
    pipe = {"full": "> /dev/full", "closed": "| head -c 0; exit ${PIPESTATUS[0]}"}[target]
    done = subprocess.run(["bash", "-c", f"{command} {pipe}"], capture_output=True, text=True)
    message = "tool: error: cannot write the output: No space left on device\n"
    assert (done.returncode, done.stderr) == {"full": (2, message), "closed": (1, "")}[target]


# A command that makes a run: it counts to N, a line of its log each

KIND = RunKind(b"step\n")


class Counting:
    def __init__(self, folder, steps, during):
        self.folder, self.steps, self.during = folder, steps, during
        self.done = 0 if folder is None else folder.log.read().count(b"\n") - 1

    @property
    def path(self):
        return None if self.folder is None else self.folder.path

    def run(self, stop):
        while self.done < self.steps and not stop():
            self.done += 1
            self.during(self.done)
            if self.folder is not None:
                self.folder.log.append(b"%d\n" % self.done)

    def finish(self, interrupted):
        if self.during("finish"):
            return Outcome(False)
        summary = {"steps": self.done}
        if self.folder is not None:
            self.folder.write_summary(summary)
        text = f"counted to {self.done}"
        return Outcome(
            self.done == self.steps, text, summary, f"{self.done} steps", ["a.png"], ["note: slow"]
        )


class Count(Command):
    prog = "python -m count"
    errors = NASBenchError
    keeps = "all steps"

    def __init__(self, during=lambda _: None):
        self.during = during

    def parser(self, argv):
        parser = Parser(prog=self.prog)
        parser.add_argument("--steps", type=int, default=3)
        parser.add_argument("--plot")
        add_folder_flags(parser, "a new folder")
        return parser

    @contextmanager
    def open(self, args):
        self.during("open")
        if args.resume is not None:
            with RunFolder.resume(args.resume, KIND) as folder:
                yield Counting(folder, folder.record["steps"], self.during)
        elif args.out is not None:
            with RunFolder.create(args.out, KIND, {"steps": args.steps}) as folder:
                yield Counting(folder, args.steps, self.during)
        else:
            yield Counting(None, args.steps, self.during)

    def afterwards(self, args, activity, outcome):
        if args.plot == "none":
            raise RunFolderError("cannot draw")
        return "" if args.plot is None else f"picture in {args.plot}"


def interrupted_at(*moments):
    """What happens during a run: Ctrl-C once or more at a moment."""

    def during(moment):
        for _ in range(moments.count(moment)):
            os.kill(os.getpid(), signal.SIGINT)

    return during


@pytest.fixture(autouse=True)
def interruptible():
    """Ctrl-C as in a terminal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_run_is_reported_and_saved(tmp_path, capsys):
    assert main(Count(), []) == 0
    out, err = capsys.readouterr()
    assert out == "counted to 3\n\nnot saved; --out FOLDER keeps all steps\n"
    assert err == "note: slow\n"
    assert main(Count(), ["--out", str(tmp_path / "a"), "--plot", "b.png"]) == 0
    out, err = capsys.readouterr()
    assert out == f"counted to 3\n\nsaved in {tmp_path / 'a'}, with a.png\npicture in b.png\n"
    assert (tmp_path / "a" / "log.csv").read_text() == "step\n1\n2\n3\n"
    assert main(Count(), ["--json", "--plot", "b.png"]) == 0
    assert json.loads(capsys.readouterr().out) == {"steps": 3}


def test_an_interrupted_run_is_reported_and_resumed(tmp_path, capsys):
    path = tmp_path / "a b"
    assert main(Count(interrupted_at(2)), ["--out", str(path)]) == 130
    out, err = capsys.readouterr()
    assert out.startswith("counted to 2\n\nsaved in")
    resume = f"go on with: python -m count --resume '{path}'"
    assert err.splitlines() == ["note: slow", f"interrupted after 2 steps; {resume}"]
    assert main(Count(), ["--resume", str(path)]) == 0
    assert capsys.readouterr().out.startswith("counted to 3\n")
    assert (path / "log.csv").read_text() == "step\n1\n2\n3\n"


@pytest.mark.parametrize("moments", [(2, 2), ("finish",)])
def test_an_interrupt_that_is_not_deferred_says_how_to_resume(tmp_path, capsys, moments):
    assert main(Count(interrupted_at(*moments)), ["--out", str(tmp_path / "a")]) == 130
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"interrupted; go on with: python -m count --resume {tmp_path / 'a'}\n")
    assert main(Count(interrupted_at(*moments)), []) == 130
    assert capsys.readouterr() == ("", "interrupted; not saved\n")
    assert main(Count(interrupted_at("open")), []) == 130
    assert capsys.readouterr() == ("", "python -m count: interrupted\n")


def test_a_patient_command_defers_every_interrupt(capsys):
    command = Count(interrupted_at(2, 2, 2))
    command.patient = True
    assert main(command, []) == 130
    assert capsys.readouterr().err.endswith("interrupted after 2 steps; not saved\n")


def test_an_interrupted_run_may_have_nothing_to_report(tmp_path, capsys):
    for flags in ([], ["--json"]):
        assert main(Count(lambda moment: moment == "finish"), flags) == 130
        assert capsys.readouterr() == ("", "interrupted; not saved\n")


def test_an_error_after_the_report_does_not_lose_it(capsys):
    assert main(Count(), ["--plot", "none"]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("counted to 3\n")
    assert err == "note: slow\npython -m count: error: cannot draw\n"


def test_errors_of_a_run_are_one_line(tmp_path, capsys):
    assert main(Count(), ["--resume", str(tmp_path)]) == 2
    text = f"error: {tmp_path} is not the folder of a run: it has no log.csv\n"
    assert capsys.readouterr() == ("", f"python -m count: {text}")
    for flags in (["--out", "a", "--resume", "b"], ["--step"], ["--steps", "x"]):
        with pytest.raises(SystemExit) as caught:
            main(Count(), flags)
        assert caught.value.code == 2
        assert capsys.readouterr().err.startswith("python -m count: error: ")


def test_an_output_folder_can_be_required(capsys):
    parser = Parser(prog="tool")
    add_folder_flags(parser, "a new folder", "an earlier one", required=True)
    with pytest.raises(SystemExit):
        parser.parse_args([])
    assert "one of the arguments --out --resume is required" in capsys.readouterr().err
    assert "an earlier one" in parser.format_help()
