"""The report as HTML: what can be read without a script, and the data for the rest."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from blackbox.report import tables
from blackbox.report.data import FrontSummary, IncumbentSummary
from nasbench.pages.document import Page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blackbox.report.data import Comparison, PageData, Series

KIND = "report"
_SCRIPTS = ("curves.js", "spread.js", "cells.js", "cloud.js", "page.js")
_PARTS = (  # of a comparison: name, heading, and whether it is there without a script
    ("results", "Final results", True),
    ("pairs", "Differences between searches", True),
    ("fronts", "Pareto fronts that were found", True),
    ("curves", "Regret over the search", False),
    ("spread", "How trials ended", False),
    ("cells", "Cells that were found", False),
    ("cloud", "Accuracy against cost", False),
)
_ONLY_DRAWN = ' class="only-drawn"'
_LONG = ' class="long"'
_TABLES = {"results": tables.results, "pairs": tables.pairs, "fronts": tables.fronts}


def page(data: PageData, title: str | None = None) -> str:
    """Return the report as the text of an HTML file.

    Whatever the strings of the data hold, they are text on the page, nothing else.
    """
    sections = (
        _section(number, comparison, data.series) for number, comparison in enumerate(data.comparisons)
    )
    return Page(
        kind=KIND,
        title=title or _title(data),
        head=_head(data),
        body="\n".join(sections),
        without_script="The pictures of this page are drawn by JavaScript, which is off; what was run and the"
        " tables are here all the same.",
        package="blackbox.report",
        scripts=_SCRIPTS,
        data=data.to_json(),
    ).html()


def _title(data: PageData) -> str:
    names = dict.fromkeys(comparison.dataset for comparison in data.comparisons)
    return f"Architecture search on {', '.join(names)}"


def _head(data: PageData) -> str:
    """Return what the page is about in a sentence, and links to its parts."""
    lines = []
    for number, comparison in enumerate(data.comparisons):
        links = "".join(
            f'<li{"" if always else _ONLY_DRAWN}><a href="#c{number}-{part}">{heading}</a></li>'
            for part, heading, always in _parts(comparison)
        )
        name = escape(comparison.name)
        lines.append(
            f'<nav aria-label="{name}"><ul><li><a href="#c{number}"><b>{name}</b></a></li>{links}</ul></nav>'
        )
    searches = ", ".join(series.label for series in data.series)
    return f"<p>{escape(searches)}</p>\n" + "\n".join(lines)


def _parts(comparison: Comparison) -> list[tuple[str, str, bool]]:
    """Return the parts that a comparison has: (name, heading, whether it is there without a script)."""
    incumbents = any(isinstance(run.summary, IncumbentSummary) for run in comparison.runs)
    has = {
        "results": incumbents,
        "pairs": bool(comparison.pairs.tested),
        "fronts": any(isinstance(run.summary, FrontSummary) for run in comparison.runs),
        "curves": incumbents,
        "spread": incumbents,
        "cells": True,
        "cloud": bool(comparison.costs),
    }
    return [part for part in _PARTS if has[part[0]]]


def _section(number: int, comparison: Comparison, series: Sequence[Series]) -> str:
    facts = "".join(
        f"<div{_LONG if len(text) > 30 else ''}><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>"
        for name, text in comparison.facts
    )
    optimum = comparison.optimum
    which = "the feasible" if comparison.restricted else "all"
    parts = "\n".join(_part(number, comparison, series, *part) for part in _parts(comparison))
    return f"""<section class="comparison" id="c{number}" aria-labelledby="c{number}-name">
<h2 id="c{number}-name">{escape(comparison.name)}</h2>
<p class="lead">The best of {which} cells has {optimum.value:.4f} {escape(comparison.unit)} (index
{optimum.index}); regret is how far a search's incumbent is from it.</p>
<dl class="facts">{facts}</dl>
<details><summary>Settings of every run</summary>
{tables.settings(comparison, series)}
</details>
{parts}
</section>"""


def _part(
    number: int, comparison: Comparison, series: Sequence[Series], part: str, heading: str, always: bool
) -> str:
    inside = _TABLES[part](comparison, series) if part in _TABLES else f'<div data-part="{part}"></div>'
    return f"""<section id="c{number}-{part}"{"" if always else _ONLY_DRAWN}>
<h3>{heading}</h3>
{inside}
</section>"""
