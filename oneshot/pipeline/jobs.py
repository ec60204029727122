"""Run commands of this package as processes, one at a time per device."""

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

_POLL_SECONDS = 0.05  # interval between checks of the processes
_DIES_WITH_PARENT = 1  # option of Linux's prctl
_Process = subprocess.Popen[bytes]


class Job(NamedTuple):
    """A command to run: `python -m MODULE ARGUMENTS --device DEVICE`."""

    #: name in messages
    name: str
    #: module to run
    module: str
    #: arguments without the device
    arguments: tuple[str, ...]
    #: file for its stdout
    log: Path

    @property
    def command(self) -> tuple[str, ...]:
        """The command as typed, without the device."""
        return ("python", "-m", self.module, *self.arguments)


def run_words(path: Path, words: Iterable[str]) -> tuple[str, ...]:
    """Return the arguments of a job with a run folder: `words` for a new folder, else --resume."""
    return ("--resume", str(path)) if (path / "config.json").exists() else (*words, "--out", str(path))


def run_jobs(
    jobs: Iterable[Job],
    devices: Sequence[str],
    stop: Callable[[], bool] = lambda: False,
    done: Callable[[Job], object] = lambda job: None,
) -> bool:
    """Run jobs, each on the first free device; return whether all were completed.

    With one device, the stderr of a job is shown, including its progress bar; with several, it is written to
    the job's `log` with the suffix .err.

    Parameters
    ----------
    jobs, devices
        The jobs, and names of the devices.
    stop
        Polled continuously; once it returns True, running jobs are interrupted, once, and waited for.
    done
        Called with each job that succeeded.

    Raises
    ------
    JobError
        If a job fails; the other running jobs are interrupted, so that they save their progress.
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
            # Jobs must not create a removed folder again, so they are killed instead of interrupted.
            _signal(running, signal.SIGKILL if isinstance(error, FolderRemovedError) else signal.SIGINT)
            for process in running:
                process.wait()
            raise
    return not interrupted


def _start(job: Job, device: str, alone: bool, files: ExitStack) -> _Process:
    """Start a job in its own process group, so that interrupts of the terminal reach only this process."""
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
    """Kill this process when its parent is killed; otherwise it would keep writing to the folder."""
    with suppress(OSError, AttributeError):  # not on Linux
        ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)


def _signal(processes: Iterable[_Process], number: int) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _failure(job: Job, code: int, alone: bool) -> str:
    reason = "; see above"
    if not alone:
        lines = []
        with suppress(OSError):  # the folder may have been removed
            lines = _error_log(job).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        reason = f": {lines[-1]}" if lines else ""
    ending = f"was killed by signal {-code}" if code < 0 else f"failed with exit code {code}"
    return f"{job.name} {ending}{reason}"


def _error_log(job: Job) -> Path:
    return job.log.with_name(job.log.name + ".err")
