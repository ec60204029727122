"""A run's folder: settings, a log with a row an epoch, a checkpoint, a summary; a kill loses little of it."""

import csv
import json
import os
import shutil
from pathlib import Path
from typing import NamedTuple

from nasbench.errors import said
from nasbench.runs.files import leads_to, open_locked, read_json, replacing, write_all, write_json
from oneshot.errors import FolderRemovedError, RunFolderError

_CONFIG, _LOG, _SUMMARY = "config.json", "log.csv", "summary.json"


class Stage(NamedTuple):
    """What kind of run a folder is of."""

    name: str  # as config.json has it
    columns: dict  # of the log, in order, each with what its text stands for

    @property
    def header(self):
        return ",".join(self.columns) + "\n"


class RunFolder:
    """The folder of one run: `config.json`, `log.csv`, `checkpoint.pt`, `summary.json`. Use it in a `with`.

    A row of the log is written before the checkpoint that counts it in; rows beyond the checkpoint are cut
    when the run goes on. One process at a time may write.
    """

    def __init__(self, path, log, stage):
        self.path = path
        self._log = log
        self._stage = stage
        self.position = len(stage.header)  # where the next row goes, in bytes

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._log.close()

    @classmethod
    def create(cls, path, config, stage):
        """A new folder of a Stage with its settings; RunFolderError if it exists or cannot be made."""
        path = Path(path)
        check_new(path)
        try:
            path.mkdir(parents=True)
        except OSError as error:
            raise RunFolderError(f"cannot make the folder {path}: {error.strerror}") from None
        log = None
        try:
            log = open_locked(path / _LOG, "x+b")
            write_all(log, stage.header.encode())
            write_json(path / _CONFIG, {"stage": stage.name} | config)  # last: with it, the folder is a run's
        except BaseException as error:
            if log is not None:
                log.close()
            shutil.rmtree(path, ignore_errors=True)
            if isinstance(error, OSError):
                raise RunFolderError(f"cannot write to the folder {path}: {error.strerror}") from None
            raise
        return cls(path, log, stage)

    @classmethod
    def reopen(cls, path, stage):
        """The folder of an earlier run of a Stage, locked against other processes."""
        path = Path(path)
        try:
            log = open_locked(path / _LOG, "r+b")
        except BlockingIOError:
            raise RunFolderError(f"another process is writing to {path}") from None
        except (FileNotFoundError, NotADirectoryError):
            raise RunFolderError(f"{path} is not the folder of a run: it has no {_LOG}") from None
        except OSError as error:
            raise RunFolderError(f"cannot go on with {path}: {error.strerror}") from None
        try:
            read_config(path, stage)
        except BaseException:
            log.close()
            raise
        return cls(path, log, stage)

    def append(self, row):
        """Write a row of the log, {column: value or None}, past the last one that counts."""
        data = (",".join(map(_text, (row[name] for name in self._stage.columns))) + "\n").encode()
        self.check_in_place()
        try:
            self._log.seek(self.position)  # an interrupt or an error may have left a part behind
            self._log.truncate()
            write_all(self._log, data)
            os.fsync(self._log.fileno())
        except OSError as error:
            raise RunFolderError(f"cannot write {self.path / _LOG}: {error.strerror}") from None
        self.position += len(data)

    def cut(self, position, rows):
        """Go back to where the log ended at a checkpoint, with so many rows; None: to the start."""
        header = self._stage.header.encode()
        position = len(header) if position is None else position
        try:
            self._log.seek(0)
            data = self._log.read()[:position]
            if not data.startswith(header) or len(data) < position or data.count(b"\n") != rows + 1:
                raise RunFolderError(
                    f"{self.path / _LOG} is damaged: it should have {rows:,} rows in {position:,} bytes"
                )
            self._log.truncate(position)
        except OSError as error:
            if isinstance(error, RunFolderError):
                raise
            raise RunFolderError(f"cannot go on with {self.path / _LOG}: {error.strerror}") from None
        self.position = position

    def write_summary(self, summary):
        """Write the summary, whole or not at all."""
        self.replace(_SUMMARY, (json.dumps(summary, indent=2) + "\n").encode())

    def check_in_place(self) -> None:
        """Raise FolderRemovedError if the folder was removed: rows of its log would be lost silently."""
        if not leads_to(self.path / _LOG, self._log):
            raise FolderRemovedError(f"{self.path} or its {_LOG} was removed or replaced during the run")

    def replace(self, name, data):
        """Write bytes to a file of the folder, whole or not at all."""
        self.check_in_place()
        try:
            with replacing(self.path / name) as temporary, open(temporary, "wb", buffering=0) as file:
                write_all(file, data)
        except OSError as error:
            raise RunFolderError(f"cannot write {self.path / name}: {error.strerror}") from None


def check_new(path):
    """RunFolderError if a run's folder cannot be new."""
    path = Path(path)
    if path.exists() or path.is_symlink():
        advice = "--resume goes on with it" if (path / _CONFIG).exists() else "it is not the folder of a run"
        raise RunFolderError(f"{path} exists; --out names a new folder; {advice}")


def read_config(path, stage):
    """The settings that a run of a Stage was begun with, a dict."""
    path = Path(path)
    try:
        config = read_json(path / _CONFIG)
    except (FileNotFoundError, NotADirectoryError):
        raise RunFolderError(f"{path} is not the folder of a run: it has no {_CONFIG}") from None
    except OSError as error:
        raise RunFolderError(f"cannot read {path / _CONFIG}: {error.strerror}") from None
    except ValueError as error:
        raise RunFolderError(f"{path / _CONFIG} is damaged: {said(error)}") from None
    if not isinstance(config, dict):
        raise RunFolderError(f"{path / _CONFIG} is damaged: it should hold an object")
    found = config.get("stage", stage.name)
    if found != stage.name:
        raise RunFolderError(f"{path} is the folder of a {said(found)}, not of a {stage.name}")
    return config


def read_log(path, stage):
    """The rows of the log of a run of a Stage, a list of {column: value or None}.

    A row that a kill cut short is left out.
    """
    path = Path(path) / _LOG
    try:
        text = path.read_text(encoding="utf-8")
        rows = csv.reader(text[: text.rfind("\n") + 1].splitlines())
        if next(rows, None) != list(stage.columns):
            raise ValueError(f"its first line should be {stage.header.strip()}")
        found = [
            {
                name: kind(value) if value else None
                for (name, kind), value in zip(stage.columns.items(), row, strict=True)
            }
            for row in rows
        ]
        names = list(stage.columns)
        if any(row[names[0]] is None or row[names[-1]] is None for row in found):
            raise ValueError(f"a row has no {names[0]} or no {names[-1]}")
        return found
    except OSError as error:
        raise RunFolderError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, csv.Error) as error:
        raise RunFolderError(f"{path} is damaged: {said(error)}") from None


def _text(value):
    text = "" if value is None else repr(value) if isinstance(value, float) else str(value)
    return f'"{text}"' if "," in text else text
