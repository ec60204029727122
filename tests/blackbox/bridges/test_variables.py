import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox.bridges.table import NamedTable
from blackbox.bridges.variables import Variables, as_objective
from blackbox.errors import ConfigError, ObjectiveError, UnknownValueError
from blackbox.re import RegularizedEvolution
from blackbox.search.loop import run
from blackbox.search.scores import FAILED
from blackbox.search.space import NB201_SPACE, SSS_SPACE
from nasbench import Cell, SizeCell
from nasbench.benchmark import open_benchmark
from nasbench.cell import CELLS
from nasbench.size import SIZES
from nasbench.spaces import SIZE, TOPOLOGY

EDGES, LAYERS = Variables.from_space(TOPOLOGY), Variables.from_space(SIZE)


@given(st.integers(0, CELLS - 1))
def test_edges_are_those_of_a_cell(code):
    values = EDGES.decode(code)
    assert tuple(values.values()) == Cell(code).ops
    assert EDGES.code(values) == code


@given(st.integers(0, SIZES - 1))
def test_layers_are_those_of_a_size(code):
    values = LAYERS.decode(np.int64(code))
    assert tuple(values.values()) == SizeCell(code).widths
    assert LAYERS.code(values) == code


def test_names_are_in_the_order_of_the_arch_string():
    assert tuple(EDGES.values) == ("0->1", "0->2", "1->2", "0->3", "1->3", "2->3")
    assert tuple(LAYERS.values) == ("layer1", "layer2", "layer3", "layer4", "layer5")
    assert (EDGES.space.choices, LAYERS.space.choices) == (NB201_SPACE.choices, SSS_SPACE.choices)
    values = EDGES.decode(77)
    assert EDGES.code(dict(reversed(values.items()))) == 77


def test_what_does_not_fit_is_an_error_that_names_it():
    values = LAYERS.decode(0)
    for wrong, message in [
        ({"layer1": 8}, "variables must be layer1, .*; got layer1$"),
        ({}, "got none"),
        (values | {"layer6": 8}, "got layer1, .*layer6"),
        (values | {"layer2": 9}, "layer2 must be one of 8, 16, .*; got 9"),
        (values | {"layer2": [8]}, r"got \[8\]"),
    ]:
        with pytest.raises(UnknownValueError, match=message):
            LAYERS.code(wrong)
    for code in (-1, SIZES, 1.0, True, None):
        with pytest.raises(LookupError, match=r"code must be an integer in \[0, 32767\], got"):
            LAYERS.decode(code)
    with pytest.raises(ConfigError, match="the values of a variable must differ, got width"):
        Variables({"width": (8, 16, 8)})
    with pytest.raises(ConfigError, match=r"such as tuples instead of lists; got kernel: \(\[3, 3\],\)"):
        Variables({"kernel": [[3, 3]], "width": (8, 16)})
    with pytest.raises(ConfigError, match=r"with two points or more in all; got \(0,\)"):
        Variables({"width": ()})


def test_our_searches_on_a_function_of_values():
    seen = []

    def function(values):
        seen.append(values)
        return float("nan") if values["layer1"] == 64 else sum(values.values())

    for minimize, sign in ((False, 1), (True, -1)):
        seen.clear()
        objective = as_objective(function, LAYERS, minimize=minimize)
        history = run(RegularizedEvolution(LAYERS.space, trials=2), objective, evals=300)
        assert [LAYERS.code(values) for values in seen] == history.codes.T.ravel().tolist()
        first = history.codes // 8**4
        assert (history.scores[first == 7] == FAILED).all()
        widths = (LAYERS.space.digits(history.codes).sum(axis=-1) + 5) * 8.0
        np.testing.assert_array_equal(history.scores[first < 7], sign * widths[first < 7])
        best = history.scores.max()
        assert best > 250 if sign == 1 else best > -80


def test_what_is_no_number_is_an_error():
    for value in ("high", None, [1, 2]):
        with pytest.raises(ObjectiveError, match="the objective must return a number, got"):
            as_objective(lambda values, value=value: value, LAYERS)([3])


def test_a_table_by_values_in_its_own_unit_and_its_own_direction(bench, sizes):
    cell = Cell.from_index(6111)
    values = EDGES.decode(cell.code)
    for metric, higher in (("val_accuracy", True), ("params", False), ("latency", False)):
        table = NamedTable(bench, "cifar10", metric)
        value = bench.query(cell, "cifar10", metric)
        assert (table.value(values), table.higher_is_better) == (value, higher)
        assert table.loss(values) == (-value if higher else value)
        assert table.cell(values) == cell
    size_bench = open_benchmark(sizes)
    table = NamedTable(size_bench, "cifar100", "val_accuracy", signal="val_loss@12")
    assert not table.higher_is_better
    assert table.value(LAYERS.decode(11)) == size_bench.query(11, "cifar100", "val_loss", protocol=12)
    assert table.cell(LAYERS.decode(11)) == SizeCell(11)
