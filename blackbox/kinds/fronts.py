"""What searches with two objectives on a table found, their Pareto fronts: as a dict and as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from blackbox.kinds.evaluations import (
    checkpoints,
    counted_in,
    counts_of,
    duration,
    entry_of,
    extent,
    feasibility,
    feasible_rows,
    over_trials,
    print_heading,
)
from blackbox.rs import RandomSearch
from blackbox.search.pareto import hypervolume, nondominated
from blackbox.search.space import space_of_table
from blackbox.table.objective import PairObjective
from blackbox.table.signal import Signal
from nasbench.runs.command import print_table
from nasbench.text import print_entry

if TYPE_CHECKING:
    from numpy.typing import NDArray


def front_masks(scores, counted):
    """Which of its evaluations each trial takes for its Pareto front, bool (T, n), by the scores it saw.

    Scores (T, n, 2); `counted`: how many of the first evaluations of each trial count, (T,).
    """
    counts = np.arange(scores.shape[1]) < counted[:, None]
    return nondominated(np.where(counts[..., None], scores, -np.inf))


def volumes(codes, masks, objective):
    """The hypervolume of what fronts are worth, float64 (T,): cells of codes (T, n) with a true mask (T, n).

    By the metrics, means over seeds, as far as the worst of the feasible cells in each.
    """
    points = np.where(masks[..., None], objective.targets[codes], -np.inf)
    return hypervolume(points, worst_of(objective))


def worst_of(objective: PairObjective) -> NDArray[np.float64]:
    """Return the worst score of the feasible cells in each of two objectives, float64 (2,)."""
    return objective.targets[objective.feasible].min(axis=0)


def shares(
    codes: NDArray[np.intp], masks: NDArray[np.bool_], objective: PairObjective
) -> NDArray[np.float64]:
    """The hypervolume of fronts as shares of the true front's, float64 (T,); arguments as for `volumes`.

    A true front of one cell dominates no area: then the share is 1 for fronts with a cell, else 0.
    """
    true = np.flatnonzero(nondominated(objective.targets))[None]
    whole = volumes(true, np.ones(true.shape, dtype=bool), objective)
    return volumes(codes, masks, objective) / whole if whole > 0 else masks.any(axis=1).astype(np.float64)


def summarize_fronts(history, objective, benchmark, budget=None):
    """The findings of a search with two objectives: a dict of plain values.

    Beside them those of random search (seed 0) in as many trials of as many evaluations, which sees the means
    over seeds.
    """
    counted = counted_in(history, budget)
    metrics = objective.metrics
    true = np.flatnonzero(nondominated(objective.targets))
    whole = float(volumes(true[None], np.ones((1, len(true)), dtype=bool), objective)[0])
    random = _random_codes(space_of_table(benchmark.space), *history.codes.shape)
    masks = front_masks(history.scores, counted)
    final = np.where(counted > 0, volumes(history.codes, masks, objective), -1)
    trial = int(final.argmax())
    steps = np.flatnonzero(masks[trial])
    _, firsts = np.unique(history.codes[trial, steps], return_index=True)
    worth = objective.targets[history.codes[trial, steps[firsts]]]
    steps = steps[firsts][np.lexsort((worth[:, 1], worth[:, 0]))[::-1]]
    worst = worst_of(objective)
    return {
        **extent(history, objective, counted),
        **feasibility(objective, int(((counted > 0) & ~masks.any(axis=1)).sum())),
        "reference": {name: _value(name, score) for name, score in zip(metrics, worst, strict=True)},
        "true_front": {
            "cells": len(true),
            "indices": benchmark.space.official_index()[true].tolist(),
            "hypervolume": whole,
        },
        "found": _findings(history.codes, history.scores, counted, objective, true),
        "random_search": _findings(random, objective.scores[random], counted, objective, true),
        "front": {
            "trial": trial,
            "hypervolume": float(final[trial]),
            "cells": [
                _cell(history.codes[trial, step], step, history.scores[trial, step], objective, benchmark)
                | {"on_true_front": bool(history.codes[trial, step] in true)}
                for step in steps
            ],
        },
    }


def _random_codes(space, trials, evals):
    """What random search evaluates, (T, n)."""
    search = RandomSearch(space, trials=trials)
    return np.stack([search.ask(step) for step in range(evals)], axis=1)


def _findings(codes, scores, counted, objective, true):
    """Hypervolumes after some evaluations, and how much of the true front was found."""
    rows = []
    for n in checkpoints(counted):
        masks = front_masks(scores[:, :n], counted)
        volume = volumes(codes[:, :n], masks, objective)[counted > 0]
        share = shares(codes[:, :n], masks, objective)[counted > 0]
        rows.append(
            {
                "evaluations": n,
                "trials_that_came_so_far": int((counted >= n).sum()),
                **over_trials(volume),
                "share": over_trials(share),
            }
        )
    place = np.full(len(objective.targets), -1)
    place[true] = np.arange(len(true))
    trial, step = np.nonzero(masks)
    found = place[codes[trial, step]]
    met = np.zeros((len(codes), len(true)), dtype=bool)
    met[trial[found >= 0], found[found >= 0]] = True
    return {"hypervolume": rows, "of_the_true_front": over_trials(met.sum(axis=1)[counted > 0])}


def _value(metric, score):
    """A metric's value, of a score, which is higher where it is better."""
    return float(score if Signal.parse(metric).higher_is_better else -score)


