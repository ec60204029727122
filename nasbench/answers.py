"""From a question to the numbers in a store, or to an error that says what the store has instead."""

import operator
from collections.abc import Iterable, Iterator
from contextlib import suppress
from numbers import Number
from typing import NamedTuple

import numpy as np

from nasbench.errors import NotRecordedError
from nasbench.metrics import DATASETS, METRICS, UNKNOWN_SEED, exists, get_dataset, get_metric

_ALL_EPOCHS = ("curve", "per_epoch")  # the groups of a store that know a metric at every epoch


class Question(NamedTuple):
    """What is asked of every cell."""

    dataset: str
    metric: str
    protocol: int  # epochs
    epoch: int | None  # from 0; None: the last
    seed: int | None  # None: the mean over the recorded seeds

    @classmethod
    def of(cls, dataset, metric, protocol, epoch, seed):
        """A question whose names are known and whose numbers are whole; whether it has an answer is open."""
        get_dataset(dataset)
        get_metric(metric)
        epoch = None if epoch is None else _whole("an epoch", epoch)
        seed = None if seed is None else _whole("a seed", seed)
        return cls(dataset, metric, _whole("a protocol", protocol), epoch, seed)


def _whole(name, number):
    """The number as an int. 199.0 is 199: equal numbers are equal keys, and so must be equal questions."""
    try:
        return operator.index(number)
    except TypeError:
        if isinstance(number, Number):
            with suppress(TypeError, ValueError, OverflowError):
                if int(number) == number:
                    return int(number)
        raise NotRecordedError(f"{name} is a whole number, got {number!r}") from None


def list_seeds(seeds: Iterable[int]) -> str:
    """Return seeds as text; `mean` for values without a seed, which are mostly means over seeds."""
    return ", ".join("mean" if seed == UNKNOWN_SEED else str(seed) for seed in seeds)


class Recorded(NamedTuple):
    """What a store holds of one metric; what belongs to the network has no protocol, seeds or epochs."""

    dataset: str
    protocol: int | None
    metric: str
    seeds: tuple | None
    epochs: range | None  # of one epoch where there is no curve

    @property
    def array(self) -> str:
        """Its name in the store, after the last epoch."""
        return f"{self.dataset}/{self.metric}" if self.protocol is None else _final_array(*self[:3])


def _final_array(dataset: str, protocol: int, metric: str) -> str:
    return f"{dataset}/{protocol}/final/{metric}"


