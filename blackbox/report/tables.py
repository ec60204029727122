"""The page's tables as HTML, which can be read, and printed, without a script."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from blackbox.compare.text import p_text
from blackbox.report.data import FrontSummary, IncumbentSummary
from blackbox.results.statistics import LEVEL
from blackbox.table.signal import Signal
from nasbench.runs.text import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from blackbox.report.data import Comparison, Pairs, Series, ShownPair, ShownRun
    from blackbox.results.regret import Spread

T = TypeVar("T")
Cell = tuple[Any, str]  # a value to sort by, None if it is not known, and its HTML
_MANY = 15  # pairs, of six searches: more are folded up


class Column(NamedTuple, Generic[T]):
    """A column of a table: its head, and its cell for each row."""

    head: str
    cell: Callable[[T], Cell]
    least_is_best: bool = False  # the least value is printed bold


class Row(NamedTuple, Generic[T]):
    """A row of a table: its name as HTML, the series that it is shown for, and what the columns read."""

    name: str
    series: tuple[int, ...]
    content: T


def results(comparison: Comparison, series: Sequence[Series]) -> str:
    """Return the final table: a row for each run whose trials have incumbents."""
    rows = [
        Row(_label(series, run), (run.series,), run.summary)
        for run in comparison.runs
        if isinstance(run.summary, IncumbentSummary)
    ]
    unit, axis = comparison.unit, comparison.axis
    done = "evaluations" if axis == "evaluations" else "evaluations or jobs"
    metrics = dict.fromkeys(name for row in rows for name in row.content.values)
    columns: list[Column[IncumbentSummary]] = [
        Column("trials", lambda run: _number(run.trials, ",")),
        Column(done, lambda run: _number(run.evaluations, ",.0f")),
    ]
    if any(row.content.seconds is not None for row in rows):
        columns.append(Column("simulated time", lambda run: _time(run.seconds)))
    columns += [
        *map(_value, metrics),
        Column(f"regret [{unit}]", lambda run: _spread(run.regret, 4), least_is_best=True),
        Column("median regret", lambda run: _median(run.regret)),
        Column("trials at optimum", lambda run: (run.optimum, f"{100 * run.optimum:.1f} %")),
        *(_way(n, threshold, unit, axis) for n, threshold in enumerate(comparison.thresholds)),
    ]
    way = (
        " The way to a regret is the median over all trials, by Kaplan and Meier's estimate where some ended"
        " early, – where it is not known, as too few came so far; in brackets the share that did, if not all."
    )
    return f"""{_table("Final results", columns, rows)}
<p class="note">Mean ± standard deviation over the trials, of the incumbents that they ended with, by the
table's means over seeds.{way if comparison.thresholds else ""}</p>"""


def pairs(comparison: Comparison, series: Sequence[Series]) -> str:
    """Return a row for each pair of runs that a comparison would take, with what the tests say."""
    runs, tests = comparison.runs, comparison.pairs.tested
    columns: list[Column[ShownPair]] = [
        Column("p", lambda pair: (pair.tested.p_holm, escape(p_text(pair.tested.p_holm)))),
        Column("better–worse–equal", _tally),
        Column("rank-biserial", lambda pair: _number(pair.tested.pair.rank_biserial, ".2f")),
        Column("A12", lambda pair: _number(pair.tested.pair.a12, ".2f")),
    ]
    many = "the one pair" if len(tests) == 1 else f"all {len(tests):,} pairs"
    told = sum(map(_told_apart, tests))
    table = _table(
        "Differences between searches",
        columns,
        [_pair_row(pair, runs, series) for pair in tests],
        "sortable pairs",
        "pair",
    )
    if len(tests) > _MANY:
        table = (
            f"<details><summary>{told:,} of {len(tests):,} pairs are told apart</summary>{table}</details>"
        )
    return f"""{table}
<p class="note">By the regrets that the same trials ended with: Wilcoxon signed-rank test, p after Holm's
correction for {many}; told apart at p ≤ {1 - LEVEL:.2g}. In how many trials the first was better, worse,
and as good. Rank-biserial correlation: 1 where it was better in every trial that tells. A12: how probably
a trial of it is better than any of the other.{_pairs_note(comparison.pairs, runs, series)}</p>"""


def _pairs_note(found: Pairs, runs: Sequence[ShownRun], series: Sequence[Series]) -> str:
    """Return what is to be said of pairs by number alone and of runs in no pair."""
    by_number = "" if found.same_seed else " Of different seeds, trials are paired by their number alone."
    left = ", ".join(series[runs[place].series].label for place in found.left)
    if left:
        left = (
            f" Not tested: {escape(left)}; not complete, of one trial, without an incumbent, ended by jobs,"
            " or with no other of the same trials, limits, signal and noise."
        )
    return by_number + left


