"""Diagrams as a figure, and the figure as a file that is the same each time."""

import re
from pathlib import Path
from typing import NamedTuple

from nasbench.runs.files import make_folder_of, replacing
from oneshot.draw.dot import dot, there_is_dot
from oneshot.draw.layout import own
from oneshot.draw.pack import packed
from oneshot.draw.placed import PORTS, Box, Placed, Sketch
from oneshot.errors import ConfigError, GraphError, MissingDependencyError
from oneshot.spaces.base import Diagram

LAYOUTS = ("auto", "dot", "own")
SUFFIXES = (".svg", ".png", ".pdf")
DPI = 300
_PIXELS = 2**16  # a side of what matplotlib paints

_FAMILIES = {  # beginnings of operations' names; colours that all eyes tell apart (Okabe & Ito 2008)
    "none": "#999999",
    "skip_connect": "#0072B2",
    "max_pool": "#009E73",
    "avg_pool": "#009E73",
    "sep_conv": "#D55E00",
    "dil_conv": "#E69F00",
    "depthwise_conv": "#56B4E9",
    "nor_conv": "#CC79A7",
    "conv": "#CC79A7",
    "motif": "#444444",
}
_OTHER, _PLAIN = "#000000", "#777777"
_FILLS = {"input": "#E3E9EF", "node": "#FFFFFF", "output": "#E3E9EF"}
_INK = "#222222"
_FONT = {"family": "sans-serif", "math_fontfamily": "dejavusans"}
_SETTINGS = {  # whatever the user's own are
    "svg.fonttype": "none",
    "svg.hashsalt": "oneshot",
    "pdf.fonttype": 42,
    "path.simplify": False,
    "path.sketch": None,
    "text.usetex": False,
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],  # the first comes with matplotlib
    "savefig.bbox": "standard",
    "savefig.transparent": False,
    "savefig.facecolor": "auto",
}
_NAME, _LABEL, _HEADING, _TITLE = 8.0, 9.0, 9.5, 11.0  # points
_STRETCH = 1.05  # of text on a screen, where letters begin at whole pixels
_NODE = Box(21.0, 21.0)  # the least
_PAD = Box(3.5, 2.2)  # around a text in its box
_MARGIN, _BETWEEN, _UNDER = 6.0, Box(26.0, 20.0), 7.0  # points; the last: under a heading


class _Panel(NamedTuple):
    diagram: Diagram
    sketch: Sketch
    placed: Placed
    size: Box  # with the heading


def figure(diagrams, title=None, layout="auto"):
    """A matplotlib Figure with a panel a diagram, at the size that it is to be printed at.

    >>> from oneshot.spaces.base import Diagram
    >>> nodes = ((0, "in", "input"), (1, "out", "output"))
    >>> drawn = figure([Diagram("cell", nodes, ((0, 1, "skip_connect"),))], layout="own")
    >>> [text.get_text() for text in drawn.axes[0].texts]
    ['cell', 'in', 'out', 'skip_connect']

    `layout`: "dot" for that of Graphviz, "own", or "auto", which is "dot" where that is installed and works.
    Shapes have ids: `panel-0-node-1`, `panel-0-edge-2` and `panel-0-name-2`, the box around the name of edge
    2. ConfigError for an unknown layout or no diagrams, GraphError for a diagram that goes round in a circle,
    or that `dot` fails at, MissingDependencyError without matplotlib, or a `dot` that is asked for.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"unknown layout {layout!r}; there are {', '.join(LAYOUTS)}")
    if not diagrams:
        raise ConfigError("a figure is of one diagram or more, got none")
    check()
    from matplotlib import rc_context

    with rc_context(_SETTINGS):
        return _figure(diagrams, title, layout)


def _figure(diagrams, title, layout):
    from matplotlib.figure import Figure

    title = " ".join((title or "").split())
    panels = [_panel(diagram, layout) for diagram in diagrams]
    head = _extent(title, _TITLE, "bold") if title else Box(0.0, 0.0)
    corners, whole = packed([panel.size for panel in panels], _BETWEEN, _STRETCH * head.width)
    over = _MARGIN + (head.height + 2 * _MARGIN if title else 0)
    width, height = whole.width + 2 * _MARGIN, whole.height + over + _MARGIN
    drawn = Figure(figsize=(width / 72, height / 72), facecolor="white", layout="none")
    if title:
        place = {"parse_math": False, "x": 0.5, "y": 1 - _MARGIN / height, "ha": "center", "va": "top"}
        drawn.text(s=title, fontsize=_TITLE, weight="bold", color=_INK, **place, **_FONT)
    for number, ((left, top), panel) in enumerate(zip(corners, panels, strict=True)):
        x, y = _MARGIN + left, height - over - top - panel.size.height
        axes = drawn.add_axes(
            (x / width, y / height, panel.size.width / width, panel.size.height / height),
            xlim=(0, panel.size.width),
            ylim=(0, panel.size.height),
        )
        axes.set_axis_off()
        _draw(axes, panel, f"panel-{number}")
    return drawn


def check():
    """MissingDependencyError unless pictures can be drawn."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingDependencyError("pictures need matplotlib: pip install matplotlib") from None


