"""HW-NAS-Bench: one pickle with latencies and energies of all cells on six devices."""

import hashlib
import math
import os
from pathlib import Path

import numpy as np

from nasbench.arrays import Values
from nasbench.build.sources import pickle_stream, safe_pickle
from nasbench.build.sources.source import StrPath, Table, name_provenance, reading
from nasbench.errors import SourceError, shown
from nasbench.metrics import DATASETS, HW_NAS_BENCH, METRICS, NOT_COMPILED, SPLITS
from nasbench.spaces import TOPOLOGY

_SPACE = "nasbench201"  # the file's other space is ignored
_CONFIG = "config"  # constructor arguments of the networks
_DATASETS = {SPLITS[name, "test"].trial: name for name in DATASETS}
_DEVICES = [name for name, metric in METRICS.items() if metric.source == HW_NAS_BENCH]
_MAY_NOT_COMPILE = "edgetpu_latency"  # for 4,699 cells, the same on all three data sets
_LARGEST = 512 << 20  # bytes; thirty lists of 15,625 numbers and the networks need far less
_NUMBERS = {float, int}


# Values may be arrays instead of lists, because the authors' interface converts each to a float.
_ALLOWED = safe_pickle.NUMBERS | safe_pickle.ARRAYS


class HWNASBench(Table):
    """`{"nasbench201": {data set: {metric: values in official order, "config": [...]}}, ...}`.

    Metrics can be missing. All others must have a positive number per cell, or -1 for a network that did not
    compile for the Edge TPU, which is not recorded.
    """

    kind = "hw-nas-bench"

    def __init__(self, path: StrPath) -> None:
        path = Path(path)
        with reading(path), open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > _LARGEST:
                raise SourceError(
                    f"{path} has {size:,} bytes, more than HW-NAS-Bench can have ({_LARGEST:,})"
                )
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            root = pickle_stream.load(file.read, str(path), _ALLOWED)
        tables = root.get(_SPACE) if type(root) is dict else None
        if type(tables) is not dict or not tables:
            raise SourceError(f"{path} has no tables of {_SPACE!r}, got {shown(tables)}")
        arrays: dict[str, Values] = {}
        ordered = []
        for name, table in tables.items():
            if name not in _DATASETS or type(table) is not dict:
                raise SourceError(f"{path}: {shown(name)} must be the table of one of {', '.join(_DATASETS)}")
            arrays |= _columns(table, _DATASETS[name], f"{path}, {name}")
            if _is_in_order(table.get(_CONFIG), f"{path}, {name}"):
                ordered.append(name)
        if not arrays:
            raise SourceError(f"{path} has no known metric; the metrics are {', '.join(_DEVICES)}")
        citation = "Li et al., HW-NAS-Bench, ICLR 2021, arXiv:2103.10584"
        provenance = name_provenance("HW-NAS-Bench", path.name, digest, "MIT", citation)
        super().__init__(path, TOPOLOGY, arrays, {}, provenance)
        self.checks.append(f"{TOPOLOGY.cells:,} positive numbers for each metric")
        if ordered:
            self.checks.append(
                f"the networks' arch strings against the official order ({', '.join(ordered)})"
            )
        missing = [f"{dataset}/{name}" for dataset in DATASETS for name in _DEVICES]
        missing = [name for name in missing if name not in arrays]
        if missing:
            self.notes.append(f"metrics missing from the file: {', '.join(missing)}")


def _columns(table: dict[object, object], dataset: str, where: str) -> dict[str, Values]:
    """Return the metrics of a data set, (15625,) ordered by code, by name in the store."""
    columns: dict[str, Values] = {}
    for name, values in table.items():
        if name == _CONFIG:
            continue
        if name not in _DEVICES:
            raise SourceError(f"{where}: unknown metric {shown(name)}; the metrics are {', '.join(_DEVICES)}")
        values = values.numbers if type(values) is safe_pickle.Array else values
        if type(values) is not list or len(values) != TOPOLOGY.cells:
            description = f"{len(values):,}" if type(values) is list else shown(values)
            raise SourceError(f"{where}: {name} must have {TOPOLOGY.cells:,} values, got {description}")
        missing = {NOT_COMPILED} if name == _MAY_NOT_COMPILE else set()
        wrong = [
            i
            for i, value in enumerate(values)
            if type(value) not in _NUMBERS or not (0 < value < math.inf or value in missing)
        ]
        if wrong:
            raise SourceError(
                f"{where}: {name} of index {wrong[0]} must be a positive number,"
                f" got {shown(values[wrong[0]])}"
            )
        columns[f"{dataset}/{name}"] = column = np.empty(TOPOLOGY.cells)
        column[TOPOLOGY.official_order()] = values
        column[column == NOT_COMPILED] = np.nan
    return columns


def _is_in_order(networks: object, where: str) -> bool:
    """Return whether there are arch strings; raise SourceError if their order is not the official one."""
    if type(networks) is not list:
        return False
    archs = [network.get("arch_str") if type(network) is dict else None for network in networks]
    if not any(archs):
        return False
    if len(archs) != TOPOLOGY.cells:
        raise SourceError(f"{where}: {_CONFIG} must have {TOPOLOGY.cells:,} networks, got {len(archs):,}")
    for index, code in enumerate(TOPOLOGY.official_order().tolist()):
        if archs[index] != str(TOPOLOGY.cell(code)):
            raise SourceError(
                f"{where}: network {index} must be {TOPOLOGY.cell(code)}, got {shown(archs[index])};"
                " the order is not the official one"
            )
    return True
