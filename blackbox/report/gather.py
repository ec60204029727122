"""What the page shows: runs that compare side by side, and the table around them, as plain values."""

from contextlib import suppress

import numpy as np

from blackbox.objective import TableObjective
from blackbox.report import pack
from blackbox.report.progress import (
    EVALUATIONS,
    SECONDS,
    compares_by,
    curve,
    deviation,
    reached,
    short,
    totals,
)
from blackbox.summary import duration
from nasbench.errors import NotRecordedError
from nasbench.metrics import METRICS, meaning_of

THRESHOLDS = (1.0, 0.5, 0.1)  # regrets that the table says the way to, in the metric's unit
_COSTS = ("params", "flops", "latency")
_ACCURACIES = ("val_accuracy", "test_accuracy")
_COUNTED = {"evals": "evaluations", "jobs": "jobs"}  # by a setting's name
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


def gather(groups):
    """The page's data: `groups` is a list of (runs, bench), the runs of each on one table and metric.

    A label is one series in all groups, of one colour. {"series": [...], "comparisons": [...]}.
    """
    labels = [_labels(runs) for runs, _ in groups]
    names = _names(groups)
    series = list(dict.fromkeys(label for group in labels for label in group))
    return {
        "series": [{"label": label, "colour": _COLOURS[n % len(_COLOURS)]} for n, label in enumerate(series)],
        "comparisons": [
            {"name": name} | comparison(runs, [series.index(label) for label in group], bench)
            for (runs, bench), group, name in zip(groups, labels, names, strict=True)
        ],
    }


def _names(groups):
    """The name of each comparison: data set and metric, and more where it takes more to tell them apart."""
    said = []
    for runs, bench in groups:
        settings, attributes = runs[0].settings, bench.store.attributes
        name = f"{settings.dataset} {settings.metric}"
        in_space = f"{name}, {bench.space.name}"
        said.append((name, in_space, f"{in_space} ({attributes['source']}, {attributes['checksum'][:8]})"))
    every = [name for names in said for name in set(names)]
    return [next((name for name in names if every.count(name) == 1), names[-1]) for names in said]


def _labels(runs):
    """The label of each run; with its folder where two have the same."""
    labels = [run.label for run in runs]
    return [
        f"{label} ({run.path.name})" if labels.count(label) > 1 else label
        for label, run in zip(labels, runs, strict=True)
    ]


def comparison(runs, series, bench):
    """Runs on one table, data set and metric; `series`: the number of each one's label."""
    settings = runs[0].settings
    dataset, metric = settings.dataset, METRICS[settings.metric]
    targets = TableObjective(bench, dataset, metric.name).targets
    columns = _columns(bench, dataset, metric.name)
    shown = [_run(run, number, targets, columns) for run, number in zip(runs, series, strict=True)]
    best = bench.best(dataset, metric.name)
    ends = {code for run in shown for code in run["final"]["codes"]}
    costs = [name for name in _COSTS if name in columns and name != metric.name]
    return {
        "space": bench.space.flag,
        "dataset": dataset,
        "metric": metric.name,
        "unit": metric.unit,
        "higher": metric.higher_is_better,
        "facts": _facts(runs, bench, meaning_of(dataset, metric)),
        "optimum": {"code": best.cell.code, "index": best.index, "value": best.value},
        "axis": "evaluations" if all(EVALUATIONS in compares_by(run) for run in runs) else "seconds",
        "runs": shown,
        "cells": {int(code): _cell(code, bench, targets, columns) for code in sorted(ends)},
        "index": pack.wholes(bench.space.official_index()),
        "columns": {
            name: {"unit": METRICS[name].unit, **pack.decimals(column)} for name, column in columns.items()
        },
        "costs": costs,
        "fronts": {name: front(columns[name], targets) for name in costs},
    }


def _facts(runs, bench, meaning):
    """What was run, pairs of a name and a text; where runs differ, all that there is, in their order."""
    attributes = bench.store.attributes
    said = [_settings(run) for run in runs]
    every = {name: "; ".join(dict.fromkeys(settings[name] for settings in said)) for name in said[0]}
    return [
        ["table", f"{bench.space.name}, {attributes['source']} {attributes['source_version']}"],
        ["checksum of the table", attributes["checksum"][:16]],
        ["metric", f"{runs[0].settings.metric}: {meaning}"],
        *(
            [name, every[name]]
            for name in ("signal", "a trial ends after", "trials", "seed", "versions", "made")
        ),
    ]


def _settings(run):
    """What a run's folder says of it, {name: text}."""
    record, settings = run.record, run.settings
    noise = "one recorded seed" if settings.noise == "seed" else "mean over seeds"
    versions = record.get("versions", {})
    return {
        "algorithm": run.algorithm,
        "settings": ", ".join(f"{name} {value}" for name, value in record["search"].items()) or "none",
        "signal": f"{settings.signal or settings.metric}, {noise}",
        "a trial ends after": " or ".join(_limits(settings)) or "its last job",
        "trials": f"{settings.trials:,}",
        "seed": str(settings.seed),
        "complete": "yes" if run.complete else "no",
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "made": str(record.get("created", ""))[:10],
        "folder": str(run.path),
    }


