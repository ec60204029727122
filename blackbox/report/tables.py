"""The page's tables as HTML, which can be read, and printed, without a script."""

from collections.abc import Callable
from html import escape
from typing import NamedTuple

from blackbox.compare.text import p_shown
from blackbox.kinds.evaluations import duration
from blackbox.results.statistics import LEVEL
from blackbox.table.signal import Signal

_MANY = 15  # pairs, of six searches: more are folded up


class Column(NamedTuple):
    """A column of a table of runs: its head, and what it has of a run."""

    head: str
    cell: Callable  # of a run's data -> a value to sort by, None for what is not known, and its HTML
    least_is_best: bool = False  # the least value is printed bold


def results(comparison, series):
    """The final table: a row for each run whose trials have incumbents."""
    runs = [run for run in comparison["runs"] if "regret" in run["summary"]]
    unit, axis = comparison["unit"], comparison["axis"]
    evaluations = axis == "evaluations"
    metrics = list(dict.fromkeys(name for run in runs for name in run["summary"]["values"]))
    timed = any(run["summary"]["seconds"] is not None for run in runs)
    columns = [
        Column("trials", _of("trials", "{:,}")),
        Column("evaluations" if evaluations else "evaluations or jobs", _of("evaluations", "{:,.0f}")),
        *([Column("simulated time", lambda run: _time(run["summary"]["seconds"]))] if timed else []),
        *(_value(name) for name in metrics),
        Column(f"regret [{unit}]", lambda run: _spread(run["summary"]["regret"], 4), least_is_best=True),
        Column("median regret", lambda run: _median(run["summary"]["regret"])),
        Column("trials at optimum", lambda run: _share(run["summary"]["optimum"])),
        *(_way(n, threshold, unit, axis) for n, threshold in enumerate(comparison["thresholds"])),
    ]
    way = (
        " The way to a regret is the median over all trials, by Kaplan and Meier's estimate where some ended"
        " early, – where it is not known, as too few came so far; in brackets the share that did, if not all."
    )
    return f"""{_table("Final results", columns, _of_each(runs, series))}
<p class="note">Mean ± standard deviation over the trials, of the incumbents that they ended with, by the
table's means over seeds.{way if comparison["thresholds"] else ""}</p>"""


def pairs(comparison, series):
    """A row for each pair of runs that a comparison would take, with what the tests say."""
    runs, found = comparison["runs"], comparison["pairs"]
    tests = found["tested"]
    columns = [
        Column("p", lambda pair: (pair["p_holm"], escape(p_shown(pair["p_holm"])))),
        Column("better–worse–equal", _tally),
        Column("rank-biserial", _effect("rank_biserial")),
        Column("A12", _effect("a12")),
    ]
    many = "the one pair" if len(tests) == 1 else f"all {len(tests):,} pairs"
    told = sum(map(_told_apart, tests))
    by_number = "" if found["same_seed"] else " Of different seeds, trials are paired by their number alone."
    left = ", ".join(series[runs[place]["series"]]["label"] for place in found["left"])
    if left:
        left = (
            f" Not tested: {escape(left)}; not complete, of one trial, without an incumbent, ended by jobs,"
            " or with no other of the same trials, limits, signal and noise."
        )
    rows = [_of_pair(pair, runs, series) for pair in tests]
    table = _table("Differences between searches", columns, rows, "sortable pairs", "pair")
    if len(tests) > _MANY:
        table = (
            f"<details><summary>{told:,} of {len(tests):,} pairs are told apart</summary>{table}</details>"
        )
    return f"""{table}
<p class="note">By the regrets that the same trials ended with: Wilcoxon signed-rank test, p after Holm's
correction for {many}; told apart at p ≤ {1 - LEVEL:.2g}. In how many trials the first was better, worse,
and as good. Rank-biserial correlation: 1 where it was better in every trial that tells. A12: how probably
a trial of it is better than any of the other.{by_number}{left}</p>"""


def fronts(comparison, series):
    """The table of the runs with two objectives, whose trials have Pareto fronts."""
    runs = [run for run in comparison["runs"] if "worth" in run["summary"]]
    columns = [
        Column("against", lambda run: (run["summary"]["against"], escape(run["summary"]["against"]))),
        Column("trials", _of("trials", "{:,}")),
        Column("evaluations", _of("evaluations", "{:,.0f}")),
        Column("hypervolume [% of the true front's]", lambda run: _spread(run["summary"]["worth"], 2)),
        Column("cells on its front", lambda run: _spread(run["summary"]["cells"], 1)),
        Column("of them on the true front", lambda run: _spread(run["summary"]["met"], 1)),
        Column("cells on the true front", _of("true", "{:,}")),
    ]
    return f"""{_table("Pareto fronts that were found", columns, _of_each(runs, series))}
<p class="note">Mean ± standard deviation over the trials. A trial's front is that of the scores which it saw;
what it is worth is by the table's means over seeds, as far as the worst of the feasible cells in each
metric.</p>"""