def save(drawn, path, dpi=DPI):
    """Write a Figure as .svg, .png or .pdf, whole or not at all; the same figure is the same bytes.

    Text stays text. `dpi`: of a .png. ConfigError for another ending, or a .png with too many pixels; OSError
    for a path that takes no file.
    """
    from matplotlib import rc_context

    undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {}}
    suffix = checked_suffix(path)
    width, height = drawn.get_size_inches()
    if suffix == ".png" and max(width, height) * dpi >= _PIXELS:
        raise ConfigError(
            f"a .png has less than {_PIXELS:,} pixels a side, got {width:.1f} x {height:.1f} inches at {dpi}"
            " dpi; take a lower dpi, or .svg"
        )
    make_folder_of(path)
    with replacing(path) as temporary, rc_context(_SETTINGS):
        drawn.savefig(temporary, format=suffix[1:], dpi=dpi, metadata=undated[suffix])


def checked_suffix(path):
    """The ending of a picture's path; ConfigError if there are no such pictures."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigError(f"a picture's name ends in {', '.join(SUFFIXES)}, got {str(path)!r}")
    return suffix


def colour_of(operation):
    """The colour of an operation's family."""
    if not operation:
        return _PLAIN
    return next((colour for name, colour in _FAMILIES.items() if operation.startswith(name)), _OTHER)


# From a diagram to a panel


def _panel(diagram, layout):
    sketch = _sketch(diagram)
    placed = _laid_out(sketch, layout)
    head = _extent(diagram.title, _HEADING, "bold") if diagram.title else Box(0.0, -_UNDER)
    size = Box(max(placed.size.width, _STRETCH * head.width), placed.size.height + _UNDER + head.height)
    return _Panel(diagram, sketch, placed, size)


def _laid_out(sketch, layout):
    if layout == "dot":
        return dot(sketch)
    if layout == "auto" and there_is_dot():
        try:
            return dot(sketch)
        except GraphError:
            pass
    return own(sketch)


def _sketch(diagram):
    """A Diagram as boxes; GraphError if it is no graph that goes one way."""
    if not diagram.nodes:
        raise GraphError(f"diagram {diagram.title!r} has no nodes")
    numbers = {node: number for number, (node, _, _) in enumerate(diagram.nodes)}
    if len(numbers) < len(diagram.nodes):
        raise GraphError(
            f"diagram {diagram.title!r} has two nodes of one id: {[n[0] for n in diagram.nodes]}"
        )
    for source, target, _ in diagram.edges:
        if source not in numbers or target not in numbers:
            raise GraphError(
                f"diagram {diagram.title!r}: edge {source}-{target} has a node that is not there"
            )
    if unknown := {kind for *_, kind in diagram.nodes} - set(_FILLS):
        raise GraphError(
            f"diagram {diagram.title!r}: a node is {', '.join(_FILLS)}; got {', '.join(sorted(unknown))}"
        )
    edges = [(numbers[source], numbers[target]) for source, target, _ in diagram.edges]
    _check_acyclic(diagram, edges)
    nodes = []
    for number, (_, label, _) in enumerate(diagram.nodes):
        ends = max(sum(edge[side] == number for edge in edges) for side in (0, 1))
        written, formula = _formula(label)
        text = _extent(written, _LABEL, formula=formula)
        width = max(_NODE.width, text.width + 2 * _PAD.width + 2)
        nodes.append(Box(width, max(_NODE.height, PORTS * (ends - 1) + 9)))
    names = [_name_box(label) for *_, label in diagram.edges]
    return Sketch(nodes, names, edges)


