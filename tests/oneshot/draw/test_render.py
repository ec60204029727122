import io
import sys
import xml.etree.ElementTree as ElementTree

import matplotlib as mpl
import pytest
from PIL import Image

from oneshot.draw.render import check, checked_suffix, figure, get_colour, save
from oneshot.errors import ConfigError, GraphError, MissingDependencyError
from oneshot.spaces.base import Diagram
from oneshot.spaces.genotype import OPERATIONS, PRIMITIVES
from oneshot.spaces.published import LIU2018, PUBLISHED
from tests.oneshot.draw.drawings import ENDS, PARALLEL, Seen, drawn_at_random, published

ONE = Diagram("one", ENDS, ((0, 1, "sep_conv_3x3"),))


@pytest.mark.parametrize("name", PUBLISHED)
def test_nothing_overlaps_in_published_ones(name):
    diagrams = published()[name]
    seen = Seen(figure(diagrams, name, layout="own"))
    assert seen.overlaps() == []
    assert seen.outside() == []
    assert len(seen.boxes) == sum(len(d.nodes) + sum(bool(edge[2]) for edge in d.edges) for d in diagrams)
    assert len(seen.arrows) == sum(len(d.edges) for d in diagrams)


@pytest.mark.slow
def test_nothing_overlaps_in_any():
    for number, diagrams in enumerate(drawn_at_random(36, seed=0)):
        seen = Seen(figure(diagrams, layout="own"))
        assert (number, seen.overlaps(), seen.outside()) == (number, [], [])


def test_the_measure_of_overlaps_sees_them():
    drawn = figure([ONE], layout="own")
    name, node = (p for p in drawn.axes[0].patches if p.get_gid() in ("panel-0-name-0", "panel-0-node-0"))
    for patch in (name, node):
        patch.set_x(0)
    assert Seen(drawn).overlaps() != []


def test_what_is_drawn():
    drawn = figure([PARALLEL, ONE], "both", layout="own")
    assert [text.get_text() for text in drawn.texts] == ["both"]
    first, second = drawn.axes
    assert [text.get_text() for text in first.texts] == [
        "parallel",
        "$c_{k-1}$",
        "0",
        "1",
        "$c_{k}$",
        *("sep_conv_3x3", "skip_connect", "max_pool_3x3", "none"),
    ]
    assert [text.get_text() for text in second.texts] == ["one", "in", "out", "sep_conv_3x3"]
    arrows = {patch.get_gid(): patch for patch in first.patches}
    assert arrows["panel-0-edge-3"].get_linestyle() == ":"
    assert arrows["panel-0-edge-2"].get_linestyle() == "-"
    same = {patch.get_gid(): patch for patch in second.patches}["panel-1-edge-0"]
    assert arrows["panel-0-edge-0"].get_edgecolor() == same.get_edgecolor()


def test_parallel_edges_are_apart():
    arrows = Seen(figure([PARALLEL], layout="own")).arrows
    for one, other in ((0, 1), (2, 3), (4, 5)):
        heights = [
            sorted(point[1] for point in arrows[f"panel-0-edge-{n}"].get_path().vertices)
            for n in (one, other)
        ]
        assert max(abs(a - b) for a, b in zip(*heights, strict=False)) > 5


def test_a_size_in_print():
    for name, diagrams in published().items():
        width, height = figure(diagrams, layout="own").get_size_inches()
        assert (name, width < 7.7, height < 9) == (name, True, True)


def test_operations_of_a_family_have_a_colour_and_others_another():
    assert get_colour("sep_conv_3x3") == get_colour("sep_conv_5x5") != get_colour("dil_conv_3x3")
    families = {name.rsplit("_", 1)[0] for name in (*OPERATIONS, *PRIMITIVES) if "x" in name} | {
        "skip_connect"
    }
    assert len({get_colour(name) for name in families}) == len(families) - 1  # pools share one
    assert get_colour("something") == "#000000"
    assert get_colour("") not in {get_colour(name) for name in OPERATIONS}


def test_a_title_of_any_kind(tmp_path):
    for title in ("$x", "$\\frac$ 5 %", "a\n b", "<&>", "long " * 40):
        drawn = figure([ONE], title, layout="own")
        assert Seen(drawn).outside() == []
        save(drawn, tmp_path / "a.svg")
        assert " ".join(title.split()) in "".join(ElementTree.parse(tmp_path / "a.svg").getroot().itertext())