def _limits(settings):
    for name in settings.limits:
        value = vars(settings)[name]
        if value is not None:
            yield (
                f"{duration(value)} of simulated time" if name == "budget" else f"{value:,} {_COUNTED[name]}"
            )


def _columns(bench, dataset, metric):
    """What the table has of every cell, {metric: float64 (N,)}: what is reported, accuracies, costs."""
    found = {}
    for name in (metric, *_ACCURACIES, *_COSTS):
        with suppress(NotRecordedError):
            found[name] = bench.by_code(dataset, name)
    return {name: column for name, column in found.items() if not np.isnan(column).all()}


def _run(run, series, targets, columns):
    ends = [steps[2][-1] if len(steps[2]) else -1 for steps in run.anytime()]
    codes = np.array([code for code in ends if code >= 0], dtype=np.intp)
    regret = targets.max() - targets[codes]
    typical = _typical(ends, regret)
    return {
        "series": series,
        "settings": _settings(run),
        "curves": {"evaluations": curve(run, targets, EVALUATIONS), "seconds": curve(run, targets, SECONDS)},
        "final": {"codes": codes.tolist(), "regret": short(regret), **_quartiles(regret)},
        "summary": summary(run, codes, targets, columns),
        "visits": pack.counts(np.bincount(np.concatenate(run.codes), minlength=len(targets))),
        "trial": {
            "number": int(run.trials[typical]),
            "codes": pack.counts(run.codes[typical]),
            "end": int(ends[typical]) if ends[typical] >= 0 else None,
        },
    }


def _typical(ends, regret):
    """The row of the trial whose regret at the end is next to the median; the first of equals."""
    rows = [row for row, code in enumerate(ends) if code >= 0]
    return rows[np.abs(regret - np.median(regret)).argmin()] if rows else 0


def _quartiles(values):
    if not len(values):
        return {"quarter": None, "median": None, "threeQuarters": None}
    quarter, median, three_quarters = short(np.percentile(values, (25, 50, 75)))
    return {"quarter": quarter, "median": median, "threeQuarters": three_quarters}


def summary(run, codes, targets, columns):
    """What the table says of a run: plain numbers over its trials, None where there is none.

    `codes`: the incumbents at the end, of the trials that have one.
    """
    regret = targets.max() - targets[codes]
    evaluations, seconds = totals(run)
    return {
        "trials": len(run.trials),
        "without": len(run.trials) - len(codes),
        "evaluations": float(evaluations.mean()),
        "seconds": float(seconds.mean()) if SECONDS in compares_by(run) else None,
        "regret": _over_trials(regret),
        "optimum": float((regret == 0).mean()) if len(codes) else None,
        "values": {
            name: _over_trials(column[codes])
            for name, column in columns.items()
            if name not in _COSTS and not np.isnan(column[codes]).any()
        },
        "reached": {
            name: [_reached(run, targets, threshold, axis) for threshold in THRESHOLDS]
            for axis, name in ((EVALUATIONS, "evaluations"), (SECONDS, "seconds"))
            if axis in compares_by(run)
        },
    }


def _reached(run, targets, threshold, axis):
    """The median over all trials of when the regret was reached, None if fewer than half came to it."""
    found = reached(run, targets, threshold, axis)
    with np.errstate(invalid="ignore"):  # between two infinities
        median = np.median(found)
    return {
        "median": float(median) if np.isfinite(median) else None,
        "share": float(np.isfinite(found).mean()),
    }


def _over_trials(values):
    if not len(values):
        return None
    return {
        "mean": float(values.mean()),
        "std": float(deviation(values)) if len(values) > 1 else None,
        "median": float(np.median(values)),
    }


def _cell(code, bench, targets, columns):
    """What the page says of a cell that a trial ended with."""
    values = []
    for name, column in columns.items():
        if not np.isnan(column[code]):
            unit = METRICS[name].unit
            values.append(
                [name, f"{column[code]:.2f} {unit}" if unit == "%" else f"{column[code]:.4g} {unit}"]
            )
    return {
        "index": int(bench.space.official_index()[code]),
        "rank": int((targets > targets[code]).sum()) + 1,
        "values": values,
    }


def front(cost, score):
    """The codes of the Pareto front, cheapest first: none costs as little and scores higher. NaN is left out.

    `cost` (N,): lower is better; `score` (N,): higher is better.
    """
    order = np.lexsort((-score, cost))
    order = order[~np.isnan(cost[order]) & ~np.isnan(score[order])]
    best = np.maximum.accumulate(score[order])
    better = np.concatenate([[True], best[1:] > best[:-1]])[: len(order)]
    return order[better].tolist()
