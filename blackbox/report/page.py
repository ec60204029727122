"""The page as HTML: what can be read without a script, and the data and the scripts for the rest."""

import base64
import hashlib
import json
from html import escape
from importlib.resources import files
from string import Template

from blackbox.report import tables
from nasbench import __version__
from nasbench.runs.files import utc_now

GENERATOR = '<meta name="generator" content="nas-toolkit report">'  # a file with it may be overwritten
_SCRIPTS = (
    "elements.js",
    "numbers.js",
    "scale.js",
    "curves.js",
    "spread.js",
    "cells.js",
    "cloud.js",
    "page.js",
)
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


def page(data, title=None):
    """The report as the text of an HTML file.

    `data`: of `blackbox.report.gather`. Whatever its strings hold, they are text on the page, nothing else.
    """
    script = "\n".join(_asset(name) for name in _SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(f"\n{script}".encode()).digest()).decode()
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src 'sha256-{digest}'",
            "style-src 'unsafe-inline'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    return Template(_asset("page.html")).substitute(
        title=escape(title or _title(data)),
        policy=policy,
        style=_asset("style.css"),
        head=_head(data),
        body="\n".join(
            _section(number, comparison, data["series"])
            for number, comparison in enumerate(data["comparisons"])
        ),
        foot=f"Made by nas-toolkit {escape(__version__)}, {utc_now()[:10]}.",
        data=_embedded(data),
        script=f"\n{script}",
    )


def _asset(name):
    return (files("blackbox.report") / "page" / name).read_text(encoding="utf-8")


def _embedded(data):
    """JSON that may stand in a script element: nothing in it can end the element or begin another."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _title(data):
    names = list(dict.fromkeys(comparison["dataset"] for comparison in data["comparisons"]))
    return f"Architecture search on {', '.join(names)}"


def _head(data):
    """What the page is about in a sentence, and links to its parts."""
    lines = []
    for number, comparison in enumerate(data["comparisons"]):
        links = "".join(
            f'<li{"" if always else _ONLY_DRAWN}><a href="#c{number}-{part}">{heading}</a></li>'
            for part, heading, always in _parts(comparison)
        )
        name = escape(comparison["name"])
        lines.append(
            f'<nav aria-label="{name}"><ul><li><a href="#c{number}"><b>{name}</b></a></li>{links}</ul></nav>'
        )
    searches = ", ".join(series["label"] for series in data["series"])
    return f"<p>{escape(searches)}</p>\n" + "\n".join(lines)


def _parts(comparison):
    """The parts that a comparison has: (name, heading, whether it is there without a script)."""
    runs = comparison["runs"]
    incumbents = any("regret" in run["summary"] for run in runs)
    has = {
        "results": incumbents,
        "pairs": bool(comparison["pairs"]["tested"]),
        "fronts": any("worth" in run["summary"] for run in runs),
        "curves": incumbents,
        "spread": incumbents,
        "cells": True,
        "cloud": bool(comparison["costs"]),
    }
    return [part for part in _PARTS if has[part[0]]]


def _section(number, comparison, series):
    facts = "".join(
        f"<div{_LONG if len(text) > 30 else ''}><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>"
        for name, text in comparison["facts"]
    )
    optimum = comparison["optimum"]
    which = "the feasible" if comparison["restricted"] else "all"
    parts = "\n".join(_part(number, comparison, series, *part) for part in _parts(comparison))
    return f"""<section class="comparison" id="c{number}" aria-labelledby="c{number}-name">
<h2 id="c{number}-name">{escape(comparison["name"])}</h2>
<p class="lead">The best of {which} cells has {optimum["value"]:.4f} {escape(comparison["unit"])} (index
{optimum["index"]}); regret is how far a search's incumbent is from it.</p>
<dl class="facts">{facts}</dl>
<details><summary>Settings of every run</summary>
{tables.settings(comparison, series)}
</details>
{parts}
</section>"""


def _part(number, comparison, series, part, heading, always):
    inside = _TABLES[part](comparison, series) if part in _TABLES else f'<div data-part="{part}"></div>'
    return f"""<section id="c{number}-{part}"{"" if always else _ONLY_DRAWN}>
<h3>{heading}</h3>
{inside}
</section>"""
