"""Multi-fidelity searches on a simulated clock: their log format and their driver, which can resume a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from blackbox.errors import RunFolderError
from blackbox.kinds.base import Driver
from blackbox.kinds.logs import SearchLog
from blackbox.search.fidelity import MultiFidelitySearch
from blackbox.search.jobs import JOB, JobHistory, JobRow, JobRows
from blackbox.table.curves import Curves
from blackbox.table.settings import SimulationConfig
from blackbox.table.simulator import simulate_trial
from nasbench.runs.log import AppendLog, encode_numbers
from nasbench.runs.text import counted

_NO_JOBS = np.empty(0, dtype=JOB)


class JobLog(SearchLog[JobHistory]):
    """The log format with a row per completed job, with the fields of `JobRow` and official indices."""

    header = b"job,trial,index,epoch,score,start,end,worker\n"

    def encode(self, rows: JobHistory) -> bytes:
        return self.lines(rows.rows)

    def lines(self, rows: JobRows) -> bytes:
        """Return the rows of jobs, an array of dtype JOB."""
        columns = {name: rows[name] for name in JobRow._fields}
        columns["code"] = self._space.official_index()[rows["code"]]
        return encode_numbers("%d,%d,%d,%d,%r,%r,%r,%d\n", list(columns.values()))

    def whole(self, data: bytes) -> int:
        return data.rfind(b"\n") + 1

    def decode(self, data: bytes, path: str | Path) -> JobHistory:
        lines, order = self._lines(data, path), self._space.official_order()
        if not lines:
            return JobHistory(self.trials, [])
        table = self._table(lines, path)
        if table.shape[1] != len(JobRow._fields):
            raise RunFolderError(f"{path} is damaged: its rows have {counted(table.shape[1], 'column')}")
        job, trial, index, epochs, score, start, end, worker = table.T
        whole = np.stack([job, trial, index, epochs, worker])
        if (
            (whole != np.floor(whole)).any()
            or whole.min() < 0
            or whole.max() >= 2**53
            or epochs.min() < 1
            or not np.isin(trial, np.array(self.trials)).all()
            or index.max() >= len(order)
            or np.isnan(score).any()
            or not (np.isfinite(end) & (start >= 0) & (start <= end)).all()
        ):
            raise RunFolderError(
                f"{path} is damaged: its rows are not jobs of {counted(len(self.trials), 'trial')}"
            )
        rows: JobRows = np.rec.fromarrays(table.T, dtype=JOB)
        rows["code"] = order[rows["code"]]
        return JobHistory(self.trials, rows)

    def join(self, logs: Sequence[Path], sizes: Sequence[int]) -> Iterator[bytes]:
        for path in logs:
            yield path.read_bytes()[len(self.header) :]


@dataclass
class Simulation(Driver[JobHistory]):
    """The driver of the trials of a `MultiFidelitySearch`, which run one after the other.

    A search cannot continue from a log of its jobs: it is simulated again and must produce the same jobs.
    """

    unit = "trials"

    #: Format of the log.
    log_format: JobLog
    #: Function that returns the search of a trial before its first job.
    search: Callable[[int], MultiFidelitySearch[Any]]
    #: The objective.
    curves: Curves
    #: Settings of the run.
    settings: SimulationConfig
    #: Whether the trials are a part of a run, whose limits cannot be raised. Then the completed trials in its
    #: log are checked against the table and not simulated again.
    is_part: bool
    _ended: list[JobRows] = field(default_factory=list, init=False)  # jobs of completed trials, dtype JOB
    _running: list[JobRow] = field(default_factory=list, init=False)  # jobs of the running trial
    _verified: int = field(default=0, init=False)  # number of these that are verified
    _replay: _Replay | None = field(default=None, init=False)

    @property
    def total(self) -> int:
        return len(self.log_format.trials)

    @property
    def history(self) -> JobHistory:
        jobs = [*self._ended, np.array(self._running, dtype=JOB)] if self._running else self._ended
        return JobHistory(self.log_format.trials[: len(jobs)], np.concatenate(jobs))

    @property
    def done(self) -> float:
        if not self._running:
            return len(self._ended)
        jobs, budget = self.settings.jobs, self.settings.budget
        by_jobs = len(self._running) / jobs if jobs else 0.0
        by_time = self._running[-1].end / budget if budget else 0.0
        return round(len(self._ended) + max(by_jobs, by_time), 2)

    @property
    def share(self) -> float:
        return self.done / self.total

    def resume(self, log: AppendLog) -> None:
        self._replay = _Replay(log, self.log_format)
        if self.is_part:
            for rows in self._replay.ended_trials(self.curves):
                self._running = list(map(JobRow._make, rows.tolist()))
                self._end_trial()

    def advance(self, stop: Callable[[], bool]) -> bool:
        settings = self.settings
        limits = settings.workers, settings.jobs, settings.budget
        stopped = False

        def look(rows: list[JobRow]) -> bool:
            nonlocal stopped
            self._running = rows
            stopped = stop()
            return stopped

        for trial in self.log_format.trials[len(self._ended) :]:
            self._running = simulate_trial(self.search(trial), self.curves, *limits, look)
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
        """Check new jobs of the running trial against the log; return whether the log is fully replayed."""
        if self._replay is None:
            return True
        rows = np.array(self._running[self._verified :], dtype=JOB)
        if len(self._ended) < self.total:
            self._replay.add(self.log_format.trials[len(self._ended)], self._verified, rows, ended)
        self._verified += len(rows)
        return self._replay.is_met


class _Replay:
    """The log of an earlier run, compared with the jobs of its search, which is simulated again.

    The file does not change until all of its jobs were replayed, so a stop before loses nothing.
    """

    def __init__(self, log: AppendLog, log_format: JobLog) -> None:
        self._log = log
        self._format = log_format
        self._data = log.read()
        self._earlier = log_format.decode(self._data, log.path)
        self._new = [log_format.header]  # rows to write
        self._met = 0  # jobs of the earlier log that were replayed
        self._is_open = False  # whether new rows can be appended

    @property
    def is_met(self) -> bool:
        return self._met >= len(self._earlier)

    def ended_trials(self, curves: Curves) -> list[JobRows]:
        """Return the jobs of each completed trial in the log, which are all but its last trial."""
        path, trials = self._log.path.parent, self._format.trials
        last = int(self._earlier.trial.max()) if len(self._earlier) else trials[0]
        numbers = [trial for trial in trials if trial < last]
        ended = [self._earlier.trial_jobs(trial) for trial in numbers]
        rows = np.concatenate([*ended, _NO_JOBS])
        if not curves.agrees(JobHistory(numbers, rows)):
            raise RunFolderError(f"{path} is damaged: its scores or times differ from the table")
        if not self._data.startswith(self._format.header + self._format.lines(rows)):
            raise RunFolderError(f"{path} is damaged: its rows are not in the order of trials")
        return ended

    def add(self, trial: int, start: int, rows: JobRows, ended: bool) -> None:
        """Add jobs of a trial, from its job `start` on; `ended` is true if there are no more."""
        earlier = self._earlier.trial_jobs(trial)[start:]
        both = min(len(earlier), len(rows))
        if (rows[:both] != earlier[:both]).any() or (ended and both < len(earlier)):
            raise RunFolderError(
                f"{self._log.path.parent} is damaged: its log does not match its settings on this table"
            )
        self._met += both
        self._new.append(self._format.lines(rows))

    def write(self) -> None:
        """Write new rows to the file."""
        data = b"".join(self._new)
        if not self._is_open:
            is_longer = data.startswith(self._data)  # false if limits were raised, which lengthens each trial
            same = len(self._data if is_longer else self._format.header)
            self._log.truncate(same)
            data = data[same:]
            self._is_open = True
        if data:
            self._log.append(data)
        self._new = []
