import hashlib
import itertools
import sys

import networkx
import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbench import CELLS, OPERATIONS, Cell
from nasbench.cell import all_digits, count_convolutions, isomorphism_classes, official_order
from nasbench.errors import InvalidCellError, MissingDependencyError

cells = st.integers(0, CELLS - 1).map(Cell)
ARCH_0 = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
# sha256 of the official list of arch strings, one a line: facts of the published meta file
OFFICIAL_SHA256 = "83abc799e45cf34e9d2163654668ab998b9a54d01c39e72ca1f71f2cdf356d84"


def test_official_order_is_that_of_the_published_meta_file():
    strings = [str(Cell.from_index(index)) for index in range(CELLS)]
    assert strings[0] == ARCH_0
    assert hashlib.sha256("\n".join(strings).encode()).hexdigest() == OFFICIAL_SHA256


def test_known_names_of_index_0():
    cell = Cell.from_index(0)
    assert str(cell) == ARCH_0
    assert cell.naslib == (4, 3, 3, 0, 0, 0)
    assert cell.digits == (4, 2, 1, 2, 1, 1)
    assert cell.code == int("421211", 5)
    assert cell.matrix.tolist() == [[0, 0, 0, 0], [4, 0, 0, 0], [2, 1, 0, 0], [2, 1, 1, 0]]


@given(cells)
def test_every_name_leads_back_to_the_cell(cell):
    assert Cell.from_string(str(cell)) == cell
    assert Cell.from_ops(cell.ops) == cell
    assert Cell.from_index(cell.index) == cell
    assert Cell.from_naslib(cell.naslib) == cell
    assert Cell.from_matrix(cell.matrix) == cell
    assert Cell.parse(cell) is cell
    for name in (cell, str(cell), list(cell.ops), cell.ops, cell.index, np.uint16(cell.index)):
        assert Cell.parse_code(name) == cell.code
    assert tuple(all_digits()[cell.code]) == cell.digits


@given(cells)
def test_graph_has_the_operations_on_its_edges(cell):
    graph = cell.to_networkx()
    assert [graph.edges[edge]["op"] for edge in ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))] == list(
        cell.ops
    )
    assert sorted(graph.nodes) == [0, 1, 2, 3]


def test_a_graph_without_networkx_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(MissingDependencyError, match="pip install networkx"):
        Cell(0).to_networkx()


def test_how_many_cells_connect_input_and_output():
    connected = 0
    for code in range(CELLS):
        graph = Cell(code).to_networkx()
        graph.remove_edges_from([edge for *edge, op in graph.edges(data="op") if op == "none"])
        connected += networkx.has_path(graph, 0, 3)
    assert connected == 15_284


def test_isomorphism_classes_are_as_many_as_published():
    classes = isomorphism_classes()
    assert len(np.unique(classes)) == 6_466
    assert classes.max() == 6_465
    assert len({Cell(code).canonical_form for code in range(CELLS)}) == 6_466


def test_isomorphic_cells_have_equal_canonical_forms():
    conv_then_skip = ("nor_conv_3x3", "none", "skip_connect", "none", "none", "skip_connect")
    skip_then_conv = ("skip_connect", "none", "nor_conv_3x3", "none", "none", "skip_connect")
    one, other = Cell.from_ops(conv_then_skip), Cell.from_ops(skip_then_conv)
    assert one.canonical_form == other.canonical_form
    assert one.isomorphism_class == other.isomorphism_class != Cell.from_index(0).isomorphism_class


@given(cells)
def test_neighbours_differ_in_one_operation(cell):
    neighbours = cell.neighbours()
    assert len(set(neighbours)) == 24
    for other in neighbours:
        assert sum(a != b for a, b in zip(cell.ops, other.ops, strict=True)) == 1


@pytest.mark.parametrize(
    ("index", "classes", "image_size", "params", "flops"),
    [
        (0, 10, 32, 129_306, 15_647_370),
        (0, 100, 32, 135_156, 15_653_220),
        (0, 120, 16, 136_456, 3_919_480),
        (11, 10, 32, 802_426, 113_951_370),
        (11, 120, 16, 809_576, 28_495_480),
        (284, 10, 32, 101_306, 11_715_210),
        (1462, 10, 32, 1_531_546, 220_119_690),
        (1651, 10, 32, 73_306, 7_783_050),
    ],
)
def test_costs_of_the_network(index, classes, image_size, params, flops):
    cell = Cell.from_index(index)
    assert cell.params(classes) == params
    assert cell.flops(classes, image_size) == flops