def _cell(code, step, scores, objective, benchmark):
    cell = benchmark.space.cell(code)
    return {
        "arch": str(cell),
        "index": benchmark.index(cell),
        "evaluation": int(step) + 1,
        "scores": scores.tolist(),
        **{
            metric: _value(metric, score)
            for metric, score in zip(objective.metrics, objective.targets[code], strict=True)
        },
        "entry": entry_of(cell, benchmark, objective.target),
    }


def print_fronts(summary, all=False):
    """The findings as text; `all`: with every metric that the table has for the best cell."""
    settings, found, random = summary["settings"], summary["found"], summary["random_search"]
    metric, against, trials = settings["metric"], settings["against"], settings["trials"]
    units = [Signal.parse(name).unit for name in (metric, against)]
    cells = summary["true_front"]["cells"]
    print_heading(summary, f"{counts_of(summary['evaluations'])} evaluations", others=(against,))

    of = found["of_the_true_front"]["mean"], random["of_the_true_front"]["mean"]
    reference = ", ".join(
        f"{name} {value:.7g} {unit}"
        for (name, value), unit in zip(summary["reference"].items(), units, strict=True)
    )
    rows = [
        ("true front", f"{cells:,} cells, hypervolume {summary['true_front']['hypervolume']:.7g}"),
        ("reference", f"{reference}: the worst of {_cells(summary)} in each"),
        ("found of it", f"{of[0]:.4g} cells{_a_trial(trials)} (random search: {of[1]:.4g})"),
    ]
    if summary["simulated_seconds"] is not None:
        rows.append(("whole search", f"{duration(summary['simulated_seconds']['mean'])} a trial"))
    if summary["trials_without_evaluation"]:
        rows.append(
            ("without any", f"{summary['trials_without_evaluation']:,} trials: not even one evaluation")
        )
    rows += feasible_rows(summary)
    for name, text in rows:
        print(f"{name:<15} {text}")

    front = summary["front"]
    best = "" if trials == 1 else f" of trial {front['trial']}, the one with the largest hypervolume"
    if not front["cells"]:
        print("\nFront: none, because no feasible cell was evaluated")
        return
    print(f"\nFront{best}: {len(front['cells']):,} cells (*: on the true front)")
    print_table(
        ("", f"{metric} [{units[0]}]", f"{against} [{units[1]}]", "index", "evaluation", "cell"),
        [
            ("*" if c["on_true_front"] else "", c[metric], c[against], c["index"], c["evaluation"], c["arch"])
            for c in front["cells"]
        ],
    )
    print(f"\nOf this front, the cell with the best {metric}: index {front['cells'][0]['index']}")
    print_entry(front["cells"][0]["entry"], all=all)
    found_any = trials - summary["trials_without_evaluation"]
    over = "" if trials == 1 or not found_any else f", mean and standard deviation over {found_any:,} trials"
    print(f"\nHypervolume, percent of the true front's{over}")
    for row, other in zip(found["hypervolume"], random["hypervolume"], strict=True):
        came = row["trials_that_came_so_far"]
        short = "" if came == trials else f"   ({came:,} trials came so far, the others had ended)"
        shares = f"{_percent(row['share'])}   random search {_percent(other['share'])}"
        print(f"after {row['evaluations']:>6,} evaluations  {shares}{short}")


def _cells(summary: Mapping[str, Any]) -> str:
    return "the feasible cells" if "feasible" in summary else "the table"


def _a_trial(trials):
    return "" if trials == 1 else " a trial"


def _percent(share):
    spread = "" if share["std"] is None else f" ± {100 * share['std']:.3f}"
    return f"{100 * share['mean']:.3f}{spread}"
