"""Packing of panels in rows, so that a page shows them as large as possible."""

from collections.abc import Sequence

from oneshot.layout.placed import Box

PAGE = Box(7.0 * 72, 9.5 * 72)  # printable size of a page in points
Row = list[Box]


def packed(sizes: Sequence[Box], between: Box, minimum: float = 0.0) -> tuple[list[tuple[float, float]], Box]:
    """Return (left, top) of each panel, in points from the upper left corner, and the Box around them.

    Parameters
    ----------
    sizes
        Size of each panel, in order.
    between
        Gaps between panels.
    minimum
        Minimum total width in points.
    """
    packings: dict[tuple[int, ...], list[Row]] = {}
    for first in range(len(sizes)):
        for last in range(first + 1, len(sizes) + 1):
            width = sum(size.width for size in sizes[first:last]) + (last - first - 1) * between.width
            rows = _broken(sizes, between, max(width, *(size.width for size in sizes), 0))
            packings[tuple(map(len, rows))] = rows
    placed = (_placed(rows, between, minimum) for rows in packings.values())
    return min(placed, key=lambda each: _cost(each[1]))


def _cost(total: Box) -> tuple[float, float]:
    scale = min(1, PAGE.width / total.width, PAGE.height / total.height)
    return -round(scale, 3), total.width * total.height


def _broken(sizes: Sequence[Box], between: Box, width: float) -> list[Row]:
    """Return rows of at most this width."""
    rows: list[Row] = []
    room = 0.0
    for size in sizes:
        if size.width + between.width > room + 1e-6 and rows or not rows:
            rows.append([])
            room = width + between.width
        rows[-1].append(size)
        room -= size.width + between.width
    return rows


def _placed(rows: Sequence[Row], between: Box, minimum: float) -> tuple[list[tuple[float, float]], Box]:
    columns: dict[int, list[float]] = {}  # column widths of rows with N panels
    for row in rows:
        widths = columns.setdefault(len(row), [0.0] * len(row))
        columns[len(row)] = [max(width, size.width) for width, size in zip(widths, row, strict=True)]
    spans = {count: sum(widths) + (count - 1) * between.width for count, widths in columns.items()}
    total = max(minimum, *spans.values())
    corners: list[tuple[float, float]] = []
    top = 0.0
    for row in rows:
        left, high = (total - spans[len(row)]) / 2, max(size.height for size in row)
        for size, width in zip(row, columns[len(row)], strict=True):
            corners.append((left + (width - size.width) / 2, top + (high - size.height) / 2))
            left += width + between.width
        top += high + between.height
    return corners, Box(total, top - between.height)
