"""Folders of runs: record, log and summary, robust against kills."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from nasbench.errors import RunFolderError, one_line
from nasbench.runs.files import read_json, replacing, to_json, write_all, write_json
from nasbench.runs.log import AppendLog, described

SUMMARY = "summary.json"


@dataclass(frozen=True)
class RunKind:
    """Common properties of the folders of one kind of run."""

    #: first line of the log; empty if the log is only a lock
    header: bytes = b""
    #: name of the kind in the record; None for kinds that record none
    stage: str | None = None
    #: name of the kind in messages
    noun: str = "run"
    #: file name of the record
    config: str = "config.json"
    #: file name of the log, which also locks the folder
    log: str = "log.csv"
    #: whether rows are flushed to the disk when they are appended
    sync: bool = False


class RunFolder(AbstractContextManager["RunFolder"]):
    r"""The folder of a run, locked against other processes; close it, or use it in a `with`.

    >>> import tempfile
    >>> kind = RunKind(b"step,score\n")
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     path = Path(parent, "run")
    ...     with RunFolder.create(path, kind, {"seed": 3}) as folder:
    ...         folder.log.append(b"1,0.5\n")
    ...     with RunFolder.resume(path, kind) as folder:
    ...         folder.record, folder.log.read()
    ({'seed': 3}, b'step,score\n1,0.5\n')

    If the folder is removed during the run, the next write raises FolderRemovedError; the folder is not
    recreated.

    Attributes
    ----------
    path
        Path of the folder.
    record
        Contents of config.json.
    log
        The AppendLog of the run.
    """

    def __init__(self, path: Path, kind: RunKind, record: dict[str, Any], log: AppendLog) -> None:
        self.path = path
        self.record = record
        self.log = log
        self._kind = kind
        self._logs = ExitStack()
        self._logs.enter_context(log)

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all logs, which unlocks the folder."""
        self._logs.close()

    @classmethod
    def create(cls, path: str | Path, kind: RunKind, record: dict[str, Any], *, parents: bool = True) -> Self:
        """Create the folder of a new run.

        Parameters
        ----------
        path
            Path of the folder, which must not exist.
        kind
            Kind of the run.
        record
            Contents of config.json, as plain values.
        parents
            Whether to create missing parent folders.

        Raises
        ------
        RunFolderError
            If the folder exists or cannot be written.
        """
        path = Path(path)
        try:
            path.mkdir(parents=parents)
        except FileExistsError:
            raise _exists(path, kind) from None
        except OSError as error:
            raise RunFolderError(f"cannot create the folder {path}: {error.strerror}") from None
        record = _staged(kind, record)
        with ExitStack() as undo:
            undo.callback(_remove, path)
            with described(path, kind.noun, f"cannot write to the folder {path}"):
                log = AppendLog.create(path / kind.log, kind.header, noun=kind.noun, sync=kind.sync)
                undo.enter_context(log)
                write_json(path / kind.config, record)  # last, because it makes the folder a run folder
            undo.pop_all()
        return cls(path, kind, record, log)

    @classmethod
    def create_or_resume(cls, path: str | Path, kind: RunKind, record: dict[str, Any]) -> Self:
        """Create the folder of a new run, or open the folder of an earlier run, which keeps its record.

        Parameters
        ----------
        path
            Path of the folder; an empty folder counts as new.
        kind, record
            As for `create`.

        Raises
        ------
        RunFolderError
            If `path` is anything else, or cannot be read or written.
        """
        path = Path(path)
        other = RunFolderError(
            f"{path} exists and is not the folder of a {kind.noun}; --out must name a new folder"
        )
        with described(path, kind.noun, f"cannot write to the folder {path}"):
            try:
                path.mkdir(parents=True, exist_ok=True)
            except FileExistsError:  # a file
                raise RunFolderError(other) from None
            names = {entry.name for entry in path.iterdir()} - {kind.log}
        if names and kind.config not in names:
            raise RunFolderError(other)
        log = AppendLog.create_or_resume(path / kind.log, kind.header, noun=kind.noun, sync=kind.sync)
        with ExitStack() as undo:
            undo.enter_context(log)
            is_new = not (path / kind.config).exists()  # checked under the lock
            folder = cls(path, kind, _staged(kind, record) if is_new else read_record(path, kind), log)
            if is_new:
                folder.write_record(folder.record)
            undo.pop_all()
        return folder

    @classmethod
    def resume(cls, path: str | Path, kind: RunKind) -> Self:
        """Open the folder of an earlier run.

        Parameters
        ----------
        path
            Path of the folder.
        kind
            Kind of the run.

        Raises
        ------
        RunFolderError
            If it is not the folder of such a run, or another process is using it.
        """
        path = Path(path)
        log = AppendLog.resume(path / kind.log, kind.header, noun=kind.noun, sync=kind.sync)
        with ExitStack() as undo:
            undo.enter_context(log)
            folder = cls(path, kind, read_record(path, kind), log)
            undo.pop_all()
        return folder

    def open_log(self, name: str, header: bytes) -> AppendLog:
        """Open or create the further log `name` in the folder; it is closed with the folder."""
        self.log.check_in_place()
        kind, path = self._kind, self.path / name
        log = AppendLog.create_or_resume(
            path, header, noun=kind.noun, sync=kind.sync, failure=f"cannot write {path}"
        )
        return self._logs.enter_context(log)

    def write_record(self, record: dict[str, Any]) -> None:
        """Replace the record."""
        self.write_json(self._kind.config, record)
        self.record = record

    def write_summary(self, summary: object) -> None:
        """Write the summary, the last file of a run."""
        self.write_json(SUMMARY, summary)

    def write_json(self, name: str, value: object) -> None:
        """Write a value to a file of the folder as JSON, atomically."""
        self.write_bytes(name, (to_json(value) + "\n").encode())

    def write_bytes(self, name: str, data: bytes | memoryview) -> None:
        """Write bytes to a file of the folder, atomically."""
        self.log.check_in_place()
        path = self.path / name
        with (
            described(self.path, self._kind.noun, f"cannot write {path}"),
            replacing(path) as temporary,
            open(temporary, "wb", buffering=0) as file,
        ):
            write_all(file, data)

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Return the JSON object in a file of the folder; None if the file does not exist."""
        return read_object(self.path / name)


def _remove(path: Path) -> None:
    import shutil  # imported here because it is rarely needed

    shutil.rmtree(path, ignore_errors=True)


def _staged(kind: RunKind, record: dict[str, Any]) -> dict[str, Any]:
    return record if kind.stage is None else {"stage": kind.stage} | record


def _exists(path: Path, kind: RunKind) -> RunFolderError:
    is_run = (path / kind.config).exists()
    advice = "--resume continues it" if is_run else f"it is not the folder of a {kind.noun}"
    return RunFolderError(f"{path} exists; --out must name a new folder; {advice}")


def check_new(path: str | Path, kind: RunKind) -> None:
    """Raise RunFolderError if `path` cannot be the folder of a new run."""
    path = Path(path)
    if path.exists() or path.is_symlink():
        raise _exists(path, kind)


def read_record(path: str | Path, kind: RunKind) -> dict[str, Any]:
    """Return the record of a run; raise RunFolderError if it is missing or of another kind."""
    path = Path(path)
    record = read_object(path / kind.config)
    if record is None:
        raise RunFolderError(f"{path} is not the folder of a {kind.noun}: it has no {kind.config}")
    stage = kind.stage if kind.stage is None else record.get("stage", kind.stage)
    if stage != kind.stage:
        raise RunFolderError(f"{path} is the folder of a {one_line(stage)}, not of a {kind.stage}")
    return record


def read_summary(path: str | Path) -> dict[str, Any] | None:
    """Return the summary of a run, None if it has none yet; raise RunFolderError if it is damaged."""
    return read_object(Path(path) / SUMMARY)


def read_object(path: Path) -> dict[str, Any] | None:
    """Return the object in a JSON file, None if it does not exist; raise RunFolderError if damaged."""
    try:
        value = read_json(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise RunFolderError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise RunFolderError(f"{path} is damaged: {one_line(error)}") from None
    if not isinstance(value, dict):
        raise RunFolderError(f"{path} is damaged: it must hold a JSON object")
    return value
