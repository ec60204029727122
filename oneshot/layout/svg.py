"""Diagrams as SVG, for notebooks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nasbench.svg import INK, Svg, get_colour
from oneshot.layout.layered import own
from oneshot.layout.pack import packed
from oneshot.layout.placed import Box, Placed, Points
from oneshot.layout.sketch import NAME, build_sketch, split_index

if TYPE_CHECKING:
    from oneshot.spaces.base import Diagram

_SCALE = 1.3  # pixels per point of the layout
_LETTER = 0.62  # width of a letter per font size, in most fonts of browsers
_HEAD, _MARGIN, _BETWEEN = 18.0, 4.0, Box(26.0, 16.0)  # points


def draw_diagrams(diagrams: Sequence["Diagram"], title: str) -> Svg:
    """Return a picture with one panel per diagram."""
    panels = [(diagram, build_sketch(diagram, _extent)) for diagram in diagrams]
    placed = [own(sketch) for _, sketch in panels]
    sizes = [Box(each.size.width, each.size.height + _HEAD) for each in placed]
    corners, total = packed(sizes, _BETWEEN)
    width, height = (round(_SCALE * (length + 2 * _MARGIN)) for length in total)
    picture = Svg(width, height, title)
    for (diagram, sketch), layout, corner in zip(panels, placed, corners, strict=True):
        _draw(picture, diagram, layout, sketch.nodes, Box(*corner))
    return picture


def _draw(picture: Svg, diagram: "Diagram", layout: Placed, nodes: Sequence[Box], corner: Box) -> None:
    """Draw a diagram with its upper left corner at `corner`."""

    def pixel(point: Points) -> tuple[float, float]:
        x, y = float(point[0]), layout.size.height - float(point[1])
        return _SCALE * (_MARGIN + corner.width + x), _SCALE * (_MARGIN + corner.height + _HEAD + y)

    head = _SCALE * (_MARGIN + corner.width + layout.size.width / 2), _SCALE * (_MARGIN + corner.height + 5)
    picture.write(*head, diagram.title, font_weight="bold")
    for path, (_, _, label) in zip(layout.paths, diagram.edges, strict=True):
        dashes = {"stroke_dasharray": "2 4"} if label == "none" else {}
        picture.arrow([pixel(point) for point in path], get_colour(label) if label else INK, **dashes)
    for centre, (_, _, label) in zip(layout.names, diagram.edges, strict=True):
        if label:
            picture.label(*pixel(centre), label, _SCALE * (_extent(label, NAME).width + 7), get_colour(label))
    for centre, box, (_, label, kind) in zip(layout.nodes, nodes, diagram.nodes, strict=True):
        (x, y), (width, height) = pixel(centre), (_SCALE * length for length in box)
        look = {"fill": "none", "stroke": INK, "stroke_width": 2 if kind != "node" else 1.2, "rx": 4}
        picture.add("rect", x=x - width / 2, y=y - height / 2, width=width, height=height, **look)
        picture.write(x, y, *split_index(label))


def _extent(text: str, size: float, *, formula: bool = False) -> Box:
    """Return the approximate size of a text in a browser."""
    return Box(_LETTER * size * len(text.strip("${}") if formula else text), size)
