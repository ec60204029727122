"""What the page shows: runs that compare side by side, and the table around them, as plain values."""

from collections import Counter
from contextlib import suppress

import numpy as np

from blackbox.compare.study import Trials
from blackbox.kinds.evaluations import duration, feasibility, feasible_text, optimum_of, over_trials
from blackbox.report import pack
from blackbox.report.fronts import Fronts, front, in_order
from blackbox.report.pairs import pairs
from blackbox.report.progress import EVALUATIONS, SECONDS, axes_of, curve, short
from blackbox.results.comparison import THRESHOLDS, Entry, regrets_at_end, way_to
from blackbox.table.objective import TableObjective
from blackbox.table.settings import SimulationConfig
from blackbox.table.signal import Signal
from nasbench.constraints import column_of, described, named
from nasbench.errors import NotRecordedError
from nasbench.metrics import get_metric, meaning_of

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
        limits = [described(name, limits) for name, limits in settings.where.items()]
        name = ", ".join([f"{settings.dataset} {settings.metric}", *limits])
        in_space = f"{name}, {bench.space.name}"
        said.append((name, in_space, f"{in_space} ({attributes['source']}, {attributes['checksum'][:8]})"))
    return _told_apart(said)


def _labels(runs):
    """The label of each run; with its folder where two have the same."""
    said = [(run.label, f"{run.label} ({run.path.name})", f"{run.label} ({run.path})") for run in runs]
    return _told_apart(said)


def _told_apart(said):
    """The first of each one's names that no other has, too; else the last."""
    every = Counter(name for names in said for name in set(names))
    return [next((name for name in names if every[name] == 1), names[-1]) for names in said]


def comparison(runs, series, bench):
    """Runs on one table, data set and metric; `series`: the number of each one's label."""
    settings = runs[0].settings
    dataset, longest = settings.dataset, bench.space.full_protocol
    objective = TableObjective(bench, dataset, settings.metric, where=settings.where)
    targets, target = objective.targets, objective.target
    against = [run.settings.against for run in runs if run.objectives > 1]
    costs = [name for name in dict.fromkeys((*against, *_COSTS)) if name != objective.metric]
    accuracies = (named(f"{name}@{target.protocol or longest}", longest) for name in _ACCURACIES)
    columns = _columns(bench, dataset, (objective.metric, *accuracies, *costs))
    costs = [name for name in costs if name in columns]
    reported = [name for name in columns if name not in costs]
    entries = [_entry(run) for run in runs]
    shown = [
        {"series": number, "settings": _settings(run)}
        | (_single(run, entry, targets, columns, reported) if entry else _pair(run, bench, columns))
        for run, entry, number in zip(runs, entries, series, strict=True)
    ]
    best = optimum_of(bench, objective)
    found = {code for run in shown for code in run["found"]}
    return {
        "space": bench.space.flag,
        "dataset": dataset,
        "metric": objective.metric,
        "unit": target.unit,
        "higher": target.higher_is_better,
        "facts": _facts(runs, bench, objective),
        "restricted": bool(feasibility(objective, 0)),
        "optimum": {"code": bench.cell(best["index"]).code, "index": best["index"], "value": best["value"]},
        "axis": "seconds" if any(_by_jobs(run) for run in runs) else "evaluations",
        "thresholds": list(THRESHOLDS) if target.unit == "%" else [],
        "runs": shown,
        "pairs": pairs(runs, entries, targets),
        "cells": {int(code): _cell(code, bench, targets, columns) for code in sorted(found)},
        "index": pack.wholes(bench.space.official_index()),
        "columns": {
            name: {"unit": Signal.parse(name).unit, **pack.decimals(column)}
            for name, column in columns.items()
        },
        "costs": costs,
        "fronts": {name: front(targets, name, columns[name]) for name in costs},
    }


def _by_jobs(run):
    return isinstance(run.settings, SimulationConfig)


