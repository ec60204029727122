"""Text output: tables, labelled rows, counts, durations."""

from collections.abc import Iterable, Sequence

_LABEL = 15  # width of a label
_UNITS = ((86_400, "days"), (3_600, "hours"), (60, "minutes"))


def format_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table; text is left-aligned, numbers are right-aligned.

    >>> print(format_table(("cell", "rank"), [("a", 1), ("b", 12.5)]))
    cell  rank
    a        1
    b     12.5
    """
    cells = [[entry_text(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    numeric = [all(isinstance(value, (int, float)) for value in column) for column in zip(*rows, strict=True)]
    numeric = numeric or [False] * len(header)
    lines = []
    for line in [header, *cells]:
        padded = (
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        )
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def entry_text(value: object) -> str:
    """Return an entry of a table as text."""
    return f"{value:.7g}" if isinstance(value, float) else str(value)


def format_rows(rows: Iterable[tuple[str, object]]) -> str:
    """Return one line per row, with labels and texts in two columns.

    >>> print(format_rows([("index", 6111), ("best cell", "none")]))
    index           6111
    best cell       none
    """
    return "\n".join(f"{label:<{_LABEL}} {text}" for label, text in rows)


def join_blocks(*blocks: str) -> str:
    """Return the non-empty texts, separated by empty lines."""
    return "\n\n".join(filter(None, blocks))


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, singular or plural.

    >>> counted(1, "epoch"), counted(2000, "epoch")
    ('1 epoch', '2,000 epochs')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"


def duration(seconds: float) -> str:
    """Return seconds as text, in the largest unit with a value of at least 2.

    >>> [duration(seconds) for seconds in (0.123, 1, 119, 120, 86_400)]
    ['0.12 seconds', '1 second', '119 seconds', '2.0 minutes', '24.0 hours']
    """
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    number = f"{seconds:.2g}" if seconds < 10 else f"{seconds:,.0f}"
    return f"{number} second{'' if number == '1' else 's'}"
