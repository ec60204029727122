"""The folder of a comparison: a run's folder for each algorithm, and comparison.json with what was found."""

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from blackbox.compare.study import PARTS
from blackbox.errors import ConfigError, RunFolderError
from blackbox.kinds.reader import gives, read_run
from blackbox.table.settings import RunConfig, setting_text
from nasbench.errors import said
from nasbench.runs.files import leads_to, open_locked, read_json, write_json

_FILE, _LOCK = "comparison.json", ".lock"


class ComparisonFolder:
    """A new folder, or that of an earlier comparison to go on with. Close it, or use it in a `with`.

    `comparison.json` holds what is compared, and in the end `findings`. One process at a time may have it.
    """

    def __init__(self, path, record, bench=None):
        """`record`: what is compared, a dict; ConfigError where the folder is of another comparison.

        `bench`: the Benchmark; it may be another one than before if it gives all runs in the folder.
        """
        self.path = Path(path)
        self._lock = None
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            before = sorted(entry.name for entry in self.path.iterdir() if entry.name != _LOCK)
            if before and _FILE not in before:
                raise FileExistsError
            self._lock = open_locked(self.path / _LOCK, "ab")
            if before:
                found = read_record(path)
                _compare(self.path, found, record, bench)
                record = record | {"created": found["created"], "table": found["table"] | record["table"]}
            else:
                write_json(self.path / _FILE, record)
        except BaseException as error:
            self.close()
            if isinstance(error, BlockingIOError):
                raise RunFolderError(f"another process is writing to {path}") from None
            if isinstance(error, FileExistsError):
                raise RunFolderError(
                    f"{path} exists, and is not the folder of a comparison; --out names a new one"
                ) from None
            if isinstance(error, RunFolderError) or not isinstance(error, OSError):
                raise
            raise RunFolderError(f"cannot write to the folder {path}: {error.strerror}") from None
        self.record = record

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._lock is not None:
            self._lock.close()

    def finish(self, findings):
        """Add the findings, whole or not at all."""
        with suppress(OSError):  # there is none, or not all of it is ours
            (self.path / PARTS).rmdir()
        if not leads_to(self.path / _LOCK, self._lock):
            raise RunFolderError(f"{self.path} was removed or replaced during the comparison")
        try:
            write_json(self.path / _FILE, self.record | {"findings": findings})
        except OSError as error:
            raise RunFolderError(f"cannot write {self.path / _FILE}: {error.strerror}") from None


def read_record(path):
    """What a comparison.json holds; RunFolderError where there is none, or a damaged one."""
    path = Path(path)
    try:
        record = read_json(path / _FILE)
        if not isinstance(record, dict):
            raise ValueError("it should hold an object")
        settings, table = RunConfig(**record["run"]), record["table"]
        algorithms, store = record["algorithms"], table["store"]
        texts = [record["created"], table["checksum"], *algorithms, "" if store is None else store]
        known = bool(algorithms) and isinstance(algorithms, list) and settings.space is not None
        if not known or not all(isinstance(text, str) for text in texts):
            raise ValueError("something in it is missing")
    except (FileNotFoundError, NotADirectoryError):
        raise RunFolderError(f"{path} is not the folder of a comparison: it has no {_FILE}") from None
    except OSError as error:
        raise RunFolderError(f"cannot read {path / _FILE}: {error.strerror}") from None
    except (ValueError, LookupError, TypeError) as error:
        raise RunFolderError(f"{path / _FILE} is damaged or of another version: {said(error)}") from None
    return record


def _compare(path, found, record, bench):
    """Raise ConfigError unless a comparison that was found is the one that is to be made."""
    checksum = found["table"]["checksum"]
    if checksum != record["table"]["checksum"] and bench is not None:
        runs = (read_run(config.parent) for config in path.glob("*/config.json"))
        if all(gives(bench, run) for run in runs):
            checksum = record["table"]["checksum"]
    before, wanted = (
        {
            "algorithms": " ".join(of["algorithms"]) or "none",
            **asdict(RunConfig(**of["run"])),
            "checksum of the table": of_table,
        }
        for of, of_table in ((found, checksum), (record, record["table"]["checksum"]))
    )
    for name, value in wanted.items():
        if before.get(name) != value:
            raise ConfigError(
                f"{path} is another comparison: its {name} is {setting_text(before.get(name))}, not"
                f" {setting_text(value)}; --out names a new folder"
            )
