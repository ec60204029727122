"""Rank correlations of proxies with the accuracies of the table, and agreement on the best cells."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.benchmark import Benchmark
from nasbench.errors import NotRecordedError
from nasbench.metrics import DATASETS, METRICS
from nasbench.runs.text import format_table
from oneshot.proxies.table import ScoreTable
from oneshot.score.ranking import Correlation, rank_correlations
from oneshot.score.settings import MINIMUM_CELLS

Values = NDArray[np.float64]
_BASELINES = ("params", "flops")
_TOP = 10  # percent of cells that count as the best
_SHOWN = "val_accuracy"


class Agreement(NamedTuple):
    """Agreement of the mean of a proxy over seeds with an accuracy of the table."""

    #: name of the proxy
    proxy: str
    #: data set of the accuracy
    dataset: str
    #: name of the accuracy
    metric: str
    #: protocol of the accuracy, in epochs
    protocol: int
    #: number of cells that have both values
    cells: int
    #: Kendall's tau-b
    kendall: Correlation
    #: Spearman's rho
    spearman: Correlation
    #: share of the best tenth of cells by proxy that are in the best tenth by accuracy
    top: float


class Evaluation(NamedTuple):
    """Agreement of all proxies of a run with the table."""

    #: one per proxy and accuracy
    agreements: list[Agreement]
    #: mean Spearman correlation of two seeds, by proxy; only for proxies with several seeds
    between_seeds: dict[str, float]

    def to_json(self) -> dict[str, Any]:  # plain values, nested
        """Return the evaluation as values that JSON can represent."""
        rows = [
            each._asdict() | {"kendall": each.kendall._asdict(), "spearman": each.spearman._asdict()}
            for each in self.agreements
        ]
        return {"agreements": rows, "between_seeds": self.between_seeds}

    def text(self) -> str:
        """Return a text table of the correlations with validation accuracies."""
        longest = max((each.protocol for each in self.agreements if each.metric == _SHOWN), default=0)
        shown = [e for e in self.agreements if (e.metric, e.protocol) == (_SHOWN, longest)]
        rows: dict[str, list[str]] = {}
        for each in shown:
            row = rows.setdefault(each.proxy, [])
            row += [_with_interval(each.spearman), _number(each.kendall.value), f"{each.top:.0%}"]
        datasets = dict.fromkeys(each.dataset for each in shown)
        header = ["proxy"]
        for dataset in datasets:
            header += [f"{dataset}: Spearman", "Kendall", "top"]
        table = [[name, *row, _number(self.between_seeds.get(name))] for name, row in sorted(rows.items())]
        cells = max((each.cells for each in shown), default=0)
        title = f"rank correlations with {_SHOWN}, {cells:,} cells (95 % interval; top: of the best tenth)"
        return f"{title}\n{format_table([*header, 'between seeds'], table)}"


def evaluate(table: ScoreTable, bench: Benchmark) -> Evaluation | None:
    """Return the evaluation of a run; None for fewer than 10 cells with accuracies in the table."""
    if len(table.architectures) < MINIMUM_CELLS or table.architectures[0].space != "nb201":
        return None
    codes = np.array([architecture.value.code for architecture in table.architectures])
    columns = table.means
    for name in _BASELINES:
        if name not in columns:
            with suppress(NotRecordedError):
                columns[name] = bench.by_code(table.settings.dataset, name)[codes]
    agreements = [
        agreement
        for proxy, scores in columns.items()
        for dataset, metric, protocol, accuracies in _accuracies(bench, codes)
        if (agreement := _agreement(proxy, scores, dataset, metric, protocol, accuracies)) is not None
    ]
    return Evaluation(agreements, _between_seeds(table)) if agreements else None


def _accuracies(bench: Benchmark, codes: NDArray[np.intp]) -> Iterator[tuple[str, str, int, Values]]:
    """Yield data set, metric, protocol and values of the cells for every accuracy in the table."""
    for dataset in DATASETS:
        for recorded in bench.recorded():
            metric = METRICS[recorded.metric]
            if recorded.dataset == dataset and metric.kind == "accuracy" and recorded.protocol is not None:
                values = bench.by_code(dataset, metric.name, protocol=recorded.protocol)
                yield dataset, metric.name, recorded.protocol, np.asarray(values)[codes]


def _agreement(
    proxy: str, scores: Values, dataset: str, metric: str, protocol: int, accuracies: Values
) -> Agreement | None:
    known = ~np.isnan(scores) & ~np.isnan(accuracies)
    count = int(known.sum())
    if count < MINIMUM_CELLS:
        return None
    scores, accuracies = scores[known], accuracies[known]
    best = max(1, count * _TOP // 100)
    top = set(np.argsort(-scores, kind="stable")[:best]) & set(np.argsort(-accuracies, kind="stable")[:best])
    correlations = rank_correlations(scores, accuracies)
    return Agreement(
        proxy,
        dataset,
        metric,
        protocol,
        count,
        correlations.kendall,
        correlations.spearman,
        len(top) / best,
    )


def _between_seeds(table: ScoreTable) -> dict[str, float]:
    means = {}
    for name, values in table.scores.items():
        columns = values[~np.isnan(values).any(1)].T
        pairs = [rank_correlations(*pair).spearman.value for pair in combinations(columns, 2)]
        known = [value for value in pairs if value is not None]
        if known:
            means[name] = float(np.mean(known))
    return means


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _with_interval(correlation: Correlation) -> str:
    if correlation.value is None:
        return "-"
    return f"{correlation.value:.3f} [{correlation.low:.3f}, {correlation.high:.3f}]"
