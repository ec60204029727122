"""The collection of the page's data: comparable runs side by side, and values of the table."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import combinations
from typing import Any

import numpy as np

from blackbox.kinds.reader import Run
from blackbox.report.data import Best, CellFacts, Columns, Comparison, PageData, Pairs, Series, ShownPair
from blackbox.report.runs import describe_settings, front_run, incumbent_run
from blackbox.results.anytime import Axis
from blackbox.results.comparison import (
    THRESHOLDS,
    Entry,
    shared_settings,
    tested,
    worst_for_none,
)
from blackbox.results.fronts import front_against
from blackbox.results.regret import feasible_cells, find_optimum
from blackbox.table.objective import TableObjective
from blackbox.table.signal import Signal
from nasbench.arrays import Scores
from nasbench.benchmark import Benchmark
from nasbench.constraints import described, load_column, named
from nasbench.errors import NotRecordedError
from nasbench.metrics import describe_metric, get_metric
from nasbench.pages import pack

Group = tuple[list[Run], Benchmark]  # runs on one table, data set and metric

_COSTS = ("params", "flops", "latency")
_ACCURACIES = ("val_accuracy", "test_accuracy")
_COLOURS = (  # matplotlib's ten, in its order
    "#1f77b4",
    "#ff7f0e",
    "#2ca02c",
    "#d62728",
    "#9467bd",
    "#8c564b",
    "#e377c2",
    "#7f7f7f",
    "#bcbd22",
    "#17becf",
)


def gather(groups: Sequence[Group]) -> PageData:
    """Return the page's data; a label is one series with one colour in all groups."""
    labels = [_labels(runs) for runs, _ in groups]
    names = _names(groups)
    series = list(dict.fromkeys(label for group in labels for label in group))
    return PageData(
        [Series(label, _COLOURS[n % len(_COLOURS)]) for n, label in enumerate(series)],
        [
            _comparison(name, runs, [series.index(label) for label in group], bench)
            for (runs, bench), group, name in zip(groups, labels, names, strict=True)
        ],
    )


def _names(groups: Sequence[Group]) -> list[str]:
    """Return the name of each comparison: data set and metric, with more details if names are equal."""
    texts = []
    for runs, bench in groups:
        settings, attributes = runs[0].settings, bench.store.attributes
        limits = [described(name, limits) for name, limits in settings.where.items()]
        name = ", ".join([f"{settings.dataset} {settings.metric}", *limits])
        in_space = f"{name}, {bench.space.name}"
        checksum = str(attributes["checksum"])[:8]
        texts.append((name, in_space, f"{in_space} ({attributes['source']}, {checksum})"))
    return _unique_names(texts)


def _labels(runs: Sequence[Run]) -> list[str]:
    """Return the label of each run, with its folder if labels are equal."""
    return _unique_names(
        [(run.label, f"{run.label} ({run.path.name})", f"{run.label} ({run.path})") for run in runs]
    )


def _unique_names(texts: Sequence[Sequence[str]]) -> list[str]:
    """Return the first unique name of each item, or its last name if none is unique."""
    every = Counter(name for names in texts for name in set(names))
    return [next((name for name in names if every[name] == 1), names[-1]) for names in texts]


