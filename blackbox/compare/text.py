"""The findings of a comparison as text."""

from blackbox.kinds.evaluations import duration, epochs_of, feasible_text, signals_of, without_feasible
from blackbox.results.statistics import LEVEL
from nasbench.metrics import METRICS
from nasbench.runs.command import print_table
from nasbench.spaces import TOPOLOGY, space_of

_PERCENT = f"{100 * LEVEL:g} %"


def print_findings(found):
    """Print what `findings` gives, and `settings` beside it: of the RunConfig that is common to all."""
    algorithms, settings = found["algorithms"], found["settings"]
    unit = signals_of(settings)[0].unit
    _print_heading(algorithms, settings)
    if "feasible" in found:
        print(f"feasible: {feasible_text(found['feasible'])}\n")
    _print_ends(algorithms, settings["trials"], unit)
    print(f"optimum: {found['optimum']['value']:.4f}, index {found['optimum']['index']}")
    _print_values(algorithms, settings)
    for axis, until in (("evaluations", "Evaluations"), ("seconds", "Simulated time")):
        _print_reached(algorithms, axis, until, settings)
    if algorithms[0]["reached"] is None:
        print(f"\nThe way to a regret is left out: that of {settings['metric']} is not in percentage points.")
    if found["pairs"] is not None:
        if without_feasible(found):
            print("\nIn tests and ranks, trials without a feasible cell have the worst feasible regret.")
        _print_pairs(found["pairs"])
        _print_ranks(found["ranks"])
    else:
        what = "two algorithms" if len(algorithms) < 2 else "two trials of each algorithm"
        print(f"\nTests and ranks are left out: they need {what} or more.")


def _print_heading(algorithms, settings):
    trials, space = settings["trials"], space_of(settings["space"])
    target, signal = signals_of(settings)
    place = "" if space is TOPOLOGY else f" in the {space.name}"
    epochs = "" if target.of_the_network else f", {target.protocol} epochs"
    sees = "" if signal == target else f"; signal {signal}"
    noise = "" if signal.of_the_network else ", mean over seeds"
    noise = ", one recorded seed an evaluation" if settings["noise"] == "seed" else noise
    count = f"{len(algorithms)} algorithm{'' if len(algorithms) == 1 else 's'}"
    what = f"{settings['dataset']} {target.metric} [{target.unit}]"
    print(f"{count}{place} on {what}{epochs}{sees}{noise}")
    limits = []
    if settings["evals"] is not None:
        limits.append(f"{settings['evals']:,} evaluations")
    if settings["budget"] is not None:
        limits.append(f"{duration(settings['budget'])} of simulated time")
    seeds = sorted({row["seed"] for row in algorithms})
    each = f"in each of {trials:,} trials" if trials > 1 else "in one trial"
    print(f"{' or '.join(limits)} {each}; seed {', '.join(map(str, seeds))}")
    if len(seeds) > 1:
        print("note: of different seeds, trials are paired by their number alone")
    print()


def _print_ends(algorithms, trials, unit):
    """Regret at the end, and what it took."""
    several = trials > 1
    print(f"Regret of the incumbents at the end [{unit}]")
    header = ["", "mean", "± std", f"{_PERCENT} of mean", "median", f"{_PERCENT} of median", "at the optimum"]
    rows = []
    for row in algorithms:
        regret, optimum = row["regret"], row["at_optimum"]
        cells = [row["label"], _number(regret["mean"])]
        if several:
            std = "" if regret["std"] is None else f"± {regret['std']:.4f}"
            median = regret["mean"] if regret["median"] is None else regret["median"]
            between = _between(regret["mean_interval"]), _between(regret["median_interval"])
            cells += [std, between[0], _number(median), between[1], _share(optimum["share"])]
        rows.append(cells)
    if not several:
        header = header[:2]
    columns = (
        ("simulated_seconds", "time a trial", lambda value: duration(value)),
        ("evaluations", "evaluations", lambda value: f"{value:,.6g}"),
        ("jobs", "jobs", lambda value: f"{value:,.6g}"),
        ("trials_without_evaluation", "without any", lambda value: f"{value:,} trials"),
    )
    for name, title, text in columns:
        if any(row[name] for row in algorithms):
            header.append(title)
            for cells, row in zip(rows, algorithms, strict=True):
                cells.append("-" if row[name] is None else text(row[name]))
    _print_columns(header, rows)


