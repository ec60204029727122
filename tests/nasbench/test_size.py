import itertools
import pickle

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbench import SizeCell
from nasbench.errors import InvalidCellError
from nasbench.size import SIZES, WIDTHS, size_order

cells = st.integers(0, SIZES - 1).map(SizeCell)


def test_the_official_order_is_that_of_the_widths():
    """As in the published meta file; samples 11 and 284 of it are 8:8:8:16:32 and 8:8:40:32:40."""
    strings = [":".join(map(str, widths)) for widths in itertools.product(WIDTHS, repeat=5)]
    assert [str(SizeCell.from_index(index)) for index in range(SIZES)] == strings
    assert str(SizeCell.from_index(11)) == "8:8:8:16:32"
    assert str(SizeCell.from_index(284)) == "8:8:40:32:40"
    np.testing.assert_array_equal(size_order(), np.arange(SIZES))
    with pytest.raises(ValueError, match="read-only"):
        size_order()[0] = 1


@given(cells)
def test_every_name_leads_back_to_the_cell(cell):
    for name in (cell, str(cell), cell.index, np.int64(cell.index), cell.widths, list(cell.widths)):
        assert SizeCell.parse(name) == cell
        assert SizeCell.parse_code(name) == cell.code
    assert SizeCell.from_widths(cell.widths) == SizeCell.from_string(str(cell)) == cell
    assert pickle.loads(pickle.dumps(cell)) == cell


@given(cells)
def test_neighbours_differ_in_one_width(cell):
    neighbours = cell.neighbours()
    assert len(set(neighbours)) == 35
    for other in neighbours:
        assert sum(a != b for a, b in zip(cell.widths, other.widths, strict=True)) == 1


@pytest.mark.parametrize(
    "sequence", [np.array, np.uint8, pandas.Series, iter, lambda w: list(map(np.int64, w))]
)
def test_widths_may_be_in_any_sequence(sequence):
    widths = (8, 8, 8, 16, 32)
    assert SizeCell.parse(sequence(widths)) == SizeCell.from_widths(sequence(widths)) == SizeCell(11)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SizeCell(SIZES), r"in \[0, 32767\], got 32768"),
        (lambda: SizeCell(True), "got True"),
        (lambda: SizeCell.from_index(-1), r"official index must be in \[0, 32767\], got -1"),
        (lambda: SizeCell.from_index(1.5), r"got 1.5 \(float\)"),
        (lambda: SizeCell.from_string("8:8:8:8"), "got '8:8:8:8'"),
        (lambda: SizeCell.from_string("8:8:8:8:9"), "in steps of 8"),
        (lambda: SizeCell.from_string("8:8:8:8:08"), "got '8:8:8:8:08'"),
        (lambda: SizeCell.from_string(5), "must be a str, got int"),
        (lambda: SizeCell.from_widths((8, 8, 8, 8)), r"got \(8, 8, 8, 8\)"),
        (lambda: SizeCell.from_widths((8, 8, 8, 8, 72)), "got"),
        (lambda: SizeCell.from_widths((8, 8, 8, 8, "8")), "got"),
        (lambda: SizeCell.from_widths(8), "got 8"),
        (lambda: SizeCell.parse(np.full(5, 8.0)), "five widths from 8 to 64"),
        (lambda: SizeCell.parse(np.arange(SIZES)), "five widths from 8 to 64 in steps of 8, got .{,150}$"),
        (lambda: SizeCell.parse(None), "got None"),
    ],
)
def test_what_names_no_cell_is_an_error(make, message):
    with pytest.raises(InvalidCellError, match=message):
        make()
