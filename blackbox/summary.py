"""What a search on a table found: best cell, regret over trials, as a dict and as text."""

import math
from contextlib import suppress

import numpy as np

from blackbox.errors import ConfigError
from blackbox.objective import Signal
from nasbench.errors import NotRecordedError
from nasbench.metrics import METRICS
from nasbench.spaces import TOPOLOGY, space_of
from nasbench.text import print_entry

_CHECKPOINTS = (10, 100, 1000, 10_000, 100_000)
_REPORTED = ("val_accuracy", "test_accuracy")  # what papers report of the cells that searches end with


def regrets(incumbents, objective):
    """The regret of incumbents (T, n), float64 (T, n), in the metric's unit; NaN where there is none (-1).

    An incumbent has the best score that the search saw; its regret is by the metric after the longest
    protocol, the mean over seeds.
    """
    targets = objective.targets
    return np.where(incumbents < 0, np.nan, targets.max() - targets[incumbents])


def summarize(history, objective, benchmark, budget=None):
    """The findings of a search: a dict of plain values, for JSON and for `print_summary`."""
    dataset, metric = objective.dataset, objective.metric
    counted = counted_in(history, budget)
    trial, step = history.best(budget)
    best = benchmark.best(dataset, metric)
    timed = objective.has_cost
    spent = history.costs.cumsum(axis=1)
    incumbents = history.incumbents(budget)[counted > 0]
    regret = regrets(incumbents, objective)
    return {
        **extent(history, objective, counted),
        "best": {
            "trial": trial,
            "evaluation": step + 1,
            "simulated_seconds": float(spent[trial, step]) if timed else None,
            "score": float(history.scores[trial, step]),
            **described(history.codes[trial, step], benchmark, dataset, metric),
        },
        "optimum": {"arch": str(best.cell), "index": best.index, "value": best.value},
        "trials_at_optimum": int((regret[:, -1] == 0).sum()),
        "report": final_values(incumbents[:, -1], benchmark, dataset),
        "regret": [
            {
                "evaluations": n,
                "trials_that_came_so_far": int((counted >= n).sum()),
                **over_trials(regret[:, n - 1]),
            }
            for n in checkpoints(counted)
        ],
    }


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


def described(code, benchmark, dataset, metric):
    """What the table says of a cell: a dict of plain values."""
    cell = benchmark.space.cell(code)
    return {
        "arch": str(cell),
        "index": benchmark.index(cell),
        "value": benchmark.query(cell, dataset, metric),
        "rank": benchmark.rank(cell, dataset, metric),
        "regret": benchmark.regret(cell, dataset, metric),
        "entry": benchmark.entry(cell),
    }


def final_values(codes, benchmark, dataset):
    """What papers report of the cells that trials ended with: means over seeds after the longest protocol.

    A metric that the store lacks for any of them is left out.
    """
    found = {}
    for metric in _REPORTED:
        with suppress(NotRecordedError):
            values = benchmark.by_code(dataset, metric)[codes]
            if not np.isnan(values).any():
                found[metric] = over_trials(values)
    return found


def over_trials(values):
    """Mean, standard deviation (n - 1) and median, a dict; of one value, the mean alone."""
    if len(values) == 1:
        return {"mean": float(values[0]), "std": None, "median": None}
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
    metric, trials = settings["metric"], settings["trials"]
    space, signal = space_of(settings["space"]), Signal.of(settings["signal"])
    against = "".join(f" against {other} [{METRICS[other].unit}]" for other in others)
    place = "" if space is TOPOLOGY else f" in the {space.name}"
    epochs = "" if METRICS[metric].of_the_network else f", {space.full_protocol} epochs"
    sees = "" if signal == Signal.of(metric, space.full_protocol) else f"; signal {signal}"
    noise = f"one recorded seed {of}" if settings["noise"] == "seed" else "mean over seeds"
    noise = "" if METRICS[signal.metric].of_the_network else f", {noise}"
    what = f"{settings['dataset']} {metric} [{METRICS[metric].unit}]{against}"
    print(f"{summary['algorithm']}{place} on {what}{epochs}{sees}{noise}")
    each = "" if trials == 1 else f", in each of {trials:,} trials"
    print(f"{done}{each}; seed {settings['seed']}\n")


def print_summary(summary):
    """The findings as text."""
    settings, best = summary["settings"], summary["best"]
    metric, trials = settings["metric"], settings["trials"]
    unit = METRICS[metric].unit
    space, signal = space_of(settings["space"]), Signal.of(settings["signal"])
    sees_the_metric = signal == Signal.of(metric, space.full_protocol)
    print_heading(summary, f"{counts_of(summary['evaluations'])} evaluations")
    found = f"at evaluation {best['evaluation']:,}" + ("" if trials == 1 else f" of trial {best['trial']}")
    rows = [
        ("best cell", best["arch"]),
        ("index", best["index"]),
        (metric, f"{best['value']:.4f} {unit}, rank {best['rank']:,}, regret {best['regret']:.4f}"),
    ]
    if not sees_the_metric:
        seen = METRICS[signal.metric]
        score = best["score"] if seen.higher_is_better else -best["score"]
        rows.append(("signal", f"{signal} {score:.4f} {seen.unit}, as the search saw it"))
    if summary["simulated_seconds"] is None:
        rows.append(("found", found))
    else:
        rows.append(("found", f"{found}, after {duration(best['simulated_seconds'])} of simulated training"))
        rows.append(("whole search", f"{duration(summary['simulated_seconds']['mean'])} a trial"))
    if summary["trials_without_evaluation"]:
        rows.append(
            ("without any", f"{summary['trials_without_evaluation']:,} trials: not even one evaluation")
        )
    if trials > 1:
        rows.append(("at the optimum", f"{summary['trials_at_optimum']:,} of {trials:,} trials"))
    for name, text in rows:
        print(f"{name:<15} {text}")

    print_entry(best["entry"], best["index"], space)
    found_any = trials - summary["trials_without_evaluation"]
    over = "" if trials == 1 else f", mean and standard deviation over {found_any:,} trials"
    if trials > 1:
        print_final_values(summary["report"], space, over)
    print(f"\nRegret of the incumbent [{unit}]{over}")
    for row in summary["regret"]:
        came = row["trials_that_came_so_far"]
        short = "" if came == trials else f"   ({came:,} trials came so far, the others had ended)"
        print(f"after {row['evaluations']:>6,} evaluations  {row['mean']:.4f}{spread_of(row)}{short}")
    print(f"optimum: {summary['optimum']['value']:.4f}, index {summary['optimum']['index']}")


def print_final_values(report, space, over):
    """What papers report of the cells that trials ended with, as text; `over`: over which trials."""
    if report:
        print(f"\nIncumbents at the end, trained for {space.full_protocol} epochs{over}")
    for name, row in report.items():
        name = f"{name} [{METRICS[name].unit}]"
        print(f"{name:<18} {row['mean']:.4f}{spread_of(row)}")


def spread_of(row):
    """The spread in a row of `over_trials`, as text to follow its mean."""
    return "" if row["std"] is None else f" ± {row['std']:.4f}   median {row['median']:.4f}"


def duration(seconds):
    """Seconds as text, in the largest unit that there are two of."""
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.0f} seconds"
