from fractions import Fraction
from math import ceil

import pytest

from blackbox.hyperband import Hyperband
from blackbox.search.brackets import Bracket, hyperband_bracket
from blackbox.search.scores import FAILED
from blackbox.search.space import NB201_SPACE


def test_where_most_cells_fail_the_others_go_on_to_the_last_rung():
    """A rung has as many cells as it would, had none failed, as long as there are some."""
    bracket = Bracket(27, (1, 3, 9, 27), 3, iter(range(27)).__next__)
    trained = []
    while not bracket.is_over:
        code, epochs, _ = bracket.next()
        trained.append((code, epochs))
        bracket.tell(code, float(code) if code in (5, 9) else FAILED)
    assert trained[27:] == [(9, 3), (5, 3), (9, 9), (5, 9), (9, 27)]


@pytest.mark.parametrize(("longest", "eta"), [(81, 3), (27, 3), (16, 4), (1024, 2)])
def test_cells_are_those_of_the_formula(longest, eta):
    """n = ceil((s_max + 1) / (s + 1) * eta^s), in fractions."""
    rungs = Hyperband(NB201_SPACE, longest, Hyperband.config_class(eta=eta)).rungs
    s_max = len(rungs) - 1
    for number in range(2 * s_max + 2):
        s = s_max - number % (s_max + 1)
        assert hyperband_bracket(number, rungs, eta) == (
            ceil(Fraction(s_max + 1, s + 1) * eta**s),
            rungs[s_max - s :],
        )