def settings(comparison, series):
    """What the folder of every run says of it."""
    names = list(comparison["runs"][0]["settings"])
    columns = [
        Column(name, lambda run, name=name: (run["settings"][name], escape(run["settings"][name])))
        for name in names
    ]
    return _table("Settings of every run", columns, _of_each(comparison["runs"], series), kind="text")


def _table(title, columns, rows, kind="sortable", first="search"):
    """`rows`: of each its name as HTML, the series that are to be shown for it, and what columns read.

    `first`: the head of the column of names.
    """
    cells = [[column.cell(of) for column in columns] for _, _, of in rows]
    best = [
        min((of[n][0] for of in cells if of[n][0] is not None), default=None)
        if column.least_is_best
        else None
        for n, column in enumerate(columns)
    ]
    lines = []
    for (name, shown, _), of in zip(rows, cells, strict=True):
        row = "".join(
            _cell(*cell, bold=b is not None and cell[0] == b) for cell, b in zip(of, best, strict=True)
        )
        lines.append(f'<tr data-series="{" ".join(map(str, shown))}"><th scope="row">{name}</th>{row}</tr>')
    heads = (first, *(column.head for column in columns))
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "\n".join(lines)
    return f"""<div class="wide" tabindex="0" role="region" aria-label="{escape(title)}">
<table class="{kind}">
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody></table></div>"""


def _of_each(runs, series):
    """A row a run."""
    return [(_label(series, run), (run["series"],), run) for run in runs]


def _of_pair(pair, runs, series):
    """The row of a pair."""
    first, second = (runs[place] for place in pair["runs"])
    told, kind = ("better than", "ahead") if _told_apart(pair) else ("not told apart from", "level")
    name = (
        f'<b class="{kind}">{_label(series, first)}</b> <small>{told}</small>'
        f" <span>{_label(series, second)}</span>"
    )
    return name, (first["series"], second["series"]), pair


def _told_apart(pair):
    return pair["p_holm"] <= 1 - LEVEL


def _cell(value, text, bold):
    sorts_by = "" if value is None else escape(str(value))
    kind = ' class="best"' if bold else ""
    return f'<td data-value="{sorts_by}"{kind}>{text}</td>'


def _label(series, run):
    label = series[run["series"]]
    mark = f'<span class="swatch" style="background:{label["colour"]}" aria-hidden="true"></span>'
    broken = "" if run["settings"]["complete"] == "yes" else " <small>(not complete)</small>"
    return f"{mark}{escape(label['label'])}{broken}"


def _of(name, form):
    """What reads a number of a run's summary."""
    return lambda run: (run["summary"][name], form.format(run["summary"][name]))


def _effect(name):
    """What reads how large the difference of a pair is."""
    return lambda pair: (pair[name], f"{pair[name]:.2f}")


def _tally(pair):
    return pair["better"], f"{pair['better']:,}–{pair['worse']:,}–{pair['equal']:,}"


def _value(metric):
    unit = Signal.parse(metric).unit
    digits = 2 if unit == "%" else 4
    return Column(f"{metric} [{unit}]", lambda run: _spread(run["summary"]["values"].get(metric), digits))


def _way(number, threshold, unit, axis):
    """The column of the way to a regret."""

    def cell(run):
        reached = run["summary"]["reached"].get(axis)
        if reached is None:
            return None, "–"
        median, share = reached[number]["median"], reached[number]["share"]
        came = "" if share == 1 else f" <small>({100 * share:.3g} %)</small>"
        if median is None:
            return None, f"–{came}"
        return median, f"{f'{median:,.6g}' if axis == 'evaluations' else duration(median)}{came}"

    return Column(f"{'evaluations' if axis == 'evaluations' else 'time'} to {threshold:g}\u00a0{unit}", cell)


def _time(seconds):
    return (None, "–") if seconds is None else (seconds, duration(seconds))


def _share(share):
    return share, f"{100 * share:.1f} %"


def _spread(row, digits):
    """Mean ± standard deviation of what `over_trials` gives; None: nothing is known."""
    if row is None:
        return None, "–"
    spread = "" if row["std"] is None else f" ± {row['std']:.{digits}f}"
    return row["mean"], f"{row['mean']:.{digits}f}{spread}"


def _median(row):
    if row is None:
        return None, "–"
    median = row["mean"] if row["median"] is None else row["median"]  # of one trial
    return median, f"{median:.4f}"