def _check_acyclic(diagram, edges):
    import networkx

    if not networkx.is_directed_acyclic_graph(networkx.DiGraph(edges)):
        raise GraphError(
            f"diagram {diagram.title!r} goes round in a circle; it is to go from inputs to outputs"
        )


def _name_box(label):
    if not label:
        return None
    text = _extent(label, _NAME)
    return Box(text.width + 2 * _PAD.width, _NAME * 1.1 + 2 * _PAD.height)


def _formula(label):
    """How a node's label is set, and whether as a formula, as one with an index is, such as c_{k-1}."""
    indexed = re.fullmatch(r"\w_\{[\w+-]+\}", label) is not None
    return (f"${label}$" if indexed else label), indexed


def _extent(text, size, weight="normal", formula=False):
    """The Box of a text in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=_FONT["family"], size=size, weight=weight)
    font.set_math_fontfamily(_FONT["math_fontfamily"])
    wide, high, _ = text_to_path.get_text_width_height_descent(text, font, ismath=formula)
    return Box(wide, high)


# From a panel to artists


def _draw(axes, panel, prefix):
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
    from matplotlib.path import Path as Curve

    diagram, sketch, placed, size = panel
    shift = (size.width - placed.size.width) / 2, 0.0
    if diagram.title:
        place = {"parse_math": False, "x": size.width / 2, "y": size.height, "ha": "center", "va": "top"}
        axes.text(s=diagram.title, fontsize=_HEADING, weight="bold", color=_INK, **place, **_FONT)

    def box(centre, size, radius, gid, **style):
        corner = centre - [size.width / 2, size.height / 2] + shift
        shape = f"round,pad=0,rounding_size={radius}"
        axes.add_patch(
            FancyBboxPatch(corner, *size, boxstyle=shape, clip_on=False, gid=f"{prefix}-{gid}", **style)
        )

    def text(centre, written, formula, size, zorder):
        x, y = centre + shift
        place = {"parse_math": formula, "ha": "center", "va": "center_baseline", "zorder": zorder}
        axes.text(x, y, written, fontsize=size, color=_INK, **place, **_FONT)

    for n, (_, label, kind) in enumerate(diagram.nodes):
        box(placed.nodes[n], sketch.nodes[n], 3, f"node-{n}", fc=_FILLS[kind], ec=_INK, lw=0.9, zorder=4)
        text(placed.nodes[n], *_formula(label), _LABEL, 5)
    for n, (_, _, label) in enumerate(diagram.edges):
        path, none = placed.paths[n] + shift, label == "none"
        arrow = FancyArrowPatch(
            path=Curve(path, [Curve.MOVETO] + [Curve.CURVE4] * (len(path) - 1)),
            arrowstyle="-" if none else "-|>,head_length=0.42,head_width=0.2",
            mutation_scale=12,
            shrinkA=0,
            shrinkB=0.5,
            color=colour_of(label),
            lw=1.3,
            ls=":" if none else "-",
            joinstyle="miter",
            capstyle="butt",
            zorder=2,
            clip_on=False,
            gid=f"{prefix}-edge-{n}",
        )
        axes.add_patch(arrow)
        if label:
            style = {"fc": "white", "ec": colour_of(label), "lw": 0.8, "ls": ":" if none else "-"}
            box(placed.names[n], sketch.names[n], 3, f"name-{n}", zorder=3, **style)
            text(placed.names[n], label, False, _NAME, 3.5)
