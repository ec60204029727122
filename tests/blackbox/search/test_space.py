import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox.errors import ConfigError
from blackbox.search.space import NB201_SPACE, SSS_SPACE, CategoricalSpace, space_of_table
from nasbench import CELLS, Cell, SizeCell
from nasbench.cell import all_digits
from nasbench.size import SIZES
from nasbench.spaces import SIZE, TOPOLOGY


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4).filter(lambda choices: max(choices) > 1))
def test_neighbours_differ_in_one_digit(choices):
    space = CategoricalSpace(choices)
    digits = space.digits(np.arange(space.size))
    assert space.neighbours.shape == (space.size, space.edits)
    for code in range(space.size):
        near = space.neighbours[code]
        assert len(set(near.tolist())) == space.edits
        assert ((digits[near] != digits[code]).sum(axis=1) == 1).all()


@pytest.mark.parametrize("choices", [(), (1,), (3, 0), (1, 1)])
def test_a_space_without_a_choice_is_an_error(choices):
    with pytest.raises(ConfigError, match="with two points or more in all; got"):
        CategoricalSpace(choices)


def test_codes_are_those_of_cells():
    assert NB201_SPACE.size == CELLS
    assert NB201_SPACE.edits == 24
    np.testing.assert_array_equal(NB201_SPACE.digits(np.arange(CELLS)), all_digits())
    for code in (0, 1, 7812, CELLS - 1):
        assert NB201_SPACE.neighbours[code].tolist() == [cell.code for cell in Cell(code).neighbours()]


def test_codes_are_those_of_sizes():
    assert SSS_SPACE.size == SIZES
    assert SSS_SPACE.edits == 35
    for code in (0, 1, 7812, SIZES - 1):
        assert tuple(SSS_SPACE.digits(code)) == SizeCell(code).digits
        assert SSS_SPACE.neighbours[code].tolist() == [cell.code for cell in SizeCell(code).neighbours()]


def test_the_space_of_a_table_has_its_cells():
    for table, space in ((TOPOLOGY, NB201_SPACE), (SIZE, SSS_SPACE)):
        assert space_of_table(table) is space
        assert space.size == table.cells


def test_mutate_takes_the_neighbour_of_that_number():
    codes, edits = np.array([0, 5, 9000]), np.array([0, 23, 11])
    np.testing.assert_array_equal(NB201_SPACE.mutate(codes, edits), NB201_SPACE.neighbours[codes, edits])
