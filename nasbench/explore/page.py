"""The page of a table: metrics, their descriptions, and provenance."""

from html import escape
from typing import Any

from nasbench.benchmark import Benchmark
from nasbench.explore.columns import Columns
from nasbench.pages.document import Page
from nasbench.pages.pack import wholes

KIND = "explorer page"
_SCRIPTS = ("table", "state", "colours", "raster", "plot", "filters", "cards", "explorer")
_HEADS = ("metric", "meaning", "epochs", "value", "source")
_FACTS = ("source", "source_version", "created", "licence", "citation", "checksum")  # attributes of a store


def page(bench: Benchmark, columns: Columns, title: str | None = None) -> str:
    """Return the page of a table as the text of an HTML file."""
    space = bench.space
    return Page(
        kind=KIND,
        title=title or f"{space.name} explorer",
        head=f"<p>{escape(space.summary)}</p>",
        body='<div id="explorer"></div>\n' + _about(bench, columns),
        without_script="This page needs JavaScript, which is disabled. In a terminal, `python -m nasbench"
        " top` lists the best cells.",
        package="nasbench.explore",
        scripts=_SCRIPTS,
        data=data(bench, columns),
    ).html()


def data(bench: Benchmark, columns: Columns) -> dict[str, Any]:
    """Return the data for the scripts; cells are ordered by code."""
    return {
        "space": bench.space.flag,
        "index": wholes(bench.space.official_index()),
        "columns": [column.to_json() for column in columns.shown],
        "start": [columns.shown.index(column) for column in columns.start()],
    }


def _about(bench: Benchmark, columns: Columns) -> str:
    """Return the descriptions of the metrics and the provenance, as a collapsed section."""
    attributes = bench.store.attributes
    facts = [(name.replace("_", " "), str(attributes[name])) for name in _FACTS if name in attributes]
    rows = "".join(
        f"<tr><th scope='row'>{escape(column.dataset)} {escape(column.label)}</th>"
        f"<td>{escape(column.meaning)}</td><td>{_epochs(column.protocol)}</td>"
        f"<td>{escape(column.origin)}</td><td>{escape(column.source)}</td></tr>\n"
        for column in columns.shown
    )
    left = f"<p>{escape(left_text(columns))}.</p>\n" if columns.left else ""
    return f"""<section class="about">
{left}<details><summary>The table and its {len(columns.shown)} metrics</summary>
<dl class="facts">{"".join(f"<div><dt>{escape(n)}</dt><dd>{escape(t)}</dd></div>" for n, t in facts)}</dl>
<div class="wide"><table><thead><tr>{"".join(f"<th>{head}</th>" for head in _HEADS)}</tr></thead><tbody>
{rows}</tbody></table></div>
</details>
</section>"""


def _epochs(protocol: int | None) -> str:
    return "–" if protocol is None else str(protocol)


def left_text(columns: Columns) -> str:
    """Return the metrics that do not fit on the page, and how to select them."""
    shown, left = len(columns.shown), columns.left
    return (
        f"the page has room for {shown} of {shown + len(left)} metrics; left out: {', '.join(left)};"
        " use --dataset and --metrics to select others"
    )
