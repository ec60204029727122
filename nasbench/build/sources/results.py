"""A cell's results as the authors pickle them: which numbers they give, and checks of these."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.arrays import Values
from nasbench.build.sources.formulas import TOLERANCE, formulas
from nasbench.build.sources.safe_pickle import check_keys
from nasbench.errors import SourceError, shown
from nasbench.metrics import METRIC_OF, METRICS, SPLITS
from nasbench.spaces import SIZE, TOPOLOGY, Space

_TRIALS = ("cifar10-valid", "cifar10", "cifar100", "ImageNet16-120")
_NETWORK = {"params": "params", "flop": "flops", "latency": "latency"}  # published name -> metric
_STEMS = {"accuracy": "acc1es", "loss": "losses", "time": "times"}  # of published names
_NUMBERS = {float, int}
_OFFICIAL_SEED = 888  # its number of parameters is the official one if runs differ
Unpickled = dict[Any, Any]  # of a file; all of it is checked


class Protocol(NamedTuple):
    """The training runs of one number of epochs."""

    epochs: int
    seeds: Mapping[str, tuple[int, ...]]  # by trial
    every: Mapping[str, set[str]]  # by trial: sets evaluated after each epoch; others only after the last


def _all_sets() -> dict[str, set[str]]:
    return {trial: {"x-valid", "x-test", "ori-test"} for trial in _TRIALS}


def _each_trial(*seeds: int) -> dict[str, tuple[int, ...]]:
    return dict.fromkeys(_TRIALS, seeds)


# As found in published files (NATS-tss-v1_0-3ffb9-simple, NATS-sss-v1_0-50262-simple); arXiv:2009.00437.
TOPOLOGY_PROTOCOLS = {
    "12": Protocol(12, _each_trial(111) | {"cifar10-valid": (111, 777)}, _all_sets()),
    "200": Protocol(
        200,
        _each_trial(777, 888, 999),
        {trial: {"x-valid"} if trial == "cifar10-valid" else {"ori-test"} for trial in _TRIALS},
    ),
}
SIZE_PROTOCOLS = {
    "01": Protocol(1, _each_trial(777), _all_sets()),
    "12": Protocol(12, _each_trial(777, 888, 999), _all_sets()),
    "90": Protocol(90, _each_trial(777), _all_sets()),
}


class _Field(NamedTuple):
    """A quantity of a trial's runs: its place in the file, in the vector, and in the store."""

    dataset: str
    epochs: int  # of the protocol
    trial: str
    source: str  # name in a run: train, a set, or a quantity of the network
    kind: str  # accuracy, loss, time, network
    metric: str
    every: bool  # at each epoch, or only after the last
    columns: int  # seeds in the store
    offset: int  # of the first number in the vector
    length: int  # numbers per run

    @property
    def end(self) -> int:
        """The first number of the vector after this field."""
        return self.offset + self.columns * self.length