class Answers:
    """The numbers of a store by question. Rows are cells in code order; S is the number of seeds.

    Names in the store, all of them arrays:

        index                                     uint16 (N,), the official index
        isomorphism_class                         uint16 (N,), in the topology space
        <dataset>/<params, flops, latency, ...>   float64 (N,), what belongs to the network
        <dataset>/<protocol>/seeds                int64 (S,)
        <dataset>/<protocol>/final/<metric>       float64 (N, S), after the last epoch; NaN where not recorded
        <dataset>/<protocol>/curve/<metric>       float64 (N, S, epochs); absent where there are none
        <dataset>/<protocol>/per_epoch/<metric>   float64 (N, S), times: the seconds of each epoch, where they
                                                  are the same for all of them; else NaN

    N is the number of cells. `space`: a `nasbench.spaces.Space`.
    """

    def __init__(self, store, space):
        self._store = store
        self._space = space
        self._columns = {}
        parts = [name.split("/") for name in store.names]
        self._protocols = {
            dataset: sorted(
                {int(part[1]) for part in parts if part[0] == dataset and part[1:2] and part[1].isdecimal()}
            )
            for dataset in DATASETS
        }

    def column(self, question):
        """The answer for all cells, read-only float64 (N,); NaN where a cell has none."""
        column = self._columns.get(question)
        if column is None:
            column = self._columns[question] = self._column(question)
        return column

    def reader(self, question):
        """Something that gives a float for a code: a column where that is cheap, else a look at one cell."""
        if self._is_final(question):
            return memoryview(self.column(question))
        return _ByCell(*self._runs(question))

    def value(self, question, code):
        """The answer for one cell, NaN for none; only that cell is read unless the column is known."""
        if question in self._columns or METRICS[question.metric].of_the_network:
            return self.column(question).item(code)
        return _ByCell(*self._runs(question))[code]

    def curves(self, question):
        """Something that gives a cell's values at all epochs, float64 (epochs,), for a code."""
        seeds, _ = self._finals(question)
        column = self._seed_column(question, seeds)
        curves = self._curves(question, seeds)
        if curves is None:
            seconds = self._per_epoch(question, seeds)
            curves = _Repeated(seconds, question.protocol, METRICS[question.metric].accumulates)
        return _CurveByCell(curves, column)

    def seeds(self, question, code):
        """The seeds that the cell was recorded with, a tuple."""
        seeds, rows = self._finals(question)
        return tuple(seed for seed, value in zip(seeds, rows[code].tolist(), strict=True) if value == value)

    def _seeds_at(self, question, code, of_curve):
        """The seeds that the cell was recorded with at the epoch that is asked for, or at any, a tuple."""
        question = question._replace(seed=None)
        if of_curve:
            seeds, _ = self._finals(question)
            curves = [self.curves(question._replace(seed=seed))[code] for seed in seeds]
            known = [not np.isnan(values).all() for values in curves]
        else:
            runs, _ = self._runs(question)
            seeds, known = self._seeds(question.dataset, question.protocol), ~np.isnan(runs[code])
        return tuple(seed for seed, recorded in zip(seeds, known, strict=True) if recorded)

    def protocols(self, dataset: str | None = None) -> list[int]:
        """Return the protocols of a data set, or of all, ascending."""
        datasets = self._protocols if dataset is None else [dataset]
        return sorted({epochs for name in datasets for epochs in self._protocols[name]})

    def recorded(self):
        """What the store holds, a list of Recorded."""
        found = []
        for dataset, protocol, metric in self._names():
            if protocol is None:
                found.append(Recorded(dataset, None, metric, None, None))
                continue
            whole = any(f"{dataset}/{protocol}/{kind}/{metric}" in self._store for kind in _ALL_EPOCHS)
            seeds = self._seeds_of(dataset, protocol, metric)
            found.append(
                Recorded(dataset, protocol, metric, seeds, range(0 if whole else protocol - 1, protocol))
            )
        return found

    def _names(self) -> Iterator[tuple[str, int | None, str]]:
        """Yield (data set, protocol, metric) of all that the store holds; no protocol: of the network."""
        for dataset in DATASETS:
            for protocol in self._protocols[dataset]:
                for metric in METRICS:
                    if _final_array(dataset, protocol, metric) in self._store:
                        yield dataset, protocol, metric
            for metric in METRICS:
                if f"{dataset}/{metric}" in self._store:
                    yield dataset, None, metric

    def _seeds_of(self, dataset: str, protocol: int, metric: str) -> tuple[int, ...]:
        """Return the seeds that a metric has a value with for any cell."""
        seeds = self._seeds(dataset, protocol)
        known = ~np.isnan(self._store[_final_array(dataset, protocol, metric)]).all(axis=0)
        return tuple(seed for seed, recorded in zip(seeds, known, strict=True) if recorded)

    def recorded_in(self, protocol=None):
        """Return the (data set, metric) pairs of a protocol, those that belong to the network included.

        None stands for the longest protocol, which the store may lack; a number that it lacks is an error.
        """
        found = list(self._names())
        if protocol is None:
            protocol = self._space.full_protocol
        else:
            protocol = _whole("a protocol", protocol)
            protocols = self.protocols()
            if protocol not in protocols:
                known = ", ".join(map(str, protocols)) or "none"
                raise NotRecordedError(
                    f"no protocol of {protocol} epochs in this store; the protocols are {known}"
                )
        return [(dataset, metric) for dataset, epochs, metric in found if epochs in (None, protocol)]

    def why_not(self, question, code, of_curve=False):
        """A line that says why a question has no answer for one cell, and what is recorded for it."""
        cell = self._space.cell(code)
        asked = f"cell {cell.index} {cell} has no {question.metric} for {question.dataset}"
        if METRICS[question.metric].of_the_network:
            return f"{asked} in this store"
        asked += f" after {question.protocol} epochs"
        asked += "" if question.epoch is None else f" at epoch {question.epoch}"
        asked += "" if question.seed is None else f" with seed {question.seed}"
        seeds = self._seeds_at(question, code, of_curve)
        asked += " at any epoch" if of_curve and seeds != self.seeds(question, code) else ""
        at_last = "" if seeds else "only at the last epoch, "
        seeds = seeds or self.seeds(question, code)
        if not seeds:
            return f"{asked}; nothing is recorded for it"
        if seeds == (UNKNOWN_SEED,):
            return f"{asked}; recorded {at_last}as one value without a seed, such as a mean over seeds"
        return f"{asked}; recorded {at_last}with seeds {list_seeds(seeds)}"

    def _column(self, question):
        dataset, metric, _, epoch, seed = question
        if METRICS[metric].of_the_network:
            if epoch is not None or seed is not None:
                raise _of_the_network(metric)
            if f"{dataset}/{metric}" not in self._store:
                raise NotRecordedError(f"{dataset} has no {metric} in this store; {self._has(dataset)}")
            return self._store.take(f"{dataset}/{metric}", np.float64, self._space.cells)
        runs, column = self._runs(question)
        values = _mean_over_seeds(runs) if column is None else runs[:, column]
        values.flags.writeable = False
        return values

    def _runs(self, question):
        """The metric at the epoch asked for, float64 (N, S), and the seed's column, None for the mean."""
        is_final = self._is_final(question)
        seeds, runs = self._finals(question)
        column = self._seed_column(question, seeds)
        if is_final:
            return runs, column
        curves = self._curves(question, seeds)
        if curves is not None:
            return curves[:, :, question.epoch], column
        seconds = runs = self._per_epoch(question, seeds)
        if METRICS[question.metric].accumulates:
            for _ in range(question.epoch):  # not a product: added up as the published times are
                runs = runs + seconds
        return runs, column

    def _is_final(self, question):
        """Whether it asks for the last epoch; an epoch that its protocol cannot have is an error."""
        dataset, metric, protocol, epoch, _ = question
        if METRICS[metric].of_the_network or epoch is None:
            return True
        self._check_protocol(dataset, protocol)
        if not 0 <= epoch < protocol:
            raise NotRecordedError(
                f"an epoch of the {protocol}-epoch protocol is in [0, {protocol - 1}], got {epoch}"
            )
        return epoch == protocol - 1

    def _finals(self, question):
        """The seeds, and the metric after the last epoch, float64 (N, S)."""
        dataset, metric, protocol, _, _ = question
        if METRICS[metric].of_the_network:
            raise _of_the_network(metric)
        if not exists(dataset, METRICS[metric]):
            raise NotRecordedError(f"{dataset} has no {metric} in any store; {self._has(dataset)}")
        self._check_protocol(dataset, protocol)
        name = _final_array(dataset, protocol, metric)
        if name not in self._store:
            raise NotRecordedError(
                f"{dataset} has no {metric} after {protocol} epochs in this store; {self._has(dataset)}"
            )
        seeds = self._seeds(dataset, protocol)
        return seeds, self._store.take(name, np.float64, self._space.cells, len(seeds))

    def _curves(self, question, seeds):
        """The metric's curves, float64 (N, S, epochs), or None."""
        name = f"{question.dataset}/{question.protocol}/curve/{question.metric}"
        if name not in self._store:
            return None
        return self._store.take(name, np.float64, self._space.cells, len(seeds), question.protocol)

    def _per_epoch(self, question, seeds):
        """The seconds of each epoch, float64 (N, S); NotRecordedError without them."""
        dataset, metric, protocol, _, _ = question
        name = f"{dataset}/{protocol}/per_epoch/{metric}"
        if name not in self._store:
            raise NotRecordedError(
                f"{dataset} {metric} over {protocol} epochs is recorded only at the last, {protocol - 1}"
            )
        return self._store.take(name, np.float64, self._space.cells, len(seeds))

    def _seeds(self, dataset, protocol):
        return self._store.take(f"{dataset}/{protocol}/seeds", np.int64, None).tolist()

    def _seed_column(self, question, seeds):
        if question.seed is None:
            return None
        if question.seed not in seeds:
            raise NotRecordedError(
                f"{question.dataset} after {question.protocol} epochs is not recorded with seed"
                f" {question.seed}; the seeds are {list_seeds(seeds)}"
            )
        return seeds.index(question.seed)

    def _check_protocol(self, dataset, protocol):
        if protocol not in self._protocols[dataset]:
            raise NotRecordedError(
                f"{dataset} has no protocol of {protocol} epochs in this store; {self._has(dataset)}"
            )

    def _has(self, dataset):
        """A clause that says what the store holds of a data set."""
        metrics = {}
        for name, protocol, metric in self._names():
            if name == dataset:
                metrics.setdefault(protocol, []).append(metric)
        clauses = [
            f"{'without a protocol' if protocol is None else f'after {protocol} epochs'} {', '.join(names)}"
            for protocol, names in metrics.items()
        ]
        return f"recorded: {'; '.join(clauses) or 'nothing'}"


