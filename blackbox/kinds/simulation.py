"""Multi-fidelity searches on a simulated clock: how their trials run, and how they continue a log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from blackbox.errors import RunFolderError
from blackbox.kinds.base import Driver
from blackbox.search.jobs import JOB, JobHistory
from blackbox.table.simulator import simulate_trial

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from blackbox.folder import RunFolder
    from blackbox.kinds.logs import JobLog
    from blackbox.search.fidelity import MultiFidelitySearch
    from blackbox.table.curves import Curves
    from blackbox.table.settings import SimulationConfig

_END = JOB.names.index("end")
_NO_JOBS = np.empty(0, dtype=JOB)


class Simulation(Driver[JobHistory]):
    """Drives trials of a `MultiFidelitySearch`, one after the other.

    A search cannot continue from a log of its jobs: it is simulated again, and must lead to the same jobs.
    """

    unit = " trials"

    def __init__(
        self,
        search: Callable[[int], MultiFidelitySearch],
        curves: Curves,
        settings: SimulationConfig,
        log: JobLog,
        *,
        is_part: bool,
    ) -> None:
        """`search(trial)`: before its first job.

        `is_part`: the trials are a part of a run, whose limits cannot be raised; those that ended in its log
        are held against the table, and not simulated again.
        """
        self.log = log
        self._search = search
        self._curves = curves
        self._settings = settings
        self._trials = log.trials
        self._ended: list[NDArray[np.void]] = []  # the jobs of each trial that ended, of dtype JOB
        self._running: list[tuple[Any, ...]] = []  # jobs of the trial that runs
        self._verified = 0  # of them
        self._is_part = is_part
        self._replay: _Replay | None = None
        self.total = len(log.trials)

    @property
    def history(self) -> JobHistory:
        jobs = [*self._ended, np.array(self._running, dtype=JOB)] if self._running else self._ended
        return JobHistory(self._trials[: len(jobs)], np.concatenate(jobs))

    @property
    def done(self) -> float:
        if not self._running:
            return len(self._ended)
        jobs, budget = self._settings.jobs, self._settings.budget
        by_jobs = len(self._running) / jobs if jobs else 0.0
        return len(self._ended) + max(by_jobs, self._running[-1][_END] / budget if budget else 0.0)

    @property
    def share(self) -> float:
        return self.done / self.total

    def resume(self, folder: RunFolder) -> None:
        self._replay = _Replay(folder, self.log)
        if self._is_part:
            for rows in self._replay.ended_trials(self._curves):
                self._running = rows.tolist()
                self._end_trial()

    def advance(self, stop: Callable[[], bool]) -> bool:
        settings = self._settings
        limits = settings.workers, settings.jobs, settings.budget
        stopped = False

        def look(rows: list[tuple[Any, ...]]) -> bool:
            nonlocal stopped
            self._running = rows
            stopped = stop()
            return stopped

        for trial in self._trials[len(self._ended) :]:
            self._running = simulate_trial(self._search(trial), self._curves, *limits, look)
            if stopped:
                self.verify()
                return False
            self._end_trial()
            if len(self._ended) < self.total and stop():
                return False
        return True

    def verify(self) -> bool:
        return self._take(ended=False)

    def save(self) -> None:
        if self._replay is not None and self.verify():
            self._replay.write()

    def _end_trial(self) -> None:
        self._take(ended=True)
        self._ended.append(np.array(self._running, dtype=JOB))
        self._running, self._verified = [], 0

    def _take(self, ended: bool) -> bool:
        """Hold new jobs of the trial that runs against the log; return whether all of the log was met."""
        if self._replay is None:
            return True
        rows = np.array(self._running[self._verified :], dtype=JOB)
        if len(self._ended) < self.total:
            self._replay.add(self._trials[len(self._ended)], self._verified, rows, ended)
        self._verified += len(rows)
        return self._replay.is_met


class _Replay:
    """The log of an earlier run beside the jobs that its search, simulated again, leads to.

    The file stays as it is until all of its jobs were met: until then a stop loses nothing.
    """

    def __init__(self, folder: RunFolder, log: JobLog) -> None:
        data = folder.read_log()
        self._folder = folder
        self._log = log
        self._earlier = log.decode(data, folder.path / "log.csv")
        self._data = data[: log.whole(data)]
        self._new = [log.header]  # rows to write
        self._met = 0  # jobs of the earlier log
        self._is_open = False  # once all of them were met

    @property
    def is_met(self) -> bool:
        return self._met >= len(self._earlier)

    def ended_trials(self, curves: Curves) -> list[NDArray[np.void]]:
        """Return the jobs of each trial that ended in the log: of all but the last one in it."""
        path, trials = self._folder.path, self._log.trials
        last = int(self._earlier.trial.max()) if len(self._earlier) else trials[0]
        numbers = [trial for trial in trials if trial < last]
        ended = [self._earlier.of(trial) for trial in numbers]
        rows = np.concatenate([*ended, _NO_JOBS])
        if not curves.agrees(JobHistory(numbers, rows)):
            raise RunFolderError(f"{path} is damaged: its scores or times are not those of the table")
        if not self._data.startswith(self._log.header + self._log.encode(rows)):
            raise RunFolderError(f"{path} is damaged: its rows are not in the order of trials")
        return ended

    def add(self, trial: int, start: int, rows: NDArray[np.void], ended: bool) -> None:
        """Take jobs of a trial, from its job `start` on; `ended`: there are no more."""
        earlier = self._earlier.of(trial)[start:]
        both = min(len(earlier), len(rows))
        if (rows[:both] != earlier[:both]).any() or (ended and both < len(earlier)):
            raise RunFolderError(
                f"{self._folder.path} is damaged: its log is not what its settings lead to on this table"
            )
        self._met += both
        self._new.append(self._log.encode(rows))

    def write(self) -> None:
        """Bring the file up to date."""
        data = b"".join(self._new)
        if not self._is_open:
            same = len(self._data) if data.startswith(self._data) else 0  # not if limits were raised
            self._folder.append_rows(data[same:], after=same)
            self._is_open = True
        elif data:
            self._folder.append_rows(data)
        self._new = []
