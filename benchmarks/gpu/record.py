"""Results by check, saved in a file so that a later call runs only missing checks."""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from benchmarks.gpu.meter import Meter
from nasbench.errors import one_line
from nasbench.runs.files import write_json
from nasbench.runs.text import format_table
from oneshot.errors import ConfigError
from oneshot.training.memory import is_out_of_memory

Verdict = Literal["ok", "FAILED", "skipped"]


@dataclass(frozen=True)
class Row:
    """A line of the table: measurements, and a verdict on them."""

    name: str
    verdict: Verdict
    #: Measurements by the heading of their column.
    values: Mapping[str, float | int | str] = field(default_factory=dict)
    #: Why it failed or was skipped.
    reason: str = ""


@dataclass(frozen=True)
class Check:
    """Rows that are measured and saved together."""

    part: str
    name: str
    measure: Callable[[Meter], Iterable[Row]]


def judged(name: str, difference: float, tolerance: float) -> Row:
    """Return the row of a difference, which must be at most the tolerance."""
    values = {"difference": f"{difference:.2g}", "tolerance": f"{tolerance:.2g}"}
    if difference <= tolerance:  # NaN is not
        return Row(name, "ok", values)
    return Row(name, "FAILED", values, f"differs by {difference:.2g}")


def run_checks(
    checks: Sequence[Check],
    meter: Meter,
    out: Path | None,
    conditions: Mapping[str, str],
    seconds: float,
    shown: Callable[[str], object],
) -> dict[str, list[Row]]:
    """Run the checks that the file `out` does not have, within `seconds`; return {"part, name": rows}.

    A check that fails with an error, or for which no time is left, is not saved. Raise ConfigError if `out`
    was measured under other conditions, is damaged or cannot be written.
    """
    kept = _read(out, conditions)
    _write(out, conditions, kept)
    results: dict[str, list[Row]] = {}
    end = time.monotonic() + seconds
    for check in checks:
        key = f"{check.part}, {check.name}"
        if key in kept:
            results[key] = kept[key]
            continue
        if time.monotonic() > end:
            again = "use --out FILE, and repeat the command" if out is None else "repeat the command"
            results[key] = [Row(check.name, "skipped", reason=f"no time left; {again}")]
            continue
        shown(key)
        try:
            results[key] = kept[key] = list(check.measure(meter))
        except Exception as error:
            results[key] = [_failure(check, error)]
        meter.release()
        _write(out, conditions, kept)
    return results


def _failure(check: Check, error: Exception) -> Row:
    """Return the row of a check that raised an error, without the error, which references tensors."""
    if is_out_of_memory(error):
        return Row(check.name, "FAILED", reason="out of memory; other processes may use the device")
    return Row(check.name, "FAILED", reason=f"{type(error).__name__}: {one_line(error)}")


def _write(out: Path | None, conditions: Mapping[str, str], kept: Mapping[str, Sequence[Row]]) -> None:
    if out is None:
        return
    checks = {name: [asdict(row) for row in rows] for name, rows in kept.items()}
    try:
        write_json(out, {"conditions": dict(conditions), "checks": checks})
    except OSError as error:
        raise ConfigError(f"cannot write {out}: {error.strerror}") from None


def _read(out: Path | None, conditions: Mapping[str, str]) -> dict[str, list[Row]]:
    if out is None or not out.exists():
        return {}
    try:
        document = json.loads(out.read_text())
        before = dict(document["conditions"])
        rows = {key: [Row(**row) for row in rows] for key, rows in document["checks"].items()}
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise ConfigError(f"cannot read {out}: {one_line(error)}") from None
    if before != dict(conditions):
        (name, *_) = [key for key in {*before, *conditions} if before.get(key) != conditions.get(key)]
        raise ConfigError(
            f"{out} was measured under other conditions ({name}:"
            f" {before.get(name)}, now {conditions.get(name)}); try another --out"
        )
    return rows


def report(results: Mapping[str, Sequence[Row]]) -> str:
    """Return one table per check, and the counts of the verdicts."""
    blocks: list[str] = []
    for key, rows in results.items():
        columns = list(dict.fromkeys(name for row in rows for name in row.values))
        lines = [
            [row.name, *(row.values.get(name, "") for name in columns), row.verdict, row.reason]
            for row in rows
        ]
        blocks.append(f"{key}\n{format_table(['', *columns, 'verdict', ''], lines)}")
    verdicts = [row.verdict for rows in results.values() for row in rows]
    counts = ", ".join(f"{verdicts.count(name)} {name}" for name in ("ok", "FAILED", "skipped"))
    return "\n\n".join([*blocks, counts])
