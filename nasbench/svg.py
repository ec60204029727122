"""SVG pictures: a small writer, and drawings of cells."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

Point = tuple[float, float]

INK = "currentColor"  # the colour of the text around a picture
_GREY = "#757575"  # replaces it in a standalone file; readable on white and on black
_FAMILIES = {  # by prefix of an operation's name; readable under white text and on black
    "none": "#757575",
    "skip_connect": "#0072B2",
    "max_pool": "#008060",
    "avg_pool": "#008060",
    "nor_conv_1x1": "#9A6A00",
    "nor_conv_3x3": "#C25400",
    "sep_conv": "#C25400",
    "dil_conv": "#9A6A00",
    "depthwise_conv": "#0A7F8C",
    "conv": "#A8517F",
}
_SHORT = {"skip_connect": "skip", "nor_conv_1x1": "1×1", "nor_conv_3x3": "3×3", "avg_pool_3x3": "pool"}
_HEAD = 7.0  # pixels, the length of an arrow's head


class Svg:
    """A picture to which elements are added one by one.

    >>> picture = Svg(20, 10, "a & b")
    >>> picture.add("circle", cx=5, cy=5, r=4.50, stroke_width=2)
    >>> picture.inline().splitlines()[1:-1]
    ['<title>a &amp; b</title>', '<circle cx="5" cy="5" r="4.5" stroke-width="2"/>']

    Parameters
    ----------
    width, height
        Size in pixels.
    title
        Alternative text of the picture, also shown as a tooltip.
    """

    def __init__(self, width: float, height: float, title: str) -> None:
        self.width, self.height = width, height
        self._lines = [f"<title>{escape(title)}</title>"]

    def add(self, tag: str, text: str = "", hint: str = "", inner: str = "", /, **attributes: object) -> None:
        """Add an element; `_` in the name of an attribute is written as `-`.

        `hint` is shown as a tooltip; `inner` is markup after the text.
        """
        given = " ".join([tag, *(f'{k.replace("_", "-")}="{_value(v)}"' for k, v in attributes.items())])
        inside = (f"<title>{escape(hint)}</title>" if hint else "") + escape(text) + inner
        self._lines.append(f"<{given}>{inside}</{tag}>" if inside else f"<{given}/>")

    def write(self, x: float, y: float, text: str, index: str = "", /, **attributes: object) -> None:
        """Add a text, optionally with a lowered index, centred at a point."""
        lowered = f'<tspan dy="3" font-size="75%">{escape(index)}</tspan>' if index else ""
        self.add("text", text, "", lowered, x=x, y=y + 3.8, **attributes)

    def label(self, x: float, y: float, text: str, width: float, colour: str, hint: str = "") -> None:
        """Add a white text on a coloured box, centred at a point."""
        box = {"x": x - width / 2, "y": y - 8, "width": width, "height": 16}
        self.add("rect", "", hint, rx=8, fill=colour, **box)
        self.write(x, y, text, fill="#fff")

    def arrow(self, points: Sequence[Point], colour: str = INK, /, **attributes: object) -> None:
        """Add an arrow along a Bézier curve of 3 n + 1 points."""
        (x, y), (tip_x, tip_y) = points[-2:]
        far = math.hypot(tip_x - x, tip_y - y) or 1.0
        ahead_x, ahead_y = _HEAD * (tip_x - x) / far, _HEAD * (tip_y - y) / far
        neck = (tip_x - 0.6 * ahead_x, tip_y - 0.6 * ahead_y)
        look = {"fill": "none", "stroke": colour, "stroke_width": 1.8} | attributes
        self.add("path", d=_curve([*points[:-1], neck]), **look)
        wing = _pair(-ahead_x - 0.45 * ahead_y, 0.45 * ahead_x - ahead_y)
        head = f"M{_pair(tip_x, tip_y)}l{wing} {_pair(0.9 * ahead_y, -0.9 * ahead_x)}z"
        self.add("path", d=head, fill=colour, **attributes)

    def inline(self) -> str:
        """Return the picture as an element that inherits the text colour of its page."""
        return self._markup()

    def alone(self) -> str:
        """Return the picture as a standalone file, with lines that are visible on white and on black."""
        return self._markup(f' color="{_GREY}"')

    def _markup(self, more: str = "") -> str:
        width, height = _value(self.width), _value(self.height)
        size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        text = f'fill="{INK}" font-family="system-ui,sans-serif" font-size="11" text-anchor="middle"'
        style = f'style="max-width:100%;height:auto" {text}{more}'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" {style}>'
        return "\n".join([head, *self._lines, "</svg>"])


def get_colour(operation: str) -> str:
    """Return the colour of an operation's family."""
    return next((colour for name, colour in _FAMILIES.items() if operation.startswith(name)), _GREY)


