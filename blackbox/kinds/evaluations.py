"""What a search on a table found: best cell, regret over trials, as a dict and as text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from blackbox.errors import ConfigError
from blackbox.table.objective import PairObjective, TableObjective
from blackbox.table.signal import Signal
from nasbench.benchmark import Benchmark
from nasbench.constraints import described as limits_shown
from nasbench.errors import NotRecordedError
from nasbench.metrics import METRICS
from nasbench.spaces import TOPOLOGY, space_of
from nasbench.text import print_entry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blackbox.table.curves import Curves

    Objective = TableObjective | PairObjective | Curves

_CHECKPOINTS = (10, 100, 1000, 10_000, 100_000)
_REPORTED = ("val_accuracy", "test_accuracy")  # what papers report of the cells that searches end with


def regrets(incumbents, objective):
    """The regret of incumbents (T, n), float64 (T, n), in the metric's unit; NaN where there is none (-1).

    An incumbent has the best score that the search saw; its regret is by the metric, the mean over seeds. A
    cell that is not feasible is no incumbent.
    """
    targets = objective.targets
    none = (incumbents < 0) | ~objective.feasible[incumbents]
    return np.where(none, np.nan, targets.max() - targets[incumbents])


def summarize(history, objective, benchmark, budget=None):
    """The findings of a search: a dict of plain values, for JSON and for `print_summary`."""
    counted = counted_in(history, budget)
    trial, step = history.best(budget)
    timed = objective.has_cost
    spent = history.costs.cumsum(axis=1)
    incumbents = history.incumbents(budget)[counted > 0]
    regret = regrets(incumbents, objective)
    found = ~np.isnan(regret)
    best = {
        "trial": trial,
        "evaluation": step + 1,
        "simulated_seconds": float(spent[trial, step]) if timed else None,
        "score": float(history.scores[trial, step]),
    }
    return {
        **extent(history, objective, counted),
        **feasibility(objective, int((~found[:, -1]).sum())),
        "best": best | described(history.codes[trial, step], benchmark, objective) if found.any() else None,
        "optimum": optimum_of(benchmark, objective),
        "trials_at_optimum": int((regret[:, -1] == 0).sum()),
        "report": final_values(incumbents[found[:, -1], -1], benchmark, objective),
        "regret": [
            {
                "evaluations": n,
                "trials_that_came_so_far": int((counted >= n).sum()),
                **with_incumbent(objective, found[:, n - 1]),
                **over_trials(regret[found[:, n - 1], n - 1]),
            }
            for n in checkpoints(counted)
        ],
    }


def feasibility(objective: Objective, without: int) -> dict[str, dict[str, Any]]:
    """Return which cells are feasible, a dict of plain values with one item; empty without limits.

    `without`: how many trials evaluated cells, but none of the feasible ones.
    """
    if not objective.where:
        return {}
    return {
        "feasible": {
            "cells": int(objective.feasible.sum()),
            "of": len(objective.feasible),
            "limits": [limits_shown(name, limits) for name, limits in objective.where.items()],
            "trials_without": without,
        }
    }


def with_incumbent(objective: Objective, found: NDArray[np.bool_]) -> dict[str, int]:
    """Return how many trials have an incumbent, a dict with one item; empty without limits."""
    return {"trials_with_incumbent": int(found.sum())} if objective.where else {}


def optimum_of(benchmark: Benchmark, objective: Objective) -> dict[str, Any]:
    """Return the best feasible cell by the metric, a dict of plain values."""
    target = objective.target
    options = {"protocol": target.protocol, "where": objective.where}
    best = benchmark.best(objective.dataset, target.metric, **options)
    return {"arch": str(best.cell), "index": best.index, "value": best.value}


def counted_in(history, budget):
    """How many evaluations of each trial ended within a budget, (T,); ConfigError where none did."""
    counted = history.counted(budget)
    if not counted.any():
        raise ConfigError(
            f"a budget of {budget:g} s ends before the first evaluation of any trial;"
            f" raise it: --budget {math.ceil(history.costs[:, 0].min())}s"
        )
    return counted


def extent(history, objective, counted):
    """How much was searched, a dict of plain values; `counted`: of each trial's evaluations, (T,)."""
    spent = history.costs.cumsum(axis=1)[np.arange(len(counted)), counted - 1][counted > 0]
    seconds = {"mean": float(spent.mean()), "total": float(spent.sum())}
    return {
        "evaluations": {"least": int(counted.min()), "most": int(counted.max())},
        "trials_without_evaluation": int((counted == 0).sum()),
        "simulated_seconds": seconds if objective.has_cost else None,
    }


