"""Trials of a multi-fidelity search: some of them at a time, and all of them as one run."""

import numpy as np

from blackbox.errors import RunFolderError
from blackbox.jobs_cli import summary_of_jobs
from blackbox.search.jobs import HEADER, JOB, JobHistory, log_rows, parse_jobs
from blackbox.search.space import space_of_table
from blackbox.table.simulator import simulate_trial

_NO_JOBS = np.empty(0, dtype=JOB)


class Simulations:
    """The trials of a Spec on the learning curves of a Benchmark; `settings`: a SimulationConfig."""

    header = HEADER

    def __init__(self, spec, settings, bench):
        self._spec = spec
        self._settings = settings
        self._bench = bench
        self._space = space_of_table(bench.space)
        self._curves = settings.curves(bench)

    def evaluate(self, part, log, watch):
        """The JobHistory of a Part, which goes on with its log, if any; None where it was stopped."""
        settings, spec = self._settings, self._spec
        ended = [] if log is None else self._ended(part, log)
        for trial in range(part.first + len(ended), part.end):
            done = (trial - part.first) / len(part.trials)

            def look(rows, done=done):
                if watch.is_time():
                    watch.tell(done + rows[-1][6] / settings.budget / len(part.trials))
                return watch.stopped

            search = spec.search_class(
                self._space, self._curves.fidelities, spec.config, trial, settings.seed
            )
            limits = settings.workers, settings.jobs, settings.budget
            rows = np.array(simulate_trial(search, self._curves, *limits, look), dtype=JOB)
            if watch.stopped:
                return None
            ended.append(rows)
            if log is not None:
                log.append_rows(log_rows(rows, self._bench.space.official_index()))
        return JobHistory(part.trials, np.concatenate(ended))

    def join(self, folder, logs, parts):
        """Write the rows of the Parts' logs to the RunFolder of all trials; their JobHistory."""
        rows = []
        for path, part in zip(logs, parts, strict=True):
            data = path.read_bytes()
            folder.append_rows(data[len(HEADER) :])
            rows.append(self._parse(data, path, part.trials).rows)
        return JobHistory(range(self._settings.trials), np.concatenate(rows))

    def summary(self, history):
        """What its summary.json is to hold."""
        spec, settings = self._spec, self._settings
        return summary_of_jobs(
            spec.search_class, spec.config, settings, history, self._curves, self._bench, complete=True
        )

    def _ended(self, part, log):
        """The rows of each trial that ended in an earlier run; what the log has of another is dropped."""
        data = log.read_log()
        history = self._parse(data, log.path / "log.csv", part.trials)
        last = int(history.trial.max()) if len(history) else part.first  # it may not have ended
        ended = [history.of(trial) for trial in range(part.first, last)]
        index = self._bench.space.official_index()
        if not self._curves.agrees(JobHistory(range(part.first, last), np.concatenate([*ended, _NO_JOBS]))):
            raise RunFolderError(f"{log.path} is damaged: its scores or times are not those of the table")
        kept = b"".join([HEADER.encode(), *(log_rows(rows, index) for rows in ended)])
        if not data.startswith(kept):
            raise RunFolderError(f"{log.path} is damaged: its rows are not in the order of trials")
        log.append_rows(b"", after=len(kept))
        return ended

    def _parse(self, data, path, trials):
        return parse_jobs(data, path, trials, self._bench.space.official_order())
