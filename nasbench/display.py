"""HTML of results for notebooks: tables and texts in the colours of the surrounding page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from nasbench.pictured import Pictured
from nasbench.runs.text import entry_text
from nasbench.svg import Svg
from nasbench.text import entry_rows, format_hidden

_TABLE = "text-align:right;font-variant-numeric:tabular-nums"
_LEFT = ' style="text-align:left"'  # of a cell; notebooks align numbers and texts to the right


def block(*parts: str | Svg) -> str:
    """Return parts one below the other; empty ones are left out."""
    texts = [part if isinstance(part, str) else f"<div>{part.inline()}</div>" for part in parts]
    style = "max-width:100%;overflow-x:auto;overflow-wrap:break-word"
    return "\n".join([f'<div style="{style}">', *filter(None, texts), "</div>"])


def paragraphs(text: str) -> str:
    """Return a paragraph per line of a text; the first is bold."""
    first, *others = [escape(line) for line in text.splitlines() if line]
    return "\n".join([f"<p><b>{first}</b></p>", *(f"<p>{line}</p>" for line in others)])


def note(text: str) -> str:
    """Return a paragraph; empty for an empty text."""
    return f'<p style="overflow-wrap:anywhere">{escape(text)}</p>' if text else ""


def table(header: Sequence[str], rows: Sequence[Sequence[object]], caption: str = "") -> str:
    """Return a table with left-aligned texts and right-aligned numbers; empty if there are no rows.

    >>> print(table(("cell", "rank"), [("<a>", 12.5)]))
    <table style="text-align:right;font-variant-numeric:tabular-nums">
    <tr><th style="text-align:left">cell</th><th>rank</th></tr>
    <tr><td style="text-align:left">&lt;a&gt;</td><td>12.5</td></tr>
    </table>
    """
    if not rows:
        return ""
    head = "".join(
        f"<th{_LEFT if _is_text(value) else ''}>{escape(title)}</th>"
        for title, value in zip(header, rows[0], strict=True)
    )
    lines = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    title = f"<p><b>{escape(caption)}</b></p>\n" if caption else ""
    return f'{title}<table style="{_TABLE}">\n<tr>{head}</tr>\n{lines}\n</table>'


def labelled(rows: Iterable[tuple[str, object]]) -> str:
    """Return a table with a label and a text in each row; texts can break anywhere."""
    lines = "\n".join(
        f'<tr><th{_LEFT}>{escape(label)}</th><td style="text-align:left;overflow-wrap:anywhere">'
        f"{escape(str(text))}</td></tr>"
        for label, text in rows
    )
    return f"<table>\n{lines}\n</table>" if lines else ""


def draw_picture(value: object) -> Svg | str:
    """Return an architecture of any space as a picture; empty if its space has none."""
    return value.picture() if isinstance(value, Pictured) else ""


def entry_table(entry: Mapping[str, Mapping[str, float]], *, all: bool = False, how: str = "") -> str:
    """Return an entry of `Benchmark.entry` with one row per metric and one column per data set.

    Without `all`, hardware metrics are only counted; `how` is the option that shows them.
    """
    rows, hidden = entry_rows(entry, all=all)
    shown = [(label, *("-" if value is None else value for value in values)) for label, values in rows]
    caption = "Recorded for this cell (mean over seeds)"
    return table(("", *entry), shown, caption) + note(format_hidden(hidden, how))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != "-"


def _cell(value: object) -> str:
    return f"<td{_LEFT if _is_text(value) else ''}>{escape(entry_text(value))}</td>"
