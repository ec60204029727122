"""The page's tables as HTML, which need no script."""

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

from blackbox.compare.text import p_text
from blackbox.report.data import (
    Comparison,
    FrontSummary,
    IncumbentSummary,
    Pairs,
    Series,
    ShownPair,
    ShownRun,
)
from blackbox.results.comparison import Way
from blackbox.results.regret import Spread
from blackbox.results.statistics import LEVEL
from blackbox.results.text import with_unit
from blackbox.table.signal import Signal
from nasbench.runs.text import duration

Cell = tuple[Any, str]  # a value to sort by, None if it is not known, and its HTML
_UNKNOWN: Cell = (None, "–")
_MANY = 15  # pairs of six searches; longer tables are collapsed


class Row(NamedTuple):
    """A row of a table."""

    name: str  #: name of the row as HTML
    series: tuple[int, ...]  #: series that the row belongs to
    cells: dict[str, Cell]  #: cells by column header


def results(comparison: Comparison, series: Sequence[Series]) -> str:
    """Return the final table, with a row for each run whose trials have incumbents."""
    shown = [(run, run.summary) for run in comparison.runs if isinstance(run.summary, IncumbentSummary)]
    unit, axis = comparison.unit, comparison.axis
    done, time = ("evaluations", "evaluations") if axis == "evaluations" else ("evaluations or jobs", "time")
    regret, ways = f"regret [{unit}]", [f"{time} to {each:g}\u00a0{unit}" for each in comparison.thresholds]
    metrics = dict.fromkeys(name for _, summary in shown for name in summary.values)
    timed = any(summary.seconds is not None for _, summary in shown)
    rows = []
    for run, summary in shown:
        cells = {"trials": _number(summary.trials, ","), done: _number(summary.evaluations, ",.0f")}
        if timed:
            cells["simulated time"] = _time(summary.seconds)
        for metric in metrics:
            digits = 2 if Signal.parse(metric).unit == "%" else 4
            cells[with_unit(metric)] = _spread(summary.values.get(metric), digits)
        middle = None if summary.regret is None else summary.regret.middle
        cells[regret] = _spread(summary.regret, 4)
        cells["median regret"] = _UNKNOWN if middle is None else _number(middle, ".4f")
        cells["trials at optimum"] = summary.optimum, f"{100 * summary.optimum:.1f} %"
        if axis in summary.reached:
            cells |= {head: _way(way, axis) for head, way in zip(ways, summary.reached[axis], strict=False)}
        else:
            cells |= dict.fromkeys(ways, _UNKNOWN)
        rows.append(Row(_label(series, run), (run.series,), cells))
    way = (
        " The time to a regret is the median over all trials, by the Kaplan-Meier estimate if some ended"
        " early, and – if too few reached it; the share of trials that reached it is in brackets if it is not"
        " 100 %."
    )
    return f"""{_table("Final results", rows, least_is_best=regret)}
<p class="note">Mean ± standard deviation over trials for the final incumbents, computed from the table's
means over seeds.{way if comparison.thresholds else ""}</p>"""


def pairs(comparison: Comparison, series: Sequence[Series]) -> str:
    """Return the table with the test results of each pair of comparable runs."""
    runs, tests = comparison.runs, comparison.pairs.tested
    many = "one pair" if len(tests) == 1 else f"all {len(tests):,} pairs"
    different = sum(map(_differ, tests))
    rows = [_pair_row(pair, runs, series) for pair in tests]
    table = _table("Differences between searches", rows, "sortable pairs", "pair")
    if len(tests) > _MANY:
        table = (
            f"<details><summary>{different:,} of {len(tests):,} pairs differ significantly</summary>"
            f"{table}</details>"
        )
    return f"""{table}
<p class="note">Comparison of the final regrets of the same trials: Wilcoxon signed-rank test, p after Holm's
correction for {many}; significant at p ≤ {1 - LEVEL:.2g}. Better–worse–equal: number of trials in which the
first search was better, worse or equal. Rank-biserial correlation: 1 if the first was better in every trial
in which they differ. A12: probability that a trial of the first is better than a trial of the
second.{_pairs_note(comparison.pairs, runs, series)}</p>"""


def _pairs_note(found: Pairs, runs: Sequence[ShownRun], series: Sequence[Series]) -> str:
    """Return the notes on trials with different seeds and on runs without a pair."""
    by_number = "" if found.same_seed else " Trials with different seeds are paired by their number only."
    left = ", ".join(series[runs[place].series].label for place in found.left)
    if left:
        left = (
            f" Not tested: {escape(left)}. A run is not tested if it is not complete, has one trial, has no"
            " incumbent, is limited by jobs, or if no other run has the same trials, limits, signal and"
            " noise."
        )
    return by_number + left