def draw_topology(title: str, index: int, edges: Iterable[Point], ops: Iterable[str]) -> Svg:
    """Draw a cell of NAS-Bench-201: nodes in a row, straight edges between neighbours, arcs for the others.

    Edges with `none` are left out; edges that carry nothing from the input to the output are dashed.
    """
    left, apart, middle, radius = 16.0, 76.0, 76.0, 11.0
    picture = Svg(260, 126, title)
    _write_index(picture, index)
    placed = {(int(source), int(target)): op for (source, target), op in zip(edges, ops, strict=True)}
    placed = {edge: op for edge, op in placed.items() if op != "none"}
    live = _live_edges(placed)
    labels = []
    for (source, target), op in placed.items():
        begin, end = left + apart * source, left + apart * target
        rise = {1: 0, 2: -34 if source else 34, 3: 62}[target - source]
        if rise:
            side, top = math.copysign(9, rise), middle - 1.3 * rise
            begin_y, end_y = middle - side, middle - side - math.copysign(1, rise)
            points = [(begin + 6, begin_y), (begin + 22, top), (end - 23, top), (end - 7, end_y)]
            y = middle - 0.25 * side - 0.975 * rise
        else:
            first, last = begin + radius, end - radius - 1
            points = [(first, middle), (first + 1, middle), (last - 1, middle), (last, middle)]
            y = middle
        colour, dead = get_colour(op), (source, target) not in live
        picture.arrow(points, colour, **({"stroke_dasharray": "3 3", "opacity": 0.5} if dead else {}))
        labels.append(((begin + end) / 2, y, _SHORT[op], colour, f"{op}, {source} to {target}"))
    for node in range(4):
        x = left + apart * node
        picture.add("circle", cx=x, cy=middle, r=radius, fill="none", stroke=INK, stroke_width=1.3)
        picture.write(x, middle, str(node))
    for x, y, text, colour, hint in labels:
        picture.label(x, y, text, 8 + 6.4 * len(text), colour, hint)
    return picture


def _live_edges(edges: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return the edges on a path from the input, node 0, to the output, node 3."""
    edges = sorted(edges)
    fed, used = {0}, {3}
    for source, target in edges:
        fed |= {target} if source in fed else set()
    for source, target in reversed(edges):
        used |= {source} if target in used else set()
    return {(source, target) for source, target in edges if source in fed and target in used}


def draw_widths(title: str, index: int, widths: Sequence[int]) -> Svg:
    """Draw a network of the size space: a bar per layer, as high as the layer is wide."""
    picture = Svg(260, 138, title)
    _write_index(picture, index)
    for n, width in enumerate(widths):
        height, x = 1.375 * width, 18 + 47 * n
        picture.add(
            "rect", x=x, y=122 - height, width=36, height=height, rx=3, fill=_FAMILIES["skip_connect"]
        )
        picture.write(x + 18, 115 - height, str(width))
        picture.write(x + 18, 130, f"layer {n + 1}")
    return picture


def _write_index(picture: Svg, index: int) -> None:
    picture.write(2, 7, f"index {index}", text_anchor="start")


def _curve(points: Sequence[Point]) -> str:
    """Return a Bézier curve of 3 n + 1 points as the data of a path; level pieces are lines."""
    (x, y), *others = [(round(x, 1), round(y, 1)) for x, y in points]
    pieces = [f"M{_pair(x, y)}"]
    for a, b, end in zip(others[::3], others[1::3], others[2::3], strict=True):
        if a[1] == b[1] == end[1] == y:
            if pieces[-1].startswith("H"):
                pieces.pop()
            pieces.append(f"H{_value(end[0])}")
        else:
            pieces.append("C" + " ".join(_pair(*point) for point in (a, b, end)))
        y = end[1]
    return "".join(pieces)


def _pair(x: float, y: float) -> str:
    return f"{_value(x)} {_value(y)}"


def _value(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else escape(str(value))
