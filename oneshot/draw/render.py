"""Figures of diagrams, and reproducible files of figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from nasbench.runs.files import make_parent, replacing
from oneshot.draw.dot import dot, has_dot
from oneshot.errors import ConfigError, GraphError, MissingDependencyError
from oneshot.layout.layered import own
from oneshot.layout.pack import packed
from oneshot.layout.placed import Box, Placed, Points, Sketch
from oneshot.layout.sketch import HEADING, LABEL, NAME, build_sketch, split_index
from oneshot.spaces.base import Diagram

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Layout = Literal["auto", "dot", "own"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
SUFFIXES = (".svg", ".png", ".pdf")
DPI = 300
_PIXELS = 2**16  # matplotlib's limit of pixels per side

_FAMILIES = {  # prefixes of operations; colours safe for colour-blind readers (Okabe & Ito 2008)
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
_SETTINGS: dict[Any, Any] = {  # override the user's; Any: matplotlib's types list all keys
    "svg.fonttype": "none",
    "svg.hashsalt": "oneshot",
    "pdf.fonttype": 42,
    "path.simplify": False,
    "path.sketch": None,
    "text.usetex": False,
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],  # matplotlib includes the first
    "savefig.bbox": "standard",
    "savefig.transparent": False,
    "savefig.facecolor": "auto",
}
_TITLE = 11.0  # points
_STRETCH = 1.05  # text is wider on screens, where letters start at integer pixels
_MARGIN, _BETWEEN, _UNDER = 6.0, Box(26.0, 20.0), 7.0  # points; _UNDER: below a title


class _Panel(NamedTuple):
    """A diagram with its layout."""

    diagram: Diagram
    sketch: Sketch
    placed: Placed
    size: Box  # including the title


def figure(diagrams: Sequence[Diagram], title: str | None = None, layout: Layout = "auto") -> "Figure":
    """Return a matplotlib Figure with one panel per diagram, sized for print.

    >>> from oneshot.spaces.base import Diagram
    >>> nodes = ((0, "in", "input"), (1, "out", "output"))
    >>> drawn = figure([Diagram("cell", nodes, ((0, 1, "skip_connect"),))], layout="own")
    >>> [text.get_text() for text in drawn.axes[0].texts]
    ['cell', 'in', 'out', 'skip_connect']

    Shapes have ids such as `panel-0-node-1`, `panel-0-edge-2` and `panel-0-name-2`, the box around the name
    of edge 2.

    Parameters
    ----------
    diagrams
        Diagrams to draw, at least one.
    title
        Heading of the figure.
    layout
        "dot" for Graphviz, "own" for a built-in layout, or "auto" for "dot" if it is installed and works.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; `save` writes it to a file.

    Raises
    ------
    ConfigError
        If the layout is unknown, or if there is no diagram.
    GraphError
        If a diagram has a cycle, or if `dot` fails.
    MissingDependencyError
        If matplotlib is not installed, or if `layout` is "dot" and Graphviz is not installed.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"unknown layout {layout!r}; the layouts are {', '.join(LAYOUTS)}")
    if not diagrams:
        raise ConfigError("a figure needs at least one diagram, got none")
    check()
    from matplotlib import rc_context

    with rc_context(_SETTINGS):
        return _figure(diagrams, title, layout)


def _figure(diagrams: Sequence[Diagram], title: str | None, layout: Layout) -> "Figure":
    from matplotlib.figure import Figure

    title = " ".join((title or "").split())
    panels = [_panel(diagram, layout) for diagram in diagrams]
    head = _extent(title, _TITLE, "bold") if title else Box(0.0, 0.0)
    corners, total = packed([panel.size for panel in panels], _BETWEEN, _STRETCH * head.width)
    over = _MARGIN + (head.height + 2 * _MARGIN if title else 0)
    width, height = total.width + 2 * _MARGIN, total.height + over + _MARGIN
    drawn = Figure(
        figsize=(width / 72, height / 72),
        facecolor="white",
        layout="none",  # type: ignore[arg-type]  # matplotlib's types lack it
    )
    if title:
        drawn.text(0.5, 1 - _MARGIN / height, title, **_text_style(_TITLE, weight="bold", va="top"))
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


def check() -> None:
    """Raise MissingDependencyError if matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingDependencyError("pictures need matplotlib: pip install matplotlib") from None


def save(drawn: "Figure", path: str | Path, dpi: int = DPI) -> None:
    """Write a figure to a .svg, .png or .pdf file atomically.

    Equal figures give equal bytes. Text in .svg and .pdf files remains text.

    Parameters
    ----------
    drawn
        Figure from `figure`.
    path
        File to write; its suffix selects the format.
    dpi
        Pixels per inch of a .png.

    Raises
    ------
    ConfigError
        If the suffix is unknown, or if a .png would have too many pixels.
    OSError
        If the file cannot be written.
    """
    from matplotlib import rc_context

    undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {}}
    suffix = checked_suffix(path)
    width, height = drawn.get_size_inches()
    if suffix == ".png" and max(width, height) * dpi >= _PIXELS:
        raise ConfigError(
            f"a .png must have fewer than {_PIXELS:,} pixels per side, got {width:.1f} x {height:.1f} inches"
            f" at {dpi} dpi; try a lower dpi, or .svg"
        )
    make_parent(path)
    with replacing(path) as temporary, rc_context(_SETTINGS):
        drawn.savefig(temporary, format=suffix[1:], dpi=dpi, metadata=undated[suffix])


def checked_suffix(path: str | Path) -> str:
    """Return the suffix of a picture's path; raise ConfigError if it is unknown."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigError(f"the name of a picture must end in {', '.join(SUFFIXES)}, got {str(path)!r}")
    return suffix