def test_without_headings():
    drawn = figure([ONE._replace(title="")], layout="own")
    assert [text.get_text() for text in drawn.axes[0].texts] == ["in", "out", "sep_conv_3x3"]
    assert Seen(drawn).overlaps() == []


# Files


def test_a_png_has_its_size(tmp_path):
    drawn = figure([ONE], layout="own")
    save(drawn, tmp_path / "a.PNG", dpi=100)
    with Image.open(tmp_path / "a.PNG") as image:
        assert image.format == "PNG"
        assert image.size == tuple(int(100 * inches) for inches in drawn.get_size_inches())
        assert len(image.convert("RGB").getcolors(1 << 20)) > 10


def test_an_svg_has_text_as_text_and_ids(tmp_path):
    save(figure(LIU2018.diagrams(), "the title", layout="own"), tmp_path / "a.svg")
    root = ElementTree.parse(tmp_path / "a.svg").getroot()
    texts = ["".join(element.itertext()).strip() for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for diagram in LIU2018.diagrams():
        wanted = [diagram.title, *(edge[2] for edge in diagram.edges), *(node[1] for node in diagram.nodes)]
        assert set(wanted) <= set(texts)
    assert "the title" in texts
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(set(ids)) == len(ids)
    assert {"panel-0-node-0", "panel-1-edge-5", "panel-2-name-0"} <= set(ids)


def test_a_pdf_has_its_fonts(tmp_path):
    save(figure(published()["DARTS_V2"], layout="own"), tmp_path / "a.pdf")
    data = (tmp_path / "a.pdf").read_bytes()
    assert data.startswith(b"%PDF-1.")
    assert b"%%EOF" in data[-10:]
    assert b"/Subtype /CIDFontType2" in data
    assert b"/Type3" not in data


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png"])
def test_the_same_input_gives_the_same_file(tmp_path, suffix):
    usual, odd = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    save(figure(published()["DARTS_V1"], "title", layout="own"), usual)
    with mpl.rc_context(
        {"savefig.bbox": "tight", "svg.fonttype": "path", "font.size": 20, "lines.linewidth": 9}
    ):
        save(figure(published()["DARTS_V1"], "title", layout="own"), odd)
    assert usual.read_bytes() == odd.read_bytes()


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.svg"
    path.write_text("before")
    drawn = figure([ONE], layout="own")

    def fails(file, **_):
        file.write_text("a part")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(drawn, "savefig", fails)
        with pytest.raises(OSError, match="No space left"):
            save(drawn, path)
    assert [each.name for each in tmp_path.iterdir()] == ["a.svg"]
    assert path.read_text() == "before"
    save(drawn, path)
    assert path.read_text().startswith("<?xml")


def test_a_figure_can_be_saved_as_any_other():
    data = io.BytesIO()
    figure([ONE], layout="own").savefig(data, format="png", dpi=50)
    assert data.getvalue().startswith(b"\x89PNG")


# Errors


@pytest.mark.parametrize(
    ("nodes", "edges", "message"),
    [
        ((), (), "diagram 'x' has no nodes"),
        ((*ENDS, (0, "again", "node")), (), r"diagram 'x' has two nodes with the same id: \[0, 1, 0\]"),
        (((0, "in", "Input"),), (), "diagram 'x': kinds of nodes are input, node, output; got Input"),
        (ENDS, ((0, 7, "a"),), "diagram 'x': edge 0-7 has a node that does not exist"),
        (ENDS, ((0, 1, "a"), (1, 0, "b")), "diagram 'x' has a cycle"),
    ],
)
def test_diagrams_that_are_none(nodes, edges, message):
    with pytest.raises(GraphError, match=message):
        figure([Diagram("x", nodes, edges)])


def test_other_errors(tmp_path):
    with pytest.raises(ConfigError, match="unknown layout 'neato'; the layouts are auto, dot, own"):
        figure([ONE], layout="neato")
    with pytest.raises(ConfigError, match="at least one diagram, got none"):
        figure([])
    for path in ("a.jpg", "a", "svg", tmp_path / ".png"):
        with pytest.raises(ConfigError, match=r"must end in \.svg, \.png, \.pdf, got '"):
            checked_suffix(path)
    with pytest.raises(
        ConfigError, match=r"fewer than 65,536 pixels per side, got .* inches at 99999 dpi; try"
    ):
        save(figure([ONE], layout="own"), tmp_path / "a.png", dpi=99_999)
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_there_is_a_hint(monkeypatch):
    check()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match="pip install matplotlib"):
        figure([ONE])
