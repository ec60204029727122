"""The report as HTML: the parts that need no script, and the data for the others."""

from collections.abc import Callable, Sequence
from html import escape

from blackbox.report import tables
from blackbox.report.data import Comparison, FrontSummary, IncumbentSummary, PageData, Series
from nasbench.pages.document import Page

KIND = "report"
Table = Callable[[Comparison, Sequence[Series]], str]
_ONLY_DRAWN = ' class="only-drawn"'
_LONG = ' class="long"'


def page(data: PageData, title: str | None = None) -> str:
    """Return the report as the text of an HTML file.

    All strings of the data are escaped.
    """
    datasets = dict.fromkeys(comparison.dataset for comparison in data.comparisons)
    return Page(
        kind=KIND,
        title=title or f"Architecture search on {', '.join(datasets)}",
        head=_head(data),
        body="\n".join(_section(number, each, data.series) for number, each in enumerate(data.comparisons)),
        without_script="The plots of this page need JavaScript, which is disabled; the settings and tables"
        " are shown without it.",
        package="blackbox.report",
        scripts=("curves", "spread", "cells", "cloud", "page"),
        data=data.to_json(),
    ).html()


def _head(data: PageData) -> str:
    """Return the names of the searches, and links to the parts of the page."""
    lines = []
    for number, comparison in enumerate(data.comparisons):
        links = "".join(
            f'<li{_ONLY_DRAWN if table is None else ""}><a href="#c{number}-{part}">{heading}</a></li>'
            for part, heading, table in _parts(comparison)
        )
        name = escape(comparison.name)
        lines.append(
            f'<nav aria-label="{name}"><ul><li><a href="#c{number}"><b>{name}</b></a></li>{links}</ul></nav>'
        )
    searches = ", ".join(series.label for series in data.series)
    return f"<p>{escape(searches)}</p>\n" + "\n".join(lines)


def _parts(comparison: Comparison) -> list[tuple[str, str, Table | None]]:
    """Return the parts of a comparison: name, heading and table, which is None if a script draws the part."""
    incumbents = any(isinstance(run.summary, IncumbentSummary) for run in comparison.runs)
    fronts = any(isinstance(run.summary, FrontSummary) for run in comparison.runs)
    parts: tuple[tuple[str, str, Table | None, bool], ...] = (
        ("results", "Final results", tables.results, incumbents),
        ("pairs", "Differences between searches", tables.pairs, bool(comparison.pairs.tested)),
        ("fronts", "Pareto fronts", tables.fronts, fronts),
        ("curves", "Regret during the search", None, incumbents),
        ("spread", "Final regret of the trials", None, incumbents),
        ("cells", "Final cells", None, True),
        ("cloud", "Accuracy against cost", None, bool(comparison.costs)),
    )
    return [part[:3] for part in parts if part[3]]


def _section(number: int, comparison: Comparison, series: Sequence[Series]) -> str:
    facts = "".join(
        f"<div{_LONG if len(text) > 30 else ''}><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>"
        for name, text in comparison.facts
    )
    optimum = comparison.optimum
    which = "the feasible" if comparison.restricted else "all"
    parts = []
    for part, title, table in _parts(comparison):
        inside = f'<div data-part="{part}"></div>' if table is None else table(comparison, series)
        parts.append(f"""<section id="c{number}-{part}"{_ONLY_DRAWN if table is None else ""}>
<h3>{title}</h3>
{inside}
</section>""")
    body = "\n".join(parts)
    return f"""<section class="comparison" id="c{number}" aria-labelledby="c{number}-name">
<h2 id="c{number}-name">{escape(comparison.name)}</h2>
<p class="lead">The best of {which} cells has {optimum.value:.4f} {escape(comparison.unit)} (index
{optimum.index}). The regret of a search is the distance of its incumbent from this value.</p>
<dl class="facts">{facts}</dl>
<details><summary>Settings of all runs</summary>
{tables.settings(comparison, series)}
</details>
{body}
</section>"""