def fronts(comparison: Comparison, series: Sequence[Series]) -> str:
    """Return the table of the runs with two objectives, whose trials have Pareto fronts."""
    rows = [
        Row(_label(series, run), (run.series,), run.summary)
        for run in comparison.runs
        if isinstance(run.summary, FrontSummary)
    ]
    columns: list[Column[FrontSummary]] = [
        Column("against", lambda run: (run.against, escape(run.against))),
        Column("trials", lambda run: _number(run.trials, ",")),
        Column("evaluations", lambda run: _number(run.evaluations, ",.0f")),
        Column("hypervolume [% of the true front's]", lambda run: _spread(run.worth, 2)),
        Column("cells on its front", lambda run: _spread(run.cells, 1)),
        Column("of them on the true front", lambda run: _spread(run.met, 1)),
        Column("cells on the true front", lambda run: _number(run.true, ",")),
    ]
    return f"""{_table("Pareto fronts that were found", columns, rows)}
<p class="note">Mean ± standard deviation over the trials. A trial's front is that of the scores which it saw;
what it is worth is by the table's means over seeds, as far as the worst of the feasible cells in each
metric.</p>"""


def settings(comparison: Comparison, series: Sequence[Series]) -> str:
    """Return what the folder of every run says of it."""

    def column(name: str) -> Column[ShownRun]:
        return Column(name, lambda run: (run.settings[name], escape(run.settings[name])))

    rows = [Row(_label(series, run), (run.series,), run) for run in comparison.runs]
    names = comparison.runs[0].settings
    return _table("Settings of every run", list(map(column, names)), rows, kind="text")


def _table(
    title: str,
    columns: Sequence[Column[T]],
    rows: Sequence[Row[T]],
    kind: str = "sortable",
    first: str = "search",
) -> str:
    """Return a table; `first`: the head of the column of names."""
    cells = [[column.cell(row.content) for column in columns] for row in rows]
    best = [
        min((each[n][0] for each in cells if each[n][0] is not None), default=None)
        if column.least_is_best
        else None
        for n, column in enumerate(columns)
    ]
    lines = []
    for row, each in zip(rows, cells, strict=True):
        text = "".join(
            _cell(*cell, bold=b is not None and cell[0] == b) for cell, b in zip(each, best, strict=True)
        )
        shown = " ".join(map(str, row.series))
        lines.append(f'<tr data-series="{shown}"><th scope="row">{row.name}</th>{text}</tr>')
    heads: Iterable[str] = (first, *(column.head for column in columns))
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "\n".join(lines)
    return f"""<div class="wide" tabindex="0" role="region" aria-label="{escape(title)}">
<table class="{kind}">
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody></table></div>"""


def _pair_row(pair: ShownPair, runs: Sequence[ShownRun], series: Sequence[Series]) -> Row[ShownPair]:
    first, second = (runs[place] for place in pair.runs)
    told, kind = ("better than", "ahead") if _told_apart(pair) else ("not told apart from", "level")
    name = (
        f'<b class="{kind}">{_label(series, first)}</b> <small>{told}</small>'
        f" <span>{_label(series, second)}</span>"
    )
    return Row(name, (first.series, second.series), pair)


def _told_apart(pair: ShownPair) -> bool:
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


def _tally(pair: ShownPair) -> Cell:
    counts = pair.tested.pair
    return counts.better, f"{counts.better:,}–{counts.worse:,}–{counts.equal:,}"


def _value(metric: str) -> Column[IncumbentSummary]:
    """Return the column of a metric of the incumbents."""
    unit = Signal.parse(metric).unit
    digits = 2 if unit == "%" else 4
    return Column(f"{metric} [{unit}]", lambda run: _spread(run.values.get(metric), digits))


def _way(number: int, threshold: float, unit: str, axis: str) -> Column[IncumbentSummary]:
    """Return the column of the way to a regret."""

    def cell(run: IncumbentSummary) -> Cell:
        reached = run.reached.get(axis)
        if reached is None:
            return None, "–"
        median, share = reached[number].median, reached[number].share
        came = "" if share == 1 else f" <small>({100 * share:.3g} %)</small>"
        if median is None:
            return None, f"–{came}"
        return median, f"{f'{median:,.6g}' if axis == 'evaluations' else duration(median)}{came}"

    return Column(f"{'evaluations' if axis == 'evaluations' else 'time'} to {threshold:g}\u00a0{unit}", cell)


def _time(seconds: float | None) -> Cell:
    return (None, "–") if seconds is None else (seconds, duration(seconds))


def _spread(spread: Spread | None, digits: int) -> Cell:
    """Return mean ± standard deviation; None: nothing is known."""
    if spread is None or spread.mean is None:
        return None, "–"
    std = "" if spread.std is None else f" ± {spread.std:.{digits}f}"
    return spread.mean, f"{spread.mean:.{digits}f}{std}"


def _median(spread: Spread | None) -> Cell:
    """Return the median; of one trial its value."""
    median = None if spread is None else spread.middle
    return (None, "–") if median is None else (median, f"{median:.4f}")
