"""The folder of a search by workers: what was asked for and what came of it, written as it happens."""

import csv
import io
from contextlib import suppress

import numpy as np

from blackbox.errors import RunFolderError
from blackbox.folder import RunFolder
from blackbox.kinds.logs import EvaluationLog, JobLog
from blackbox.search.jobs import JOB
from blackbox.workers.tasks import Asked, Cells, Jobs, MismatchError
from nasbench.errors import said
from nasbench.runs.files import write_all

_ASKED, _FAILURES = "asked.csv", "failures.csv"
_ASKED_HEADER = b"evaluation,index,told\n"
_FAILURES_HEADER = ("evaluation", "index", "cell", "epochs", "worker", "error", "traceback")


class Record:
    """A RunFolder, and beside its files `asked.csv`, a row a task, before a worker has it.

    So a run that was killed goes on with the tasks that were out, and none is lost or made twice.
    `failures.csv` says of each evaluation that failed why. All is in the folder when a call returns.
    """

    def __init__(self, folder, space, asked):
        self.folder = folder
        self._space = space
        self._index = space.official_index()
        self._asked = asked
        self._saved = 0  # steps of a lockstep search

    @classmethod
    def create(cls, path, config, space, of_jobs):
        """A new folder; `of_jobs`: whether its log is of a multi-fidelity search."""
        log = JobLog(space, [0]) if of_jobs else EvaluationLog(space, [0])
        folder = RunFolder.create(path, config, log.header)
        return cls._open(folder, space, _ASKED_HEADER)

    @classmethod
    def reopen(cls, folder, space):
        """That of an earlier run, whose folder is open."""
        return cls._open(folder, space, b"")

    @classmethod
    def _open(cls, folder, space, header):
        try:
            asked = open(folder.path / _ASKED, "ab+", buffering=0)  # noqa: SIM115 - closed by `close`
            write_all(asked, header)
        except OSError as error:
            folder.close()
            raise RunFolderError(f"cannot write {folder.path / _ASKED}: {error.strerror}") from None
        return cls(folder, space, asked)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._asked.close()
        self.folder.close()

    # An earlier run

    def history(self):
        """What the log has of a lockstep search, a History."""
        data, log = self.folder.read_log(), EvaluationLog(self._space, [0])
        history = log.decode(data, f"{self.folder.path}/log.csv")
        self.folder.append_rows(b"", after=log.whole(data))
        self._saved = len(history)
        return history

    def rows(self):
        """What the log has of a multi-fidelity search, of dtype JOB."""
        data, log = self.folder.read_log(), JobLog(self._space, [0])
        history = log.decode(data, f"{self.folder.path}/log.csv")
        self.folder.append_rows(b"", after=log.whole(data))
        return history.rows

    def resume(self, tasks):
        """Bring Tasks to where the earlier run left them; those that were out."""
        try:
            return tasks.resume(self._read_asked())
        except MismatchError as error:
            raise RunFolderError(f"{self.folder.path} is damaged: {said(error)}") from None

    def _read_asked(self):
        path = self.folder.path / _ASKED
        self._asked.seek(0)
        data = self._asked.read()
        data = data[: data.rfind(b"\n") + 1]  # a row that a kill cut short was not begun
        self._asked.truncate(len(data))
        if not data.startswith(_ASKED_HEADER):
            raise RunFolderError(
                f"{path} is damaged: its first line should be {_ASKED_HEADER.decode().strip()}"
            )
        order = self._space.official_order()
        rows = []
        with suppress(ValueError):
            for line in data.splitlines()[1:]:
                number, index, told = map(int, line.split(b","))
                if number != len(rows) or not 0 <= index < len(order) or not 0 <= told <= number:
                    break
                rows.append(Asked(number, int(order[index]), told))
            else:
                return rows
        raise RunFolderError(f"{path} is damaged: its row {len(rows) + 1} is not that of a task")

    # What happens

    def asked(self, task, told):
        """Write that a task was asked for, when so many were told."""
        self._append(_ASKED, self._asked, b"%d,%d,%d\n" % (task.number, self._index[task.code], told))

    def told(self, tasks):
        """Write what the log does not have yet of Tasks."""
        match tasks:
            case Cells():
                history = tasks.search.history
                self.folder.append_rows(EvaluationLog(self._space, [0]).encode(history, self._saved))
                self._saved = len(history)
            case Jobs():
                rows = np.array(tasks.rows[-1:], dtype=JOB)
                self.folder.append_rows(JobLog(self._space, [0]).encode(rows))

    def failed(self, task, outcome):
        """Write why an evaluation failed."""
        path = self.folder.path / _FAILURES
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not path.exists():
            writer.writerow(_FAILURES_HEADER)
        cell = self._space.cell(task.code)
        writer.writerow(
            (
                task.number,
                cell.index,
                cell,
                task.epochs,
                outcome.worker,
                outcome.error,
                outcome.traceback.strip(),
            )
        )
        try:
            with open(path, "ab", buffering=0) as file:
                self._append(_FAILURES, file, text.getvalue().encode())
        except OSError as error:
            raise RunFolderError(f"cannot write {path}: {error.strerror}") from None

    def _append(self, name, file, data):
        self.folder.check_in_place()
        try:
            write_all(file, data)
        except OSError as error:
            raise RunFolderError(f"cannot write {self.folder.path / name}: {error.strerror}") from None
