"""A run as the page shows it: its settings, its curves, how its trials ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from blackbox.report.data import Final, FrontSummary, IncumbentSummary, ShownRun, TypicalTrial
from blackbox.results.anytime import Axis
from blackbox.results.comparison import THRESHOLDS, way_to
from blackbox.results.fronts import TrialFronts, in_order
from blackbox.results.regret import Spread
from blackbox.results.statistics import mean_interval
from nasbench.pages import pack
from nasbench.runs.text import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from blackbox.kinds.reader import Run
    from blackbox.report.data import Columns, Curve
    from blackbox.results.comparison import Entry
    from nasbench.arrays import Scores
    from nasbench.benchmark import Benchmark

_COUNTED = {"evals": "evaluations", "jobs": "jobs"}  # by a setting's name
_AXES = {"evaluations": Axis.EVALUATIONS, "seconds": Axis.SECONDS}
_POINTS = 120  # of a curve, evenly apart on a logarithmic axis; and as many on a linear one


def settings_of(run: Run) -> dict[str, str]:
    """Return what a run's folder says of it."""
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


def _limits(settings: Any) -> Iterator[str]:
    """Yield the limits of a trial as texts."""
    for name in settings.raisable():
        value = vars(settings)[name]
        if value is not None:
            yield (
                f"{duration(value)} of simulated time" if name == "budget" else f"{value:,} {_COUNTED[name]}"
            )


def incumbent_run(run: Run, series: int, entry: Entry, targets: Scores, reported: Columns) -> ShownRun:
    """Return a run whose trials have incumbents; `reported`: the columns of the final table."""
    settings, regret = run.settings, entry.trials.final_regrets(targets)
    ends = [int(change.codes[-1]) if len(change.codes) else None for change in entry.trials.changes]
    known = regret[~np.isnan(regret)]
    middle = np.median(known) if len(known) else 0.0
    typical = int(np.nan_to_num(np.abs(regret - middle), nan=np.inf).argmin())
    return ShownRun(
        series,
        settings_of(run),
        curves={name: regret_curve(entry, targets, axis, settings.budget) for name, axis in _AXES.items()},
        found=[code for code in ends if code is not None],
        final=Final(_short(known), _quartiles(known)) if len(known) else None,
        fronts=None,
        summary=_incumbent_summary(entry, regret, targets, reported),
        visits=_visits(run, len(targets)),
        trial=_typical(run, typical),
        end=ends[typical],
    )


def front_run(run: Run, series: int, bench: Benchmark, columns: Columns) -> ShownRun:
    """Return a run with two objectives, whose trials have fronts."""
    fronts = TrialFronts(run.history, run.kind.problem(run.settings, bench), run.settings.budget)
    typical, against = fronts.typical, run.settings.against
    return ShownRun(
        series,
        settings_of(run),
        curves=dict.fromkeys(_AXES),
        found=np.concatenate(fronts.codes).tolist(),
        final=None,
        fronts={against: in_order(fronts.codes[typical], columns[against])},
        summary=FrontSummary(
            against,
            len(run.trials),
            float(np.mean([len(codes) for codes in run.codes])),
            Spread.over(100 * fronts.worth),
            Spread.over(np.array([len(codes) for codes in fronts.codes])),
            len(fronts.true),
            Spread.over(fronts.met),
        ),
        visits=_visits(run, bench.space.cells),
        trial=_typical(run, typical),
        end=None,
    )


def _visits(run: Run, cells: int) -> str:
    """Return how often a run evaluated each cell, packed."""
    return pack.counts(np.bincount(np.concatenate(run.codes), minlength=cells))


def _typical(run: Run, trial: int) -> TypicalTrial:
    return TypicalTrial(run.trials[trial], pack.counts(run.codes[trial]))


def _quartiles(values: NDArray[np.float64]) -> dict[str, float]:
    quarter, median, three_quarters = _short(np.percentile(values, (25, 50, 75)))
    return {"quarter": quarter, "median": median, "threeQuarters": three_quarters}


def _incumbent_summary(entry: Entry, regret: Scores, targets: Scores, columns: Columns) -> IncumbentSummary:
    """Return the row of an entry in the final table; `regret`: at the end of its trials, (T,)."""
    trials = entry.trials
    known, codes = regret[~np.isnan(regret)], trials.last_codes
    return IncumbentSummary(
        len(regret),
        float(trials.evaluations.mean()),
        float(trials.seconds.mean()) if Axis.SECONDS in entry.axes else None,
        Spread.over(known) if len(known) else None,
        float((known == 0).sum() / len(regret)),
        {
            name: Spread.over(column[codes])
            for name, column in columns.items()
            if len(codes) and not np.isnan(column[codes]).any()
        },
        {
            name: [way_to(trials, targets, threshold, axis) for threshold in THRESHOLDS]
            for name, axis in _AXES.items()
            if axis in entry.axes
        },
    )


def regret_curve(entry: Entry, targets: Scores, axis: Axis, budget: float | None = None) -> Curve | None:
    """Return regret over the trials of an entry along an axis; None if they cannot be compared along it.

    The curve begins when every trial has an incumbent, and ends with the budget, or when the first trial
    ends. Trials that never have an incumbent are left out. `low` and `high` bound the mean, by bootstrap at
    95 %.
    """
    trials = entry.trials
    firsts = [change[axis][0] for change in trials.changes if len(change.codes)]
    if axis not in entry.axes or not firsts:
        return None
    ends = trials.seconds if axis == Axis.SECONDS else trials.evaluations
    last = ends.min() if budget is None or axis == Axis.EVALUATIONS else budget
    x = _points(max(firsts), max(*firsts, last), whole=axis == Axis.EVALUATIONS)
    regret = trials.regret_curve(targets, axis, x)
    quarter, median, three_quarters = np.percentile(regret, (25, 50, 75), axis=0)
    mean = regret.mean(axis=0)
    low, high = mean_interval(regret) if len(regret) > 1 else (mean, mean)
    columns = {
        "x": x,
        "median": median,
        "quarter": quarter,
        "threeQuarters": three_quarters,
        "mean": mean,
        "low": low,
        "high": high,
    }
    return {name: _short(column) for name, column in columns.items()}


def _points(first: float, last: float, whole: bool) -> NDArray[np.float64]:
    """Return where curves are drawn from: close together for a linear and for a logarithmic axis."""
    x = np.concatenate([np.geomspace(first, last, _POINTS), np.linspace(first, last, _POINTS)])
    return np.unique(np.rint(x) if whole else x)


def _short(values: ArrayLike) -> list[float]:
    """Return numbers to six significant digits."""
    return [float(f"{value:.6g}") for value in np.asarray(values).tolist()]
