"""The page as HTML: what can be read without a script, and the data and the scripts for the rest."""

import base64
import hashlib
import json
from html import escape
from importlib.resources import files
from string import Template

from blackbox.report.gather import THRESHOLDS
from blackbox.summary import duration
from nasbench import __version__
from nasbench.files import utc_now
from nasbench.metrics import METRICS

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
    ("table", "Final results", True),
    ("curves", "Regret over the search", False),
    ("spread", "How trials ended", False),
    ("cells", "Cells that were found", False),
    ("cloud", "Accuracy against cost", False),
)
_ONLY_DRAWN = ' class="only-drawn"'
_LONG = ' class="long"'
_UNKNOWN = '<td data-value="">–</td>'


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
    return [part for part in _PARTS if part[0] != "cloud" or comparison["costs"]]


def _section(number, comparison, series):
    facts = "".join(
        f"<div{_LONG if len(text) > 30 else ''}><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>"
        for name, text in comparison["facts"]
    )
    optimum = comparison["optimum"]
    parts = "\n".join(_part(number, comparison, series, *part) for part in _parts(comparison))
    return f"""<section class="comparison" id="c{number}" aria-labelledby="c{number}-name">
<h2 id="c{number}-name">{escape(comparison["name"])}</h2>
<p class="lead">The best of all cells has {optimum["value"]:.4f} {escape(comparison["unit"])} (index
{optimum["index"]}); regret is how far a search's incumbent is from it.</p>
<dl class="facts">{facts}</dl>
{_runs(comparison, series)}
{parts}
</section>"""


def _part(number, comparison, series, part, heading, always):
    inside = _results(comparison, series) if part == "table" else f'<div data-part="{part}"></div>'
    return f"""<section id="c{number}-{part}"{"" if always else _ONLY_DRAWN}>
<h3>{heading}</h3>
{inside}
</section>"""


def _runs(comparison, series):
    """The settings of every run, as a table that unfolds."""
    names = list(comparison["runs"][0]["settings"])
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in ("search", *names))
    rows = "\n".join(
        f'<tr data-series="{run["series"]}"><th scope="row">{_label(series, run)}</th>'
        + "".join(f"<td>{escape(run['settings'][name])}</td>" for name in names)
        + "</tr>"
        for run in comparison["runs"]
    )
    return f"""<details><summary>Settings of every run</summary>
<div class="wide" tabindex="0" role="region" aria-label="Settings of every run"><table class="text">
<thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody></table></div></details>"""


def _label(series, run):
    label = series[run["series"]]
    mark = f'<span class="swatch" style="background:{label["colour"]}" aria-hidden="true"></span>'
    broken = "" if run["settings"]["complete"] == "yes" else " <small>(not complete)</small>"
    return f"{mark}{escape(label['label'])}{broken}"


def _results(comparison, series):
    """The final table: a row a run, sortable once the script runs."""
    unit, axis = comparison["unit"], comparison["axis"]
    metrics = list(dict.fromkeys(name for run in comparison["runs"] for name in run["summary"]["values"]))
    timed = any(run["summary"]["seconds"] is not None for run in comparison["runs"])
    counted = "evaluations" if axis == "evaluations" else "time"
    heads = [
        "search",
        "trials",
        "evaluations" if axis == "evaluations" else "evaluations or jobs",
        *(["simulated time"] if timed else []),
        *(f"{name} [{METRICS[name].unit}]" for name in metrics),
        f"regret [{unit}]",
        "median regret",
        "trials at the optimum",
        *(f"{counted} to {threshold:g} {unit}" for threshold in THRESHOLDS),
    ]
    rows = [run["summary"] for run in comparison["runs"]]
    best = min((row["regret"]["mean"] for row in rows if row["regret"]), default=None)
    body = "\n".join(
        f'<tr data-series="{run["series"]}"><th scope="row">{_label(series, run)}</th>'
        + _cells(run["summary"], metrics, axis, timed, best)
        + "</tr>"
        for run in comparison["runs"]
    )
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    return f"""<div class="wide" tabindex="0" role="region" aria-label="Final results">
<table class="sortable">
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody></table></div>
<p class="note">Mean ± standard deviation over the trials, of the incumbents that they ended with, by the
table's means over seeds. The way to a regret is the median over all trials, – where fewer than half came so
far; in brackets the share that did, if not all.</p>"""


def _cells(row, metrics, axis, timed, best):
    cells = [
        _number(row["trials"], f"{row['trials']:,}"),
        _number(row["evaluations"], f"{row['evaluations']:,.0f}"),
    ]
    if timed:
        cells.append(
            _UNKNOWN if row["seconds"] is None else _number(row["seconds"], duration(row["seconds"]))
        )
    for name in metrics:
        cells.append(_spread(row["values"].get(name), 2))
    cells.append(_spread(row["regret"], 4, best))
    if row["regret"] is None:
        cells += [_UNKNOWN] * 2
    else:
        cells.append(_number(row["regret"]["median"], f"{row['regret']['median']:.4f}"))
        cells.append(_number(row["optimum"], f"{100 * row['optimum']:.1f} %"))
    for reached in row["reached"].get(axis, [{"median": None, "share": 0.0}] * len(THRESHOLDS)):
        share = "" if reached["share"] == 1 else f" <small>({100 * reached['share']:.3g} %)</small>"
        if reached["median"] is None:
            cells.append(f'<td data-value="">–{share}</td>')
        else:
            text = f"{reached['median']:,.0f}" if axis == "evaluations" else duration(reached["median"])
            cells.append(_number(reached["median"], text + share))
    return "".join(cells)


def _number(value, text, kind=""):
    return f'<td data-value="{value!r}"{kind}>{text}</td>'


def _spread(row, digits, best=None):
    if row is None:
        return _UNKNOWN
    spread = "" if row["std"] is None else f" ± {row['std']:.{digits}f}"
    return _number(
        row["mean"], f"{row['mean']:.{digits}f}{spread}", ' class="best"' if row["mean"] == best else ""
    )
