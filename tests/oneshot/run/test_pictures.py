import sys

import numpy as np
import pytest

from nasbench.cell import OPERATIONS, Cell
from oneshot.errors import MissingDependencyError
from oneshot.run import pictures
from oneshot.run.folder import RunFolder
from oneshot.run.pictures import Alphas, draw_all, draw_alphas, draw_anytime, draw_cell

EDGES = ["0→1", "0→2", "1→2", "0→3", "1→3", "2→3"]


FOUND = {"benchmark_val_accuracy": 90.0, "rank": 9, "regret": 1.6}


def rows(values):
    return [
        {"epoch": n, "benchmark_val_accuracy": value, "rank": value and 5, "regret": value and 91.6 - value}
        for n, value in enumerate(values, 1)
    ]


def alphas(edges=EDGES, operations=OPERATIONS):
    values = np.random.default_rng(0).normal(size=(11, len(edges), len(operations))).cumsum(axis=0)
    return Alphas(values, edges, operations, values[-1].argmax(axis=1).tolist())


def test_all_pictures_of_a_search(tmp_path):
    with RunFolder.create(tmp_path / "a", {}) as folder:
        names = draw_all(
            folder, "DARTS", Cell.from_index(6111), rows([80.0, 91.6]), FOUND, "cifar10", 91.6, alphas()
        )
        assert names == ("alphas.png", "anytime.png", "cell.png")
        for name in names:
            assert (folder.path / name).read_bytes().startswith(b"\x89PNG")


def test_what_there_is_nothing_for_is_not_drawn(tmp_path):
    with RunFolder.create(tmp_path / "a", {}) as folder:
        names = draw_all(folder, "RSWS", Cell.from_index(0), rows([None]), rows([None])[0], "cifar10", None)
        assert names == ("cell.png",)


def test_alphas_have_a_panel_an_edge_and_the_chosen_one_is_bold():
    given = alphas()
    panels = draw_alphas(given, "title").axes
    assert len(panels) == 6
    for number, axes in enumerate(panels):
        assert axes.get_title() == f"edge {EDGES[number]}: {OPERATIONS[given.chosen[number]]}"
        widths = [line.get_linewidth() for line in axes.lines]
        assert int(np.argmax(widths)) == given.chosen[number]
        for k, line in enumerate(axes.lines):
            np.testing.assert_array_equal(line.get_ydata(), given.values[:, number, k])
    colours = [line.get_color() for line in panels[0].lines]
    assert len(set(colours)) == len(OPERATIONS)


@pytest.mark.parametrize("edges", [1, 2, 4, 14])
def test_other_spaces_have_other_numbers_of_edges_and_operations(edges):
    operations = ("none", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3")
    figure = draw_alphas(alphas([str(n) for n in range(edges)], operations), "title")
    assert sum(bool(axes.lines) for axes in figure.axes) == edges


def test_anytime_shows_value_and_regret_and_gaps():
    figure = draw_anytime(rows([80.0, None, 91.6]), FOUND, "cifar10", 91.6, "title")
    upper, lower = figure.axes
    np.testing.assert_array_equal(upper.lines[0].get_ydata(), [80.0, np.nan, 91.6])
    np.testing.assert_allclose(lower.lines[0].get_ydata(), [11.6, np.nan, 0.0])
    assert "91.60 %" in figure.legends[0].get_texts()[1].get_text()
    assert lower.get_title(loc="right") == "found: rank 9, regret 1.60"
    assert (upper.lines[-1].get_ydata(), lower.lines[-1].get_ydata()) == (90.0, 1.6)


def test_a_cell_has_its_six_operations():
    cell = Cell.from_index(6111)
    axes = draw_cell(cell, "title").axes[0]
    texts = [text.get_text() for text in axes.texts]
    assert sorted(texts) == sorted([*cell.ops, "in", "1", "2", "out"])
    assert len(axes.patches) == 6
    assert [patch.get_linestyle() for patch in draw_cell(Cell(0), "").axes[0].patches] == [":"] * 6


def test_without_matplotlib_there_is_a_hint(monkeypatch):
    pictures.check()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match="pip install matplotlib"):
        pictures.check()
