"""Answers to questions from a store: numbers, or errors that list what is recorded."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from numbers import Number
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

import numpy as np

from nasbench.errors import NotRecordedError
from nasbench.metrics import DATASETS, METRICS, UNKNOWN_SEED, exists, get_dataset, get_metric

if TYPE_CHECKING:
    from nasbench.arrays import Mask, Values
    from nasbench.spaces import Space
    from nasbench.store import Store

    class Reader(Protocol):
        """Mapping from the code of a cell to a value."""

        def __getitem__(self, code: int, /) -> float:
            """Return the value; NaN if it is not recorded."""

    class CurveReader(Protocol):
        """Mapping from the code of a cell to its values at all epochs."""

        def __getitem__(self, code: int, /) -> Values:
            """Return the values; NaN at an epoch that was not recorded."""


_ALL_EPOCHS = ("curve", "per_epoch")  # the groups of a store that have a metric at every epoch


UNTRAINED = 0  # epochs; the protocol of proxies in a store, which cannot be queried


class Question(NamedTuple):
    """A question about every cell."""

    #: name of the data set
    dataset: str
    #: name of the metric
    metric: str
    #: epochs of the training protocol
    protocol: int
    #: epoch, counted from 0; None for the last one
    epoch: int | None
    #: recorded seed; None for the mean over all recorded seeds
    seed: int | None

    @classmethod
    def parse(cls, dataset: str, metric: str, protocol: object, epoch: object, seed: object) -> Self:
        """Return a question after checking names and integers; the store may not have an answer.

        The protocol of a proxy is ignored, because a proxy is computed before the first epoch.
        """
        get_dataset(dataset)
        if get_metric(metric).is_proxy:
            protocol = UNTRAINED
        epoch = None if epoch is None else _integer("epoch", epoch)
        seed = None if seed is None else _integer("seed", seed)
        return cls(dataset, metric, _integer("protocol", protocol), epoch, seed)


def _integer(name: str, number: object) -> int:
    """Return the number as an int (199.0 as 199), so that equal numbers give equal questions."""
    try:
        return operator.index(number)  # type: ignore[arg-type]  # may be of any type
    except TypeError:
        if isinstance(number, Number):
            with suppress(TypeError, ValueError, OverflowError):
                whole = int(number)  # type: ignore[call-overload]  # not every number has an int
                if whole == number:
                    return int(whole)
        raise NotRecordedError(f"{name} must be an integer, got {number!r}") from None


def list_seeds(seeds: Iterable[int]) -> str:
    """Return seeds as text; `mean` for values without a seed, because these are mostly means."""
    return ", ".join("mean" if seed == UNKNOWN_SEED else str(seed) for seed in seeds)


class Recorded(NamedTuple):
    """The recorded values of one metric; a metric of the network has no protocol or epochs.

    Among the metrics of the network, only proxies have seeds.
    """

    #: name of the data set
    dataset: str
    #: epochs of the training protocol
    protocol: int | None
    #: name of the metric
    metric: str
    #: recorded seeds; -1 for a mean or a run with an unknown seed
    seeds: tuple[int, ...] | None
    #: recorded epochs, counted from 0; only the last one if there is no curve
    epochs: range | None

    @property
    def array(self) -> str:
        """Name of the store's array of values after the last epoch."""
        return _array(self.dataset, self.protocol, self.metric)


def _final_array(dataset: str, protocol: int, metric: str) -> str:
    return f"{dataset}/{protocol}/final/{metric}"


def _array(dataset: str, protocol: int | None, metric: str) -> str:
    """Return the name of a metric's array; `protocol` is None for a metric of the network."""
    if METRICS[metric].is_proxy:
        protocol = UNTRAINED
    return f"{dataset}/{metric}" if protocol is None else _final_array(dataset, protocol, metric)