class Results:
    """Reads `{protocol: {"arch_index", "arch_str", "all_results": {(trial, seed): run}, ...}}` of one cell.

    `vector(results, index)` selects the numbers; `rows(vectors, codes, names)` turns many vectors into the
    rows of a store, after checks. `layout` and `seeds` are those of a `Source`.
    """

    def __init__(self, space: Space, protocols: Mapping[str, Protocol], strict: bool = True) -> None:
        """`strict`: a run must have all that its protocol records; else sets and times may be missing."""
        self.space = space
        self.protocols = protocols
        self._strict = strict
        self.curves_left_out = 0  # evaluations at epochs at which the format has none; not with `strict`
        self._fields: list[_Field] = []
        self._trial_fields: dict[tuple[str, str], list[_Field]] = {}  # by protocol key and trial
        self.seeds: dict[tuple[str, int], tuple[int, ...]] = {}
        self.width = 0  # numbers of a vector
        for key, protocol in protocols.items():
            for (dataset, split), place in SPLITS.items():
                if not protocol.seeds[place.trial]:
                    continue
                trials = {other.trial for (name, _), other in SPLITS.items() if name == dataset}
                seeds = {seed for trial in trials for seed in protocol.seeds[trial]}
                self.seeds[dataset, protocol.epochs] = tuple(sorted(seeds))
                for kind in ("accuracy", "loss", "time"):
                    every = kind == "time" or split.startswith("train")
                    every = every or place.evaluation_set in protocol.every[place.trial]
                    metric = METRIC_OF[split, kind]
                    self._add(key, dataset, place.trial, place.evaluation_set, kind, metric, every)
            for trial in _TRIALS:
                dataset = next(place for place in SPLITS if SPLITS[place].trial == trial)[0]
                for source, metric in _NETWORK.items() if protocol.seeds[trial] else ():
                    self._add(key, dataset, trial, source, "network", metric, every=False)
        self._formulas = formulas() if space is TOPOLOGY else None
        rows = self.rows([np.full(self.width, np.nan)], np.array([0]), [""])
        self.layout = {name: row.shape[1:] for name, row in rows.items()}

    def _add(
        self, key: str, dataset: str, trial: str, source: str, kind: str, metric: str, every: bool
    ) -> None:
        epochs = self.protocols[key].epochs
        columns, length = len(self.seeds[dataset, epochs]), epochs if every else 1
        field = _Field(dataset, epochs, trial, source, kind, metric, every, columns, self.width, length)
        self._fields.append(field)
        self._trial_fields.setdefault((key, trial), []).append(field)
        self.width = field.end

    # From objects to numbers

    def vector(self, results: object, index: int) -> Values:
        """Return the numbers of a cell's results, (width,); NaN for values that are not recorded.

        ValueError if they are not as the format has it. Numbers are only selected, as `template` requires.
        """
        if type(results) is not dict:
            raise ValueError(f"should be a dictionary of protocols, got {shown(results)}")
        if not set(results) <= set(self.protocols) or (self._strict and len(results) < len(self.protocols)):
            raise ValueError(f"has the protocols {shown(list(results))}; expected {list(self.protocols)}")
        vector = np.full(self.width, np.nan)
        for key, runs in results.items():
            self._check_cell(key, runs, index)
            for (trial, seed), run in runs["all_results"].items():
                where = f"protocol {key}, {trial}, seed {seed}"
                fields = self._trial_fields.get((key, trial))
                if fields is None or seed not in self.protocols[key].seeds[trial]:
                    raise ValueError(
                        f"{where}: no such run is published; trials and seeds are {self.protocols[key].seeds}"
                    )
                self._check_run(where, key, trial, seed, run)
                column = self.seeds[fields[0].dataset, self.protocols[key].epochs].index(seed)
                self._fill(vector, fields, column, run, where)
        return vector

    def _check_cell(self, key: str, runs: object, index: int) -> None:
        if type(runs) is not dict:
            raise ValueError(f"protocol {key} should be a dictionary, got {shown(runs)}")
        cell = self.space.cell(int(self.space.official_order()[index]))
        other, arch = runs.get("arch_index"), runs.get("arch_str")
        if other != index:
            raise ValueError(f"protocol {key} is of index {shown(other)}, expected {index}")
        if arch != str(cell):
            raise ValueError(f"protocol {key} is of {shown(arch)}, but index {index} is {cell}")
        seeds: dict[str, set[int]] = {}
        for trial, seed in runs["all_results"].keys():  # noqa: SIM118 - AttributeError for no dictionary
            seeds.setdefault(trial, set()).add(seed)
        for numbers in runs["dataset_seed"].values():
            check_keys(numbers)
        listed = {trial: set(numbers) for trial, numbers in runs["dataset_seed"].items()}
        if listed != seeds:
            raise ValueError(
                f"protocol {key} lists the seeds {shown(listed)}, but has runs of {shown(seeds)}"
            )
        if self._strict and len(seeds) < len(_TRIALS):
            raise ValueError(f"protocol {key} has no run of {sorted(set(_TRIALS) - set(seeds))}")

    def _check_run(self, where: str, key: str, trial: str, seed: int, run: object) -> None:
        if type(run) is not dict:
            raise ValueError(f"{where}: a run should be a dictionary, got {shown(run)}")
        named = (run["name"], int(run["seed"]), run["epochs"])
        if named != (trial, seed, self.protocols[key].epochs):
            raise ValueError(f"{where}: the run says that it is {shown(named)}")

    def _fill(
        self, vector: Values, fields: Sequence[_Field], column: int, run: Unpickled, where: str
    ) -> None:
        evaluated = dict.fromkeys(_STEMS, 0)
        for field in fields:
            offset = field.offset + column * field.length
            if field.kind == "network":
                vector[offset] = self._network_number(run[field.source], field.source, where)
                continue
            of_training = field.source == "train"
            name = f"{'train' if of_training else 'eval'}_{_STEMS[field.kind]}"
            table = run[name]
            if table is None and not self._strict:
                continue
            if type(table) is not dict:
                raise ValueError(f"{where}: {name} should be a dictionary, got {shown(table)}")
            if of_training and len(table) != field.length:
                raise ValueError(f"{where}: {name} has {len(table)} epochs, expected {field.length}")
            keys = _keys(None if of_training else field.source, field.epochs - field.length, field.epochs)
            values = list(map(table.get, keys))
            numbers = self._numbers(values, f"{where}: {name} of {field.source}")
            vector[offset : offset + field.length] = numbers
            if not of_training:
                evaluated[field.kind] += len(values) - values.count(None)
        for kind, stem in _STEMS.items():
            count = len(run[f"eval_{stem}"] or ())
            if self._strict and count != evaluated[kind]:
                raise ValueError(f"{where}: eval_{stem} has {count} values, expected {evaluated[kind]}")
            self.curves_left_out += count - evaluated[kind]

    def _network_number(self, value: object, name: str, where: str) -> float:
        if name == "latency":
            if not value and not self._strict:
                return np.nan
            if type(value) is not list or len(value) != 1:
                raise ValueError(f"{where}: latency should be one number in a list, got {shown(value)}")
            (value,) = value
        if not isinstance(value, float | int) or type(value) not in _NUMBERS or value != value:
            raise ValueError(f"{where}: {name} should be a number, got {shown(value)}")
        return value

    def _numbers(self, values: Sequence[object], where: str) -> Values:
        """Return values of a table as an array; without `strict`, all or all but the last may be None."""
        lacking = values.count(None)
        if lacking and (
            self._strict or lacking < len(values) - 1 or (lacking < len(values) and values[-1] is None)
        ):
            raise ValueError(f"{where} lacks {lacking} of {len(values)} epochs")
        if not set(map(type, values)) <= _NUMBERS | {type(None)}:
            value = next(value for value in values if type(value) not in _NUMBERS)
            raise ValueError(f"{where} should be numbers, got {shown(value)}")
        numbers = np.array(values, dtype=np.float64)
        if np.count_nonzero(np.isnan(numbers)) != lacking:
            raise ValueError(f"{where} has a value that is NaN")
        return numbers

    # From numbers to rows

    def rows(
        self, vectors: Sequence[Values], codes: NDArray[np.intp], names: Sequence[str]
    ) -> dict[str, Values]:
        """Return the rows of a store, (n, ...), from the n vectors (width,) of the cells with those codes.

        `names`: the files, for errors. SourceError for numbers that cannot be right.
        """
        stacked = np.asarray(vectors)
        rows: dict[str, Values] = {}
        network: dict[tuple[str, str], dict[str, dict[int, Values]]] = {}  # by trial and epochs
        for field in self._fields:
            values = stacked[:, field.offset : field.end].reshape(-1, field.columns, field.length)
            self._check_values(field, values, names)
            if field.kind == "network":
                trials = network.setdefault((field.dataset, field.metric), {})
                trials.setdefault(field.trial, {})[field.epochs] = values[:, :, 0]
                continue
            group = f"{field.dataset}/{field.epochs}"
            if field.kind == "time":
                each = values[:, :, 0].copy()
                each[(values != each[:, :, None]).any(axis=2)] = np.nan
                rows[f"{group}/per_epoch/{field.metric}"] = each
                total = values.cumsum(axis=2) if METRICS[field.metric].accumulates else values
                rows[f"{group}/final/{field.metric}"] = total[:, :, -1]
                continue
            rows[f"{group}/final/{field.metric}"] = values[:, :, -1]
            if field.every and field.epochs > 1:
                rows[f"{group}/curve/{field.metric}"] = values
        for (dataset, metric), trials in network.items():
            rows[f"{dataset}/{metric}"] = self._network_values(dataset, metric, trials, codes, names)
        return rows

    def _check_values(self, field: _Field, values: Values, names: Sequence[str]) -> None:
        low, high = (0.0, 100.0) if field.kind == "accuracy" else (0.0, np.finfo(np.float64).max)
        with np.errstate(invalid="ignore"):
            wrong = ~((values >= low) & (values <= high)) & ~np.isnan(values)
        if wrong.any():
            row = int(np.argwhere(wrong)[0][0])
            value = values[row][wrong[row]][0]
            raise SourceError(
                f"{names[row]}: {field.trial}, {field.epochs} epochs: {field.source} {field.kind} is {value},"
                f" which is no {'accuracy' if field.kind == 'accuracy' else 'such quantity'}"
            )

    def _network_values(
        self,
        dataset: str,
        metric: str,
        trials: Mapping[str, Mapping[int, Values]],
        codes: NDArray[np.intp],
        names: Sequence[str],
    ) -> Values:
        """Return one value per cell that its runs agree on, from the longest protocol that has it."""
        trial = SPLITS[dataset, "val"].trial
        result = np.full(len(codes), np.nan)
        for epochs in sorted(trials.get(trial, ()), reverse=True):
            runs = trials[trial][epochs]
            value = _agreed(runs, metric, self.seeds[dataset, epochs])
            result = np.where(np.isnan(result), value, result)
        if self._formulas is not None and metric in ("params", "flops"):
            expected = self._formulas[dataset, metric][codes]
            for runs in (runs for by_epochs in trials.values() for runs in by_epochs.values()):
                with np.errstate(invalid="ignore"):
                    wrong = (np.abs(runs - expected[:, None]) > TOLERANCE).any(axis=1)
                if wrong.any():
                    row = int(np.argmax(wrong))
                    raise SourceError(
                        f"{names[row]}: {metric} on {dataset} is {runs[row].tolist()};"
                        f" a network of this cell has {expected[row]}"
                    )
        return result


