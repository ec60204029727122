import io

import numpy as np
import pytest

from nasbench.cell import OPERATIONS, Cell
from oneshot.search.pictures import Alphas, draw_all, draw_alphas, draw_anytime
from oneshot.search.scorer import Scorer
from oneshot.spaces.registry import get_space

EDGES = ["0→1", "0→2", "1→2", "0→3", "1→3", "2→3"]


FOUND = {"benchmark_val_accuracy": 90.0, "rank": 9, "regret": 1.6}


def rows(values):
    return [
        {"epoch": n, "benchmark_val_accuracy": value, "rank": value and 5, "regret": value and 91.6 - value}
        for n, value in enumerate(values, 1)
    ]


def alphas(edges=EDGES, operations=OPERATIONS):
    values = np.random.default_rng(0).normal(size=(11, len(edges), len(operations))).cumsum(axis=0)
    return Alphas(values, edges, [operations] * len(edges), values[-1].argmax(axis=1).tolist())


def diagrams(index):
    return get_space("nb201").diagrams(Cell.from_index(index))


def test_all_pictures_of_a_search():
    drawn = draw_all("DARTS", diagrams(6111), rows([80.0, 91.6]), FOUND, Scorer("cifar10"), alphas())
    assert sorted(drawn) == ["alphas.png", "anytime.png", "cell.png"]
    for figure in drawn.values():
        data = io.BytesIO()
        figure.savefig(data, format="png")
        assert data.getvalue().startswith(b"\x89PNG")


def test_what_there_is_nothing_for_is_not_drawn():
    assert list(draw_all("RSWS", diagrams(0), rows([None]), rows([None])[0])) == ["cell.png"]


def test_alphas_have_a_panel_an_edge_and_the_chosen_one_is_bold():
    given = alphas()
    panels = draw_alphas(given, "title").axes
    assert len(panels) == 6
    for number, axes in enumerate(panels):
        assert axes.get_title() == f"{EDGES[number]}: {OPERATIONS[given.chosen[number]]}"
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


def test_edges_may_have_different_candidates():
    values = np.zeros((3, 2, 3))
    values[:, 1, 2] = np.nan
    given = Alphas(values, ["a", "b"], [("none", "conv_1x1", "sep_conv_3x3"), ("motif 0", "motif 1")], [1, 0])
    figure = draw_alphas(given, "title")
    assert [len(axes.lines) for axes in figure.axes if axes.lines] == [3, 2]
    assert len(figure.legends[0].get_texts()) == 5


def test_anytime_shows_value_and_regret_and_gaps():
    figure = draw_anytime(rows([80.0, None, 91.6]), FOUND, "cifar10", 91.6, "title")
    upper, lower = figure.axes
    np.testing.assert_array_equal(upper.lines[0].get_ydata(), [80.0, np.nan, 91.6])
    np.testing.assert_allclose(lower.lines[0].get_ydata(), [11.6, np.nan, 0.0])
    assert "91.60 %" in figure.legends[0].get_texts()[1].get_text()
    assert lower.get_title(loc="right") == "found: rank 9, regret 1.60"
    assert (upper.lines[-1].get_ydata(), lower.lines[-1].get_ydata()) == (90.0, 1.6)