def fronts(comparison: Comparison, series: Sequence[Series]) -> str:
    """Return the table of the runs with two objectives."""
    rows = []
    for run in comparison.runs:
        if isinstance(run.summary, FrontSummary):
            summary = run.summary
            cells = {
                "against": (summary.against, escape(summary.against)),
                "trials": _number(summary.trials, ","),
                "evaluations": _number(summary.evaluations, ",.0f"),
                "hypervolume [% of the true front's]": _spread(summary.worth, 2),
                "cells on its front": _spread(summary.cells, 1),
                "of them on the true front": _spread(summary.met, 1),
                "cells on the true front": _number(summary.true, ","),
            }
            rows.append(Row(_label(series, run), (run.series,), cells))
    return f"""{_table("Pareto fronts", rows)}
<p class="note">Mean ± standard deviation over trials. The front of a trial consists of the cells with the
best observed scores; its hypervolume is computed from the table's means over seeds, relative to the worst of
the feasible cells in each metric.</p>"""


def settings(comparison: Comparison, series: Sequence[Series]) -> str:
    """Return the table with the settings of all runs."""
    rows = [
        Row(_label(series, run), (run.series,), {name: (v, escape(v)) for name, v in run.settings.items()})
        for run in comparison.runs
    ]
    return _table("Settings of all runs", rows, kind="text")


def _table(
    title: str, rows: Sequence[Row], kind: str = "sortable", first: str = "search", least_is_best: str = ""
) -> str:
    """Return a table as HTML.

    `first` is the header of the first column; in the column with the header `least_is_best`, the minimum is
    bold.
    """
    known = [row.cells[least_is_best][0] for row in rows if least_is_best]
    best = min((value for value in known if value is not None), default=None)
    lines = []
    for row in rows:
        text = "".join(
            _cell(*cell, bold=head == least_is_best and cell[0] is not None and cell[0] == best)
            for head, cell in row.cells.items()
        )
        shown = " ".join(map(str, row.series))
        lines.append(f'<tr data-series="{shown}"><th scope="row">{row.name}</th>{text}</tr>')
    heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in (first, *rows[0].cells))
    body = "\n".join(lines)
    return f"""<div class="wide" tabindex="0" role="region" aria-label="{escape(title)}">
<table class="{kind}">
<thead><tr>{heads}</tr></thead>
<tbody>
{body}
</tbody></table></div>"""


def _pair_row(pair: ShownPair, runs: Sequence[ShownRun], series: Sequence[Series]) -> Row:
    first, second = (runs[place] for place in pair.runs)
    relation, kind = ("better than", "ahead") if _differ(pair) else ("no significant difference to", "level")
    name = (
        f'<b class="{kind}">{_label(series, first)}</b> <small>{relation}</small>'
        f" <span>{_label(series, second)}</span>"
    )
    tested, p = pair.tested.pair, pair.tested.p_holm
    cells = {
        "p": (p, escape(p_text(p))),
        "better–worse–equal": (tested.better, f"{tested.better:,}–{tested.worse:,}–{tested.equal:,}"),
        "rank-biserial": _number(tested.rank_biserial, ".2f"),
        "A12": _number(tested.a12, ".2f"),
    }
    return Row(name, (first.series, second.series), cells)


def _differ(pair: ShownPair) -> bool:
    return pair.tested.p_holm <= 1 - LEVEL


def _cell(value: object, text: str, bold: bool) -> str:
    sorts_by = "" if value is None else escape(str(value))
    kind = ' class="best"' if bold else ""
    return f'<td data-value="{sorts_by}"{kind}>{text}</td>'


def _label(series: Sequence[Series], run: ShownRun) -> str:
    label = series[run.series]
    mark = f'<span class="swatch" style="background:{label.colour}" aria-hidden="true"></span>'
    broken = "" if run.settings["complete"] == "yes" else " <small>(not complete)</small>"
    return f"{mark}{escape(label.label)}{broken}"


def _number(value: float, form: str) -> Cell:
    return value, f"{value:{form}}"


def _way(way: Way, axis: str) -> Cell:
    """Return the evaluations or time that trials needed to reach a regret."""
    share = "" if way.share == 1 else f" <small>({100 * way.share:.3g} %)</small>"
    if way.median is None:
        return None, f"–{share}"
    return way.median, f"{f'{way.median:,.6g}' if axis == 'evaluations' else duration(way.median)}{share}"


def _time(seconds: float | None) -> Cell:
    return _UNKNOWN if seconds is None else (seconds, duration(seconds))


def _spread(spread: Spread | None, digits: int) -> Cell:
    """Return mean ± standard deviation; a dash for None."""
    if spread is None or spread.mean is None:
        return _UNKNOWN
    return spread.mean, spread.with_std(f".{digits}f")