def checkpoints(counted):
    """The numbers of evaluations that a summary looks at: powers of ten, and the most of any trial."""
    most = int(counted.max())
    return sorted({n for n in _CHECKPOINTS if n < most} | {most})


def described(code, benchmark, objective):
    """What the table says of a cell: a dict of plain values."""
    cell, target = benchmark.space.cell(code), objective.target
    asked = cell, objective.dataset, target.metric
    options = {"protocol": target.protocol, "where": objective.where}
    return {
        "arch": str(cell),
        "index": benchmark.index(cell),
        "value": benchmark.query(*asked, protocol=target.protocol),
        "rank": benchmark.rank(*asked, **options),
        "regret": benchmark.regret(*asked, **options),
        "entry": entry_of(cell, benchmark, target),
    }


def entry_of(cell: object, benchmark: Benchmark, target: Signal) -> dict[str, dict[str, float]]:
    """Return all that the table has for a cell: after the metric's protocol, or the longest recorded one."""
    protocol = target.protocol or max(benchmark.protocols(), default=None)
    return benchmark.entry(cell, protocol=protocol)


def final_values(codes, benchmark, objective):
    """What papers report of the cells that trials ended with: means over seeds after the metric's protocol.

    A metric that the store lacks for any of them is left out.
    """
    found = {}
    for metric in _REPORTED if len(codes) else ():
        with suppress(NotRecordedError):
            values = benchmark.by_code(objective.dataset, metric, protocol=objective.target.protocol)[codes]
            if not np.isnan(values).any():
                found[metric] = over_trials(values)
    return found


def over_trials(values):
    """Mean, standard deviation (n - 1) and median, a dict; of one value, the mean alone, of none, nothing."""
    if len(values) < 2:
        return {"mean": float(values[0]) if len(values) else None, "std": None, "median": None}
    return {
        "mean": float(values.mean()),
        "std": float(values.std(ddof=1)),
        "median": float(np.median(values)),
    }


def counts_of(counts):
    """Numbers of a least and a most, {name: number}, as text: `5`, or `5 to 1,000`."""
    return " to ".join(f"{n:,}" for n in sorted(set(counts.values())))


def print_heading(summary, done, of="an evaluation", others=()):
    """What was searched for and how, as text.

    `done`: how much, such as `5 evaluations`; `of`: what a recorded seed is drawn for; `others`: metrics that
    count beside the first.
    """
    settings = summary["settings"]
    trials, space = settings["trials"], space_of(settings["space"])
    target, signal = signals_of(settings)
    against = "".join(f" against {other} [{Signal.parse(other).unit}]" for other in others)
    place = "" if space is TOPOLOGY else f" in the {space.name}"
    epochs = "" if target.of_the_network else f", {target.protocol} epochs"
    sees = "" if signal == target else f"; signal {signal}"
    noise = f"one recorded seed {of}" if settings["noise"] == "seed" else "mean over seeds"
    noise = "" if signal.of_the_network else f", {noise}"
    what = f"{settings['dataset']} {target.metric} [{target.unit}]{against}"
    print(f"{summary['algorithm']}{place} on {what}{epochs}{sees}{noise}")
    each = "" if trials == 1 else f", in each of {trials:,} trials"
    print(f"{done}{each}; seed {settings['seed']}\n")


def signals_of(settings: Mapping[str, Any]) -> tuple[Signal, Signal]:
    """Return what counts and what the search saw, two Signals, by the settings of a run, a dict."""
    longest = space_of(settings["space"]).full_protocol
    return Signal.parse(settings["metric"], longest), Signal.parse(settings["signal"], longest)