def test_convolutions_are_counted_for_all_cells():
    ones, threes = count_convolutions()
    counted = [
        (ops.count("nor_conv_1x1"), ops.count("nor_conv_3x3"))
        for ops in itertools.product(OPERATIONS, repeat=6)
    ]
    assert list(zip(ones.tolist(), threes.tolist(), strict=True)) == counted


def test_a_code_of_any_integer_type_is_a_plain_int():
    assert type(Cell(np.uint16(7)).code) is int
    assert Cell(np.int64(7)) == Cell(7)


def test_whole_space_arrays_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        official_order()[0] = 1


@pytest.mark.parametrize(
    "sequence",
    [
        np.array,
        lambda ops: np.array(ops, dtype=object),
        lambda ops: pandas.Series(ops, index=range(6, 12)),
        lambda ops: pandas.Series(ops, dtype="category"),
        iter,
    ],
)
def test_operations_may_be_in_any_sequence(sequence):
    cell = Cell.from_index(6111)
    assert Cell.parse(sequence(cell.ops)) == Cell.from_ops(sequence(cell.ops)) == cell
    assert Cell.from_naslib(sequence(cell.naslib)) == cell


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Cell(-1), r"code must be an integer in \[0, 15624\], got -1"),
        (lambda: Cell(1.0), "got 1.0"),
        (lambda: Cell(True), "got True"),
        (lambda: Cell(CELLS), "got 15625"),
        (lambda: Cell.from_index(CELLS), r"official index must be in \[0, 15624\], got 15625"),
        (lambda: Cell.from_index(-1), "got -1"),
        (lambda: Cell.parse(1.0), r"got 1.0 \(float\)"),
        (lambda: Cell.parse(True), "got True"),
        (lambda: Cell.parse(np.True_), "bool"),
        (lambda: Cell.parse(None), "got None"),
        (lambda: Cell.parse(b"x"), "bytes"),
        (lambda: Cell.parse({0: "none"}), r"\(dict\)"),
        (lambda: Cell.parse({"none"}), r"\(set\)"),
        (lambda: Cell.parse(np.array(1.5)), r"\(ndarray\)"),
        (lambda: Cell.parse(np.arange(CELLS)), "six operations, got 15625: .{,150}$"),
        (lambda: Cell.parse(np.array([["none"] * 6] * 6)), "unknown operation array"),
        (lambda: Cell.from_naslib(5), "six integers in .* got 5"),
        (lambda: Cell.from_string(3), "an arch string must be a str, got int"),
        (lambda: Cell.parse(""), r"must have the form \|a~0\|"),
        (lambda: Cell.parse(ARCH_0[:-1]), "must have the form"),
        (lambda: Cell.parse(ARCH_0 + "+|none~0|"), "must have the form"),
        (lambda: Cell.parse(ARCH_0.replace("~2", "~1")), "must have the form"),
        (lambda: Cell.parse(" " + ARCH_0), "must have the form"),
        (lambda: Cell.parse(ARCH_0.replace("avg_pool_3x3", "conv")), "unknown operation 'conv' at edge 0->1"),
        (lambda: Cell.parse(["none"] * 5), "six operations, got 5"),
        (lambda: Cell.parse(["none"] * 5 + [3]), "unknown operation 3 at edge 2->3"),
        (lambda: Cell.from_naslib((0, 0, 0)), "six integers"),
        (lambda: Cell.from_naslib((0, 0, 0, 0, 0, 5)), "six integers"),
        (lambda: Cell.from_naslib("abcdef"), "six integers"),
        (lambda: Cell.from_naslib([True] * 6), "six integers"),
        (lambda: Cell.from_naslib([1.0] * 6), "six integers"),
        (lambda: Cell.from_ops(5), "six operations, got 5"),
        (lambda: Cell.from_matrix([[0], [1, 0]]), r"matrix must be \(4, 4\)"),
        (lambda: Cell.from_matrix(np.zeros((4, 4))), "of integers"),
        (lambda: Cell.from_matrix(np.zeros((3, 3), dtype=int)), r"matrix must be \(4, 4\)"),
        (lambda: Cell.from_matrix(np.eye(4, dtype=int)), "zero on and above the diagonal"),
        (lambda: Cell.from_matrix(np.tril(np.full((4, 4), 7), -1)), r"numbers must be in \[0, 4\]"),
    ],
)
def test_what_is_no_cell_is_an_error(make, message):
    with pytest.raises(InvalidCellError, match=message):
        make()
