"""Cells as pictures."""

import re
from xml.etree import ElementTree

import pytest

from nasbench import Cell, SizeCell
from nasbench.cell import OPERATIONS
from nasbench.svg import Svg, get_colour
from tests.notebook import SVG, svg_of, texts_of

PARTLY = "|nor_conv_3x3~0|+|none~0|none~1|+|avg_pool_3x3~0|skip_connect~1|nor_conv_1x1~2|"


def edges_of(tree):
    return [path for path in tree.iter(f"{SVG}path") if path.get("stroke")]


def test_a_cell_has_its_operations_and_its_names():
    cell = Cell.from_index(6111)
    tree = svg_of(cell)
    assert tree.find(f"{SVG}title").text == str(cell)
    assert texts_of(tree)[:5] == ["index 6111", "0", "1", "2", "3"]
    assert texts_of(tree)[5:] == ["3×3", "3×3", "3×3", "skip", "3×3", "1×1"]
    hints = [title.text for title in tree.iter(f"{SVG}title")][1:]
    assert hints[3:5] == ["skip_connect, 0 to 3", "nor_conv_3x3, 1 to 3"]
    assert [edge.get("stroke") for edge in edges_of(tree)] == [get_colour(op) for op in cell.ops]


def test_edges_of_none_are_left_out_and_those_that_carry_nothing_are_dashed():
    edges = edges_of(svg_of(Cell.from_string(PARTLY)))
    assert [edge.get("stroke-dasharray") for edge in edges] == [None, None, None, "3 3"]
    assert texts_of(svg_of(Cell(0))) == ["index " + str(Cell(0).index), "0", "1", "2", "3"]


@pytest.mark.parametrize("code", range(0, 15625, 997))
def test_an_edge_is_dashed_unless_the_canonical_form_depends_on_it(code):
    cell = Cell(code)
    edges = iter(edges_of(svg_of(cell)))
    for number, op in enumerate(cell.ops):
        if op != "none":
            without = Cell.from_ops("none" if n == number else each for n, each in enumerate(cell.ops))
            carries = without.canonical_form != cell.canonical_form
            assert (next(edges).get("stroke-dasharray") is None) == carries
    assert not list(edges)


def test_arrows_stay_in_the_picture_and_end_at_their_heads():
    for code in range(0, 15625, 1201):
        tree = svg_of(Cell(code))
        _, _, width, height = map(float, tree.get("viewBox").split())
        for path in edges_of(tree):
            *_, x, y = map(float, re.findall(r"-?[\d.]+", path.get("d"))) if "C" in path.get("d") else (0, 0)
            assert 0 <= x <= width
            assert 0 <= y <= height


def test_a_network_of_the_size_space_has_a_bar_per_layer():
    cell = SizeCell.from_string("8:64:16:32:40")
    tree = svg_of(cell)
    bars = [float(bar.get("height")) for bar in tree.iter(f"{SVG}rect")]
    assert bars == [11, 88, 22, 44, 55]
    assert texts_of(tree)[1::2] == ["8", "64", "16", "32", "40"]
    assert tree.find(f"{SVG}title").text == "8:64:16:32:40"


def test_pictures_are_small_and_narrow_enough_for_a_phone():
    cell = Cell.from_ops(["nor_conv_3x3"] * 6)
    assert len(cell._repr_html_()) < 3_000
    assert len(SizeCell(0)._repr_html_()) < 1_500
    assert float(svg_of(cell).get("width")) < 320
    assert "max-width:100%" in cell._repr_html_()


def test_texts_and_attributes_are_escaped():
    picture = Svg(10, 10, "<a> & b")
    picture.write(1, 2, "<x>", "&", font_family='"quoted"')
    picture.add("rect", "", "<hint>", x=0)
    tree = ElementTree.fromstring(picture.inline())
    assert [element.text for element in tree.iter()][1:] == ["<a> & b", "<x>", "&", None, "<hint>"]
    assert tree.find(f"{SVG}text").get("font-family") == '"quoted"'


def luminance(colour):
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(
    "operation", [*OPERATIONS, "sep_conv_3x3", "dil_conv_5x5", "depthwise_conv_3x3", "conv_1x1", "motif 1"]
)
def test_white_is_readable_on_the_colours_and_these_on_black(operation):
    value = luminance(get_colour(operation))
    assert 1.05 / (value + 0.05) >= 4.5  # WCAG 2.1, 1.4.3, of text
    assert (value + 0.05) / (luminance("#111111") + 0.05) >= 3  # 1.4.11, of graphics
