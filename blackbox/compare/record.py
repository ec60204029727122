"""The folder of a comparison: a run folder per algorithm, and comparison.json with the results."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from blackbox.compare.study import PARTS
from blackbox.errors import ConfigError, RunFolderError
from blackbox.kinds.reader import gives, read_run
from blackbox.table.settings import RunConfig
from nasbench.benchmark import Benchmark
from nasbench.errors import one_line
from nasbench.runs.files import read_json
from nasbench.runs.folder import RunFolder, RunKind
from nasbench.runs.settings import setting_text

COMPARISON = RunKind(noun="comparison", config="comparison.json", log=".lock")


def open_comparison(path: str | Path, record: dict[str, Any], bench: Benchmark | None = None) -> RunFolder:
    """Create the folder of a new comparison, or open the folder of an earlier one to resume.

    `record` describes what to compare. `bench` is the table; it can differ from the earlier one if it
    reproduces all runs in the folder. Raise ConfigError if the folder belongs to another comparison.
    """
    folder = RunFolder.create_or_resume(path, COMPARISON, record)
    try:
        if folder.record is not record:
            comparison = read_comparison(path)
            _check_same(folder.path, comparison, record, bench)
            folder.record = record | {
                "created": comparison["created"],
                "table": comparison["table"] | record["table"],
            }
    except BaseException:
        folder.close()
        raise
    return folder


def write_findings(folder: RunFolder, findings: dict[str, Any]) -> None:
    """Add the results of a comparison to its record."""
    with suppress(OSError):  # it does not exist, or contains other files
        (folder.path / PARTS).rmdir()
    folder.write_record(folder.record | {"findings": findings})


def read_comparison(path: str | Path) -> dict[str, Any]:
    """Return the content of comparison.json; raise RunFolderError if it is missing or damaged."""
    file = Path(path) / COMPARISON.config
    try:
        record = read_json(file)
        if not isinstance(record, dict):
            raise ValueError("it must contain an object")
        settings, table = RunConfig.from_json(record["run"], "run"), record["table"]
        algorithms, store = record["algorithms"], table["store"]
        texts = [record["created"], table["checksum"], *algorithms, "" if store is None else store]
        known = bool(algorithms) and isinstance(algorithms, list) and settings.space is not None
        if not known or not all(isinstance(text, str) for text in texts):
            raise ValueError("some of its content is missing")
    except (FileNotFoundError, NotADirectoryError):
        raise RunFolderError(f"{path} is not the folder of a comparison: it has no {file.name}") from None
    except OSError as error:
        raise RunFolderError(f"cannot read {file}: {error.strerror}") from None
    except (ValueError, LookupError, TypeError) as error:
        raise RunFolderError(f"{file} is damaged or of another version: {one_line(error)}") from None
    return record


def _check_same(path: Path, found: dict[str, Any], record: dict[str, Any], bench: Benchmark | None) -> None:
    """Raise ConfigError unless the comparison in a folder is the requested one."""
    checksum = found["table"]["checksum"]
    if checksum != record["table"]["checksum"] and bench is not None:
        runs = (read_run(config.parent) for config in path.glob("*/config.json"))
        if all(gives(bench, run) for run in runs):
            checksum = record["table"]["checksum"]
    before, wanted = _compared(found, checksum), _compared(record, record["table"]["checksum"])
    for name, value in wanted.items():
        if before.get(name) != value:
            raise ConfigError(
                f"{path} is another comparison: its {name} is {setting_text(before.get(name))}, not"
                f" {setting_text(value)}; try a new folder with --out"
            )


def _compared(record: dict[str, Any], checksum: str) -> dict[str, Any]:
    """Return the values that two records of the same comparison have in common."""
    return {
        "algorithms": " ".join(record["algorithms"]) or "none",
        **RunConfig.from_json(record["run"], "run").to_json(),
        "checksum of the table": checksum,
    }
