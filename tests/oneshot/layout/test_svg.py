"""Genotypes and hierarchies as pictures, without matplotlib."""

import re
import subprocess
import sys

import pytest

from nasbench.svg import get_colour
from oneshot.spaces.genotype import Hierarchy
from oneshot.spaces.published import PUBLISHED
from tests.notebook import SVG, svg_of, texts_of

NAMES = sorted(PUBLISHED)


@pytest.mark.parametrize("name", NAMES)
def test_every_operation_and_node_is_drawn(name):
    architecture = PUBLISHED[name]
    tree = svg_of(architecture)
    diagrams = architecture.diagrams()
    texts = texts_of(tree)
    for diagram in diagrams:
        assert diagram.title in texts
    edges = [label for diagram in diagrams for *_, label in diagram.edges]
    names = [text.text for text in tree.iter(f"{SVG}text") if text.get("fill") == "#fff"]
    assert names == list(filter(None, edges))
    paths = [path for path in tree.iter(f"{SVG}path") if path.get("stroke")]
    assert [path.get("stroke") for path in paths] == [
        get_colour(label) if label else "currentColor" for label in edges
    ]
    assert tree.find(f"{SVG}title").text == str(architecture)


@pytest.mark.parametrize("name", NAMES)
def test_everything_is_in_the_picture_and_small(name):
    architecture = PUBLISHED[name]
    tree = svg_of(architecture)
    _, _, width, height = map(float, tree.get("viewBox").split())
    for box in tree.iter(f"{SVG}rect"):
        x, y, w, h = (float(box.get(side)) for side in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height
    assert len(architecture._repr_html_()) < 6_000 * len(architecture.diagrams())


def test_none_is_dotted_and_an_index_is_lowered():
    tree = svg_of(Hierarchy.from_text("Hierarchy(motifs=[['none', 'conv_1x1', 'none']], cell=[0])"))
    dashes = [path.get("stroke-dasharray") for path in tree.iter(f"{SVG}path") if path.get("stroke")]
    assert dashes == [None, "2 4", None, "2 4"]
    tree = svg_of(PUBLISHED["DARTS_V2"])
    assert re.search("k-2", " ".join(each.text for each in tree.iter(f"{SVG}tspan")))


def test_neither_torch_nor_matplotlib_is_loaded():
    code = (
        "from oneshot.spaces.published import DARTS_V2; import sys; DARTS_V2._repr_html_();"
        "print(sorted({'torch', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