def get_colour(operation: str) -> str:
    """Return the colour of an operation's family."""
    if not operation:
        return _PLAIN
    return next((colour for name, colour in _FAMILIES.items() if operation.startswith(name)), _OTHER)


# From a diagram to a panel


def _panel(diagram: Diagram, layout: Layout) -> _Panel:
    sketch = build_sketch(diagram, _extent)
    placed = _laid_out(sketch, layout)
    head = _extent(diagram.title, HEADING, "bold") if diagram.title else Box(0.0, -_UNDER)
    size = Box(max(placed.size.width, _STRETCH * head.width), placed.size.height + _UNDER + head.height)
    return _Panel(diagram, sketch, placed, size)


def _laid_out(sketch: Sketch, layout: Layout) -> Placed:
    if layout == "dot" or (layout == "auto" and has_dot()):
        try:
            return dot(sketch)
        except GraphError:
            if layout == "dot":
                raise
    return own(sketch)


def _formula(label: str) -> tuple[str, bool]:
    """Return the text of a node's label, and whether it is a formula, such as c_{k-1}."""
    indexed = bool(split_index(label)[1])
    return (f"${label}$" if indexed else label), indexed


def _extent(text: str, size: float, weight: str = "normal", *, formula: bool = False) -> Box:
    """Return the size of a text in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=_FONT["family"], size=size, weight=weight)
    font.set_math_fontfamily(_FONT["math_fontfamily"])
    wide, high, _ = text_to_path.get_text_width_height_descent(text, font, ismath=formula)
    return Box(wide, high)


# From a panel to artists


def _text_style(size: float, formula: bool = False, **more: Any) -> dict[str, Any]:  # options of a text
    return {"fontsize": size, "color": _INK, "parse_math": formula, "ha": "center", **_FONT, **more}


def _draw(axes: "Axes", panel: _Panel, prefix: str) -> None:
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
    from matplotlib.path import Path as Curve

    diagram, sketch, placed, size = panel
    shift = np.array([(size.width - placed.size.width) / 2, 0.0])
    if diagram.title:
        heading = _text_style(HEADING, weight="bold", va="top")
        axes.text(size.width / 2, size.height, diagram.title, **heading)

    def draw_box(centre: Points, box: Box, gid: str, **style: Any) -> None:  # options of a patch
        x, y = centre - [box.width / 2, box.height / 2] + shift
        style |= {"boxstyle": "round,pad=0,rounding_size=3", "clip_on": False, "gid": f"{prefix}-{gid}"}
        axes.add_patch(FancyBboxPatch((x, y), *box, **style))

    def draw_text(centre: Points, label: tuple[str, bool], size: float, zorder: float) -> None:
        text, formula = label
        style = _text_style(size, formula=formula, va="center_baseline", zorder=zorder)
        x, y = centre + shift
        axes.text(x, y, text, **style)

    for n, (_, label, kind) in enumerate(diagram.nodes):
        style = {"fc": _FILLS[kind], "ec": _INK, "lw": 0.9, "zorder": 4}
        draw_box(placed.nodes[n], sketch.nodes[n], f"node-{n}", **style)
        draw_text(placed.nodes[n], _formula(label), LABEL, 5)
    for n, (_, _, label) in enumerate(diagram.edges):
        path, none, colour = placed.paths[n] + shift, label == "none", get_colour(label)
        head, dashes = ("-", ":") if none else ("-|>,head_length=0.42,head_width=0.2", "-")
        arrow = FancyArrowPatch(
            path=Curve(path, [Curve.MOVETO] + [Curve.CURVE4] * (len(path) - 1)),
            arrowstyle=head,
            mutation_scale=12,
            shrinkA=0,
            shrinkB=0.5,
            joinstyle="miter",
            capstyle="butt",
            clip_on=False,
            gid=f"{prefix}-edge-{n}",
            color=colour,
            lw=1.3,
            ls=dashes,
            zorder=2,
        )
        axes.add_patch(arrow)
        box = sketch.names[n]
        if box is not None:
            style = {"fc": "white", "ec": colour, "lw": 0.8, "ls": dashes, "zorder": 3}
            draw_box(placed.names[n], box, f"name-{n}", **style)
            draw_text(placed.names[n], (label, False), NAME, 3.5)
