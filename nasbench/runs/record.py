"""Records of a run's origin: versions, date, table."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from nasbench import __version__
from nasbench.runs.files import utc_now

if TYPE_CHECKING:
    from nasbench.benchmark import Benchmark


def versions(*others: ModuleType) -> dict[str, str]:
    """Return the versions that results depend on, including those of `others`, such as torch."""
    return {
        "nas-toolkit": __version__,
        **{module.__name__: module.__version__ for module in others},
        "numpy": np.__version__,
        "python": sys.version.split()[0],
    }


def present(*others: ModuleType) -> dict[str, dict[str, str] | str]:
    """Return the part of a record with the date of a run and the versions."""
    return {"versions": versions(*others), "created": utc_now()}


def identity(bench: Benchmark) -> dict[str, str]:
    """Return the part of a record that identifies a table."""
    return {name: str(bench.store.attributes[name]) for name in ("source", "source_version", "checksum")}
