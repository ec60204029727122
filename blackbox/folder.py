"""A run's folder: settings, a log with a row an evaluation, summary; a kill loses little of it."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from blackbox.errors import RunFolderError
from blackbox.search.history import History
from nasbench.errors import said
from nasbench.runs.files import leads_to, open_locked, read_json, write_all, write_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CONFIG, _LOG, _SUMMARY = "config.json", "log.csv", "summary.json"


class RunFolder:
    """The folder of one run: `config.json`, `log.csv`, `summary.json`. Close it, or use it in a `with`.

    The log has a row for each evaluation of each trial, in the order of evaluations: number, trial, official
    index, score (one an objective), simulated seconds; or the rows of jobs (`blackbox.search.jobs`). It is
    only appended to; a row that a kill cut short is dropped when the run goes on. One process at a time may
    write.
    """

    def __init__(self, path, log, end=0):
        self.path = path
        self._log = log
        self._steps = 0  # in the log, as far as it has been read or written
        self._end = end  # of the last of them, in bytes

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._log.close()

    @classmethod
    def create(cls, path, config, objectives=1, header=None, parents=True):
        """A new folder with its settings; RunFolderError if it exists or cannot be made.

        `header`: the first line of a log that is not of evaluations; `parents`: whether to create these, too.
        """
        path = Path(path)
        try:
            path.mkdir(parents=parents)
        except FileExistsError:
            advice = (
                "--resume goes on with it" if (path / _CONFIG).exists() else "it is not the folder of a run"
            )
            raise RunFolderError(f"{path} exists; --out names a new folder; {advice}") from None
        except OSError as error:
            raise RunFolderError(f"cannot make the folder {path}: {error.strerror}") from None
        log = None
        try:
            log = open_locked(path / _LOG, "x+b")
            header = (header or header_of(objectives)).encode()
            write_all(log, header)
            write_json(path / _CONFIG, config)  # last: with it, the folder is a run's
        except BaseException as error:
            if log is not None:
                log.close()
            shutil.rmtree(path, ignore_errors=True)
            if isinstance(error, OSError):
                raise RunFolderError(f"cannot write to the folder {path}: {error.strerror}") from None
            raise
        return cls(path, log, len(header))

    @classmethod
    def reopen(cls, path):
        """The folder of an earlier run, locked against other processes."""
        path = Path(path)
        try:
            log = open_locked(path / _LOG, "r+b")
        except BlockingIOError:
            raise RunFolderError(f"another process is writing to {path}") from None
        except (FileNotFoundError, NotADirectoryError):
            raise RunFolderError(f"{path} is not the folder of a run: it has no {_LOG}") from None
        except OSError as error:
            raise RunFolderError(f"cannot go on with {path}: {error.strerror}") from None
        return cls(path, log)

    @classmethod
    def log_alone(cls, path, header, root):
        """A folder that has nothing but a log, new or of an earlier run: of some trials of a larger one.

        `root`: the folder of the larger one, above it, which must exist.
        """
        path = Path(path)
        try:
            folder = Path(root)
            for name in path.relative_to(root).parts:
                folder /= name
                folder.mkdir(exist_ok=True)
            log = open_locked(path / _LOG, "a+b")
        except BlockingIOError:
            raise RunFolderError(f"another process is writing to {path}") from None
        except OSError as error:
            raise RunFolderError(f"cannot write to the folder {path}: {error.strerror}") from None
        folder = cls(path, log)
        if len(folder.read_log()) < len(header):
            folder.append_rows(header.encode(), after=0)
        return folder

    def read_config(self):
        """The settings that it was made with, a dict."""
        return read_config(self.path)

    def read_history(self, trials, codes, objectives=1):
        """The history in the log, up to its last whole step.

        `trials`: their numbers; `codes`: the code of each official index.
        """
        self._log.seek(0)
        history, self._end = parse_log(self._log.read(), self.path / _LOG, trials, codes, objectives)
        self._steps = len(history)
        return history

    def append(self, history, index, trials=None):
        """Write what the log does not have yet.

        `index`: the official index of each code; `trials`: their numbers, by default from 0.
        """
        if len(history) == self._steps:
            return
        trials = np.arange(history.trials) if trials is None else np.array(trials)
        steps = slice(self._steps, len(history))
        columns = (
            np.repeat(np.arange(self._steps + 1, len(history) + 1), history.trials),
            np.tile(trials, len(history) - self._steps),
            index[history.codes[:, steps].T.ravel()],
            *history.scores[:, steps]
            .swapaxes(0, 1)
            .reshape(len(trials) * (len(history) - self._steps), -1)
            .T,
            history.costs[:, steps].T.ravel(),
        )
        rows = zip(*(column.tolist() for column in columns), strict=True)
        row = ",".join(["%d,%d,%d", *["%r"] * (history.objectives + 1)]) + "\n"
        self.append_rows("".join([row % values for values in rows]).encode())
        self._steps = len(history)

    def read_log(self):
        """The bytes of a log of jobs; what is appended follows them."""
        self._log.seek(0)
        data = self._log.read()
        self._end = len(data)
        return data

    def append_rows(self, data, after=None):
        """Write whole rows, bytes, at the end of the log, or after so many of its bytes."""
        end = self._end if after is None else after
        self.check_in_place()
        try:
            self._log.seek(end)  # an interrupt or an error may have left a part behind
            self._log.truncate()
            write_all(self._log, data)
        except OSError as error:
            raise RunFolderError(f"cannot write {self.path / _LOG}: {error.strerror}") from None
        self._end = end + len(data)

    def check_in_place(self) -> None:
        """Raise RunFolderError if the folder was removed: rows of its log would be lost silently."""
        if not leads_to(self.path / _LOG, self._log):
            raise RunFolderError(f"{self.path} or its {_LOG} was removed or replaced during the run")

    def write_config(self, config):
        """Write the settings, whole or not at all."""
        self._replace(_CONFIG, config)

    def write_summary(self, summary):
        """Write the summary, whole or not at all."""
        self._replace(_SUMMARY, summary)

    def _replace(self, name, value):
        self.check_in_place()
        try:
            write_json(self.path / name, value)
        except OSError as error:
            raise RunFolderError(f"cannot write {self.path / name}: {error.strerror}") from None


def read_config(path):
    """What the `config.json` in the folder of a run holds, a dict; RunFolderError where there is none."""
    config = Path(path) / _CONFIG
    try:
        record = read_json(config)
    except (FileNotFoundError, NotADirectoryError):
        raise RunFolderError(f"{path} is not the folder of a run: it has no {_CONFIG}") from None
    except OSError as error:
        raise RunFolderError(f"cannot read {config}: {error.strerror}") from None
    except ValueError as error:
        raise RunFolderError(f"{config} is damaged: {said(error)}") from None
    if not isinstance(record, dict):
        raise RunFolderError(f"{config} is damaged: it should hold an object")
    return record


def parse_log(data, path, trials, codes, objectives=1):
    """The history in a log (the bytes of the file at `path`), and where its last whole step ends."""
    header = header_of(objectives)
    lines = data[: data.rfind(b"\n") + 1].splitlines(keepends=True)
    if not lines or lines[0] != header.encode():
        raise RunFolderError(f"{path} is damaged: its first line should be {header.strip()}")
    steps = (len(lines) - 1) // len(trials)
    lines = lines[: 1 + steps * len(trials)]
    history = History(len(trials), objectives)
    if steps:
        try:
            rows = read_rows(b"".join(lines[1:]))
            number, trial, index, *scores, costs = rows.T.reshape(4 + objectives, steps, len(trials))
        except ValueError as error:
            raise RunFolderError(f"{path} is damaged: {said(error)}") from None
        if (
            (number != np.arange(1, steps + 1)[:, None]).any()
            or (trial != np.array(trials)).any()
            or not np.isin(index, np.arange(len(codes))).all()
            or not (np.max(scores, axis=0) < np.inf).all()  # nor NaN; -inf: a failed evaluation
            or not np.isfinite(costs).all()
        ):
            raise RunFolderError(
                f"{path} is damaged: its rows are not {steps} evaluations of {len(trials)} trials"
            )
        scores = scores[0] if objectives == 1 else np.stack(scores, axis=-1)
        history.extend(codes[index.astype(np.intp)].T, scores.swapaxes(0, 1), costs.T)
    return history, sum(map(len, lines))


def read_rows(data: bytes) -> NDArray[np.float64]:
    """Return the numbers in lines of a log, shape (lines, columns); ValueError if there are none."""
    if not data.strip():
        raise ValueError("its rows are empty")
    return np.loadtxt(io.BytesIO(data), delimiter=",", comments=None, ndmin=2)


def header_of(objectives):
    """The first line of a log of evaluations."""
    scores = ["score", *(f"score{n}" for n in range(2, objectives + 1))]
    return ",".join(["evaluation", "trial", "index", *scores, "cost"]) + "\n"
