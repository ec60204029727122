"""The page's data of a run: settings, curves and final results of its trials."""

import numpy as np
from numpy.typing import ArrayLike

from blackbox.kinds.reader import Run
from blackbox.report.data import Columns, Curve, Final, FrontSummary, IncumbentSummary, ShownRun, TypicalTrial
from blackbox.results.anytime import Axis
from blackbox.results.comparison import THRESHOLDS, Entry, way_to
from blackbox.results.fronts import cells_met, front_masks, in_order, shares, true_front
from blackbox.results.regret import Spread
from blackbox.results.statistics import mean_interval
from blackbox.results.text import limits_text
from nasbench.arrays import Scores
from nasbench.benchmark import Benchmark
from nasbench.pages import pack

_AXES = {"evaluations": Axis.EVALUATIONS, "seconds": Axis.SECONDS}
_QUARTILES = ("quarter", "median", "threeQuarters")
_POINTS = 120  # points of a curve with even distances on a logarithmic axis, and as many on a linear axis


def describe_settings(run: Run) -> dict[str, str]:
    """Return the settings of a run as texts by name."""
    record, settings = run.record, run.settings
    noise = "one recorded seed" if settings.noise == "seed" else "mean over seeds"
    versions = record.get("versions", {})
    return {
        "algorithm": run.algorithm,
        "settings": ", ".join(f"{name} {value}" for name, value in record["search"].items()) or "none",
        "signal": f"{settings.signal or settings.metric}, {noise}",
        "a trial ends after": limits_text(settings) or "its last job",
        "trials": f"{settings.trials:,}",
        "seed": str(settings.seed),
        "complete": "yes" if run.complete else "no",
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "created": str(record.get("created", ""))[:10],
        "folder": str(run.path),
    }


def incumbent_run(run: Run, series: int, entry: Entry, targets: Scores, reported: Columns) -> ShownRun:
    """Return a run whose trials have incumbents; `reported` are the columns of the final table."""
    settings, trials = run.settings, entry.trials
    regret = trials.final_regrets(targets)
    known, codes = regret[~np.isnan(regret)], trials.last_codes
    middle = np.median(known) if len(known) else 0.0
    quartiles = _short(np.percentile(known, (25, 50, 75))) if len(known) else []
    typical = int(np.nan_to_num(np.abs(regret - middle), nan=np.inf).argmin())
    return ShownRun(
        series,
        describe_settings(run),
        curves={name: regret_curve(entry, targets, axis, settings.budget) for name, axis in _AXES.items()},
        found=codes.tolist(),
        final=Final(_short(known), dict(zip(_QUARTILES, quartiles, strict=True))) if len(known) else None,
        fronts=None,
        summary=IncumbentSummary(
            len(regret),
            float(trials.evaluations.mean()),
            float(trials.seconds.mean()) if Axis.SECONDS in entry.axes else None,
            Spread.over(known) if len(known) else None,
            float((known == 0).sum() / len(regret)),
            {
                name: Spread.over(column[codes])
                for name, column in reported.items()
                if len(codes) and not np.isnan(column[codes]).any()
            },
            {
                name: [way_to(trials, targets, threshold, axis) for threshold in THRESHOLDS]
                for name, axis in _AXES.items()
                if axis in entry.axes
            },
        ),
        visits=_visits(run, len(targets)),
        trial=_typical(run, typical),
        end=int(trials.end_codes[typical]) if len(known) else None,
    )


def front_run(run: Run, series: int, bench: Benchmark, columns: Columns) -> ShownRun:
    """Return a run with two objectives, whose trials have fronts."""
    history, objective = run.history, run.kind.problem(run.settings, bench)
    masks = front_masks(history.scores, history.counted(run.settings.budget))
    fronts = [np.unique(codes[mask]) for codes, mask in zip(history.codes, masks, strict=True)]
    worth, against = shares(history.codes, masks, objective), run.settings.against
    typical = int(np.abs(worth - np.median(worth)).argmin())  # ties go to the first trial
    return ShownRun(
        series,
        describe_settings(run),
        curves=dict.fromkeys(_AXES),
        found=np.concatenate(fronts).tolist(),
        final=None,
        fronts={against: in_order(fronts[typical], columns[against])},
        summary=FrontSummary(
            against,
            run.settings.trials,
            float(np.mean(list(map(len, run.codes)))),
            Spread.over(100 * worth),
            Spread.over(np.array(list(map(len, fronts)))),
            len(true_front(objective)),
            Spread.over(cells_met(history.codes, masks, objective)),
        ),
        visits=_visits(run, bench.space.cells),
        trial=_typical(run, typical),
        end=None,
    )


def _visits(run: Run, cells: int) -> str:
    """Return the packed number of evaluations of each cell."""
    return pack.counts(np.bincount(np.concatenate(run.codes), minlength=cells))


def _typical(run: Run, trial: int) -> TypicalTrial:
    return TypicalTrial(trial, pack.counts(run.codes[trial]))


def regret_curve(entry: Entry, targets: Scores, axis: Axis, budget: float | None = None) -> Curve | None:
    """Return the regret of an entry's trials along an axis; None if they cannot be compared along it.

    The curve starts when every trial has an incumbent and ends with the budget, or when the first trial ends.
    Trials that never have an incumbent are left out. `low` and `high` are the bootstrapped 95 % interval of
    the mean.
    """
    trials, first = entry.trials, entry.trials.begin(axis)
    if axis not in entry.axes or first is None:
        return None
    ends = trials.seconds if axis == Axis.SECONDS else trials.evaluations
    last = ends.min() if budget is None or axis == Axis.EVALUATIONS else budget
    last = max(first, last)
    x = np.concatenate([np.geomspace(first, last, _POINTS), np.linspace(first, last, _POINTS)])
    x = np.unique(np.rint(x) if axis == Axis.EVALUATIONS else x)
    regret = trials.regret_curve(targets, axis, x)
    regret = regret[~np.isnan(regret[:, -1])]
    quartiles = dict(zip(_QUARTILES, np.percentile(regret, (25, 50, 75), axis=0), strict=True))
    mean = regret.mean(axis=0)
    low, high = mean_interval(regret) if len(regret) > 1 else (mean, mean)
    columns = {"x": x, **quartiles, "mean": mean, "low": low, "high": high}
    return {name: _short(column) for name, column in columns.items()}


def _short(values: ArrayLike) -> list[float]:
    """Round numbers to six significant digits."""
    return [float(f"{value:.6g}") for value in np.asarray(values).tolist()]
