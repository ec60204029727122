"""Shared tests of search and retraining: stopped, rejected and diverging runs, and their progress."""

import io
import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from nasbench.runs.folder import RunFolder
from nasbench.runs.log import read_log
from oneshot.training import session
from oneshot.training.checkpoints import read_checkpoint


def after(steps):
    """Return a `stop` function that returns true after a number of steps."""
    asked = iter([False] * steps)
    return lambda: next(asked, True)


def same(one, other, equal_nan=False):
    """Return whether two states are equal, bit for bit; with `equal_nan`, NaN equals NaN."""
    if isinstance(one, torch.Tensor):
        equal_nan = equal_nan and one.is_floating_point()
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=equal_nan)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key], equal_nan) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(same(a, b, equal_nan) for a, b in zip(one, other, strict=True))
    return one == other


def assert_same_end(one, other, log_format, equal_nan=False):
    """Assert that two run folders have the same contents, except for durations."""
    logs = [
        [
            {k: v for k, v in row.items() if k not in ("images_per_second", "seconds")}
            for row in read_log(path, log_format)
        ]
        for path in (one, other)
    ]
    assert logs[0] == logs[1]
    states = [read_checkpoint(path) for path in (one, other)]
    for state in states:
        state.pop("log")  # bytes that include the durations
        state.pop("concluding", None)
        state["training"].pop("seconds")
    assert same(*states, equal_nan)
    names = [sorted(file.name for file in path.iterdir() if file.suffix != ".png") for path in (one, other)]
    assert names[0] == names[1]
    for name in {"summary.json", "alphas.npz"} & set(names[0]):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    for name in {"best.pt", "last.pt"} & set(names[0]):
        assert same(*(torch.load(path / name, weights_only=True) for path in (one, other)))


_STOPPED = """
import importlib, os, signal, sys
from nasbench.runs import folder, log

package, stepping, base, *flags = sys.argv[1:]
command, pictures = (importlib.import_module(f"{package}.{name}") for name in ("__main__", "pictures"))
module, _, attribute = stepping.partition(":")
stepper = getattr(importlib.import_module(module), attribute)

def stop(name):
    os.kill(os.getpid(), getattr(signal, name))

def child(where, number, name, argv):
    step, append, write = stepper.step, log.AppendLog.append, log.write_all
    draw, done, stopped = pictures.draw_all, [], []

    def stepped(self, *data):
        done.append(1)
        if where == "step" and len(done) == number:
            stop(name)
        return step(self, *data)

    def appended(self, data):
        append(self, data)
        if where == "between" and data.startswith(b"%d," % number):
            stop(name)  # the log has one row more than the checkpoint

    def half(file, data):
        wanted = {"log": "log.csv"}.get(where, f".{where}.pt.")
        name_of = os.path.basename(str(file.name))
        if name_of.startswith(wanted) and not stopped and len(done) >= number:
            write(file, data[: len(data) // 2])
            stopped.append(1)
            stop(name)
            data = data[len(data) // 2 :]
        write(file, data)

    def drawing(*args):
        if where == "end":
            stop(name)
        return draw(*args)

    stepper.step, log.AppendLog.append = stepped, appended
    log.write_all = folder.write_all = half
    pictures.draw_all = drawing
    return command.main(argv)

for case in sys.stdin.read().split():
    where, number, name = case.split(":")
    path = os.path.join(base, case.replace(":", "-"))
    pid = os.fork()
    if pid == 0:
        for fd, kind in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{path}.{kind}", os.O_WRONLY | os.O_CREAT), fd)
        os._exit(child(where, int(number), name, [*flags, "--out", path]))
    status = os.waitpid(pid, 0)[1]
    print(case, os.waitstatus_to_exitcode(status), flush=True)
"""


def stop_runs(loading, package, stepping, base, flags, cases):
    """Run a command for each case, in a process that a signal stops there; return the exit codes by case.

    `loading` is code that runs first and imports what all cases need; `stepping` is the MODULE:CLASS whose
    calls of `step` are counted.
    """
    args = [sys.executable, "-c", loading + _STOPPED, package, stepping, str(base), *flags]
    done = subprocess.run(args, input=" ".join(cases), capture_output=True, text=True, check=True)
    codes = dict(line.split() for line in done.stdout.splitlines())
    return {case: int(code) for case, code in codes.items()}


class Terminal(io.StringIO):
    def isatty(self):
        return True


