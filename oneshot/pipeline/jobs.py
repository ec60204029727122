"""Commands of this package as processes, one a device at a time, side by side on several."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from oneshot.errors import FolderRemovedError, JobError

_LOOK = 0.05  # seconds between looks at the processes
_DIES_WITH_PARENT = 1  # of Linux's prctl


class Job(NamedTuple):
    """A command to be run: `python -m MODULE ARGUMENTS --device DEVICE`."""

    name: str  # for people
    module: str
    arguments: tuple
    log: Path  # what it prints goes here

    @property
    def command(self):
        """The command without a device, as one types it."""
        return ("python", "-m", self.module, *self.arguments)


def run(jobs, devices, stop=None, done=None):
    """Run jobs, each on the first of the devices that is free; whether all were run to their end.

    One device: what a job says on stderr is seen, its progress bar too. Several: it goes to `log` with the
    suffix .err. `stop()`: asked all the time; a true answer interrupts the jobs under way, once, and waits
    for them. `done(job)`: called after each that ends well. JobError where one fails; the others are
    interrupted then, so that they save what they have.
    """
    waiting, free, running = list(jobs), list(devices), {}
    interrupted = False
    alone = len(devices) == 1
    with ExitStack() as files:
        try:
            while waiting or running:
                if stop is not None and stop() and not interrupted:
                    interrupted = True
                    waiting.clear()
                    _signal(running, signal.SIGINT)
                while waiting and free:
                    job, device = waiting.pop(0), free.pop(0)
                    running[_started(job, device, alone, files)] = job, device
                for process in [each for each in running if each.poll() is not None]:
                    job, device = running.pop(process)
                    free.append(device)
                    if process.returncode == 0:
                        if done is not None:
                            done(job)
                    elif not interrupted:
                        raise JobError(_failed(job, process.returncode, alone))
                time.sleep(_LOOK)
        except BaseException as error:
            # In a folder that was removed there is nothing to save, and a job must not create it again.
            _signal(running, signal.SIGKILL if isinstance(error, FolderRemovedError) else signal.SIGINT)
            for process in running:
                process.wait()
            raise
    return not interrupted


def _started(job, device, alone, files):
    """A process, in a group of its own: an interrupt from the terminal reaches it through this one alone."""
    try:
        job.log.parent.mkdir(exist_ok=True)
        out = files.enter_context(job.log.open("wb"))
        err = None if alone else files.enter_context(_err(job).open("wb"))
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


def _die_with_parent():
    """Else a job would go on alone, and hold its folder, when this process is killed."""
    with suppress(OSError, AttributeError):  # another system than Linux
        ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)


def _signal(processes, number):
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _failed(job, code, alone):
    said = "; see above"
    if not alone:
        lines = []
        with suppress(OSError):  # its folder may have been removed
            lines = _err(job).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        said = f": {lines[-1]}" if lines else ""
    how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
    return f"{job.name} {how}{said}"


def _err(job):
    return job.log.with_name(job.log.name + ".err")
