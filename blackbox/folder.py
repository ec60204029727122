"""A run's folder: settings, log, summary; a kill loses little of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import IO, Any, Self

from blackbox.errors import RunFolderError
from nasbench.errors import said
from nasbench.runs.files import leads_to, open_locked, read_json, write_all, write_json

_CONFIG, _LOG, _SUMMARY = "config.json", "log.csv", "summary.json"


class RunFolder:
    """The folder of one run: `config.json`, `log.csv`, `summary.json`. Close it, or use it in a `with`.

    The log has rows as `blackbox.kinds.logs` has them. It is only appended to; a row that a kill cut short is
    dropped when the run is resumed. One process at a time may write.
    """

    def __init__(self, path: Path, log: IO[bytes], end: int = 0) -> None:
        self.path = path
        self._log = log
        self._end = end  # of the rows, in bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._log.close()

    @classmethod
    def create(cls, path: str | Path, config: Any, header: bytes, parents: bool = True) -> Self:
        """Create a folder with its settings; RunFolderError if it exists or cannot be made.

        `header`: the first line of the log; `parents`: whether to create these, too.
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
    def reopen(cls, path: str | Path) -> Self:
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
    def log_alone(cls, path: str | Path, header: bytes, root: str | Path) -> Self:
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
            folder.append_rows(header, after=0)
        return folder

    def read_config(self) -> dict[str, Any]:
        """The settings that it was made with, a dict."""
        return read_config(self.path)

    def read_log(self) -> bytes:
        """Return the bytes of the log; what is appended follows them."""
        self._log.seek(0)
        data = self._log.read()
        self._end = len(data)
        return data

    def append_rows(self, data: bytes, after: int | None = None) -> None:
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

    def write_config(self, config: Any) -> None:
        """Write the settings, whole or not at all."""
        self._replace(_CONFIG, config)

    def write_summary(self, summary: Any) -> None:
        """Write the summary, whole or not at all."""
        self._replace(_SUMMARY, summary)

    def _replace(self, name: str, value: Any) -> None:
        self.check_in_place()
        try:
            write_json(self.path / name, value)
        except OSError as error:
            raise RunFolderError(f"cannot write {self.path / name}: {error.strerror}") from None


def read_config(path: str | Path) -> dict[str, Any]:
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
