"""Checks of objects that notebooks display."""

import re
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"


def html_of(value):
    """Return the HTML of an object as a tree; check that it is well formed, small and fits any background."""
    html = value._repr_html_()
    tree = ElementTree.fromstring(html)
    assert len(html) < 12_000
    assert not re.search(r"background|<style|<script|(?<!text-)(?<!-)color:|black|#000", html)
    return tree


def svg_of(value):
    """Return the SVG of an object as a tree; check that only the standalone form has its own colour."""
    alone, inline = value._repr_svg_(), value._repr_html_()
    assert alone.replace(' color="#757575"', "") == inline
    assert "currentColor" in inline
    assert inline != alone
    return ElementTree.fromstring(alone)


def texts_of(tree):
    """Return the texts of a tree, in order, without titles."""
    elements = (element for element in tree.iter() if not element.tag.endswith("title"))
    return [element.text.strip() for element in elements if (element.text or "").strip()]


def rows_of(tree):
    """Return the rows of all tables, each a list of texts."""
    return [[cell.text or "" for cell in row] for row in tree.iter("tr")]