def _print_values(algorithms, settings):
    """What papers report of the incumbents at the end."""
    metrics = list(dict.fromkeys(name for row in algorithms for name in row["report"]))
    if not metrics:
        return
    epochs = epochs_of(settings)
    over = ", mean and standard deviation over the trials" if settings["trials"] > 1 else ""
    print(f"\nIncumbents at the end, trained for {epochs} epochs{over}")
    rows = []
    for row in algorithms:
        values = [row["report"].get(name) for name in metrics]
        rows.append([row["label"], *("-" if v is None else _mean(v) for v in values)])
    _print_columns(["", *(f"{name} [{METRICS[name].unit}]" for name in metrics)], rows)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _mean(value):
    return f"{value['mean']:.2f}" + ("" if value["std"] is None else f" ± {value['std']:.2f}")


def _print_reached(algorithms, axis, until, settings):
    """The way to each threshold."""
    trials = settings["trials"]
    algorithms = [row for row in algorithms if row["reached"] and row["reached"][0][axis]]
    if not algorithms:
        return
    of = f": median of {trials:,} trials (share of trials that came there)" if trials > 1 else ""
    print(f"\n{until} until the regret was at most{of}")
    titles = [f"{way['regret']:g} %" for way in algorithms[0]["reached"]]
    rows = []
    for row in algorithms:
        cells = [_way(way[axis], axis, trials) for way in row["reached"]]
        rows.append([row["label"], *cells])
    _print_columns(["", *titles], rows)
    if axis == "evaluations" and settings["budget"] is not None and trials > 1:
        print(
            "Trials end after different numbers of evaluations: the median is by Kaplan and Meier's estimate"
        )


def _way(way, axis, trials):
    if way["median"] is None:
        text = "not reached" if trials == 1 or not way["share"] else "later than the end"
    else:
        text = duration(way["median"]) if axis == "seconds" else f"{way['median']:,.6g}"
    return text if trials == 1 else f"{text} ({_share(way['share'])})"


def _print_pairs(pairs):
    print("\nPairs of algorithms, by the regret at the end of the same trials (better: lower)")
    rows = [
        [
            f"{pair['first']} / {pair['second']}",
            f"{pair['better']:,}",
            f"{pair['worse']:,}",
            f"{pair['equal']:,}",
            p_shown(pair["p_holm"]),
            f"{pair['rank_biserial']:+.2f}",
            f"{pair['a12']:.2f}",
        ]
        for pair in pairs
    ]
    _print_columns(["", "better", "worse", "equal", "p", "rank-biserial", "A12"], rows)
    print("p: Wilcoxon signed-rank test, after Holm's correction for all pairs")


def _print_ranks(ranks):
    print("\nAverage ranks over the trials (1: best)")
    rows = [[label, f"{rank:.3f}"] for label, rank in sorted(ranks["average"].items(), key=lambda of: of[1])]
    _print_columns(["", "rank"], rows)
    if ranks["friedman"] is not None:
        friedman = ranks["friedman"]
        print(f"Friedman test: chi-squared {friedman['statistic']:.1f}, p {p_shown(friedman['p'])}")
    level = 1 - ranks["confidence"]
    print(f"critical difference (Nemenyi, {level:.2g}): {ranks['critical_difference']:.3f}")
    for group in ranks["alike"]:
        print(f"not told apart by it: {'; '.join(group)}")


def _between(interval):
    if interval is None:
        return "-"
    low, high = ("?" if bound is None else f"{bound:.4f}" for bound in interval)
    return f"{low} to {high}"


def _share(share):
    return f"{100 * share:.3g} %"


def p_shown(p):
    """A p-value as text."""
    return "< 1e-300" if p < 1e-300 else f"{p:.2g}"


def _print_columns(header, rows):
    """A table whose first column is to the left and whose others are to the right."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(1, len(header))]
    padded = [[row[0], *(text.rjust(w) for text, w in zip(row[1:], widths, strict=True))] for row in rows]
    titles = [header[0], *(text.rjust(width) for text, width in zip(header[1:], widths, strict=True))]
    print_table(titles, padded)