class TrainingContract:
    """Tests of both commands; a module has the fixtures `run`, `whole`, `stopped` and `no_pictures`."""

    prog = None
    kind = None
    log_format = None
    equal_nan = False  # in states
    flags = ()  # of a run whose first file after an epoch is `first_file`
    first_file = None
    error_lines = 1  # on stderr, when that file cannot be written
    diverging = ()  # flags of a run that diverges in its first epoch
    quick = ()  # flags of a quick run
    shown = ()  # texts of the progress bar in the runs `shown_runs`
    shown_runs = ()  # flags of each run
    interrupted_report = ""  # a part of the report of an interrupted run
    refused = ()  # (flags, message) of a resumed run
    accepted = ()  # flags of a resumed run

    def look(self, whole):
        """Check what is allowed while another process writes to the folder."""

    def check_a_process_that_is_stopped_anywhere(self, run, stopped, whole, case):
        base, codes = stopped
        path = base / case.replace(":", "-")
        where, _, name = case.split(":")
        err = path.with_name(path.name + ".err").read_text()
        if name == "SIGKILL":
            assert codes[case] == -signal.SIGKILL
            assert not (path / "summary.json").exists()
        else:
            assert codes[case] == 130
            assert "Traceback" not in err
            assert err.splitlines()[-1].endswith(f"continue with: {self.prog} --resume {path}")
            if where != "end":
                assert json.loads((path / "summary.json").read_text())["complete"] is False
                assert self.interrupted_report in path.with_name(path.name + ".out").read_text()
        code, _, err = run("--resume", path)
        assert (code, "error" in err) == (0, False)
        leftovers = [each for each in path.iterdir() if each.suffix == ".tmp"]
        assert len(leftovers) == (where in ("checkpoint", "best", "last") and name == "SIGKILL")
        for each in leftovers:  # a kill leaves half a file under a temporary name
            each.unlink()
        assert_same_end(path, whole, self.log_format, self.equal_nan)

    @pytest.mark.slow  # like the tests of stopped runs
    def test_an_interrupt_says_where_the_training_is(self, stopped):
        base, _ = stopped
        for case, where in (
            ("step-5", "interrupted after 1 of 3 epochs and 2 steps; continue with: "),
            ("step-6", "interrupted after 2 of 3 epochs; continue with: "),
            ("end-0", "interrupted; continue with: "),
        ):
            assert where in (base / f"{case}-SIGINT.err").read_text().splitlines()[-1]

    def test_two_processes_do_not_share_a_folder(self, run, whole):
        with RunFolder.resume(whole, self.kind):
            code, out, err = run("--resume", whole)
            self.look(whole)
        assert (code, out) == (2, "")
        assert err.endswith(f"error: another process is writing to {whole}\n")

    def test_a_run_goes_on_with_its_own_settings_only(self, run, no_pictures, whole):
        before = {path.name: path.read_bytes() for path in whole.iterdir()}
        for argv, message in self.refused:
            code, out, err = run("--resume", whole, *argv)
            assert (code, out, err.count("\n")) == (2, "", 1)
            assert message in err
        assert {path.name: path.read_bytes() for path in whole.iterdir()} == before
        assert run("--resume", whole, *self.accepted)[0] == 0

    def test_a_run_that_diverges_at_once(self, run, tmp_path):
        code, _, err = run(*self.diverging)
        assert (code, err.count("\n"), "nothing was saved because --out was not given" in err) == (2, 1, True)
        code, _, err = run(*self.diverging, "--out", tmp_path / "a")
        assert (code, err.count("\n"), "no epoch was completed" in err) == (2, 1, True)

    def test_no_room_left(self, run, no_pictures, tmp_path):
        import resource

        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
        try:
            code, _, err = run(*self.flags, "--out", tmp_path / "a")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert (code, err.count("\n")) == (2, self.error_lines)
        assert f"cannot write {tmp_path / 'a' / self.first_file}: File too large" in err
        assert run("--resume", tmp_path / "a")[0] == 0

    def test_without_matplotlib_it_ends_well_and_says_why_there_is_no_picture(
        self, run, tmp_path, monkeypatch
    ):
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        code, out, err = run(*self.quick, "--out", tmp_path / "a")
        assert (code, "no pictures: pictures need matplotlib: pip install matplotlib\n" in err) == (0, True)
        assert not list((tmp_path / "a").glob("*.png"))
        assert out.endswith(f"\nsaved in {tmp_path / 'a'}\n")

    def test_progress_is_shown_on_a_terminal_only(self, run, monkeypatch):
        monkeypatch.setattr(session, "_INTERVAL", 0.0)
        assert "steps" not in run(*self.quick)[2]
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        for flags in self.shown_runs:
            assert run(*flags)[0] == 0
        for text in ("epoch 1, train loss ", "images/s", *self.shown):
            assert text in terminal.getvalue()