def feasible_rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a summary says of feasible cells, pairs of a name and a text; none without limits."""
    if "feasible" not in summary:
        return []
    rows, without = [("feasible", feasible_text(summary["feasible"]))], without_feasible(summary)
    if without:
        rows.append(
            ("none feasible", f"{without:,} trial{'' if without == 1 else 's'}: no feasible cell seen")
        )
    return rows


def without_feasible(summary: Mapping[str, Any]) -> int:
    """Return how many trials evaluated cells, but none of the feasible ones."""
    return summary["feasible"]["trials_without"] if "feasible" in summary else 0


def feasible_text(feasible: Mapping[str, Any]) -> str:
    """Return the item of `feasibility` as text."""
    return f"{feasible['cells']:,} of {feasible['of']:,} cells: {', '.join(feasible['limits'])}"


def print_summary(summary, all=False):
    """The findings as text; `all`: with every metric that the table has for the best cell."""
    settings, best = summary["settings"], summary["best"]
    trials = settings["trials"]
    target, signal = signals_of(settings)
    print_heading(summary, f"{counts_of(summary['evaluations'])} evaluations")
    rows = best_rows(best, settings)
    if best is not None:
        if signal != target:
            score = best["score"] if signal.higher_is_better else -best["score"]
            rows.append(("signal", f"{signal} {score:.4f} {signal.unit}, as the search saw it"))
        found = f"at evaluation {best['evaluation']:,}" + (
            "" if trials == 1 else f" of trial {best['trial']}"
        )
        if summary["simulated_seconds"] is not None:
            found += f", after {duration(best['simulated_seconds'])} of simulated training"
        rows.append(("found", found))
    if summary["simulated_seconds"] is not None:
        rows.append(("whole search", f"{duration(summary['simulated_seconds']['mean'])} a trial"))
    if summary["trials_without_evaluation"]:
        rows.append(
            ("without any", f"{summary['trials_without_evaluation']:,} trials: not even one evaluation")
        )
    rows += feasible_rows(summary)
    if trials > 1:
        rows.append(("at the optimum", f"{summary['trials_at_optimum']:,} of {trials:,} trials"))
    for name, text in rows:
        print(f"{name:<15} {text}")

    if best is not None:
        print_entry(best["entry"], all=all)
    found_any = trials - summary["trials_without_evaluation"]
    found_any -= without_feasible(summary)
    over = "" if trials == 1 or not found_any else f", mean and standard deviation over {found_any:,} trials"
    if trials > 1:
        print_final_values(summary["report"], settings, over)
    print(f"\nRegret of the incumbent [{target.unit}]{over}")
    for row in summary["regret"]:
        came, having = row["trials_that_came_so_far"], row.get("trials_with_incumbent", trials)
        short = "" if came == trials else f"   ({came:,} trials came so far, the others had ended)"
        if having != trials:
            short += f"   ({having:,} trials had one)" if having else "   (no feasible cell yet)"
        print(f"after {row['evaluations']:>6,} evaluations  {mean_of(row)}{short}")
    print(f"optimum: {summary['optimum']['value']:.4f}, index {summary['optimum']['index']}")


def best_rows(best: Mapping[str, Any] | None, settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the first rows on the best cell, pairs of a name and a text; `best`: None if there is none."""
    if best is None:
        return [("best cell", "none: no feasible cell was evaluated")]
    unit = signals_of(settings)[0].unit
    value = f"{best['value']:.4f} {unit}, rank {best['rank']:,}, regret {best['regret']:.4f}"
    return [("best cell", best["arch"]), ("index", best["index"]), (settings["metric"], value)]


def print_final_values(report, settings, over):
    """What papers report of the cells that trials ended with, as text; `over`: over which trials."""
    if report:
        print(f"\nIncumbents at the end, trained for {epochs_of(settings)} epochs{over}")
    for name, row in report.items():
        name = f"{name} [{METRICS[name].unit}]"
        print(f"{name:<18} {mean_of(row)}")


def epochs_of(settings: Mapping[str, Any]) -> int:
    """Return the epochs after which a run reports its cells: the metric's, or the longest protocol's."""
    return signals_of(settings)[0].protocol or space_of(settings["space"]).full_protocol


def mean_of(row: Mapping[str, float | None]) -> str:
    """The mean and the spread in a row of `over_trials`, as text."""
    mean = "-" if row["mean"] is None else f"{row['mean']:.4f}"
    return mean if row["std"] is None else f"{mean} ± {row['std']:.4f}   median {row['median']:.4f}"


def duration(seconds):
    """Seconds as text, in the largest unit that there are two of."""
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.0f} seconds"
