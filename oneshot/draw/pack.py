"""Panels in rows, so that they stay as large as they can on a page."""

from oneshot.draw.placed import Box

PAGE = Box(7.0 * 72, 9.5 * 72)  # what a page leaves, points


def packed(sizes, between, least=0.0):
    """Where panels go: ([(left, top)], the Box around them), points from the upper left corner.

    `sizes`: of each panel its Box, in order; `between`: panels; `least`: the width of the whole.
    """
    found = {}
    for first in range(len(sizes)):
        for last in range(first + 1, len(sizes) + 1):
            width = sum(size.width for size in sizes[first:last]) + (last - first - 1) * between.width
            rows = _broken(sizes, between, max(width, *(size.width for size in sizes), 0))
            found[tuple(map(len, rows))] = rows
    return min((_placed(rows, between, least) for rows in found.values()), key=lambda each: _cost(each[1]))


def _cost(whole):
    scale = min(1, PAGE.width / whole.width, PAGE.height / whole.height)
    return -round(scale, 3), whole.width * whole.height


def _broken(sizes, between, width):
    """Rows that are no wider, each a list of Boxes."""
    rows, room = [], 0.0
    for size in sizes:
        if size.width + between.width > room + 1e-6 and rows or not rows:
            rows.append([])
            room = width + between.width
        rows[-1].append(size)
        room -= size.width + between.width
    return rows


def _placed(rows, between, least):
    columns = {}  # of rows with so many panels, each column's width
    for row in rows:
        widths = columns.setdefault(len(row), [0.0] * len(row))
        columns[len(row)] = [max(width, size.width) for width, size in zip(widths, row, strict=True)]
    spans = {count: sum(widths) + (count - 1) * between.width for count, widths in columns.items()}
    whole = max(least, *spans.values())
    corners, top = [], 0.0
    for row in rows:
        left, high = (whole - spans[len(row)]) / 2, max(size.height for size in row)
        for size, width in zip(row, columns[len(row)], strict=True):
            corners.append((left + (width - size.width) / 2, top + (high - size.height) / 2))
            left += width + between.width
        top += high + between.height
    return corners, Box(whole, top - between.height)