def _agreed(runs: Values, metric: str, seeds: Sequence[int]) -> Values:
    """Return the common value of each row (n, S); if runs differ, the official one, or the mean."""
    known = ~np.isnan(runs)
    count = known.sum(axis=1)
    first = np.take_along_axis(runs, known.argmax(axis=1)[:, None], axis=1)[:, 0]
    same = (np.where(known, runs, first[:, None]) == first[:, None]).all(axis=1)
    mean = np.where(known, runs, 0.0).cumsum(axis=1)[:, -1] / np.maximum(count, 1)
    value = np.where(same, first, mean)
    if metric == "params" and _OFFICIAL_SEED in seeds:
        official = runs[:, seeds.index(_OFFICIAL_SEED)]
        value = np.where(same | np.isnan(official), value, official)
    return np.where(count > 0, value, np.nan)


@cache
def _keys(evaluated: str | None, first: int, last: int) -> tuple[int, ...] | tuple[str, ...]:
    """Return the keys of the epochs of training, or of the evaluations of a set."""
    epochs = range(first, last)
    return tuple(epochs) if evaluated is None else tuple(f"{evaluated}@{epoch}" for epoch in epochs)


PROTOCOLS = {TOPOLOGY.flag: TOPOLOGY_PROTOCOLS, SIZE.flag: SIZE_PROTOCOLS}
