"""Commands of this package as processes, one per device at a time."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from oneshot.errors import FolderRemovedError, JobError

_POLL_SECONDS = 0.05  # between looks at the processes
_DIES_WITH_PARENT = 1  # of Linux's prctl
_Process = subprocess.Popen[bytes]


class Job(NamedTuple):
    """A command to be run: `python -m MODULE ARGUMENTS --device DEVICE`."""

    #: Name for people.
    name: str
    #: Module that is run.
    module: str
    #: Arguments, all but the device.
    arguments: tuple[str, ...]
    #: File for its output.
    log: Path

    @property
    def command(self) -> tuple[str, ...]:
        """The command without a device, as one types it."""
        return ("python", "-m", self.module, *self.arguments)


def run_words(path: Path, words: Iterable[str]) -> tuple[str, ...]:
    """Return the arguments of a job with a folder: these words for a new one, else that it is resumed."""
    return ("--resume", str(path)) if (path / "config.json").exists() else (*words, "--out", str(path))


def run_jobs(
    jobs: Iterable[Job],
    devices: Sequence[str],
    stop: Callable[[], bool] = lambda: False,
    done: Callable[[Job], object] = lambda job: None,
) -> bool:
    """Run jobs, each on the first device that is free; return whether all were run to their end.

    With one device, the stderr of a job is shown, its progress bar too; with several, it goes to `log` with
    the suffix .err. `stop()`: called all the time; if it is true, the jobs under way are interrupted, once,
    and waited for. `done(job)`: called after each that ends well. JobError if one fails; the others are then
    interrupted, so that they save what they have.
    """
    waiting, free = list(jobs), list(devices)
    running: dict[_Process, tuple[Job, str]] = {}
    interrupted = False
    alone = len(devices) == 1
    with ExitStack() as files:
        try:
            while waiting or running:
                if stop() and not interrupted:
                    interrupted = True
                    waiting.clear()
                    _signal(running, signal.SIGINT)
                while waiting and free:
                    job, device = waiting.pop(0), free.pop(0)
                    running[_start(job, device, alone, files)] = job, device
                for process in [each for each in running if each.poll() is not None]:
                    job, device = running.pop(process)
                    free.append(device)
                    if process.returncode == 0:
                        done(job)
                    elif not interrupted:
                        raise JobError(_failure(job, process.returncode, alone))
                time.sleep(_POLL_SECONDS)
        except BaseException as error:
            # In a folder that was removed there is nothing to save, and a job must not create it again.
            _signal(running, signal.SIGKILL if isinstance(error, FolderRemovedError) else signal.SIGINT)
            for process in running:
                process.wait()
            raise
    return not interrupted


def _start(job: Job, device: str, alone: bool, files: ExitStack) -> _Process:
    """Start a job in its own process group: the terminal's interrupts reach it through this process."""
    try:
        job.log.parent.mkdir(exist_ok=True)
        out = files.enter_context(job.log.open("wb"))
        err = None if alone else files.enter_context(_error_log(job).open("wb"))
    except OSError as error:
        raise JobError(f"cannot write {job.log}: {error.strerror}") from None
    return subprocess.Popen(
        [sys.executable, *job.command[1:], "--device", device],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        process_group=0,
        preexec_fn=_die_with_parent,
    )


def _die_with_parent() -> None:
    """End this process when its parent is killed, which would otherwise leave it with the folder."""
    with suppress(OSError, AttributeError):  # another system than Linux
        ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)


def _signal(processes: Iterable[_Process], number: int) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _failure(job: Job, code: int, alone: bool) -> str:
    reason = "; see above"
    if not alone:
        lines = []
        with suppress(OSError):  # its folder may have been removed
            lines = _error_log(job).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        reason = f": {lines[-1]}" if lines else ""
    how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
    return f"{job.name} {how}{reason}"


def _error_log(job: Job) -> Path:
    return job.log.with_name(job.log.name + ".err")