def _comparison(name: str, runs: Sequence[Run], series: Sequence[int], bench: Benchmark) -> Comparison:
    """Return the comparison of runs on one table, data set and metric; `series` are indices of labels."""
    settings = runs[0].settings
    dataset, longest = settings.dataset, bench.space.full_protocol
    objective = TableObjective(bench, dataset, settings.metric, where=settings.where)
    targets, target = objective.targets, objective.target
    against = [run.settings.against for run in runs if run.objectives > 1]
    costs = [cost for cost in dict.fromkeys((*against, *_COSTS)) if cost != objective.metric]
    accuracies = (named(f"{metric}@{target.protocol or longest}", longest) for metric in _ACCURACIES)
    columns = _columns(bench, dataset, (objective.metric, *accuracies, *costs))
    costs = [cost for cost in costs if cost in columns]
    reported = {metric: column for metric, column in columns.items() if metric not in costs}
    entries = [run.entry() if run.objectives == 1 else None for run in runs]
    shown = [
        front_run(run, number, bench, columns)
        if entry is None
        else incumbent_run(run, number, entry, targets, reported)
        for run, entry, number in zip(runs, entries, series, strict=True)
    ]
    best = find_optimum(bench, objective)
    codes = {code for run in shown for code in run.found}
    by_time = any(Axis.EVALUATIONS not in entry.axes for entry in entries if entry is not None)
    return Comparison(
        name,
        bench.space.flag,
        dataset,
        objective.metric,
        target.unit,
        target.higher_is_better,
        facts=_facts(runs, bench, objective),
        restricted=bool(objective.where),
        optimum=Best(bench.cell(best.index).code, best.index, best.value),
        axis="seconds" if by_time else "evaluations",
        thresholds=list(THRESHOLDS) if target.unit == "%" else [],
        runs=shown,
        pairs=_pairs(runs, entries, targets),
        cells={int(code): _cell(code, bench, targets, columns) for code in sorted(codes)},
        index=pack.wholes(bench.space.official_index()),
        columns={
            metric: {"unit": Signal.parse(metric).unit, **pack.decimals(column)}
            for metric, column in columns.items()
        },
        costs=costs,
        fronts={cost: front_against(targets, cost, columns[cost]) for cost in costs},
    )


def _facts(runs: Sequence[Run], bench: Benchmark, objective: TableObjective) -> list[tuple[str, str]]:
    """Return facts about the runs as names and texts; if runs differ, the text has all values in order."""
    attributes, feasible = bench.store.attributes, feasible_cells(objective, 0)
    each = [describe_settings(run) for run in runs]
    every = {name: "; ".join(dict.fromkeys(settings[name] for settings in each)) for name in each[0]}
    meaning = describe_metric(objective.dataset, get_metric(objective.target.metric))
    return [
        ("table", f"{bench.space.name}, {attributes['source']} {attributes['source_version']}"),
        ("checksum of the table", str(attributes["checksum"])[:12]),
        ("metric", f"{objective.metric}: {meaning}"),
        *([] if feasible is None else [("feasible", feasible.text())]),
        *(
            (name, every[name])
            for name in ("signal", "a trial ends after", "trials", "seed", "versions", "created")
        ),
    ]


def _columns(bench: Benchmark, dataset: str, names: Sequence[str]) -> Columns:
    """Return the columns of the table that are recorded: the metric, accuracies and costs."""
    columns = {}
    for name in names:
        with suppress(NotRecordedError):
            columns[name] = load_column(bench, dataset, name)
    return {name: column for name, column in columns.items() if not np.isnan(column).all()}


def _cell(code: int, bench: Benchmark, targets: Scores, columns: Columns) -> CellFacts:
    """Return the values of a final cell of a trial."""
    values = []
    for name, column in columns.items():
        if not np.isnan(column[code]):
            unit = Signal.parse(name).unit
            values.append((name, f"{column[code]:.2f} %" if unit == "%" else f"{column[code]:.4g} {unit}"))
    return CellFacts(
        int(bench.space.official_index()[code]), int((targets > targets[code]).sum()) + 1, values
    )


def _pairs(runs: Sequence[Run], entries: Sequence[Entry | None], targets: Scores) -> Pairs:
    """Return the test results of each pair of comparable runs."""
    ends: dict[int, Scores] = {}
    groups: dict[tuple[Any, ...], list[int]] = {}
    for place, (run, entry) in enumerate(zip(runs, entries, strict=True)):
        if entry is None or not run.complete or run.settings.trials < 2:
            continue
        shared, regret = shared_settings(run.settings), entry.trials.final_regrets(targets)
        if shared["jobs"] is None and not np.isnan(regret).all():
            ends[place] = worst_for_none(regret, targets)
            groups.setdefault(tuple(shared.values()), []).append(place)
    chosen = [pair for group in groups.values() for pair in combinations(group, 2)]
    compared = {place for pair in chosen for place in pair}
    # The better one is first; the order does not change the test and its p-value.
    shown = [
        ShownPair([*pair], each) if each.pair.rank_biserial >= 0 else ShownPair([*pair[::-1]], each.turned())
        for pair, each in zip(chosen, tested(ends, chosen), strict=True)
    ]
    return Pairs(
        shown,
        len({runs[place].settings.seed for place in compared}) <= 1,
        [n for n, entry in enumerate(entries) if entry is not None and n not in compared],
    )
