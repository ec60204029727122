"""What multi-fidelity searches on a table found, regret over simulated time: as a dict and as text."""

import math

import numpy as np

from blackbox.errors import ConfigError
from blackbox.kinds.evaluations import (
    best_rows,
    counts_of,
    described,
    duration,
    feasibility,
    feasible_rows,
    final_values,
    mean_of,
    optimum_of,
    over_trials,
    print_final_values,
    print_heading,
    signals_of,
    without_feasible,
)
from nasbench.text import print_entry

_CHECKPOINTS = (1 / 64, 1 / 16, 1 / 4, 1)  # of the simulated time


def regret_at(history, trials, times, targets):
    """The regret of the incumbents of some trials at times (n,) in seconds, float64 (T, n); NaN before any.

    `targets` (N,): what counts of each code, higher is better.
    """
    regret = np.full((len(trials), len(times)), np.nan)
    for row, trial in zip(regret, trials, strict=True):
        _, seconds, codes = history.anytime(trial)
        change = np.searchsorted(seconds, times, side="right") - 1
        row[change >= 0] = targets.max() - targets[codes[change[change >= 0]]]
    return regret


def summarize_jobs(history, curves, benchmark, rungs, workers, budget=None):
    """The findings of a search: a dict of plain values, for JSON and for `print_jobs_summary`."""
    found = [trial for trial in history.trials if len(history.anytime(trial)[0])]
    ended = [history.of(trial) for trial in history.trials]
    infeasible = len(history) and not curves.feasible[history.code].any()
    if not found and not infeasible:
        raise ConfigError(_without(curves, rungs, budget))
    lasts = np.array([rows["end"].max() for rows in ended if len(rows)])
    busy = [(rows["end"] - rows["start"]).sum() / rows["end"].max() for rows in ended if len(rows)]
    codes = np.array([history.anytime(trial)[2][-1] for trial in found], dtype=np.intp)
    times = np.array(_CHECKPOINTS) * (lasts.max() if budget is None else budget)
    regret = regret_at(history, found, times, curves.targets)
    counts = [len(rows) for rows in ended]
    return {
        "rungs": [
            {"epochs": epochs, "jobs": float((history.epochs == epochs).sum() / len(ended))}
            for epochs in rungs
        ],
        "jobs": {"least": min(counts), "most": max(counts)},
        "trials_without_incumbent": len(ended) - len(found),
        "simulated_seconds": {"mean": float(lasts.mean()), "most": float(lasts.max())},
        "workers_busy": float(np.mean(busy) / workers),
        **feasibility(curves, sum(map(bool, map(len, ended))) - len(found)),
        "best": _best(history, found, curves, benchmark) if found else None,
        "optimum": optimum_of(benchmark, curves),
        "trials_at_optimum": int((curves.targets[codes] == curves.targets.max()).sum()),
        "report": final_values(codes, benchmark, curves),
        "regret": [
            {
                "simulated_seconds": float(time),
                "trials_with_incumbent": int((~np.isnan(values)).sum()),
                **over_trials(values[~np.isnan(values)]),
            }
            for time, values in zip(times, regret.T, strict=True)
            if not np.isnan(values).all()
        ],
    }


def _best(history, trials, curves, benchmark):
    """The best incumbent at the end, a dict of plain values: most epochs, then score, then earliest."""
    ends = []
    for trial in trials:
        rows = history.of(trial)
        good = rows[rows["score"] > -np.inf]
        best = good[np.lexsort((good["end"], -good["score"], -good["epochs"]))[0]]
        ends.append(((-best["epochs"], -best["score"], best["end"], trial), best))
    (*_, trial), row = min(ends, key=lambda entry: entry[0])
    return {
        "trial": trial,
        "job": int(row["job"]),
        "epochs": int(row["epochs"]),
        "simulated_seconds": float(row["end"]),
        "score": float(row["score"]),
        **described(row["code"], benchmark, curves),
    }


def _without(curves, rungs, budget):
    if budget is None:
        return "all jobs of all trials failed: there is no incumbent"
    least = math.ceil(min(np.asarray(curves.seconds(0, epochs)).max() for epochs in rungs))
    return f"a budget of {budget:g} s ends before the first job of any trial; raise it: --budget {least}s"


def print_jobs_summary(summary, all=False):
    """The findings as text; `all`: with every metric that the table has for the best cell."""
    settings, best = summary["settings"], summary["best"]
    trials, workers = settings["trials"], settings["workers"]
    target, signal = signals_of(settings)
    on = f"{workers} worker{'' if workers == 1 else 's'}"
    print_heading(summary, f"{counts_of(summary['jobs'])} jobs on {on}", of="a cell")
    rows = best_rows(best, settings)
    if best is not None:
        of = "" if trials == 1 else f" of trial {best['trial']}"
        score = best["score"] if signal.higher_is_better else -best["score"]
        seen = f"{signal.metric} {score:.4f} {signal.unit} after {best['epochs']} epochs"
        found = f"by job {best['job']:,}{of}, after {duration(best['simulated_seconds'])}"
        rows += [("as it was seen", seen), ("found", found)]
    rows += [
        ("whole search", f"{duration(summary['simulated_seconds']['mean'])} a trial"),
        ("workers busy", f"{100 * summary['workers_busy']:.1f} % of that time"),
    ]
    without = summary["trials_without_incumbent"] - without_feasible(summary)
    if without:
        rows.append(("without any", f"{without:,} trials: not even one job"))
    rows += feasible_rows(summary)
    if trials > 1:
        rows.append(("at the optimum", f"{summary['trials_at_optimum']:,} of {trials:,} trials"))
    for name, text in rows:
        print(f"{name:<15} {text}")
    print("\nJobs of each rung" + ("" if trials == 1 else ", mean over trials"))
    for row in summary["rungs"]:
        print(f"up to {row['epochs']:>3} epochs  {row['jobs']:>9,.6g}")

    if best is not None:
        print_entry(best["entry"], all=all)
    found_any = trials - summary["trials_without_incumbent"]
    over = "" if trials == 1 or not found_any else f", mean and standard deviation over {found_any:,} trials"
    if trials > 1:
        print_final_values(summary["report"], settings, over)
    print(f"\nRegret of the incumbent [{target.unit}]{over}")
    for row in summary["regret"]:
        came = row["trials_with_incumbent"]
        short = "" if came == trials else f"   ({came:,} trials had one)"
        print(f"after {duration(row['simulated_seconds']):>12}  {mean_of(row)}{short}")
    print(f"optimum: {summary['optimum']['value']:.4f}, index {summary['optimum']['index']}")