class _ByCell:
    """One cell's run, or the mean of its runs, out of (N, S), without touching the other cells."""

    __slots__ = ("_column", "_runs")

    def __init__(self, runs, column):
        self._runs = runs
        self._column = column

    def __getitem__(self, code):
        if self._column is not None:
            return self._runs.item(code, self._column)
        return _mean(self._runs[code])


class _CurveByCell:
    """One cell's curve, or the mean of its curves, out of (N, S, epochs); NaN at what was not recorded."""

    __slots__ = ("_column", "_curves")

    def __init__(self, curves, column):
        self._curves = curves
        self._column = column

    def __getitem__(self, code):
        rows = self._curves[code]
        if self._column is not None:
            return np.array(rows[self._column])
        recorded = [row for row in rows if row[-1] == row[-1]]
        if recorded:  # mostly a run has all of its epochs, or none
            total = recorded[0]
            for row in recorded[1:]:
                total = total + row
            mean = total / len(recorded)
            known = np.add.reduce(mean)
            if known == known:
                return mean
        return _mean_over_seeds(rows.T)


class _Repeated:
    """Curves of what is the same at every epoch, or adds up to as many times as there were epochs."""

    def __init__(self, values, epochs, accumulates):
        self._values = values
        self._epochs = epochs
        self._accumulates = accumulates

    def __getitem__(self, code):
        rows = np.repeat(self._values[code][:, None], self._epochs, axis=1)
        return rows.cumsum(axis=1) if self._accumulates else rows


def _of_the_network(metric):
    return NotRecordedError(f"{metric} belongs to the network: it has no epoch and no seed")


def _mean(values):
    """The mean of the values that are recorded, a float; `_mean_over_seeds` for one cell."""
    total, count = 0.0, 0
    for value in values.tolist():
        if value == value:
            total += value  # not sum(), which from Python 3.12 on rounds otherwise
            count += 1
    return total / count if count else float("nan")


def _mean_over_seeds(rows: np.ndarray) -> np.ndarray:
    """Return the mean of each row's recorded values, float64; summed in the order of seeds, as published."""
    total, count = np.zeros(len(rows)), np.zeros(len(rows))
    for values in rows.T:
        known = values == values
        if known.all():
            total += values
            count += 1
        elif known.any():
            total += np.where(known, values, 0.0)
            count += known
    count[count == 0] = np.nan
    return total / count