class Answers:
    """Lookup of questions in a store. Rows are cells in code order.

    Arrays in the store, for N cells and S seeds:

        index                                     uint16 (N,), the official index
        isomorphism_class                         uint16 (N,), in the topology space
        <dataset>/<params, flops, latency, ...>   float64 (N,), metrics of the network
        <dataset>/0/final/<proxy>                 float64 (N, S), proxies, before the first epoch
        <dataset>/<protocol>/seeds                int64 (S,)
        <dataset>/<protocol>/final/<metric>       float64 (N, S), after the last epoch; NaN if not recorded
        <dataset>/<protocol>/curve/<metric>       float64 (N, S, epochs); absent if there are none
        <dataset>/<protocol>/per_epoch/<metric>   float64 (N, S), seconds per epoch; NaN if epochs differ
    """

    def __init__(self, store: Store, space: Space) -> None:
        self._store = store
        self._space = space
        self._columns: dict[Question, Values] = {}
        parts = [name.split("/") for name in store.names]
        self._protocols = {
            dataset: sorted(
                {
                    int(part[1])
                    for part in parts
                    if part[0] == dataset and part[1:2] and part[1].isdecimal() and int(part[1]) != UNTRAINED
                }
            )
            for dataset in DATASETS
        }

    def column(self, question: Question) -> Values:
        """Return the answer for all cells, read-only (N,); NaN if a cell has none."""
        column = self._columns.get(question)
        if column is None:
            column = self._columns[question] = self._column(question)
        return column

    def reader(self, question: Question) -> Reader:
        """Return a reader of a whole column if that is cheap, else of one cell at a time."""
        if self._is_final(question):
            return self.column(question).data
        return _ByCell(*self._runs(question))

    def value(self, question: Question, code: int) -> float:
        """Return the answer for one cell, NaN if there is none; reads only that cell if possible."""
        if question in self._columns or METRICS[question.metric].of_the_network:
            return self.column(question).item(code)
        return _ByCell(*self._runs(question))[code]

    def curves(self, question: Question) -> CurveReader:
        """Return a reader of the values at all epochs, shape (epochs,)."""
        seeds, _ = self._finals(question)
        column = self._seed_column(question, seeds)
        curves: CurveReader | None = self._curves(question, seeds)
        if curves is None:
            seconds = self._per_epoch(question, seeds)
            curves = _Repeated(seconds, question.protocol, METRICS[question.metric].accumulates)
        return _CurveByCell(curves, column)

    def seeds(self, question: Question, code: int) -> tuple[int, ...]:
        """Return the recorded seeds of the cell."""
        seeds, rows = self._finals(question)
        return tuple(seed for seed, value in zip(seeds, rows[code].tolist(), strict=True) if value == value)

    def _seeds_at(self, question: Question, code: int, of_curve: bool) -> tuple[int, ...]:
        """Return the cell's recorded seeds at the epoch of the question, or at any epoch."""
        question = question._replace(seed=None)
        if of_curve:
            seeds, _ = self._finals(question)
            curves = [self.curves(question._replace(seed=seed))[code] for seed in seeds]
            known = [not np.isnan(values).all() for values in curves]
        else:
            runs, _ = self._runs(question)
            seeds, known = self._seeds(question.dataset, question.protocol), (~np.isnan(runs[code])).tolist()
        return tuple(seed for seed, recorded in zip(seeds, known, strict=True) if recorded)

    def protocols(self, dataset: str | None = None) -> list[int]:
        """Return the protocols of a data set, or of all data sets, ascending."""
        datasets = self._protocols if dataset is None else [dataset]
        return sorted({epochs for name in datasets for epochs in self._protocols[name]})

    def recorded(self) -> list[Recorded]:
        """Return a description of each metric in the store."""
        return [self._recorded(*name) for name in self._names()]

    def _recorded(self, dataset: str, protocol: int | None, metric: str) -> Recorded:
        if METRICS[metric].is_proxy:
            return Recorded(dataset, None, metric, self._known_seeds(dataset, UNTRAINED, metric), None)
        if protocol is None:
            return Recorded(dataset, None, metric, None, None)
        has_all = any(f"{dataset}/{protocol}/{kind}/{metric}" in self._store for kind in _ALL_EPOCHS)
        epochs = range(0 if has_all else protocol - 1, protocol)
        return Recorded(dataset, protocol, metric, self._known_seeds(dataset, protocol, metric), epochs)

    def _known_seeds(self, dataset: str, protocol: int, metric: str) -> tuple[int, ...]:
        """Return the seeds that any cell was recorded with."""
        finals = self._store[_final_array(dataset, protocol, metric)]
        known: Mask = np.logical_or.reduce(~np.isnan(finals), axis=0)
        seeds = self._seeds(dataset, protocol)
        return tuple(seed for seed, recorded in zip(seeds, known.tolist(), strict=True) if recorded)

    def _names(self) -> Iterator[tuple[str, int | None, str]]:
        """Yield (data set, protocol, metric) of all values; no protocol for metrics of the network."""
        for dataset in DATASETS:
            for protocol in self._protocols[dataset]:
                for metric in METRICS:
                    if _final_array(dataset, protocol, metric) in self._store:
                        yield dataset, protocol, metric
            for metric in METRICS:
                if METRICS[metric].of_the_network and _array(dataset, None, metric) in self._store:
                    yield dataset, None, metric

    def recorded_in(self, protocol: object = None) -> list[tuple[str, str]]:
        """Return the (data set, metric) pairs of a protocol, including metrics of the network.

        None means the longest protocol, even if the store lacks it; any other missing protocol raises
        NotRecordedError.
        """
        if protocol is None:
            protocol = self._space.full_protocol
        else:
            protocol = _integer("protocol", protocol)
            protocols = self.protocols()
            if protocol not in protocols:
                known = ", ".join(map(str, protocols)) or "none"
                raise NotRecordedError(
                    f"no protocol of {protocol} epochs in this store; the protocols are {known}"
                )
        return [(dataset, metric) for dataset, epochs, metric in self._names() if epochs in (None, protocol)]

    def why_not(self, question: Question, code: int, of_curve: bool = False) -> str:
        """Explain in one line why a question has no answer for a cell, and list the recorded values."""
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

    def _column(self, question: Question) -> Values:
        dataset, metric, _, epoch, seed = question
        if METRICS[metric].is_proxy and epoch is not None:
            raise _network_error(metric)
        if METRICS[metric].of_the_network and not METRICS[metric].is_proxy:
            if epoch is not None or seed is not None:
                raise _network_error(metric)
            if f"{dataset}/{metric}" not in self._store:
                raise NotRecordedError(f"{dataset} has no {metric} in this store; {self._has(dataset)}")
            return self._store.take(f"{dataset}/{metric}", np.float64, self._space.cells)
        runs, column = self._runs(question)
        values = _mean_over_seeds(runs) if column is None else runs[:, column]
        values.flags.writeable = False
        return values

    def _runs(self, question: Question) -> tuple[Values, int | None]:
        """Return the metric at the question's epoch, (N, S), and the seed's column; None for the mean."""
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
            for _ in range(question.epoch or 0):  # a sum, not a product, because the published times are sums
                runs = runs + seconds
        return runs, column

    def _is_final(self, question: Question) -> bool:
        """Return whether a question asks for the last epoch; raise NotRecordedError for a missing epoch."""
        dataset, metric, protocol, epoch, _ = question
        if METRICS[metric].of_the_network or epoch is None:
            return True
        self._check_protocol(dataset, protocol)
        if not 0 <= epoch < protocol:
            raise NotRecordedError(
                f"epoch must be in [0, {protocol - 1}] for the {protocol}-epoch protocol, got {epoch}"
            )
        return epoch == protocol - 1

    def _finals(self, question: Question) -> tuple[list[int], Values]:
        """Return the seeds, and the metric after the last epoch, (N, S)."""
        dataset, metric, protocol, _, _ = question
        if METRICS[metric].is_proxy:
            if (name := _array(dataset, None, metric)) not in self._store:
                raise NotRecordedError(f"{dataset} has no {metric} in this store; {self._has(dataset)}")
            seeds = self._seeds(dataset, UNTRAINED)
            return seeds, self._store.take(name, np.float64, self._space.cells, len(seeds))
        if METRICS[metric].of_the_network:
            raise _network_error(metric)
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

    def _curves(self, question: Question, seeds: Sequence[int]) -> Values | None:
        """Return the metric's curves, (N, S, epochs), or None."""
        name = f"{question.dataset}/{question.protocol}/curve/{question.metric}"
        if name not in self._store:
            return None
        return self._store.take(name, np.float64, self._space.cells, len(seeds), question.protocol)

    def _per_epoch(self, question: Question, seeds: Sequence[int]) -> Values:
        """Return the seconds per epoch, (N, S); raise NotRecordedError if they are not recorded."""
        dataset, metric, protocol, _, _ = question
        name = f"{dataset}/{protocol}/per_epoch/{metric}"
        if name not in self._store:
            raise NotRecordedError(
                f"{dataset} {metric} over {protocol} epochs is recorded only at the last epoch,"
                f" {protocol - 1}"
            )
        return self._store.take(name, np.float64, self._space.cells, len(seeds))

    def _seeds(self, dataset: str, protocol: int) -> list[int]:
        seeds: list[int] = self._store.take(f"{dataset}/{protocol}/seeds", np.int64, None).tolist()
        return seeds

    def _seed_column(self, question: Question, seeds: Sequence[int]) -> int | None:
        if question.seed is None:
            return None
        if question.seed not in seeds:
            raise NotRecordedError(
                f"{question.dataset} {_after(question)} is not recorded with seed"
                f" {question.seed}; the seeds are {list_seeds(seeds)}"
            )
        return seeds.index(question.seed)

    def _check_protocol(self, dataset: str, protocol: int) -> None:
        if protocol not in self._protocols[dataset]:
            raise NotRecordedError(
                f"{dataset} has no protocol of {protocol} epochs in this store; {self._has(dataset)}"
            )

    def _has(self, dataset: str) -> str:
        """Return the metrics that are recorded for a data set, as the end of a message."""
        metrics: dict[int | None, list[str]] = {}
        for name, protocol, metric in self._names():
            if name == dataset:
                metrics.setdefault(protocol, []).append(metric)
        clauses = [
            f"{'without a protocol' if protocol is None else f'after {protocol} epochs'} {', '.join(names)}"
            for protocol, names in metrics.items()
        ]
        return f"recorded: {'; '.join(clauses) or 'nothing'}"