def _facts(runs, bench, objective):
    """What was run, pairs of a name and a text; where runs differ, all that there is, in their order."""
    attributes = bench.store.attributes
    said = [_settings(run) for run in runs]
    every = {name: "; ".join(dict.fromkeys(settings[name] for settings in said)) for name in said[0]}
    return [
        ["table", f"{bench.space.name}, {attributes['source']} {attributes['source_version']}"],
        ["checksum of the table", attributes["checksum"][:12]],
        [
            "metric",
            f"{objective.metric}: {meaning_of(objective.dataset, get_metric(objective.target.metric))}",
        ],
        *(["feasible", feasible_text(of)] for of in feasibility(objective, 0).values()),
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


def _columns(bench, dataset, names):
    """What the table has of every cell, {metric: float64 (N,)}: what is reported, accuracies, costs."""
    found = {}
    for name in names:
        with suppress(NotRecordedError):
            found[name] = column_of(bench, dataset, name)
    return {name: column for name, column in found.items() if not np.isnan(column).all()}


def _entry(run):
    """The Entry of a run; None with two objectives, where there is no incumbent."""
    if run.objectives > 1:
        return None
    trials = Trials.of(run.history, run.settings.budget)
    return Entry(run.label, run.algorithm, run.record["search"], run.settings.seed, _by_jobs(run), trials)


def _single(run, entry, targets, columns, reported):
    """What the page shows of a run with one objective: its trials have incumbents.

    `entry`: its Entry; `reported`: names of the columns that the final table has.
    """
    settings, trials = run.settings, entry.trials
    ends = [int(codes[-1]) if len(codes) else None for _, _, codes in trials.changes]
    found = [code for code in ends if code is not None]
    regret = regrets_at_end(entry, targets)
    known = regret[~np.isnan(regret)]
    middle = np.median(known) if len(known) else 0.0
    typical = int(np.nan_to_num(np.abs(regret - middle), nan=np.inf).argmin())
    return {
        "curves": {
            name: curve(entry, targets, axis, settings.budget)
            for name, axis in (("evaluations", EVALUATIONS), ("seconds", SECONDS))
        },
        "found": found,
        "final": {"regret": short(known), **_quartiles(known)} if found else None,
        "summary": summary(entry, targets, {name: columns[name] for name in reported}),
        **_evaluated(run, len(targets), typical),
        "end": ends[typical],
    }


def _pair(run, bench, columns):
    """What the page shows of a run with two objectives: its trials have fronts."""
    fronts = Fronts(run, bench)
    typical, against = fronts.typical, run.settings.against
    return {
        "curves": {"evaluations": None, "seconds": None},
        "found": np.concatenate(fronts.codes).tolist(),
        "final": None,
        "fronts": {against: in_order(fronts.codes[typical], columns[against])},
        "summary": {
            "against": against,
            "trials": len(run.trials),
            "evaluations": float(np.mean([len(codes) for codes in run.codes])),
            **fronts.summary(),
        },
        **_evaluated(run, bench.space.cells, typical),
        "end": None,
    }


def _evaluated(run, cells, typical):
    """Which cells a run evaluated: how often each, and one trial's, in order."""
    return {
        "visits": pack.counts(np.bincount(np.concatenate(run.codes), minlength=cells)),
        "trial": {"number": run.trials[typical], "codes": pack.counts(run.codes[typical])},
    }


def _quartiles(values):
    quarter, median, three_quarters = short(np.percentile(values, (25, 50, 75)))
    return {"quarter": quarter, "median": median, "threeQuarters": three_quarters}


def summary(entry, targets, columns):
    """What the final table says of an Entry: plain numbers over its trials, None where there is none.

    `columns`: what it reports of the cells that trials ended with, {metric: float64 (N,)}.
    """
    trials = entry.trials
    regret = regrets_at_end(entry, targets)
    known = regret[~np.isnan(regret)]
    codes = np.array([codes[-1] for _, _, codes in trials.changes if len(codes)], dtype=np.intp)
    values = {
        name: over_trials(column[codes])
        for name, column in columns.items()
        if len(codes) and not np.isnan(column[codes]).any()
    }
    return {
        "trials": len(regret),
        "evaluations": float(trials.evaluations.mean()),
        "seconds": float(trials.seconds.mean()) if SECONDS in axes_of(entry) else None,
        "regret": over_trials(known) if len(known) else None,
        "optimum": float((known == 0).sum() / len(regret)),
        "values": values,
        "reached": {
            name: [way_to(entry, targets, threshold, axis) for threshold in THRESHOLDS]
            for name, axis in (("evaluations", EVALUATIONS), ("seconds", SECONDS))
            if axis in axes_of(entry)
        },
    }


def _cell(code, bench, targets, columns):
    """What the page says of a cell that a trial ended with."""
    values = []
    for name, column in columns.items():
        if not np.isnan(column[code]):
            unit = Signal.parse(name).unit
            values.append(
                [name, f"{column[code]:.2f} {unit}" if unit == "%" else f"{column[code]:.4g} {unit}"]
            )
    return {
        "index": int(bench.space.official_index()[code]),
        "rank": int((targets > targets[code]).sum()) + 1,
        "values": values,
    }
