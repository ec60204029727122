"""The page as HTML: what can be read without a script, and the data and the scripts for the rest."""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from html import escape
from importlib.resources import files
from string import Template

from blackbox.report import tables
from blackbox.report.data import Comparison, FrontSummary, IncumbentSummary, PageData, Series
from nasbench import __version__
from nasbench.runs.files import utc_now

GENERATOR = '<meta name="generator" content="nas-toolkit report">'  # a file with it may be overwritten
_SCRIPTS = ("elements", "numbers", "scale", "curves", "spread", "cells", "cloud", "page")
Table = Callable[[Comparison, Sequence[Series]], str]
_ONLY_DRAWN = ' class="only-drawn"'
_LONG = ' class="long"'


def page(data: PageData, title: str | None = None) -> str:
    """Return the report as the text of an HTML file.

    Whatever the strings of the data hold, they are text on the page, nothing else.
    """
    script = "\n".join(_asset(f"{name}.js") for name in _SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(f"\n{script}".encode()).digest()).decode()
    datasets = dict.fromkeys(comparison.dataset for comparison in data.comparisons)
    return Template(_asset("page.html")).substitute(
        title=escape(title or f"Architecture search on {', '.join(datasets)}"),
        digest=digest,
        style=_asset("style.css"),
        head=_head(data),
        body="\n".join(_section(number, each, data.series) for number, each in enumerate(data.comparisons)),
        foot=f"Made by nas-toolkit {escape(__version__)}, {utc_now()[:10]}.",
        data=_embedded(data),
        script=f"\n{script}",
    )


def _asset(name: str) -> str:
    return (files("blackbox.report") / "page" / name).read_text(encoding="utf-8")


def _embedded(data: PageData) -> str:
    """Return JSON that may stand in a script element: nothing in it can end the element or begin another."""
    text = json.dumps(data.to_json(), allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _head(data: PageData) -> str:
    """Return what the page is about in a sentence, and links to its parts."""
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
    """Return the parts that a comparison has: name, heading and table; None for those that a script draws."""
    incumbents = any(isinstance(run.summary, IncumbentSummary) for run in comparison.runs)
    fronts = any(isinstance(run.summary, FrontSummary) for run in comparison.runs)
    parts: tuple[tuple[str, str, Table | None, bool], ...] = (
        ("results", "Final results", tables.results, incumbents),
        ("pairs", "Differences between searches", tables.pairs, bool(comparison.pairs.tested)),
        ("fronts", "Pareto fronts that were found", tables.fronts, fronts),
        ("curves", "Regret over the search", None, incumbents),
        ("spread", "How trials ended", None, incumbents),
        ("cells", "Cells that were found", None, True),
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
{optimum.index}); regret is how far a search's incumbent is from it.</p>
<dl class="facts">{facts}</dl>
<details><summary>Settings of every run</summary>
{tables.settings(comparison, series)}
</details>
{body}
</section>"""