@dataclass(slots=True, repr=False, eq=False)
class _ByCell:
    """Values of one cell at a time from runs (N, S), without reading the other cells."""

    runs: Values
    column: int | None

    def __getitem__(self, code: int) -> float:
        if self.column is not None:
            return self.runs.item(code, self.column)
        return _mean(self.runs[code])


@dataclass(slots=True, repr=False, eq=False)
class _CurveByCell:
    """Curves of one cell at a time, or means of its curves, from (N, S, epochs); NaN if not recorded."""

    curves: CurveReader
    column: int | None

    def __getitem__(self, code: int) -> Values:
        rows = self.curves[code]
        if self.column is not None:
            return np.array(rows[self.column])
        recorded = [row for row in rows if row[-1] == row[-1]]
        if recorded:  # most runs have all epochs or none
            total: Values = recorded[0]
            for row in recorded[1:]:
                total = total + row
            mean = total / len(recorded)
            known = np.add.reduce(mean)
            if known == known:
                return mean
        return _mean_over_seeds(rows.T)


@dataclass(slots=True, repr=False, eq=False)
class _Repeated:
    """Curves of values that are constant, or accumulate, from epoch to epoch."""

    values: Values
    epochs: int
    accumulates: bool

    def __getitem__(self, code: int) -> Values:
        rows = np.repeat(self.values[code][:, None], self.epochs, axis=1)
        return rows.cumsum(axis=1) if self.accumulates else rows


def _after(question: Question) -> str:
    return "before training" if METRICS[question.metric].is_proxy else f"after {question.protocol} epochs"


def _network_error(metric: str) -> NotRecordedError:
    lacks = "no epoch" if METRICS[metric].is_proxy else "no epoch and no seed"
    return NotRecordedError(f"{metric} belongs to the network: it has {lacks}")


def _mean(values: Values) -> float:
    """Return the mean of the recorded values; the same as `_mean_over_seeds` for one cell."""
    total, count = 0.0, 0
    for value in values.tolist():
        if value == value:
            total += value  # not sum(), which rounds differently since Python 3.12
            count += 1
    return total / count if count else float("nan")


def _mean_over_seeds(rows: Values) -> Values:
    """Return the mean of each row's recorded values, summed in the order of seeds like published means."""
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
