"""NASLib: pickles nb201_..._full_training.pickle, each with one data set and one run per cell."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nasbench.arrays import Values
from nasbench.build.sources import pickle_stream, safe_pickle
from nasbench.build.sources.formulas import TOLERANCE, formulas
from nasbench.build.sources.source import (
    NAS_BENCH_201_PAPER,
    Source,
    StrPath,
    digest_file,
    name_provenance,
    read_stamp,
    reading,
)
from nasbench.build.writer import Batch
from nasbench.cell import Cell
from nasbench.errors import InvalidCellError, SourceError, shown
from nasbench.metrics import METRIC_OF
from nasbench.runs.text import counted
from nasbench.spaces import TOPOLOGY

FILES = tuple(f"nb201_{name}_full_training.pickle" for name in ("cifar10", "cifar100", "ImageNet16"))
PROTOCOL = 200  # epochs
SEED = 888  # of the only run in the files
_STEMS = {"accuracy": "acc1es", "loss": "losses"}  # stems of names in the file
_NETWORK = ("params", "flops", "latency")
_NUMBERS = {float, int}
_LARGEST = np.finfo(np.float64).max


class Run(NamedTuple):
    """The evaluations of a data set's training run in the files."""

    #: name of the data set
    dataset: str
    #: split that was evaluated after each epoch
    every: str
    #: splits that were evaluated after the last epoch only; their values follow
    last: tuple[str, ...]


# By key in the file. The files name all evaluations `eval`; these are the splits. On CIFAR-100 and
# ImageNet16-120, only validation and test images together were evaluated after each epoch.
RUNS = {
    "cifar10-valid": Run("cifar10", "val", ("test_25k",)),
    "cifar100": Run("cifar100", "valtest", ("val", "test")),
    "ImageNet16-120": Run("imagenet16-120", "valtest", ("val", "test")),
}


def naslib_files(path: StrPath) -> list[Path]:
    """Return the NASLib files in a folder, or a single file; raise SourceError for a duplicate data set."""
    path = Path(path)
    with reading(path):
        if not path.is_dir():
            return [path]
        files = [path / name for name in FILES if (path / name).exists()]
    if not files:
        raise SourceError(f"{path} has none of {', '.join(FILES)}")
    known: dict[str, Path] = {}
    for file in files:
        first = known.setdefault(RUNS[_read_key(file)].dataset, file)
        if first is not file:
            raise SourceError(f"{first} and {file} have the same data set; remove one of them")
    return files


class NASLib(Source):
    """One file, `{arch string: {"cifar10-valid": {"train_losses": [...], ..., "cost_info": {...}}}}`.

    The key identifies the data set. The file is read as a stream, cell by cell, in constant memory. Cells can
    be missing.
    """

    kind = "naslib"
    path: Path

    def __init__(self, path: StrPath) -> None:
        files = naslib_files(path)
        if len(files) > 1:
            raise SourceError(f"{path} has {len(files)} NASLib files; build them one at a time")
        (file,) = files
        self._key = _read_key(file)
        self._run = run = RUNS[self._key]
        layout: dict[str, tuple[int, ...]] = {f"{run.dataset}/{name}": () for name in _NETWORK}
        group = f"{run.dataset}/{PROTOCOL}"
        for kind in _STEMS:
            for split in ("train", run.every, *run.last):
                layout[f"{group}/final/{METRIC_OF[split, kind]}"] = (1,)
            for split in ("train", run.every):
                layout[f"{group}/curve/{METRIC_OF[split, kind]}"] = (1, PROTOCOL)
        licence = "Apache-2.0 (NASLib); MIT (NAS-Bench-201)"
        provenance = name_provenance("NASLib", file.name, digest_file(file), licence, NAS_BENCH_201_PAPER)
        super().__init__(file, TOPOLOGY, layout, {(run.dataset, PROTOCOL): (SEED,)}, provenance)
        self._formulas = formulas()
        self.checks += [
            "cells, types and lengths; no value that is NaN, infinite, negative or above 100 %",
            "parameters and multiply-adds against the formula of the network",
        ]
        self.notes.append("left out train_time, because its meaning is not documented")

    def identity(self) -> dict[str, object]:
        return super().identity() | read_stamp(self.path)

    def read(self, task: range) -> Iterator[Batch]:
        met: set[int] = set()
        with reading(self.path), open(self.path, "rb") as file:
            for arch, value in pickle_stream.items(file.read, str(self.path), safe_pickle.NUMBERS):
                if arch is pickle_stream.END:
                    continue
                code = self._parse_code(arch)
                where = f"{self.path}, {arch}"
                if code in met:
                    raise SourceError(f"{where} occurs twice")
                met.add(code)
                yield Batch(code, self._rows(value, code, where))

    def _parse_code(self, arch: Any) -> int:  # a key of any type
        try:
            return Cell.from_string(arch).code
        except InvalidCellError:
            form = "|a~0|+|b~0|c~1|+|d~0|e~1|f~2|"
            raise SourceError(
                f"{self.path}: a key must be a cell's arch string {form}, got {shown(arch)}"
            ) from None

    def _rows(self, value: object, code: int, where: str) -> dict[str, Values]:
        """Return a cell's rows of the store, (1, ...); raise SourceError unless they match the format."""
        if type(value) is not dict or list(value) != [self._key]:
            raise SourceError(f"{where} must have only the key {self._key!r}, got {shown(value)}")
        run, group = value[self._key], f"{self._run.dataset}/{PROTOCOL}"
        rows: dict[str, Values] = {}
        for kind, stem in _STEMS.items():
            high = 100.0 if kind == "accuracy" else _LARGEST
            for part, every, last in (("train", "train", ()), ("eval", self._run.every, self._run.last)):
                name = f"{part}_{stem}"
                values = _numbers(_entry(run, name, where), PROTOCOL + len(last), high, f"{where}: {name}")
                curve = values[:PROTOCOL].reshape(1, 1, PROTOCOL)
                rows[f"{group}/curve/{METRIC_OF[every, kind]}"] = curve
                rows[f"{group}/final/{METRIC_OF[every, kind]}"] = curve[:, :, -1]
                for split, number in zip(last, values[PROTOCOL:], strict=True):
                    rows[f"{group}/final/{METRIC_OF[split, kind]}"] = number.reshape(1, 1)
        cost = _entry(run, "cost_info", where)
        for name in _NETWORK:
            number = _entry(cost, name, f"{where}: cost_info")
            if number is None and name == "latency":  # not measured
                value = np.array([np.nan])
            else:
                value = _numbers([number], 1, _LARGEST, f"{where}: {name}")
            self._check_formula(name, value[0], code, where)
            rows[f"{self._run.dataset}/{name}"] = value
        return rows

    def _check_formula(self, name: str, number: float, code: int, where: str) -> None:
        expected = self._formulas.get((self._run.dataset, name))
        if expected is not None and abs(number - expected[code]) > TOLERANCE:
            raise SourceError(
                f"{where}: {name} is {number} million; a network of this cell has {expected[code]}"
            )


def _read_key(path: Path) -> str:
    """Return the key of the data set in the first cell of a file."""
    with reading(path), open(path, "rb") as file:
        _, value = next(pickle_stream.items(file.read, str(path), safe_pickle.NUMBERS))
    keys: list[str] = list(value) if type(value) is dict else []
    if len(keys) != 1 or keys[0] not in RUNS:
        raise SourceError(
            f"{path}: its cells must have one of the keys {', '.join(RUNS)}, got {shown(value)}"
        )
    return keys[0]


def _entry(table: object, name: str, where: str) -> object:
    if type(table) is not dict or name not in table:
        raise SourceError(f"{where} has no {name}, got {shown(table)}")
    return table[name]


def _numbers(values: object, length: int, high: float, where: str) -> Values:
    """Return a list of numbers as an array (length,); raise SourceError unless they are in [0, high]."""
    if type(values) is not list or len(values) != length or not set(map(type, values)) <= _NUMBERS:
        description = f"{len(values)}: {shown(values)}" if type(values) is list else shown(values)
        raise SourceError(f"{where} must be {counted(length, 'number')}, got {description}")
    numbers = np.array(values, dtype=np.float64)
    wrong = ~((numbers >= 0) & (numbers <= high))
    if wrong.any():
        limits = "finite and >= 0" if high == _LARGEST else f"in [0, {high:g}]"
        raise SourceError(f"{where} must be {limits}, got {numbers[wrong][0]}")
    return numbers
